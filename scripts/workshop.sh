# To be sourced by scripts that start servers and browsers. It makes the temporary directory
# $tmp, and sees to it that neither that nor a process outlives the script: whatever was
# started with TMPDIR=$tmp, or with a path below it among its arguments, is known by that.
# One that is left behind by itself, and not by a signal, makes the script fail.
tmp=$(mktemp -d "${TMPDIR:-/tmp}/usercast-e2e.XXXXXX")
chmod 711 "$tmp" # PostgreSQL may run as a user of its own, who must get in
leftovers() {
	# The patterns come from a pipe, or grep would find itself.
	printf '%s\n' "TMPDIR=$tmp" "$tmp/" | grep -laF -f - /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3 | sort -u | grep .
}
tidy() {
	local status=$? pids=
	# Those that are about to end may need a moment.
	for _ in {1..50}; do
		pids=$(leftovers) || break
		sleep 0.1
	done
	for pid in $pids; do
		# After a signal there may be some. Tests that have ended must leave none.
		[ "$status" -ge 128 ] || echo "left behind: $pid $(tr '\0' ' ' <"/proc/$pid/cmdline" | cut -c1-200)" >&2
		kill -KILL "$pid" 2>/dev/null || true
		[ "$status" != 0 ] || status=1
	done
	rm -rf "$tmp"
	exit "$status"
}
trap tidy EXIT

# run_suite DIR COMMAND… runs the tests in DIR, in the background, so that a signal is heard
# at once and passed on.
run_suite() {
	(cd "$1" && shift && TMPDIR=$tmp exec "$@") &
	local suite=$!
	trap 'kill -TERM '"$suite" INT TERM
	wait "$suite"
}

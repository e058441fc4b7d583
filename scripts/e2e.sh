#!/usr/bin/env bash
# Runs the browser tests in js/e2e, a real Chromium against the real hub: scripts/e2e.sh
# [name of a test file]. It installs Chromium and what npm needs, or says which command
# does, and builds server and client anew. CHROMIUM names another browser than Debian's.
# No process outlives it.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -n "${CHROMIUM-}" ] || scripts/need.sh "test -x /usr/bin/chromium" chromium
scripts/npm.sh js

# Whatever the tests start has this in its environment, and is known by it.
tmp=$(mktemp -d "${TMPDIR:-/tmp}/usercast-e2e.XXXXXX")
leftovers() { grep -laF "TMPDIR=$tmp" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3; }
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

# In the background, so that a signal is heard at once and passed on.
(cd js && TMPDIR=$tmp exec node_modules/.bin/vitest run --config e2e/vitest.config.ts "$@") &
suite=$!
trap 'kill -TERM $suite' INT TERM
wait $suite

#!/usr/bin/env bash
# Runs the end-to-end tests of examples/orders, real Chromiums against the real server and
# its ERP, on SQLite and on PostgreSQL: scripts/orders-e2e.sh [name of a test file].
# It installs Chromium, PostgreSQL and what npm needs, or says which command does, and
# builds the server anew, with the page that is committed. CHROMIUM names another browser
# than Debian's, ORDERS_E2E_DATABASES=sqlite runs on one database only. No process
# outlives it.
#
# scripts/orders-e2e.sh load: 20 users with 3 devices each, for two minutes, and a table
# of how long a change takes from its commit to the other screen. ORDERS_E2E_PAGES=n has
# n users on real pages instead of one, if the machine can carry them; the other users'
# devices are clients in Node.js.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -n "${CHROMIUM-}" ] || scripts/need.sh "test -x /usr/bin/chromium" chromium
scripts/need.sh 'ls /usr/lib/postgresql/*/bin/initdb' postgresql
scripts/npm.sh examples/orders/web

# Whatever the tests start has this in its environment or among its arguments, and is
# known by it. PostgreSQL may run as a user of its own, who must get in.
tmp=$(mktemp -d "${TMPDIR:-/tmp}/orders-e2e.XXXXXX")
chmod 711 "$tmp"
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

go build -o "$tmp/orders" ./examples/orders
go build -o "$tmp/postgres" ./examples/orders/web/e2e/postgres

if [ "${1-}" = load ]; then
	export ORDERS_E2E_LOAD=full ORDERS_E2E_DATABASES="${ORDERS_E2E_DATABASES-sqlite}"
fi
# In the background, so that a signal is heard at once and passed on.
(cd examples/orders/web && TMPDIR=$tmp ORDERS_E2E_WORKSHOP=$tmp exec node_modules/.bin/vitest run --config e2e/vitest.config.ts "$@") &
suite=$!
trap 'kill -TERM $suite' INT TERM
wait $suite

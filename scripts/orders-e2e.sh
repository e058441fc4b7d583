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
. scripts/workshop.sh

go build -o "$tmp/orders" ./examples/orders
go build -o "$tmp/postgres" ./examples/orders/web/e2e/postgres

if [ "${1-}" = load ]; then
	export ORDERS_E2E_LOAD=full ORDERS_E2E_DATABASES="${ORDERS_E2E_DATABASES-sqlite}"
fi
export ORDERS_E2E_WORKSHOP=$tmp
run_suite examples/orders/web node_modules/.bin/vitest run --config e2e/vitest.config.ts "$@"

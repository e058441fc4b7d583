#!/usr/bin/env bash
# Runs the browser tests in js/e2e, a real Chromium against the real hub: scripts/e2e.sh
# [name of a test file]. It installs Chromium and what npm needs, or says which command
# does, and builds server and client anew. CHROMIUM names another browser than Debian's.
# No process outlives it.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -n "${CHROMIUM-}" ] || scripts/need.sh "test -x /usr/bin/chromium" chromium
scripts/npm.sh js
. scripts/workshop.sh

run_suite js node_modules/.bin/vitest run --config e2e/vitest.config.ts "$@"

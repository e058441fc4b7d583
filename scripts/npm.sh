#!/usr/bin/env bash
# Installs what a folder's package-lock.json names, unless it is there: scripts/npm.sh js
set -euo pipefail
cd "$(dirname "$0")/../$1"
if ! command -v npm >/dev/null || ! node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)'; then
	echo "Node.js 20.19 or newer with npm is missing: see https://nodejs.org/en/download" >&2
	exit 1
fi
# npm writes this file last.
if [ ! node_modules/.package-lock.json -nt package-lock.json ]; then
	echo "== npm ci in $1"
	npm ci --no-audit --no-fund --loglevel=error
	touch node_modules/.package-lock.json
fi

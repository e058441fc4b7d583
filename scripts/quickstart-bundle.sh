#!/usr/bin/env bash
# Copies the built browser client into the quickstart's page, which the program embeds.
# With --check it changes nothing, and fails if the copy is not the newest.
set -euo pipefail
cd "$(dirname "$0")/.."
from=js/bundle/usercast.js
to=examples/quickstart/page/usercast.js
case ${1-} in
"")
	cp "$from" "$to"
	;;
--check)
	if ! cmp -s "$from" "$to"; then
		echo "$to is not $from: run scripts/quickstart-bundle.sh" >&2
		exit 1
	fi
	;;
*)
	echo "usage: scripts/quickstart-bundle.sh [--check]" >&2
	exit 2
	;;
esac

#!/usr/bin/env bash
# Makes sure that something is installed: scripts/need.sh TEST PACKAGE
# runs TEST in a shell; if that fails, it installs the Debian package, if it may,
# or fails and says which command would.
set -euo pipefail
test=$1 package=$2
sh -c "$test" >/dev/null 2>&1 && exit 0

as_root=""
if [ "$(id -u)" != 0 ]; then
	as_root="sudo"
fi
command="$as_root apt-get update && $as_root apt-get install -y --no-install-recommends $package"
if ! command -v apt-get >/dev/null || { [ -n "$as_root" ] && ! sudo -n true 2>/dev/null; }; then
	echo "$package is missing and cannot be installed from here. Run: $command" >&2
	exit 1
fi
echo "== installing $package"
export DEBIAN_FRONTEND=noninteractive
# Where the lists are fresh enough to know it, they need not be fetched again.
$as_root apt-get install -y -qq --no-install-recommends "$package" >/dev/null 2>&1 || {
	$as_root apt-get update -qq
	$as_root apt-get install -y -qq --no-install-recommends "$package" >/dev/null
}
if ! sh -c "$test" >/dev/null 2>&1; then
	echo "$package is installed, and yet this fails: $test" >&2
	exit 1
fi

#!/usr/bin/env bash
# Runs every fuzz target of the root module for a while: scripts/fuzz.sh 5s
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-5s}

# Go's fuzzer may take its own deadline for a failure (https://go.dev/issue/75804, mended in
# Go 1.27): that comes without a failing input, and says nothing else.
deadline_only() {
	grep -qx '    context deadline exceeded' <<<"$1" && ! grep -qE 'Failing input|panic|_test\.go' <<<"$1"
}

fuzz() { # dir target
	local said
	if said=$(go test -run '^$' -fuzz "^$2\$" -fuzztime "$time" "$1" 2>&1); then
		grep -vE '^fuzz: elapsed: .*(gathering|execs: 0)' <<<"$said" | tail -n 3
	elif deadline_only "$said"; then
		grep '^fuzz: elapsed' <<<"$said" | tail -n 1
		echo "stopped by its deadline, no failing input (go.dev/issue/75804)"
	else
		echo "$said"
		return 1
	fi
}

for dir in $(grep -rlE '^func Fuzz' --include='*_test.go' --exclude-dir=bench . | xargs -n1 dirname | sort -u); do
	for target in $(grep -hoE '^func Fuzz[A-Za-z0-9]+' "$dir"/*_test.go | cut -d' ' -f2 | sort); do
		echo "== $dir $target for $time"
		fuzz "$dir" "$target"
	done
done

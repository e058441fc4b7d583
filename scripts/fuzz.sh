#!/usr/bin/env bash
# Runs every fuzz target of the root module for a while: scripts/fuzz.sh 5s
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-5s}
for dir in $(grep -rlE '^func Fuzz' --include='*_test.go' --exclude-dir=bench . | xargs -n1 dirname | sort -u); do
	for target in $(grep -hoE '^func Fuzz[A-Za-z0-9]+' "$dir"/*_test.go | cut -d' ' -f2 | sort); do
		echo "== $dir $target for $time"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$dir" | grep -vE '^fuzz: elapsed: .*(gathering|execs: 0)' | tail -n 3
	done
done

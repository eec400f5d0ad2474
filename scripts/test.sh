#!/usr/bin/env bash
# Every test of the workspace and the foreign client, each to its end, then one table. `make build` comes first: the
# integration tests start the binaries in target/debug.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

logs=${CARGO_TARGET_DIR:-target}/test-logs
rm -rf "$logs"
mkdir -p "$logs"
failed=0

cargo test --workspace --no-fail-fast 2>&1 | tee "$logs/cargo.log" || failed=1
tests/foreign/run.sh 2>&1 | tee "$logs/foreign.log" || failed=1

# The table also fails by itself when a log holds no result, so that a suite can't vanish unnoticed.
scripts/test-summary cargo="$logs/cargo.log" unittest:tests/foreign="$logs/foreign.log" || failed=1
exit "$failed"

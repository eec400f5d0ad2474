#!/usr/bin/env bash
# Runs every fuzz target for a while.
#
#   scripts/fuzz.sh [SECONDS]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds=${1:-60}

if ! { cargo +nightly --version && cargo +nightly fuzz --version; } >/dev/null 2>&1; then
    cat >&2 <<'TEXT'
Fuzzing needs a nightly Rust (for its sanitizers) and cargo-fuzz:

    rustup toolchain install nightly
    cargo install cargo-fuzz

Without them, `cargo test --test fuzz_smoke` runs every target over its seeds and some thousand mutations of them.
TEXT
    exit 1
fi

for target in fuzz/fuzz_targets/*.rs; do
    target=$(basename "$target" .rs)
    echo "fuzz: $target, $seconds s"
    mkdir -p "fuzz/corpus/$target"
    cargo +nightly fuzz run "$target" -- -max_total_time="$seconds" -rss_limit_mb=1024
done

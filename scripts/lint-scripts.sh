#!/usr/bin/env bash
# Parses every shell script, and runs shellcheck where it is installed; the same for the tests' programs in Go, where that
# is.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scripts=(.ci/run scripts/*.sh tests/foreign/run.sh tests/pkcs11/install.sh tests/pkcs11_crash/one-by-one.sh)
for script in "${scripts[@]}"; do
    bash -n "$script"
done
if command -v shellcheck >/dev/null; then
    shellcheck "${scripts[@]}"
fi
if command -v go >/dev/null && [[ -d /usr/share/gocode ]]; then
    unformatted=$(gofmt -l tests/pkcs11/go)
    if [[ -n $unformatted ]]; then
        printf 'gofmt would write these otherwise:\n%s\n' "$unformatted" >&2
        exit 1
    fi
    GO111MODULE=off GOPATH=$PWD/tests/pkcs11/go:/usr/share/gocode GOCACHE=$(realpath -m "${CARGO_TARGET_DIR:-target}")/debug/go/cache \
        go vet fabric sdks chainmaker signer module
fi

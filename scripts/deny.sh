#!/usr/bin/env bash
# What the dependency tree may hold: deny.toml for everything, deny-enclave.toml for the enclave alone.
#
#   scripts/deny.sh              bans, licences, sources
#   scripts/deny.sh advisories   known vulnerabilities; fetches the RustSec database
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=0.20.2
tools=${CARGO_TARGET_DIR:-$PWD/target}/tools

# The configuration's form is that of 0.16 and later.
is_recent() {
    local found
    found=$("$1" --version 2>/dev/null | cut -d ' ' -f 2) || return 1
    [[ $(printf '0.16.0\n%s\n' "$found" | sort -V | head -n 1) == 0.16.0 ]]
}

if command -v cargo-deny >/dev/null && is_recent cargo-deny; then
    deny=cargo-deny
else
    deny=$tools/bin/cargo-deny
    if ! { [[ -x $deny ]] && is_recent "$deny"; }; then
        echo "cargo-deny: building $version (once, about a minute) …"
        # Unoptimized: it builds in a minute and runs in a second.
        CARGO_TARGET_DIR=$tools/build cargo install cargo-deny --version "$version" --locked --debug --quiet --root "$tools"
        rm -rf "$tools/build"
    fi
fi

case ${1:-} in
advisories)
    "$deny" --locked --workspace check advisories
    ;;
'')
    "$deny" --locked --workspace check licenses sources
    # What only tests link is in no binary.
    "$deny" --locked --workspace --exclude-dev check bans
    "$deny" --locked --exclude-dev --manifest-path crates/chancery-enclave/Cargo.toml --config deny-enclave.toml check bans
    ;;
*)
    echo "usage: scripts/deny.sh [advisories]" >&2
    exit 64
    ;;
esac

#!/usr/bin/env bash
# Installs what this system lacks for `make demo|test|bench`. Says nothing when nothing is missing, asks no questions,
# and names the packages when it may not install them.
#
#   scripts/setup.sh demo|test|bench
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

purpose=${1:?"usage: scripts/setup.sh demo|test|bench"}

fail() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

# Rust can't come from apt: Debian's is older than this workspace needs.
required=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
command -v cargo >/dev/null || fail "cargo is not installed; get Rust $required or newer from https://rustup.rs"
installed=$(rustc --version | cut -d ' ' -f 2)
oldest=$(printf '%s\n%s\n' "$required" "${installed%%-*}" | sort -V | head -n 1)
[[ $oldest == "$required" ]] || fail "rustc is $installed, $required or newer is needed: run \`rustup update\`"

# A compiler without the C library's headers is no compiler for SQLite and AWS-LC.
has_compiler() {
    cc -x c -include stdio.h -o /dev/null - <<<'int main(void) { return 0; }' 2>/dev/null
}

# Where Debian, Ubuntu, Fedora and a build from source put it.
has_softhsm() {
    local library
    for library in /usr/{lib,lib64,lib/*-linux-gnu,local/lib}/softhsm/libsofthsm2.so /usr/lib{,64}/pkcs11/libsofthsm2.so; do
        [[ -e $library ]] && return
    done
    return 1
}

# Debian ships the module and takes out the part that makes an environment usable.
has_venv() {
    python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

# OpenSSL looks for engines in a directory of its own.
has_engine() {
    [[ -e $(openssl version -e 2>/dev/null | cut -d '"' -f 2)/pkcs11.so ]]
}

# Sources of libraries lie where the tests look for them.
has_go() {
    local library
    command -v go >/dev/null || return
    for library in miekg/pkcs11 tjfoc/gmsm/sm2; do
        [[ -d /usr/share/gocode/src/github.com/$library ]] || return
    done
}

has_remoting() {
    local library
    command -v p11-kit >/dev/null || return
    for library in /usr/{lib,lib64,lib/*-linux-gnu,local/lib}/pkcs11/p11-kit-client.so; do
        [[ -e $library ]] && return
    done
    return 1
}

# One that runs programs from their sources.
has_java() {
    command -v keytool >/dev/null && command -v javac >/dev/null
}

missing=()
has_compiler || missing+=(build-essential)
has_softhsm || missing+=(softhsm2)
command -v openssl >/dev/null || missing+=(openssl)
if [[ $purpose == test ]]; then
    # pkcs11-tool, and pkcs11-spy, which the enclave's tests count logins with.
    command -v pkcs11-tool >/dev/null || missing+=(opensc)
    # Other programs that load the PKCS#11 module.
    has_engine || missing+=(libengine-pkcs11-openssl)
    command -v p11tool >/dev/null || missing+=(gnutls-bin)
    command -v certutil >/dev/null || missing+=(libnss3-tools)
    command -v ssh-keygen >/dev/null || missing+=(openssh-client)
    has_go || missing+=(golang-go golang-github-miekg-pkcs11-dev golang-github-tjfoc-gmsm-dev)
    has_venv || missing+=(python3 python3-venv)
    has_java || missing+=(default-jdk-headless)
    command -v node >/dev/null || missing+=(nodejs)
    command -v npm >/dev/null || missing+=(npm)
fi
if [[ $purpose == bench ]]; then
    # Another way to a token over a socket, to compare with.
    has_remoting || missing+=(p11-kit p11-kit-modules)
fi
((${#missing[@]})) || exit 0

by_hand="install these packages and run the command again: ${missing[*]}"
command -v apt-get >/dev/null || fail "this system has no apt-get; $by_hand"
as_root=()
if [[ $(id -u) != 0 ]]; then
    if ! sudo -n true 2>/dev/null; then
        fail "only root may install packages, and sudo is missing or wants a password; $by_hand"
    fi
    as_root=(sudo -n)
fi

log=${CARGO_TARGET_DIR:-target}/setup.log
mkdir -p "${log%/*}"
printf 'setup: installing %s …\n' "${missing[*]}"
apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 -q -y "$@" >>"$log" 2>&1 </dev/null
}
: >"$log"
if ! { apt update && apt install --no-install-recommends "${missing[@]}"; }; then
    tail -n 15 "$log" >&2
    fail "apt-get failed (all it said is in $log); $by_hand"
fi

if ! { has_compiler && has_softhsm; }; then
    fail "apt-get installed ${missing[*]}, and a C compiler or libsofthsm2.so still can't be found"
fi
if [[ $purpose == test ]] && ! has_venv; then
    fail "the tests need Python 3.11 or newer with venv; this system's is $(python3 --version 2>&1)"
fi

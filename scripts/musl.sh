#!/usr/bin/env bash
# Builds libchancery_pkcs11.so for hosts on musl (Alpine), with musl-gcc and Rust's musl target. Debian's libgcc_s is
# glibc's, so the module gets the unwinder that comes with the target, and needs nothing but musl's libc.
#
#   scripts/musl.sh [--release]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target=x86_64-unknown-linux-musl
fail() {
    printf 'musl: %s\n' "$*" >&2
    exit 1
}
command -v musl-gcc >/dev/null || fail "musl-gcc is not installed; install musl-tools"
unwinder=$(rustc --print sysroot)/lib/rustlib/$target/lib/self-contained/libunwind.a
[[ -e $unwinder ]] || fail "Rust has no musl target; run \`rustup target add $target\`"

out=${CARGO_TARGET_DIR:-$PWD/target}
libraries=$out/$target/unwinder
mkdir -p "$libraries"
cp "$unwinder" "$libraries/"
# What rustc calls libgcc_s.
echo 'INPUT(libunwind.a -lgcc)' >"$libraries/libgcc_s.so"

export CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_LINKER=musl-gcc
gcc=$(dirname "$(gcc -print-file-name=libgcc.a)")
export CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_RUSTFLAGS="-C target-feature=-crt-static -L native=$libraries -L native=$gcc"
cargo build --package chancery-pkcs11 --lib --target "$target" "$@"

profile=debug
[[ " $* " == *" --release "* ]] && profile=release
built=$out/$target/$profile/libchancery_pkcs11.so
needed=$(readelf -d "$built" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
[[ $needed == libc.so ]] || fail "$built needs $needed, and not musl's libc alone"
printf '%s\n' "$built"

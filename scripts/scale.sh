#!/usr/bin/env bash
# How the service bears many keys: makes them with the bulk command, and measures signing, listing, start and memory
# before and after. A throw-away deployment on loopback; bounded by the number of keys, leaves nothing running.
#
#   scripts/scale.sh [ENCLAVE_KEYS [TOKEN_KEYS]]        (100000 and 1000)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

enclave_keys=${1:-100000}
token_keys=${2:-1000}
bin=${CARGO_TARGET_DIR:-$PWD/target}/release
work=$(mktemp -d "${CARGO_TARGET_DIR:-$PWD/target}/scale.XXXXXX")
service=
trap 'stop; rm -rf "$work"' EXIT

start() {
    local began
    began=$(date +%s%N)
    "$bin/chanceryd" dev --dir "$work/dev" --listen 127.0.0.1:0 >"$work/log" 2>&1 &
    service=$!
    until grep -q '^ready' "$work/log"; do
        kill -0 "$service" 2>/dev/null || { cat "$work/log" >&2; exit 1; }
        sleep 0.02
    done
    started=$((($(date +%s%N) - began) / 1000000))
}

stop() {
    [[ -z $service ]] || { kill "$service" 2>/dev/null; wait "$service" 2>/dev/null; } || true
    service=
}

as() {
    local who=$1
    shift
    "$bin/chancery" --config "$work/dev/clients/$who/client.toml" "$@"
}

# Of five tries the fastest: the machine does other things, too. The command's own start is in it.
list_millis() {
    local best=999999 began took
    for _ in 1 2 3 4 5; do
        began=$(date +%s%N)
        as org1-security keys list org1 --limit 100 >/dev/null 2>&1
        took=$((($(date +%s%N) - began) / 1000000))
        ((took >= best)) || best=$took
    done
    echo "$best"
}

# Signatures a second in a stream, and the median latency of a lone caller.
signing() {
    local stream lone
    stream=$(as org1-peer0 --output json bench sign --key "$1" --mode stream --in-flight 256 --seconds 5)
    lone=$(as org1-peer0 --output json bench sign --key "$1" --in-flight 1 --seconds 5)
    python3 - "$stream" "$lone" <<'PYTHON'
import json, sys
stream, lone = (json.loads(text) for text in sys.argv[1:])
print(f"{stream['signatures_per_second']:.0f} signatures/s, lone p50 {lone['latency_us']['p50']:.0f} µs")
PYTHON
}

report() {
    printf '%s\n' "$1: start $started ms, memory $(awk '/VmRSS/ { printf "%.0f", $2 / 1024 }' "/proc/$service/status") MiB, first page $(list_millis) ms"
    printf '  ENCLAVE: %s\n  TOKEN:   %s\n' "$(signing organizations/org1/keys/e)" "$(signing organizations/org1/keys/t)"
}

make_keys() {
    as org1-security keys create "organizations/org1/keys/$2-{}" --algorithm ec-p256 --protection "$1" --owner peer0 \
        --count "$3" --progress
}

start
for key in enclave:e token:t; do
    as org1-security keys create "organizations/org1/keys/${key#*:}" --algorithm ec-p256 --protection "${key%:*}" \
        --owner peer0 >/dev/null
done
report "2 keys"
make_keys enclave enclave "$enclave_keys"
make_keys token token "$token_keys"
stop
start
report "$((enclave_keys + token_keys + 2)) keys, started anew"

#!/usr/bin/env bash
# `make demo`: the main job on a throw-away deployment. An organization's CA key in a token, node certificates issued
# through it, nodes signing remotely over mTLS, a stranger denied, a rotation, and the audit log verified offline; every
# result is checked with OpenSSL or with a copy that was tampered with. Leaves nothing running and nothing on disk.
#
# Exits 0 only if everything held.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bin=$(cd "${CARGO_TARGET_DIR:-target}/debug" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/chancery-demo.XXXXXX")
dir=deployment
daemon=
claims=()
steps=0

# --- telling -------------------------------------------------------------------------------------------------------

step() {
    steps=$((steps + 1))
    printf '\n%d. %s\n' "$steps" "$*"
}

# A fact that was just checked; the demo ends with all of them.
proved() {
    claims+=("$*")
    printf '   ✓ %s\n' "$*"
}

fail() {
    printf '\ndemo failed in step %d: %s\n' "$steps" "$*" >&2
    if [[ -s chanceryd.log ]]; then
        printf '%s\n' '--- last lines of chanceryd:' >&2
        tail -n 20 chanceryd.log >&2
    fi
    exit 1
}

# chancery WHO ARGUMENTS…: shows the command as a person would type it and runs it. WHO is a client of the deployment,
# whose certificate is used, or "anyone", who has none. What it printed stays in the file `out`.
chancery() {
    local who=$1 status=0 config=()
    shift
    [[ $who == anyone ]] || config=(--config "$dir/clients/$who/client.toml")
    printf '   %-13s $ chancery %s\n' "$who" "$*"
    "$bin/chancery" "${config[@]}" "$@" >out 2>&1 || status=$?
    sed 's/^/     /' out
    return "$status"
}

# --- starting and stopping -----------------------------------------------------------------------------------------

cleanup() {
    if [[ -n $daemon ]] && kill -TERM "$daemon" 2>/dev/null; then
        for _ in {1..100}; do
            kill -0 "$daemon" 2>/dev/null || break
            sleep 0.1
        done
        kill -KILL "$daemon" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

start() {
    printf '   $ chanceryd dev --dir %s --listen 127.0.0.1:0\n' "$dir"
    : >chanceryd.log
    "$bin/chanceryd" dev --dir "$dir" --listen 127.0.0.1:0 >>chanceryd.log 2>&1 &
    daemon=$!
    for _ in {1..600}; do
        if grep -q '^ready' chanceryd.log; then
            grep '^ready' chanceryd.log | sed 's/^/     /'
            return
        fi
        kill -0 "$daemon" 2>/dev/null || fail "chanceryd ended before it was ready"
        sleep 0.1
    done
    fail "chanceryd was not ready within a minute"
}

stop() {
    local enclaves status=0 process
    enclaves=$(cat "/proc/$daemon/task/"*/children 2>/dev/null || true)
    kill -TERM "$daemon"
    wait "$daemon" || status=$?
    daemon=
    [[ $status == 0 ]] || fail "chanceryd ended with status $status on SIGTERM"
    for process in $enclaves; do
        for _ in {1..50}; do
            [[ -d /proc/$process ]] || break
            sleep 0.1
        done
        [[ ! -d /proc/$process ]] || fail "process $process, a child of chanceryd, is still running"
    done
}

# --- checking ------------------------------------------------------------------------------------------------------

# expect STATUS COMMAND…: the command must end with that exit code.
expect() {
    local expected=$1 status=0
    shift
    "$@" || status=$?
    [[ $status == "$expected" ]] || fail "\`$*\` ended with $status instead of $expected"
}

# issue NODE PROFILE: the node's request, made with its remote key, and the certificate that org1's CA gives for it.
issue() {
    local node=$1 profile=$2 out=$3
    expect 0 chancery "org1-$node" csr "organizations/org1/keys/$node" --subject "CN=$node,OU=$profile,O=Org1" \
        --san "dns:$node.org1.example" --out "$out.csr"
    openssl req -in "$out.csr" -noout -verify 2>/dev/null || fail "OpenSSL rejects the request $out.csr"
    expect 0 chancery org1-ca certificates issue --ca organizations/org1/keys/ca --csr "$out.csr" --profile "$profile" \
        --out "$out.pem"
    openssl verify -CAfile ca.pem "$out.pem" >/dev/null || fail "OpenSSL rejects the certificate $out.pem"
    openssl x509 -in "$out.pem" -noout -pubkey >"$out.pub"
}

# made_by CERTIFICATE SIGNATURE: whether the signature of the block is that of the certificate's key.
made_by() {
    openssl dgst -sha256 -verify "$1.pub" -signature "$2.sig" block >/dev/null 2>&1
}

# --- the main job --------------------------------------------------------------------------------------------------

for program in chanceryd chancery-enclave chancery; do
    [[ -x $bin/$program ]] || fail "$bin/$program is missing: run \`make build\`"
done
# From here on every file is in the temporary directory, and commands look as a person would type them.
cd "$work"

step "Start a deployment: a SoftHSM token, the enclave that alone may use it, the service, two organizations"
start
proved "a deployment starts from nothing, on loopback, by one command"

step "org1's security officer has the CA's key made in the token; org1's CA signs its own root certificate with it"
expect 0 chancery org1-security keys create organizations/org1/keys/ca --algorithm ec-p256 --purpose certify --owner ca
expect 0 chancery org1-ca csr organizations/org1/keys/ca --subject "CN=Org1 CA,O=Org1" --out ca.csr
expect 0 chancery org1-ca certificates issue --ca organizations/org1/keys/ca --csr ca.csr --profile root-ca \
    --out ca.pem
openssl verify -CAfile ca.pem ca.pem >/dev/null || fail "OpenSSL rejects the root certificate"
proved "the root certificate, signed in the token, verifies with OpenSSL"

step "The officer creates keys for a peer and an orderer; each makes its own certificate request, the CA issues"
for node in peer0 orderer0; do
    expect 0 chancery org1-security keys create "organizations/org1/keys/$node" --algorithm ec-p256 --owner "$node"
done
issue peer0 peer peer0
issue orderer0 orderer orderer0
proved "both nodes' certificates verify against org1's root with OpenSSL"

step "The nodes sign a block: over mTLS, with keys they do not have"
printf 'block 1: Alice pays Bob 5\n' >block
for node in peer0 orderer0; do
    expect 0 chancery "org1-$node" sign "organizations/org1/keys/$node" --in block --hash sha256 --format der \
        --out "$node.sig"
    made_by "$node" "$node" || fail "OpenSSL rejects $node's signature"
done
proved "both signatures verify with OpenSSL against the nodes' certificates"
made_by orderer0 peer0 && fail "peer0's signature verifies with orderer0's certificate"
proved "a node's signature does not verify with the other node's certificate: each has a key of its own"

step "org2's peer asks for a signature with org1's key"
expect 77 chancery org2-peer0 sign organizations/org1/keys/peer0 --in block --out stolen.sig
[[ ! -e stolen.sig ]] || fail "a denied request left a signature behind"
proved "another organization is denied (exit code 77), and gets nothing"

step "The officer rotates peer0's key; the peer requests a certificate for the new version and signs with it"
cp peer0.sig old.sig
expect 0 chancery org1-security keys rotate organizations/org1/keys/peer0
issue peer0 peer peer0-new
expect 0 chancery org1-peer0 sign organizations/org1/keys/peer0 --in block --hash sha256 --format der \
    --out new.sig
made_by peer0-new new || fail "OpenSSL rejects the signature made after the rotation"
made_by peer0 new && fail "the rotation kept the old key"
proved "after the rotation the peer signs with a new key and a new certificate"
made_by peer0 old || fail "the signature made before the rotation no longer verifies"
proved "signatures made before it still verify with the old certificate"

step "org1's auditor reads the log"
expect 0 chancery org1-auditor audit list
grep -q 'DENIED' out || fail "the denial is not in the log"
proved "the denial stands in the log, beside every use of a key"

step "Stop the service"
stop
proved "the service and its enclave end cleanly on SIGTERM"

step "Verify the audit log offline, with nothing but its files and its public key"
expect 0 chancery anyone audit verify --log "$dir/audit" --key "$dir/audit.vkey"
proved "the log verifies without a server"

step "Change one bit in the middle of a copy of the log, and verify that"
cp -r "$dir/audit" tampered
segment=$(find tampered -name '*.seg' | sort | head -n 1)
# The middle of what was written: segments are preallocated with zero bytes.
written=$(tr -d '\0' <"$segment" | wc -c)
byte=$(od -An -tu1 -j $((written / 2)) -N 1 "$segment")
printf '%b' "\\x$(printf '%02x' $((byte ^ 1)))" |
    dd of="$segment" bs=1 seek=$((written / 2)) conv=notrunc status=none
expect 1 chancery anyone audit verify --log tampered --key "$dir/audit.vkey"
proved "one changed bit is found (exit code 1)"

printf '\nWhat this run proved:\n'
for claim in "${claims[@]}"; do
    printf '  ✓ %s\n' "$claim"
done
printf '\nNothing is left running, and %s is removed. Keep a deployment of your own with:\n' "$work"
printf '    target/debug/chanceryd dev\n'

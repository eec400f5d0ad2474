#!/bin/sh
# A client for services that are killed: a process for each signature, of pkcs11-tool, openssl or certtool (client.rs says
# what it reads and prints).
#
#   one-by-one.sh pkcs11-tool|openssl|certtool
set -eu
tool=$1
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
url="pkcs11:token=$PKCS11_LABEL;id=$(printf %s "$PKCS11_KEY" | sed 's/../%&/g');type"

cat >engine.cnf <<'END'
openssl_conf = init
[init]
engines = engines
[engines]
pkcs11 = pkcs11
[pkcs11]
engine_id = pkcs11
MODULE_PATH = $ENV::PKCS11_LIB
PIN = $ENV::PKCS11_PIN
init = 0
END
printf 'cn = one by one\nsigning_key\n' >template
export GNUTLS_PIN="$PKCS11_PIN"

# What was signed, in `digest`, by `signature`. Chained: a function that is asked for its status goes on after failures.
sign() {
    case $tool in
    pkcs11-tool)
        head -c 32 /dev/urandom >digest &&
            pkcs11-tool --module "$PKCS11_LIB" --token-label "$PKCS11_LABEL" --login --pin "$PKCS11_PIN" --sign \
                --mechanism ECDSA --id "$PKCS11_KEY" --input-file digest --output-file signature
        ;;
    openssl)
        head -c 99 /dev/urandom >message &&
            openssl dgst -sha256 -binary -out digest message &&
            OPENSSL_CONF=$PWD/engine.cnf openssl dgst -engine pkcs11 -keyform engine -sha256 -sign "$url=private" \
                -out signature message
        ;;
    certtool)
        certtool --provider "$PKCS11_LIB" --generate-self-signed --load-privkey "$url=private" --load-pubkey "$url=public" \
            --hash SHA256 --template template --outfile certificate &&
            openssl asn1parse -in certificate -strparse 4 -noout -out message &&
            openssl dgst -sha256 -binary -out digest message &&
            last=$(openssl asn1parse -in certificate | tail -n 1 | cut -d : -f 1) &&
            openssl asn1parse -in certificate -strparse "$last" -noout -out signature
        ;;
    esac
}

hexadecimal() {
    od -An -v -tx1 "$1" | tr -d ' \n'
}

end=$(($(date +%s) + PKCS11_SECONDS))
slowest=0
while [ "$(date +%s)" -lt "$end" ]; do
    start=$(date +%s%3N)
    sign >said 2>&1 || {
        cat said >&2
        exit 1
    }
    taken=$(($(date +%s%3N) - start))
    [ "$taken" -le "$slowest" ] || slowest=$taken
    printf 'signature %s %s\n' "$(hexadecimal digest)" "$(hexadecimal signature)"
done
printf 'slowest %s\n' "$slowest"

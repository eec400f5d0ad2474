#!/usr/bin/env bash
# A client that shares nothing with ours but the .proto files: Python's gRPC, OpenSSL underneath. Makes its environment
# and its generated code under target/ and runs the tests against `chanceryd dev`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

target=${CARGO_TARGET_DIR:-$PWD/target}
here=tests/foreign
venv=$target/foreign/venv
generated=$target/foreign/generated

if [[ ! -x $target/debug/chanceryd ]]; then
    echo "foreign client: $target/debug/chanceryd is missing: run \`make build\`" >&2
    exit 1
fi

# Made anew when the requirements changed or the last attempt did not end.
if ! cmp -s "$here/requirements.txt" "$venv/installed"; then
    echo "foreign client: installing Python's gRPC into $venv …"
    rm -rf "$venv"
    "${PYTHON:-python3}" -m venv "$venv"
    # aics-tlog asks for Python 3.12, and needs nothing that 3.11 lacks.
    "$venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: --ignore-requires-python \
        -r "$here/requirements.txt"
    cp "$here/requirements.txt" "$venv/installed"
fi

# Our packages only: google.rpc comes from googleapis-common-protos, which registers the same file name.
rm -rf "$generated"
mkdir -p "$generated"
mapfile -t files < <(cd proto && find chancery/v1 chancery/audit -name '*.proto')
"$venv/bin/python" -m grpc_tools.protoc -I proto --python_out="$generated" --grpc_python_out="$generated" "${files[@]}"

PYTHONPATH=$generated:$here PYTHONDONTWRITEBYTECODE=1 CHANCERYD=$target/debug/chanceryd \
    "$venv/bin/python" -m unittest --verbose ${@:-test_client test_algorithms test_mechanisms test_transfer test_export test_mirror}

#!/usr/bin/env bash
# Installs what programs in Python or Node load the module with, pinned, from PyPI or npm: once, and again when what is
# asked for changed. Prints nothing when nothing is to do.
#
#   tests/pkcs11/install.sh python|node FOLDER
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

what=${1:?"usage: install.sh python|node FOLDER"}
folder=${2:?"usage: install.sh python|node FOLDER"}

case $what in
python) wanted=python/requirements.txt ;;
node) wanted=node/package-lock.json ;;
*)
    echo "install: there is no $what" >&2
    exit 1
    ;;
esac

# Several tests may want it at once.
mkdir -p "${folder%/*}"
exec 9>"$folder.lock"
flock 9

cmp -s "$wanted" "$folder/installed" && exit 0
rm -rf "$folder"
mkdir -p "$folder"

python() {
    "${PYTHON:-python3}" -m venv "$folder"
    "$folder/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: -r "$wanted"
}

# pkcs11js is compiled here, against headers that npm has: its own build would look for Node's on the web.
node() {
    cp node/package.json node/package-lock.json "$folder"
    (
        cd "$folder"
        npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
        cd node_modules/pkcs11js
        mkdir -p build/Release
        c++ -std=c++17 -O1 -shared -fPIC -w -DNAPI_DISABLE_CPP_EXCEPTIONS -DNODE_GYP_MODULE_NAME=pkcs11 \
            -Iincludes -I../node-api-headers/include src/dl.cpp src/common.cpp src/main.cpp -o build/Release/pkcs11.node
    )
}

"$what"
cp "$wanted" "$folder/installed"

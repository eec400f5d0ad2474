"""Verifies a receipt with hashlib and the openssl command line, from docs/audit-log.md §10 alone.

usage: verify.py RECEIPT VKEY_FILE; prints index and record's length, or fails.
"""

import base64
import hashlib
import subprocess
import sys
import tempfile

ED25519_SPKI = bytes.fromhex("302a300506032b6570032100")
P256_TYPE = b"\xffchancery/ecdsa-p256-sha256/v1\n"


def b64(text):
    return base64.b64decode(text, validate=True)


def root(leaf, index, size, path):
    """RFC 9162 §2.1.3.2."""
    fn, sn, r = index, size - 1, leaf
    for p in path:
        assert sn != 0
        if fn & 1 or fn == sn:
            r = hashlib.sha256(b"\x01" + p + r).digest()
            while not fn & 1 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = hashlib.sha256(b"\x01" + r + p).digest()
        fn, sn = fn >> 1, sn >> 1
    assert sn == 0
    return r


def signed(key, text, signature):
    with tempfile.TemporaryDirectory() as folder:
        spki = ED25519_SPKI + key[1:] if key[0] == 1 else key[len(P256_TYPE):]
        for name, content in [("key", spki), ("text", text), ("signature", signature)]:
            with open(f"{folder}/{name}", "wb") as file:
                file.write(content)
        how = ["-rawin"] if key[0] == 1 else ["-rawin", "-digest", "sha256"]
        command = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", f"{folder}/key", *how]
        subprocess.run([*command, "-in", f"{folder}/text", "-sigfile", f"{folder}/signature"], check=True, capture_output=True)


receipt = open(sys.argv[1], encoding="utf-8", newline="").read()
name, key_id, key = open(sys.argv[2], encoding="utf-8").read().strip().split("+", 2)
key = b64(key)
assert hashlib.sha256(name.encode() + b"\n" + key).hexdigest()[:8] == key_id

head, note = receipt.split("\n\n", 1)
format_line, extra, index, *path = head.split("\n")
assert format_line == "c2sp.org/tlog-proof@v1"
record = b64(extra.removeprefix("extra "))
index = int(index.removeprefix("index "))

text, signature = note.split("\n\n", 1)
origin, size, signed_root = text.split("\n")
assert origin == name
dash, signer, blob = signature.rstrip("\n").split(" ")
assert (dash, signer) == ("\u2014", name)
blob = b64(blob)
assert blob[:4].hex() == key_id
signed(key, (text + "\n").encode(), blob[4:])

leaf = hashlib.sha256(b"\x00" + record).digest()
assert root(leaf, index, int(size), [b64(line) for line in path]) == b64(signed_root)
print(index, len(record))

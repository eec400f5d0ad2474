"""A second reader of docs/key-transfer.md and docs/attestation.md, written from those pages alone.

HPKE, HKDF, HMAC, AES-GCM and Ed25519 are OpenSSL's (`cryptography`); Shamir's interpolation and protobuf are written out
here. It opens the golden backup with two of three custodians, and finds each changed part.
"""

import base64
import hashlib
import hmac
import itertools
import pathlib
import unittest

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

GOLDEN = pathlib.Path(__file__).parents[2] / "crates/chancery-transfer/tests/golden/v1"
MAGIC = b"chancery-backup/v1\n"
SUITE = Suite(KEM.P256, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
# The order of P-256 (SP 800-186 §3.2.1.3).
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def fields(*values: bytes) -> bytes:
    return b"".join(len(value).to_bytes(4, "big") + value for value in values)


def message(data: bytes) -> dict[int, list]:
    """A protobuf message of varints and bytes."""
    found: dict[int, list] = {}
    at = 0

    def varint() -> int:
        nonlocal at
        number = shift = 0
        while True:
            byte = data[at]
            at += 1
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number

    while at < len(data):
        tag = varint()
        if tag & 7 == 0:
            value: object = varint()
        else:
            assert tag & 7 == 2, "only varints and bytes"
            length = varint()
            value = data[at : at + length]
            at += length
        found.setdefault(tag >> 3, []).append(value)
    return found


def parts(file: bytes) -> list[tuple[str, bytes]]:
    assert file.startswith(MAGIC)
    at, found = len(MAGIC), []
    while at < len(file):
        kind, length = chr(file[at]), int.from_bytes(file[at + 1 : at + 5], "big")
        found.append((kind, file[at + 5 : at + 5 + length]))
        at += 5 + length
    assert at == len(file)
    return found


def open_share(header: dict, custodian: dict, key: ec.EllipticCurvePrivateKey) -> tuple[int, int]:
    info = fields(b"chancery transfer v1", b"custody", header[2][0], header[4][0], custodian[1][0])
    share = SUITE.decrypt(custodian[3][0], key, info=info)
    return share[0], int.from_bytes(share[1:], "big")


def interpolate(shares: list[tuple[int, int]]) -> bytes:
    secret = 0
    for x, y in shares:
        weight = y
        for other, _ in shares:
            if other != x:
                weight = weight * other * pow(other - x, -1, ORDER) % ORDER
        secret = (secret + weight) % ORDER
    return secret.to_bytes(32, "big")


class Keys:
    def __init__(self, secret: bytes, body: bytes) -> None:
        self.header_sha256 = hashlib.sha256(body).digest()
        self.extracted = hmac.digest(self.header_sha256, secret, "sha256")

    def expand(self, *info: bytes) -> bytes:
        return HKDFExpand(hashes.SHA256(), 32, fields(*info)).derive(self.extracted)


def open_backup(file: bytes, chosen: tuple[int, ...]) -> list[tuple[bytes, bytes]]:
    """Version names and secrets; an assertion or InvalidTag if anything is wrong."""
    found = parts(file)
    assert found[0][0] == "H" and found[-1][0] == "T"
    sealed = message(found[0][1])
    body, header = sealed[1][0], message(sealed[1][0])
    assert header[1][0] == b"chancery-backup/v1" and header[7][0] == 2
    shares = []
    for number in chosen:
        pem = (GOLDEN / f"custodian{number}.pem").read_bytes()
        key = serialization.load_pem_private_key(pem, None)
        custodian = message(header[8][number - 1])
        spki = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        assert spki == custodian[2][0]
        share = open_share(header, custodian, key)
        assert share[0] == number
        shares.append(share)
    secret = interpolate(shares)
    # Feldman's first commitment is the secret's public point.
    point = ec.derive_private_key(int.from_bytes(secret, "big"), ec.SECP256R1()).public_key()
    compressed = point.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
    assert compressed == header[9][0]

    keys = Keys(secret, body)
    seal = hmac.digest(keys.expand(b"chancery backup v1 header"), keys.header_sha256, "sha256")
    assert hmac.compare_digest(seal, sealed[2][0])
    opened, entries, states = [], hashlib.sha256(), hashlib.sha256()
    for kind, part in found[1:-1]:
        if kind == "S":
            states.update(fields(part))
            continue
        assert kind == "E"
        entries.update(fields(part))
        entry = message(part)
        index = len(opened)
        assert entry.get(1, [0])[0] == index
        key = keys.expand(b"chancery backup v1 entry", index.to_bytes(8, "big"), entry[2][0])
        data = fields(b"chancery backup v1 entry", *(entry[tag][0] for tag in (2, 3, 4, 5, 6)))
        opened.append((entry[2][0], AESGCM(key).decrypt(entry[7][0][:12], entry[7][0][12:], data)))
    trailer = message(found[-1][1])
    assert trailer[1][0] == len(opened) and trailer[2][0] == states.digest()
    sealed_bytes = fields(keys.header_sha256, len(opened).to_bytes(8, "big"), entries.digest(), states.digest())
    seal = hmac.digest(keys.expand(b"chancery backup v1 trailer"), sealed_bytes, "sha256")
    assert hmac.compare_digest(seal, trailer[3][0])
    return opened


class Backup(unittest.TestCase):
    def test_any_two_of_three_custodians_open_it(self) -> None:
        file = (GOLDEN / "backup").read_bytes()
        for chosen in itertools.permutations((1, 2, 3), 2):
            opened = open_backup(file, chosen)
            self.assertEqual(
                opened,
                [
                    (b"organizations/org1/keys/peer0/versions/1", bytes([0x11]) * 32),
                    (b"organizations/org1/keys/tokens/versions/3", bytes([0x22]) * 32),
                ],
            )

    def test_one_custodian_does_not(self) -> None:
        with self.assertRaises(AssertionError):
            open_backup((GOLDEN / "backup").read_bytes(), (1,))

    def test_a_changed_part_is_found(self) -> None:
        file = (GOLDEN / "backup").read_bytes()
        at = len(MAGIC)
        for kind, part in parts(file):
            changed = bytearray(file)
            changed[at + 5 + len(part) - 1] ^= 1
            with self.assertRaises((AssertionError, InvalidTag), msg=kind):
                open_backup(bytes(changed), (1, 2))
            at += 5 + len(part)


class Attestation(unittest.TestCase):
    def test_the_statement_is_the_audit_keys(self) -> None:
        text = (GOLDEN / "statement").read_bytes()
        signature = bytes.fromhex((GOLDEN / "statement.sig").read_text())
        # C2SP vkey: the type (0x01, Ed25519), then the key.
        encoded = base64.b64decode((GOLDEN / "audit.vkey").read_text().strip().split("+", 2)[2])
        self.assertEqual(encoded[0], 1)
        key = ed25519.Ed25519PublicKey.from_public_bytes(encoded[1:])
        key.verify(signature, text)
        with self.assertRaises(InvalidSignature):
            key.verify(signature, text.replace(b"extractable: no", b"extractable: yes", 1))
        self.assertTrue(text.startswith(b"chancery-attestation/v1\nsubject: key\n"))


if __name__ == "__main__":
    unittest.main()

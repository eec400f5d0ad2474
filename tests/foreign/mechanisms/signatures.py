"""Digests, signatures and codes, whole and in parts; verified by others, and by the module."""

import hashlib
import hmac
import os
import subprocess
import tempfile
from pathlib import Path

import ecdsa
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, mldsa, padding, rsa, utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from gmssl import sm2

from cryptoki import mechanism, pss
from test_algorithms import DEFAULT_ID, agreed_e, der_of

from mechanisms.numbers import *
from mechanisms.slots import WHOLE, Case, Slot, slots, uncovered

DIGESTS = {0x220: "sha1", 0x255: "sha224", 0x250: "sha256", 0x260: "sha384", 0x270: "sha512"}
ECDSA_HASHES = {0x1042: hashes.SHA1(), 0x1043: hashes.SHA224(), 0x1044: hashes.SHA256(), 0x1045: hashes.SHA384(),
                0x1046: hashes.SHA512()}
RSA_HASHES = {0x40: hashes.SHA256(), 0x41: hashes.SHA384(), 0x42: hashes.SHA512()}
DIGEST_INFO = {  # RFC 8017 §9.2, note 1.
    hashes.SHA256: "3031300d060960864801650304020105000420",
    hashes.SHA384: "3041300d060960864801650304020205000430",
    hashes.SHA512: "3051300d060960864801650304020305000440",
}
ML_DSA = {1: mldsa.MLDSA44PublicKey, 2: mldsa.MLDSA65PublicKey, 3: mldsa.MLDSA87PublicKey}


class Digests(Case):
    def test_digests(self) -> None:
        for label in WHOLE:
            slot = slots[label]
            kinds = {**DIGESTS, **({slot.profile["sm3"]: "sm3"} if "sm3" in slot.profile else {})}
            for kind, name in kinds.items():
                expected = hashlib.new(name, MESSAGE).digest()
                self.assertEqual(slot.session.digest(mechanism(kind), MESSAGE), expected)
                self.assertEqual(slot.session.digest(mechanism(kind), *PARTS), expected)
                slot.was_tried(kind, f"{name}, whole and in parts", "OpenSSL (hashlib)")


class Signatures(Case):
    def test_ecdsa(self) -> None:
        for label in ["token", *WHOLE]:
            for curve, parameters in CURVES.items():
                with self.subTest(slot=label, curve=curve.name):
                    self.ecdsa(slots[label], curve, parameters)

    def ecdsa(self, slot: Slot, curve, parameters: bytes) -> None:
        public, private = slot.pair(0x1040, {EC_PARAMS: parameters}, SIGN)
        point = uncovered(slot.session.attribute(public, EC_POINT))
        judge = ec.EllipticCurvePublicKey.from_encoded_point(curve(), point)
        width = (curve.key_size + 7) // 8
        for kind, hash in ECDSA_HASHES.items():
            for parts in ((MESSAGE,), PARTS):
                raw = slot.session.sign(mechanism(kind), private, *parts)
                self.assertEqual(len(raw), 2 * width)
                judge.verify(der_of(raw), MESSAGE, ec.ECDSA(hash))
                self.verifies(slot, mechanism(kind), public, raw, *parts)
            slot.was_tried(kind, f"{curve.name} with {hash.name}, whole and in parts", "OpenSSL (cryptography)")
        info = judge.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        other = ecdsa.VerifyingKey.from_der(info)
        for length in (1, 20, 28, 32, 33, 48, 63, 64):
            value = os.urandom(length)
            raw = slot.session.sign(mechanism(0x1041), private, value)
            self.assertTrue(other.verify_digest(raw, value, allow_truncate=True))
            self.assertEqual(slot.session.verify(mechanism(0x1041), public, raw, value), OK)
            slot.was_tried(0x1041, f"{curve.name}, digests of 1 to 64 bytes", "ecdsa (Python)")
        for length in (0, 65):
            self.refused(DATA_LEN_RANGE, slot.session.sign, mechanism(0x1041), private, bytes(length))

    def test_ecdsa_as_der_with_low_s(self) -> None:
        slot = slots["der"]
        public, private = slot.pair(0x1040, {EC_PARAMS: CURVES[ec.SECP256R1]}, SIGN)
        point = uncovered(slot.session.attribute(public, EC_POINT))
        judge = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        value = hashlib.sha256(MESSAGE).digest()
        for _ in range(16):
            der = slot.session.sign(mechanism(0x1041), private, value)
            judge.verify(der, value, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
            self.assertLessEqual(utils.decode_dss_signature(der)[1], ecdsa.curves.NIST256p.order // 2)
            self.assertEqual(slot.session.verify(mechanism(0x1041), public, der, value), OK)

    def test_ed25519(self) -> None:
        for label in ["token", *WHOLE]:
            slot = slots[label]
            public, private = slot.pair(0x1055, {EC_PARAMS: ED25519}, SIGN)
            judge = Ed25519PublicKey.from_public_bytes(uncovered(slot.session.attribute(public, EC_POINT)))
            for parts in ((MESSAGE,), PARTS, (MESSAGE * 4000,)):
                signature = slot.session.sign(mechanism(0x1057), private, *parts)
                judge.verify(signature, b"".join(parts))
                self.verifies(slot, mechanism(0x1057), public, signature, *parts)
            slot.was_tried(0x1057, "messages of up to 200 KB", "OpenSSL (cryptography)")
            # More than the service takes, and more than the module sends: the connection outlives both.
            for length in (2 << 20, 4 << 20):
                self.refused(DATA_LEN_RANGE, slot.session.sign, mechanism(0x1057), private, bytes(length))
            judge.verify(slot.session.sign(mechanism(0x1057), private, b"after it"), b"after it")

    def test_ml_dsa(self) -> None:
        for label in WHOLE:
            slot = slots[label]
            for parameters, kind in ML_DSA.items():
                public, private = slot.pair(0x1C, {PARAMETER_SET: parameters}, SIGN)
                judge = kind.from_public_bytes(slot.session.attribute(public, VALUE))
                for parts in ((MESSAGE,), PARTS):
                    signature = slot.session.sign(mechanism(0x1D), private, *parts)
                    judge.verify(signature, MESSAGE)
                    self.verifies(slot, mechanism(0x1D), public, signature, *parts)
            slot.was_tried(0x1D, "all three parameter sets", "OpenSSL (cryptography)")

    def test_rsa(self) -> None:
        for label in ["token", *WHOLE]:
            with self.subTest(slot=label):
                self.rsa(slots[label])

    def rsa(self, slot: Slot) -> None:
        public, private = slot.pair(0x0, {MODULUS_BITS: 2048, EXPONENT: bytes([1, 0, 1])}, SIGN)
        number = lambda kind: int.from_bytes(slot.session.attribute(public, kind), "big")
        judge = rsa.RSAPublicNumbers(number(EXPONENT), number(MODULUS)).public_key()
        for kind, hash in RSA_HASHES.items():
            digest = hashlib.new(hash.name, MESSAGE).digest()
            ours = pss(*SHA2[type(hash)], hash.digest_size)
            theirs = padding.PSS(padding.MGF1(hash), hash.digest_size)
            info = bytes.fromhex(DIGEST_INFO[type(hash)]) + digest
            for asked, scheme, data in (
                (mechanism(kind), padding.PKCS1v15(), [(MESSAGE,), PARTS]),
                (mechanism(kind + 3, ours), theirs, [(MESSAGE,), PARTS]),
                (mechanism(0x1), padding.PKCS1v15(), [(info,)]),
                (mechanism(0xD, ours), theirs, [(digest,)]),
            ):
                for parts in data:
                    signature = slot.session.sign(asked, private, *parts)
                    judge.verify(signature, MESSAGE, scheme, hash)
                    self.verifies(slot, asked, public, signature, *parts)
                slot.was_tried(asked.mechanism, f"RSA-2048 with {hash.name}", "OpenSSL (cryptography)")
            short = mechanism(kind + 3, pss(*SHA2[type(hash)], 20))
            self.refused(PARAM_INVALID, slot.session.sign, short, private, b"x")

    def test_sm2(self) -> None:
        for label in WHOLE:
            slot = slots[label]
            public, private = slot.pair(slot.profile["make_sm2"], {EC_PARAMS: SM2_CURVE}, SIGN)
            point = uncovered(slot.session.attribute(public, EC_POINT))
            for kind, (message, der) in slot.profile["sign"].items():
                for user_id in (DEFAULT_ID, b"ALICE123@YAHOO.COM")[: 2 if message else 1]:
                    e = agreed_e(point, MESSAGE, user_id)
                    asked = mechanism(kind, None if user_id == DEFAULT_ID else user_id)
                    for parts in ((MESSAGE,), PARTS) if message else ((e,),):
                        signature = slot.session.sign(asked, private, *parts)
                        self.sm2(point, signature, e, user_id, der)
                        self.verifies(slot, asked, public, signature, *parts)
                judge = "openssl dgst -sm3" if der else "gmssl"
                slot.was_tried(kind, "SM2 of the message" if message else "SM2 of e", judge)

    def sm2(self, point: bytes, signature: bytes, e: bytes, user_id: bytes, der: bool) -> None:
        if not der:
            self.assertEqual(len(signature), 64)
            self.assertTrue(sm2.CryptSM2(private_key=None, public_key=point[1:].hex()).verify(signature.hex(), e))
            return
        info = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d034200") + point
        with tempfile.TemporaryDirectory() as directory:
            for name, content in {"key": info, "signature": signature, "message": MESSAGE}.items():
                (Path(directory) / name).write_bytes(content)
            verified = subprocess.run(
                ["openssl", "dgst", "-sm3", "-keyform", "DER", "-verify", "key", "-sigopt",
                 f"distid:{user_id.decode()}", "-signature", "signature", "message"],
                cwd=directory, capture_output=True, text=True, check=False,
            )
        self.assertEqual(verified.stdout.strip(), "Verified OK", verified.stderr)

    def test_sm2_as_chainmaker_wants_it(self) -> None:
        slot = slots["der"]
        public, private = slot.pair(slot.profile["make_sm2"], {EC_PARAMS: SM2_CURVE}, SIGN)
        point = uncovered(slot.session.attribute(public, EC_POINT))
        signature = slot.session.sign(mechanism(0x80008100), private, MESSAGE)
        self.sm2(point, signature, b"", DEFAULT_ID, True)

    def test_hmac(self) -> None:
        for label in WHOLE:
            slot, value = slots[label], os.urandom(32)
            key = slot.imported("hmac-sha256", "mac", value)
            expected = hmac.digest(value, MESSAGE, "sha256")
            for parts in ((MESSAGE,), PARTS):
                self.assertEqual(slot.session.sign(mechanism(0x251), key, *parts), expected)
                self.verifies(slot, mechanism(0x251), key, expected, *parts)
            slot.was_tried(0x251, "of a known key", "hmac (Python)")
            made = slot.secret(0x350, {KEY_TYPE: GENERIC_SECRET, VALUE_LEN: 32, SIGN: True, VERIFY: True})
            code = slot.session.sign(mechanism(0x251), made, MESSAGE)
            self.verifies(slot, mechanism(0x251), made, code, MESSAGE)
            self.assertNotEqual(code, expected)

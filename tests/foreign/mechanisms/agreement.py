"""Agreement, with each key derivation function."""

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF

from cryptoki import ecdh, mechanism

from mechanisms.numbers import *
from mechanisms.slots import WHOLE, Case, Slot, slots, uncovered


class Agreement(Case):
    def test_agreement(self) -> None:
        for label in ["token", *WHOLE]:
            for curve in (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1):
                with self.subTest(slot=label, curve=curve.name):
                    self.agree(slots[label], curve)
        for label in WHOLE:
            self.x25519(slots[label])

    def agree(self, slot: Slot, curve) -> None:
        public, private = slot.pair(0x1040, {EC_PARAMS: CURVES[curve]}, DERIVE)
        point = uncovered(slot.session.attribute(public, EC_POINT))
        mine = ec.generate_private_key(curve())
        secret = mine.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(curve(), point))
        theirs = mine.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        length = len(theirs).to_bytes(1, "big")
        covered = b"\4" + (b"\x81" if len(theirs) > 127 else b"") + length + theirs
        for given in (theirs, covered):
            self.assertEqual(self.derived(slot, ecdh(1, b"", given), private, {}), secret)
        # Without a function bytes go from the leading end.
        self.assertEqual(self.derived(slot, ecdh(1, b"", theirs), private, {VALUE_LEN: 16}), secret[-16:])
        for number, hash in {2: hashes.SHA1(), 5: hashes.SHA224(), 6: hashes.SHA256(), 7: hashes.SHA384(),
                             8: hashes.SHA512()}.items():
            for length, shared in ((16, b""), (100, b"shared information")):
                expected = X963KDF(hash, length, shared or None).derive(secret)
                got = self.derived(slot, ecdh(number, shared, theirs), private, {VALUE_LEN: length})
                self.assertEqual(got, expected, (hash.name, length))
        slot.was_tried(0x1050, f"{curve.name} with each X9.63 function", "OpenSSL (cryptography)")
        off = theirs[:-1] + bytes([theirs[-1] ^ 1])
        self.refused(PARAM_INVALID, self.derived, slot, ecdh(1, b"", off), private, {})

    def x25519(self, slot: Slot) -> None:
        public, private = slot.pair(0x1056, {EC_PARAMS: X25519}, DERIVE)
        point = uncovered(slot.session.attribute(public, EC_POINT))
        mine = x25519.X25519PrivateKey.generate()
        secret = mine.exchange(x25519.X25519PublicKey.from_public_bytes(point))
        theirs = mine.public_key().public_bytes_raw()
        for given in (theirs, b"\4\x20" + theirs):
            self.assertEqual(self.derived(slot, ecdh(1, b"", given), private, {}), secret)
        slot.was_tried(0x1050, "X25519", "OpenSSL (cryptography)")

    def derived(self, slot: Slot, parameter, private: int, more: dict) -> bytes:
        attributes = {CLASS: SECRET_KEY, KEY_TYPE: GENERIC_SECRET, TOKEN: False, SENSITIVE: False, EXTRACTABLE: True}
        key = slot.session.derive(mechanism(0x1050, parameter), private, {**attributes, **more})
        return slot.session.attribute(key, VALUE)

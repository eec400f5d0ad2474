"""Encryption both ways, and wrapping: with key pairs, and with imported secret keys that the judge has, too."""

import os

from cryptography.hazmat.primitives import hashes, keywrap, padding as blocks
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from gmssl import sm2

from cryptoki import gcm, mechanism, oaep

from mechanisms.numbers import *
from mechanisms.slots import WHOLE, Case, Slot, slots, uncovered

OAEP = {hashes.SHA1: (0x220, 1), **SHA2}


class Ciphers(Case):
    def test_oaep(self) -> None:
        for label in WHOLE:
            slot = slots[label]
            public, private = slot.pair(0x0, {MODULUS_BITS: 2048, EXPONENT: bytes([1, 0, 1])}, DECRYPT)
            number = lambda kind: int.from_bytes(slot.session.attribute(public, kind), "big")
            judge = rsa.RSAPublicNumbers(number(EXPONENT), number(MODULUS)).public_key()
            for hash, numbers in OAEP.items():
                for text in (b"", b"a label"):
                    asked = mechanism(0x9, oaep(*numbers, text))
                    theirs = judge.encrypt(MESSAGE, padding.OAEP(padding.MGF1(hash()), hash(), text or None))
                    self.assertEqual(slot.session.decrypt(asked, private, theirs), MESSAGE)
                    ours = slot.session.encrypt(asked, public, MESSAGE)
                    self.assertEqual(slot.session.decrypt(asked, private, ours), MESSAGE)
                    other = mechanism(0x9, oaep(*numbers, b"another"))
                    self.refused(ENCRYPTED_DATA_INVALID, slot.session.decrypt, other, private, ours)
                slot.was_tried(0x9, f"RSA-2048 with {hash.name}", "OpenSSL (cryptography)")

    def test_aes(self) -> None:
        for label in WHOLE:
            slot, value = slots[label], os.urandom(32)
            key = slot.imported("aes-256", "encrypt", value)
            nonce, additional = os.urandom(12), b"additional"
            for extra in (b"", additional):
                asked = mechanism(0x1087, gcm(nonce, extra))
                theirs = AESGCM(value).encrypt(nonce, MESSAGE, extra or None)
                self.there_and_back(slot, asked, key, MESSAGE, theirs)
                changed = theirs[:-1] + bytes([theirs[-1] ^ 1])
                self.refused(ENCRYPTED_DATA_INVALID, slot.session.decrypt, asked, key, changed)
            slot.was_tried(0x1087, "with a known key", "OpenSSL (cryptography)")
            self.cbc(slot, algorithms.AES256(value), key, 0x1082, 0x1085)
            made = slot.secret(0x1080, {VALUE_LEN: 32, ENCRYPT: True, DECRYPT: True})
            asked = mechanism(0x1087, gcm(nonce, b""))
            sealed = slot.session.encrypt(asked, made, MESSAGE)
            self.assertEqual(slot.session.decrypt(asked, made, sealed), MESSAGE)
            self.assertNotEqual(sealed, AESGCM(value).encrypt(nonce, MESSAGE, None))

    def test_sm4(self) -> None:
        for label in WHOLE:
            slot, value = slots[label], os.urandom(16)
            key = slot.imported("sm4", "encrypt", value)
            self.cbc(slot, algorithms.SM4(value), key, slot.profile["cbc"], slot.profile.get("cbc_pad"))
            made = slot.secret(slot.profile["make_sm4"], {VALUE_LEN: 16, ENCRYPT: True, DECRYPT: True})
            asked = mechanism(slot.profile["cbc"], bytes(16))
            self.assertEqual(slot.session.decrypt(asked, made, slot.session.encrypt(asked, made, bytes(32))), bytes(32))

    def cbc(self, slot: Slot, cipher, key: int, whole: int, padded: int | None) -> None:
        vector = os.urandom(16)
        encryptor = lambda: Cipher(cipher, modes.CBC(vector)).encryptor()
        for text in (MESSAGE[:48], os.urandom(160)):
            theirs = encryptor().update(text)
            self.there_and_back(slot, mechanism(whole, vector), key, text, theirs)
        for text in (b"", b"x" * 17):
            self.refused(DATA_LEN_RANGE, slot.session.encrypt, mechanism(whole, vector), key, text)
        slot.was_tried(whole, f"{cipher.name} with a known key", "OpenSSL (cryptography)")
        if padded is None:
            return
        for text in (b"", b"x", b"x" * 15, b"x" * 16, MESSAGE):
            pkcs7 = blocks.PKCS7(128).padder()
            theirs = encryptor().update(pkcs7.update(text) + pkcs7.finalize())
            self.there_and_back(slot, mechanism(padded, vector), key, text, theirs)
        slot.was_tried(padded, f"{cipher.name} with a known key", "OpenSSL (cryptography)")

    def there_and_back(self, slot: Slot, asked, key: int, plaintext: bytes, theirs: bytes) -> None:
        """Whole and in parts, what the module makes of it is theirs, and the other way round."""
        for parts in ((plaintext,), (plaintext[:5], plaintext[5:])):
            self.assertEqual(slot.session.encrypt(asked, key, *parts), theirs)
        for parts in ((theirs,), (theirs[:5], theirs[5:])):
            self.assertEqual(slot.session.decrypt(asked, key, *parts), plaintext)

    def test_sm2(self) -> None:
        for label in WHOLE:
            slot = slots[label]
            for kind, der in slot.profile["encrypt"].items():
                public, private = slot.pair(slot.profile["make_sm2"], {EC_PARAMS: SM2_CURVE}, DECRYPT)
                point = uncovered(slot.session.attribute(public, EC_POINT))
                theirs = b"\4" + sm2.CryptSM2(private_key=None, public_key=point[1:].hex(), mode=1).encrypt(MESSAGE)
                self.assertEqual(slot.session.decrypt(mechanism(kind), private, theirs), MESSAGE)
                ours = slot.session.encrypt(mechanism(kind), public, MESSAGE)
                self.assertEqual(ours[0], 0x30 if der else 4)
                self.assertEqual(slot.session.decrypt(mechanism(kind), private, ours), MESSAGE)
                slot.was_tried(kind, "C1C3C2 of theirs", "gmssl")


class Wrapping(Case):
    def test_wrapping(self) -> None:
        for label in WHOLE:
            slot, value = slots[label], os.urandom(32)
            key = slot.imported("aes-256", "wrap", value)
            for kind in (0x210A, 0x210B):
                for length in (1, 16, 20, 32, 100):
                    self.wrap(slot, mechanism(kind), key, value, os.urandom(length))
                slot.was_tried(kind, "of secrets of 1 to 100 bytes", "OpenSSL (cryptography)")
            for protected in (key, slot.imported("aes-256", "encrypt", os.urandom(32))):
                self.refused(KEY_UNEXTRACTABLE, slot.session.wrap, mechanism(0x210B), key, protected)

    def wrap(self, slot: Slot, asked, key: int, value: bytes, secret: bytes) -> None:
        open = {CLASS: SECRET_KEY, KEY_TYPE: GENERIC_SECRET, TOKEN: False, SENSITIVE: False, EXTRACTABLE: True}
        wrapped = slot.session.wrap(asked, key, slot.session.create({**open, VALUE: secret}))
        self.assertEqual(keywrap.aes_key_unwrap_with_padding(value, wrapped), secret)
        theirs = keywrap.aes_key_wrap_with_padding(value, secret)
        got = slot.session.unwrap(asked, key, theirs, open)
        self.assertEqual(slot.session.attribute(got, VALUE), secret)
        changed = theirs[:-1] + bytes([theirs[-1] ^ 1])
        self.refused(WRAPPED_KEY_INVALID, slot.session.unwrap, asked, key, changed, open)

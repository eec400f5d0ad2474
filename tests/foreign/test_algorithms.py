"""Every algorithm, with every protection that has it, in every form: made and used through the API, and judged by code
that is not ours.

`cryptography` (OpenSSL) judges NIST curves, RSA, Ed25519, ML-DSA, X25519, AES, SM4 and HMAC; `gmssl` SM2 and SM3; `ecdsa`
recovers public keys; the openssl command judges SM2 again. A table of all that was tried ends the run.
"""

import hashlib
import hmac
import os
import subprocess
import tempfile
import unittest
import uuid
from pathlib import Path

import ecdsa
import grpc
from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils, x25519
from Cryptodome.Hash import keccak
from gmssl import sm2, sm3

from chancery.v1 import crypto_pb2, crypto_pb2_grpc, keys_pb2, keys_pb2_grpc, signing_pb2, signing_pb2_grpc
from chancery.v1 import resources_pb2 as words
from deployment import Deployment

ORGANIZATION = "organizations/org1"
SECONDS = 60
MESSAGE = b"what is signed, encrypted or agreed on here"
DEFAULT_ID = b"1234567812345678"

CURVES = {words.EC_P256: 32, words.EC_P384: 48, words.EC_P521: 66, words.EC_SECP256K1: 32}
RSA = {words.RSA_2048: 256, words.RSA_3072: 384, words.RSA_4096: 512}
ML_DSA = [words.ML_DSA_44, words.ML_DSA_65, words.ML_DSA_87]
HASHES = {
    words.SHA256: (hashlib.sha256, hashes.SHA256()),
    words.SHA384: (hashlib.sha384, hashes.SHA384()),
    words.SHA512: (hashlib.sha512, hashes.SHA512()),
    words.SM3: (lambda data: hashlib.new("sm3", data), hashes.SM3()),
}
OAEP = {
    crypto_pb2.OAEP_HASH_UNSPECIFIED: hashes.SHA256(),
    crypto_pb2.OAEP_SHA1: hashes.SHA1(),
    crypto_pb2.OAEP_SHA256: hashes.SHA256(),
    crypto_pb2.OAEP_SHA384: hashes.SHA384(),
    crypto_pb2.OAEP_SHA512: hashes.SHA512(),
}
# What SoftHSM has; every one of them, and all others, the enclave has.
IN_TOKEN = {
    words.SIGN: [*CURVES, *RSA, words.ED25519],
    words.AGREE: [words.EC_P256, words.EC_P384, words.EC_P521],
    words.ENCRYPT: [words.AES_256],
    words.MAC: [words.HMAC_SHA256],
}
PURPOSES = {
    words.SIGN: [*CURVES, *RSA, words.ED25519, words.SM2, *ML_DSA],
    words.AGREE: [words.X25519, words.EC_P256, words.EC_P384, words.EC_P521],
    words.ENCRYPT: [words.AES_256, words.SM4, words.SM2, *RSA],
    words.MAC: [words.HMAC_SHA256],
    words.WRAP: [words.AES_256],
}
PROTECTIONS = [words.TOKEN, words.ENCLAVE]

deployment: Deployment
keys: keys_pb2_grpc.KeyServiceStub
signing: signing_pb2_grpc.SigningServiceStub
crypto: crypto_pb2_grpc.CryptoServiceStub
table: list[tuple[str, str, str, str]] = []


def setUpModule() -> None:
    global deployment, keys, signing, crypto
    deployment = Deployment()
    unittest.addModuleCleanup(deployment.stop)
    keys = keys_pb2_grpc.KeyServiceStub(deployment.channel("org1-security"))
    peer = deployment.channel("org1-peer0")
    signing, crypto = signing_pb2_grpc.SigningServiceStub(peer), crypto_pb2_grpc.CryptoServiceStub(peer)


def tearDownModule() -> None:
    widths = [max(len(row[column]) for row in table) for column in range(4)]
    print("\nalgorithm × protection × use and form, each judged by code that is not ours:")
    for row in table:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    print(f"  {len(table)} combinations")


def new_id() -> str:
    return str(uuid.uuid4())


def word(algorithm: int) -> str:
    return words.Algorithm.Name(algorithm).lower().replace("_", "-")


def create(algorithm: int, purpose: int, protection: int) -> words.Key:
    return keys.CreateKey(
        keys_pb2.CreateKeyRequest(
            parent=ORGANIZATION,
            key_id="-".join([word(algorithm), words.Purpose.Name(purpose).lower(), uuid.uuid4().hex[:8]]),
            key=words.Key(
                owner=f"{ORGANIZATION}/principals/peer0", algorithm=algorithm, purpose=purpose, protection=protection
            ),
            request_id=new_id(),
        ),
        timeout=SECONDS,
    )


def tried(key: words.Key, use: str, judge: str) -> None:
    table.append((word(key.algorithm), words.Protection.Name(key.protection).lower(), use, judge))


def each_offered(test: unittest.TestCase, purpose: int, use) -> None:
    """Uses a key of this purpose, for each algorithm and protection; what the token lacks must be rejected by name."""
    for algorithm in PURPOSES[purpose]:
        for protection in PROTECTIONS:
            has = protection == words.ENCLAVE or algorithm in IN_TOKEN.get(purpose, [])
            with test.subTest(algorithm=word(algorithm), protection=words.Protection.Name(protection)):
                if has:
                    use(create(algorithm, purpose, protection))
                else:
                    with test.assertRaises(grpc.RpcError) as raised:
                        create(algorithm, purpose, protection)
                    test.assertEqual(raised.exception.code(), grpc.StatusCode.FAILED_PRECONDITION)
                    test.assertIn("ENCLAVE", raised.exception.details())


def public_key(key: words.Key) -> signing_pb2.PublicKey:
    return signing.GetPublicKey(signing_pb2.GetPublicKeyRequest(name=key.name), timeout=SECONDS)


def sign(key: words.Key, **fields) -> signing_pb2.SignResponse:
    return signing.Sign(signing_pb2.SignRequest(name=key.name, request_id=new_id(), **fields), timeout=SECONDS)


def digest(named: int, value: bytes = MESSAGE) -> signing_pb2.Digest:
    return signing_pb2.Digest(hash=named, value=HASHES[named][0](value).digest())


def der_of(raw: bytes) -> bytes:
    half = len(raw) // 2
    return utils.encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))


def agreed_e(point: bytes, message: bytes, user_id: bytes = DEFAULT_ID) -> bytes:
    """e = SM3(ZA || M), GB/T 32918.2 §5.5, with gmssl's SM3."""
    curve = sm2.default_ecc_table
    parameters = bytes.fromhex(curve["a"] + curve["b"] + curve["g"])
    za = sm3.sm3_hash(list((len(user_id) * 8).to_bytes(2, "big") + user_id + parameters + point[1:]))
    return bytes.fromhex(sm3.sm3_hash(list(bytes.fromhex(za) + message)))


class Signatures(unittest.TestCase):
    def test_every_algorithm_signs_in_every_form(self) -> None:
        each_offered(self, words.SIGN, self.every_form)

    def every_form(self, key: words.Key) -> None:
        known = public_key(key)
        if key.algorithm in CURVES:
            self.ecdsa(key, known)
        elif key.algorithm in RSA:
            self.rsa(key, known)
        elif key.algorithm == words.SM2:
            self.sm2(key, known)
        else:
            judge = serialization.load_der_public_key(known.der)
            judge.verify(sign(key, message=MESSAGE).signature, MESSAGE)
            tried(key, "sign message", "OpenSSL (cryptography)")

    def ecdsa(self, key: words.Key, known: signing_pb2.PublicKey) -> None:
        judge, width = serialization.load_der_public_key(known.der), CURVES[key.algorithm]
        order = ecdsa.curves.curve_by_name({32: "NIST256p", 48: "NIST384p", 66: "NIST521p"}[width]).order
        if key.algorithm == words.EC_SECP256K1:
            order = ecdsa.SECP256k1.order
        for named, (_, theirs) in HASHES.items():
            answer = sign(key, digest=digest(named))
            judge.verify(answer.signature, MESSAGE, ec.ECDSA(theirs))
            self.assertLessEqual(utils.decode_dss_signature(answer.signature)[1], order // 2, "low s by default")
            tried(key, f"sign {words.Hash.Name(named).lower()} digest, DER, low s", "OpenSSL (cryptography)")
        for length in (1, 20, 64):
            value = os.urandom(length)
            raw = sign(key, digest=signing_pb2.Digest(value=value), format=words.RAW).signature
            self.assertEqual(len(raw), 2 * width)
            verifying = ecdsa.VerifyingKey.from_der(known.der)
            self.assertTrue(verifying.verify_digest(raw, value, allow_truncate=True))
            tried(key, f"sign {length} raw bytes, r || s", "ecdsa (Python)")
        raw = [sign(key, message=MESSAGE, format=words.RAW).signature for _ in range(24)]
        high = {utils.decode_dss_signature(der_of(signature))[1] > order // 2 for signature in raw}
        # The enclave's secp256k1 makes no high s at all.
        if (key.algorithm, key.protection) != (words.EC_SECP256K1, words.ENCLAVE):
            self.assertEqual(high, {False, True}, "s is not forced low in the raw form")
        if key.algorithm == words.EC_SECP256K1:
            self.recoverable(key, known)
        if key.algorithm in (words.EC_SECP256K1, words.EC_P256):
            self.eos(key, judge)

    def recoverable(self, key: words.Key, known: signing_pb2.PublicKey) -> None:
        for _ in range(8):
            value = os.urandom(32)
            answer = sign(key, digest=signing_pb2.Digest(value=value), format=words.ETHEREUM)
            self.assertEqual(len(answer.signature), 65)
            candidates = ecdsa.VerifyingKey.from_public_key_recovery_with_digest(
                answer.signature[:64], value, ecdsa.SECP256k1, allow_truncate=True
            )
            point = candidates[answer.signature[64] - 27].to_string()
            self.assertEqual(b"\4" + point, known.raw)
            address = keccak.new(digest_bits=256, data=point).digest()[-20:]
            self.assertEqual("0x" + address.hex(), known.ethereum_address.lower())
            raw = sign(key, digest=signing_pb2.Digest(value=value), format=words.RAW)
            candidates = ecdsa.VerifyingKey.from_public_key_recovery_with_digest(
                raw.signature, value, ecdsa.SECP256k1, allow_truncate=True
            )
            self.assertEqual(b"\4" + candidates[raw.recovery_id].to_string(), known.raw)
        tried(key, "sign, Ethereum's 65 bytes and address", "ecdsa, pycryptodomex")
        tried(key, "sign, recovery id", "ecdsa (Python)")

    def eos(self, key: words.Key, judge: ec.EllipticCurvePublicKey) -> None:
        for _ in range(16):
            value = os.urandom(32)
            answer = sign(key, digest=signing_pb2.Digest(value=value), format=words.EOS).signature
            self.assertEqual(len(answer), 65)
            r, s = answer[1:33], answer[33:]
            for part in (r, s):
                self.assertFalse(part[0] & 0x80 or (part[0] == 0 and not part[1] & 0x80), "canonical")
            judge.verify(der_of(r + s), value, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
            self.assertIn(answer[0], range(31, 35))
        tried(key, "sign, EOS canonical", "OpenSSL (cryptography)")

    def rsa(self, key: words.Key, known: signing_pb2.PublicKey) -> None:
        judge = serialization.load_der_public_key(known.der)
        for named in (words.SHA256, words.SHA384, words.SHA512):
            theirs = HASHES[named][1]
            pss = padding.PSS(padding.MGF1(theirs), theirs.digest_size)
            for asked, scheme in ((words.PKCS1, padding.PKCS1v15()), (words.PSS, pss)):
                signature = sign(key, digest=digest(named), padding=asked).signature
                self.assertEqual(len(signature), RSA[key.algorithm])
                judge.verify(signature, MESSAGE, scheme, theirs)
                names = f"{words.RsaPadding.Name(asked).lower()} {words.Hash.Name(named).lower()}"
                tried(key, f"sign {names}", "OpenSSL (cryptography)")

    def sm2(self, key: words.Key, known: signing_pb2.PublicKey) -> None:
        judge = sm2.CryptSM2(private_key=None, public_key=known.raw[1:].hex())
        for user_id in (DEFAULT_ID, b"ALICE123@YAHOO.COM"):
            fields = {} if user_id == DEFAULT_ID else {"sm2_user_id": user_id}
            raw = sign(key, message=MESSAGE, format=words.RAW, **fields).signature
            self.assertEqual(len(raw), 64)
            self.assertTrue(judge.verify(raw.hex(), agreed_e(known.raw, MESSAGE, user_id)))
            self.assertFalse(judge.verify(raw.hex(), agreed_e(known.raw, MESSAGE, b"someone else")))
            tried(key, f"sign message, r || s, id {user_id.decode()}", "gmssl")
            der = sign(key, message=MESSAGE, **fields).signature
            self.openssl(known, der, user_id)
            tried(key, f"sign message, DER, id {user_id.decode()}", "openssl dgst -sm3")
        e = agreed_e(known.raw, MESSAGE)
        raw = sign(key, digest=signing_pb2.Digest(hash=words.SM3, value=e), format=words.RAW).signature
        self.assertTrue(judge.verify(raw.hex(), e))
        tried(key, "sign e, r || s", "gmssl")

    def openssl(self, known: signing_pb2.PublicKey, signature: bytes, user_id: bytes) -> None:
        with tempfile.TemporaryDirectory() as directory:
            files = {"key": known.pem.encode(), "signature": signature, "message": MESSAGE}
            for name, content in files.items():
                (Path(directory) / name).write_bytes(content)
            verified = subprocess.run(
                ["openssl", "dgst", "-sm3", "-verify", "key", "-sigopt", f"distid:{user_id.decode()}",
                 "-signature", "signature", "message"],
                cwd=directory, capture_output=True, text=True, check=False,
            )
            self.assertEqual(verified.stdout.strip(), "Verified OK", verified.stderr)


class Agreement(unittest.TestCase):
    def test_both_sides_have_the_same_secret(self) -> None:
        each_offered(self, words.AGREE, self.agree)

    def agree(self, key: words.Key) -> None:
        judge = serialization.load_der_public_key(public_key(key).der)
        if key.algorithm == words.X25519:
            other = x25519.X25519PrivateKey.generate()
            theirs = other.exchange(judge)
        else:
            other = ec.generate_private_key(judge.curve)
            theirs = other.exchange(ec.ECDH(), judge)
        info = other.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        ours = crypto.DeriveSharedSecret(
            crypto_pb2.DeriveSharedSecretRequest(name=key.name, public_key=info, request_id=new_id()),
            timeout=SECONDS,
        )
        self.assertEqual(ours.shared_secret, theirs)
        tried(key, "agree", "OpenSSL (cryptography)")


class Encryption(unittest.TestCase):
    def test_what_was_encrypted_here_or_elsewhere_is_decrypted(self) -> None:
        each_offered(self, words.ENCRYPT, self.there_and_back)

    def there_and_back(self, key: words.Key) -> None:
        extra = b"" if key.algorithm == words.SM2 else b"bound to it"
        ciphertext = crypto.Encrypt(
            crypto_pb2.EncryptRequest(
                name=key.name, plaintext=MESSAGE, associated_data=extra, request_id=new_id()
            ),
            timeout=SECONDS,
        ).ciphertext
        self.assertEqual(self.decrypt(key, ciphertext, extra), MESSAGE)
        if key.algorithm in RSA:
            judge = serialization.load_der_public_key(public_key(key).der)
            for named, hash in OAEP.items():
                oaep = padding.OAEP(padding.MGF1(hash), hash, extra)
                theirs = judge.encrypt(MESSAGE, oaep)
                self.assertEqual(self.decrypt(key, theirs, extra, oaep_hash=named), MESSAGE)
                tried(key, f"decrypt RSAES-OAEP with {hash.name}", "OpenSSL (cryptography)")
        elif key.algorithm == words.SM2:
            point = public_key(key).raw[1:].hex()
            theirs = b"\4" + sm2.CryptSM2(private_key=None, public_key=point, mode=1).encrypt(MESSAGE)
            self.assertEqual(self.decrypt(key, theirs, extra), MESSAGE)
            tried(key, "decrypt C1C3C2", "gmssl")
        else:
            # Their secret keys leave neither token nor enclave: published vectors in the enclave's tests judge the
            # cipher, and here that nothing changed opens.
            with self.assertRaises(grpc.RpcError) as raised:
                self.decrypt(key, ciphertext[:-1] + bytes([ciphertext[-1] ^ 1]), extra)
            self.assertEqual(raised.exception.code(), grpc.StatusCode.FAILED_PRECONDITION)
            self.assertEqual(len(ciphertext), 12 + len(MESSAGE) + 16)

    def decrypt(self, key: words.Key, ciphertext: bytes, extra: bytes, oaep_hash: int = 0) -> bytes:
        request = crypto_pb2.DecryptRequest(
            name=key.name, ciphertext=ciphertext, associated_data=extra, request_id=new_id(), oaep_hash=oaep_hash
        )
        return crypto.Decrypt(request, timeout=SECONDS).plaintext


class Codes(unittest.TestCase):
    def test_a_code_is_the_same_each_time_and_verifies(self) -> None:
        each_offered(self, words.MAC, self.code)

    def code(self, key: words.Key) -> None:
        code = crypto.GenerateMac(
            crypto_pb2.GenerateMacRequest(name=key.name, message=MESSAGE, request_id=new_id()), timeout=SECONDS
        ).mac
        self.assertEqual(len(code), hmac.new(b"", b"", "sha256").digest_size)
        for given, valid in ((code, True), (bytes(32), False)):
            answer = crypto.VerifyMac(
                crypto_pb2.VerifyMacRequest(name=key.name, message=MESSAGE, mac=given, request_id=new_id()),
                timeout=SECONDS,
            )
            self.assertEqual(answer.valid, valid)


class Wrapping(unittest.TestCase):
    def test_a_wrapped_key_has_the_form_of_rfc_5649(self) -> None:
        each_offered(self, words.WRAP, self.wrap)

    def wrap(self, key: words.Key) -> None:
        for length in (1, 20, 32, 4096):
            plain = os.urandom(length)
            wrapped = crypto.WrapKey(
                crypto_pb2.WrapKeyRequest(name=key.name, plaintext=plain, request_id=new_id()), timeout=SECONDS
            ).wrapped_key
            expected = len(keywrap.aes_key_wrap_with_padding(bytes(32), plain))
            self.assertEqual(len(wrapped), expected)
            unwrapped = crypto.UnwrapKey(
                crypto_pb2.UnwrapKeyRequest(name=key.name, wrapped_key=wrapped, request_id=new_id()),
                timeout=SECONDS,
            )
            self.assertEqual(unwrapped.plaintext, plain)


if __name__ == "__main__":
    unittest.main()

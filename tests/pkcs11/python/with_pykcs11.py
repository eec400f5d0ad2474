"""PyKCS11 makes keys, finds them and uses them; `cryptography` (OpenSSL) verifies.

The environment is with_python_pkcs11's.
"""

import os
from concurrent.futures import ThreadPoolExecutor

import PyKCS11 as p
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

MESSAGE = b"what Python signs through PKCS#11"
THREADS, EACH = 16, 5
P256 = bytes.fromhex("06082a8648ce3d030107")

library = p.PyKCS11Lib()
library.load(os.environ["PKCS11_LIB"])
slots = library.getSlotList(tokenPresent=True)
slot = next(slot for slot in slots if library.getTokenInfo(slot).label.strip() == os.environ["PKCS11_LABEL"])


def refuses(value: int, call) -> None:
    try:
        call()
    except p.PyKCS11Error as error:
        assert error.value == value, error
        return
    raise AssertionError(f"{value:#x} was expected")


def templates(label: str, public: list) -> tuple[list, list]:
    both = [(p.CKA_TOKEN, p.CK_TRUE), (p.CKA_LABEL, label), (p.CKA_ID, label.encode())]
    private = [(p.CKA_PRIVATE, p.CK_TRUE), (p.CKA_SENSITIVE, p.CK_TRUE), (p.CKA_SIGN, p.CK_TRUE)]
    return both + [(p.CKA_VERIFY, p.CK_TRUE)] + public, both + private


def make_ec(session, label: str):
    public, private = templates(label, [(p.CKA_EC_PARAMS, P256)])
    made, _ = session.generateKeyPair(public, private, p.Mechanism(p.CKM_EC_KEY_PAIR_GEN, None))
    [point] = session.getAttributeValue(made, [p.CKA_EC_POINT])
    # In an OCTET STRING.
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), bytes(point[2:]))


def find(session, class_: int, label: str):
    [found] = session.findObjects([(p.CKA_CLASS, class_), (p.CKA_LABEL, label)])
    return found


def der(signature) -> bytes:
    raw = bytes(signature)
    return utils.encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))


def elliptic(session) -> None:
    judge = make_ec(session, "pykcs11-ec")
    private, public = (find(session, class_, "pykcs11-ec") for class_ in (p.CKO_PRIVATE_KEY, p.CKO_PUBLIC_KEY))
    mechanism = p.Mechanism(p.CKM_ECDSA_SHA256, None)
    signature = session.sign(private, MESSAGE, mechanism)
    judge.verify(der(signature), MESSAGE, ec.ECDSA(hashes.SHA256()))
    assert session.verify(public, MESSAGE, signature, mechanism)
    assert not session.verify(public, MESSAGE + b".", signature, mechanism)
    digest = session.digest(MESSAGE, p.Mechanism(p.CKM_SHA256, None))
    judge.verify(der(session.sign(private, digest, p.Mechanism(p.CKM_ECDSA, None))), MESSAGE, ec.ECDSA(hashes.SHA256()))
    # It has its name, which a node's certificate does not suffice to take away.
    refuses(p.CKR_FUNCTION_REJECTED, lambda: session.destroyObject(private))


def rsa_(session) -> None:
    public, private = templates("pykcs11-rsa", [(p.CKA_MODULUS_BITS, 2048), (p.CKA_PUBLIC_EXPONENT, (1, 0, 1))])
    made, key = session.generateKeyPair(public, private)
    modulus, exponent = session.getAttributeValue(made, [p.CKA_MODULUS, p.CKA_PUBLIC_EXPONENT])
    numbers = (int.from_bytes(bytes(value), "big") for value in (exponent, modulus))
    judge = rsa.RSAPublicNumbers(*numbers).public_key()
    signature = bytes(session.sign(key, MESSAGE, p.Mechanism(p.CKM_SHA256_RSA_PKCS, None)))
    judge.verify(signature, MESSAGE, padding.PKCS1v15(), hashes.SHA256())
    pss = p.RSA_PSS_Mechanism(p.CKM_SHA256_RSA_PKCS_PSS, p.CKM_SHA256, p.CKG_MGF1_SHA256, 32)
    signature = bytes(session.sign(key, MESSAGE, pss))
    judge.verify(signature, MESSAGE, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())


def secrets(session) -> None:
    key = find(session, p.CKO_SECRET_KEY, os.environ["PKCS11_AES"])
    iv = bytes(session.generateRandom(16))
    sealed = session.encrypt(key, MESSAGE, p.Mechanism(p.CKM_AES_CBC_PAD, iv))
    assert MESSAGE not in bytes(sealed)
    assert bytes(session.decrypt(key, sealed, p.Mechanism(p.CKM_AES_CBC_PAD, iv))) == MESSAGE
    nonce = bytes(session.generateRandom(12))
    sealed = session.encrypt(key, MESSAGE, p.AES_GCM_Mechanism(nonce, b"header", 128))
    assert bytes(session.decrypt(key, sealed, p.AES_GCM_Mechanism(nonce, b"header", 128))) == MESSAGE
    key = find(session, p.CKO_SECRET_KEY, os.environ["PKCS11_HMAC"])
    assert len(session.sign(key, MESSAGE, p.Mechanism(p.CKM_SHA256_HMAC, None))) == 32


def in_threads(session) -> None:
    judge = make_ec(session, "pykcs11-threads")

    def sign(thread: int) -> None:
        own = library.openSession(slot, p.CKF_SERIAL_SESSION)
        key = find(own, p.CKO_PRIVATE_KEY, "pykcs11-threads")
        for n in range(EACH):
            message = f"{thread}: {n}".encode()
            signature = own.sign(key, message, p.Mechanism(p.CKM_ECDSA_SHA256, None))
            judge.verify(der(signature), message, ec.ECDSA(hashes.SHA256()))
        own.closeSession()

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(sign, range(THREADS)))


session = library.openSession(slot, p.CKF_SERIAL_SESSION | p.CKF_RW_SESSION)
refuses(p.CKR_PIN_INCORRECT, lambda: session.login("4321"))
session.login(os.environ["PKCS11_PIN"])
for test in elliptic, rsa_, secrets, in_threads:
    test(session)
    print(test.__name__)
session.logout()
session.closeSession()

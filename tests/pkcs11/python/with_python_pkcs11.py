"""python-pkcs11 makes keys, finds them and uses them; `cryptography` (OpenSSL) verifies.

The environment names the token (PKCS11_LIB, PKCS11_LABEL, PKCS11_PIN) and the labels of an AES key and a key for codes
that an officer made (PKCS11_AES, PKCS11_HMAC).
"""

import os
from concurrent.futures import ThreadPoolExecutor

import pkcs11
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.util.ec import encode_ec_public_key, encode_ecdsa_signature, encode_named_curve_parameters
from pkcs11.util.rsa import encode_rsa_public_key

MESSAGE = b"what Python signs through PKCS#11"
THREADS, EACH = 16, 5

library = pkcs11.lib(os.environ["PKCS11_LIB"])
token = library.get_token(token_label=os.environ["PKCS11_LABEL"])


def refuses(error, call) -> None:
    try:
        call()
    except error:
        return
    raise AssertionError(f"{error.__name__} was expected")


def make_ec(session, curve: str, label: str):
    named = {Attribute.EC_PARAMS: encode_named_curve_parameters(curve)}
    parameters = session.create_domain_parameters(KeyType.EC, named, local=True)
    return parameters.generate_keypair(store=True, label=label, id=label.encode())


def elliptic(session) -> None:
    for curve, mechanism, hash_ in (
        ("secp256r1", Mechanism.ECDSA_SHA256, hashes.SHA256()),
        ("secp384r1", Mechanism.ECDSA_SHA384, hashes.SHA384()),
    ):
        label = f"python-{curve}"
        public, private = make_ec(session, curve, label)
        judge = serialization.load_der_public_key(encode_ec_public_key(public))
        signature = private.sign(MESSAGE, mechanism=mechanism)
        judge.verify(encode_ecdsa_signature(signature), MESSAGE, ec.ECDSA(hash_))
        assert public.verify(MESSAGE, signature, mechanism=mechanism)
        assert not public.verify(MESSAGE + b".", signature, mechanism=mechanism)
        found = session.get_key(ObjectClass.PRIVATE_KEY, label=label, id=label.encode())
        assert found[Attribute.SENSITIVE] and not found[Attribute.EXTRACTABLE]
        refuses(pkcs11.AttributeSensitive, lambda: found[Attribute.VALUE])


def rsa(session) -> None:
    public, private = session.generate_keypair(KeyType.RSA, 2048, store=True, label="python-rsa", id=b"python-rsa")
    judge = serialization.load_der_public_key(encode_rsa_public_key(public))
    signature = private.sign(MESSAGE, mechanism=Mechanism.SHA256_RSA_PKCS)
    judge.verify(signature, MESSAGE, padding.PKCS1v15(), hashes.SHA256())
    pss = Mechanism.SHA256, pkcs11.MGF.SHA256, 32
    signature = private.sign(MESSAGE, mechanism=Mechanism.SHA256_RSA_PKCS_PSS, mechanism_param=pss)
    judge.verify(signature, MESSAGE, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    assert public.verify(MESSAGE, signature, mechanism=Mechanism.SHA256_RSA_PKCS_PSS, mechanism_param=pss)


def edwards(session) -> None:
    named = {Attribute.EC_PARAMS: encode_named_curve_parameters("1.3.101.112")}
    parameters = session.create_domain_parameters(KeyType.EC_EDWARDS, named, local=True)
    public, private = parameters.generate_keypair(
        mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN, store=True, label="python-ed25519", id=b"python-ed25519"
    )
    point = public[Attribute.EC_POINT]
    signature = private.sign(MESSAGE, mechanism=Mechanism.EDDSA)
    ed25519.Ed25519PublicKey.from_public_bytes(point[-32:]).verify(signature, MESSAGE)


def secrets(session) -> None:
    key = session.get_key(ObjectClass.SECRET_KEY, label=os.environ["PKCS11_AES"])
    iv = session.generate_random(128)
    sealed = key.encrypt(MESSAGE, mechanism=Mechanism.AES_CBC_PAD, mechanism_param=iv)
    assert MESSAGE not in sealed
    assert key.decrypt(sealed, mechanism=Mechanism.AES_CBC_PAD, mechanism_param=iv) == MESSAGE
    key = session.get_key(ObjectClass.SECRET_KEY, label=os.environ["PKCS11_HMAC"])
    code = key.sign(MESSAGE, mechanism=Mechanism.SHA256_HMAC)
    assert len(code) == 32 and key.verify(MESSAGE, code, mechanism=Mechanism.SHA256_HMAC)
    assert not key.verify(MESSAGE, bytes(32), mechanism=Mechanism.SHA256_HMAC)


def in_threads(session) -> None:
    public, _ = make_ec(session, "secp256r1", "python-threads")
    judge = serialization.load_der_public_key(encode_ec_public_key(public))

    def sign(thread: int) -> None:
        with token.open() as own:
            key = own.get_key(ObjectClass.PRIVATE_KEY, id=b"python-threads")
            for n in range(EACH):
                message = f"{thread}: {n}".encode()
                signature = key.sign(message, mechanism=Mechanism.ECDSA_SHA256)
                judge.verify(encode_ecdsa_signature(signature), message, ec.ECDSA(hashes.SHA256()))

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(sign, range(THREADS)))


refuses(pkcs11.PinIncorrect, lambda: token.open(user_pin="4321"))
with token.open(rw=True, user_pin=os.environ["PKCS11_PIN"]) as session:
    for test in elliptic, rsa, edwards, secrets, in_threads:
        test(session)
        print(test.__name__)

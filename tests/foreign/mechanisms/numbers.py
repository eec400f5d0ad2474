"""Numbers of the standard and of vendors, and what the tests sign, encrypt or agree on."""

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

MESSAGE = b"what is signed, encrypted or agreed on through PKCS#11"
PARTS = MESSAGE[:7], MESSAGE[7:8], MESSAGE[8:]

CLASS, TOKEN, PRIVATE, LABEL, UNIQUE_ID, VALUE, KEY_TYPE, ID = 0x0, 0x1, 0x2, 0x3, 0x4, 0x11, 0x100, 0x102
SENSITIVE, ENCRYPT, DECRYPT, WRAP, UNWRAP, SIGN, VERIFY, DERIVE = 0x103, 0x104, 0x105, 0x106, 0x107, 0x108, 0x10A, 0x10C
MODULUS, MODULUS_BITS, EXPONENT, VALUE_LEN, EXTRACTABLE = 0x120, 0x121, 0x122, 0x161, 0x162
EC_PARAMS, EC_POINT, PARAMETER_SET = 0x180, 0x181, 0x61D
PRIVATE_KEY, SECRET_KEY, GENERIC_SECRET = 3, 4, 0x10

OK, DATA_LEN_RANGE, SIGNATURE_INVALID, SIGNATURE_LEN_RANGE = 0, 0x21, 0xC0, 0xC1
OPERATION_ACTIVE, NOT_INITIALIZED, BUFFER_TOO_SMALL = 0x90, 0x91, 0x150
KEY_NOT_PERMITTED, TYPE_INCONSISTENT = 0x68, 0x63
KEY_UNEXTRACTABLE, PARAM_INVALID, WRAPPED_KEY_INVALID, ENCRYPTED_DATA_INVALID = 0x6A, 0x71, 0x110, 0x40

CURVES = {
    ec.SECP256R1: bytes.fromhex("06082a8648ce3d030107"),
    ec.SECP384R1: bytes.fromhex("06052b81040022"),
    ec.SECP521R1: bytes.fromhex("06052b81040023"),
    ec.SECP256K1: bytes.fromhex("06052b8104000a"),
}
ED25519, X25519, SM2_CURVE = (bytes.fromhex(der) for der in ("06032b6570", "06032b656e", "06082a811ccf5501822d"))
# The hash's own number and its MGF1's.
SHA2 = {hashes.SHA256: (0x250, 2), hashes.SHA384: (0x260, 3), hashes.SHA512: (0x270, 4)}

# Vendors' numbers. Signing: whether the data is the message, whether the signature is DER; encrypting: whether it is DER.
PROFILES = {
    "sansec": {
        "sm2": 0x80000004, "sm4": 0x80000106, "make_sm2": 0x80008001, "make_sm4": 0x80000107,
        "sign": {0x80008100: (True, False), 0x80008101: (True, True), 0x80008102: (True, False),
                 0x80008103: (True, True), 0x80008104: (False, True), 0x80008105: (False, False)},
        "encrypt": {0x80008200: False, 0x80008201: True}, "sm3": 0x80009000, "cbc": 0x80000109, "cbc_pad": 0x8000A201,
    },
    "ibm": {
        "sm2": 0x80050002, "sm4": 0x80050001, "make_sm2": 0x8005000A, "make_sm4": 0x80050001,
        "sign": {0x8005000B: (False, False), 0x8005000C: (True, False)},
        "encrypt": {0x8005000D: True}, "sm3": 0x8005000E, "cbc": 0x80050002,
    },
    "westone": {
        "sm2": 0x80000001, "sm4": 0x80000005, "make_sm2": 0x80000001, "make_sm4": 0x80000040,
        "sign": {0x80000002: (False, False)}, "encrypt": {}, "cbc": 0x80000042, "cbc_pad": 0x80000043,
    },
}

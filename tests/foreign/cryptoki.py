"""The C interface of a PKCS#11 2.40 module, through ctypes: numbers and structures as the standard has them, no others'
code between.

Every call that does not answer CKR_OK raises `Refused`, which names the function and the value.
"""

import ctypes
from ctypes import POINTER, byref, c_char, c_ubyte, c_ulong, c_void_p, cast, create_string_buffer, sizeof
from pathlib import Path

# The order of CK_FUNCTION_LIST, after its version (PKCS#11 v2.40 §3.6).
FUNCTIONS = """
Initialize Finalize GetInfo GetFunctionList GetSlotList GetSlotInfo GetTokenInfo GetMechanismList GetMechanismInfo
InitToken InitPIN SetPIN OpenSession CloseSession CloseAllSessions GetSessionInfo GetOperationState SetOperationState
Login Logout CreateObject CopyObject DestroyObject GetObjectSize GetAttributeValue SetAttributeValue FindObjectsInit
FindObjects FindObjectsFinal EncryptInit Encrypt EncryptUpdate EncryptFinal DecryptInit Decrypt DecryptUpdate
DecryptFinal DigestInit Digest DigestUpdate DigestKey DigestFinal SignInit Sign SignUpdate SignFinal SignRecoverInit
SignRecover VerifyInit Verify VerifyUpdate VerifyFinal VerifyRecoverInit VerifyRecover DigestEncryptUpdate
DecryptDigestUpdate SignEncryptUpdate DecryptVerifyUpdate GenerateKey GenerateKeyPair WrapKey UnwrapKey DeriveKey
SeedRandom GenerateRandom GetFunctionStatus CancelFunction WaitForSlotEvent
""".split()

CKU_USER = 1
CKF_SERIAL_RW = 6


class Refused(Exception):
    def __init__(self, function: str, value: int) -> None:
        super().__init__(f"C_{function}: {value:#x}")
        self.function, self.value = function, value


class MechanismStruct(ctypes.Structure):
    _fields_ = [("mechanism", c_ulong), ("parameter", c_void_p), ("length", c_ulong)]


class MechanismInfo(ctypes.Structure):
    _fields_ = [("smallest", c_ulong), ("largest", c_ulong), ("flags", c_ulong)]


class AttributeStruct(ctypes.Structure):
    _fields_ = [("kind", c_ulong), ("value", c_void_p), ("length", c_ulong)]


class TokenInfo(ctypes.Structure):
    _fields_ = [("label", c_char * 32), ("rest", c_ubyte * 512)]


def structure(*fields: int | bytes) -> ctypes.Structure:
    """A parameter: numbers are CK_ULONG; bytes are a pointer and a CK_ULONG before or behind it, as the caller lays out."""
    kinds = [(f"f{at}", c_void_p if isinstance(field, bytes) else c_ulong) for at, field in enumerate(fields)]
    kind = type("Parameter", (ctypes.Structure,), {"_fields_": kinds})
    made = kind()
    made.kept = [create_string_buffer(field, len(field) or 1) for field in fields if isinstance(field, bytes)]
    kept = iter(made.kept)
    for at, field in enumerate(fields):
        setattr(made, f"f{at}", cast(next(kept), c_void_p) if isinstance(field, bytes) else field)
    return made


def pss(hash: int, generator: int, salt: int) -> ctypes.Structure:
    return structure(hash, generator, salt)


def oaep(hash: int, generator: int, label: bytes) -> ctypes.Structure:
    return structure(hash, generator, 1, label, len(label))


def gcm(nonce: bytes, additional: bytes, tag_bits: int = 128) -> ctypes.Structure:
    return structure(nonce, len(nonce), len(nonce) * 8, additional, len(additional), tag_bits)


def ecdh(function: int, shared: bytes, public: bytes) -> ctypes.Structure:
    return structure(function, len(shared), shared, len(public), public)


def mechanism(kind: int, parameter: ctypes.Structure | bytes | None = None) -> MechanismStruct:
    made = MechanismStruct(kind, None, 0)
    if parameter is not None:
        # Kept as long as the mechanism is.
        made.kept = create_string_buffer(parameter, len(parameter)) if isinstance(parameter, bytes) else parameter
        made.parameter, made.length = cast(byref(made.kept), c_void_p), sizeof(made.kept)
    return made


def template(attributes: dict[int, int | bool | bytes]):
    made = (AttributeStruct * len(attributes))()
    made.kept = []
    for at, (kind, value) in zip(made, attributes.items()):
        if isinstance(value, bool):
            value = bytes([value])
        elif isinstance(value, int):
            value = value.to_bytes(sizeof(c_ulong), "little")
        held = create_string_buffer(value, len(value) or 1)
        made.kept.append(held)
        at.kind, at.value, at.length = kind, cast(held, c_void_p), len(value)
    return made


class Module:
    """A loaded module, initialized."""

    def __init__(self, path: Path) -> None:
        library = ctypes.CDLL(str(path))
        listed = c_void_p()
        assert library.C_GetFunctionList(byref(listed)) == 0
        # The version's two bytes are padded to a pointer's size.
        pointers = cast(listed, POINTER(c_void_p * (len(FUNCTIONS) + 1))).contents[1:]
        self._functions = {
            name: ctypes.CFUNCTYPE(c_ulong)(pointer) for name, pointer in zip(FUNCTIONS, pointers, strict=True)
        }
        self.call("Initialize", None)

    def call(self, function: str, *arguments) -> None:
        if value := self.answer(function, *arguments):
            raise Refused(function, value)

    def answer(self, function: str, *arguments) -> int:
        """The value of a function, whatever it is. Integers are CK_ULONG."""
        return self._functions[function](
            *(c_ulong(argument) if isinstance(argument, int) else argument for argument in arguments)
        )

    def slots(self) -> dict[str, int]:
        """Slots by their tokens' labels."""
        count = c_ulong()
        self.call("GetSlotList", 1, None, byref(count))
        numbers = (c_ulong * count.value)()
        self.call("GetSlotList", 1, numbers, byref(count))
        labels = {}
        for number in numbers:
            info = TokenInfo()
            self.call("GetTokenInfo", number, byref(info))
            labels[info.label.decode().rstrip()] = number
        return labels

    def mechanisms(self, slot: int) -> dict[int, MechanismInfo]:
        count = c_ulong()
        self.call("GetMechanismList", slot, None, byref(count))
        kinds = (c_ulong * count.value)()
        self.call("GetMechanismList", slot, kinds, byref(count))
        infos = {kind: MechanismInfo() for kind in kinds}
        for kind, info in infos.items():
            self.call("GetMechanismInfo", slot, kind, byref(info))
        return infos

    def session(self, slot: int, pin: str) -> "Session":
        session = self.session_beside(slot)
        session.call("Login", CKU_USER, pin.encode(), len(pin))
        return session

    def session_beside(self, slot: int) -> "Session":
        """A session of a slot whose user is logged in."""
        handle = c_ulong()
        self.call("OpenSession", slot, CKF_SERIAL_RW, None, None, byref(handle))
        return Session(self, handle.value)


class Session:
    """A session of a logged-in user."""

    def __init__(self, module: Module, handle: int) -> None:
        self.module, self.handle = module, handle

    def call(self, function: str, *arguments) -> None:
        self.module.call(function, self.handle, *arguments)

    def answer(self, function: str, *arguments) -> int:
        return self.module.answer(function, self.handle, *arguments)

    def output(self, function: str, *arguments) -> bytes:
        """What a function puts into a buffer: its length is asked for first, then it is called with just that room."""
        length = c_ulong()
        self.call(function, *arguments, None, byref(length))
        buffer = create_string_buffer(length.value or 1)
        self.call(function, *arguments, buffer, byref(length))
        return buffer.raw[: length.value]

    def generate_pair(self, kind: MechanismStruct, public: dict, private: dict) -> tuple[int, int]:
        handles = c_ulong(), c_ulong()
        public, private = template(public), template(private)
        self.call(
            "GenerateKeyPair", byref(kind), public, len(public), private, len(private), *map(byref, handles)
        )
        return handles[0].value, handles[1].value

    def generate(self, kind: MechanismStruct, attributes: dict) -> int:
        handle, attributes = c_ulong(), template(attributes)
        self.call("GenerateKey", byref(kind), attributes, len(attributes), byref(handle))
        return handle.value

    def create(self, attributes: dict) -> int:
        handle, attributes = c_ulong(), template(attributes)
        self.call("CreateObject", attributes, len(attributes), byref(handle))
        return handle.value

    def attribute(self, object: int, kind: int) -> bytes:
        asked = (AttributeStruct * 1)(AttributeStruct(kind, None, 0))
        self.call("GetAttributeValue", object, asked, 1)
        value = create_string_buffer(asked[0].length or 1)
        asked[0].value = cast(value, c_void_p)
        self.call("GetAttributeValue", object, asked, 1)
        return value.raw[: asked[0].length]

    def find(self, attributes: dict) -> list[int]:
        attributes, found, count = template(attributes), (c_ulong * 16)(), c_ulong()
        self.call("FindObjectsInit", attributes, len(attributes))
        self.call("FindObjects", found, 16, byref(count))
        self.call("FindObjectsFinal")
        return list(found[: count.value])

    def digest(self, kind: MechanismStruct, *parts: bytes) -> bytes:
        self.call("DigestInit", byref(kind))
        return self._finish("Digest", parts)

    def sign(self, kind: MechanismStruct, key: int, *parts: bytes) -> bytes:
        self.call("SignInit", byref(kind), key)
        return self._finish("Sign", parts)

    def encrypt(self, kind: MechanismStruct, key: int, *parts: bytes) -> bytes:
        self.call("EncryptInit", byref(kind), key)
        return self._finish("Encrypt", parts)

    def decrypt(self, kind: MechanismStruct, key: int, *parts: bytes) -> bytes:
        self.call("DecryptInit", byref(kind), key)
        return self._finish("Decrypt", parts)

    def _finish(self, function: str, parts: tuple[bytes, ...]) -> bytes:
        """One part at once, several by C_…Update and C_…Final."""
        if len(parts) == 1:
            return self.output(function, parts[0], len(parts[0]))
        given = b""
        for part in parts:
            if function in ("Encrypt", "Decrypt"):
                given += self.output(f"{function}Update", part, len(part))
            else:
                self.call(f"{function}Update", part, len(part))
        return given + self.output(f"{function}Final")

    def verify(self, kind: MechanismStruct, key: int, signature: bytes, *parts: bytes) -> int:
        """What C_Verify answers of one part, or C_VerifyFinal of several."""
        self.call("VerifyInit", byref(kind), key)
        if len(parts) == 1:
            return self.answer("Verify", parts[0], len(parts[0]), signature, len(signature))
        for part in parts:
            self.call("VerifyUpdate", part, len(part))
        return self.answer("VerifyFinal", signature, len(signature))

    def wrap(self, kind: MechanismStruct, wrapping: int, key: int) -> bytes:
        return self.output("WrapKey", byref(kind), wrapping, key)

    def unwrap(self, kind: MechanismStruct, unwrapping: int, wrapped: bytes, attributes: dict) -> int:
        handle, attributes = c_ulong(), template(attributes)
        self.call(
            "UnwrapKey", byref(kind), unwrapping, wrapped, len(wrapped), attributes, len(attributes), byref(handle)
        )
        return handle.value

    def derive(self, kind: MechanismStruct, base: int, attributes: dict) -> int:
        handle, attributes = c_ulong(), template(attributes)
        self.call("DeriveKey", byref(kind), base, attributes, len(attributes), byref(handle))
        return handle.value

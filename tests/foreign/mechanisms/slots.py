"""A client of a deployment with a slot for each vendor's numbers, and what was tried in each."""

import os
import tempfile
import unittest
import uuid
from pathlib import Path

from cryptoki import Module, Refused, Session, mechanism
from deployment import Deployment

from mechanisms.numbers import *

slots: dict[str, "Slot"] = {}


class Slot:
    """A slot of the client's with a session, and what was tried there."""

    def __init__(self, label: str, number: int, session: Session, profile: str, deployment: Deployment) -> None:
        self.label, self.number, self.session, self.deployment = label, number, session, deployment
        self.profile = PROFILES[profile]
        self.tried: dict[int, list[tuple[str, str]]] = {}

    def was_tried(self, kind: int, use: str, judge: str) -> None:
        self.tried.setdefault(kind, []).append((use, judge))

    def beside(self) -> Session:
        """Another session of the same user."""
        return self.session.module.session_beside(self.number)

    def pair(self, kind: int, public: dict, use: int) -> tuple[int, int]:
        """A key pair to stay; `use` is the private key's."""
        name = uuid.uuid4().hex
        both = {TOKEN: True, ID: bytes.fromhex(name), LABEL: f"mechanisms-{name}".encode()}
        half = {SIGN: VERIFY, DECRYPT: ENCRYPT, DERIVE: None}[use]
        public = {**both, **({half: True} if half else {}), **public}
        private = {**both, PRIVATE: True, SENSITIVE: True, EXTRACTABLE: False, use: True}
        made = self.session.generate_pair(mechanism(kind), public, private)
        self.was_tried(kind, "makes key pairs", "their use")
        return made

    def secret(self, kind: int, attributes: dict) -> int:
        """A secret key to stay."""
        name = uuid.uuid4().hex
        named = {TOKEN: True, ID: bytes.fromhex(name), LABEL: f"mechanisms-{name}".encode()}
        key = self.session.generate(mechanism(kind), {**named, PRIVATE: True, SENSITIVE: True, **attributes})
        self.was_tried(kind, "makes keys", "their use")
        return key

    def imported(self, algorithm: str, purpose: str, value: bytes) -> int:
        """A secret key that the tests know, brought in as officers do."""
        name = f"{algorithm}-{uuid.uuid4().hex[:12]}"
        with tempfile.NamedTemporaryFile() as file:
            file.write(value)
            file.flush()
            self.deployment.chancery(
                "keys", "import", f"organizations/org1/keys/{name}", "--in", file.name, "--algorithm", algorithm,
                "--purpose", purpose, "--protection", "enclave", "--owner", "peer0", "--unattested",
                client="org1-security",
            )
        (found,) = self.session.find({CLASS: SECRET_KEY, LABEL: name.encode()})
        return found


# Nodes make signing keys only, unless their organization says otherwise.
POLICY = """
@id("peers-make-keys")
permit (principal, action == Chancery::Action::"CreateKey", resource)
when { principal.role == Chancery::Role::"peer" && context.owner == principal };
"""
CONFIGURATION = """
[[slot]]
label = "{label}"
organization = "organizations/org1"
protection = "{protection}"
sm2 = "{sm2}"
quirks = [{quirks}]
"""
# What SoftHSM has is tried in it; all else in the enclave.
SLOTS = [
    ("token", "token", "sansec", ""),
    ("enclave", "enclave", "sansec", ""),
    ("ibm", "enclave", "ibm", ""),
    ("westone", "enclave", "westone", ""),
    ("der", "enclave", "sansec", '"ecdsa_der", "ecdsa_low_s", "overlapping_signatures"'),
]
WHOLE = ["enclave", "ibm", "westone"]


def start() -> None:
    """A deployment with a client that has these slots, and the module in this process."""
    deployment = Deployment()
    unittest.addModuleCleanup(deployment.stop)
    policy = deployment.directory / "mechanisms.cedar"
    policy.write_text(POLICY)
    deployment.chancery("policy", "set", "org1", "--in", policy, "--confirm", "org1", client="org1-security")
    home = deployment.directory / "clients" / "org1-peer0"
    text = (home / "pkcs11.toml").read_text().split("[[slot]]")[0]
    for label, protection, profile, quirks in SLOTS:
        text += CONFIGURATION.format(label=label, protection=protection, sm2=profile, quirks=quirks)
    (home / "mechanisms.toml").write_text(text)
    os.environ["CHANCERY_PKCS11_CONF"] = str(home / "mechanisms.toml")
    module = Module(Path(os.environ["CHANCERYD"]).with_name("libchancery_pkcs11.so"))
    unittest.addModuleCleanup(module.call, "Finalize", None)
    numbers = module.slots()
    for label, _, profile, _ in SLOTS:
        slots[label] = Slot(label, numbers[label], module.session(numbers[label], "1234"), profile, deployment)


def uncovered(point: bytes) -> bytes:
    """What an OCTET STRING in DER holds."""
    header = 3 if point[1] == 0x81 else 2
    assert point[0] == 4 and len(point) == header + point[header - 1], point.hex()
    return point[header:]


class Case(unittest.TestCase):
    def refused(self, value: int, call, *arguments) -> None:
        with self.assertRaises(Refused) as raised:
            call(*arguments)
        self.assertEqual(hex(raised.exception.value), hex(value), raised.exception)

    def verifies(self, slot: Slot, kind, public: int, signature: bytes, *parts: bytes) -> None:
        """The module says so, and that no other data, signature or length is right."""
        verify = slot.session.verify
        self.assertEqual(verify(kind, public, signature, *parts), OK)
        other = bytes([parts[0][0] ^ 1]) + parts[0][1:]
        self.assertNotEqual(verify(kind, public, signature, other, *parts[1:]), OK)
        changed = signature[:-1] + bytes([signature[-1] ^ 1])
        self.assertEqual(verify(kind, public, changed, *parts), SIGNATURE_INVALID)
        self.assertEqual(verify(kind, public, signature + bytes(8), *parts), SIGNATURE_LEN_RANGE)

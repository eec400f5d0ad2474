"""What a session has under way (PKCS#11 v3.0 §5.2), and what it costs the service."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from ctypes import byref, c_ulong, create_string_buffer

from cryptography.hazmat.primitives.asymmetric import ec

from chancery.v1 import audit_pb2, audit_pb2_grpc
from cryptoki import ecdh, mechanism, oaep
from test_algorithms import ORGANIZATION

from mechanisms.numbers import *
from mechanisms.slots import Case, slots


class Operations(Case):
    def setUp(self) -> None:
        self.slot = slots["enclave"]
        self.session = self.slot.beside()
        self.public, self.private = self.slot.pair(0x1040, {EC_PARAMS: CURVES[ec.SECP256R1]}, SIGN)
        self.digest = hashlib.sha256(MESSAGE).digest()

    def begin(self, kind: int = 0x1041) -> None:
        self.session.call("SignInit", byref(mechanism(kind)), self.private)

    def sign(self, room: int | None) -> tuple[int, int]:
        length = c_ulong(room or 0)
        buffer = None if room is None else create_string_buffer(room or 1)
        return self.session.answer("Sign", self.digest, 32, buffer, byref(length)), length.value

    def test_lengths_are_told_and_nothing_ends(self) -> None:
        self.begin()
        for _ in range(3):
            self.assertEqual(self.sign(None), (OK, 64))
            for room in (0, 63):
                self.assertEqual(self.sign(room), (BUFFER_TOO_SMALL, 64))
        self.assertEqual(self.sign(384), (OK, 64))
        self.assertEqual(self.sign(384)[0], NOT_INITIALIZED)

    def records(self) -> int:
        """How many records there are of the key's use."""
        key = self.session.attribute(self.private, UNIQUE_ID).decode().split("/versions/")[0]
        auditor = audit_pb2_grpc.AuditServiceStub(self.slot.deployment.channel("org1-auditor"))
        count, token = 0, ""
        while True:
            request = audit_pb2.ListRecordsRequest(parent=ORGANIZATION, key=key, page_size=100, page_token=token)
            page = auditor.ListRecords(request, timeout=60)
            count += sum(record.action == "Sign" for record in page.records)
            token = page.next_page_token
            if not token:
                return count

    def test_a_signature_is_one_request_and_all_else_none(self) -> None:
        self.begin()
        for room in (None, 0, 63):
            self.sign(room)
        self.assertEqual(self.records(), 0)
        signature = self.session.output("Sign", self.digest, 32)
        self.assertEqual(self.records(), 1)
        self.verifies(self.slot, mechanism(0x1041), self.public, signature, self.digest)
        self.assertEqual(self.session.digest(mechanism(0x250), MESSAGE), self.digest)
        found = self.session.find({CLASS: PRIVATE_KEY, ID: self.session.attribute(self.public, ID)})
        self.assertEqual(found, [self.private])
        self.assertEqual(self.records(), 1)

    def test_one_operation_of_a_kind_at_a_time(self) -> None:
        self.begin()
        self.refused(OPERATION_ACTIVE, self.begin)
        self.assertEqual(self.session.digest(mechanism(0x250), MESSAGE), self.digest)
        # A null mechanism ends it.
        self.session.call("SignInit", None, 0)
        self.assertEqual(self.sign(64)[0], NOT_INITIALIZED)
        self.begin()
        self.assertEqual(self.sign(64), (OK, 64))

    def test_an_operation_is_one_threads(self) -> None:
        for _ in range(20):
            self.begin()
            with ThreadPoolExecutor(8) as threads:
                answers = list(threads.map(lambda _: self.sign(64)[0], range(8)))
            self.assertEqual(sorted(answers), [OK] + [NOT_INITIALIZED] * 7)

    def test_an_error_ends_it(self) -> None:
        self.begin()
        length = c_ulong(64)
        answer = self.session.answer("Sign", bytes(65), 65, create_string_buffer(64), byref(length))
        self.assertEqual(answer, DATA_LEN_RANGE)
        self.assertEqual(self.sign(64)[0], NOT_INITIALIZED)

    def test_parts_are_not_mixed_with_a_whole(self) -> None:
        self.begin(0x1044)
        self.session.call("SignUpdate", MESSAGE, len(MESSAGE))
        self.assertEqual(self.sign(64)[0], NOT_INITIALIZED)
        self.assertEqual(self.session.answer("SignUpdate", MESSAGE, len(MESSAGE)), NOT_INITIALIZED)

    def test_keys_do_what_they_are_for(self) -> None:
        for kind, key, value in (
            (0x1041, self.public, KEY_NOT_PERMITTED),
            (0x1, self.private, TYPE_INCONSISTENT),
            (0x1057, self.private, TYPE_INCONSISTENT),
            (0x1041, 0x7FFFFFFF, 0x60),
            (0x1050, self.private, 0x70),
            (0x12345, self.private, 0x70),
        ):
            self.refused(value, self.session.call, "SignInit", byref(mechanism(kind)), key)
        self.refused(KEY_NOT_PERMITTED, self.session.call, "VerifyInit", byref(mechanism(0x1041)), self.private)
        self.refused(TYPE_INCONSISTENT, self.session.call, "DecryptInit", byref(mechanism(0x9, oaep(0x250, 2, b""))),
                     self.private)
        self.refused(KEY_NOT_PERMITTED, self.session.derive, mechanism(0x1050, ecdh(1, b"", b"")), self.private, {})

    def test_a_brought_public_key_verifies(self) -> None:
        point, parameters = (self.session.attribute(self.public, kind) for kind in (EC_POINT, EC_PARAMS))
        signature = self.session.sign(mechanism(0x1041), self.private, self.digest)
        brought = self.session.create(
            {CLASS: 2, KEY_TYPE: 3, TOKEN: False, VERIFY: True, EC_PARAMS: parameters, EC_POINT: point}
        )
        self.verifies(self.slot, mechanism(0x1041), brought, signature, self.digest)

    def test_overlapping_signatures(self) -> None:
        slot = slots["der"]
        session = slot.beside()
        _, private = slot.pair(0x1040, {EC_PARAMS: CURVES[ec.SECP256R1]}, SIGN)
        for _ in range(3):
            session.call("SignInit", byref(mechanism(0x1041)), private)
        other = byref(mechanism(0x1044))
        self.refused(OPERATION_ACTIVE, session.call, "SignInit", other, private)
        for _ in range(3):
            session.output("Sign", self.digest, 32)
        length = c_ulong(99)
        self.assertEqual(
            session.answer("Sign", self.digest, 32, create_string_buffer(99), byref(length)), NOT_INITIALIZED
        )

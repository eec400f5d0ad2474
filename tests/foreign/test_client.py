"""Chancery's API as a stranger's gRPC stack sees it: only the .proto files and the certificates are ours.

Signatures are judged by the `cryptography` package, errors by Google's own message definitions.
"""

import base64
import hashlib
import unittest
import uuid

import grpc
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from grpc_status import rpc_status

from chancery.audit.v1 import record_pb2
from chancery.v1 import audit_pb2, audit_pb2_grpc, keys_pb2, keys_pb2_grpc, signing_pb2, signing_pb2_grpc
from chancery.v1 import resources_pb2 as words
from deployment import Deployment

ORGANIZATION = "organizations/org1"
KEY = f"{ORGANIZATION}/keys/peer0"
VERSION = f"{KEY}/versions/1"
# No call here takes long; one that hangs fails.
SECONDS = 30
STREAMED = 500

deployment: Deployment


def setUpModule() -> None:
    global deployment
    deployment = Deployment()
    unittest.addModuleCleanup(end)
    keys = keys_pb2_grpc.KeyServiceStub(deployment.channel("org1-security"))
    keys.CreateKey(
        keys_pb2.CreateKeyRequest(
            parent=ORGANIZATION,
            key_id="peer0",
            key=words.Key(owner=f"{ORGANIZATION}/principals/peer0", algorithm=words.EC_P256),
            request_id=new_id(),
        ),
        timeout=SECONDS,
    )


def end() -> None:
    code = deployment.stop()
    assert code == 0, f"chanceryd ended with {code} on SIGTERM"


def new_id() -> str:
    return str(uuid.uuid4())


def signing(client: str) -> signing_pb2_grpc.SigningServiceStub:
    return signing_pb2_grpc.SigningServiceStub(deployment.channel(client))


def sha256(message: bytes) -> signing_pb2.Digest:
    return signing_pb2.Digest(hash=words.SHA256, value=hashlib.sha256(message).digest())


def sign_request(message: bytes, **fields) -> signing_pb2.SignRequest:
    return signing_pb2.SignRequest(**{"name": KEY, "digest": sha256(message), "request_id": new_id()} | fields)


def crc32c(data: bytes) -> int:
    """CRC-32C bit by bit (RFC 3720 appendix B.4)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def public_key(stub: signing_pb2_grpc.SigningServiceStub) -> ec.EllipticCurvePublicKey:
    answer = stub.GetPublicKey(signing_pb2.GetPublicKeyRequest(name=KEY), timeout=SECONDS)
    return serialization.load_der_public_key(answer.der)


def details(test: unittest.TestCase, error: grpc.RpcError) -> tuple[error_details_pb2.ErrorInfo, list[str]]:
    """The one ErrorInfo in grpc-status-details-bin, and the fields that BadRequest names."""
    return unpack(test, rpc_status.from_call(error))


def unpack(test: unittest.TestCase, status) -> tuple[error_details_pb2.ErrorInfo, list[str]]:
    test.assertIsNotNone(status, "the error has no google.rpc.Status")
    infos, fields = [], []
    for detail in status.details:
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            infos.append(error_details_pb2.ErrorInfo())
            detail.Unpack(infos[-1])
        elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
            bad = error_details_pb2.BadRequest()
            detail.Unpack(bad)
            fields += [violation.field for violation in bad.field_violations]
    test.assertEqual([info.domain for info in infos], ["chancery"])
    test.assertIn(infos[0].metadata["retryable"], ("true", "false"))
    return infos[0], fields


class Signing(unittest.TestCase):
    def setUp(self) -> None:
        self.peer = signing("org1-peer0")

    def fails(self, call) -> grpc.RpcError:
        with self.assertRaises(grpc.RpcError) as raised:
            call()
        return raised.exception

    def test_a_digest_is_signed_and_verifies(self) -> None:
        digest = sha256(b"block 1")
        answer = self.peer.Sign(sign_request(b"block 1", input_crc32c=crc32c(digest.value)), timeout=SECONDS)
        self.assertEqual(answer.name, VERSION)
        self.assertTrue(answer.verified_input_crc32c)
        self.assertEqual(answer.signature_crc32c, crc32c(answer.signature))
        key = public_key(self.peer)
        key.verify(answer.signature, digest.value, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
        with self.assertRaises(InvalidSignature):
            key.verify(answer.signature, bytes(32), ec.ECDSA(utils.Prehashed(hashes.SHA256())))
        # Low s is the default for DER.
        _, s = utils.decode_dss_signature(answer.signature)
        self.assertLessEqual(s, 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551 // 2)

    def test_a_message_is_hashed_and_signed(self) -> None:
        request = signing_pb2.SignRequest(name=KEY, message=b"block 2", request_id=new_id(), format=words.RAW)
        answer = self.peer.Sign(request, timeout=SECONDS)
        self.assertEqual(len(answer.signature), 64)
        r, s = (int.from_bytes(half) for half in (answer.signature[:32], answer.signature[32:]))
        public_key(self.peer).verify(utils.encode_dss_signature(r, s), b"block 2", ec.ECDSA(hashes.SHA256()))

    def test_verify_tells_a_good_signature_from_a_bad_one(self) -> None:
        answer = self.peer.Sign(sign_request(b"block 3"), timeout=SECONDS)
        for message, valid in ((b"block 3", True), (b"block 4", False)):
            request = signing_pb2.VerifyRequest(name=KEY, digest=sha256(message), signature=answer.signature)
            self.assertEqual(self.peer.Verify(request, timeout=SECONDS).valid, valid)

    def test_a_stream_answers_every_request_and_survives_a_bad_one(self) -> None:
        messages = {new_id(): f"transaction {number}".encode() for number in range(STREAMED)}
        bad = new_id()

        def requests():
            for number, (request_id, message) in enumerate(messages.items()):
                yield sign_request(message, request_id=request_id)
                if number == STREAMED // 2:
                    yield sign_request(b"", name=f"{ORGANIZATION}/keys/none", request_id=bad)

        answers = list(self.peer.SignStream(requests(), timeout=4 * SECONDS))
        self.assertEqual(sorted(answer.request_id for answer in answers), sorted([*messages, bad]))
        key = public_key(self.peer)
        for answer in answers:
            if answer.request_id == bad:
                info, _ = unpack(self, answer.error)
                self.assertEqual((answer.error.code, info.reason), (grpc.StatusCode.PERMISSION_DENIED.value[0], "DENIED"))
            else:
                self.assertEqual(answer.WhichOneof("result"), "response", answer)
                key.verify(answer.response.signature, messages[answer.request_id], ec.ECDSA(hashes.SHA256()))

    def test_the_same_request_id_gives_the_same_answer(self) -> None:
        request = sign_request(b"block 5")
        first = self.peer.Sign(request, timeout=SECONDS)
        again = self.peer.Sign(request, timeout=SECONDS)
        # ECDSA in the token is randomized: an equal signature was not made twice.
        self.assertEqual(again.signature, first.signature)
        self.assertEqual((first.replayed, again.replayed), (False, True))

        other = sign_request(b"block 6", request_id=request.request_id)
        info, _ = details(self, self.fails(lambda: self.peer.Sign(other, timeout=SECONDS)))
        self.assertEqual(info.reason, "REQUEST_ID_REUSED")

    def test_another_organization_is_denied_whether_the_key_exists_or_not(self) -> None:
        stranger = signing("org2-peer0")
        for key in (KEY, f"{ORGANIZATION}/keys/none"):
            error = self.fails(lambda: stranger.Sign(sign_request(b"mine", name=key), timeout=SECONDS))
            self.assertEqual(error.code(), grpc.StatusCode.PERMISSION_DENIED)
            info, _ = details(self, error)
            self.assertEqual((info.reason, info.metadata["retryable"]), ("DENIED", "false"))

    def test_a_digest_of_the_wrong_length_is_rejected_by_field(self) -> None:
        short = signing_pb2.Digest(hash=words.SHA256, value=bytes(31))
        error = self.fails(lambda: self.peer.Sign(sign_request(b"", digest=short), timeout=SECONDS))
        self.assertEqual(error.code(), grpc.StatusCode.INVALID_ARGUMENT)
        _, fields = details(self, error)
        self.assertTrue(any(field.startswith("digest") for field in fields), fields)


class Audit(unittest.TestCase):
    def setUp(self) -> None:
        self.auditor = audit_pb2_grpc.AuditServiceStub(deployment.channel("org1-auditor"))

    def test_the_log_has_the_signature_that_was_released(self) -> None:
        answer = signing("org1-peer0").Sign(sign_request(b"block 7"), timeout=SECONDS)
        found, token = [], ""
        while True:
            request = audit_pb2.ListRecordsRequest(parent=ORGANIZATION, key=KEY, page_size=100, page_token=token)
            page = self.auditor.ListRecords(request, timeout=SECONDS)
            found += [record for record in page.records if record.index == answer.record_index]
            token = page.next_page_token
            if not token:
                break
        self.assertEqual(len(found), 1)
        record = found[0]
        self.assertEqual(record.signature, answer.signature)
        self.assertEqual(record.digest, hashlib.sha256(b"block 7").digest())
        self.assertEqual((record.action, record.resource), ("Sign", VERSION))
        self.assertEqual((record.principal.organization, record.principal.name), ("org1", "peer0"))
        self.assertEqual((record.kind, record.outcome), (record_pb2.OUTCOME, record_pb2.SUCCEEDED))
        self.assertTrue(record.policy_ids)

    def test_the_checkpoint_is_signed_by_the_published_key(self) -> None:
        checkpoint = self.auditor.GetCheckpoint(audit_pb2.GetCheckpointRequest(), timeout=SECONDS)
        # C2SP signed-note: text, empty line, "— name base64(key id ‖ signature)".
        text, _, signatures = checkpoint.note.rpartition("\n\n")
        text += "\n"
        origin, size, root = text.split("\n")[:3]
        self.assertEqual((int(size), base64.b64decode(root)), (checkpoint.size, checkpoint.root))

        name, key_id, key = (deployment.directory / "audit.vkey").read_text().strip().split("+", 2)
        key = base64.b64decode(key)
        self.assertEqual(key_id, hashlib.sha256(f"{name}\n".encode() + key).hexdigest()[:8])
        self.assertEqual(origin, name)
        self.assertEqual(key[0], 0x01, "SoftHSM has Ed25519, so the audit key must be that")
        blobs = [line.split(" ")[2] for line in signatures.splitlines() if line.startswith(f"— {name} ")]
        self.assertEqual(len(blobs), 1, signatures)
        blob = base64.b64decode(blobs[0])
        self.assertEqual(blob[:4].hex(), key_id)
        ed25519.Ed25519PublicKey.from_public_bytes(key[1:]).verify(blob[4:], text.encode())


class Service(unittest.TestCase):
    def setUp(self) -> None:
        self.channel = deployment.channel("org1-client")

    def test_health_says_serving(self) -> None:
        health = health_pb2_grpc.HealthStub(self.channel)
        answer = health.Check(health_pb2.HealthCheckRequest(), timeout=SECONDS)
        self.assertEqual(answer.status, health_pb2.HealthCheckResponse.SERVING)

    def test_reflection_lists_the_services(self) -> None:
        # Version 1 of the protocol: the Python package has only v1alpha, whose messages are the same.
        reflect = self.channel.stream_stream(
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        (answer,) = reflect(iter([request]), timeout=SECONDS)
        listed = {service.name for service in answer.list_services_response.service}
        ours = {f"chancery.v1.{name}Service" for name in ("Signing", "Key", "Certificate", "Audit")}
        self.assertLessEqual(ours | {"grpc.health.v1.Health"}, listed)

    def test_nobody_gets_in_without_a_certificate(self) -> None:
        health = health_pb2_grpc.HealthStub(deployment.channel("org1-client", anonymous=True))
        with self.assertRaises(grpc.RpcError) as raised:
            health.Check(health_pb2.HealthCheckRequest(), timeout=SECONDS)
        self.assertEqual(raised.exception.code(), grpc.StatusCode.UNAVAILABLE)

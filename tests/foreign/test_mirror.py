"""The log as another implementation of C2SP's transparency logs reads it: aics-tlog, which knows nothing of Chancery.

It fetches checkpoint and tiles over HTTPS, and judges signatures, cosignatures, receipts and consistency proofs. Whatever
was changed it must refuse, or these tests would prove nothing.
"""

import base64
import dataclasses
import hashlib
import os
import tempfile
import time
import unittest
import uuid
from pathlib import Path

import aics_tlog as tlog
import grpc

from chancery.audit.v1 import record_pb2
from chancery.v1 import audit_pb2, audit_pb2_grpc, keys_pb2, keys_pb2_grpc, signing_pb2, signing_pb2_grpc
from chancery.v1 import resources_pb2 as words
from deployment import Deployment

ORGANIZATION = "organizations/org1"
KEY = f"{ORGANIZATION}/keys/mirrored"
SECONDS = 30
# More records than a tile is wide.
SIGNATURES = 280

deployment: Deployment
audit: audit_pb2_grpc.AuditServiceStub
log_key: tlog.VKey
witness_key: tlog.VKey
early: tlog.Checkpoint
# The records of the last two signatures.
other: int
last: int


def setUpModule() -> None:
    global deployment, audit, log_key, witness_key, early, other, last
    deployment = Deployment()
    unittest.addModuleCleanup(deployment.stop)
    own = tempfile.TemporaryDirectory()
    unittest.addModuleCleanup(own.cleanup)
    key, state = Path(own.name, "witness.key"), Path(own.name, "state")
    # Prints the witness's line of a policy: witness NAME VKEY.
    line = deployment.chancery("audit", "witness", "init", "--organization", "org1", "--key", key, "--state", state)
    witness_key = tlog.parse_vkey(line.split()[2])
    (deployment.directory / "witnesses.policy").write_text(f"{line}quorum org1\n")
    deployment.restart('\n[mirror]\nlisten = "127.0.0.1:0"\n\n[witnesses]\npolicy = "witnesses.policy"\n')
    log_key = tlog.parse_vkey((deployment.directory / "audit.vkey").read_text().strip())
    audit = audit_pb2_grpc.AuditServiceStub(deployment.channel("org1-auditor"))

    def cosign() -> None:
        log = deployment.directory / "audit.vkey"
        deployment.chancery("audit", "witness", "run", "--once", "--key", key, "--state", state, "--log-key", log)

    cosign()
    early = tlog.parse_checkpoint(tlog.parse_note(reader().read_checkpoint()).text)
    other, last = sign()
    # Waits for a checkpoint that covers the last signature; then for one that the witness cosigned.
    audit.GetInclusionProof(audit_pb2.GetInclusionProofRequest(index=last), timeout=SECONDS)
    deadline = time.monotonic() + SECONDS
    while True:
        cosign()
        try:
            witnessed(last)
            break
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.FAILED_PRECONDITION or time.monotonic() > deadline:
                raise


def sign() -> list[int]:
    """Fills more than a tile; the records of the last two signatures."""
    keys_pb2_grpc.KeyServiceStub(deployment.channel("org1-security")).CreateKey(
        keys_pb2.CreateKeyRequest(
            parent=ORGANIZATION,
            key_id="mirrored",
            key=words.Key(owner=f"{ORGANIZATION}/principals/peer0", algorithm=words.EC_P256),
            request_id=str(uuid.uuid4()),
        ),
        timeout=SECONDS,
    )
    signing = signing_pb2_grpc.SigningServiceStub(deployment.channel("org1-peer0"))
    digest = signing_pb2.Digest(hash=words.SHA256, value=hashlib.sha256(b"mirrored").digest())
    requests = (
        signing_pb2.SignRequest(name=KEY, digest=digest, request_id=str(uuid.uuid4())) for _ in range(SIGNATURES)
    )
    calls = [signing.Sign.future(request, timeout=SECONDS) for request in requests]
    return sorted(call.result().record_index for call in calls)[-2:]


def reader() -> tlog.HttpTileReader:
    """Of the mirror; it trusts the deployment's CA and no other."""
    os.environ["SSL_CERT_FILE"] = str(deployment.directory / "clients/org1-auditor/ca.pem")
    return tlog.HttpTileReader(f"https://{deployment.mirror}/", proxies={})


def witnessed(index: int) -> audit_pb2.InclusionProof:
    return audit.GetInclusionProof(audit_pb2.GetInclusionProofRequest(index=index, witnessed=True), timeout=SECONDS)


class Receipt:
    """A tlog-proof, read by docs/audit-log.md §10."""

    def __init__(self, text: str) -> None:
        head, note = text.split("\n\n", 1)
        kind, extra, index, *path = head.split("\n")
        assert kind == "c2sp.org/tlog-proof@v1" and extra.startswith("extra ") and index.startswith("index ")
        self.record = base64.b64decode(extra.removeprefix("extra "), validate=True)
        self.index = int(index.removeprefix("index "))
        self.path = [base64.b64decode(line, validate=True) for line in path]
        self.note = tlog.parse_note(note)
        self.checkpoint = tlog.parse_checkpoint(self.note.text)

    def leads(self, record: bytes, index: int) -> bool:
        """Whether the path leads from this record at this index to the signed root."""
        signed = self.checkpoint
        return tlog.verify_leaf_inclusion(record, index, signed.size, self.path, signed.root)


class Liar:
    """Hands on what a mirror serves, but for one tile."""

    def __init__(self, level: int, index: int, change) -> None:
        self.tile, self.change, self.inner, self.changed = (level, index), change, reader(), 0

    def read_tile(self, level: int, index: int, width: int | None) -> bytes | None:
        data = self.inner.read_tile(level, index, width)
        if data is None or (level, index) != self.tile:
            return data
        self.changed += 1
        return self.change(data)


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


class Mirror(unittest.TestCase):
    def setUp(self) -> None:
        self.note = tlog.parse_note(reader().read_checkpoint())
        self.checkpoint = tlog.parse_checkpoint(self.note.text)

    def test_the_checkpoint_is_the_logs_and_the_tiles_are_its_tree(self) -> None:
        found = tlog.verify_checkpoint(self.note, log_key, expected_origin=log_key.name)
        self.assertTrue(found.ok, found.error)
        self.assertGreater(self.checkpoint.size, last)
        size, root = self.checkpoint.size, self.checkpoint.root
        self.assertEqual(tlog.tree_root_from_tiles(reader(), size), root)
        # Every tile: full ones, the right edge, and the level above.
        self.assertGreaterEqual(tlog.audit_tiles(reader(), size, root, entries=False).tiles, 3)

    def test_a_changed_checkpoint_is_refused(self) -> None:
        larger = dataclasses.replace(self.checkpoint, size=self.checkpoint.size + 1).text()
        self.assertFalse(tlog.verify_checkpoint(dataclasses.replace(self.note, text=larger), log_key).ok)

    def test_tampered_tiles_and_swapped_leaves_are_refused(self) -> None:
        swapped = lambda data: data[32:64] + data[:32] + data[64:]  # noqa: E731
        lies = [(0, 0, swapped), (0, 1, swapped)]
        lies += [(level, index, lambda data: flipped(data, 5)) for level, index in ((0, 0), (0, 1), (1, 0))]
        for level, index, change in lies:
            liar = Liar(level, index, change)
            with self.assertRaises(tlog.TileVerificationError, msg=f"{level}/{index}"):
                tlog.audit_tiles(liar, self.checkpoint.size, self.checkpoint.root, entries=False)
            self.assertGreater(liar.changed, 0, f"{level}/{index} was not read")

    def test_without_the_deployments_ca_nothing_is_read(self) -> None:
        stranger = reader()
        with tempfile.NamedTemporaryFile() as nobody:
            os.environ["SSL_CERT_FILE"] = nobody.name
            with self.assertRaisesRegex(tlog.TileUnavailableError, "CERTIFICATE_VERIFY_FAILED"):
                stranger.read_checkpoint()

    def test_the_log_has_only_grown(self) -> None:
        asked = audit_pb2.GetConsistencyProofRequest(old_size=early.size, new_size=self.checkpoint.size)
        hashes = list(audit.GetConsistencyProof(asked, timeout=SECONDS).hashes)
        self.assertLess(early.size, self.checkpoint.size)
        self.assertEqual(hashes, tlog.consistency_proof_from_tiles(reader(), early.size, self.checkpoint.size))

        def grown(old: bytes, proof: list[bytes]) -> bool:
            return tlog.verify_consistency(early.size, self.checkpoint.size, old, self.checkpoint.root, proof)

        self.assertTrue(grown(early.root, hashes))
        self.assertFalse(grown(flipped(early.root, 0), hashes))
        for at in range(len(hashes)):
            self.assertFalse(grown(early.root, [*hashes[:at], flipped(hashes[at], 31), *hashes[at + 1 :]]))


class Receipts(unittest.TestCase):
    def setUp(self) -> None:
        self.answer = witnessed(last)
        self.receipt = Receipt(self.answer.receipt)
        self.cosigned = tlog.parse_note(self.answer.cosignatures)

    def test_a_receipt_leads_to_what_the_log_signed(self) -> None:
        found = tlog.verify_checkpoint(self.receipt.note, log_key)
        self.assertTrue(found.ok, found.error)
        self.assertTrue(self.receipt.leads(self.receipt.record, last))
        record = record_pb2.Record.FromString(self.receipt.record)
        self.assertEqual((record.index, record.action, self.receipt.index), (last, "Sign", last))
        size = self.receipt.checkpoint.size
        self.assertEqual(self.receipt.path, tlog.inclusion_proof_from_tiles(reader(), last, size))

    def test_another_record_another_place_and_a_changed_byte_are_refused(self) -> None:
        neighbour = Receipt(witnessed(other).receipt)
        self.assertTrue(neighbour.leads(neighbour.record, other))
        self.assertFalse(self.receipt.leads(neighbour.record, last))
        self.assertFalse(self.receipt.leads(self.receipt.record, other))
        self.assertFalse(self.receipt.leads(flipped(self.receipt.record, 3), last))

    def test_the_witness_cosigned_it(self) -> None:
        found = tlog.verify_checkpoint(self.cosigned, log_key, [witness_key], 1, max_age_seconds=3600)
        self.assertTrue(found.ok, found.error)
        self.assertEqual(found.witnesses, [witness_key.name])
        self.assertEqual(self.cosigned.text, self.receipt.note.text)
        # The receipt itself has the log's line only.
        self.assertFalse(tlog.verify_checkpoint(self.receipt.note, log_key, [witness_key], 1).ok)

    def test_a_changed_cosignature_is_refused(self) -> None:
        # Its first byte, the last of its time, and the signature's last.
        for at in (0, 7, 71):
            lines = [
                dataclasses.replace(line, signature=flipped(line.signature, at))
                if line.key_id == witness_key.key_id
                else line
                for line in self.cosigned.signatures
            ]
            note = dataclasses.replace(self.cosigned, signatures=tuple(lines))
            self.assertNotEqual(note, self.cosigned)
            found = tlog.verify_checkpoint(note, log_key, [witness_key], 1)
            self.assertTrue(found.log_ok)
            self.assertIn("failed verification", found.error)


if __name__ == "__main__":
    unittest.main()

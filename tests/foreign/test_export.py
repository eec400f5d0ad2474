"""`chancery audit export` as other programs read it.

CEF is parsed by pycef, OTLP by OpenTelemetry's own messages through protobuf's JSON reader, JSON lines by Python's json.
"""

import json
import unittest
import uuid

import pycef
from google.protobuf import json_format
from opentelemetry.proto.logs.v1 import logs_pb2

from chancery.audit.v1 import record_pb2
from chancery.v1 import keys_pb2, keys_pb2_grpc, signing_pb2, signing_pb2_grpc
from chancery.v1 import resources_pb2 as words
from deployment import Deployment

ORGANIZATION = "organizations/org1"
KEY = f"{ORGANIZATION}/keys/exported"
SECONDS = 30
SIGNATURES = 5

deployment: Deployment


def setUpModule() -> None:
    global deployment
    deployment = Deployment()
    unittest.addModuleCleanup(deployment.stop)
    keys = keys_pb2_grpc.KeyServiceStub(deployment.channel("org1-security"))
    keys.CreateKey(
        keys_pb2.CreateKeyRequest(
            parent=ORGANIZATION,
            key_id="exported",
            key=words.Key(owner=f"{ORGANIZATION}/principals/peer0", algorithm=words.EC_P256),
            request_id=str(uuid.uuid4()),
        ),
        timeout=SECONDS,
    )
    signing = signing_pb2_grpc.SigningServiceStub(deployment.channel("org1-peer0"))
    for _ in range(SIGNATURES):
        signing.Sign(
            signing_pb2.SignRequest(
                name=KEY,
                digest=signing_pb2.Digest(hash=words.SHA256, value=bytes(32)),
                request_id=str(uuid.uuid4()),
            ),
            timeout=SECONDS,
        )


def export(form: str) -> list[str]:
    return deployment.chancery("audit", "export", "--format", form, "--key", KEY).splitlines()


class ExportTest(unittest.TestCase):
    def setUp(self) -> None:
        self.records = [json.loads(line) for line in export("jsonl")]

    def test_json_lines_have_the_fields_of_the_schema(self) -> None:
        self.assertEqual(len(self.records), 2 + SIGNATURES)
        fields = {field.name for field in record_pb2.Record.DESCRIPTOR.fields}
        for record in self.records:
            self.assertLessEqual(fields, record.keys())

    def test_cef_is_read_field_by_field(self) -> None:
        events = [pycef.parse(line) for line in export("cef")]
        self.assertEqual(len(events), len(self.records))
        for event, record in zip(events, self.records):
            self.assertEqual(event["CEFVersion"], "0")
            self.assertEqual((event["DeviceVendor"], event["DeviceProduct"]), ("Chancery", "chancery"))
            self.assertEqual(event["DeviceEventClassID"], record["action"])
            self.assertEqual(int(event["externalId"]), record["index"])
            self.assertEqual(int(event["rt"]), record["time_unix_nanos"] // 1_000_000)
            self.assertEqual(event["suser"], record["principal"]["name"])
            self.assertEqual(event["sntdom"], record["principal"]["organization"])
            # Under the names that the labels give.
            self.assertEqual(event["resource"], record["resource"])
            self.assertEqual(event["requestId"], record["request_id"])
            self.assertIn(int(event["Severity"]), range(11))

    def test_otlp_is_what_opentelemetry_defines(self) -> None:
        logs = []
        for line in export("otlp"):
            # Refuses fields that the schema does not have.
            data = json_format.Parse(line, logs_pb2.LogsData())
            for resource in data.resource_logs:
                self.assertEqual(resource.resource.attributes[0].value.string_value, "chancery")
                for scope in resource.scope_logs:
                    logs.extend(scope.log_records)
        self.assertEqual(len(logs), len(self.records))
        for log, record in zip(logs, self.records):
            attributes = {attribute.key: attribute.value for attribute in log.attributes}
            self.assertEqual(len(attributes), len(log.attributes), "each once")
            self.assertEqual(log.time_unix_nano, record["time_unix_nanos"])
            self.assertEqual(log.severity_number, logs_pb2.SEVERITY_NUMBER_INFO)
            self.assertEqual(attributes["chancery.record.index"].int_value, record["index"])
            self.assertEqual(attributes["user.name"].string_value, record["principal"]["name"])
            self.assertEqual(attributes["chancery.resource"].string_value, record["resource"])
            roles = [role.string_value for role in attributes["user.roles"].array_value.values]
            self.assertEqual(roles, [record["principal"]["role"]])


if __name__ == "__main__":
    unittest.main()

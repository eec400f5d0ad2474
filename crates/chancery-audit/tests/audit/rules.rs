//! The rules records obey: each broken once, in a log that its key signed all the same.

use chancery_audit::record::{Count, Kind, Outcome, Record};
use chancery_audit::verify::{Fault, Report, VerifyError};
use prost::Message;

use crate::sample::{self, CUTS, ORIGIN, TAIL, VERSION, checkpoint, encode, files, note, verify};

fn signed(records: &[Vec<u8>]) -> Result<Report, VerifyError> {
    verify(&files(records, &CUTS, TAIL), &note(&checkpoint(records)))
}

/// The sample with record `at` changed, signed.
fn with(at: usize, change: impl FnOnce(&mut Record)) -> Result<Report, VerifyError> {
    let mut records = sample::records();
    change(&mut records[at]);
    signed(&encode(&records))
}

#[track_caller]
fn refused(at: usize, fault: Fault, change: impl FnOnce(&mut Record)) {
    let error = with(at, change).unwrap_err();
    assert_eq!((error.record, error.fault), (at as u64, fault));
}

#[test]
fn the_first_record_is_the_genesis() {
    refused(0, Fault::NoGenesis, |r| r.kind = Kind::StateChange as i32);
    refused(4, Fault::SecondGenesis, |r| {
        *r = Record { genesis: Some(sample::genesis()), ..sample::record(4, Kind::Genesis) }
    });
    refused(0, Fault::Payload { field: "genesis" }, |r| r.genesis = None);
    refused(4, Fault::Payload { field: "genesis" }, |r| r.genesis = Some(sample::genesis()));
    refused(0, Fault::GenesisOrigin { name: ORIGIN.into() }, |r| r.genesis.as_mut().unwrap().origins[0].push('x'));
    refused(0, Fault::GenesisKey { found: "x".into() }, |r| r.genesis.as_mut().unwrap().audit_vkey = "x".into());
}

#[test]
fn kinds_and_their_messages_go_together() {
    refused(9, Fault::NoKind, |r| r.kind = 0);
    refused(1, Fault::Payload { field: "policy_set" }, |r| r.policy_set = None);
    refused(6, Fault::Payload { field: "statement" }, |r| r.statement = None);
    refused(7, Fault::Payload { field: "count" }, |r| r.count = None);
    refused(9, Fault::Payload { field: "count" }, |r| r.count = Some(Count::default()));
}

#[test]
fn what_later_versions_add_is_accepted() {
    assert_eq!(with(9, |r| r.kind = 99).unwrap().unknown_kinds, 1);
    let mut records = encode(&sample::records());
    records[9].extend_from_slice(&[0xfa, 0x07, 2, b'h', b'i']);
    assert!(signed(&records).is_ok());
}

#[test]
fn records_are_record_messages() {
    let mut records = encode(&sample::records());
    records[9] = b"\xff\xff not protobuf".to_vec();
    let error = signed(&records).unwrap_err();
    assert_eq!(error.record, 9);
    assert!(matches!(error.fault, Fault::Undecodable(_)));
    let wrong_index = with(9, |r| r.index = 8).unwrap_err();
    assert_eq!((wrong_index.record, wrong_index.fault), (9, Fault::Index { found: 8 }));
}

#[test]
fn lengths() {
    let wrong = |field, length, allowed| Fault::Length { field, length, allowed };
    refused(4, wrong("salt", 0, "16"), |r| r.salt.clear());
    refused(4, wrong("salt", 17, "16"), |r| r.salt.push(0));
    refused(4, wrong("request_hash", 31, "0 or 32"), |r| r.request_hash = vec![0; 31]);
    refused(4, wrong("policy_set_hash", 33, "0 or 32"), |r| r.policy_set_hash = vec![0; 33]);
    refused(4, wrong("organization_policy_set_hash", 31, "0 or 32"), |r| r.organization_policy_set_hash = vec![0; 31]);
    refused(4, wrong("digest", 31, "0 or 32"), |r| r.digest.truncate(31));
    refused(4, wrong("digest", 32, "0 or 48"), |r| r.digest_algorithm = "sha384".into());
    refused(4, wrong("digest", 1025, "at most 1024"), |r| {
        r.digest_algorithm.clear();
        r.digest = vec![0; 1025];
    });
    refused(4, wrong("signature", 65_537, "at most 65536"), |r| r.signature = vec![0; 65_537]);
    refused(4, wrong("enclave_commitment", 31, "0 or 32"), |r| r.enclave_commitment.truncate(31));
    refused(4, wrong("enclave_incarnation", 15, "0 or 16"), |r| r.enclave_incarnation.truncate(15));
    refused(4, wrong("principal.certificate_fingerprint", 20, "0 or 32"), |r| {
        r.principal.as_mut().unwrap().certificate_fingerprint.truncate(20);
    });
    refused(6, wrong("statement.running_hash", 0, "32"), |r| r.statement.as_mut().unwrap().running_hash.clear());
    refused(1, wrong("policy_set.hash", 0, "32"), |r| r.policy_set.as_mut().unwrap().hash.clear());
}

#[test]
fn intents_come_before_and_name_the_same_resource() {
    refused(3, Fault::IntentNotEarlier { intent: 3 }, |r| r.intent = 4);
    refused(3, Fault::IntentNotEarlier { intent: u64::MAX - 1 }, |r| r.intent = u64::MAX);
    refused(3, Fault::NotAnIntent { intent: 1 }, |r| r.intent = 2);
    refused(3, Fault::IntentResource { intent: 2 }, |r| r.resource.push('x'));
    let open = with(3, |r| r.intent = 0).unwrap().open_intents;
    assert_eq!(
        open.iter().map(|intent| (intent.index, &*intent.action)).collect::<Vec<_>>(),
        [(2, "CreateKey"), (10, "DestroyKey")]
    );
}

#[test]
fn enclave_operations_are_counted_once() {
    refused(8, Fault::OperationRepeated { operation: 1 }, |r| r.enclave_operation = 1);
    refused(8, Fault::NoIncarnation, |r| r.enclave_incarnation.clear());
    let another = with(8, |r| r.enclave_incarnation = vec![0xe2; 16]).unwrap();
    assert_eq!((another.enclaves.len(), another.operation_holes), (2, 2));
    refused(8, Fault::Unstated { operation: u64::MAX, since: 1 }, |r| r.enclave_operation = u64::MAX);
    refused(8, Fault::NoCommitment { operation: 3 }, |r| r.enclave_commitment.clear());
    refused(5, Fault::CommitmentAlone, |r| r.enclave_commitment = vec![1; 32]);
    let long = || "x".repeat(65_536);
    let length = |field| Fault::Length { field, length: 65_536, allowed: "at most 65535" };
    refused(8, length("resource"), |r| r.resource = long());
    refused(8, length("mechanism"), |r| r.mechanism = long());
}

#[test]
fn an_operation_is_an_outcome_of_a_version() {
    for kind in [Kind::Denial, Kind::StateChange, Kind::Intent] {
        refused(8, Fault::OperationOutsideOutcome, |r| r.kind = kind as i32);
    }
    refused(8, Fault::OperationOutsideOutcome, |r| r.kind = 99);
    for outcome in [Outcome::Unspecified, Outcome::Denied, Outcome::Replayed] {
        refused(8, Fault::OperationOutsideOutcome, |r| r.outcome = outcome as i32);
    }
    refused(8, Fault::NoMechanism, |r| r.mechanism.clear());
    for resource in ["", "organizations/org1/keys/peer0", "organizations/org1/keys//versions/1", "deployment"] {
        let resource = resource.to_owned();
        refused(8, Fault::OperationResource { resource: resource.clone() }, |r| r.resource = resource);
    }
    refused(8, Fault::OperationResource { resource: format!("{VERSION}/x") }, |r| r.resource.push_str("/x"));
}

#[test]
fn what_was_released_has_an_operation() {
    let without = |r: &mut Record| {
        r.enclave_operation = 0;
        r.enclave_commitment.clear();
    };
    refused(8, Fault::ReleasedAlone, without);
    refused(8, Fault::ReleasedAlone, |r| {
        without(r);
        r.signature.clear();
    });
    refused(8, Fault::ReleasedAlone, |r| {
        without(r);
        r.mechanism.clear();
    });
    refused(8, Fault::SignatureOfFailure, |r| r.outcome = Outcome::Unknown as i32);
    // Of records from before the enclave committed to anything, nothing is known.
    let mut records = sample::records();
    records.truncate(5);
    without(&mut records[4]);
    assert!(signed(&encode(&records)).is_ok());
}

#[test]
fn the_visitor_sees_stored_bytes() {
    let records = encode(&sample::records());
    let (files, note) = sample::log();
    let mut verifier = chancery_audit::verify::Verifier::new(sample::key(), &note).unwrap();
    let mut seen = Vec::new();
    for (name, bytes) in &files {
        verifier
            .segment_visiting(name, bytes, |record, stored| {
                assert_eq!(record, &Record::decode(stored).unwrap());
                seen.push(stored.to_vec());
            })
            .unwrap();
    }
    assert_eq!(seen, records);
}

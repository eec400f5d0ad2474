//! A small log with a record of every kind, the same bytes on every run.

use chancery_audit::checkpoint::{Checkpoint, VerifierKey};
use chancery_audit::merkle::{Frontier, Hash, leaf_hash};
use chancery_audit::operations::{Chain, statement_text};
use chancery_audit::record::{
    ContextValue, Count, Genesis, Kind, Outcome, PolicyFile, PolicySet, Principal, Record, ResourceState,
    SignatureCheck, Statement,
};
use chancery_audit::segment::{Header, append_frame, file_name};
use chancery_audit::verify::{Report, Verifier, VerifyError};
use ed25519_dalek::pkcs8::EncodePublicKey;
use ed25519_dalek::{Signer, SigningKey};
use prost::Message;
use sha2::{Digest, Sha256};

pub(crate) const ORIGIN: &str = "audit.example.org/chancery-1";
pub(crate) const CUTS: [usize; 2] = [4, 8];
pub(crate) const TAIL: usize = 64;
pub(crate) const SIGNED: usize = 9;

/// A segment's file name and bytes.
pub(crate) type File = (String, Vec<u8>);

pub(crate) fn signer() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

pub(crate) fn key_of(signer: &SigningKey, name: &str) -> VerifierKey {
    let spki = signer.verifying_key().to_public_key_der().unwrap();
    VerifierKey::from_spki(name, spki.as_bytes()).unwrap()
}

pub(crate) fn key() -> VerifierKey {
    key_of(&signer(), ORIGIN)
}

/// The enclave process of the sample.
pub(crate) const INCARNATION: [u8; 16] = [0xe1; 16];

/// What the enclave commits to for an operation.
pub(crate) fn commitment(operation: u64) -> Hash {
    Sha256::digest(operation.to_be_bytes()).into()
}

/// The resource and mechanism of the sample's operations.
pub(crate) const VERSION: &str = "organizations/org1/keys/peer0/versions/1";
pub(crate) const MECHANISM: &str = "ecdsa";

/// What the enclave states after the first operations of the sample.
pub(crate) fn statement(operations: u64) -> Statement {
    let mut chain = Chain::new(&INCARNATION);
    for n in 1..=operations {
        chain.extend(VERSION, MECHANISM, &commitment(n));
    }
    stated(operations, *chain.link())
}

/// A statement that the audit key signed, of any content.
pub(crate) fn stated(operations: u64, link: Hash) -> Statement {
    let text = statement_text(ORIGIN, &INCARNATION, operations, &link);
    Statement {
        incarnation: INCARNATION.into(),
        operations,
        running_hash: link.into(),
        signature: signer().sign(text.as_bytes()).to_bytes().into(),
    }
}

pub(crate) fn genesis() -> Genesis {
    Genesis {
        deployment: "example".into(),
        origins: vec![ORIGIN.into()],
        audit_vkey: key().to_string(),
        deployment_ca: vec![],
        token_label: "token".into(),
        token_serial: String::new(),
    }
}

pub(crate) fn record(index: u64, kind: Kind) -> Record {
    Record {
        index,
        time_unix_nanos: 1_790_000_000_000_000_000 + index as i64 * 1_000_000,
        kind: kind as i32,
        salt: vec![0xa0_u8.wrapping_add(index as u8); 16],
        ..Record::default()
    }
}

/// The sample's records: eleven, one of each kind at least.
pub(crate) fn records() -> Vec<Record> {
    let key_name = "organizations/org1/keys/peer0";
    let peer = Principal {
        organization: "org1".into(),
        name: "peer0".into(),
        role: "peer".into(),
        certificate_fingerprint: vec![0xcf; 32],
    };
    let signed = |index: u64, operation: u64| Record {
        principal: Some(peer.clone()),
        action: "Sign".into(),
        resource: VERSION.into(),
        mechanism: MECHANISM.into(),
        digest_algorithm: "sha256".into(),
        digest: vec![0xd1; 32],
        signature: vec![0x51; 8],
        signature_check: SignatureCheck::Checked as i32,
        outcome: Outcome::Succeeded as i32,
        enclave_incarnation: INCARNATION.into(),
        enclave_operation: operation,
        enclave_commitment: commitment(operation).into(),
        ..record(index, Kind::Outcome)
    };
    vec![
        Record { action: "Genesis".into(), genesis: Some(genesis()), ..record(0, Kind::Genesis) },
        Record {
            policy_set: Some(PolicySet {
                hash: vec![0xb0; 32],
                files: vec![PolicyFile { path: "a.cedar".into(), text: "permit(principal, action, resource);".into() }],
            }),
            ..record(1, Kind::PolicySet)
        },
        Record { action: "CreateKey".into(), resource: key_name.into(), ..record(2, Kind::Intent) },
        Record {
            action: "CreateKey".into(),
            resource: key_name.into(),
            outcome: Outcome::Succeeded as i32,
            intent: 3,
            states: vec![ResourceState {
                name: key_name.into(),
                r#type: "chancery.state.v1.Key".into(),
                value: vec![1, 2, 3],
            }],
            ..record(3, Kind::Outcome)
        },
        signed(4, 1),
        Record {
            principal: Some(peer.clone()),
            action: "Sign".into(),
            resource: key_name.into(),
            outcome: Outcome::Denied as i32,
            reason: "DENIED".into(),
            context: vec![ContextValue { key: "hour".into(), value: "23".into() }],
            ..record(5, Kind::Denial)
        },
        Record { statement: Some(statement(1)), ..record(6, Kind::Statement) },
        Record {
            count: Some(Count { organization: "org1".into(), reason: "DENIED".into(), events: 12, ..Count::default() }),
            ..record(7, Kind::Count)
        },
        // Operation 2 is missing, and the clock was set back: neither is an error.
        Record { time_unix_nanos: 1_700_000_000_000_000_000, ..signed(8, 3) },
        Record { action: "SuspendPrincipal".into(), ..record(9, Kind::StateChange) },
        Record { action: "DestroyKey".into(), resource: key_name.into(), ..record(10, Kind::Intent) },
    ]
}

pub(crate) fn encode(records: &[Record]) -> Vec<Vec<u8>> {
    records.iter().map(Message::encode_to_vec).collect()
}

/// Segments of `records` with sound headers and checksums, a new segment at each cut, zeroes after the last.
pub(crate) fn files(records: &[Vec<u8>], cuts: &[usize], tail: usize) -> Vec<File> {
    files_of(ORIGIN, records, cuts, tail)
}

pub(crate) fn files_of(origin: &str, records: &[Vec<u8>], cuts: &[usize], tail: usize) -> Vec<File> {
    let mut tree = Frontier::default();
    let mut files: Vec<File> = Vec::new();
    for (index, record) in records.iter().enumerate() {
        if index == 0 || cuts.contains(&index) {
            let header = Header {
                first_index: index as u64,
                origin_hash: Sha256::digest(origin).into(),
                tree_root: tree.root(),
            };
            files.push((file_name(index as u64), header.encode().to_vec()));
        }
        append_frame(&mut files.last_mut().unwrap().1, record);
        tree.push(leaf_hash(record));
    }
    if let Some((_, last)) = files.last_mut() {
        last.resize(last.len() + tail, 0);
    }
    files
}

pub(crate) fn checkpoint(records: &[Vec<u8>]) -> Checkpoint {
    let mut tree = Frontier::default();
    records.iter().for_each(|record| tree.push(leaf_hash(record)));
    Checkpoint { origin: ORIGIN.into(), size: tree.size(), root: tree.root() }
}

pub(crate) fn note(checkpoint: &Checkpoint) -> String {
    key().sign_note(checkpoint, &signer().sign(checkpoint.text().as_bytes()).to_bytes())
}

/// The sample as files, and the note that signs its first nine records.
pub(crate) fn log() -> (Vec<File>, String) {
    let records = encode(&records());
    (files(&records, &CUTS, TAIL), note(&checkpoint(&records[..SIGNED])))
}

pub(crate) fn verify(files: &[File], note: &str) -> Result<Report, VerifyError> {
    run(Verifier::new(key(), note)?, files)
}

pub(crate) fn run(mut verifier: Verifier, files: &[File]) -> Result<Report, VerifyError> {
    for (name, bytes) in files {
        verifier.segment(name, bytes)?;
    }
    verifier.finish()
}

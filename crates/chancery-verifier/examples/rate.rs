//! How fast a log is verified: `cargo run --release -p chancery-verifier --example rate -- RECORDS`.
//!
//! Makes a log of P-256 signatures in memory, segment by segment as the service writes them, and verifies it without and
//! with `--signatures`. The signatures repeat, which makes no difference to who verifies them one by one.

use chancery_api::state;
use chancery_audit::{
    checkpoint::{Checkpoint, VerifierKey},
    merkle::{Frontier, leaf_hash},
    operations::{Chain, signature_commitment, statement_text},
    record::{
        ContextValue, Genesis, Kind, Outcome, PolicyFile, PolicySet, Principal, Record, ResourceState, Statement,
    },
    segment::{Header, append_frame, file_name},
};
use chancery_policy::RecordedSet;
use chancery_verifier::{Auditor, Options};
use ed25519_dalek::pkcs8::EncodePublicKey as _;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use std::time::Instant;

const ORIGIN: &str = "audit.example.org/rate";
const KEY: &str = "organizations/org1/keys/peer0";
const VERSION: &str = "organizations/org1/keys/peer0/versions/1";
const INCARNATION: [u8; 16] = [7; 16];
/// As `[log] segment_bytes` by default.
const SEGMENT: usize = 64 << 20;
/// Operations between two statements.
const STATED: u64 = 1024;
/// Different signatures.
const SIGNATURES: usize = 1024;

struct Log {
    segments: Vec<(u64, Vec<u8>)>,
    tree: Frontier,
    chain: Chain,
}

impl Log {
    fn push(&mut self, record: Record) {
        let index = self.tree.size();
        let record = Record { index, time_unix_nanos: index as i64, salt: vec![1; 16], ..record }.encode_to_vec();
        if self.segments.last().is_none_or(|(_, bytes)| bytes.len() + record.len() > SEGMENT) {
            let origin_hash = Sha256::digest(ORIGIN).into();
            let header = Header { first_index: index, origin_hash, tree_root: self.tree.root() };
            self.segments.push((index, header.encode().to_vec()));
        }
        append_frame(&mut self.segments.last_mut().unwrap().1, &record);
        self.tree.push(leaf_hash(&record));
    }

    fn operation(&mut self, record: Record, mechanism: &str, commitment: [u8; 32]) -> Record {
        let number = self.chain.extend(VERSION, mechanism, &commitment);
        Record {
            mechanism: mechanism.into(),
            enclave_incarnation: INCARNATION.into(),
            enclave_operation: number,
            enclave_commitment: commitment.into(),
            ..record
        }
    }
}

fn main() {
    let records: u64 = std::env::args().nth(1).map_or(1_000_000, |text| text.parse().expect("a number of records"));
    let audit = ed25519_dalek::SigningKey::from_bytes(&[1; 32]);
    let sign = |text: &str| ed25519_dalek::Signer::sign(&audit, text.as_bytes()).to_bytes().to_vec();
    let key = VerifierKey::from_spki(ORIGIN, audit.verifying_key().to_public_key_der().unwrap().as_bytes()).unwrap();
    let mut log = Log { segments: Vec::new(), tree: Frontier::default(), chain: Chain::new(&INCARNATION) };

    let genesis = Genesis { origins: vec![ORIGIN.into()], audit_vkey: key.to_string(), ..Genesis::default() };
    log.push(Record { kind: Kind::Genesis.into(), genesis: Some(genesis), ..Record::default() });
    let (path, text) = ("owner.cedar".to_owned(), "@id(\"owner\") permit(principal, action, resource);".to_owned());
    let policies = RecordedSet::read(&[(path.clone(), text.clone())]).unwrap().hash().to_vec();
    let set = PolicySet { hash: policies.clone(), files: vec![PolicyFile { path, text }] };
    log.push(Record { kind: Kind::PolicySet.into(), policy_set: Some(set), ..Record::default() });

    let signing = p256::ecdsa::SigningKey::from_slice(&[5; 32]).unwrap();
    let public_key = signing.verifying_key().to_public_key_der().unwrap().into_vec();
    let row = |name: &str, of: &str, value| ResourceState {
        name: name.into(),
        r#type: format!("chancery.state.v1.{of}"),
        value,
    };
    let key_row = state::Key { name: KEY.into(), algorithm: "ec-p256".into(), ..Default::default() };
    let version_row =
        state::KeyVersion { name: VERSION.into(), state: "ACTIVE".into(), public_key, ..Default::default() };
    let states =
        vec![row(KEY, "Key", key_row.encode_to_vec()), row(VERSION, "KeyVersion", version_row.encode_to_vec())];
    log.push(Record { kind: Kind::StateChange.into(), states, ..Record::default() });

    let made: Vec<_> = (0..SIGNATURES)
        .map(|number| {
            let digest = Sha256::digest(number.to_be_bytes()).to_vec();
            let signature: p256::ecdsa::Signature = signing.sign_prehash(&digest).unwrap();
            let commitment = signature_commitment("ecdsa", &Sha256::digest(&digest).into(), &signature.to_bytes());
            (digest, signature.to_der().as_bytes().to_vec(), commitment)
        })
        .collect();
    let context = |key: &str, value: &str| ContextValue { key: key.into(), value: value.into() };
    for number in 0..records {
        let (digest, signature, commitment) = made[number as usize % SIGNATURES].clone();
        let record = Record {
            kind: Kind::Outcome.into(),
            principal: Some(Principal {
                organization: "org1".into(),
                name: "peer0".into(),
                role: "peer".into(),
                certificate_fingerprint: vec![2; 32],
            }),
            action: "Sign".into(),
            resource: VERSION.into(),
            algorithm: "ec-p256".into(),
            protection: "token".into(),
            context: vec![context("input", "digest"), context("hash", "sha256"), context("size", "32")],
            request_hash: vec![3; 32],
            request_id: format!("{number:032x}"),
            digest_algorithm: "sha256".into(),
            digest,
            signature,
            signature_format: "der".into(),
            outcome: Outcome::Succeeded.into(),
            policy_ids: vec!["owner".into()],
            policy_set_hash: policies.clone(),
            ..Record::default()
        };
        let record = log.operation(record, "ecdsa", commitment);
        log.push(record);
        if (number + 1) % STATED == 0 {
            let (operations, link) = (log.chain.operations(), *log.chain.link());
            let signature = sign(&statement_text(ORIGIN, &INCARNATION, operations, &link));
            let statement =
                Statement { incarnation: INCARNATION.into(), operations, running_hash: link.into(), signature };
            log.push(Record { kind: Kind::Statement.into(), statement: Some(statement), ..Record::default() });
        }
    }
    let checkpoint = Checkpoint { origin: ORIGIN.into(), size: log.tree.size(), root: log.tree.root() };
    let note = key.sign_note(&checkpoint, &sign(&checkpoint.text()));
    let bytes: usize = log.segments.iter().map(|(_, bytes)| bytes.len()).sum();
    println!("{} records, {} segments, {} MiB", log.tree.size(), log.segments.len(), bytes >> 20);
    for signatures in [false, true] {
        let start = Instant::now();
        let mut auditor = Auditor::new(key.clone(), &note, Options { signatures, strict: true }).unwrap();
        for (first, bytes) in &log.segments {
            auditor.segment_batches(&file_name(*first), bytes, |_| {}).unwrap();
        }
        let findings = auditor.finish().unwrap();
        let seconds = start.elapsed().as_secs_f64();
        let rate = findings.report.records as f64 / seconds;
        println!("signatures {signatures}: {seconds:.2} s, {rate:.0} records/s, 10^7 in {:.0} s", 1e7 / rate);
    }
}

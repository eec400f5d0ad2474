//! A small deployment's log: one organization's P-256 key, made, used, stated.

use chancery_api::state;
use chancery_audit::{
    checkpoint::{Checkpoint, VerifierKey},
    merkle::{Frontier, leaf_hash},
    operations::{Chain, signature_commitment, statement_text},
    record::{
        Genesis, Kind, Outcome, PolicyFile, PolicySet, Principal, Record, ResourceState, SignatureCheck, Statement,
    },
    segment::{Header, append_frame, file_name},
    verify::VerifyError,
};
use chancery_policy::RecordedSet;
use chancery_verifier::{Auditor, Findings, Options};
use ed25519_dalek::pkcs8::EncodePublicKey as _;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use prost::Message as _;
use sha2::{Digest as _, Sha256};

pub(crate) const ORIGIN: &str = "audit.example.org/chancery-1";
pub(crate) const KEY: &str = "organizations/org1/keys/peer0";
pub(crate) const VERSION: &str = "organizations/org1/keys/peer0/versions/1";
pub(crate) const INCARNATION: [u8; 16] = [0xe1; 16];
const POLICY: &str = "@id(\"owner\") permit(principal, action, resource);";

/// Every check there is, and no hole forgiven that a crash does not explain.
pub(crate) const ALL: Options = Options { signatures: true, strict: false };

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) records: Vec<Record>,
    chain: Chain,
}

fn audit_key() -> (ed25519_dalek::SigningKey, VerifierKey) {
    let signing = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
    let spki = signing.verifying_key().to_public_key_der().unwrap();
    (signing, VerifierKey::from_spki(ORIGIN, spki.as_bytes()).unwrap())
}

pub(crate) fn signing_key() -> p256::ecdsa::SigningKey {
    p256::ecdsa::SigningKey::from_slice(&[5; 32]).unwrap()
}

fn signature(digest: &[u8]) -> p256::ecdsa::Signature {
    signing_key().sign_prehash(digest).unwrap()
}

fn spki() -> Vec<u8> {
    use p256::pkcs8::EncodePublicKey as _;
    signing_key().verifying_key().to_public_key_der().unwrap().into_vec()
}

pub(crate) fn peer() -> Principal {
    Principal {
        organization: "org1".into(),
        name: "peer0".into(),
        role: "peer".into(),
        certificate_fingerprint: vec![0xcf; 32],
    }
}

pub(crate) fn policy_set(path: &str, text: &str) -> PolicySet {
    let hash = RecordedSet::read(&[(path.to_owned(), text.to_owned())]).unwrap().hash().to_vec();
    PolicySet { hash, files: vec![PolicyFile { path: path.into(), text: text.into() }] }
}

pub(crate) fn row(name: &str, of: &str, value: Vec<u8>) -> ResourceState {
    ResourceState { name: name.into(), r#type: format!("chancery.state.v1.{of}"), value }
}

pub(crate) fn key_row(algorithm: &str) -> ResourceState {
    let key = state::Key {
        name: KEY.into(),
        algorithm: algorithm.into(),
        protection: "enclave".into(),
        purpose: "sign".into(),
        ..Default::default()
    };
    row(KEY, "Key", key.encode_to_vec())
}

pub(crate) fn version_row(change: impl FnOnce(&mut state::KeyVersion)) -> ResourceState {
    let mut version =
        state::KeyVersion { name: VERSION.into(), state: "ACTIVE".into(), public_key: spki(), ..Default::default() };
    change(&mut version);
    row(VERSION, "KeyVersion", version.encode_to_vec())
}

impl World {
    /// Genesis, the policies, and a key whose version is ACTIVE: records 0 to 3.
    pub(crate) fn new() -> Self {
        let mut world = Self { records: Vec::new(), chain: Chain::new(&INCARNATION) };
        let (_, key) = audit_key();
        let genesis = Genesis {
            deployment: "example".into(),
            origins: vec![ORIGIN.into()],
            audit_vkey: key.to_string(),
            ..Genesis::default()
        };
        world.push(Record { kind: Kind::Genesis.into(), genesis: Some(genesis), ..Record::default() });
        let set = policy_set("owner.cedar", POLICY);
        world.push(Record { kind: Kind::PolicySet.into(), policy_set: Some(set), ..Record::default() });
        let asked = world.decided("CreateKey", VERSION);
        world.push(Record { kind: Kind::Intent.into(), ..asked.clone() });
        let made = world.operation(asked, "generate", [1; 32]);
        let states = vec![key_row("ec-p256"), version_row(|_| {})];
        world.push(Record { states, intent: 3, ..made });
        world
    }

    /// Appends a record; its index.
    pub(crate) fn push(&mut self, record: Record) -> usize {
        self.records.push(record);
        self.records.len() - 1
    }

    /// A request of the peer that the policies allowed, which succeeded.
    pub(crate) fn decided(&self, action: &str, resource: &str) -> Record {
        Record {
            kind: Kind::Outcome.into(),
            principal: Some(peer()),
            action: action.into(),
            resource: resource.into(),
            outcome: Outcome::Succeeded.into(),
            policy_ids: vec!["owner".into()],
            policy_set_hash: policy_set("owner.cedar", POLICY).hash,
            ..Record::default()
        }
    }

    /// A record of the enclave's next operation.
    pub(crate) fn operation(&mut self, record: Record, mechanism: &str, commitment: [u8; 32]) -> Record {
        let number = self.chain.extend(&record.resource, mechanism, &commitment);
        Record {
            mechanism: mechanism.into(),
            enclave_incarnation: INCARNATION.into(),
            enclave_operation: number,
            enclave_commitment: commitment.into(),
            ..record
        }
    }

    /// A signature by the key over the digest of a message, in a format.
    pub(crate) fn signed_as(&mut self, message: &str, format: &str) -> Record {
        let digest = Sha256::digest(message).to_vec();
        let signature = signature(&digest);
        let raw = signature.to_bytes().to_vec();
        let input_sha256 = Sha256::digest(&digest).into();
        let written = if format == "der" { signature.to_der().as_bytes().to_vec() } else { raw.clone() };
        let record = Record {
            algorithm: "ec-p256".into(),
            digest_algorithm: "sha256".into(),
            digest,
            signature: written,
            signature_format: format.into(),
            signature_check: SignatureCheck::Checked.into(),
            ..self.decided("Sign", VERSION)
        };
        self.operation(record, "ecdsa", signature_commitment("ecdsa", &input_sha256, &raw))
    }

    /// Appends a signature; its index.
    pub(crate) fn sign(&mut self, message: &str) -> usize {
        let record = self.signed_as(message, "der");
        self.push(record)
    }

    /// Appends the enclave's statement of all operations so far; its index.
    pub(crate) fn state(&mut self) -> usize {
        let (operations, link) = (self.chain.operations(), *self.chain.link());
        let text = statement_text(ORIGIN, &INCARNATION, operations, &link);
        let statement = Statement {
            incarnation: INCARNATION.into(),
            operations,
            running_hash: link.into(),
            signature: ed25519_dalek::Signer::sign(&audit_key().0, text.as_bytes()).to_bytes().into(),
        };
        self.push(Record { kind: Kind::Statement.into(), statement: Some(statement), ..Record::default() })
    }

    /// Appends a change that leaves this behind; its index.
    pub(crate) fn change(&mut self, action: &str, states: Vec<ResourceState>) -> usize {
        let record = Record { states, ..self.decided(action, VERSION) };
        self.push(record)
    }

    /// The stored bytes, with index, time and salt.
    fn stored(&self) -> Vec<Vec<u8>> {
        let stored = (0..).zip(&self.records).map(|(index, record)| {
            let time_unix_nanos = 1_790_000_000_000_000_000 + index as i64;
            Record { index, time_unix_nanos, salt: vec![0xa0; 16], ..record.clone() }.encode_to_vec()
        });
        stored.collect()
    }

    /// The checkpoint of the log as it is, signed with the audit key.
    pub(crate) fn note(&self) -> String {
        let (signing, key) = audit_key();
        let mut tree = Frontier::default();
        self.stored().iter().for_each(|record| tree.push(leaf_hash(record)));
        let checkpoint = Checkpoint { origin: ORIGIN.into(), size: tree.size(), root: tree.root() };
        key.sign_note(&checkpoint, &ed25519_dalek::Signer::sign(&signing, checkpoint.text().as_bytes()).to_bytes())
    }

    /// Audits the log as it is: framed, hashed and signed anew.
    pub(crate) fn audit(&self, options: Options) -> Result<Findings, VerifyError> {
        self.audit_against(&self.note(), options)
    }

    pub(crate) fn audit_against(&self, note: &str, options: Options) -> Result<Findings, VerifyError> {
        let (mut tree, mut auditor) = (Frontier::default(), Auditor::new(audit_key().1, note, options)?);
        let stored = self.stored();
        // Two segments, so that an error's place is one.
        for (first, records) in [(0, &stored[..2]), (2, &stored[2..])] {
            let header =
                Header { first_index: first, origin_hash: Sha256::digest(ORIGIN).into(), tree_root: tree.root() };
            let mut bytes = header.encode().to_vec();
            for record in records {
                append_frame(&mut bytes, record);
                tree.push(leaf_hash(record));
            }
            auditor.segment_batches(&file_name(first), &bytes, |_| {})?;
        }
        auditor.finish()
    }

    /// Asserts that the log is refused at a record, and why.
    #[track_caller]
    pub(crate) fn refused(&self, record: usize, why: &impl ToString) {
        let error = self.audit(ALL).unwrap_err();
        assert_eq!((error.record, error.fault.to_string()), (record as u64, why.to_string()));
        assert_eq!(error.segment, file_name(if record < 2 { 0 } else { 2 }));
        assert!(error.offset > 0);
    }
}

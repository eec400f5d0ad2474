//! The rules that records obey, alone and among each other.
//!
//! **Invariants**
//! * Records come in order, each once; a record that breaks a rule is not taken into account.
//! * Unknown fields and kinds of later versions pass: what they mean is not judged.
//!
//! **Not here**: bytes, frames and hashes (the verifier), and whether a decision was right (that takes the policies).

use std::collections::HashMap;

use prost::Message;

use super::VerifyError;
use super::error::Fault;
use super::operations::{Missing, Operations};
use super::place::Place;
use super::report::{OpenIntent, Report};
use crate::checkpoint::VerifierKey;
use crate::operations::statement_text;
use crate::record::{Genesis, Kind, Record, Statement};
use crate::snapshot::Snapshot;

/// The longest signature that any algorithm makes (SLH-DSA-256f: 49,856 bytes), rounded up.
const MAX_SIGNATURE: usize = 1 << 16;

/// The longest thing signed without a hash: an RSA-8192 block.
const MAX_RAW_DIGEST: usize = 1024;

/// The longest name that an enclave's chain takes.
const MAX_CHAINED_NAME: usize = u16::MAX as usize;

/// What earlier records said that later ones are held against.
#[derive(Clone, Debug, Default)]
pub(super) struct Records {
    /// Records before it are archived: what they said is known only as far as their snapshot has it.
    from: u64,
    /// Each INTENT, and whether a later record closed it.
    intents: HashMap<u64, Intent>,
    operations: Operations,
}

#[derive(Clone, Debug)]
struct Intent {
    action: String,
    resource: String,
    time_unix_nanos: i64,
    closed: bool,
}

impl Intent {
    fn new(record: &Record) -> Self {
        let Record { action, resource, time_unix_nanos, .. } = record;
        let (action, resource, time_unix_nanos) = (action.clone(), resource.clone(), *time_unix_nanos);
        Self { action, resource, time_unix_nanos, closed: false }
    }
}

impl Records {
    /// What a snapshot says of archived records.
    pub(super) fn after(snapshot: &Snapshot) -> Self {
        let open = |of: &Record| (of.index, Intent::new(of));
        Self {
            from: snapshot.records(),
            intents: snapshot.open_intents().iter().map(open).collect(),
            operations: Operations::after(snapshot),
        }
    }

    /// Judges a record against those before it, and counts it in `report`.
    pub(super) fn check(&mut self, record: &Record, at: Place, report: &mut Report) -> Result<(), VerifyError> {
        if let Some(genesis) = &record.genesis {
            report.deployment.clone_from(&genesis.deployment);
        }
        self.check_intent(record).map_err(|fault| at.error(fault))?;
        self.operations.enter(record, at)?;
        if let Some(statement) = &record.statement {
            self.operations.state(statement, at)?;
        }
        report.count(record);
        Ok(())
    }

    /// What only the whole log shows.
    pub(super) fn finish(self, missing: Missing, report: &mut Report) -> Result<(), VerifyError> {
        let open = self.intents.into_iter().filter(|(_, intent)| !intent.closed);
        report.open_intents = open
            .map(|(index, Intent { action, resource, time_unix_nanos, .. })| OpenIntent {
                index,
                action,
                resource,
                time_unix_nanos,
            })
            .collect();
        report.open_intents.sort_unstable_by_key(|intent| intent.index);
        self.operations.finish(missing, report)
    }

    fn check_intent(&mut self, record: &Record) -> Result<(), Fault> {
        if let Some(intent) = record.intent.checked_sub(1) {
            if intent >= record.index {
                return Err(Fault::IntentNotEarlier { intent });
            }
            match self.intents.get_mut(&intent) {
                Some(opened) if opened.resource == record.resource => opened.closed = true,
                Some(_) => return Err(Fault::IntentResource { intent }),
                // It was closed before.
                None if intent < self.from => {}
                None => return Err(Fault::NotAnIntent { intent }),
            }
        }
        if record.kind == Kind::Intent as i32 {
            self.intents.insert(record.index, Intent::new(record));
        }
        Ok(())
    }
}

/// Reads the record at position `index` and judges it by itself: all that needs no other record.
pub(super) fn read(index: u64, bytes: &[u8], key: &VerifierKey) -> Result<Record, Fault> {
    let record = Record::decode(bytes).map_err(Fault::Undecodable)?;
    if record.index != index {
        return Err(Fault::Index { found: record.index });
    }
    check_kind(&record)?;
    check_lengths(&record)?;
    if let Some(genesis) = &record.genesis {
        check_genesis(genesis, key)?;
    }
    if record.enclave_operation == 0 && !record.enclave_commitment.is_empty() {
        return Err(Fault::CommitmentAlone);
    }
    if let Some(statement) = &record.statement {
        check_statement(statement, key)?;
    }
    Ok(record)
}

/// The kind stands where it may, and the message that belongs to it stands there and nowhere else.
fn check_kind(record: &Record) -> Result<(), Fault> {
    let is = |kind: Kind| record.kind == kind as i32;
    if is(Kind::Unspecified) {
        return Err(Fault::NoKind);
    }
    match (record.index, is(Kind::Genesis)) {
        (0, false) => return Err(Fault::NoGenesis),
        (1.., true) => return Err(Fault::SecondGenesis),
        _ => {}
    }
    let payloads = [
        ("genesis", record.genesis.is_some(), Kind::Genesis),
        ("statement", record.statement.is_some(), Kind::Statement),
        ("count", record.count.is_some(), Kind::Count),
        ("policy_set", record.policy_set.is_some(), Kind::PolicySet),
    ];
    match payloads.into_iter().find(|(_, present, kind)| *present != is(*kind)) {
        Some((field, ..)) => Err(Fault::Payload { field }),
        None => Ok(()),
    }
}

pub(super) fn check_genesis(genesis: &Genesis, key: &VerifierKey) -> Result<(), Fault> {
    if genesis.audit_vkey != key.to_string() {
        return Err(Fault::GenesisKey { found: genesis.audit_vkey.clone() });
    }
    if !genesis.origins.iter().any(|origin| origin == key.name()) {
        return Err(Fault::GenesisOrigin { name: key.name().to_owned() });
    }
    Ok(())
}

fn check_statement(statement: &Statement, key: &VerifierKey) -> Result<(), Fault> {
    let Statement { incarnation, operations, running_hash, signature } = statement;
    // Their lengths were checked.
    let (Some(incarnation), Some(link)) = (incarnation.first_chunk(), running_hash.first_chunk()) else {
        return Err(Fault::StatementSignature);
    };
    let text = statement_text(key.name(), incarnation, *operations, link);
    if key.verify(&text, signature) { Ok(()) } else { Err(Fault::StatementSignature) }
}

fn check_lengths(record: &Record) -> Result<(), Fault> {
    exactly("salt", &record.salt, 16, "16")?;
    absent_or("request_hash", &record.request_hash, 32, "0 or 32")?;
    absent_or("policy_set_hash", &record.policy_set_hash, 32, "0 or 32")?;
    absent_or("organization_policy_set_hash", &record.organization_policy_set_hash, 32, "0 or 32")?;
    absent_or("enclave_incarnation", &record.enclave_incarnation, 16, "0 or 16")?;
    absent_or("enclave_commitment", &record.enclave_commitment, 32, "0 or 32")?;
    if record.enclave_operation > 0 {
        at_most("resource", record.resource.as_bytes(), MAX_CHAINED_NAME, "at most 65535")?;
        at_most("mechanism", record.mechanism.as_bytes(), MAX_CHAINED_NAME, "at most 65535")?;
    }
    at_most("signature", &record.signature, MAX_SIGNATURE, "at most 65536")?;
    match record.digest_algorithm.as_str() {
        "sha256" | "sm3" | "sha3-256" | "keccak256" => absent_or("digest", &record.digest, 32, "0 or 32")?,
        "sha384" | "sha3-384" => absent_or("digest", &record.digest, 48, "0 or 48")?,
        "sha512" | "sha3-512" => absent_or("digest", &record.digest, 64, "0 or 64")?,
        _ => at_most("digest", &record.digest, MAX_RAW_DIGEST, "at most 1024")?,
    }
    if let Some(principal) = &record.principal {
        absent_or("principal.certificate_fingerprint", &principal.certificate_fingerprint, 32, "0 or 32")?;
    }
    if let Some(statement) = &record.statement {
        exactly("statement.incarnation", &statement.incarnation, 16, "16")?;
        exactly("statement.running_hash", &statement.running_hash, 32, "32")?;
        at_most("statement.signature", &statement.signature, MAX_SIGNATURE, "at most 65536")?;
    }
    if let Some(policy_set) = &record.policy_set {
        exactly("policy_set.hash", &policy_set.hash, 32, "32")?;
    }
    Ok(())
}

fn exactly(field: &'static str, bytes: &[u8], length: usize, allowed: &'static str) -> Result<(), Fault> {
    allow(bytes.len() == length, field, bytes, allowed)
}

fn absent_or(field: &'static str, bytes: &[u8], length: usize, allowed: &'static str) -> Result<(), Fault> {
    allow(bytes.is_empty() || bytes.len() == length, field, bytes, allowed)
}

fn at_most(field: &'static str, bytes: &[u8], length: usize, allowed: &'static str) -> Result<(), Fault> {
    allow(bytes.len() <= length, field, bytes, allowed)
}

fn allow(sane: bool, field: &'static str, bytes: &[u8], allowed: &'static str) -> Result<(), Fault> {
    if sane { Ok(()) } else { Err(Fault::Length { field, length: bytes.len(), allowed }) }
}

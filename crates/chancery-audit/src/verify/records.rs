//! The rules that records obey, alone and among each other.
//!
//! **Invariants**
//! * Records come in order, each once; a record that breaks a rule is not taken into account.
//! * Unknown fields and kinds of later versions pass: what they mean is not judged.
//!
//! **Not here**: bytes, frames and hashes (the verifier), and whether a decision was right (that takes the policies).

use std::collections::HashMap;

use prost::Message;

use super::error::Fault;
use super::operations::Operations;
use super::report::Report;
use crate::checkpoint::VerifierKey;
use crate::record::{Genesis, Kind, Record};

/// The longest signature that any algorithm makes (SLH-DSA-256f: 49,856 bytes), rounded up.
const MAX_SIGNATURE: usize = 1 << 16;

/// The longest thing signed without a hash: an RSA-8192 block.
const MAX_RAW_DIGEST: usize = 1024;

/// What earlier records said that later ones are held against.
#[derive(Clone, Debug, Default)]
pub(super) struct Records {
    /// The resource of each INTENT, and whether a later record closed it.
    intents: HashMap<u64, Intent>,
    operations: Operations,
}

#[derive(Clone, Debug)]
struct Intent {
    resource: String,
    closed: bool,
}

impl Records {
    /// Judges the record at position `index` and counts it in `report`.
    pub(super) fn check(
        &mut self,
        index: u64,
        bytes: &[u8],
        key: &VerifierKey,
        report: &mut Report,
    ) -> Result<Record, Fault> {
        let record = Record::decode(bytes).map_err(Fault::Undecodable)?;
        if record.index != index {
            return Err(Fault::Index { found: record.index });
        }
        check_kind(&record)?;
        check_lengths(&record)?;
        if let Some(genesis) = &record.genesis {
            check_genesis(genesis, key)?;
            report.deployment.clone_from(&genesis.deployment);
        }
        self.check_intent(&record)?;
        self.check_operation(&record)?;
        report.count(&record);
        Ok(record)
    }

    pub(super) fn finish(&self, report: &mut Report) {
        report.open_intents = self.intents.values().filter(|intent| !intent.closed).count() as u64;
        report.incarnations = self.operations.incarnations();
        report.operation_holes = self.operations.holes();
    }

    fn check_intent(&mut self, record: &Record) -> Result<(), Fault> {
        if let Some(intent) = record.intent.checked_sub(1) {
            if intent >= record.index {
                return Err(Fault::IntentNotEarlier { intent });
            }
            let opened = self.intents.get_mut(&intent).ok_or(Fault::NotAnIntent { intent })?;
            if opened.resource != record.resource {
                return Err(Fault::IntentResource { intent });
            }
            opened.closed = true;
        }
        if record.kind == Kind::Intent as i32 {
            self.intents.insert(record.index, Intent { resource: record.resource.clone(), closed: false });
        }
        Ok(())
    }

    fn check_operation(&mut self, record: &Record) -> Result<(), Fault> {
        let operation = record.enclave_operation;
        if operation == 0 {
            return Ok(());
        }
        let incarnation = record.enclave_incarnation.as_slice().try_into().map_err(|_| Fault::NoIncarnation)?;
        if self.operations.enter(incarnation, operation) { Ok(()) } else { Err(Fault::OperationRepeated { operation }) }
    }
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

fn check_genesis(genesis: &Genesis, key: &VerifierKey) -> Result<(), Fault> {
    if genesis.audit_vkey != key.to_string() {
        return Err(Fault::GenesisKey { found: genesis.audit_vkey.clone() });
    }
    if !genesis.origins.iter().any(|origin| origin == key.name()) {
        return Err(Fault::GenesisOrigin { name: key.name().to_owned() });
    }
    Ok(())
}

fn check_lengths(record: &Record) -> Result<(), Fault> {
    exactly("salt", &record.salt, 16, "16")?;
    absent_or("request_hash", &record.request_hash, 32, "0 or 32")?;
    absent_or("policy_set_hash", &record.policy_set_hash, 32, "0 or 32")?;
    absent_or("organization_policy_set_hash", &record.organization_policy_set_hash, 32, "0 or 32")?;
    absent_or("enclave_incarnation", &record.enclave_incarnation, 16, "0 or 16")?;
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

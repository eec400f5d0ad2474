//! How a record is printed.
//!
//! **Invariant**: JSON has every field of the record under its name in record.proto; bytes are hexadecimal, enums are
//! names, and a value that this version does not know is its number.

use crate::time;
use chancery_audit::record::{Count, Genesis, Kind, Outcome, PolicySet, Principal, Record, SignatureCheck, Statement};
use serde_json::{Value, json};

pub(super) const COLUMNS: [&str; 8] = ["index", "time", "kind", "principal", "action", "resource", "outcome", "reason"];

/// A record's cells under [`COLUMNS`].
pub(super) fn row(record: &Record) -> [String; 8] {
    let principal = record.principal.as_ref().map(|principal| format!("{}/{}", principal.organization, principal.name));
    [
        record.index.to_string(),
        time::short_nanos(record.time_unix_nanos),
        word(kind(record)),
        principal.unwrap_or_default(),
        record.action.clone(),
        record.resource.clone(),
        word(outcome(record)),
        record.reason.clone(),
    ]
}

/// A name without its quotes, or a number; nothing for the unspecified.
pub(super) fn word(value: Value) -> String {
    match value {
        Value::String(name) if name.ends_with("_UNSPECIFIED") => String::new(),
        Value::String(name) => name,
        other => other.to_string(),
    }
}

fn kind(record: &Record) -> Value {
    Kind::try_from(record.kind).map_or(record.kind.into(), |kind| kind.as_str_name().into())
}

pub(super) fn outcome(record: &Record) -> Value {
    Outcome::try_from(record.outcome).map_or(record.outcome.into(), |outcome| outcome.as_str_name().into())
}

/// The kind's name, or its number.
pub(super) fn kind_name(record: &Record) -> String {
    word(kind(record))
}

/// The outcome's name, or its number; nothing where there is none.
pub(super) fn outcome_name(record: &Record) -> String {
    word(outcome(record))
}

fn signature_check(record: &Record) -> Value {
    SignatureCheck::try_from(record.signature_check)
        .map_or(record.signature_check.into(), |check| check.as_str_name().into())
}

/// The whole record.
pub(super) fn json(record: &Record) -> Value {
    json!({
        "index": record.index,
        "time": time::rfc3339_nanos(record.time_unix_nanos),
        "time_unix_nanos": record.time_unix_nanos,
        "kind": kind(record),
        "principal": record.principal.as_ref().map(principal),
        "action": record.action,
        "resource": record.resource,
        "algorithm": record.algorithm,
        "protection": record.protection,
        "context": (record.context.iter())
            .map(|value| json!({ "key": value.key, "value": value.value }))
            .collect::<Vec<_>>(),
        "request_hash": hex::encode(&record.request_hash),
        "request_id": record.request_id,
        "mechanism": record.mechanism,
        "digest_algorithm": record.digest_algorithm,
        "digest": hex::encode(&record.digest),
        "signature": hex::encode(&record.signature),
        "signature_format": record.signature_format,
        "signature_check": signature_check(record),
        "outcome": outcome(record),
        "reason": record.reason,
        "policy_ids": record.policy_ids,
        "policy_set_hash": hex::encode(&record.policy_set_hash),
        "organization_policy_set_hash": hex::encode(&record.organization_policy_set_hash),
        "proposal_id": record.proposal_id,
        "enclave_incarnation": hex::encode(&record.enclave_incarnation),
        "enclave_operation": record.enclave_operation,
        "enclave_commitment": hex::encode(&record.enclave_commitment),
        "intent": record.intent,
        "states": (record.states.iter())
            .map(|state| json!({ "name": state.name, "type": state.r#type, "value": hex::encode(&state.value) }))
            .collect::<Vec<_>>(),
        "count": record.count.as_ref().map(count),
        "statement": record.statement.as_ref().map(statement),
        "genesis": record.genesis.as_ref().map(genesis),
        "policy_set": record.policy_set.as_ref().map(policy_set),
        "salt": hex::encode(&record.salt),
    })
}

fn principal(principal: &Principal) -> Value {
    json!({
        "organization": principal.organization,
        "name": principal.name,
        "role": principal.role,
        "certificate_fingerprint": hex::encode(&principal.certificate_fingerprint),
    })
}

fn count(count: &Count) -> Value {
    json!({
        "organization": count.organization,
        "principal": count.principal,
        "reason": count.reason,
        "events": count.events,
    })
}

fn statement(statement: &Statement) -> Value {
    json!({
        "incarnation": hex::encode(&statement.incarnation),
        "operations": statement.operations,
        "running_hash": hex::encode(&statement.running_hash),
        "signature": hex::encode(&statement.signature),
    })
}

fn genesis(genesis: &Genesis) -> Value {
    json!({
        "deployment": genesis.deployment,
        "origins": genesis.origins,
        "audit_vkey": genesis.audit_vkey,
        "deployment_ca": hex::encode(&genesis.deployment_ca),
        "token_label": genesis.token_label,
        "token_serial": genesis.token_serial,
    })
}

fn policy_set(set: &PolicySet) -> Value {
    json!({
        "hash": hex::encode(&set.hash),
        "files": (set.files.iter())
            .map(|file| json!({ "path": file.path, "text": file.text }))
            .collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denial() -> Record {
        Record {
            index: 7,
            time_unix_nanos: 1_500_000_000,
            kind: Kind::Denial.into(),
            principal: Some(Principal {
                organization: "org2".into(),
                name: "peer0".into(),
                role: "peer".into(),
                certificate_fingerprint: vec![0xab; 32],
            }),
            action: "Sign".into(),
            resource: "organizations/org1/keys/peer0".into(),
            outcome: Outcome::Denied.into(),
            reason: "DENIED".into(),
            salt: vec![1; 16],
            ..Record::default()
        }
    }

    #[test]
    fn a_row_says_who_did_what_and_how_it_ended() {
        assert_eq!(
            row(&denial()),
            [
                "7",
                "1970-01-01T00:00:01.500Z",
                "DENIAL",
                "org2/peer0",
                "Sign",
                "organizations/org1/keys/peer0",
                "DENIED",
                "DENIED"
            ]
        );
        let unknown = Record { kind: 99, ..Record::default() };
        assert_eq!(row(&unknown)[2], "99");
        assert_eq!(row(&unknown)[6], "");
    }

    /// The schema is the oracle: every field of the message stands in the JSON under its own name.
    #[test]
    fn json_has_every_field_of_the_schema() {
        let schema = include_str!("../../../../proto/chancery/audit/v1/record.proto");
        let message = schema.split("message Record {").nth(1).and_then(|rest| rest.split("\n}").next()).unwrap();
        let fields: Vec<&str> = message
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .filter_map(|line| line.split(" = ").next().filter(|_| line.contains(" = ")))
            .filter_map(|declaration| declaration.split_whitespace().last())
            .collect();
        assert_eq!(fields.len(), 33);
        let json = json(&denial());
        for field in fields {
            assert!(json.get(field).is_some(), "{field}");
        }
        assert_eq!(json["kind"], "DENIAL");
        assert_eq!(json["principal"]["certificate_fingerprint"], "ab".repeat(32));
    }
}

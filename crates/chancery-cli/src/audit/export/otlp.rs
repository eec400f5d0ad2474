//! OpenTelemetry logs as OTLP JSON: what the collector's file receiver reads (otlpjsonfilereceiver), a LogsData message a
//! line.
//!
//! **Invariants**: protobuf's JSON rules as OTLP has them: 64-bit numbers are decimal text, names are lowerCamelCase,
//! enums are numbers. The same record gives the same log record.
//!
//! The mapping is in docs/export.md.

use super::{
    super::record::{kind_name, outcome_name},
    cef::source_address,
};
use chancery_audit::record::{Outcome, Record};
use serde_json::{Value, json};

/// SeverityNumber of INFO, WARN and ERROR.
const INFO: (u8, &str) = (9, "INFO");
const WARN: (u8, &str) = (13, "WARN");
const ERROR: (u8, &str) = (17, "ERROR");

/// A LogsData message of these log records.
pub(super) fn logs_data(records: Vec<Value>) -> Value {
    let version = env!("CARGO_PKG_VERSION");
    json!({ "resourceLogs": [{
        "resource": { "attributes": [text("service.name", "chancery")] },
        "scopeLogs": [{
            "scope": { "name": "chancery.audit", "version": version },
            "logRecords": records,
        }],
    }] })
}

/// A record as a LogRecord.
pub(super) fn log_record(record: &Record) -> Value {
    let (number, severity) = match record.outcome() {
        Outcome::Denied | Outcome::NotPerformed => WARN,
        Outcome::Unknown => ERROR,
        Outcome::Unspecified if record.count.is_some() => WARN,
        _ => INFO,
    };
    let (kind, outcome) = (kind_name(record), outcome_name(record));
    let words = [record.action.as_str(), &record.resource, if outcome.is_empty() { &kind } else { &outcome }];
    let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
    json!({
        "timeUnixNano": record.time_unix_nanos.to_string(),
        "observedTimeUnixNano": record.time_unix_nanos.to_string(),
        "severityNumber": number,
        "severityText": severity,
        "eventName": "chancery.audit.record",
        "body": { "stringValue": words.join(" ") },
        "attributes": attributes(record, &kind, &outcome),
    })
}

/// Semantic names where OpenTelemetry has them, `chancery.…` elsewhere; empty values are left out.
fn attributes(record: &Record, kind: &str, outcome: &str) -> Vec<Value> {
    let mut attributes = vec![integer("chancery.record.index", record.index)];
    let mut put = |name: &str, value: &str| {
        if !value.is_empty() {
            attributes.push(text(name, value));
        }
    };
    put("chancery.record.kind", kind);
    put("chancery.action", &record.action);
    put("chancery.resource", &record.resource);
    put("chancery.outcome", outcome);
    put("error.type", &record.reason);
    if let Some(by) = &record.principal {
        put("user.name", &by.name);
        put("chancery.organization", &by.organization);
        put("tls.client.hash.sha256", &hex::encode_upper(&by.certificate_fingerprint));
    }
    put("client.address", &source_address(record).map(|address| address.to_string()).unwrap_or_default());
    put("chancery.request.id", &record.request_id);
    put("chancery.key.algorithm", &record.algorithm);
    put("chancery.key.protection", &record.protection);
    put("chancery.mechanism", &record.mechanism);
    put("chancery.digest", &hex::encode(&record.digest));
    put("chancery.signature", &hex::encode(&record.signature));
    put("chancery.policy_set.hash", &hex::encode(&record.policy_set_hash));
    put("chancery.enclave.incarnation", &hex::encode(&record.enclave_incarnation));
    if let Some(count) = &record.count {
        put("user.name", &count.principal);
        put("chancery.organization", &count.organization);
        put("error.type", &count.reason);
    }
    if let Some(role) = record.principal.as_ref().map(|by| &by.role).filter(|role| !role.is_empty()) {
        attributes.push(texts("user.roles", std::slice::from_ref(role)));
    }
    if !record.policy_ids.is_empty() {
        attributes.push(texts("chancery.policies", &record.policy_ids));
    }
    if record.enclave_operation > 0 {
        attributes.push(integer("chancery.enclave.operation", record.enclave_operation));
    }
    if let Some(count) = &record.count {
        attributes.push(integer("chancery.count.events", count.events));
    }
    attributes
}

fn text(name: &str, value: &str) -> Value {
    json!({ "key": name, "value": { "stringValue": value } })
}

fn integer(name: &str, value: u64) -> Value {
    json!({ "key": name, "value": { "intValue": value.to_string() } })
}

fn texts(name: &str, values: &[String]) -> Value {
    let values: Vec<_> = values.iter().map(|value| json!({ "stringValue": value })).collect();
    json!({ "key": name, "value": { "arrayValue": { "values": values } } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_audit::record::{Kind, Principal};

    #[test]
    fn a_log_record_by_the_rules_of_otlp() {
        let record = Record {
            index: u64::MAX,
            time_unix_nanos: 1_700_000_000_123_456_789,
            kind: Kind::Denial.into(),
            principal: Some(Principal {
                organization: "org1".into(),
                name: "peer0".into(),
                role: "peer".into(),
                certificate_fingerprint: vec![0xab; 32],
            }),
            action: "Sign".into(),
            resource: "organizations/org1/keys/k".into(),
            outcome: Outcome::Denied.into(),
            reason: "DENIED".into(),
            ..Record::default()
        };
        let log = log_record(&record);
        assert_eq!(log["timeUnixNano"], "1700000000123456789");
        assert_eq!((&log["severityNumber"], &log["severityText"]), (&json!(13), &json!("WARN")));
        assert_eq!(log["body"]["stringValue"], "Sign organizations/org1/keys/k DENIED");
        let attribute = |name: &str| {
            let attributes = log["attributes"].as_array().unwrap();
            attributes.iter().find(|attribute| attribute["key"] == name).map(|attribute| attribute["value"].clone())
        };
        assert_eq!(attribute("chancery.record.index"), Some(json!({ "intValue": u64::MAX.to_string() })));
        assert_eq!(attribute("user.name"), Some(json!({ "stringValue": "peer0" })));
        assert_eq!(attribute("tls.client.hash.sha256"), Some(json!({ "stringValue": "AB".repeat(32) })));
        assert_eq!(attribute("chancery.digest"), None);
        let data = logs_data(vec![log.clone()]);
        assert_eq!(data["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0], log);
    }
}

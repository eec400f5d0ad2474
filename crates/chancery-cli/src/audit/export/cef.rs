//! ArcSight Common Event Format, version 0.
//!
//! **Invariants**: one event is one line. What others named can't end a field or begin another: `\` and `|` are escaped
//! in the header, `\`, `=` and line breaks in extensions ("Implementing ArcSight CEF", Character Encoding).
//!
//! The mapping is in docs/export.md.

use super::super::record::{kind_name, outcome_name};
use chancery_audit::record::{Outcome, Record};
use std::net::IpAddr;

/// The record as an event, without the line's end.
pub(super) fn event(record: &Record) -> String {
    let kind = kind_name(record);
    let outcome = outcome_name(record);
    // What is no request of a caller goes by its kind.
    let class = if record.action.is_empty() { kind.as_str() } else { &record.action };
    let name = format!("{class} {}", if outcome.is_empty() { &kind } else { &outcome });
    let header = ["CEF:0", "Chancery", "chancery", env!("CARGO_PKG_VERSION"), class, name.trim_end()];
    let header: Vec<_> = header.iter().map(|field| in_header(field)).collect();
    let mut event = format!("{}|{}|", header.join("|"), severity(record));
    let fields = extensions(record, kind.clone(), outcome);
    let fields: Vec<_> = fields.iter().map(|(key, value)| format!("{key}={}", in_extension(value))).collect();
    event += &fields.join(" ");
    event
}

/// From 0 to 10.
fn severity(record: &Record) -> u8 {
    match record.outcome() {
        Outcome::Denied => 6,
        Outcome::NotPerformed => 4,
        Outcome::Unknown => 8,
        Outcome::Succeeded | Outcome::Replayed => 3,
        Outcome::Unspecified if record.count.is_some() => 6,
        Outcome::Unspecified => 2,
    }
}

/// Keys of the CEF dictionary with their values; empty ones are left out.
fn extensions(record: &Record, kind: String, outcome: String) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("rt", (record.time_unix_nanos.div_euclid(1_000_000)).to_string()),
        ("externalId", record.index.to_string()),
        ("cat", kind),
        ("act", record.action.clone()),
        ("outcome", outcome),
        ("reason", record.reason.clone()),
    ];
    if let Some(by) = &record.principal {
        fields.push(("sntdom", by.organization.clone()));
        fields.push(("suser", by.name.clone()));
        fields.push(("spriv", by.role.clone()));
    }
    match source_address(record) {
        Some(IpAddr::V4(address)) => fields.push(("src", address.to_string())),
        Some(IpAddr::V6(address)) => {
            fields.extend([("c6a2Label", "Source IPv6 Address".into()), ("c6a2", address.to_string())]);
        }
        None => {}
    }
    if let Some(count) = &record.count {
        let counted = [("sntdom", &count.organization), ("suser", &count.principal), ("reason", &count.reason)];
        fields.extend(counted.map(|(key, value)| (key, value.clone())));
        fields.push(("cnt", count.events.to_string()));
    }
    let mechanism = [&record.algorithm, &record.mechanism].map(String::as_str).join(" ");
    let custom = [
        ("cs1Label", "cs1", "resource", record.resource.clone()),
        ("cs2Label", "cs2", "requestId", record.request_id.clone()),
        ("cs3Label", "cs3", "algorithm", mechanism.trim().to_owned()),
        ("cs4Label", "cs4", "policies", record.policy_ids.join(",")),
        ("cs5Label", "cs5", "digest", hex::encode(&record.digest)),
        ("cs6Label", "cs6", "certificate", fingerprint(record)),
    ];
    for (label, key, name, value) in custom.into_iter().filter(|(.., value)| !value.is_empty()) {
        fields.extend([(label, name.to_owned()), (key, value)]);
    }
    fields.retain(|(_, value)| !value.is_empty());
    fields
}

fn fingerprint(record: &Record) -> String {
    record.principal.as_ref().map(|by| hex::encode(&by.certificate_fingerprint)).unwrap_or_default()
}

/// Where the request came from, if a policy read it.
pub(super) fn source_address(record: &Record) -> Option<IpAddr> {
    record.context.iter().find(|value| value.key == "session.sourceAddress")?.value.parse().ok()
}

fn in_header(text: &str) -> String {
    // A header can't have a line break at all.
    text.replace('\\', r"\\").replace('|', r"\|").replace(['\r', '\n'], " ")
}

fn in_extension(text: &str) -> String {
    text.replace('\\', r"\\").replace('=', r"\=").replace('\r', r"\r").replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_audit::record::{ContextValue, Count, Kind, Principal};

    #[test]
    fn an_event_as_the_specification_has_it() {
        let record = Record {
            index: 7,
            time_unix_nanos: 1_700_000_000_123_456_789,
            kind: Kind::Outcome.into(),
            principal: Some(Principal {
                organization: "org1".into(),
                name: "peer0".into(),
                role: "peer".into(),
                ..Principal::default()
            }),
            action: "Sign".into(),
            resource: "organizations/org1/keys/k/versions/1".into(),
            outcome: Outcome::Succeeded.into(),
            context: vec![ContextValue { key: "session.sourceAddress".into(), value: "192.0.2.7".into() }],
            ..Record::default()
        };
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            event(&record),
            format!(
                "CEF:0|Chancery|chancery|{version}|Sign|Sign SUCCEEDED|3|rt=1700000000123 externalId=7 cat=OUTCOME \
                 act=Sign outcome=SUCCEEDED sntdom=org1 suser=peer0 spriv=peer src=192.0.2.7 cs1Label=resource \
                 cs1=organizations/org1/keys/k/versions/1"
            )
        );
    }

    /// A field can't end early or pose as another, and the event stays on one line.
    #[test]
    fn what_others_named_stays_in_its_field() {
        let record = Record {
            kind: Kind::Denial.into(),
            action: "a|b\\c\nd".into(),
            reason: "x=y\\z\r\noutcome=SUCCEEDED".into(),
            outcome: Outcome::Denied.into(),
            ..Record::default()
        };
        let event = event(&record);
        assert!(!event.contains(['\n', '\r']), "{event}");
        assert!(event.contains(r"|a\|b\\c d|a\|b\\c d DENIED|6|"), "{event}");
        assert!(event.contains(r"reason=x\=y\\z\r\noutcome\=SUCCEEDED"), "{event}");
    }

    #[test]
    fn counts_say_whose_events_were_counted() {
        let count =
            Count { organization: "org2".into(), principal: "peer1".into(), reason: "DENIED".into(), events: 12 };
        let event = event(&Record { kind: Kind::Count.into(), count: Some(count), ..Record::default() });
        assert!(
            event.contains("|COUNT|COUNT COUNT|6|") && event.contains("suser=peer1 reason=DENIED cnt=12"),
            "{event}"
        );
    }
}

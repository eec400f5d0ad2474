//! How a trust anchor is printed.

use super::names::words;
use crate::{
    registry::{names::short, table::Table},
    time::rfc3339,
};
use chancery_api::v1::{RevocationListSummary, TrustAnchor};
use serde_json::{Value, json as object};
use sha2::{Digest as _, Sha256};

pub(super) const TABLE: Table<TrustAnchor, 5> = Table {
    columns: ["anchor", "subject", "may name", "expires", "revocation list"],
    rows: |anchor| vec![row(anchor)],
    json,
};

fn row(anchor: &TrustAnchor) -> [String; 5] {
    [
        short(&anchor.name),
        anchor.subject.clone(),
        if anchor.removed { "removed".to_owned() } else { words(&anchor.patterns) },
        rfc3339(anchor.expire_time),
        anchor.revocation_list.as_ref().map_or("none".to_owned(), revocations),
    ]
}

fn revocations(list: &RevocationListSummary) -> String {
    let entries = if list.entries == 1 { "1 entry".to_owned() } else { format!("{} entries", list.entries) };
    let next = if list.expired { "expired" } else { "next" };
    format!("number {}, {entries}, {next} {}", list.number, rfc3339(list.next_update))
}

fn json(anchor: &TrustAnchor) -> Value {
    object!({
        "name": anchor.name,
        "certificate": hex::encode(&anchor.certificate),
        "certificate_sha256": hex::encode(Sha256::digest(&anchor.certificate)),
        "subject": anchor.subject,
        "expire_time": rfc3339(anchor.expire_time),
        "patterns": (anchor.patterns.iter())
            .map(|given| object!({ "role": given.role, "pattern": given.pattern }))
            .collect::<Vec<_>>(),
        "removed": anchor.removed,
        "revocation_list": anchor.revocation_list.as_ref().map(|list| object!({
            "number": list.number,
            "entries": list.entries,
            "this_update": rfc3339(list.this_update),
            "next_update": rfc3339(list.next_update),
            "expired": list.expired,
        })),
    })
}

//! What records can be found by, each as a 64-bit hash of a tagged text.
//!
//! **Invariants**: a record that a query wants has every term of the query. The reverse is checked against the record:
//! two terms may have one hash.

use super::Query;
use chancery_audit::record::Record;
use std::hash::{DefaultHasher, Hasher};

/// What a term is about. The numbers are in files.
#[derive(Clone, Copy)]
enum Tag {
    Organization = 1,
    Principal,
    Key,
    Action,
    Outcome,
    Request,
}

/// Nothing of this byte stands in names: it parts the texts of a term.
const BETWEEN: u8 = 0xff;

fn term(tag: Tag, texts: &[&[u8]]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u8(tag as u8);
    for text in texts {
        hasher.write(text);
        hasher.write_u8(BETWEEN);
    }
    hasher.finish()
}

/// Tells whether a file was written with other hashes: the standard library may change its own.
pub(super) fn probe() -> u64 {
    term(Tag::Organization, &[b"chancery", b"index"])
}

/// The organization of a resource's name.
fn owner(resource: &str) -> Option<&str> {
    resource.strip_prefix("organizations/").and_then(|rest| rest.split('/').next())
}

/// Organizations that a record belongs to: who asked, whose resource it was, of whom something was counted. One that is
/// named twice comes twice.
pub(super) fn organizations(record: &Record) -> impl Iterator<Item = &str> {
    let by = record.principal.as_ref().map(|by| by.organization.as_str());
    let counted = record.count.as_ref().map(|count| count.organization.as_str());
    [by, owner(&record.resource), counted].into_iter().flatten().filter(|id| !id.is_empty())
}

/// Where the first `parts` parts of a name end, if it has so many.
fn prefix(name: &str, parts: usize) -> Option<&str> {
    let mut ends = name.match_indices('/').map(|(at, _)| at).chain([name.len()]);
    ends.nth(parts - 1).map(|end| &name[..end])
}

/// Parts of the names of keys and of their versions.
const NAMES: [usize; 2] = [4, 6];

/// Shows each term of a record once.
pub(super) fn of_record(record: &Record, mut show: impl FnMut(u64)) {
    let mut before: [&str; 2] = [""; 2];
    for id in organizations(record) {
        if !before.contains(&id) {
            show(term(Tag::Organization, &[id.as_bytes()]));
            before = [before[1], id];
        }
    }
    if let Some(by) = &record.principal {
        show(term(Tag::Principal, &[by.organization.as_bytes(), by.name.as_bytes()]));
    }
    for name in NAMES.into_iter().filter_map(|parts| prefix(&record.resource, parts)) {
        show(term(Tag::Key, &[name.as_bytes()]));
    }
    if !record.action.is_empty() {
        show(term(Tag::Action, &[record.action.as_bytes()]));
    }
    if record.outcome != 0 {
        show(term(Tag::Outcome, &[&record.outcome.to_le_bytes()]));
    }
    if !record.request_id.is_empty() {
        show(term(Tag::Request, &[record.request_id.as_bytes()]));
    }
}

/// The terms that every wanted record has.
pub(super) fn of_query(query: &Query) -> Vec<u64> {
    let mut terms = vec![term(Tag::Organization, &[query.organization.as_bytes()])];
    if let Some((organization, name)) = &query.principal {
        terms.push(term(Tag::Principal, &[organization.as_bytes(), name.as_bytes()]));
    }
    // Of any other name there is no term: its records are found by the others.
    if let Some(key) = query.key.as_ref().filter(|key| NAMES.contains(&key.split('/').count())) {
        terms.push(term(Tag::Key, &[key.as_bytes()]));
    }
    if let Some(action) = query.action.as_ref().filter(|action| !action.is_empty()) {
        terms.push(term(Tag::Action, &[action.as_bytes()]));
    }
    if let Some(outcome) = query.outcome.filter(|outcome| *outcome != 0) {
        terms.push(term(Tag::Outcome, &[&outcome.to_le_bytes()]));
    }
    if let Some(id) = query.request_id.as_ref().filter(|id| !id.is_empty()) {
        terms.push(term(Tag::Request, &[id.as_bytes()]));
    }
    terms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_by_what_they_lie_below() {
        let version = "organizations/org1/keys/k/versions/1";
        assert_eq!(prefix(version, 4), Some("organizations/org1/keys/k"));
        assert_eq!(prefix(version, 6), Some(version));
        assert_eq!(prefix("organizations/org1/keys/k", 6), None);
        assert_eq!(prefix("deployment", 4), None);
        assert_eq!((owner(version), owner("deployment"), owner("organizations/")), (Some("org1"), None, Some("")));
    }

    #[test]
    fn texts_that_join_alike_are_other_terms() {
        assert_ne!(term(Tag::Principal, &[b"ab", b"c"]), term(Tag::Principal, &[b"a", b"bc"]));
        assert_ne!(term(Tag::Action, &[b"Sign"]), term(Tag::Request, &[b"Sign"]));
    }
}

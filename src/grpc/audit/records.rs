//! Reading records: a page of them, or as they come.

use super::{Service, following::Following};
use crate::{
    access::{Peer, STREAMS_PER_CONNECTION, Target},
    audit::Query,
    error::Error,
    grpc::{convert, status::status},
    model::{Action, KeyOrVersionName, OrganizationName, PrincipalName},
};
use chancery_api::v1;
use chancery_audit::record::Outcome;
use futures_util::stream::BoxStream;
use prost_types::Timestamp;
use std::sync::Arc;
use tonic::Status;

/// What `TailRecords` sends.
pub(super) type Tail = BoxStream<'static, Result<v1::TailRecordsResponse, Status>>;

/// Begins the page token of a page that goes on towards the oldest record.
const BELOW: &str = "below-";
/// The longest action's name that is looked for.
const ACTION_LENGTH: usize = 64;

/// Where a page begins: oldest first at a record, newest first below one.
fn from(page_token: &str, newest_first: bool) -> Result<u64, Error> {
    let number = match (page_token, newest_first) {
        ("", true) => return Ok(u64::MAX),
        ("", false) => return Ok(0),
        (token, true) => token.strip_prefix(BELOW),
        (token, false) => Some(token),
    };
    let number = number.and_then(|number| number.parse().ok());
    number.ok_or_else(|| Error::invalid("page_token", "not one that was given for such a listing"))
}

/// A moment in nanoseconds; one that records can't have is the nearest that they can.
fn nanos(time: &Timestamp) -> i64 {
    time.seconds.saturating_mul(1_000_000_000).saturating_add(i64::from(time.nanos))
}

/// What is asked for, if anything is.
fn given<T>(text: &str, parse: impl FnOnce(&str) -> Result<T, Error>) -> Result<Option<T>, Error> {
    if text.is_empty() { Ok(None) } else { parse(text).map(Some) }
}

fn query(wire: &v1::ListRecordsRequest, organization: &OrganizationName) -> Result<Query, Error> {
    let key = given(&wire.key, |text| Ok(convert::name::<KeyOrVersionName, _>("key", text)?.to_string()))?;
    let principal = given(&wire.principal, |text| {
        let name = PrincipalName::parse_lenient(text).map_err(|error| Error::invalid("principal", error))?;
        Ok((name.organization().id().to_owned(), name.id().to_owned()))
    })?;
    let action = given(&wire.action, |text| {
        let is_word = text.len() <= ACTION_LENGTH && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if is_word { Ok(text.to_owned()) } else { Err(Error::invalid("action", "no action: a word such as Sign")) }
    })?;
    let outcome = match Outcome::try_from(wire.outcome) {
        Ok(Outcome::Unspecified) => None,
        Ok(outcome) => Some(outcome.into()),
        Err(_) => return Err(Error::invalid("outcome", format!("unknown value {}", wire.outcome))),
    };
    let (since, until) = (wire.since.as_ref().map(nanos), wire.until.as_ref().map(nanos));
    if since.zip(until).is_some_and(|(since, until)| until <= since) {
        return Err(Error::invalid("until", "not after `since`: no record is between them"));
    }
    Ok(Query {
        organization: organization.id().to_owned(),
        from: from(&wire.page_token, wire.newest_first)?,
        limit: convert::page_size(wire.page_size)?,
        newest_first: wire.newest_first,
        key,
        principal,
        since,
        until,
        action,
        outcome,
        request_id: given(&wire.request_id, convert::request_id)?,
    })
}

/// What a stream sends has no pages, no order of its own and no end.
fn check_filter(filter: &v1::ListRecordsRequest) -> Result<(), Error> {
    let empty = [
        ("filter.page_size", filter.page_size == 0),
        ("filter.page_token", filter.page_token.is_empty()),
        ("filter.until", filter.until.is_none()),
        ("filter.newest_first", !filter.newest_first),
    ];
    match empty.into_iter().find(|(_, is_empty)| !is_empty) {
        Some((field, _)) => Err(Error::invalid(field, "a stream has no pages and no end; leave it empty")),
        None => Ok(()),
    }
}

/// The error of a filter's field under the name that the field has in the request.
fn in_filter(error: Error) -> Error {
    let inner = ["parent", "key", "principal", "action", "outcome", "request_id"];
    let outer =
        ["filter.parent", "filter.key", "filter.principal", "filter.action", "filter.outcome", "filter.request_id"];
    match error {
        Error::Rejected { reason, field, message } => {
            let named = inner.iter().zip(outer).find(|(inner, _)| **inner == field);
            Error::Rejected { reason, field: named.map_or(field, |(_, outer)| outer), message }
        }
        error => error,
    }
}

impl Service {
    pub(super) async fn list(
        &self,
        peer: &Arc<Peer>,
        wire: v1::ListRecordsRequest,
    ) -> Result<v1::ListRecordsResponse, Error> {
        let organization: OrganizationName = convert::name("parent", &wire.parent)?;
        let query = query(&wire, &organization)?;
        let _grant = self.admission.admit(peer, Action::ListRecords, Target::Log(organization)).await?;
        let page = self.admission.audit().page(query).await.map_err(Error::internal)?;
        let token = |next: u64| if wire.newest_first { format!("{BELOW}{next}") } else { next.to_string() };
        let next_page_token = page.next.map(token).unwrap_or_default();
        Ok(v1::ListRecordsResponse { records: page.records, next_page_token, archived: self.admission.audit().first() })
    }

    pub(super) async fn tail(&self, peer: &Arc<Peer>, wire: v1::TailRecordsRequest) -> Result<Tail, Status> {
        let open = peer.open_stream().ok_or_else(|| {
            Status::resource_exhausted(format!("at most {STREAMS_PER_CONNECTION} streams per connection"))
        })?;
        let following = self.follow(peer, wire).await.map_err(|error| status(&error))?;
        Ok(following.stream(open))
    }

    async fn follow(&self, peer: &Arc<Peer>, wire: v1::TailRecordsRequest) -> Result<Following, Error> {
        let filter = wire.filter.ok_or_else(|| Error::invalid("filter", "required: whose records"))?;
        check_filter(&filter)?;
        let organization: OrganizationName = convert::name("filter.parent", &filter.parent)?;
        let mut query = query(&filter, &organization).map_err(in_filter)?;
        let grant = self.admission.admit(peer, Action::TailRecords, Target::Log(organization)).await?;
        let growth = self.admission.audit().growth();
        query.from = wire.from.unwrap_or_else(|| *growth.borrow());
        Ok(Following::new(Arc::clone(&self.admission), Arc::clone(peer), grant, query, growth, self.stopping.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_tokens_are_of_one_order() {
        assert_eq!((from("", false), from("", true)), (Ok(0), Ok(u64::MAX)));
        assert_eq!((from("17", false), from("below-17", true)), (Ok(17), Ok(17)));
        for (token, newest_first) in [("17", true), ("below-17", false), ("below-", true), ("x", false)] {
            assert!(from(token, newest_first).is_err(), "{token}");
        }
    }
}

//! What other policies would have decided of the requests that the log has.
//!
//! **Invariants**
//! * Only records of the organization are read, and of those only requests for its own resources are decided: its
//!   policies are asked about no others.
//! * The log is read a page at a time, beside the runtime, and no further once the caller is gone or may not ask any
//!   more.
//! * Requests are as recorded; keys, groups and the organization are as they are now.
//!
//! **Not here**: reads, which are not recorded.

use super::{PolicyDesk, recorded::Recorded};
use crate::{
    access::{Access, Peer, Target},
    audit::Query,
    error::Error,
    model::{Action, OrganizationName},
    policy::{Explanation, Policies},
};
use chancery_api::reasons;
use chancery_audit::record::Record;
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::mpsc;

/// Organizations whose simulation is under way: each has one, for it reads much of the log and no other waits for it.
#[derive(Default)]
pub(super) struct UnderWay(Mutex<HashSet<OrganizationName>>);

/// An organization's place among them, given back when it is dropped.
pub(super) struct Place<'a>(&'a UnderWay, &'a OrganizationName);

impl UnderWay {
    fn organizations(&self) -> MutexGuard<'_, HashSet<OrganizationName>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn enter<'a>(&'a self, organization: &'a OrganizationName) -> Option<Place<'a>> {
        let entered = self.organizations().insert(organization.clone());
        // Made only where it is had: dropping one gives the place back.
        if entered { Some(Place(self, organization)) } else { None }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.organizations().remove(self.1);
    }
}

/// Records that are decided at a time.
const PAGE: usize = 500;

/// What is to be tried out.
#[derive(Debug, Clone)]
pub struct Simulation {
    /// Whose policies.
    pub organization: OrganizationName,
    /// Its own policies as they would be.
    pub text: String,
    /// Requests since then, nanoseconds since the Unix epoch; `None`: all.
    pub since: Option<i64>,
}

/// One answer of a simulation; the summary is the last.
#[derive(Debug)]
pub enum Simulated {
    /// A request that would be decided otherwise.
    Change(Box<Change>),
    /// All were decided.
    Summary(Summary),
}

/// A request that would be decided otherwise.
#[derive(Debug)]
pub struct Change {
    /// Its record.
    pub record: Record,
    /// By the policies in force.
    pub now: Explanation,
    /// By those given.
    pub then: Explanation,
}

/// How much was seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Records of the organization.
    pub records: u64,
    /// Requests in them that policies decided.
    pub requests: u64,
    /// Requests that would be decided otherwise.
    pub changes: u64,
    /// Requests that the policies in force decide otherwise than the record says.
    pub decided_otherwise: u64,
}

/// The policies in force and those given.
struct Compared {
    now: Arc<Policies>,
    then: Policies,
}

impl PolicyDesk {
    /// Decides recorded requests once more. What would change goes to `answers`, then the summary.
    ///
    /// # Errors
    /// [`Error`]; `BUSY` while the organization's last one is under way.
    pub async fn simulate(
        &self,
        peer: Arc<Peer>,
        simulation: Simulation,
        answers: mpsc::Sender<Simulated>,
    ) -> Result<(), Error> {
        let Simulation { organization, text, since } = simulation;
        let target = Target::Organization(organization.clone());
        let grant = self.admission.admit(&peer, Action::SimulatePolicies, target).await?;
        let Some(_place) = self.simulations.enter(&organization) else {
            return Err(Error::Precondition {
                reason: reasons::BUSY,
                message: format!("another simulation of {organization} is under way; try again when it is over"),
            });
        };
        let set = self.parse(grant.caller(), &organization, &text).await?;
        let now = self.access().policies();
        let then = now.with_organization(set);
        let compared = Arc::new(Compared { now, then });
        let mut summary = Summary::default();
        let mut next = Some(0);
        while let Some(from) = next {
            // It may take long: who may not ask any more is told no more.
            self.access().recheck(&grant, None)?;
            let query =
                Query { organization: organization.id().to_owned(), from, limit: PAGE, since, ..Query::default() };
            let page = self.admission.audit().page(query).await.map_err(Error::internal)?;
            next = page.next;
            let (compared, access) = (Arc::clone(&compared), Arc::clone(self.admission.access()));
            let whose = organization.clone();
            let decide = move || compared.decide(&access, &whose, page.records);
            let (changes, part) = tokio::task::spawn_blocking(decide).await.map_err(Error::internal)?;
            summary = summary.and(part);
            for change in changes {
                answers.send(Simulated::Change(Box::new(change))).await.map_err(|_| gone())?;
            }
            if answers.is_closed() {
                return Err(gone());
            }
        }
        answers.send(Simulated::Summary(summary)).await.map_err(|_| gone())
    }
}

fn gone() -> Error {
    Error::invalid("parent", "the caller hung up; the simulation was given up")
}

impl Summary {
    fn and(self, other: Self) -> Self {
        Self {
            records: self.records + other.records,
            requests: self.requests + other.requests,
            changes: self.changes + other.changes,
            decided_otherwise: self.decided_otherwise + other.decided_otherwise,
        }
    }
}

impl Compared {
    /// Decides a page of records: what would change, and how much was seen.
    fn decide(&self, access: &Access, organization: &OrganizationName, records: Vec<Record>) -> (Vec<Change>, Summary) {
        let mut summary = Summary { records: records.len() as u64, ..Summary::default() };
        let mut changes = Vec::new();
        for record in records {
            let Some(recorded) = Recorded::of(&record) else { continue };
            let permitted = recorded.permitted;
            let Some(request) = recorded.request(access).filter(|of| of.resource.organization() == organization) else {
                continue;
            };
            let (now, then) = (self.now.explain(&request), self.then.explain(&request));
            summary.requests += 1;
            summary.decided_otherwise += u64::from(now.permitted() != permitted);
            if now.permitted() != then.permitted() {
                summary.changes += 1;
                changes.push(Change { record, now, then });
            }
        }
        (changes, summary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_organization_has_one_simulation_and_keeps_no_other_waiting() {
        let (under_way, [one, other]) =
            (UnderWay::default(), ["org1", "org2"].map(|id| OrganizationName::from_id(id).unwrap()));
        let first = under_way.enter(&one).unwrap();
        assert!(under_way.enter(&one).is_none());
        let _other = under_way.enter(&other).unwrap();
        drop(first);
        assert!(under_way.enter(&one).is_some());
    }
}

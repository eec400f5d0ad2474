//! Dangerous operations take two officers: one asks, another approves, and then the same request is made.
//!
//! **Invariants**
//! * An approval is of one action, on one resource, with one content, by one requester. It is used once, and what uses
//!   it is recorded together with its end.
//! * Who approves is a security officer of the same organization, under another name and with another public key than
//!   who asked, and still registered and not suspended when the approval is used.
//! * Asking, approving, calling off and using are records of their own, in that order.
//!
//! **Not here**: which operations are dangerous (`keys`, `backups`, `registry`).

mod decide;

pub use decide::{ApprovalName, Listing};

use crate::{
    access::{Grant, now, written},
    admission::Admission,
    audit::Draft,
    changes::Changes,
    config::OfficerOptions,
    error::Error,
    model::{Action, Approval, PrincipalName, RequestId, Role, Suspended},
    store::Row,
};
use chancery_api::reasons;
use std::{sync::Arc, time::Duration};

/// The most approvals of an organization that are open at a time.
const MOST_OPEN: usize = 100;

/// See the module.
pub struct Approvals {
    admission: Arc<Admission>,
    changes: Arc<Changes>,
    options: OfficerOptions,
    /// Held from reading an approval to writing it.
    one: tokio::sync::Mutex<()>,
}

impl Approvals {
    /// Over the admitted and the changes.
    pub fn new(admission: Arc<Admission>, changes: Arc<Changes>, options: OfficerOptions) -> Self {
        Self { admission, changes, options, one: tokio::sync::Mutex::default() }
    }

    /// Demands another officer's approval of what `grant` permits with the content of `request`. Where there is none, it
    /// is asked for, with `summary` for people.
    ///
    /// Gives the row that closes the approval: it belongs to the rows of the change that is approved, so that it is used
    /// once. `None`: the deployment asks for no second officer.
    ///
    /// # Errors
    /// [`Error::Precondition`]: `APPROVAL_NEEDED`, naming the approval; `APPROVAL_WAITING` until its waiting period is
    /// over; `BUSY` when too many are open. [`Error::Unavailable`] when it could not be recorded.
    pub async fn require(&self, grant: &Grant, request: &RequestId, summary: String) -> Result<Option<Row>, Error> {
        if !self.options.second_officer {
            return Ok(None);
        }
        let _one = self.one.lock().await;
        let (asked, now) = (self.asked(grant, request, summary)?, now());
        let organization = &asked.organization;
        let mut open = self.changes.directory().approvals(organization);
        open.retain(|row| is_open(row, now));
        let Some(found) = open.iter().find(|row| is_same(row, &asked) && self.counts(row)) else {
            if open.len() >= MOST_OPEN {
                return Err(Error::Precondition {
                    reason: reasons::BUSY,
                    message: format!(
                        "{organization} has {MOST_OPEN} approvals open; approve or cancel some of them (`chancery approvals \
                         list {organization}`)"
                    ),
                });
            }
            let row = Row::Approval(asked.clone());
            self.changes.apply(Draft::approval_requested(grant, request, &row), vec![row]).await?;
            tracing::info!(approval = asked.name(), summary = asked.summary, "a second officer is asked");
            return Err(needed(&asked));
        };
        if found.approved.is_none() {
            return Err(needed(found));
        }
        let ready = self.ready_time(found);
        if now < ready {
            return Err(Error::Precondition {
                reason: reasons::APPROVAL_WAITING,
                message: format!(
                    "{} is approved, and its waiting period ends at {}: send the same request again then",
                    found.name(),
                    written(ready)
                ),
            });
        }
        Ok(Some(Row::Approval(Approval { closed: true, ..found.clone() })))
    }

    /// How long a dangerous operation waits from being asked for; `None`: the deployment asks for no second officer.
    pub fn waiting_period(&self) -> Option<Duration> {
        self.options.second_officer.then_some(self.options.waiting_period)
    }

    /// When what an approval is of can be done at the earliest. A key that may be in other hands does not wait.
    pub fn ready_time(&self, approval: &Approval) -> i64 {
        if approval.action == Action::MarkKeyVersionCompromised.as_str() {
            return approval.create_time;
        }
        approval.create_time.saturating_add(nanoseconds(self.options.waiting_period))
    }

    /// The approval that this request would need.
    fn asked(&self, grant: &Grant, request: &RequestId, summary: String) -> Result<Approval, Error> {
        let permitted = grant.permit().request();
        let create_time = now();
        Ok(Approval {
            organization: permitted.resource.organization().clone(),
            id: new_id()?,
            action: permitted.action.as_str().to_owned(),
            resource: grant.target().to_string(),
            request_hash: request.hash,
            summary,
            requester: permitted.principal.name.clone(),
            requester_key: *grant.caller().public_key_sha256(),
            create_time,
            expire_time: create_time.saturating_add(nanoseconds(self.options.approval_lifetime)),
            approved: None,
            closed: false,
        })
    }

    /// Whether its approver, if it has one, is still an officer.
    fn counts(&self, approval: &Approval) -> bool {
        approval.approved.as_ref().is_none_or(|(approver, _)| self.is_officer(approver))
    }

    fn is_officer(&self, name: &PrincipalName) -> bool {
        let directory = self.changes.directory();
        let registered = (directory.registration(name))
            .is_some_and(|row| row.role == Role::SecurityOfficer && !row.public_keys_sha256.is_empty());
        let suspension = directory.suspension(name.organization(), &Suspended::Principal(name.clone()));
        registered && suspension.is_none_or(|row| row.lifted)
    }
}

fn is_open(approval: &Approval, now: i64) -> bool {
    !approval.closed && now < approval.expire_time
}

fn is_same(approval: &Approval, asked: &Approval) -> bool {
    approval.action == asked.action
        && approval.resource == asked.resource
        && approval.request_hash == asked.request_hash
        && approval.requester == asked.requester
}

fn needed(approval: &Approval) -> Error {
    let name = approval.name();
    Error::Precondition {
        reason: reasons::APPROVAL_NEEDED,
        message: format!(
            "this needs {name}: another security officer approves it with `chancery approvals approve {name}` before {}, \
             then send the same request again",
            written(approval.expire_time)
        ),
    }
}

fn nanoseconds(of: Duration) -> i64 {
    i64::try_from(of.as_nanos()).unwrap_or(i64::MAX)
}

/// An id that sorts by time.
fn new_id() -> Result<String, Error> {
    let mut random = [0; 4];
    getrandom::fill(&mut random).map_err(Error::internal)?;
    let time = jiff::Timestamp::now().strftime("%Y%m%dt%H%M%Sz");
    Ok(format!("{time}-{}", hex::encode(random)))
}

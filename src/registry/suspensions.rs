//! Who or what is not let in for now: the emergency brake.
//!
//! **Invariant**: nobody suspends itself, so whoever could lift a suspension can still do so. One officer suffices to
//! suspend, since what is suspended can do harm until it is; lifting takes two.

use super::{
    Asked, Edit, Registrar,
    principals::{Listing, page},
};
use crate::{
    access::{Caller, Grant, Peer, Target, now},
    directory::Directory,
    error::Error,
    model::{Action, OrganizationName, RequestId, Role, Suspended, Suspension},
    store::Row,
};
use chancery_api::reasons;
use std::sync::Arc;

/// Characters of a reason.
const LONGEST_REASON: usize = 200;

impl Registrar {
    /// Lets nobody of an organization in any more by a name, a certificate or a public key. What is suspended already
    /// stays as it is.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn suspend_principal(
        &self,
        peer: &Arc<Peer>,
        organization: OrganizationName,
        subject: Suspended,
        reason: String,
        request: RequestId,
    ) -> Result<Suspension, Error> {
        if reason.chars().count() > LONGEST_REASON || reason.chars().any(char::is_control) {
            return Err(Error::invalid("reason", format!("at most {LONGEST_REASON} characters, on one line")));
        }
        let asked = Asked {
            action: Action::SuspendPrincipal,
            target: Target::Organization(organization.clone()),
            request,
            field: "principal",
        };
        let new = Suspension { organization, subject, reason, create_time: now(), lifted: false };
        let edited = self.change(peer, asked, move |grant| suspended(self.directory(), grant.caller(), new)).await;
        edited.and_then(as_suspension)
    }

    /// Lets in again by what was suspended.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn lift_suspension(
        &self,
        peer: &Arc<Peer>,
        organization: OrganizationName,
        subject: Suspended,
        request: RequestId,
    ) -> Result<Suspension, Error> {
        let asked = Asked {
            action: Action::LiftSuspension,
            target: Target::Organization(organization.clone()),
            request,
            field: "name",
        };
        let edit = move |grant: &Grant| lifted(self.directory(), grant.caller(), &organization, &subject);
        self.change(peer, asked, edit).await.and_then(as_suspension)
    }

    /// An organization's suspensions, in force and lifted; and where to go on.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn suspensions(
        &self,
        peer: &Arc<Peer>,
        listing: Listing,
    ) -> Result<(Vec<Suspension>, Option<String>), Error> {
        let Listing { organization, after, limit } = listing;
        let target = Target::Organization(organization.clone());
        let _permitted = self.admit(peer, Action::ListSuspensions, target).await?;
        let found = self.directory().suspensions(&organization, after.as_deref(), limit + 1);
        Ok(page(found, limit, |suspension| suspension.subject.id()))
    }
}

fn as_suspension(row: Row) -> Result<Suspension, Error> {
    match row {
        Row::Suspension(row) => Ok(row),
        other => Err(Error::internal(format!("{} is no suspension", other.name()))),
    }
}

fn suspended(directory: &Directory, by: &Caller, new: Suspension) -> Result<Edit, Error> {
    let itself = match &new.subject {
        Suspended::Principal(name) => *name == by.principal().name,
        Suspended::Certificate(fingerprint) => *fingerprint == by.principal().certificate_fingerprint,
        Suspended::PublicKey(key) => key == by.public_key_sha256(),
    };
    if itself {
        return Err(Error::Precondition {
            reason: reasons::WRONG_STATE,
            message: "nobody suspends itself: have another security officer do it".into(),
        });
    }
    match directory.suspension(&new.organization, &new.subject).filter(|stands| !stands.lifted) {
        Some(stands) => Ok(Edit { answer: Row::Suspension(stands), rows: Vec::new(), dangerous: None }),
        None => {
            let row = Row::Suspension(new);
            Ok(Edit { answer: row.clone(), rows: vec![row], dangerous: None })
        }
    }
}

fn lifted(
    directory: &Directory,
    by: &Caller,
    organization: &OrganizationName,
    subject: &Suspended,
) -> Result<Edit, Error> {
    let before = directory.suspension(organization, subject);
    let before = before.ok_or_else(|| Error::NotFound(format!("{organization}/suspensions/{}", subject.id())))?;
    let rows = if before.lifted { None } else { Some(Row::Suspension(Suspension { lifted: true, ..before.clone() })) };
    let answer = rows.clone().unwrap_or(Row::Suspension(before));
    // Where every other officer is suspended there is nobody to approve it, and it must not stay so for ever.
    let mut others = directory.bearers(organization, Role::SecurityOfficer).into_iter();
    let another = others.any(|other| other.name != by.principal().name && !directory.member(&other.name).suspended);
    let dangerous = rows.as_ref().filter(|_| another).map(|row| format!("lifts {}: lets in by it again", row.name()));
    Ok(Edit { answer, rows: rows.into_iter().collect(), dangerous })
}

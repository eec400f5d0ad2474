//! An officer's word that the service's clock is right, after a jump froze destruction.

use super::{Begun, Keys};
use crate::{
    access::{Peer, Target, now},
    audit::Draft,
    error::Error,
    model::{Action, Organization, OrganizationName, RequestId},
    policy::Context,
    store::Row,
};
use chancery_api::state;
use prost::Message;
use std::sync::Arc;

/// What an officer confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmed {
    /// Why destruction was frozen; `None`: it was not.
    pub frozen: Option<String>,
    /// The service's clock, nanoseconds since the Unix epoch.
    pub time: i64,
}

impl Keys {
    /// Confirms the clock for one organization: its keys are destroyed again when they are due.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn confirm_clock(
        &self,
        peer: Arc<Peer>,
        organization: OrganizationName,
        request: RequestId,
    ) -> Result<Confirmed, Error> {
        let action = Action::ConfirmClock;
        let caller = self.admission.identify(&peer, action).await?;
        let target = Target::Organization(organization.clone());
        let grant = self.admission.authorize(&caller, action, target, Context::new(), &request).await?;
        let change = match self.changes.begin(&caller.principal().name, action.as_str(), &request).await? {
            Begun::New(change) => change,
            Begun::Answered(answer) => {
                self.replayed(Draft::replayed(&grant, &request)).await?;
                return parse(&answer);
            }
        };
        let _held = self.changes.hold_organizations().await;
        let Some(before) = self.admission.access().directory().organization(&organization) else {
            self.changes.abandon(change).await;
            return Err(Error::NotFound(organization.to_string()));
        };
        let confirmed = Confirmed { frozen: before.destruction_frozen.clone(), time: now() };
        let thawed = confirmed.frozen.is_some().then_some(Organization { destruction_frozen: None, ..before });
        let rows: Vec<_> = thawed.into_iter().map(Row::Organization).collect();
        let draft = Draft::outcome(&grant, &request).states(&rows);
        self.changes.finish(change, Some(draft), rows, answer(&confirmed)).await?;
        Ok(confirmed)
    }
}

fn answer(of: &Confirmed) -> Vec<u8> {
    let frozen = of.frozen.clone().unwrap_or_default();
    state::ClockConfirmed { frozen, time_unix_nanos: of.time }.encode_to_vec()
}

fn parse(answer: &[u8]) -> Result<Confirmed, Error> {
    let answer = state::ClockConfirmed::decode(answer).map_err(Error::internal)?;
    Ok(Confirmed { frozen: Some(answer.frozen).filter(|why| !why.is_empty()), time: answer.time_unix_nanos })
}

//! The base set, read again from its directory.
//!
//! **Invariants**: a directory that can't be used changes nothing. What is read is recorded before it decides, and one
//! reload runs at a time, so that the last one recorded is the one in force.

use super::{PolicyDesk, refused};
use crate::{
    access::{Peer, Target},
    audit::{Draft, unavailable},
    changes::Begun,
    error::Error,
    model::{Action, RequestId},
    policy::{Context, Finding, PolicyError, PolicySet},
};
use chancery_api::v1::ReloadPoliciesResponse;
use prost::Message;
use std::sync::Arc;

/// What a reload came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reloaded {
    /// Hash of the base set in force.
    pub hash: [u8; 32],
    /// It was the same before.
    pub unchanged: bool,
}

impl PolicyDesk {
    /// Reads the base set again, for the platform operator.
    ///
    /// # Errors
    /// [`Error`]; `INVALID_POLICY` when the directory can't be used, and the set in force stays.
    pub async fn reload(&self, peer: Arc<Peer>, request: RequestId) -> Result<Reloaded, Error> {
        let action = Action::ReloadPolicies;
        let caller = self.admission.identify(&peer, action).await?;
        let grant = self.admission.authorize(&caller, action, Target::Deployment, Context::new(), &request).await?;
        let change = match self.changes.begin(&caller.principal().name, action.as_str(), &request).await? {
            Begun::New(change) => change,
            Begun::Answered(answer) => {
                let replayed = self.admission.audit().append(Draft::replayed(&grant, &request)).await;
                replayed.map_err(|error| unavailable(&error))?;
                return first_answer(&answer);
            }
        };
        match self.reload_directory().await {
            Ok(reloaded) => {
                let outcome = Draft::outcome(&grant, &request);
                self.changes.finish(change, Some(outcome), Vec::new(), answer(reloaded)).await?;
                Ok(reloaded)
            }
            Err(error) => {
                self.changes.abandon(change).await;
                let failed = self.admission.audit().append(Draft::failed(&grant, &request, &error)).await;
                failed.map_err(|error| unavailable(&error))?;
                Err(error)
            }
        }
    }

    /// Reads the base set again.
    ///
    /// # Errors
    /// [`Error::InvalidPolicies`] when the directory can't be used, [`Error::Unavailable`] when it is not recorded. The
    /// set in force stays.
    pub async fn reload_directory(&self) -> Result<Reloaded, Error> {
        let _one = self.reloading.lock().await;
        let directory = self.directory.clone();
        let read = tokio::task::spawn_blocking(move || PolicySet::load(&directory)).await.map_err(Error::internal)?;
        let set = read.map_err(|error| {
            tracing::error!(%error, "the base policies can't be used; the set in force stays");
            told(&error)
        })?;
        let hash = set.hash();
        let unchanged = hash == self.access().policies().base().hash();
        if !unchanged {
            let known = self.admission.audit().append(Draft::policy_set(&set)).await;
            known.map_err(|error| unavailable(&error))?;
            self.access().set_base(set);
        }
        tracing::info!(hash = hex::encode(hash), unchanged, "the base policies were read again");
        Ok(Reloaded { hash, unchanged })
    }
}

/// Of the directory, its files' names are told and no path.
fn told(error: &PolicyError) -> Error {
    match error {
        PolicyError::Unreadable { path, source } => {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            Error::InvalidPolicies { field: "policies", findings: vec![format!("{name} can't be read: {source}")] }
        }
        other => refused("policies", other, Finding::to_string),
    }
}

fn answer(reloaded: Reloaded) -> Vec<u8> {
    ReloadPoliciesResponse { hash: reloaded.hash.to_vec(), unchanged: reloaded.unchanged }.encode_to_vec()
}

fn first_answer(answer: &[u8]) -> Result<Reloaded, Error> {
    let answer = ReloadPoliciesResponse::decode(answer).map_err(Error::internal)?;
    let hash = answer.hash.as_slice().try_into().map_err(Error::internal)?;
    Ok(Reloaded { hash, unchanged: answer.unchanged })
}

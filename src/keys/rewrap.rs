//! Wrapping an organization's keys anew, and statements about keys.

use super::{Generation, Keys, Rewrapped};
use crate::{
    access::{Peer, Target},
    audit::Draft,
    enclave::Statement,
    error::Error,
    keys::Begun,
    model::{Action, KeyOrVersionName, Organization, OrganizationName, RequestId},
    policy::Context,
    store::Row,
};
use chancery_api::reasons;
use std::sync::Arc;

/// The longest nonce of a statement, in bytes.
const LONGEST_NONCE: usize = 64;

impl Keys {
    /// Wraps all of an organization's ENCLAVE keys under a new generation of its key-encryption key, and destroys the
    /// older ones.
    ///
    /// # Errors
    /// [`Error`]; `CONFIRMATION_NEEDED` unless `confirm` is the organization's id. What was wrapped anew stays so; ask again
    /// to finish.
    pub async fn rewrap(
        &self,
        peer: Arc<Peer>,
        organization: OrganizationName,
        confirm: &str,
        request: RequestId,
        progress: impl FnMut(Rewrapped) + Send,
    ) -> Result<u64, Error> {
        let action = Action::RewrapKeys;
        let caller = self.admission.identify(&peer, action).await?;
        let target = Target::Organization(organization.clone());
        let grant = self.admission.authorize(&caller, action, target, Context::new(), &request).await?;
        let current = self.admission.access().directory().organization(&organization);
        let current = current.ok_or_else(|| Error::NotFound(organization.to_string()))?;
        require_confirmed(confirm, organization.id())?;
        let change = match self.changes.begin(&caller.principal().name, action.as_str(), &request).await? {
            Begun::New(change) => change,
            Begun::Answered(_) => {
                self.replayed(Draft::replayed(&grant, &request)).await?;
                return Ok(current.kek_generation);
            }
        };
        if current.kek_generation == 0 {
            self.changes.abandon(change).await;
            return Ok(0);
        }
        let summary = format!(
            "the keys of {organization} are wrapped under a new key-encryption key, and the older ones are destroyed: copies \
             of the store from before are worthless"
        );
        let approval = match self.approvals.require(&grant, &request, summary).await {
            Ok(approval) => approval,
            Err(error) => {
                self.changes.abandon(change).await;
                return Err(error);
            }
        };
        let generation = match self.keks.rewrap(&organization, progress).await {
            Ok(generation) => generation,
            Err(error) => {
                self.changes.abandon(change).await;
                self.replayed(Draft::failed(&grant, &request, &error)).await?;
                return Err(error);
            }
        };
        let _held = self.changes.hold_organizations().await;
        let organization = self.admission.access().directory().organization(&organization).unwrap_or(current);
        let row = Row::Organization(Organization { oldest_kek_generation: generation, ..organization });
        let rows: Vec<_> = std::iter::once(row).chain(approval).collect();
        let draft = Draft::outcome(&grant, &request).states(&rows);
        self.changes.finish(change, Some(draft), rows, Vec::new()).await?;
        Ok(generation)
    }

    /// The generation to wrap an organization's keys under, which stays while it is held.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn wrapping(&self, organization: &OrganizationName) -> Result<Generation, Error> {
        self.keks.generation(organization).await
    }

    /// What is known of a version's origin, signed.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn attest(&self, peer: &Arc<Peer>, key: KeyOrVersionName, nonce: &[u8]) -> Result<Statement, Error> {
        let grant = self.admission.admit(peer, Action::AttestKeyVersion, Target::Key(key)).await?;
        if nonce.len() > LONGEST_NONCE {
            return Err(Error::invalid("nonce", format!("at most {LONGEST_NONCE} bytes")));
        }
        self.pairs.enclave().attest(grant.key()?, grant.version()?, nonce).await
    }
}

fn require_confirmed(given: &str, organization: &str) -> Result<(), Error> {
    match given {
        "" => Err(Error::Precondition {
            reason: reasons::CONFIRMATION_NEEDED,
            message: format!(
                "copies of the store from before can't be used any more: repeat `{organization}` in `confirm`"
            ),
        }),
        given if given != organization => {
            Err(Error::invalid("confirm", format!("the keys of `{organization}` are to be rewrapped; name that")))
        }
        _ => Ok(()),
    }
}

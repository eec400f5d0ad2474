//! The registry, changed by API: organizations, their trust anchors and revocation lists, and who is whom in them.
//!
//! **Invariants**
//! * The registry as it would be is built and checked as a whole before a change is recorded: a change that does not
//!   fit is refused, and nothing of it stays.
//! * The platform operator makes organizations and changes none.
//! * A refusal says nothing of another organization but that something is not free.
//!
//! **Not here**: what a certificate is worth (`identity`), who may ask (`policy`), how changes become durable (`changes`).

mod anchors;
mod given;
mod groups;
mod nodes;
mod organizations;
mod principals;
mod proof;
mod revocation;
mod suspensions;

pub use anchors::{AnchorName, AnchorView};
pub use given::{NewAnchor, NewPrincipal};
pub use organizations::{NewOrganization, OrganizationUpdate};
pub use principals::{Listing, Unregistration};
pub use revocation::ListIssuer;

use crate::{
    access::{Grant, Peer, Target},
    admission::Admission,
    approvals::Approvals,
    audit::{Draft, unavailable},
    changes::{Begun, Changes},
    directory::Directory,
    error::Error,
    identity::RegistryError,
    model::{Action, RequestId},
    policy::Context,
    store::Row,
};
use chancery_api::reasons;
use chancery_audit::record::ResourceState;
use prost::Message;
use std::sync::Arc;

/// See the module.
pub struct Registrar {
    admission: Arc<Admission>,
    approvals: Arc<Approvals>,
    changes: Arc<Changes>,
}

/// A request for one change.
struct Asked {
    action: Action,
    target: Target,
    request: RequestId,
    /// The field to blame where the registry would not be consistent.
    field: &'static str,
}

/// What a request makes of the registry.
struct Edit {
    /// What the answer shows, as it is afterwards.
    answer: Row,
    /// What changes; empty: it was so before.
    rows: Vec<Row>,
    /// What it would do, for the second officer that it needs.
    dangerous: Option<String>,
}

impl Registrar {
    /// Over the admitted, the approvals and the changes.
    pub fn new(admission: Arc<Admission>, approvals: Arc<Approvals>, changes: Arc<Changes>) -> Self {
        Self { admission, approvals, changes }
    }

    /// What exists.
    pub fn directory(&self) -> &Arc<Directory> {
        self.changes.directory()
    }

    /// Admits a caller who only reads.
    async fn admit(&self, peer: &Arc<Peer>, action: Action, target: Target) -> Result<Grant, Error> {
        self.admission.admit(peer, action, target).await
    }

    /// One change: `edit` is told who asks while nobody else changes the registry, and says what becomes of it. The
    /// row that the answer shows, also when the same request came before.
    async fn change(
        &self,
        peer: &Arc<Peer>,
        asked: Asked,
        edit: impl FnOnce(&Grant) -> Result<Edit, Error> + Send,
    ) -> Result<Row, Error> {
        self.change_in(peer, asked, Context::new(), edit).await
    }

    /// The same, where policies may read circumstances.
    async fn change_in(
        &self,
        peer: &Arc<Peer>,
        asked: Asked,
        context: Context,
        edit: impl FnOnce(&Grant) -> Result<Edit, Error> + Send,
    ) -> Result<Row, Error> {
        let Asked { action, target, request, field } = asked;
        let caller = self.admission.identify(peer, action).await?;
        let grant = self.admission.authorize(&caller, action, target, context, &request).await?;
        let change = match self.changes.begin(&caller.principal().name, action.as_str(), &request).await? {
            Begun::New(change) => change,
            Begun::Answered(answer) => {
                let draft = Draft::replayed(&grant, &request);
                self.admission.audit().append(draft).await.map_err(|error| unavailable(&error))?;
                return first_answer(&answer);
            }
        };
        let held = self.changes.hold_organizations().await;
        let edited = async {
            // Decided once more while nobody else changes it: another change may just have ended.
            self.admission.access().recheck(&grant, None)?;
            let mut edit = edit(&grant)?;
            self.directory().with(&edit.rows).map_err(|error| refused(field, &error))?;
            if let Some(summary) = edit.dangerous.take() {
                edit.rows.extend(self.approvals.require(&grant, &request, summary).await?);
            }
            Ok(edit)
        };
        let Edit { answer, rows, .. } = match edited.await {
            Ok(edit) => edit,
            Err(error) => {
                self.changes.abandon(change).await;
                // Nobody else waits while this caller is paced.
                drop(held);
                return Err(self.admission.rejected(&caller, error).await);
            }
        };
        let outcome = Draft::outcome(&grant, &request).resource(&answer.name()).states(&rows);
        self.changes.finish(change, Some(outcome), rows, answer.state().encode_to_vec()).await?;
        Ok(answer)
    }
}

/// The resource as the request left it, whatever became of it since.
fn first_answer(answer: &[u8]) -> Result<Row, Error> {
    let state = ResourceState::decode(answer).map_err(Error::internal)?;
    Row::parse(&state).map_err(Error::internal)
}

/// Refuses a dangerous change whose object is not named twice.
fn require_confirmed(given: &str, id: &str) -> Result<(), Error> {
    match given {
        "" => Err(Error::Precondition {
            reason: reasons::CONFIRMATION_NEEDED,
            message: format!("this may lock members out or let others in: repeat `{id}` in `confirm`"),
        }),
        given if given != id => Err(Error::invalid("confirm", format!("`{id}` is to be changed; name that"))),
        _ => Ok(()),
    }
}

/// What of an inconsistent registry its changer is told: nothing of other organizations.
fn refused(field: &'static str, error: &RegistryError) -> Error {
    let told = match error {
        RegistryError::AnchorShared { .. } => {
            "the authority's key is another organization's trust anchor; an authority vouches for one organization"
                .into()
        }
        RegistryError::AnchorIssuedByOther { .. } => {
            "the authority is chained to or from another organization's trust anchor, so members would belong to both; \
             register one that shares no chain with it"
                .into()
        }
        RegistryError::KeyOfTwo { first, second } if first.organization() != second.organization() => {
            "the public key is registered in another organization; each principal needs a key of its own".into()
        }
        RegistryError::SeveralOperators { .. } => {
            "platform-operator is a role of the organization that runs the service alone".into()
        }
        other => other.to_string(),
    };
    Error::invalid(field, told)
}

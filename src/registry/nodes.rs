//! Public keys of nodes that wait for an officer.

use super::{Asked, Edit, Registrar};
use crate::{
    access::{Peer, Target, now},
    directory::{Directory, Member},
    error::Error,
    model::{Action, Node, NodeKey, PrincipalName, RequestId},
    store::Row,
};
use chancery_api::reasons;
use std::sync::Arc;

impl Registrar {
    /// Lets a node in with a public key, whether it has shown the key and waits or is yet to show it.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn approve_principal_key(
        &self,
        peer: &Arc<Peer>,
        name: PrincipalName,
        public_key_sha256: [u8; 32],
        request: RequestId,
    ) -> Result<Member, Error> {
        let asked = Asked {
            action: Action::ApprovePrincipalKey,
            target: Target::Organization(name.organization().clone()),
            request,
            field: "name",
        };
        let edit = move |_: &_| approved(self.directory(), name, public_key_sha256);
        self.change(peer, asked, edit).await.and_then(|row| self.as_member(row))
    }
}

fn approved(directory: &Directory, name: PrincipalName, public_key_sha256: [u8; 32]) -> Result<Edit, Error> {
    let member = directory.member(&name);
    if member.registration.is_some() {
        return Err(Error::Precondition {
            reason: reasons::WRONG_STATE,
            message: format!("{name} is registered: its public keys are registered, too (RegisterPrincipal)"),
        });
    }
    let node = member.node.unwrap_or_else(|| Node { principal: name, keys: Vec::new() });
    let known = node.key(&public_key_sha256).copied();
    if known.is_some_and(|key| !key.pending) {
        return Ok(Edit { answer: Row::Node(node), rows: Vec::new(), dangerous: None });
    }
    let first_seen = known.map_or_else(now, |key| key.first_seen);
    let row = Row::Node(node.with(NodeKey { public_key_sha256, first_seen, pending: false }));
    Ok(Edit { answer: row.clone(), rows: vec![row], dangerous: None })
}

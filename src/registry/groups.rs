//! Groups: principals that policies speak of together.
//!
//! **Invariant**: a group's members are principals of its own organization.

use super::{
    Asked, Edit, Registrar,
    principals::{Listing, page},
};
use crate::{
    access::{Peer, Target},
    directory::Directory,
    error::Error,
    model::{Action, Group, PrincipalName, RequestId},
    store::Row,
};
use std::sync::Arc;

/// Members of a group.
const MOST_MEMBERS: usize = 1000;

impl Registrar {
    /// Sets all members of a group.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn update_group(&self, peer: &Arc<Peer>, mut group: Group, request: RequestId) -> Result<Group, Error> {
        if group.members.len() > MOST_MEMBERS {
            return Err(Error::invalid("members", format!("at most {MOST_MEMBERS}")));
        }
        if group.members.iter().any(|member| *member.organization() != group.organization) {
            return Err(Error::invalid(
                "members",
                format!("a group of {} has members of it alone", group.organization),
            ));
        }
        group.members.sort();
        group.members.dedup();
        let asked = Asked {
            action: Action::UpdateGroup,
            target: Target::Organization(group.organization.clone()),
            request,
            field: "members",
        };
        match self.change(peer, asked, move |_| Ok(updated(self.directory(), group))).await? {
            Row::Group(group) => Ok(group),
            other => Err(Error::internal(format!("{} is no group", other.name()))),
        }
    }

    /// An organization's groups; and where to go on.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn groups(&self, peer: &Arc<Peer>, listing: Listing) -> Result<(Vec<Group>, Option<String>), Error> {
        let Listing { organization, after, limit } = listing;
        let target = Target::Organization(organization.clone());
        let _permitted = self.admit(peer, Action::ListGroups, target).await?;
        let found = self.directory().groups(&organization, after.as_deref(), limit + 1);
        Ok(page(found, limit, |group| group.id.clone()))
    }
}

fn updated(directory: &Directory, group: Group) -> Edit {
    let members = directory.group(&group.organization, &group.id).map(|before| before.members).unwrap_or_default();
    let row = Row::Group(group.clone());
    if members == group.members {
        return Edit { rows: Vec::new(), answer: row, dangerous: None };
    }
    // Policies may let a group's members sign.
    let dangerous = format!(
        "{}: comes {}; goes {}",
        row.name(),
        missing(&group.members, &members),
        missing(&members, &group.members)
    );
    Edit { rows: vec![row.clone()], answer: row, dangerous: Some(dangerous) }
}

/// Those of `these` that `others` lack, for the officer who approves them.
fn missing(these: &[PrincipalName], others: &[PrincipalName]) -> String {
    let names: Vec<_> = these.iter().filter(|name| !others.contains(name)).map(PrincipalName::id).collect();
    if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
}

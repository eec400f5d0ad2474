//! What the directory knows of an organization's members: registrations, nodes, suspensions, groups.

use super::{Content, Directory};
use crate::model::{Group, Node, OrganizationName, PrincipalName, Registration, Role, Suspended, Suspension};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

/// Nodes of an organization that are known by name, at most.
pub const NODES_PER_ORGANIZATION: usize = 10_000;

/// A principal that is registered, or a node that was seen, or both: then the registration counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub name: PrincipalName,
    /// As what it is registered.
    pub registration: Option<Registration>,
    /// With which keys it was seen, while its certificate alone made it a node.
    pub node: Option<Node>,
    /// Whether it is suspended by name.
    pub suspended: bool,
}

/// Whether a public key may make a node of its bearer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It may.
    LetIn,
    /// Not until an officer approves it.
    Waits,
    /// It was not seen before: that is to be recorded first.
    New,
}

/// One principal's place in `nodes`, `registrations`, `suspensions` and `groups`.
impl Directory {
    /// A registered or known member by name; without anything known of it where it is neither.
    pub fn member(&self, name: &PrincipalName) -> Member {
        self.read().member(name)
    }

    /// Up to `limit` registered principals and known nodes of an organization by name, those after `after`.
    pub fn members(&self, of: &OrganizationName, after: Option<&PrincipalName>, limit: usize) -> Vec<Member> {
        let content = self.read();
        let registered = page(&content.registrations, format!("{of}/principals/"), after.map(ToString::to_string))
            .take(limit)
            .map(|row| row.name.clone());
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let nodes = content.nodes.get(of).map(|nodes| nodes.range::<PrincipalName, _>((from, Bound::Unbounded)));
        let nodes = nodes.into_iter().flatten().take(limit).map(|(name, _)| name.clone());
        let names: BTreeSet<_> = registered.chain(nodes).collect();
        names.into_iter().take(limit).map(|name| content.member(&name)).collect()
    }

    /// An organization's registered principals that have a key, and this role.
    pub fn bearers(&self, of: &OrganizationName, role: Role) -> Vec<Registration> {
        let content = self.read();
        let registered = page(&content.registrations, format!("{of}/principals/"), None);
        registered.filter(|row| row.role == role && !row.public_keys_sha256.is_empty()).cloned().collect()
    }

    /// Who is registered with a public key, whatever the organization.
    pub fn registered_with(&self, public_key_sha256: &[u8; 32]) -> Option<PrincipalName> {
        let content = self.read();
        let row = content.registrations.values().find(|row| row.public_keys_sha256.contains(public_key_sha256));
        row.map(|row| row.name.clone())
    }

    /// Whether a public key (SHA-256 of its SubjectPublicKeyInfo) may make a node of this name.
    pub fn standing(&self, name: &PrincipalName, public_key_sha256: &[u8; 32]) -> Standing {
        let content = self.read();
        let organization = name.organization();
        let nodes = content.nodes.get(organization);
        match nodes.and_then(|nodes| nodes.get(name)) {
            Some(node) => match node.key(public_key_sha256) {
                Some(key) if key.pending => Standing::Waits,
                Some(_) => Standing::LetIn,
                None => Standing::New,
            },
            // No more names are taken down: they wait, or go unrecorded, as the organization has it.
            None if nodes.is_some_and(|nodes| nodes.len() >= NODES_PER_ORGANIZATION) => {
                let strict = content.organizations.get(organization).is_some_and(|row| row.pin_strict);
                if strict { Standing::Waits } else { Standing::LetIn }
            }
            None => Standing::New,
        }
    }

    /// What is said of who or what is suspended, in force or lifted.
    pub fn suspension(&self, of: &OrganizationName, subject: &Suspended) -> Option<Suspension> {
        self.read().suspensions.get(&suspension_name(of, &subject.id())).cloned()
    }

    /// Up to `limit` of an organization's suspensions by id, in force and lifted, those after the id `after`.
    pub fn suspensions(&self, of: &OrganizationName, after: Option<&str>, limit: usize) -> Vec<Suspension> {
        let after = after.map(|id| suspension_name(of, id));
        let content = self.read();
        page(&content.suspensions, suspension_name(of, ""), after).take(limit).cloned().collect()
    }

    /// A group that has members.
    pub fn group(&self, of: &OrganizationName, id: &str) -> Option<Group> {
        self.read().groups.get(&group_name(of, id)).filter(|group| !group.members.is_empty()).cloned()
    }

    /// Up to `limit` of an organization's groups that have members by id, those after the id `after`.
    pub fn groups(&self, of: &OrganizationName, after: Option<&str>, limit: usize) -> Vec<Group> {
        let after = after.map(|id| group_name(of, id));
        let content = self.read();
        let groups = page(&content.groups, group_name(of, ""), after);
        groups.filter(|group| !group.members.is_empty()).take(limit).cloned().collect()
    }

    /// The full names of the groups that a principal is in, sorted.
    pub fn groups_of(&self, name: &PrincipalName) -> Vec<String> {
        self.read().groups_of.get(name).map(|groups| groups.iter().cloned().collect()).unwrap_or_default()
    }
}

fn suspension_name(of: &OrganizationName, id: &str) -> String {
    format!("{of}/suspensions/{id}")
}

fn group_name(of: &OrganizationName, id: &str) -> String {
    format!("{of}/groups/{id}")
}

/// Rows whose names begin with `prefix`, by name, those after the name `after`.
fn page<R>(rows: &BTreeMap<String, R>, prefix: String, after: Option<String>) -> impl Iterator<Item = &R> {
    let from = after.map_or_else(|| Bound::Included(prefix.clone()), Bound::Excluded);
    rows.range((from, Bound::Unbounded)).take_while(move |(name, _)| name.starts_with(&prefix)).map(|(_, row)| row)
}

impl Content {
    fn member(&self, name: &PrincipalName) -> Member {
        let organization = name.organization();
        let by_name = Suspended::Principal(name.clone()).id();
        let suspension = self.suspensions.get(&suspension_name(organization, &by_name));
        Member {
            registration: self.registrations.get(&name.to_string()).cloned(),
            node: self.nodes.get(organization).and_then(|nodes| nodes.get(name)).cloned(),
            suspended: suspension.is_some_and(|row| !row.lifted),
            name: name.clone(),
        }
    }

    pub(super) fn put_node(&mut self, row: Node) {
        let nodes = self.nodes.entry(row.principal.organization().clone()).or_default();
        nodes.insert(row.principal.clone(), row);
    }

    pub(super) fn put_group(&mut self, row: Group) {
        let name = row.name();
        if let Some(before) = self.groups.get(&name) {
            for member in &before.members {
                if let Some(groups) = self.groups_of.get_mut(member) {
                    groups.remove(&name);
                    if groups.is_empty() {
                        self.groups_of.remove(member);
                    }
                }
            }
        }
        for member in &row.members {
            self.groups_of.entry(member.clone()).or_default().insert(name.clone());
        }
        self.groups.insert(name, row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_found_by_member() {
        let organization = OrganizationName::from_id("org1").unwrap();
        let [one, other] = ["peer0", "peer1"].map(|name| organization.principal(name).unwrap());
        let mut content = Content::default();
        let mut put = |id: &str, members: &[&PrincipalName]| {
            let members = members.iter().map(|name| (*name).clone()).collect();
            content.put_group(Group { organization: organization.clone(), id: id.into(), members });
            [&one, &other].map(|name| {
                let groups = content.groups_of.get(name).into_iter().flatten();
                groups.map(|group| group.rsplit('/').next().unwrap_or_default()).collect::<Vec<_>>().join(" ")
            })
        };
        assert_eq!(put("b", &[&one, &other]), ["b", "b"]);
        assert_eq!(put("a", &[&one]), ["a b", "b"]);
        assert_eq!(put("b", &[&other]), ["a", "b"]);
        assert_eq!(put("b", &[]), ["a", ""]);
        assert_eq!(put("a", &[]), ["", ""]);
        assert!(content.groups_of.is_empty(), "nothing is kept of those in no group");
    }
}

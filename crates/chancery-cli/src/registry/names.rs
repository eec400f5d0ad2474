//! Names of what an organization's registry holds, in full or short.
//!
//! **Not here**: names of keys and principals (chancery-api); whether a thing of that name exists.

use crate::failure::CliError;
use chancery_api::names::{KeyName, OrganizationName, PrincipalName};
use std::fmt;

/// `organizations/{organization}/{collection}/{id}`, given as that or as `{organization}/{id}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ResourceName {
    organization: OrganizationName,
    collection: &'static str,
    id: String,
}

impl ResourceName {
    fn parse(text: &str, collection: &'static str) -> Option<Self> {
        let (organization, id) = match text.strip_prefix("organizations/") {
            Some(rest) => {
                let (organization, rest) = rest.split_once('/')?;
                (organization, rest.strip_prefix(collection)?.strip_prefix('/')?)
            }
            None => text.split_once('/')?,
        };
        let named = !id.is_empty() && !id.contains(|c: char| c == '/' || c.is_control() || c.is_whitespace());
        let organization = OrganizationName::from_id(organization).ok()?;
        named.then(|| Self { organization, collection, id: id.to_owned() })
    }

    /// Whose it is.
    pub(super) fn organization(&self) -> &OrganizationName {
        &self.organization
    }

    /// The last part.
    pub(super) fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.organization, self.collection, self.id)
    }
}

/// A trust anchor.
pub(super) fn anchor(text: &str) -> Result<ResourceName, String> {
    ResourceName::parse(text, "anchors").ok_or_else(|| "a trust anchor is ORG/ANCHOR, as in `anchors list`".to_owned())
}

/// A group.
pub(super) fn group(text: &str) -> Result<ResourceName, String> {
    ResourceName::parse(text, "groups").ok_or_else(|| "a group is ORG/GROUP".to_owned())
}

/// A suspension.
pub(super) fn suspension(text: &str) -> Result<ResourceName, String> {
    ResourceName::parse(text, "suspensions")
        .ok_or_else(|| "a suspension is ORG/SUSPENSION, as in `suspensions list`".to_owned())
}

/// A principal of the organization, by any of its names.
pub(super) fn principal(organization: &OrganizationName, name: &str) -> Result<PrincipalName, CliError> {
    let parsed = if name.contains('/') { PrincipalName::parse_lenient(name) } else { organization.principal(name) };
    let parsed = parsed.map_err(|error| CliError::Usage(error.to_string()))?;
    if parsed.organization() != organization {
        return Err(CliError::Usage(format!("{parsed} is no principal of {organization}")));
    }
    Ok(parsed)
}

/// A trust anchor, or an organization.
#[derive(Debug, Clone)]
pub(super) enum AnchorOrOrganization {
    Anchor(ResourceName),
    Organization(OrganizationName),
}

/// A trust anchor, or an organization that has one only.
pub(super) fn anchor_or_organization(text: &str) -> Result<AnchorOrOrganization, String> {
    let organization = crate::keys::organization(text).map(AnchorOrOrganization::Organization);
    organization
        .or_else(|_| anchor(text).map(AnchorOrOrganization::Anchor))
        .map_err(|_| "give ORG or ORG/ANCHOR".into())
}

impl fmt::Display for AnchorOrOrganization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anchor(name) => name.fmt(f),
            Self::Organization(name) => name.fmt(f),
        }
    }
}

/// What a limit is on.
#[derive(Debug, Clone)]
pub(super) enum Subject {
    Organization(OrganizationName),
    Principal(PrincipalName),
    Key(KeyName),
}

impl Subject {
    /// Whose it is.
    pub(super) fn organization(&self) -> &OrganizationName {
        match self {
            Self::Organization(name) => name,
            Self::Principal(name) => name.organization(),
            Self::Key(name) => name.organization(),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Organization(name) => name.fmt(f),
            Self::Principal(name) => name.fmt(f),
            Self::Key(name) => name.fmt(f),
        }
    }
}

/// An organization, a principal or a key; keys in full, since `ORG/NAME` is a principal.
pub(super) fn subject(text: &str) -> Result<Subject, String> {
    (crate::keys::organization(text).map(Subject::Organization))
        .or_else(|_| text.parse().map(Subject::Key))
        .or_else(|_| PrincipalName::parse_lenient(text).map(Subject::Principal))
        .map_err(|_| "give ORG, ORG/PRINCIPAL or organizations/ORG/keys/KEY".to_owned())
}

/// `ORG/NAME` of a full name; keys stay as commands want them, in full.
pub(super) fn short(name: &str) -> String {
    let parts: Vec<&str> = name.split('/').collect();
    match parts[..] {
        ["organizations", organization] => organization.to_owned(),
        ["organizations", organization, collection, id] if collection != "keys" => format!("{organization}/{id}"),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_given_short_or_in_full() {
        for text in ["org1/ab12", "organizations/org1/anchors/ab12"] {
            let name = anchor(text).unwrap();
            assert_eq!((name.to_string().as_str(), name.id()), ("organizations/org1/anchors/ab12", "ab12"));
        }
        assert_eq!(suspension("org1/principal-User1@org1").unwrap().id(), "principal-User1@org1");
        for text in
            ["ab12", "org1/", "/ab12", "org1/a/b", "organizations/org1/groups/a", "Org1/a", "org1/a b", "org1/\x1b"]
        {
            assert!(anchor(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_principal_is_of_the_organization() {
        let organization = "organizations/org1".parse().unwrap();
        for name in ["peer0", "org1/peer0", "organizations/org1/principals/peer0"] {
            assert_eq!(principal(&organization, name).unwrap().short(), "org1/peer0");
        }
        for name in ["org2/peer0", "peer 0", ""] {
            assert_eq!(principal(&organization, name).unwrap_err().exit_code(), 64, "{name}");
        }
    }

    #[test]
    fn a_limit_is_on_an_organization_a_principal_or_a_key() {
        for (text, full) in [
            ("org1", "organizations/org1"),
            ("organizations/org1", "organizations/org1"),
            ("org1/peer0", "organizations/org1/principals/peer0"),
            ("organizations/org1/principals/peer0", "organizations/org1/principals/peer0"),
            ("organizations/org1/keys/peer0", "organizations/org1/keys/peer0"),
        ] {
            let subject = subject(text).unwrap();
            assert_eq!((subject.to_string().as_str(), subject.organization().id()), (full, "org1"));
        }
        assert!(subject("organizations/org1/groups/a").is_err());
    }

    #[test]
    fn tables_show_what_commands_take() {
        for (full, expected) in [
            ("organizations/org1", "org1"),
            ("organizations/org1/anchors/ab12", "org1/ab12"),
            ("organizations/org1/keys/peer0", "organizations/org1/keys/peer0"),
            ("what the service made up", "what the service made up"),
        ] {
            assert_eq!(short(full), expected);
        }
    }
}

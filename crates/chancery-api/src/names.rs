//! Resource names (AIP-122), parsed once and then correct by construction.
//!
//! **Invariant**: a value of these types prints as the name it was parsed from. A clone shares its text.

use std::{fmt, str::FromStr, sync::Arc};

/// A resource name that does not parse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is no {expected}")]
pub struct NameError {
    given: String,
    expected: &'static str,
}

impl NameError {
    fn new(given: &str, expected: &'static str) -> Self {
        // A hostile name is not repeated at length.
        Self { given: given.chars().take(160).collect(), expected }
    }
}

const ORGANIZATION: &str = "organization name (organizations/ORG)";
const PRINCIPAL: &str = "principal name (organizations/ORG/principals/NAME)";
const KEY: &str = "key name (organizations/ORG/keys/KEY)";
const GROUP: &str = "group name (organizations/ORG/groups/GROUP)";
const BACKUP: &str = "backup name (organizations/ORG/backups/BACKUP)";
const VERSION: &str = "key version name (organizations/ORG/keys/KEY/versions/N)";
const KEY_OR_VERSION: &str = "name of a key or key version (organizations/ORG/keys/KEY[/versions/N])";

fn is_id(text: &str) -> bool {
    let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'-' | b'.' | b'_');
    (1..=63).contains(&text.len()) && text.bytes().all(allowed) && text.as_bytes()[0].is_ascii_alphanumeric()
}

fn is_common_name(text: &str) -> bool {
    let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'_' | b'@');
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

/// `organizations/{organization}`
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OrganizationName(Arc<str>);

/// `organizations/{organization}/principals/{principal}`
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PrincipalName {
    organization: OrganizationName,
    principal: Arc<str>,
}

/// `organizations/{organization}/keys/{key}`
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyName {
    organization: OrganizationName,
    key: Arc<str>,
}

/// `organizations/{organization}/keys/{key}/versions/{version}`
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyVersionName {
    key: KeyName,
    version: u64,
}

/// `organizations/{organization}/backups/{backup}`
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BackupName {
    organization: OrganizationName,
    backup: Arc<str>,
}

/// A key, which stands for its primary version, or one of its versions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum KeyOrVersionName {
    /// The key.
    Key(KeyName),
    /// The version.
    Version(KeyVersionName),
}

impl OrganizationName {
    /// From the last part of the name.
    ///
    /// # Errors
    /// [`NameError`] when it is no id: 1 to 63 of a-z, 0-9, `-._`, beginning with a letter or digit.
    pub fn from_id(id: &str) -> Result<Self, NameError> {
        if is_id(id) { Ok(Self(id.into())) } else { Err(NameError::new(id, "organization id")) }
    }

    /// The last part of the name, e.g. `org1`.
    pub fn id(&self) -> &str {
        &self.0
    }

    /// A key of this organization.
    ///
    /// # Errors
    /// [`NameError`] when `id` is no id.
    pub fn key(&self, id: &str) -> Result<KeyName, NameError> {
        if is_id(id) {
            Ok(KeyName { organization: self.clone(), key: id.into() })
        } else {
            Err(NameError::new(id, "key id (1 to 63 of a-z, 0-9, '-', '.', '_', beginning with a letter or digit)"))
        }
    }

    /// A backup of this organization's keys.
    ///
    /// # Errors
    /// [`NameError`] when `id` is no id.
    pub fn backup(&self, id: &str) -> Result<BackupName, NameError> {
        if is_id(id) {
            Ok(BackupName { organization: self.clone(), backup: id.into() })
        } else {
            Err(NameError::new(id, "backup id (1 to 63 of a-z, 0-9, '-', '.', '_', beginning with a letter or digit)"))
        }
    }

    /// The organization and the last part of a group's name, `organizations/{organization}/groups/{group}`.
    ///
    /// # Errors
    /// [`NameError`] when it is none.
    pub fn parse_group(text: &str) -> Result<(Self, String), NameError> {
        text.rsplit_once("/groups/")
            .filter(|(_, id)| is_id(id))
            .and_then(|(organization, id)| Some((organization.parse().ok()?, id.to_owned())))
            .ok_or_else(|| NameError::new(text, GROUP))
    }

    /// A principal of this organization.
    ///
    /// # Errors
    /// [`NameError`] when `name` is none: 1 to 64 of A-Z, a-z, 0-9, `-._@`.
    pub fn principal(&self, name: &str) -> Result<PrincipalName, NameError> {
        if is_common_name(name) {
            Ok(PrincipalName { organization: self.clone(), principal: name.into() })
        } else {
            Err(NameError::new(name, "principal (1 to 64 of A-Z, a-z, 0-9, '-', '.', '_', '@')"))
        }
    }
}

impl PrincipalName {
    /// The organization.
    pub fn organization(&self) -> &OrganizationName {
        &self.organization
    }

    /// The last part of the name: the common name.
    pub fn id(&self) -> &str {
        &self.principal
    }

    /// The short form, e.g. `org1/peer0`.
    pub fn short(&self) -> String {
        format!("{}/{}", self.organization.0, self.principal)
    }

    /// From the full name or the short form `ORG/NAME`.
    ///
    /// # Errors
    /// [`NameError`] when it is neither.
    pub fn parse_lenient(text: &str) -> Result<Self, NameError> {
        if let Ok(name) = text.parse() {
            return Ok(name);
        }
        let (organization, principal) = text.split_once('/').ok_or_else(|| NameError::new(text, PRINCIPAL))?;
        OrganizationName::from_id(organization)
            .and_then(|organization| organization.principal(principal))
            .map_err(|_| NameError::new(text, PRINCIPAL))
    }
}

impl KeyName {
    /// The organization.
    pub fn organization(&self) -> &OrganizationName {
        &self.organization
    }

    /// The last part of the name.
    pub fn id(&self) -> &str {
        &self.key
    }

    /// A version of this key, counted from 1.
    pub fn version(&self, version: u64) -> KeyVersionName {
        KeyVersionName { key: self.clone(), version }
    }
}

impl BackupName {
    /// The organization.
    pub fn organization(&self) -> &OrganizationName {
        &self.organization
    }

    /// The last part of the name.
    pub fn id(&self) -> &str {
        &self.backup
    }
}

impl KeyVersionName {
    /// The key.
    pub fn key(&self) -> &KeyName {
        &self.key
    }

    /// The number, from 1.
    pub fn number(&self) -> u64 {
        self.version
    }
}

impl KeyOrVersionName {
    /// The key.
    pub fn key(&self) -> &KeyName {
        match self {
            Self::Key(key) => key,
            Self::Version(version) => version.key(),
        }
    }
}

impl fmt::Display for OrganizationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "organizations/{}", self.0)
    }
}

impl fmt::Display for PrincipalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/principals/{}", self.organization, self.principal)
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/keys/{}", self.organization, self.key)
    }
}

impl fmt::Display for BackupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/backups/{}", self.organization, self.backup)
    }
}

impl fmt::Display for KeyVersionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/versions/{}", self.key, self.version)
    }
}

impl fmt::Display for KeyOrVersionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => key.fmt(f),
            Self::Version(version) => version.fmt(f),
        }
    }
}

impl FromStr for OrganizationName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        text.strip_prefix("organizations/")
            .and_then(|id| Self::from_id(id).ok())
            .ok_or_else(|| NameError::new(text, ORGANIZATION))
    }
}

impl FromStr for PrincipalName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        text.rsplit_once("/principals/")
            .and_then(|(organization, name)| organization.parse::<OrganizationName>().ok()?.principal(name).ok())
            .ok_or_else(|| NameError::new(text, PRINCIPAL))
    }
}

impl FromStr for KeyName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        text.rsplit_once("/keys/")
            .and_then(|(organization, key)| organization.parse::<OrganizationName>().ok()?.key(key).ok())
            .ok_or_else(|| NameError::new(text, KEY))
    }
}

impl FromStr for BackupName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        text.rsplit_once("/backups/")
            .and_then(|(organization, backup)| organization.parse::<OrganizationName>().ok()?.backup(backup).ok())
            .ok_or_else(|| NameError::new(text, BACKUP))
    }
}

impl FromStr for KeyVersionName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let parse = || {
            let (key, version) = text.rsplit_once("/versions/")?;
            let number: u64 = version.parse().ok()?;
            // One spelling only: no sign, no leading zero, no version 0.
            (number > 0 && number.to_string() == version).then_some(())?;
            Some(key.parse::<KeyName>().ok()?.version(number))
        };
        parse().ok_or_else(|| NameError::new(text, VERSION))
    }
}

impl FromStr for KeyOrVersionName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        (text.parse().map(Self::Version))
            .or_else(|_| text.parse().map(Self::Key))
            .map_err(|_: NameError| NameError::new(text, KEY_OR_VERSION))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_print_as_they_were_parsed() {
        for text in ["organizations/org1/keys/peer0", "organizations/org1/keys/peer0/versions/12"] {
            assert_eq!(text.parse::<KeyOrVersionName>().unwrap().to_string(), text);
        }
        let principal: PrincipalName = "organizations/org1/principals/User1@org1.example.com".parse().unwrap();
        assert_eq!(principal.short(), "org1/User1@org1.example.com");
        assert_eq!(PrincipalName::parse_lenient("org1/User1@org1.example.com").unwrap(), principal);
    }

    #[test]
    fn one_resource_has_one_spelling() {
        for text in [
            "",
            "organizations/",
            "organizations/Org1/keys/a",
            "organizations/org1/keys/",
            "organizations/org1/keys/a/",
            "organizations/org1/keys/a/versions/0",
            "organizations/org1/keys/a/versions/01",
            "organizations/org1/keys/a/versions/+1",
            "organizations/org1/keys/a/versions/99999999999999999999",
            "organizations/org1/keys/a/versions/1/versions/2",
            "organizations/org1/keys/../keys/a",
            "organizations/org1/keys/-a",
            "organizations/org1/keys/a b",
            "organizations/org1/keys/a\0",
            "/organizations/org1/keys/a",
            "organizations/org1/principals/x/keys/a",
        ] {
            assert!(text.parse::<KeyOrVersionName>().is_err(), "{text}");
        }
    }
}

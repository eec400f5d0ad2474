//! Keys and certificates as PKCS#11 clients see them: objects with ids and labels of their own.
//!
//! **Invariants**: a version has a private and a public object, or one secret object, whether anybody set their
//! attributes or not. An object names its version for good.
//!
//! **Not here**: who may change them (`policy`), what an id must not be (the service's `objects`).

use super::{KeyName, KeyVersionName, PrincipalName};
use std::{fmt, str::FromStr};

crate::words! {
    /// Which half of a key an object shows, as the last part of its name begins.
    pub enum Half {
        /// The public key.
        Public = "public",
        /// The private key.
        Private = "private",
        /// A secret key, which has no halves.
        Secret = "secret",
    }
}

crate::words! {
    /// How long a key that was made through PKCS#11 stays.
    pub enum KeyStanding {
        /// Until an officer has it destroyed, as every key that was made otherwise.
        Named = "named",
        /// Until it is named or used; without that, until its time is over.
        Provisional = "provisional",
        /// As long as a process.
        Session = "session",
    }
}

/// The most bytes of an id or a label.
pub const LONGEST_ATTRIBUTE: usize = 255;

/// `{half}` for the object that every version has, `{half}-{number}` for its copies, which begin with 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId {
    /// What it shows.
    pub half: Half,
    /// 1 for the first.
    pub number: u32,
}

/// `organizations/{organization}/keys/{key}/versions/{version}/objects/{object}`
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObjectName {
    /// Of which version.
    pub version: KeyVersionName,
    /// Which of its objects.
    pub object: ObjectId,
}

/// Text that is no [`ObjectId`] or [`ObjectName`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no object name (organizations/ORG/keys/KEY/versions/N/objects/private, public or secret, of copies private-2 and so on)"
)]
pub struct ObjectNameError;

impl ObjectId {
    /// The object that every version has.
    pub const fn first(half: Half) -> Self {
        Self { half, number: 1 }
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            1 => self.half.fmt(f),
            number => write!(f, "{}-{number}", self.half),
        }
    }
}

impl FromStr for ObjectId {
    type Err = ObjectNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (half, number) = match text.split_once('-') {
            None => (text, 1),
            Some((half, number)) => (half, number.parse().map_err(|_| ObjectNameError)?),
        };
        let parsed = Self { half: half.parse().map_err(|_| ObjectNameError)?, number };
        // One spelling each.
        if number > 0 && parsed.to_string() == text { Ok(parsed) } else { Err(ObjectNameError) }
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/objects/{}", self.version, self.object)
    }
}

impl FromStr for ObjectName {
    type Err = ObjectNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (version, object) = text.rsplit_once("/objects/").ok_or(ObjectNameError)?;
        Ok(Self { version: version.parse().map_err(|_| ObjectNameError)?, object: object.parse()? })
    }
}

/// What was set of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetObject {
    /// Of which version.
    pub version: u64,
    /// Which of its objects.
    pub object: ObjectId,
    /// CKA_ID; `None`: as implied.
    pub id: Option<Vec<u8>>,
    /// CKA_LABEL; `None`: as implied.
    pub label: Option<Vec<u8>>,
    /// CKA_MODIFIABLE.
    pub modifiable: bool,
    /// It is not shown any more. Copies that are dropped are not kept.
    pub dropped: bool,
}

/// What PKCS#11 clients made of a key: its standing and its objects, as far as anything was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyObjects {
    /// Which key.
    pub key: KeyName,
    /// How long it stays.
    pub standing: KeyStanding,
    /// UUID of the process of a key that is or was a SESSION key; else empty.
    pub process: String,
    /// When a PROVISIONAL key that nobody used or named is destroyed, nanoseconds since the Unix epoch.
    pub collect_time: Option<i64>,
    /// What was set, by version and object.
    pub objects: Vec<SetObject>,
    /// The number of the newest copy: none is given twice.
    pub last_copy: u32,
}

impl KeyObjects {
    /// Of a key that was made otherwise.
    pub fn named(key: KeyName) -> Self {
        Self {
            key,
            standing: KeyStanding::Named,
            process: String::new(),
            collect_time: None,
            objects: Vec::new(),
            last_copy: 1,
        }
    }

    /// `{key}/objects`
    pub fn name(&self) -> String {
        format!("{}/objects", self.key)
    }

    /// What was set of one object.
    pub fn set(&self, version: u64, object: ObjectId) -> Option<&SetObject> {
        self.objects.iter().find(|set| (set.version, set.object) == (version, object))
    }

    /// The same, to be changed: of one of which nothing was set, nothing.
    pub fn to_set(&self, version: u64, object: ObjectId) -> SetObject {
        let nothing = SetObject { version, object, id: None, label: None, modifiable: true, dropped: false };
        self.set(version, object).cloned().unwrap_or(nothing)
    }

    /// With this in the place of what was set of the same object.
    #[must_use]
    pub fn with(mut self, set: SetObject) -> Self {
        match self.objects.iter_mut().find(|before| (before.version, before.object) == (set.version, set.object)) {
            Some(before) => *before = set,
            None => {
                self.objects.push(set);
                self.objects.sort_by_key(|set| (set.version, set.object));
            }
        }
        self
    }
}

/// A certificate that was given to a principal's token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateObject {
    /// Whose.
    pub principal: PrincipalName,
    /// The last part of its name.
    pub certificate_id: String,
    /// X.509, DER; empty once it was dropped.
    pub certificate: Vec<u8>,
    /// CKA_ID.
    pub id: Vec<u8>,
    /// CKA_LABEL.
    pub label: Vec<u8>,
    /// The version whose public key it certifies, if it is kept here.
    pub version: Option<KeyVersionName>,
}

impl CertificateObject {
    /// `organizations/{organization}/principals/{principal}/certificates/{certificate}`
    pub fn name(&self) -> String {
        format!("{}/certificates/{}", self.principal, self.certificate_id)
    }

    /// It is not shown any more.
    pub fn is_dropped(&self) -> bool {
        self.certificate.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_spelling() {
        let version = "organizations/org1/keys/k/versions/2";
        for object in ["private", "public", "secret", "private-2", "secret-4294967295"] {
            let text = format!("{version}/objects/{object}");
            assert_eq!(text.parse::<ObjectName>().unwrap().to_string(), text);
        }
        for object in
            ["", "certificate", "private-1", "private-0", "private-02", "private-", "private-4294967296", "x/y"]
        {
            assert!(format!("{version}/objects/{object}").parse::<ObjectName>().is_err(), "{object}");
        }
        assert!("organizations/org1/keys/k/objects/private".parse::<ObjectName>().is_err());
    }
}

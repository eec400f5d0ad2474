//! Rows, and their form in the log's administrative records.
//!
//! **Invariant**: a row and its [`ResourceState`] say the same; `Row::parse(&row.state()) == row`.

use crate::model::{
    Key, KeyName, KeyVersion, NameError, NamePattern, Organization, Registration, TrustAnchor, UnknownWord,
};
use chancery_api::state;
use chancery_audit::record::ResourceState;
use prost::Message;
use sha2::{Digest, Sha256};

/// One resource's whole state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// An organization.
    Organization(Organization),
    /// A trust anchor.
    Anchor(TrustAnchor),
    /// A registration.
    Registration(Registration),
    /// A key.
    Key(Key),
    /// A key version.
    KeyVersion(KeyVersion),
}

/// A row or an administrative record's state that does not parse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// A message of another type or a damaged one.
    #[error("its state is no {0}")]
    Malformed(&'static str),
    /// A type that this version does not know.
    #[error("its state is of the unknown type `{0}`: it was written by a newer version")]
    UnknownType(String),
    /// A word that is none of those expected.
    #[error("{0}")]
    Word(#[from] UnknownWord),
    /// A name that does not parse.
    #[error("{0}")]
    Name(#[from] NameError),
    /// The state's own name is not the resource's.
    #[error("its state names `{0}`")]
    OtherName(String),
    /// A public key's hash is not 32 bytes.
    #[error("its public key hash is not 32 bytes")]
    HashLength,
}

const ORGANIZATION: &str = "chancery.state.v1.Organization";
const ANCHOR: &str = "chancery.state.v1.TrustAnchor";
const REGISTRATION: &str = "chancery.state.v1.Registration";
const KEY: &str = "chancery.state.v1.Key";
const KEY_VERSION: &str = "chancery.state.v1.KeyVersion";

/// `organizations/{organization}/anchors/{anchor}`, the last part from the certificate's SHA-256.
pub fn anchor_name(anchor: &TrustAnchor) -> String {
    format!("{}/anchors/{}", anchor.organization, hex::encode(&Sha256::digest(&anchor.certificate)[..16]))
}

fn decode<M: Message + Default>(bytes: &[u8], type_name: &'static str) -> Result<M, RowError> {
    M::decode(bytes).map_err(|_| RowError::Malformed(type_name))
}

fn words<T: std::str::FromStr<Err = UnknownWord>>(words: &[String]) -> Result<Vec<T>, UnknownWord> {
    words.iter().map(|word| word.parse()).collect()
}

impl Row {
    /// The resource's full name.
    pub fn name(&self) -> String {
        match self {
            Self::Organization(row) => row.name.to_string(),
            Self::Anchor(row) => anchor_name(row),
            Self::Registration(row) => row.name.to_string(),
            Self::Key(row) => row.name.to_string(),
            Self::KeyVersion(row) => row.name.to_string(),
        }
    }

    /// As an administrative record carries it.
    pub fn state(&self) -> ResourceState {
        let (type_name, value) = match self {
            Self::Organization(row) => (
                ORGANIZATION,
                state::Organization {
                    name: row.name.to_string(),
                    create_time_unix_nanos: row.create_time,
                    enrolling_roles: row.enrolling_roles.iter().map(ToString::to_string).collect(),
                }
                .encode_to_vec(),
            ),
            Self::Anchor(row) => (
                ANCHOR,
                state::TrustAnchor {
                    name: anchor_name(row),
                    certificate: row.certificate.clone(),
                    patterns: (row.patterns.iter())
                        .map(|p| state::NamePattern { role: p.role.to_string(), pattern: p.pattern.clone() })
                        .collect(),
                }
                .encode_to_vec(),
            ),
            Self::Registration(row) => (
                REGISTRATION,
                state::Registration {
                    name: row.name.to_string(),
                    role: row.role.to_string(),
                    public_key_sha256: row.public_key_sha256.to_vec(),
                }
                .encode_to_vec(),
            ),
            Self::Key(row) => (KEY, key_state(row).encode_to_vec()),
            Self::KeyVersion(row) => (
                KEY_VERSION,
                state::KeyVersion {
                    name: row.name.to_string(),
                    state: row.state.to_string(),
                    public_key: row.public_key.clone(),
                    create_time_unix_nanos: row.create_time,
                    certificate: row.certificate.clone().unwrap_or_default(),
                }
                .encode_to_vec(),
            ),
        };
        ResourceState { name: self.name(), r#type: type_name.into(), value }
    }

    /// From an administrative record.
    ///
    /// # Errors
    /// [`RowError`] when the state does not parse or is another resource's.
    pub fn parse(from: &ResourceState) -> Result<Self, RowError> {
        let row = match from.r#type.as_str() {
            ORGANIZATION => {
                let state: state::Organization = decode(&from.value, ORGANIZATION)?;
                Self::Organization(Organization {
                    name: state.name.parse()?,
                    enrolling_roles: words(&state.enrolling_roles)?,
                    create_time: state.create_time_unix_nanos,
                })
            }
            ANCHOR => {
                let state: state::TrustAnchor = decode(&from.value, ANCHOR)?;
                let organization = state.name.rsplit_once("/anchors/").map_or("", |(organization, _)| organization);
                let pattern = |p: state::NamePattern| {
                    Ok::<_, RowError>(NamePattern { role: p.role.parse()?, pattern: p.pattern })
                };
                Self::Anchor(TrustAnchor {
                    organization: organization.parse()?,
                    certificate: state.certificate,
                    patterns: state.patterns.into_iter().map(pattern).collect::<Result<_, _>>()?,
                })
            }
            REGISTRATION => {
                let state: state::Registration = decode(&from.value, REGISTRATION)?;
                Self::Registration(Registration {
                    name: state.name.parse()?,
                    role: state.role.parse()?,
                    public_key_sha256: state.public_key_sha256.try_into().map_err(|_| RowError::HashLength)?,
                })
            }
            KEY => Self::Key(parse_key(decode(&from.value, KEY)?)?),
            KEY_VERSION => {
                let state: state::KeyVersion = decode(&from.value, KEY_VERSION)?;
                Self::KeyVersion(KeyVersion {
                    name: state.name.parse()?,
                    state: state.state.parse()?,
                    public_key: state.public_key,
                    create_time: state.create_time_unix_nanos,
                    certificate: Some(state.certificate).filter(|der| !der.is_empty()),
                })
            }
            other => return Err(RowError::UnknownType(other.chars().take(80).collect())),
        };
        if row.name() == from.name { Ok(row) } else { Err(RowError::OtherName(row.name())) }
    }
}

fn key_state(row: &Key) -> state::Key {
    state::Key {
        name: row.name.to_string(),
        owner: row.owner.to_string(),
        purpose: row.purpose.to_string(),
        algorithm: row.algorithm.to_string(),
        protection: row.protection.to_string(),
        check: row.check.to_string(),
        labels: row.labels.clone().into_iter().collect(),
        primary_version: row.primary_version,
        create_time_unix_nanos: row.create_time,
    }
}

fn parse_key(state: state::Key) -> Result<Key, RowError> {
    Ok(Key {
        name: state.name.parse::<KeyName>()?,
        owner: state.owner.parse()?,
        purpose: state.purpose.parse()?,
        algorithm: state.algorithm.parse()?,
        protection: state.protection.parse()?,
        check: state.check.parse()?,
        labels: state.labels.into_iter().collect(),
        primary_version: state.primary_version,
        create_time: state.create_time_unix_nanos,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Algorithm, Check, KeyState, OrganizationName, Protection, Purpose, Role};

    fn rows() -> Vec<Row> {
        let organization = OrganizationName::from_id("org1").unwrap();
        let key = organization.key("peer0").unwrap();
        let owner = organization.principal("peer0").unwrap();
        vec![
            Row::Organization(Organization {
                name: organization.clone(),
                enrolling_roles: vec![Role::Peer, Role::Ca],
                create_time: 7,
            }),
            Row::Anchor(TrustAnchor {
                organization,
                certificate: vec![1, 2, 3],
                patterns: vec![NamePattern { role: Role::Peer, pattern: "peer*".into() }],
            }),
            Row::Registration(Registration { name: owner.clone(), role: Role::Auditor, public_key_sha256: [9; 32] }),
            Row::Key(Key {
                name: key.clone(),
                owner,
                purpose: Purpose::Sign,
                algorithm: Algorithm::EcP256,
                protection: Protection::Token,
                check: Check::Sampled,
                labels: [("a".to_owned(), "b".to_owned())].into(),
                primary_version: 2,
                create_time: -1,
            }),
            Row::KeyVersion(KeyVersion {
                name: key.version(2),
                state: KeyState::Active,
                public_key: vec![4; 91],
                create_time: 1,
                certificate: Some(vec![5]),
            }),
        ]
    }

    #[test]
    fn a_row_is_what_its_record_says() {
        for row in rows() {
            assert_eq!(Row::parse(&row.state()).unwrap(), row);
        }
    }

    #[test]
    fn a_state_under_another_resources_name_is_refused() {
        for row in rows() {
            let mut state = row.state();
            state.name.push('x');
            assert!(matches!(Row::parse(&state), Err(RowError::OtherName(_))), "{row:?}");
        }
    }
}

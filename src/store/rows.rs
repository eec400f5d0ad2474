//! Rows, and their form in the log's administrative records.
//!
//! **Invariant**: a row and its [`ResourceState`] say the same; `Row::parse(&row.state()) == row`.

use crate::model::{
    Backup, Key, KeyName, KeyVersion, NameError, NamePattern, Organization, Origin, Registration, Rotation,
    TrustAnchor, UnknownWord,
};
use chancery_api::state;
use chancery_audit::record::ResourceState;
use prost::Message;
use sha2::{Digest, Sha256};
use std::time::Duration;

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
    /// A backup that was begun.
    Backup(Backup),
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
    /// A hash is not 32 bytes.
    #[error("its hash is not 32 bytes")]
    HashLength,
}

const ORGANIZATION: &str = "chancery.state.v1.Organization";
const ANCHOR: &str = "chancery.state.v1.TrustAnchor";
const REGISTRATION: &str = "chancery.state.v1.Registration";
const KEY: &str = "chancery.state.v1.Key";
const KEY_VERSION: &str = "chancery.state.v1.KeyVersion";
const BACKUP: &str = "chancery.state.v1.Backup";

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
            Self::Backup(row) => row.name.to_string(),
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
                    kek_generation: row.kek_generation,
                    oldest_kek_generation: row.oldest_kek_generation,
                    destruction_frozen: row.destruction_frozen.clone().unwrap_or_default(),
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
            Self::KeyVersion(row) => (KEY_VERSION, version_state(row).encode_to_vec()),
            Self::Backup(row) => (BACKUP, backup_state(row).encode_to_vec()),
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
                    kek_generation: state.kek_generation,
                    oldest_kek_generation: state.oldest_kek_generation,
                    destruction_frozen: Some(state.destruction_frozen).filter(|why| !why.is_empty()),
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
            KEY_VERSION => Self::KeyVersion(parse_version(decode(&from.value, KEY_VERSION)?)?),
            BACKUP => Self::Backup(parse_backup(decode(&from.value, BACKUP)?)?),
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
        rotation_interval_seconds: match row.rotation {
            Some(Rotation::Every(interval)) => interval.as_secs(),
            _ => 0,
        },
        rotation_cron: match &row.rotation {
            Some(Rotation::Cron(cron)) => cron.clone(),
            _ => String::new(),
        },
        next_rotation_unix_nanos: row.next_rotation.unwrap_or_default(),
        overlap_seconds: row.overlap.map(|overlap| overlap.as_secs()),
        pool_size: row.pool_size,
    }
}

fn version_state(row: &KeyVersion) -> state::KeyVersion {
    state::KeyVersion {
        name: row.name.to_string(),
        state: row.state.to_string(),
        public_key: row.public_key.clone(),
        create_time_unix_nanos: row.create_time,
        certificate: row.certificate.clone().unwrap_or_default(),
        origin: row.origin.to_string(),
        activate_time_unix_nanos: row.activate_time.unwrap_or_default(),
        expire_time_unix_nanos: row.expire_time.unwrap_or_default(),
        destroy_time_unix_nanos: row.destroy_time.unwrap_or_default(),
        destroyed_time_unix_nanos: row.destroyed_time.unwrap_or_default(),
        compromised_time_unix_nanos: row.compromised_time.unwrap_or_default(),
        pooled: row.pooled,
        destroyed_under_kek: row.destroyed_under_kek,
        restored_from: row.restored_from.clone().unwrap_or_default(),
    }
}

fn backup_state(row: &Backup) -> state::Backup {
    state::Backup {
        name: row.name.to_string(),
        create_time_unix_nanos: row.create_time,
        versions: row.versions,
        token_versions: row.token_versions,
        threshold: row.threshold,
        custodians: row.custodians.clone(),
        sha256: row.sha256.map(Vec::from).unwrap_or_default(),
    }
}

/// Zero is how a state says that there is no such time.
fn time(nanos: i64) -> Option<i64> {
    Some(nanos).filter(|nanos| *nanos != 0)
}

fn parse_version(state: state::KeyVersion) -> Result<KeyVersion, RowError> {
    Ok(KeyVersion {
        name: state.name.parse()?,
        state: state.state.parse()?,
        public_key: state.public_key,
        create_time: state.create_time_unix_nanos,
        certificate: Some(state.certificate).filter(|der| !der.is_empty()),
        origin: if state.origin.is_empty() { Origin::Generated } else { state.origin.parse()? },
        activate_time: time(state.activate_time_unix_nanos),
        expire_time: time(state.expire_time_unix_nanos),
        destroy_time: time(state.destroy_time_unix_nanos),
        destroyed_time: time(state.destroyed_time_unix_nanos),
        compromised_time: time(state.compromised_time_unix_nanos),
        pooled: state.pooled,
        destroyed_under_kek: state.destroyed_under_kek,
        restored_from: Some(state.restored_from).filter(|name| !name.is_empty()),
    })
}

fn parse_backup(state: state::Backup) -> Result<Backup, RowError> {
    Ok(Backup {
        name: state.name.parse()?,
        create_time: state.create_time_unix_nanos,
        versions: state.versions,
        token_versions: state.token_versions,
        threshold: state.threshold,
        custodians: state.custodians,
        sha256: match state.sha256.is_empty() {
            true => None,
            false => Some(state.sha256.try_into().map_err(|_| RowError::HashLength)?),
        },
    })
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
        rotation: match state.rotation_interval_seconds {
            0 => {
                Some(Rotation::Cron(state.rotation_cron)).filter(|rotation| *rotation != Rotation::Cron(String::new()))
            }
            seconds => Some(Rotation::Every(Duration::from_secs(seconds))),
        },
        next_rotation: time(state.next_rotation_unix_nanos),
        overlap: state.overlap_seconds.map(Duration::from_secs),
        pool_size: state.pool_size,
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
                kek_generation: 3,
                oldest_kek_generation: 2,
                destruction_frozen: Some("the clock jumped".into()),
            }),
            Row::Backup(Backup {
                name: organization.backup("b1").unwrap(),
                create_time: 5,
                versions: 2,
                token_versions: 1,
                threshold: 2,
                custodians: vec![owner.to_string()],
                sha256: Some([3; 32]),
            }),
            Row::Backup(Backup {
                name: organization.backup("b2").unwrap(),
                create_time: 6,
                versions: 0,
                token_versions: 0,
                threshold: 2,
                custodians: vec![owner.to_string()],
                sha256: None,
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
                rotation: Some(Rotation::Every(Duration::from_secs(3600))),
                next_rotation: Some(9),
                overlap: Some(Duration::ZERO),
                pool_size: 2,
            }),
            Row::KeyVersion(KeyVersion {
                certificate: Some(vec![5]),
                origin: Origin::Imported,
                activate_time: Some(1),
                expire_time: Some(2),
                destroy_time: Some(3),
                destroyed_time: Some(4),
                compromised_time: Some(5),
                pooled: true,
                destroyed_under_kek: 1,
                restored_from: Some("organizations/org1/backups/b1".into()),
                ..KeyVersion::new(key.version(2), KeyState::Active, vec![4; 91], 1)
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

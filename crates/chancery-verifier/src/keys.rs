//! Keys and their versions as the log's states leave them, and whether a version may be used.
//!
//! **Invariants**: what a version is made of never changes; its stage follows `chancery_model::LIFECYCLE`, one event per
//! record. A version restored from a backup comes as it was kept there, and none comes back from destruction. None is ever
//! forgotten, or it could come again as another.

use crate::Contradiction;
use chancery_api::state;
use chancery_audit::record::{Record, ResourceState};
use chancery_crypto::PublicKey;
use chancery_model::{Action, Algorithm, KeyState, KeyVersionName, LifecycleEvent, Stage};
use prost::Message;
use std::{collections::HashMap, sync::Arc};

const KEY: &str = "chancery.state.v1.Key";
const KEY_VERSION: &str = "chancery.state.v1.KeyVersion";

/// See the module.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keys {
    keys: HashMap<String, Made>,
    versions: HashMap<String, Version>,
}

/// What a key is for good.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Made {
    algorithm: Algorithm,
    protection: String,
    purpose: String,
}

/// A version, as its last state says.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    pub(crate) algorithm: Algorithm,
    /// `None`: it is a secret key.
    pub(crate) public_key: Option<Arc<PublicKey>>,
    stage: Stage,
    restored_from: String,
}

impl Keys {
    /// Takes in a resource's state, if it is a key's or a version's.
    pub(crate) fn state(&mut self, state: &ResourceState) -> Result<(), Contradiction> {
        match state.r#type.as_str() {
            KEY | KEY_VERSION if state.value.is_empty() => {
                return Err(Contradiction::Gone { name: state.name.clone() });
            }
            KEY => self.key(&state.name, &decoded(state)?)?,
            KEY_VERSION => self.version(&state.name, &decoded(state)?)?,
            _ => {}
        }
        Ok(())
    }

    fn key(&mut self, name: &str, row: &state::Key) -> Result<(), Contradiction> {
        let state::Key { algorithm, protection, purpose, .. } = row;
        let algorithm = algorithm.parse().map_err(|error| unreadable(name, &error))?;
        let made = Made { algorithm, protection: protection.clone(), purpose: purpose.clone() };
        if let Some(before) = self.keys.get(name)
            && *before != made
        {
            let what = "algorithm, protection or purpose";
            return Err(Contradiction::Changed { name: name.to_owned(), what });
        }
        self.keys.insert(name.to_owned(), made);
        Ok(())
    }

    fn version(&mut self, name: &str, row: &state::KeyVersion) -> Result<(), Contradiction> {
        let parsed: KeyVersionName = name.parse().map_err(|error| unreadable(name, &error))?;
        let key = self.keys.get(&parsed.key().to_string());
        let algorithm = key.ok_or_else(|| Contradiction::KeylessVersion { version: name.to_owned() })?.algorithm;
        let stage = stage(parsed, row)?;
        let Some(before) = self.versions.get_mut(name) else {
            let public_key = match row.public_key.is_empty() {
                true => None,
                false => {
                    Some(PublicKey::registered(algorithm, &row.public_key).map_err(|error| unreadable(name, &error))?)
                }
            };
            let public_key = public_key.map(Arc::new);
            let restored_from = row.restored_from.clone();
            self.versions.insert(name.to_owned(), Version { algorithm, public_key, stage, restored_from });
            return Ok(());
        };
        if before.public_key.as_ref().map_or(&[][..], |key| key.spki()) != row.public_key {
            return Err(Contradiction::Changed { name: name.to_owned(), what: "public key" });
        }
        let from = before.stage;
        let is_step = || LifecycleEvent::ALL.iter().any(|event| from.after(*event) == Some(stage));
        let restored = row.restored_from != before.restored_from && from.state() != KeyState::Destroyed;
        if from != stage && !is_step() && !restored {
            return Err(Contradiction::Step { version: name.to_owned(), from, to: stage });
        }
        before.stage = stage;
        before.restored_from.clone_from(&row.restored_from);
        Ok(())
    }

    /// How many versions there are.
    pub(crate) fn versions(&self) -> u64 {
        self.versions.len() as u64
    }

    /// The version that a record used, if it could be used.
    pub(crate) fn used(&self, record: &Record) -> Result<&Version, Contradiction> {
        let name = &record.resource;
        let unknown = || Contradiction::UnknownVersion { resource: name.clone() };
        let version = self.versions.get(name).ok_or_else(unknown)?;
        let usable = match version.stage {
            Stage::Active => true,
            Stage::PreActive => proves_possession(record),
            _ => false,
        };
        if !usable {
            return Err(Contradiction::StateForbids { version: name.clone(), stage: version.stage });
        }
        if !record.algorithm.is_empty() && record.algorithm != version.algorithm.as_str() {
            let (found, expected) = (record.algorithm.clone(), version.algorithm.to_string());
            return Err(Contradiction::Algorithm { found, expected });
        }
        Ok(version)
    }
}

/// Whether what was signed says nothing but whose key this is: a version may sign that before it is active, or it would
/// never get a certificate (SP 800-57pt1r5 §7.1).
fn proves_possession(record: &Record) -> bool {
    let is = |action: Action| record.action == action.as_str();
    is(Action::CreateCertificateSigningRequest)
        || is(Action::IssueCertificate)
            && record.context.iter().any(|value| value.key == "profile" && value.value == "root-ca")
}

fn stage(name: KeyVersionName, row: &state::KeyVersion) -> Result<Stage, Contradiction> {
    let state = row.state.parse().map_err(|error| unreadable(&row.name, &error))?;
    let time = |nanos: i64| Some(nanos).filter(|nanos| *nanos != 0);
    let mut version = chancery_model::KeyVersion::new(name, state, Vec::new(), 0);
    version.destroy_time = time(row.destroy_time_unix_nanos);
    version.compromised_time = time(row.compromised_time_unix_nanos);
    Ok(Stage::of(&version))
}

pub(crate) fn decoded<M: Message + Default>(state: &ResourceState) -> Result<M, Contradiction> {
    M::decode(state.value.as_slice()).map_err(|error| unreadable(&state.name, &error))
}

fn unreadable(name: &str, problem: &impl ToString) -> Contradiction {
    Contradiction::State { name: name.to_owned(), problem: problem.to_string() }
}

//! What a backup says of keys and versions, against what this deployment and the backup's own log know.
//!
//! **Invariants**: of each version one thing is decided, from its registered row, its logged state and the backup's state,
//! in this order. A logged state, which no seal covers, takes a version further in its life and never back, and changes
//! nothing of what a key is. Nothing of a backup comes back as generated.

use crate::{
    directory::KeyEntry,
    error::Error,
    model::{Key, KeyName, KeyState, KeyVersion, OrganizationName, Origin, Protection},
    store::Row,
};
use chancery_api::reasons;
use chancery_audit::record::ResourceState;
use prost::Message;
use std::collections::{BTreeMap, HashMap};

/// What is to be done with a version of a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is registered here, with its key or in the token.
    Present,
    /// It is registered here, and its wrapped key is lost: that comes back.
    Key,
    /// It comes back, with its row.
    Row,
    /// It is destroyed and stays so; its row comes along where it is not known here.
    Destroyed,
}

/// The rows of one backup.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) keys: BTreeMap<KeyName, Key>,
    pub(super) versions: BTreeMap<KeyName, BTreeMap<u64, KeyVersion>>,
}

/// No key is rotated so often.
const HIGHEST_VERSION: u64 = u32::MAX as u64;

/// The last states in the log of the backup's deployment, by name.
pub(super) type Logged = HashMap<String, Row>;

/// The states that a restore was given along with the backup.
pub(super) fn logged(states: &[Vec<u8>], organization: &OrganizationName) -> Result<Logged, Error> {
    let parse = |bytes: &Vec<u8>| {
        let row = row(bytes, organization).map_err(|problem| Error::invalid("logged_states", problem))?;
        Ok((row.name(), row))
    };
    states.iter().map(parse).collect()
}

/// A key's or version's state of this organization.
fn row(bytes: &[u8], organization: &OrganizationName) -> Result<Row, String> {
    let state = ResourceState::decode(bytes).map_err(|error| error.to_string())?;
    let row = Row::parse(&state).map_err(|error| format!("{}: {error}", state.name))?;
    let of = match &row {
        Row::Key(row) => row.name.organization(),
        Row::KeyVersion(row) => row.name.key().organization(),
        _ => return Err(format!("{} is neither a key nor a version", state.name)),
    };
    if of == organization { Ok(row) } else { Err(format!("{} is not of {organization}", state.name)) }
}

impl Rows {
    /// Takes in the file's next state, as the log has it where it does. Of a version: it, and whether the backup has an
    /// entry with its key.
    pub(super) fn add(
        &mut self,
        state: &[u8],
        organization: &OrganizationName,
        logged: &Logged,
    ) -> Result<Option<(KeyVersion, bool)>, Error> {
        let row = row(state, organization)
            .map_err(|problem| tampered(format!("the backup holds a state that does not belong there: {problem}")))?;
        // A version that was destroyed before the backup has none.
        let alive = matches!(&row, Row::KeyVersion(version) if version.state != KeyState::Destroyed);
        if let Some(logged) = logged.get(&row.name()) {
            require_later(&row, logged)?;
        }
        match logged.get(&row.name()).unwrap_or(&row).clone() {
            Row::Key(key) => {
                let name = key.name.clone();
                if self.keys.insert(name.clone(), key).is_some() {
                    return Err(twice(&name.to_string()));
                }
                Ok(None)
            }
            Row::KeyVersion(version) => {
                let version = KeyVersion { origin: version.origin.after_restore(), ..version };
                let (key, number) = (version.name.key().clone(), version.name.number());
                if !self.keys.contains_key(&key) {
                    return Err(tampered(format!("the backup has {} before its key", version.name)));
                }
                let has_entry = alive && self.keys[&key].protection == Protection::Enclave;
                if number > HIGHEST_VERSION {
                    return Err(tampered(format!("{} has a number that no rotation leads to", version.name)));
                }
                if self.versions.entry(key).or_default().insert(number, version.clone()).is_some() {
                    return Err(twice(&version.name.to_string()));
                }
                Ok(Some((version, has_entry)))
            }
            other => Err(Error::internal(format!("{} among a backup's states", other.name()))),
        }
    }

    /// What becomes of a version; `kept` tells whether its wrapped key is in the store.
    pub(super) fn fate(&self, version: &KeyVersion, here: Option<&KeyEntry>, kept: bool) -> Result<Fate, Error> {
        let key = &self.keys[version.name.key()];
        let known = here.and_then(|entry| entry.versions.get(&version.name.number()));
        match (here, known) {
            (_, Some(known)) if known.row.state == KeyState::Destroyed => Ok(Fate::Destroyed),
            (Some(entry), _) if entry.key.algorithm != key.algorithm || entry.key.protection != key.protection => {
                Err(conflict(version, "is another key here"))
            }
            (_, Some(known)) if known.row.public_key != version.public_key => {
                Err(conflict(version, "has another public key here"))
            }
            (_, Some(_)) if kept || key.protection == Protection::Token => Ok(Fate::Present),
            _ if version.state == KeyState::Destroyed => Ok(Fate::Destroyed),
            (_, Some(known)) if known.row.origin.after_restore() != version.origin => {
                Err(conflict(version, "has another origin here"))
            }
            (_, Some(_)) => Ok(Fate::Key),
            (_, None) => Ok(Fate::Row),
        }
    }
}

/// What is recorded of a version that comes back, or whose key does; `known` is its registered row.
pub(super) fn row_to_record(
    version: KeyVersion,
    fate: Fate,
    known: Option<&KeyVersion>,
    backup: &str,
) -> Option<KeyVersion> {
    let restored_from = Some(backup.to_owned());
    match (fate, known) {
        // What another deployment destroyed was never under a key-encryption key of this one.
        (Fate::Row | Fate::Destroyed, None) => Some(KeyVersion { restored_from, destroyed_under_kek: 0, ..version }),
        // That this still is the key that was made here, only the backup says.
        (Fate::Key, Some(known)) => Some(KeyVersion { restored_from, origin: version.origin, ..known.clone() }),
        _ => None,
    }
}

fn tampered(message: String) -> Error {
    Error::Precondition { reason: reasons::TAMPERED, message }
}

fn twice(name: &str) -> Error {
    tampered(format!("the backup has {name} twice"))
}

/// Refuses a logged state that can't have come after the backup's.
fn require_later(backed_up: &Row, logged: &Row) -> Result<(), Error> {
    let later = match (backed_up, logged) {
        (Row::Key(was), Row::Key(is)) => {
            (&was.owner, was.purpose, was.algorithm, was.protection)
                == (&is.owner, is.purpose, is.algorithm, is.protection)
        }
        (Row::KeyVersion(was), Row::KeyVersion(is)) => {
            // It may have been restored there since.
            let origins = [was.origin, is.origin].map(Origin::after_restore);
            was.public_key == is.public_key && origins[0] == origins[1] && stage(was.state) <= stage(is.state)
        }
        _ => false,
    };
    if later {
        return Ok(());
    }
    let problem = format!("{} is another one in the backup, or was further in its life", backed_up.name());
    Err(Error::invalid("logged_states", problem))
}

/// How far in its life a version is: there is no way back from one to another.
fn stage(state: KeyState) -> u8 {
    match state {
        KeyState::PreActive => 0,
        KeyState::Active | KeyState::Suspended => 1,
        KeyState::Deactivated => 2,
        KeyState::Compromised => 3,
        KeyState::Destroyed => 4,
    }
}

fn conflict(version: &KeyVersion, how: &str) -> Error {
    Error::Precondition {
        reason: reasons::WRONG_STATE,
        message: format!(
            "{} {how}: the backup does not belong to this deployment's keys; nothing was restored",
            version.name
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Algorithm, Check, Purpose};

    fn organization() -> OrganizationName {
        OrganizationName::from_id("org1").unwrap()
    }

    fn key() -> Key {
        Key {
            name: organization().key("k").unwrap(),
            owner: "organizations/org1/principals/ca".parse().unwrap(),
            purpose: Purpose::Certify,
            algorithm: Algorithm::EcP256,
            protection: Protection::Enclave,
            check: Check::Never,
            labels: BTreeMap::new(),
            primary_version: 1,
            create_time: 1,
            rotation: None,
            next_rotation: None,
            overlap: None,
            pool_size: 0,
        }
    }

    fn version(number: u64, state: KeyState) -> KeyVersion {
        KeyVersion::new(key().name.version(number), state, vec![1], 1)
    }

    /// What becomes of the last of these states, the log of the backup's deployment having `logged`.
    fn last(backed_up: &[Row], logged_rows: &[Row]) -> Result<Option<(KeyVersion, bool)>, Error> {
        let states: Vec<_> = logged_rows.iter().map(|row| row.state().encode_to_vec()).collect();
        let logged = logged(&states, &organization())?;
        let mut rows = Rows::default();
        let add = |row: &Row| rows.add(&row.state().encode_to_vec(), &organization(), &logged);
        backed_up.iter().map(add).try_fold(None, |_, added| added)
    }

    fn of(state: KeyState, logged: &[Row]) -> Result<Option<(KeyVersion, bool)>, Error> {
        last(&[Row::Key(key()), Row::KeyVersion(version(1, state))], logged)
    }

    #[test]
    fn the_log_takes_a_version_further_and_never_back() {
        use KeyState as S;
        for (backed_up, logged, expected) in [
            (S::Active, S::Suspended, true),
            (S::Suspended, S::Active, true),
            (S::PreActive, S::Compromised, true),
            (S::Active, S::Destroyed, true),
            (S::Deactivated, S::Active, false),
            (S::Compromised, S::Deactivated, false),
            (S::Destroyed, S::Active, false),
        ] {
            let became = of(backed_up, &[Row::KeyVersion(version(1, logged))]);
            let became = became.map(|version| version.unwrap().0.state);
            assert_eq!(became.ok(), expected.then_some(logged), "{backed_up} {logged}");
        }
    }

    #[test]
    fn the_log_makes_no_other_key_of_one() {
        let active = || of(KeyState::Active, &[]);
        assert!(active().is_ok());
        let others: [Key; 4] = [
            Key { owner: "organizations/org1/principals/peer0".parse().unwrap(), ..key() },
            Key { purpose: Purpose::Sign, ..key() },
            Key { algorithm: Algorithm::Sm2, ..key() },
            Key { protection: Protection::Token, ..key() },
        ];
        for other in others {
            assert!(of(KeyState::Active, &[Row::Key(other.clone())]).is_err(), "{other:?}");
        }
        let changed = [
            KeyVersion { public_key: vec![2], ..version(1, KeyState::Active) },
            KeyVersion { origin: Origin::Imported, ..version(1, KeyState::Active) },
        ];
        for other in changed {
            assert!(of(KeyState::Active, &[Row::KeyVersion(other.clone())]).is_err(), "{other:?}");
        }
    }

    /// Whoever knows enough shares writes the backup, and the states that are said to be its log's.
    #[test]
    fn nothing_comes_back_as_generated() {
        use Origin as O;
        let with = |origin| Row::KeyVersion(KeyVersion { origin, ..version(1, KeyState::Active) });
        let (generated, restored) = (with(O::Generated), with(O::Restored));
        for (backed_up, logged, origin) in [
            (&generated, None, Some(O::Restored)),
            (&restored, None, Some(O::Restored)),
            (&with(O::Imported), None, Some(O::Imported)),
            (&generated, Some(&generated), Some(O::Restored)),
            (&generated, Some(&restored), Some(O::Restored)),
            (&restored, Some(&generated), Some(O::Restored)),
            (&with(O::Imported), Some(&restored), None),
            (&restored, Some(&with(O::Imported)), None),
        ] {
            let logged: Vec<_> = logged.cloned().into_iter().collect();
            let became = last(&[Row::Key(key()), backed_up.clone()], &logged);
            assert_eq!(became.ok().map(|version| version.unwrap().0.origin), origin, "{backed_up:?} {logged:?}");
        }
    }

    /// A lost key comes back as what the registered version says, less that it was generated.
    #[test]
    fn a_lost_key_is_no_other_for_its_origin() {
        use Origin as O;
        for (here, backed_up, fits) in [
            (O::Generated, O::Generated, true),
            (O::Restored, O::Generated, true),
            (O::Generated, O::Restored, true),
            (O::Imported, O::Imported, true),
            (O::Imported, O::Generated, false),
            (O::Generated, O::Imported, false),
        ] {
            let with = |origin| KeyVersion { origin, public_key: Vec::new(), ..version(1, KeyState::Active) };
            let key = Key { algorithm: Algorithm::Aes256, purpose: Purpose::Encrypt, ..key() };
            let mut rows = Rows::default();
            let mut add = |row: Row| rows.add(&row.state().encode_to_vec(), &organization(), &Logged::new()).unwrap();
            add(Row::Key(key.clone()));
            let (coming, _) = add(Row::KeyVersion(with(backed_up))).unwrap();
            let entry = KeyEntry::changed(None, &[Row::Key(key), Row::KeyVersion(with(here))]).unwrap();
            let fate = rows.fate(&coming, Some(&entry), false).ok();
            assert_eq!(fate, fits.then_some(Fate::Key), "{here} {backed_up}");
            assert_eq!(rows.fate(&coming, Some(&entry), true).ok(), Some(Fate::Present), "{here} {backed_up}");
            let destroyed = KeyVersion { state: KeyState::Destroyed, ..coming.clone() };
            assert_eq!(rows.fate(&destroyed, Some(&entry), false).ok(), Some(Fate::Destroyed), "{here} {backed_up}");
            let Some(fate) = fate else { continue };
            let changed = KeyVersion { expire_time: Some(7), ..with(here) };
            let recorded = row_to_record(coming, fate, Some(&changed), "b").unwrap();
            let origin = if here == O::Imported { O::Imported } else { O::Restored };
            assert_eq!(recorded, KeyVersion { origin, restored_from: Some("b".into()), ..changed });
        }
    }

    /// What is there, and what was destroyed here, nobody restored.
    #[test]
    fn only_what_comes_back_is_recorded() {
        let (known, version) = (version(1, KeyState::Suspended), version(1, KeyState::Active));
        let row = |fate, known| row_to_record(version.clone(), fate, known, "b");
        for fate in [Fate::Present, Fate::Row, Fate::Destroyed] {
            assert_eq!(row(fate, Some(&known)), None, "{fate:?}");
        }
        let expected = KeyVersion { restored_from: Some("b".into()), ..version.clone() };
        assert_eq!(row(Fate::Row, None).as_ref(), Some(&expected));
        assert_eq!(row(Fate::Destroyed, None), Some(expected));
        assert_eq!((row(Fate::Key, None), row(Fate::Present, None)), (None, None));
    }

    /// Else a version that was looked at under one row of its key came into force under another.
    #[test]
    fn nothing_is_in_a_backup_twice() {
        let (key, version) = (Row::Key(key()), Row::KeyVersion(version(1, KeyState::Active)));
        assert!(last(&[key.clone(), key.clone()], &[]).is_err());
        assert!(last(&[key.clone(), version.clone(), version.clone()], &[]).is_err());
        assert!(last(&[key, version], &[]).is_ok());
    }

    #[test]
    fn no_version_has_a_number_that_none_can_follow() {
        let numbered = |number| last(&[Row::Key(key()), Row::KeyVersion(version(number, KeyState::Active))], &[]);
        assert!(numbered(u64::MAX).is_err());
        assert!(numbered(HIGHEST_VERSION).is_ok());
    }
}

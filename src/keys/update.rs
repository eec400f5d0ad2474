//! Changing a key's terms: labels, check, rotation schedule, overlap, pool, and a version's dates.

use super::{Asked, Edited, Keys, create::default_check, terms, wrong_state};
use crate::{
    access::{Grant, Peer, now},
    directory::KeyEntry,
    error::Error,
    model::{
        Action, Check, Key, KeyName, KeyOrVersionName, KeyState, KeyVersion, KeyVersionName, RequestId, Rotation, Stage,
    },
    policy::Context,
    store::Row,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// What is to change; what is `None` stays.
#[derive(Debug, Clone)]
pub struct KeyUpdate {
    /// Of which key.
    pub name: KeyName,
    /// All labels.
    pub labels: Option<BTreeMap<String, String>>,
    /// `Some(None)`: as the purpose suggests.
    pub check: Option<Option<Check>>,
    /// `Some(None)`: it is rotated by request only.
    pub rotation: Option<Option<Rotation>>,
    /// `Some(None)`: until someone deactivates the last version.
    pub overlap: Option<Option<Duration>>,
    /// How many versions to make ahead of time.
    pub pool_size: Option<u32>,
    /// A version's dates.
    pub version: Option<(KeyVersionName, Dates)>,
}

/// Dates of a version; what is `None` stays, `Some(None)` takes the date away. Nanoseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, Default)]
pub struct Dates {
    /// When a PRE_ACTIVE version becomes ACTIVE.
    pub activate_time: Option<Option<i64>>,
    /// When it expires.
    pub expire_time: Option<Option<i64>>,
}

impl Keys {
    /// Changes a key's terms.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn update(&self, peer: Arc<Peer>, update: KeyUpdate, request: RequestId) -> Result<Arc<KeyEntry>, Error> {
        let asked = Asked {
            action: Action::UpdateKey,
            target: KeyOrVersionName::Key(update.name.clone()),
            context: Context::new(),
            request,
        };
        self.alter(&peer, asked, |entry, grant| self.updated(entry, grant, update)).await
    }

    fn updated(&self, entry: &KeyEntry, grant: &Grant, update: KeyUpdate) -> Result<Edited, Error> {
        let now = now();
        let mut key: Key = entry.key.clone();
        let mut dangerous = None;
        if let Some(labels) = update.labels {
            let read = self.require_settable(grant, &key.owner, &key.labels, &labels)?;
            dangerous = (!read.is_empty()).then(|| relabelled(&key, &labels, &read));
            key.labels = labels;
        }
        if let Some(check) = update.check {
            key.check = check.unwrap_or_else(|| default_check(key.purpose, key.protection));
        }
        if let Some(rotation) = update.rotation {
            if let Some(rotation) = &rotation {
                terms::require_rotation(rotation, &self.options, now)?;
            }
            key.next_rotation = rotation.as_ref().and_then(|rotation| terms::next_rotation(rotation, now));
            key.rotation = rotation;
        }
        if let Some(overlap) = update.overlap {
            terms::require_overlap(overlap)?;
            key.overlap = overlap;
        }
        if let Some(size) = update.pool_size {
            terms::require_pool(size)?;
            key.pool_size = size;
        }
        let mut rows = vec![Row::Key(key)];
        if let Some((name, dates)) = update.version {
            let version = entry.version(Some(name.number())).ok_or_else(|| Error::NotFound(name.to_string()))?;
            rows.push(Row::KeyVersion(dated(&version.row, dates, now)?));
        }
        Ok(Edited { rows, dangerous })
    }
}

/// What becomes of labels that policies read, for the officer who approves it.
fn relabelled(key: &Key, after: &BTreeMap<String, String>, read: &BTreeSet<String>) -> String {
    let value = |label| after.get(label).map_or_else(|| "removed".to_owned(), |value| format!("set to {value:?}"));
    let each: Vec<_> = read.iter().map(|label| format!("{label:?} {}", value(label))).collect();
    format!("of {}, labels that policies read: {}", key.name, each.join(", "))
}

/// A version with other dates.
fn dated(version: &KeyVersion, dates: Dates, now: i64) -> Result<KeyVersion, Error> {
    let (name, stage) = (&version.name, Stage::of(version));
    if dates.activate_time.is_some() && (stage != Stage::PreActive || version.pooled) {
        let what = if version.pooled { "waits in the key's pool" } else { stage.as_str() };
        return Err(wrong_state(format!("{name} is not to be activated by a date: it is {what}")));
    }
    if dates.expire_time.is_some()
        && !matches!(version.state, KeyState::PreActive | KeyState::Active | KeyState::Suspended)
    {
        return Err(wrong_state(format!("{name} is {stage}: it is out of use for good, and does not expire")));
    }
    let after = KeyVersion {
        activate_time: dates.activate_time.unwrap_or(version.activate_time),
        expire_time: dates.expire_time.unwrap_or(version.expire_time),
        ..version.clone()
    };
    let given = [dates.activate_time.flatten(), dates.expire_time.flatten()];
    let fields = ["key.versions.activate_time", "key.versions.expire_time"];
    terms::require_dates(fields, given, [after.activate_time, after.expire_time], now)?;
    Ok(after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::OrganizationName;

    fn version(state: KeyState) -> KeyVersion {
        let key = OrganizationName::from_id("org1").unwrap().key("k").unwrap();
        KeyVersion::new(key.version(1), state, Vec::new(), 1)
    }

    #[test]
    fn dates_are_for_versions_whose_time_is_to_come() {
        let activate = Dates { activate_time: Some(Some(200)), ..Dates::default() };
        let expire = Dates { expire_time: Some(Some(300)), ..Dates::default() };
        for (state, activates, expires) in [
            (KeyState::PreActive, true, true),
            (KeyState::Active, false, true),
            (KeyState::Suspended, false, true),
            (KeyState::Deactivated, false, false),
            (KeyState::Compromised, false, false),
            (KeyState::Destroyed, false, false),
        ] {
            assert_eq!(dated(&version(state), activate, 100).is_ok(), activates, "{state}");
            assert_eq!(dated(&version(state), expire, 100).is_ok(), expires, "{state}");
        }
        let pooled = KeyVersion { pooled: true, ..version(KeyState::PreActive) };
        assert!(dated(&pooled, activate, 100).is_err());
    }

    #[test]
    fn a_date_can_be_moved_and_taken_away() {
        let before = KeyVersion { activate_time: Some(200), expire_time: Some(300), ..version(KeyState::PreActive) };
        let moved = dated(&before, Dates { expire_time: Some(Some(250)), ..Dates::default() }, 100).unwrap();
        assert_eq!((moved.activate_time, moved.expire_time), (Some(200), Some(250)));
        let without = dated(&before, Dates { activate_time: Some(None), expire_time: Some(None) }, 100).unwrap();
        assert_eq!((without.activate_time, without.expire_time), (None, None));
        assert!(dated(&before, Dates { expire_time: Some(Some(200)), ..Dates::default() }, 100).is_err());
        assert!(dated(&before, Dates { activate_time: Some(Some(99)), ..Dates::default() }, 100).is_err());
    }
}

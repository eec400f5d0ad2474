//! What would come of it if a key were no more: who uses it, and what could bring it back.

use super::{Keys, tombstones};
use crate::{
    access::{Peer, Target, now},
    audit::{DAYS, User},
    error::Error,
    model::{Action, KeyOrVersionName, KeyState, KeyVersion},
};
use std::{sync::Arc, time::Duration};

/// See the module.
#[derive(Debug)]
pub struct KeyUsage {
    /// Who used it, most uses first.
    pub users: Vec<User>,
    /// What could bring the version back after its destruction.
    pub held_by: Vec<String>,
    /// From asking for a destruction to the destruction, where the request names no time.
    pub default_destruction_wait: Duration,
    /// The same, at the least.
    pub minimum_destruction_wait: Duration,
}

impl Keys {
    /// Who used a key, or one version of it, on the last `days`: by default as many as are counted.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn usage(&self, peer: &Arc<Peer>, name: KeyOrVersionName, days: u32) -> Result<KeyUsage, Error> {
        let grant = self.admission.admit(peer, Action::GetKeyUsage, Target::Key(name.clone())).await?;
        let days = match days {
            0 => DAYS,
            1..=DAYS => days,
            _ => return Err(Error::invalid("days", format!("1 to {DAYS}; 0 means {DAYS}"))),
        };
        let (entry, version) = (grant.key()?, grant.version()?);
        let directory = self.changes.directory();
        let organization = directory.organization(name.key().organization());
        // As if it were destroyed now.
        let destroyed = KeyVersion {
            state: KeyState::Destroyed,
            destroyed_time: version.row.destroyed_time.or_else(|| Some(now())),
            destroyed_under_kek: organization.map_or(0, |organization| organization.kek_generation),
            ..version.row.clone()
        };
        Ok(KeyUsage {
            users: self.admission.audit().users(&name, days),
            held_by: tombstones::revivable_by(directory, &entry.key, &destroyed),
            default_destruction_wait: self.options.default_destruction_wait,
            minimum_destruction_wait: self.options.minimum_destruction_wait,
        })
    }
}

//! One thing on the agenda, done as a request would: under the key's hold, recorded, by the same rules.

use super::{
    Done, LONG_PAUSE, PAUSE, Schedule,
    agenda::{Item, Work},
    next_rotation,
};
use crate::{
    audit::Draft,
    directory::KeyEntry,
    error::Error,
    keys::{Cause, Fresh, Keys, succession, wrong_state},
    model::{Key, KeyObjects, KeyStanding, KeyState, KeyVersion, KeyVersionName, LifecycleEvent, Scheduled, Stage},
    store::Row,
};
use std::time::Duration;

impl Schedule {
    /// Does it, if it is still to be done and can be.
    pub(super) async fn perform(&self, item: &Item, now: i64) -> Result<Done, Error> {
        // A request changes it; what comes of that is looked at anew.
        let Some(_busy) = self.keys.changes.hold_for_schedule(&item.key) else { return Ok(Done::NotYet(PAUSE)) };
        let Some(entry) = self.directory().key(&item.key) else { return Ok(Done::Yes) };
        let due = Work::of(&entry).into_iter().any(|(at, work)| work == item.work && at <= now);
        if !due && !self.goes_on(item) {
            return Ok(Done::Yes);
        }
        if let Some(why) = mismatch(&entry, item.work) {
            return Err(Error::internal(format!("store and log disagree about {}: {why}", item.key)));
        }
        let version = |number| entry.version(Some(number)).map(|version| &version.row).ok_or_else(gone);
        let keys = &self.keys;
        match item.work {
            Work::Expire(number) => keys.expire(&entry, version(number)?, now).await?,
            Work::Activate(number) => keys.activate_scheduled(&entry, version(number)?, now).await?,
            Work::Destroy(number) => return self.destroy(&entry, version(number)?, now).await,
            Work::Collect => return self.collect(&entry, now).await,
            Work::Rotate | Work::Fill if keys.pairs.enclave().opened().is_none() => {
                return Ok(Done::NotYet(LONG_PAUSE));
            }
            Work::Rotate => keys.rotate_scheduled(&entry, now).await?,
            Work::Fill if keys.pairs.enclave().is_busy() => return Ok(Done::NotYet(PAUSE)),
            Work::Fill => {
                keys.fill(&entry).await?;
                // Whoever waits for the key has it first.
                return Ok(Done::InPart(PAUSE));
            }
        }
        Ok(Done::Yes)
    }

    /// Whether it is a destruction that was begun: that is finished whatever the clock says now.
    fn goes_on(&self, item: &Item) -> bool {
        matches!(item.work, Work::Destroy(number) if self.keys.destructions.has_begun(&item.key.version(number)))
    }

    /// A key that does not stay goes, unless its process is there still. While the clock is in doubt, or the organization
    /// is frozen, nothing goes.
    async fn collect(&self, entry: &KeyEntry, now: i64) -> Result<Done, Error> {
        let organization = self.directory().organization(entry.key.name.organization());
        let frozen = organization.is_none_or(|organization| organization.destruction_frozen.is_some());
        if frozen || self.clock.jump().is_some() {
            return Ok(Done::NotYet(LONG_PAUSE));
        }
        if let Some(left) = self.keys.lease_left(entry) {
            return Ok(Done::NotYet(i64::try_from(left.as_secs()).unwrap_or(LONG_PAUSE).max(PAUSE)));
        }
        // One that was a session's may have been in use when it was kept.
        if entry.standing() == KeyStanding::Provisional && self.keys.was_used(entry) {
            self.keys.name_used(entry).await?;
        } else {
            self.keys.collect(entry, now).await?;
        }
        Ok(Done::Yes)
    }

    async fn destroy(&self, entry: &KeyEntry, row: &KeyVersion, now: i64) -> Result<Done, Error> {
        let organization = self.directory().organization(row.name.key().organization());
        let frozen = organization.is_none_or(|organization| organization.destruction_frozen.is_some());
        // What can't be called off any more is not begun in vain. The clock is asked again: it may have jumped since this
        // round began.
        let away = self.keys.pairs.enclave().opened().is_none();
        if (frozen || away || self.clock.jump().is_some()) && !self.keys.destructions.has_begun(&row.name) {
            return Ok(Done::NotYet(LONG_PAUSE));
        }
        self.keys.destructions.destroy(entry, row, now).await?;
        Ok(Done::Yes)
    }
}

fn gone() -> Error {
    Error::internal("a version on the agenda is gone")
}

/// Why a key, or the version that is to change, is not used.
fn mismatch(entry: &KeyEntry, work: Work) -> Option<&str> {
    let of_version = match work {
        Work::Expire(number) | Work::Activate(number) | Work::Destroy(number) => Some(number),
        Work::Collect | Work::Rotate | Work::Fill => None,
    };
    let version = entry.version(of_version).and_then(|version| version.mismatch.as_deref());
    entry.mismatch.as_deref().or(version)
}

/// Refuses what a request would be refused, and a rotation while the last one's version waits for its certificate: a
/// timer must not pile them up.
fn require_rotatable(entry: &KeyEntry) -> Result<(), Error> {
    succession::require_rotatable(entry)?;
    let newer = entry.versions.range(entry.key.primary_version + 1..).map(|(_, version)| &version.row);
    match newer.into_iter().find(|row| Stage::of(row) == Stage::PreActive && !row.pooled) {
        Some(row) => Err(wrong_state(format!(
            "{} is not in use yet: bind a certificate to it (BindCertificate) and activate it, before another version is \
             made",
            row.name
        ))),
        None => Ok(()),
    }
}

impl Keys {
    /// Records what was done to a key, puts it in force, and closes what may not be used any more.
    async fn enter(&self, what: Scheduled, entry: &KeyEntry, draft: Draft, rows: Vec<Row>) -> Result<(), Error> {
        let after = KeyEntry::changed(Some(entry), &rows).map_err(Error::internal)?;
        self.changes.apply(draft.states(&rows), rows).await?;
        self.close_unusable(entry, &after).await;
        tracing::info!(key = %entry.key.name, %what, "a key was changed, as scheduled");
        Ok(())
    }

    /// As [`Keys::enter`], where `material` was made for it, unless there was some already.
    async fn enter_made(
        &self,
        what: Scheduled,
        entry: &KeyEntry,
        (version, rows): (&KeyVersionName, Vec<Row>),
        mut material: Option<Fresh>,
    ) -> Result<(), Error> {
        let mut draft = Draft::scheduled_outcome(what, &entry.key).resource(version);
        if let Some(fresh) = &mut material {
            draft = draft.witness(fresh.witness.take()).after(fresh.intent.index);
        }
        let entered = self.enter(what, entry, draft, rows).await;
        if let (Err(_), Some(fresh)) = (&entered, material) {
            self.pairs.leave_open(fresh.intent);
        }
        entered
    }

    /// A version's last day is over.
    async fn expire(&self, entry: &KeyEntry, row: &KeyVersion, now: i64) -> Result<(), Error> {
        let rows = vec![Row::KeyVersion(row.after(LifecycleEvent::Expire, now)?)];
        let draft = Draft::scheduled_outcome(Scheduled::Expiry, &entry.key).resource(&row.name);
        self.enter(Scheduled::Expiry, entry, draft, rows).await
    }

    /// A version's first day has come. It becomes primary unless a newer one is.
    async fn activate_scheduled(&self, entry: &KeyEntry, row: &KeyVersion, now: i64) -> Result<(), Error> {
        let rows = match row.name.number() < entry.key.primary_version {
            true => vec![Row::KeyVersion(row.after(LifecycleEvent::Activate, now)?)],
            false => succession::activate(entry, row, now)?,
        };
        let draft = Draft::scheduled_outcome(Scheduled::Activation, &entry.key).resource(&row.name);
        self.enter(Scheduled::Activation, entry, draft, rows).await
    }

    /// How much is left of the lease of a session key's process.
    fn lease_left(&self, entry: &KeyEntry) -> Option<Duration> {
        let objects = entry.objects.as_ref().filter(|_| entry.standing() == KeyStanding::Session)?;
        self.leases.left(&entry.key.owner, &objects.process)
    }

    /// A key that was to be collected was used: it stays.
    async fn name_used(&self, entry: &KeyEntry) -> Result<(), Error> {
        let row = KeyObjects { standing: KeyStanding::Named, collect_time: None, ..entry.objects_row() };
        let rows = vec![Row::KeyObjects(row)];
        let draft = Draft::state_change("NameKey", &rows).resource(&entry.key.name);
        self.changes.apply(draft, rows).await.map(drop)
    }

    /// The destruction of a key that nobody named or used, or whose process is gone, is due at once.
    async fn collect(&self, entry: &KeyEntry, now: i64) -> Result<(), Error> {
        let living = entry
            .versions
            .values()
            .filter(|version| version.row.state != KeyState::Destroyed && !Stage::of(&version.row).is_ending());
        let ending = living.map(|version| version.row.after(LifecycleEvent::ScheduleDestruction, now));
        let rows = ending.map(|row| row.map(Row::KeyVersion)).collect::<Result<Vec<_>, _>>()?;
        let draft = Draft::scheduled_outcome(Scheduled::Collection, &entry.key);
        self.enter(Scheduled::Collection, entry, draft, rows).await
    }

    /// A rotation is due. One that the key does not allow now is left out, and the next one comes at its time.
    async fn rotate_scheduled(&self, entry: &KeyEntry, now: i64) -> Result<(), Error> {
        if let Err(error) = require_rotatable(entry) {
            tracing::warn!(key = %entry.key.name, %error, "a scheduled rotation is left out");
            let next = entry.key.rotation.as_ref().and_then(|rotation| next_rotation(rotation, now));
            let rows = vec![Row::Key(Key { next_rotation: next, ..entry.key.clone() })];
            let draft = Draft::scheduled_failed(Scheduled::Rotation, &entry.key, &error).states(&rows);
            return self.changes.apply(draft, rows).await.map(drop);
        }
        let (next, material) = match succession::pooled(entry) {
            Some(pooled) => (pooled.clone(), None),
            None => {
                let cause = Cause::Schedule(Scheduled::Rotation, &entry.key);
                let (next, material) = self.make_next(cause, entry).await?;
                (next, Some(material))
            }
        };
        let name = next.name.clone();
        let rows = self.or_undone(material.as_ref(), succession::rotate(entry, next, now)).await?;
        self.enter_made(Scheduled::Rotation, entry, (&name, rows), material).await
    }

    /// The pool lacks a version: one is made.
    async fn fill(&self, entry: &KeyEntry) -> Result<(), Error> {
        let (next, material) = self.make_next(Cause::Schedule(Scheduled::Filling, &entry.key), entry).await?;
        let name = next.name.clone();
        let rows = vec![Row::KeyVersion(KeyVersion { pooled: true, ..next })];
        self.enter_made(Scheduled::Filling, entry, (&name, rows), Some(material)).await
    }
}

//! A version's life, by request: activate, suspend, deactivate, mark as compromised, schedule destruction, restore.
//!
//! **Invariants**: what may happen stands in [`crate::model::LIFECYCLE`] alone; it is asked while the key is held, of the
//! version as it then is. Once one of these is answered, the version signs nothing that it should not. What can't be
//! undone and stops a key's users takes two officers (`approvals`).
//!
//! **Not here**: destruction itself and what else the clock does (`schedule`).

use super::{Asked, Edited, Keys, succession, terms::spelt, wrong_state};
use crate::{
    access::{Grant, Peer, now},
    config::KeyOptions,
    directory::KeyEntry,
    error::Error,
    model::{
        Action, KeyObjects, KeyOrVersionName, KeyStanding, KeyState, KeyVersion, KeyVersionName, LifecycleEvent,
        Purpose, RequestId,
    },
    policy::Context,
    store::Row,
};
use chancery_api::reasons;
use std::{sync::Arc, time::Duration};

/// A destruction to schedule.
#[derive(Debug, Clone)]
pub struct Destruction {
    /// Of which version.
    pub version: KeyVersionName,
    /// How long it can be called off; by default as configured.
    pub wait: Option<Duration>,
    /// The version's name once more, or nothing.
    pub confirm: String,
}

/// The version as it is now.
fn row<'e>(entry: &'e KeyEntry, name: &KeyVersionName) -> Result<&'e KeyVersion, Error> {
    let version = entry.version(Some(name.number())).ok_or_else(|| Error::NotFound(name.to_string()))?;
    Ok(&version.row)
}

impl Keys {
    /// PRE_ACTIVE or SUSPENDED to ACTIVE; a PRE_ACTIVE version becomes primary.
    ///
    /// # Errors
    /// [`Error`]; `WRONG_STATE` for the key's owner before the version's `activate_time`.
    pub async fn activate(
        &self,
        peer: Arc<Peer>,
        version: KeyVersionName,
        request: RequestId,
    ) -> Result<Arc<KeyEntry>, Error> {
        let action = Action::ActivateKeyVersion;
        let caller = self.admission.identify(&peer, action).await?;
        let context = self.may_enrol(&caller, version.key());
        let target = KeyOrVersionName::Version(version.clone());
        let edit = |entry: &KeyEntry, grant: &Grant| {
            let (row, now) = (row(entry, &version)?, now());
            if grant.caller().principal().name == entry.key.owner {
                succession::require_begun(row, now)?;
            }
            succession::activate(entry, row, now)
        };
        self.alter(&peer, Asked { action, target, context, request }, edit).await
    }

    /// ACTIVE to SUSPENDED.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn suspend(
        &self,
        peer: Arc<Peer>,
        version: KeyVersionName,
        request: RequestId,
    ) -> Result<Arc<KeyEntry>, Error> {
        self.transit(peer, Action::SuspendKeyVersion, LifecycleEvent::Suspend, version, request).await
    }

    /// ACTIVE or SUSPENDED to DEACTIVATED.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn deactivate(
        &self,
        peer: Arc<Peer>,
        version: KeyVersionName,
        request: RequestId,
    ) -> Result<Arc<KeyEntry>, Error> {
        self.transit(peer, Action::DeactivateKeyVersion, LifecycleEvent::Deactivate, version, request).await
    }

    /// Marks a version whose key is, or may be, in other hands.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn mark_compromised(
        &self,
        peer: Arc<Peer>,
        version: KeyVersionName,
        request: RequestId,
    ) -> Result<Arc<KeyEntry>, Error> {
        self.transit(peer, Action::MarkKeyVersionCompromised, LifecycleEvent::Compromise, version, request).await
    }

    /// Calls off a destruction. A key that did not stay does from then on.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn restore(
        &self,
        peer: Arc<Peer>,
        version: KeyVersionName,
        request: RequestId,
    ) -> Result<Arc<KeyEntry>, Error> {
        self.transit(peer, Action::RestoreKeyVersion, LifecycleEvent::Restore, version, request).await
    }

    /// Schedules a version's destruction. It stops signing at once.
    ///
    /// # Errors
    /// [`Error`]; `CONFIRMATION_NEEDED` for the only ACTIVE version of a CERTIFY key that is not named twice.
    pub async fn schedule_destruction(
        &self,
        peer: Arc<Peer>,
        destruction: Destruction,
        request: RequestId,
    ) -> Result<Arc<KeyEntry>, Error> {
        let Destruction { version, wait, confirm } = destruction;
        let wait = wait.unwrap_or(self.options.default_destruction_wait);
        let waiting = i64::try_from(wait.as_secs()).map_err(|_| Error::invalid("wait", "at most 120 d"))?;
        let asked = Asked {
            action: Action::ScheduleKeyVersionDestruction,
            target: KeyOrVersionName::Version(version.clone()),
            context: Context::new().number("waitSeconds", waiting),
            request,
        };
        let least = self.options.minimum_destruction_wait;
        let edit = |entry: &KeyEntry, _: &_| {
            if !(least..=KeyOptions::MAXIMUM_DESTRUCTION_WAIT).contains(&wait) {
                return Err(Error::invalid("wait", format!("from {} to 120 d expected", spelt(least))));
            }
            if !confirm.is_empty() && confirm != version.to_string() {
                return Err(Error::invalid("confirm", format!("`{version}` is to be destroyed; name it, or nothing")));
            }
            let row = row(entry, &version)?;
            let state = row.state;
            let ends = now().saturating_add(waiting.saturating_mul(1_000_000_000));
            let after = row.after(LifecycleEvent::ScheduleDestruction, ends)?;
            if confirm.is_empty() && is_only_authority(entry, row) {
                return Err(Error::Precondition {
                    reason: reasons::CONFIRMATION_NEEDED,
                    message: format!(
                        "{version} is the only ACTIVE version of a certify key: without it nothing is issued under its \
                         certificate any more. To destroy it, repeat its name in `confirm`"
                    ),
                });
            }
            let dangerous = format!(
                "{version}, which is {state}, signs nothing from then on, and its key is destroyed {} later",
                spelt(wait)
            );
            Ok(Edited { rows: vec![Row::KeyVersion(after)], dangerous: Some(dangerous) })
        };
        self.alter(&peer, asked, edit).await
    }

    async fn transit(
        &self,
        peer: Arc<Peer>,
        action: Action,
        event: LifecycleEvent,
        version: KeyVersionName,
        request: RequestId,
    ) -> Result<Arc<KeyEntry>, Error> {
        let target = KeyOrVersionName::Version(version.clone());
        let asked = Asked { action, target, context: Context::new(), request };
        let edit = |entry: &KeyEntry, _: &_| {
            if event == LifecycleEvent::Restore && self.destructions.has_begun(&version) {
                return Err(wrong_state(format!("{version} is being destroyed; that can't be called off any more")));
            }
            let row = row(entry, &version)?;
            let dangerous = match event {
                LifecycleEvent::Compromise => Some(format!(
                    "{version}, which is {}, counts as in other hands: it signs nothing any more, for good",
                    row.state
                )),
                LifecycleEvent::Deactivate if is_only_active(entry, row) => {
                    Some(format!("{version}, its key's only ACTIVE version, signs nothing any more, for good"))
                }
                _ => None,
            };
            let mut rows = vec![Row::KeyVersion(row.after(event, now())?)];
            if event == LifecycleEvent::Restore && entry.standing() != KeyStanding::Named {
                // It would be collected once more.
                let named = KeyObjects { standing: KeyStanding::Named, collect_time: None, ..entry.objects_row() };
                rows.push(Row::KeyObjects(named));
            }
            Ok(Edited { rows, dangerous })
        };
        self.alter(&peer, asked, edit).await
    }
}

/// Whether this is the only ACTIVE version of a CERTIFY key.
fn is_only_authority(entry: &KeyEntry, row: &KeyVersion) -> bool {
    entry.key.purpose == Purpose::Certify && is_only_active(entry, row)
}

/// Whether a key has no other ACTIVE version than this, which is.
fn is_only_active(entry: &KeyEntry, row: &KeyVersion) -> bool {
    let mut active = entry.versions.values().filter(|version| version.row.state == KeyState::Active);
    active.next().is_some_and(|version| version.row.name == row.name) && active.next().is_none()
}

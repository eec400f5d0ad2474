//! The life of a key version: one table of stages and events, as data (NIST SP 800-57 part 1 revision 5 §7).
//!
//! **Invariants**: what [`TABLE`] does not name is refused; an event that would change nothing is refused, too. With a
//! destruction scheduled, nothing is possible but to call it off, to mark the version as compromised, and to destroy it.
//! docs/key-lifecycle.md shows the table and its graph as they are generated here.
//!
//! **Not here**: who may cause an event (`policy`), what else it changes: the primary version, dates, the token's objects
//! (`keys`).

use super::{KeyState, KeyVersion, KeyVersionName};

crate::words! {
    /// Where a version is in its life: its state, and what else decides what can happen to it.
    pub enum Stage {
        /// Made, not yet in use.
        PreActive = "PRE_ACTIVE",
        /// Made, never to be used unless its destruction is called off.
        PreActiveEnding = "PRE_ACTIVE with its destruction scheduled",
        /// In use.
        Active = "ACTIVE",
        /// Out of use until activated again.
        Suspended = "SUSPENDED",
        /// Out of use for good.
        Deactivated = "DEACTIVATED",
        /// Out of use, to be destroyed.
        DeactivatedEnding = "DEACTIVATED with its destruction scheduled",
        /// In other hands, perhaps.
        Compromised = "COMPROMISED",
        /// In other hands, perhaps, and to be destroyed.
        CompromisedEnding = "COMPROMISED with its destruction scheduled",
        /// Gone.
        Destroyed = "DESTROYED",
        /// Gone here, and in other hands, perhaps.
        DestroyedCompromised = "DESTROYED and marked as compromised",
    }
}

crate::words! {
    /// What happens to a version.
    pub enum LifecycleEvent {
        /// By request, or when its `activate_time` comes.
        Activate = "activate",
        /// By request.
        Suspend = "suspend",
        /// By request.
        Deactivate = "deactivate",
        /// By request: the key is, or may be, in other hands.
        Compromise = "mark as compromised",
        /// By request.
        ScheduleDestruction = "schedule destruction",
        /// By request: the destruction is called off.
        Restore = "restore",
        /// When its `destroy_time` comes.
        Destroy = "destroy",
        /// When its `expire_time` comes, or the overlap after a rotation ends.
        Expire = "expire",
    }
}

impl LifecycleEvent {
    /// Whether only the service's own clock causes it.
    pub const fn is_timed(self) -> bool {
        matches!(self, Self::Destroy | Self::Expire)
    }
}

/// Every transition there is: from, event, to.
pub const TABLE: &[(Stage, LifecycleEvent, Stage)] = {
    use {LifecycleEvent as E, Stage as S};
    &[
        (S::PreActive, E::Activate, S::Active),
        (S::PreActive, E::Compromise, S::Compromised),
        (S::PreActive, E::ScheduleDestruction, S::PreActiveEnding),
        (S::PreActiveEnding, E::Compromise, S::CompromisedEnding),
        (S::PreActiveEnding, E::Restore, S::PreActive),
        (S::PreActiveEnding, E::Destroy, S::Destroyed),
        (S::Active, E::Suspend, S::Suspended),
        (S::Active, E::Deactivate, S::Deactivated),
        (S::Active, E::Compromise, S::Compromised),
        (S::Active, E::ScheduleDestruction, S::DeactivatedEnding),
        (S::Active, E::Expire, S::Deactivated),
        (S::Suspended, E::Activate, S::Active),
        (S::Suspended, E::Deactivate, S::Deactivated),
        (S::Suspended, E::Compromise, S::Compromised),
        (S::Suspended, E::ScheduleDestruction, S::DeactivatedEnding),
        (S::Suspended, E::Expire, S::Deactivated),
        (S::Deactivated, E::Compromise, S::Compromised),
        (S::Deactivated, E::ScheduleDestruction, S::DeactivatedEnding),
        (S::DeactivatedEnding, E::Compromise, S::CompromisedEnding),
        (S::DeactivatedEnding, E::Restore, S::Deactivated),
        (S::DeactivatedEnding, E::Destroy, S::Destroyed),
        (S::Compromised, E::ScheduleDestruction, S::CompromisedEnding),
        (S::CompromisedEnding, E::Restore, S::Compromised),
        (S::CompromisedEnding, E::Destroy, S::DestroyedCompromised),
        (S::Destroyed, E::Compromise, S::DestroyedCompromised),
    ]
};

/// An event that a version's stage does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{version} is {stage}: `{event}` is refused; {}", possible(*stage))]
pub struct LifecycleError {
    /// Which version.
    pub version: KeyVersionName,
    /// Where it is.
    pub stage: Stage,
    /// What was to happen.
    pub event: LifecycleEvent,
}

fn possible(stage: Stage) -> String {
    let mut events: Vec<_> =
        stage.allowed().filter(|event| !event.is_timed()).map(|event| format!("`{event}`")).collect();
    match (events.pop(), events.is_empty()) {
        (None, _) => "nothing is possible any more".into(),
        (Some(only), true) => format!("possible is {only}"),
        (Some(last), false) => format!("possible are {} and {last}", events.join(", ")),
    }
}

impl Stage {
    /// Where a version is.
    pub fn of(version: &KeyVersion) -> Self {
        match (version.state, version.destroy_time.is_some()) {
            (KeyState::PreActive, false) => Self::PreActive,
            (KeyState::PreActive, true) => Self::PreActiveEnding,
            (KeyState::Active, _) => Self::Active,
            (KeyState::Suspended, _) => Self::Suspended,
            (KeyState::Deactivated, false) => Self::Deactivated,
            (KeyState::Deactivated, true) => Self::DeactivatedEnding,
            (KeyState::Compromised, false) => Self::Compromised,
            (KeyState::Compromised, true) => Self::CompromisedEnding,
            (KeyState::Destroyed, _) if version.compromised_time.is_some() => Self::DestroyedCompromised,
            (KeyState::Destroyed, _) => Self::Destroyed,
        }
    }

    /// The state that callers see.
    pub const fn state(self) -> KeyState {
        match self {
            Self::PreActive | Self::PreActiveEnding => KeyState::PreActive,
            Self::Active => KeyState::Active,
            Self::Suspended => KeyState::Suspended,
            Self::Deactivated | Self::DeactivatedEnding => KeyState::Deactivated,
            Self::Compromised | Self::CompromisedEnding => KeyState::Compromised,
            Self::Destroyed | Self::DestroyedCompromised => KeyState::Destroyed,
        }
    }

    /// Whether a destruction is scheduled.
    pub const fn is_ending(self) -> bool {
        matches!(self, Self::PreActiveEnding | Self::DeactivatedEnding | Self::CompromisedEnding)
    }

    /// Where an event leads; `None`: it is refused.
    pub fn after(self, event: LifecycleEvent) -> Option<Self> {
        TABLE.iter().find(|(from, by, _)| (*from, *by) == (self, event)).map(|(.., to)| *to)
    }

    /// The events that are not refused.
    pub fn allowed(self) -> impl Iterator<Item = LifecycleEvent> {
        LifecycleEvent::ALL.iter().copied().filter(move |event| self.after(*event).is_some())
    }
}

impl KeyVersion {
    /// The version after an event at `time`; for [`LifecycleEvent::ScheduleDestruction`], `time` is when it is to be
    /// destroyed. Nanoseconds since the Unix epoch.
    ///
    /// # Errors
    /// [`LifecycleError`] when the table has no such transition.
    pub fn after(&self, event: LifecycleEvent, time: i64) -> Result<Self, LifecycleError> {
        let stage = Stage::of(self);
        let refused = || LifecycleError { version: self.name.clone(), stage, event };
        let next = stage.after(event).ok_or_else(refused)?;
        let mut after = Self { state: next.state(), ..self.clone() };
        match event {
            LifecycleEvent::Compromise => after.compromised_time = Some(time),
            LifecycleEvent::ScheduleDestruction => after.destroy_time = Some(time),
            LifecycleEvent::Restore => after.destroy_time = None,
            LifecycleEvent::Destroy => {
                after.destroy_time = None;
                after.destroyed_time = Some(time);
            }
            _ => {}
        }
        // No rotation takes a version that is about to end.
        after.pooled &= next == Stage::PreActive;
        Ok(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OrganizationName;

    /// A version in a stage, with nothing else to its name.
    fn version_in(stage: Stage) -> KeyVersion {
        let name = OrganizationName::from_id("org1").unwrap().key("k").unwrap().version(1);
        let mut version = KeyVersion::new(name, stage.state(), Vec::new(), 1);
        version.destroy_time = stage.is_ending().then_some(9);
        let marked = stage.state() == KeyState::Compromised || stage == Stage::DestroyedCompromised;
        version.compromised_time = marked.then_some(7);
        version.destroyed_time = (stage.state() == KeyState::Destroyed).then_some(8);
        version
    }

    fn text() -> String {
        let cell = |stage: Stage, event| stage.after(event).map_or("refused", Stage::as_str);
        let rows = Stage::ALL.iter().flat_map(|stage| {
            LifecycleEvent::ALL.iter().map(move |event| format!("{stage} + {event} -> {}", cell(*stage, *event)))
        });
        rows.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_whole_table() {
        insta::assert_snapshot!(text());
    }

    /// The rows carry what the stage is read from: whatever happens, the version is where the table says.
    #[test]
    fn a_version_follows_the_table() {
        for stage in Stage::ALL {
            let version = version_in(*stage);
            assert_eq!(Stage::of(&version), *stage);
            for event in LifecycleEvent::ALL {
                match (stage.after(*event), version.after(*event, 5)) {
                    (Some(next), Ok(after)) => {
                        assert_eq!(Stage::of(&after), next, "{stage} + {event}");
                        assert_ne!(after, version, "{stage} + {event} changes nothing");
                    }
                    (None, Err(refused)) => {
                        assert_eq!((refused.stage, refused.event), (*stage, *event));
                    }
                    other => panic!("{stage} + {event}: {other:?}"),
                }
            }
        }
    }

    #[test]
    fn a_pair_of_stage_and_event_stands_once_in_the_table() {
        for (at, (from, event, _)) in TABLE.iter().enumerate() {
            assert!(TABLE[at + 1..].iter().all(|(f, e, _)| (f, e) != (from, event)), "{from} + {event}");
        }
    }

    /// Nothing but destruction ends a key, nothing ends a destroyed one's tombstone, and marks stay.
    #[test]
    fn destroyed_is_for_good_and_a_mark_of_compromise_stays() {
        for (from, event, to) in TABLE {
            let gone = |stage: &Stage| stage.state() == KeyState::Destroyed;
            assert!(!gone(from) || gone(to), "{from} + {event}");
            assert!(gone(from) || !gone(to) || *event == LifecycleEvent::Destroy, "{from} + {event}");
            assert!(!gone(to) || gone(from) || from.is_ending(), "{from} + {event}: destroyed unscheduled");
            let marked = |stage: &Stage| {
                matches!(stage, Stage::Compromised | Stage::CompromisedEnding | Stage::DestroyedCompromised)
            };
            assert!(!marked(from) || marked(to), "{from} + {event}");
        }
        let version = version_in(Stage::CompromisedEnding).after(LifecycleEvent::Destroy, 11).unwrap();
        assert_eq!((version.compromised_time, version.destroyed_time, version.destroy_time), (Some(7), Some(11), None));
    }

    #[test]
    fn a_refusal_names_state_event_and_what_is_possible() {
        let refused = |stage, event| version_in(stage).after(event, 1).unwrap_err().to_string();
        insta::assert_snapshot!(
            [
                refused(Stage::Suspended, LifecycleEvent::Suspend),
                refused(Stage::DeactivatedEnding, LifecycleEvent::Activate),
                refused(Stage::Destroyed, LifecycleEvent::Restore),
                refused(Stage::DestroyedCompromised, LifecycleEvent::Compromise),
            ]
            .join("\n"),
            @r"
        organizations/org1/keys/k/versions/1 is SUSPENDED: `suspend` is refused; possible are `activate`, `deactivate`, `mark as compromised` and `schedule destruction`
        organizations/org1/keys/k/versions/1 is DEACTIVATED with its destruction scheduled: `activate` is refused; possible are `mark as compromised` and `restore`
        organizations/org1/keys/k/versions/1 is DESTROYED: `restore` is refused; possible is `mark as compromised`
        organizations/org1/keys/k/versions/1 is DESTROYED and marked as compromised: `mark as compromised` is refused; nothing is possible any more
        "
        );
    }
}

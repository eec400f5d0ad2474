//! What is under way, one for each organization, and not for ever.
//!
//! **Invariant**: what is kept lies in secret memory, and is wiped when it ends, is given up, or was not asked for in
//! [`PATIENCE`].

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use chancery_ipc::FaultReason;

use crate::{fault::Failure, memory::SecretBox};

/// How long one may be idle.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// Backups, or restores.
pub(super) struct UnderWay<T> {
    /// What they are called.
    what: &'static str,
    by_organization: HashMap<String, Slot<T>>,
}

struct Slot<T> {
    backup: String,
    used: Instant,
    held: SecretBox<T>,
}

impl<T> UnderWay<T> {
    pub(super) fn new(what: &'static str) -> Self {
        Self { what, by_organization: HashMap::new() }
    }

    /// [`FaultReason::Busy`] while one of the organization is under way.
    pub(super) fn check_free(&self, organization: &str) -> Result<(), Failure> {
        let Some(slot) = self.by_organization.get(organization) else { return Ok(()) };
        let message = format!("the {} of {} is under way: end it or give it up first", self.what, slot.backup);
        Err(Failure::new(FaultReason::Busy, message))
    }

    pub(super) fn begin(
        &mut self,
        organization: &str,
        backup: &str,
        now: Instant,
        held: SecretBox<T>,
    ) -> Result<(), Failure> {
        self.check_free(organization)?;
        let slot = Slot { backup: backup.to_owned(), used: now, held };
        self.by_organization.insert(organization.to_owned(), slot);
        Ok(())
    }

    /// The one of this name.
    pub(super) fn held(&mut self, organization: &str, backup: &str, now: Instant) -> Result<&mut T, Failure> {
        match self.by_organization.get_mut(organization).filter(|slot| slot.backup == backup) {
            Some(slot) => {
                slot.used = now;
                Ok(&mut slot.held)
            }
            None => Err(Failure::bad_request(format!(
                "no {} of {backup} is under way: it was ended, given up or forgotten; begin anew",
                self.what
            ))),
        }
    }

    /// Forgets the one of this name, if there is one.
    pub(super) fn end(&mut self, organization: &str, backup: &str) {
        if self.by_organization.get(organization).is_some_and(|slot| slot.backup == backup) {
            self.by_organization.remove(organization);
        }
    }

    pub(super) fn forget_idle(&mut self, now: Instant) {
        self.by_organization.retain(|_, slot| now.saturating_duration_since(slot.used) < PATIENCE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_under_way_per_organization_and_forgotten_when_idle() {
        let mut all = UnderWay::new("backup");
        let (start, make) = (Instant::now(), |value: u32| SecretBox::new_with(|| Ok(value)).unwrap());
        all.begin("org1", "a", start, make(1)).unwrap();
        all.begin("org2", "a", start, make(2)).unwrap();
        assert_eq!(all.begin("org1", "b", start, make(3)).unwrap_err().reason, FaultReason::Busy);
        assert_eq!(all.held("org1", "b", start).unwrap_err().reason, FaultReason::BadRequest);

        let later = start + PATIENCE - Duration::from_secs(1);
        all.forget_idle(later);
        assert_eq!(*all.held("org1", "a", later).unwrap(), 1);
        all.forget_idle(start + PATIENCE);
        assert_eq!(*all.held("org1", "a", later).unwrap(), 1, "it was used since");
        assert!(all.held("org2", "a", later).is_err(), "it was idle");
        all.end("org1", "b");
        assert!(all.held("org1", "a", later).is_ok(), "another one ended");
        all.end("org1", "a");
        assert!(all.check_free("org1").is_ok());
    }
}

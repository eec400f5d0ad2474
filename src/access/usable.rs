//! Whether a version may be used for what is permitted: its state, its dates, by the clock at that moment.
//!
//! **Invariant**: nothing but an ACTIVE version that has not expired is used, but for the proof that a PRE_ACTIVE one's
//! private key is here.

use super::Grant;
use crate::{
    certificates::Profile,
    directory::{KeyEntry, Version},
    error::Error,
    model::{Action, KeyState, KeyVersion, KeyVersionName, Stage},
};
use chancery_api::reasons;

/// Nanoseconds since the Unix epoch.
pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_nanosecond().try_into().unwrap_or(i64::MAX)
}

/// Refuses a version that may not be used: its date counts from the moment it comes, not from when the state follows.
///
/// # Errors
/// [`Error::Precondition`] unless it is ACTIVE and not past its `expire_time`.
pub fn require_active(version: &Version) -> Result<(), Error> {
    let KeyVersion { name, state, .. } = &version.row;
    if *state != KeyState::Active {
        return Err(wrong_state(format!("{name} is {state}; only an ACTIVE version is used")));
    }
    require_unexpired(version)
}

fn require_unexpired(version: &Version) -> Result<(), Error> {
    match version.row.expire_time {
        Some(at) if at <= now() => {
            Err(wrong_state(format!("{} expired at {}; use the key's primary version", version.row.name, written(at))))
        }
        _ => Ok(()),
    }
}

fn wrong_state(message: String) -> Error {
    Error::Precondition { reason: reasons::WRONG_STATE, message }
}

/// A time as people read it (RFC 3339).
pub(crate) fn written(nanos: i64) -> String {
    jiff::Timestamp::from_nanosecond(nanos.into()).map_or_else(|_| format!("{nanos} ns"), |time| time.to_string())
}

impl Grant {
    /// Refuses a version that may not be used for what is permitted. A PRE_ACTIVE one proves that its private key is
    /// here, and does nothing else (SP 800-57pt1r5 §7.1): without that it would never get a certificate.
    ///
    /// # Errors
    /// [`Error::Precondition`].
    pub fn require_usable(&self, version: &Version) -> Result<(), Error> {
        match Stage::of(&version.row) {
            Stage::PreActive if self.proves_possession() => require_unexpired(version),
            _ => require_active(version),
        }
    }

    /// Whether what is to be signed says nothing but whose key this is: a signing request, a root's own certificate.
    fn proves_possession(&self) -> bool {
        let request = self.permit.request();
        match request.action {
            Action::CreateCertificateSigningRequest => true,
            Action::IssueCertificate => {
                request.context.iter().any(|(name, value)| name == "profile" && value == Profile::RootCa.as_str())
            }
            _ => false,
        }
    }

    /// Whether a version of a key, if one is named, may be used as it is now.
    pub(super) fn recheck_version(
        &self,
        entry: Option<&KeyEntry>,
        version: Option<&KeyVersionName>,
    ) -> Result<(), Error> {
        let (Some(entry), Some(name)) = (entry, version) else { return Ok(()) };
        let version = entry.version(Some(name.number())).ok_or_else(|| Error::NotFound(name.to_string()))?;
        self.require_usable(version)
    }
}

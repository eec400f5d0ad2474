//! Certificates that were issued elsewhere, bound to the versions whose public keys they certify.

use super::Issuing;
use crate::{
    access::{Peer, written},
    audit::{Draft, unavailable},
    certificates::BoundCertificate,
    changes::Begun,
    directory::{KeyEntry, Version},
    error::Error,
    model::{Action, KeyOrVersionName, KeyState, KeyVersion, KeyVersionName, RequestId},
    policy::Context,
    store::Row,
};
use chancery_api::reasons;
use std::sync::Arc;

/// A certificate to bind.
#[derive(Debug)]
pub struct Binding {
    /// To which version.
    pub version: KeyVersionName,
    /// What.
    pub certificate: BoundCertificate,
}

impl Issuing {
    /// Binds a certificate to a version, in place of an older one.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn bind(&self, peer: Arc<Peer>, new: Binding, request: RequestId) -> Result<Arc<KeyEntry>, Error> {
        let action = Action::BindCertificate;
        let caller = self.admission.identify(&peer, action).await?;
        let key = KeyOrVersionName::Version(new.version.clone());
        let (grant, begun) = self.begin(&caller, action, &key, Context::new(), &request).await?;
        let change = match begun {
            Begun::New(change) => change,
            Begun::Answered(answer) => {
                let replayed = self.admission.audit().append(Draft::replayed(&grant, &request)).await;
                replayed.map_err(|error| unavailable(&error))?;
                return KeyEntry::from_answer(&answer).map(Arc::new).map_err(Error::internal);
            }
        };
        let bound = async {
            let busy = self.changes.hold_in_turn(new.version.key()).await?;
            self.admission.access().recheck(&grant, None)?;
            let (rows, after) = self.bound(&new)?;
            Ok((rows, after, busy))
        };
        match bound.await {
            Ok((rows, after, _busy)) => {
                let outcome = Draft::outcome(&grant, &request).states(&rows);
                self.changes.finish(change, Some(outcome), rows, after.to_answer()).await?;
                Ok(Arc::new(after))
            }
            Err(error) => {
                self.changes.abandon(change).await;
                Err(error)
            }
        }
    }

    /// The version's row with its certificate, and the key with it, as they are while the key is held.
    fn bound(&self, new: &Binding) -> Result<(Vec<Row>, KeyEntry), Error> {
        let (entry, version) = self.current(&new.version)?;
        require_certifiable(&version)?;
        require_certifies(&new.certificate, &version)?;
        let row = KeyVersion { certificate: Some(new.certificate.der().to_vec()), ..version.row.clone() };
        let rows = vec![Row::KeyVersion(row)];
        let after = KeyEntry::changed(Some(&entry), &rows).map_err(Error::internal)?;
        Ok((rows, after))
    }

    /// A version as it is now, and its key.
    pub(super) fn current(&self, name: &KeyVersionName) -> Result<(Arc<KeyEntry>, Arc<Version>), Error> {
        let missing = || Error::NotFound(name.to_string());
        let entry = self.admission.access().directory().key(name.key()).ok_or_else(missing)?;
        let version = entry.version(Some(name.number())).cloned().ok_or_else(missing)?;
        Ok((entry, version))
    }
}

/// Refuses a version that nobody should present a certificate for.
fn require_certifiable(version: &Version) -> Result<(), Error> {
    let KeyVersion { name, state, .. } = &version.row;
    let (reason, message) = match state {
        KeyState::Compromised | KeyState::Destroyed => {
            (reasons::WRONG_STATE, format!("{name} is {state}; a certificate for it must not be used any more"))
        }
        _ if version.public_key.is_none() => {
            (reasons::WRONG_PURPOSE, format!("{name} is a secret key; nothing certifies it"))
        }
        _ => return Ok(()),
    };
    Err(Error::Precondition { reason, message })
}

/// Refuses a certificate that is another key's, or not valid now.
fn require_certifies(certificate: &BoundCertificate, version: &Version) -> Result<(), Error> {
    let KeyVersion { name, public_key, .. } = &version.row;
    if certificate.public_key() != public_key {
        return Err(Error::invalid("certificate", format!("its public key is not that of {name}")));
    }
    let now = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0);
    let validity = certificate.validity();
    let time = |seconds: u64| written(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000_000));
    if now > *validity.end() {
        return Err(Error::invalid("certificate", format!("it expired at {}", time(*validity.end()))));
    }
    if now < *validity.start() {
        return Err(Error::invalid("certificate", format!("it is not valid before {}", time(*validity.start()))));
    }
    Ok(())
}

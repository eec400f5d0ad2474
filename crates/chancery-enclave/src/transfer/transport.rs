//! Transport keys: short-lived HPKE keys that keys and shares come in under.
//!
//! **Invariants**: a private half lies in secret memory and nowhere else between uses; it serves one organization and one
//! use for [`LIFETIME`] or until it brought a key in, and at most [`MOST`] exist, [`MOST_OF_ONE`] of an organization.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use chancery_ipc::{CreateTransportKey, FaultReason, TransportKeyCreated, TransportUse};
use chancery_transfer::{
    envelope::PrivateKey,
    statement::{Statement, TransportKeyStatement, TransportPurpose},
};

use super::{Surroundings, Transfers};
use crate::{
    fault::Failure,
    memory::{SecretBytes, on_clean_stack},
    objects,
    software::Random,
};

/// How long a transport key can be used.
pub(super) const LIFETIME: Duration = Duration::from_secs(15 * 60);
/// The most in all.
const MOST: usize = 1024;
/// The most of one organization: a further one takes the place of its oldest.
const MOST_OF_ONE: usize = 16;

/// Names a transport key.
pub(super) type Id = [u8; 16];

/// Those that have not expired.
#[derive(Default)]
pub(super) struct TransportKeys(HashMap<Id, TransportKey>);

struct TransportKey {
    organization: String,
    purpose: TransportPurpose,
    expires: Instant,
    secret: SecretBytes,
}

impl TransportKeys {
    fn add(&mut self, id: Id, key: TransportKey) -> Result<(), Failure> {
        let of_one = self.0.iter().filter(|(_, other)| other.organization == key.organization);
        if of_one.clone().count() >= MOST_OF_ONE {
            let oldest = of_one.min_by_key(|(_, other)| other.expires).map(|(id, _)| *id);
            oldest.map(|id| self.0.remove(&id));
        }
        if self.0.len() >= MOST {
            let minutes = LIFETIME.as_secs() / 60;
            let message = format!("{MOST} transport keys are in use; each expires after {minutes} minutes: wait");
            return Err(Failure::new(FaultReason::Busy, message));
        }
        self.0.insert(id, key);
        Ok(())
    }

    /// Has `work` done with the key of this id.
    ///
    /// # Errors
    /// `TransportKeyExpired` when there is none; `BadInput` when it is another organization's or for another use.
    pub(super) fn with<T>(
        &self,
        id: &[u8],
        organization: &str,
        purpose: TransportPurpose,
        work: impl FnOnce(&PrivateKey) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let key = <&Id>::try_from(id).ok().and_then(|id| self.0.get(id)).ok_or_else(|| {
            let message = "the transport key has expired, or was made by a process that has ended: ask for another";
            Failure::new(FaultReason::TransportKeyExpired, message)
        })?;
        if key.organization != organization || key.purpose != purpose {
            let message = format!(
                "the transport key is {}'s and for use {}, not {organization}'s and for use {}",
                key.organization,
                key.purpose.word(),
                purpose.word()
            );
            return Err(Failure::new(FaultReason::BadInput, message));
        }
        on_clean_stack(|| {
            let private = PrivateKey::from_bytes(&key.secret).map_err(|_| defect())?;
            work(&private)
        })
    }

    /// Wipes a key that did what it was made for.
    pub(super) fn used_up(&mut self, id: &[u8]) {
        if let Ok(id) = <&Id>::try_from(id) {
            self.0.remove(id);
        }
    }

    pub(super) fn forget_expired(&mut self, now: Instant) {
        self.0.retain(|_, key| now < key.expires);
    }
}

impl Transfers {
    pub(super) fn create_transport_key(
        &mut self,
        around: &Surroundings<'_>,
        request: &CreateTransportKey,
    ) -> Result<TransportKeyCreated, Failure> {
        objects::check_organization(&request.organization)?;
        let purpose = match request.r#use() {
            TransportUse::Import => TransportPurpose::Import,
            TransportUse::Restore => TransportPurpose::Restore,
            TransportUse::Unspecified => return Err(Failure::bad_request("no use is named")),
        };
        let session = &around.logged_in.session;
        let mut random = around.running.rng.on(session);
        let mut id = [0; 16];
        random.fill(&mut id)?;
        let (secret, public_key) = draw(&mut random)?;
        let organization = request.organization.clone();
        let statement = TransportKeyStatement {
            deployment: around.running.directory.deployment().to_owned(),
            organization: organization.clone(),
            purpose,
            id,
            public_key,
            expires_unix_millis: super::unix_millis() + LIFETIME.as_millis() as u64,
            witness: self.witness_now(),
        };
        let expires_unix_millis = statement.expires_unix_millis;
        self.transport_keys
            .add(id, TransportKey { organization, purpose, expires: Instant::now() + LIFETIME, secret })?;
        let (statement, signature) = self.sign(session, &Statement::TransportKey(statement))?;
        Ok(TransportKeyCreated {
            id: id.to_vec(),
            public_key: public_key.to_vec(),
            expires_unix_millis,
            statement,
            signature,
        })
    }
}

/// A key of the token's randomness mixed with the system's.
fn draw(random: &mut dyn Random) -> Result<(SecretBytes, [u8; 65]), Failure> {
    let mut secret = SecretBytes::zeroed(32)?;
    // Bytes beyond the curve's order come once in 2^32.
    for _ in 0..100 {
        random.fill(&mut secret)?;
        if let Ok(key) = on_clean_stack(|| PrivateKey::from_bytes(&secret).map(|key| key.public_key().to_bytes())) {
            return Ok((secret, key));
        }
    }
    Err(defect())
}

fn defect() -> Failure {
    Failure::new(FaultReason::TokenFault, "the random source gives no private key")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(organization: &str, expires: Instant) -> TransportKey {
        let secret = SecretBytes::copy_of(&[7; 32]).unwrap();
        TransportKey { organization: organization.into(), purpose: TransportPurpose::Import, expires, secret }
    }

    fn refusal(keys: &TransportKeys, id: u8, organization: &str, purpose: TransportPurpose) -> Option<FaultReason> {
        keys.with(&[id; 16], organization, purpose, |_| Ok(())).err().map(|failure| failure.reason)
    }

    #[test]
    fn a_transport_key_serves_its_organization_and_use_until_it_expires() {
        use TransportPurpose::{Import, Restore};
        let mut keys = TransportKeys::default();
        let start = Instant::now();
        keys.add([1; 16], key("org1", start + LIFETIME)).unwrap();
        assert_eq!(refusal(&keys, 1, "org1", Import), None);
        assert_eq!(refusal(&keys, 1, "org2", Import), Some(FaultReason::BadInput));
        assert_eq!(refusal(&keys, 1, "org1", Restore), Some(FaultReason::BadInput));
        assert_eq!(refusal(&keys, 2, "org1", Import), Some(FaultReason::TransportKeyExpired));
        keys.forget_expired(start + LIFETIME - Duration::from_secs(1));
        assert_eq!(refusal(&keys, 1, "org1", Import), None);
        keys.forget_expired(start + LIFETIME);
        assert_eq!(refusal(&keys, 1, "org1", Import), Some(FaultReason::TransportKeyExpired));
    }

    #[test]
    fn one_organization_replaces_its_oldest_and_takes_none_of_anothers() {
        let mut keys = TransportKeys::default();
        let start = Instant::now() + LIFETIME;
        keys.add([99; 16], key("org2", start)).unwrap();
        for number in 0..40_u8 {
            let expires = start + Duration::from_secs(number.into());
            keys.add([number; 16], key("org1", expires)).unwrap();
        }
        for number in 0..24 {
            assert_eq!(
                refusal(&keys, number, "org1", TransportPurpose::Import),
                Some(FaultReason::TransportKeyExpired),
                "{number}"
            );
        }
        for number in 24..40 {
            assert_eq!(refusal(&keys, number, "org1", TransportPurpose::Import), None, "{number}");
        }
        assert_eq!(refusal(&keys, 99, "org2", TransportPurpose::Import), None);
    }

    #[test]
    fn there_is_a_most_of_all_together() {
        let mut keys = TransportKeys::default();
        let expires = Instant::now() + LIFETIME;
        let id = |number: usize| (number as u128).to_be_bytes();
        for number in 0..MOST {
            keys.add(id(number), key(&format!("org{number}"), expires)).unwrap();
        }
        assert_eq!(keys.add(id(MOST), key("another", expires)).unwrap_err().reason, FaultReason::Busy);
        keys.used_up(&id(0));
        keys.add(id(0), key("another", expires)).unwrap();
        keys.forget_expired(expires);
        keys.add(id(MOST), key("another", expires)).unwrap();
    }
}

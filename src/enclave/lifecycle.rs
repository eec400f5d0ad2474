//! Key material: made, kept, closed, removed.
//!
//! **Invariant**: an ENCLAVE key is in the store before anyone registers its version.

use super::{Enclave, Mandate, Witness, algorithm, confused, fault, protection, purpose};
use crate::{
    access::Access,
    error::{Error, Performed as Done},
    model::{Algorithm, KeyVersionName, Protection, Purpose},
    store::{StoreError, WrappedKey},
};
use chancery_api::reasons;
use chancery_ipc::{self as ipc, FaultReason, request::Verb, response::Result as Reply};

/// What to make.
#[derive(Debug, Clone, Copy)]
pub struct Material {
    /// What it is made of.
    pub algorithm: Algorithm,
    /// What it is for.
    pub purpose: Purpose,
    /// Where it lives.
    pub protection: Protection,
    /// ENCLAVE: the generation of the organization's key-encryption key, which is there.
    pub kek_generation: u64,
}

/// A key that was made, and the version it is made for.
#[must_use]
pub struct NewMaterial {
    /// SubjectPublicKeyInfo, DER; empty for a secret key.
    pub public_key: Vec<u8>,
    /// That it was made.
    pub witness: Witness,
    wrapped: Vec<u8>,
}

/// A key that was made; an ENCLAVE key is in the store.
#[must_use]
pub struct Generated {
    /// SubjectPublicKeyInfo, DER; empty for a secret key.
    pub public_key: Vec<u8>,
    /// That it was made.
    pub witness: Witness,
}

impl NewMaterial {
    pub(super) fn new(public_key: Vec<u8>, wrapped: Vec<u8>, witness: Witness) -> Self {
        Self { public_key, witness, wrapped }
    }
}

impl Enclave {
    /// Makes a key for a version that is not registered and whose intent is recorded.
    ///
    /// # Errors
    /// [`Error`]; with [`Done::Unknown`] the key may exist, and must be reconciled.
    pub async fn generate(
        &self,
        access: &Access,
        mandate: Mandate<'_>,
        version: &KeyVersionName,
        material: Material,
    ) -> Result<Generated, Error> {
        mandate.recheck(access)?;
        let request = ipc::GenerateKey {
            version: version.to_string(),
            algorithm: algorithm(material.algorithm).into(),
            purpose: purpose(material.purpose).into(),
            protection: protection(material.protection).into(),
            kek_generation: material.kek_generation,
        };
        let mut answer = self.exchange(Verb::GenerateKey(request.clone()), None).await?;
        if matches!(&answer.0, Reply::Fault(said) if said.reason() == FaultReason::KeyExists) {
            // No such version is registered: an earlier enclave made it and nobody learned of it.
            self.discard(version).await?;
            answer = self.exchange(Verb::GenerateKey(request), None).await?;
        }
        match answer {
            (Reply::KeyGenerated(made), Some(witness)) if made.version == version.to_string() => {
                self.keep(version, NewMaterial::new(made.public_key, made.wrapped, witness)).await
            }
            (Reply::Fault(said), _) => Err(fault(said)),
            _ => Err(confused()),
        }
    }

    /// Keeps a new key's wrapped form, where it has one.
    pub(super) async fn keep(&self, version: &KeyVersionName, made: NewMaterial) -> Result<Generated, Error> {
        let NewMaterial { public_key, witness, wrapped } = made;
        if !wrapped.is_empty() {
            let key = WrappedKey { version: version.to_string(), wrapped };
            self.store.keep_wrapped(vec![key]).await.map_err(|error| store_unavailable(&error))?;
        }
        Ok(Generated { public_key, witness })
    }

    /// Removes the key of a version that never came to be, or that is destroyed: from the token, the enclave's memory and
    /// the store.
    ///
    /// # Errors
    /// [`Error`]; try again when the token is back.
    pub async fn discard(&self, version: &KeyVersionName) -> Result<u32, Error> {
        let version = version.to_string();
        self.close(&version).await?;
        let objects = match self.call(Verb::DestroyKey(ipc::DestroyKey { version: version.clone() }), None).await? {
            (Reply::KeyDestroyed(gone), _) => gone.objects,
            _ => return Err(confused()),
        };
        self.store.remove_wrapped(vec![version]).await.map_err(|error| store_unavailable(&error))?;
        Ok(objects)
    }

    /// Wipes an opened ENCLAVE key from the enclave's memory.
    ///
    /// # Errors
    /// [`Error`]. An enclave that is down has nothing open.
    pub async fn close(&self, version: &str) -> Result<(), Error> {
        match self.call(Verb::CloseKey(ipc::CloseKey { version: version.to_owned() }), None).await? {
            (Reply::KeyClosed(_), _) => Ok(()),
            _ => Err(confused()),
        }
    }
}

pub(super) fn store_unavailable(error: &StoreError) -> Error {
    tracing::error!(%error, "the store can't be used");
    Error::Unavailable {
        reason: reasons::STORE_UNAVAILABLE,
        message: "the store can't be written right now; try again".into(),
        performed: Done::Unknown,
    }
}

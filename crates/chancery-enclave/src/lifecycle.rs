//! Making, destroying and wrapping keys, on the control thread.
//!
//! **Invariants**: a key is made for a purpose that its algorithm serves; what may have been made is an operation of the
//! chain (`operations`). Key-encryption keys and wrapping are internal: they are none.

use std::sync::Arc;

use chancery_audit::operations::GENERATE;
use chancery_ipc::{
    DestroyKek, DestroyKey, EnsureKek, FaultReason, GenerateKey, KekDestroyed, KekReady, KeyAlgorithm, KeyDestroyed,
    KeyGenerated, KeyOrigin, KeyProtection, Rewrap, Rewrapped,
};
use sha2::{Digest, Sha256};

use crate::{
    control::{Control, not_open},
    fault::Failure,
    generate::{self, Wanted},
    kek::KekName,
    objects, operations,
    software::SoftwareKey,
    uses,
    wrapped::{self, Context},
};

impl Control {
    pub(crate) fn generate(&mut self, request: GenerateKey) -> Result<KeyGenerated, Failure> {
        let (_, running) = self.open_token()?;
        running.directory.version_id(&request.version)?;
        let (algorithm, purpose) = (request.algorithm(), request.purpose());
        if algorithm == KeyAlgorithm::Unspecified {
            return Err(Failure::bad_request("no key algorithm is named"));
        }
        if !uses::can_serve(algorithm, purpose) {
            return Err(Failure::bad_request(format!("keys of {algorithm:?} do not serve purpose {purpose:?}")));
        }
        let shared = Arc::clone(&self.shared);
        let begun = shared.running().ok_or_else(not_open)?.operations.begin()?;
        let made = match request.protection() {
            KeyProtection::Token => self.generate_in_token(&request),
            KeyProtection::Enclave => self.generate_in_enclave(&request),
            KeyProtection::Unspecified => Err(Failure::bad_request("no protection is named")),
        };
        match made {
            Ok((public_key, wrapped)) => {
                let operation = begun.done(&request.version, GENERATE, operations::random());
                Ok(KeyGenerated { version: request.version, public_key, operation, wrapped })
            }
            Err(failure) => Err(begun.failed(&request.version, GENERATE, failure)),
        }
    }

    /// The public key, and nothing wrapped.
    fn generate_in_token(&mut self, request: &GenerateKey) -> Result<(Vec<u8>, Vec<u8>), Failure> {
        let shared = Arc::clone(&self.shared);
        let (logged_in, running, maker) = self.parts()?;
        let (session, algorithm, purpose) = (&logged_in.session, request.algorithm(), request.purpose());
        logged_in.offer.check(algorithm, purpose)?;
        let id = running.directory.version_id(&request.version)?;
        let _changing = running.directory.change();
        if !objects::find(session, &id, None)?.is_empty() {
            let message = format!("the token holds an object of {} already", request.version);
            return Err(Failure::new(FaultReason::KeyExists, message));
        }
        match maker.generate(session, Wanted { id: &id, label: &request.version, algorithm, purpose }) {
            // Whoever asked may be gone, and their successor may have looked for the key before it was there.
            Ok(key) if shared.is_ending() => {
                generate::destroy(session, &key.objects());
                Err(Failure::new(FaultReason::TokenFault, "the process ends; the new key was destroyed"))
            }
            Ok(key) => Ok((key.public_key(), Vec::new())),
            Err(failure) => Err(failure),
        }
    }

    /// The public key, and the key wrapped. It is not left open: whoever makes thousands would close the ones in use.
    fn generate_in_enclave(&self, request: &GenerateKey) -> Result<(Vec<u8>, Vec<u8>), Failure> {
        let (logged_in, running) = self.open_token()?;
        let session = &logged_in.session;
        let mut random = running.rng.on(session);
        let (key, secret) = SoftwareKey::generate(request.algorithm(), &mut random)?;
        let context = Context {
            deployment: running.directory.deployment(),
            version: &request.version,
            algorithm: request.algorithm(),
            purpose: request.purpose(),
            origin: KeyOrigin::Generated,
            public_key_sha256: &Sha256::digest(key.public_key_spki()),
        };
        let wrapped = wrapped::wrap(&running.keks, session, &mut random, request.kek_generation, &context, &secret)?;
        Ok((key.public_key_spki().to_vec(), wrapped))
    }

    pub(crate) fn destroy(&mut self, request: &DestroyKey) -> Result<KeyDestroyed, Failure> {
        let (logged_in, running) = self.open_token()?;
        let objects = running.keys.destroy(&logged_in.session, &request.version)?;
        running.open_keys.close(&request.version);
        Ok(KeyDestroyed { objects })
    }

    pub(crate) fn ensure_kek(&mut self, request: EnsureKek) -> Result<KekReady, Failure> {
        let (logged_in, running, maker) = self.parts()?;
        let name = KekName { organization: request.organization, generation: request.generation };
        let created = running.keks.ensure(&logged_in.session, maker, &name)?;
        Ok(KekReady { created, mechanism: running.keks.mechanism()?.name().into() })
    }

    pub(crate) fn destroy_kek(&mut self, request: DestroyKek) -> Result<KekDestroyed, Failure> {
        let (logged_in, running) = self.open_token()?;
        let name = KekName { organization: request.organization, generation: request.generation };
        let was_there = running.keks.destroy(&logged_in.session, &name)?;
        Ok(KekDestroyed { was_there })
    }

    pub(crate) fn rewrap(&mut self, request: Rewrap) -> Result<Rewrapped, Failure> {
        let (logged_in, running) = self.open_token()?;
        let (key, session) = (request.key, &logged_in.session);
        let mut random = running.rng.on(session);
        let context = Context::of(running.directory.deployment(), &key);
        let secret = wrapped::unwrap(&running.keks, session, &mut random, &context, &key.wrapped)?;
        let wrapped = wrapped::wrap(&running.keks, session, &mut random, request.kek_generation, &context, &secret)?;
        Ok(Rewrapped { version: key.version, wrapped })
    }
}

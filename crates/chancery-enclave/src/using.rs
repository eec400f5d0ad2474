//! Using ordinary keys, on a session thread.
//!
//! **Invariants**: the use is judged by `uses` before a key is looked for; what may have been done with a key is an
//! operation of the chain (`operations`), and only that is one: a signature, a plaintext or a derived secret that nobody
//! was given shows as a gap.

use chancery_ipc::{CloseKey, FaultReason, KeyClosed, KeyProtection, KeyUsed, Mechanism, Random, RandomDrawn, UseKey};
use cryptoki::session::Session;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::{
    fault::{Failure, UseError},
    opened::OpenKey,
    operations,
    random::SystemRandom,
    serve::Running,
    software::Input,
    token_use, uses,
    wrapped::{self, Context},
};

/// One session and whether it has used a key of the token.
#[derive(Debug)]
pub(crate) struct User {
    session: Session,
    used: bool,
}

/// What a use gave, and whether it was the first on its handle.
struct Used {
    output: Zeroizing<Vec<u8>>,
    first: bool,
}

impl User {
    pub(crate) fn new(session: Session) -> Self {
        Self { session, used: false }
    }

    /// Uses a key as `request` asks for.
    pub(crate) fn use_key(&mut self, running: &Running, request: UseKey) -> Result<KeyUsed, Failure> {
        let mechanism = uses::check(&request)?;
        let (key, word) = (&request.key.version, operations::word(mechanism, &request.input));
        let begun = running.operations.begin()?;
        let used = match request.key.protection() {
            KeyProtection::Token => self.use_token_key(running, &request, mechanism),
            KeyProtection::Enclave => self.use_enclave_key(running, &request, mechanism),
            KeyProtection::Unspecified => Err(Failure::bad_request("no protection is named")),
        };
        let mut used = match used {
            Ok(used) => used,
            Err(failure) => return Err(begun.failed(key, word, failure)),
        };
        let input_sha256 = Sha256::digest(&request.input).into();
        let commitment = operations::commitment(mechanism, word, &input_sha256, &used.output);
        Ok(KeyUsed {
            operation: begun.done(key, word, commitment),
            input_sha256: input_sha256.to_vec(),
            version: request.key.version,
            output: std::mem::take(&mut *used.output),
            first_on_handle: used.first,
        })
    }

    /// Random bytes for a caller.
    pub(crate) fn random(&mut self, running: &Running, request: &Random) -> Result<RandomDrawn, Failure> {
        running.rng.on(&self.session).drawn(request.length)
    }

    fn use_token_key(&mut self, running: &Running, request: &UseKey, mechanism: Mechanism) -> Result<Used, Failure> {
        let key_ref = &request.key;
        // A stale handle did nothing: another process replaced or removed the object.
        for _ in 0..2 {
            let key = running.keys.key(&self.session, key_ref)?;
            let _changing = token_use::makes_objects(mechanism).then(|| running.directory.change());
            let Some(_in_token) = key.hold() else {
                let message = format!("the key of {} was destroyed", key_ref.version);
                return Err(Failure::new(FaultReason::KeyNotFound, message));
            };
            let mut random = running.rng.on(&self.session);
            match token_use::perform(&self.session, key.object, mechanism, request, &mut random) {
                Ok(output) => {
                    let first_on_session = !std::mem::replace(&mut self.used, true);
                    return Ok(Used { output, first: key.note_use() || first_on_session });
                }
                Err(UseError::Failed(failure)) => return Err(failure),
                Err(UseError::StaleHandle) => running.keys.forget(&key_ref.version, &key),
            }
        }
        let message = format!("the key of {} left the token while it was used", key_ref.version);
        Err(Failure::new(FaultReason::KeyNotFound, message))
    }

    fn use_enclave_key(&mut self, running: &Running, request: &UseKey, mechanism: Mechanism) -> Result<Used, Failure> {
        let key_ref = &request.key;
        let session = &self.session;
        let open = || {
            if key_ref.wrapped.is_empty() {
                let message = format!("the key of {} is not open: send it along, wrapped", key_ref.version);
                return Err(Failure::new(FaultReason::KeyNotOpen, message));
            }
            let context = Context::of(running.directory.deployment(), key_ref);
            let mut random = running.rng.on(session);
            let secret = wrapped::unwrap(&running.keks, session, &mut random, &context, &key_ref.wrapped)?;
            OpenKey::new(key_ref, &secret)
        };
        let UseKey { input: bytes, iv, associated_data, .. } = request;
        let input = Input { bytes, iv, associated_data };
        running.open_keys.with(key_ref, open, |key| {
            let output = key.key().use_key(mechanism, input, &mut SystemRandom)?;
            Ok(Used { output, first: key.note_use() })
        })
    }
}

/// Forgets an enclave key that is open.
pub(crate) fn close(running: &Running, request: &CloseKey) -> Result<KeyClosed, Failure> {
    running.directory.version_id(&request.version)?;
    Ok(KeyClosed { was_open: running.open_keys.close(&request.version) })
}

//! What is signed: random digests, each once, each under a request id of its own.

use crate::words;
use chancery_api::{
    names::KeyOrVersionName,
    v1::{Algorithm, Digest, Hash, Priority, SignRequest, sign_request::Input},
};
use sha2::Digest as _;
use uuid::{Builder, Uuid};

/// Makes the requests of a run.
pub(super) struct Requests {
    name: String,
    /// Ed25519 and ML-DSA sign messages; the random bytes are one.
    message: bool,
    /// What the random bytes are the digest of.
    hash: Hash,
    priority: Priority,
}

/// One request's own part.
#[derive(Clone, Copy)]
pub(super) struct Draw {
    pub(super) id: Uuid,
    bytes: [u8; 32],
}

impl Requests {
    pub(super) fn new(key: &KeyOrVersionName, algorithm: Algorithm, batch: bool) -> Self {
        let message =
            [Algorithm::Ed25519, Algorithm::MlDsa44, Algorithm::MlDsa65, Algorithm::MlDsa87].contains(&algorithm);
        let hash = if algorithm == Algorithm::Sm2 { Hash::Sm3 } else { Hash::Sha256 };
        Self { name: key.to_string(), message, hash, priority: words::priority(batch) }
    }

    /// A new request.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub(super) fn draw(&self) -> Result<Draw, getrandom::Error> {
        // One call to the system for both parts: this runs a hundred thousand times a second.
        let mut random = [0; 48];
        getrandom::fill(&mut random)?;
        let (mut id, mut bytes) = ([0; 16], [0; 32]);
        id.copy_from_slice(&random[..16]);
        bytes.copy_from_slice(&random[16..]);
        Ok(Draw { id: Builder::from_random_bytes(id).into_uuid(), bytes })
    }

    /// As it is sent.
    pub(super) fn message(&self, draw: &Draw) -> SignRequest {
        let value = draw.bytes.to_vec();
        let input = match self.message {
            true => Input::Message(value),
            false => Input::Digest(Digest { hash: self.hash.into(), value }),
        };
        SignRequest {
            name: self.name.clone(),
            input: Some(input),
            request_id: draw.id.to_string(),
            input_crc32c: Some(crc32c::crc32c(&draw.bytes)),
            priority: self.priority.into(),
            ..SignRequest::default()
        }
    }

    /// The digest that the audit record names: of a message, its SHA-256.
    pub(super) fn recorded_digest(&self, draw: &Draw) -> [u8; 32] {
        if self.message { sha2::Sha256::digest(draw.bytes).into() } else { draw.bytes }
    }
}

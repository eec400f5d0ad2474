//! Ed25519 (RFC 8032), by AWS-LC.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use chancery_ipc::KeyAlgorithm;

use super::{Output, bad_key, failed, public_key};
use crate::fault::Failure;

/// See the module.
pub(super) struct Ed25519(Ed25519KeyPair);

impl Ed25519 {
    pub(super) fn open(seed: &[u8]) -> Result<Self, Failure> {
        let key = Ed25519KeyPair::from_seed_unchecked(seed);
        key.map(Self).map_err(|_| bad_key(KeyAlgorithm::Ed25519, "AWS-LC refused the seed"))
    }

    pub(super) fn public_key(&self) -> Vec<u8> {
        public_key::encode(KeyAlgorithm::Ed25519, self.0.public_key().as_ref())
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Output, Failure> {
        let signature = self.0.try_sign(message).map_err(|_| failed("signing with Ed25519"))?;
        Ok(Output::new(signature.as_ref().to_vec()))
    }
}

//! secp256k1: ECDSA (FIPS 186-5 §6), by k256, which is several times faster at it than AWS-LC.

use chancery_ipc::{KeyAlgorithm, Mechanism};
use k256::ecdsa::{Signature, SigningKey, signature::hazmat::RandomizedPrehashSigner};

use super::{Output, Random, bad_key, bad_length, failed, hedge::Hedge, public_key};
use crate::{fault::Failure, memory::SecretBox};

const ALGORITHM: KeyAlgorithm = KeyAlgorithm::EcSecp256k1;

/// See the module.
pub(super) struct Secp256k1(SecretBox<SigningKey>);

impl Secp256k1 {
    pub(super) fn open(scalar: &[u8]) -> Result<Self, Failure> {
        let key = || SigningKey::from_slice(scalar).map_err(|_| bad_key(ALGORITHM, "k256 refused the scalar"));
        SecretBox::new_with(key).map(Self)
    }

    pub(super) fn public_key(&self) -> Vec<u8> {
        public_key::encode(ALGORITHM, self.0.verifying_key().to_sec1_point(false).as_bytes())
    }

    /// As on the other curves. The nonce is that of RFC 6979 with random bytes as additional data (§3.6 there); s is low.
    pub(super) fn sign(&self, digest: &[u8], random: &mut dyn Random) -> Result<Output, Failure> {
        if !(1..=66).contains(&digest.len()) {
            return Err(bad_length(Mechanism::Ecdsa, digest.len()));
        }
        let digest = &digest[..digest.len().min(32)];
        let mut padded = [0; 32];
        padded[32 - digest.len()..].copy_from_slice(digest);
        let mut hedge = Hedge::draw(random)?;
        let signature: Result<Signature, _> = self.0.sign_prehash_with_rng(&mut hedge, &padded);
        Ok(Output::new(signature.map_err(|_| failed("signing with ECDSA"))?.to_bytes().to_vec()))
    }
}

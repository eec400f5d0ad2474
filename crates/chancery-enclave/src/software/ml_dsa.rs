//! ML-DSA (FIPS 204), pure and with an empty context, by AWS-LC.

use aws_lc_rs::signature::{
    KeyPair, ML_DSA_44_SIGNING, ML_DSA_65_SIGNING, ML_DSA_87_SIGNING, PqdsaKeyPair, PqdsaSigningAlgorithm,
};
use chancery_ipc::KeyAlgorithm;

use super::{Output, bad_key, failed, public_key};
use crate::fault::Failure;

/// See the module.
pub(super) struct MlDsa(PqdsaKeyPair);

impl MlDsa {
    /// From the seed ξ, which key generation expands (FIPS 204 §5.1).
    pub(super) fn open(algorithm: KeyAlgorithm, seed: &[u8]) -> Result<Self, Failure> {
        let key = PqdsaKeyPair::from_seed(suite(algorithm), seed);
        key.map(Self).map_err(|_| bad_key(algorithm, "AWS-LC refused the seed"))
    }

    pub(super) fn public_key(&self, algorithm: KeyAlgorithm) -> Vec<u8> {
        public_key::encode(algorithm, self.0.public_key().as_ref())
    }

    /// Signs with AWS-LC's own randomness (hedged, FIPS 204 §3.4).
    pub(super) fn sign(&self, message: &[u8]) -> Result<Output, Failure> {
        let mut signature = Output::new(vec![0; self.0.algorithm().signature_len()]);
        let length = self.0.sign(message, &mut signature).map_err(|_| failed("signing with ML-DSA"))?;
        signature.truncate(length);
        Ok(signature)
    }
}

/// What AWS-LC calls the parameter set.
fn suite(algorithm: KeyAlgorithm) -> &'static PqdsaSigningAlgorithm {
    match algorithm {
        KeyAlgorithm::MlDsa44 => &ML_DSA_44_SIGNING,
        KeyAlgorithm::MlDsa65 => &ML_DSA_65_SIGNING,
        _ => &ML_DSA_87_SIGNING,
    }
}

/// Whether the seed and the expanded key of a PrivateKeyInfo with both are of one key.
pub(super) fn agrees(algorithm: KeyAlgorithm, private_key_info: &[u8]) -> bool {
    PqdsaKeyPair::from_pkcs8(suite(algorithm), private_key_info).is_ok()
}

//! X25519 (RFC 7748), by AWS-LC.

use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey, X25519 as ALGORITHM};
use chancery_ipc::KeyAlgorithm;

use super::{Output, bad_input, bad_key, failed, public_key};
use crate::fault::Failure;

/// See the module.
pub(super) struct X25519(PrivateKey);

impl X25519 {
    pub(super) fn open(seed: &[u8]) -> Result<Self, Failure> {
        let key = PrivateKey::from_private_key(&ALGORITHM, seed);
        key.map(Self).map_err(|_| bad_key(KeyAlgorithm::X25519, "AWS-LC refused the bytes"))
    }

    pub(super) fn public_key(&self) -> Result<Vec<u8>, Failure> {
        let public = self.0.compute_public_key().map_err(|_| failed("computing a public key"))?;
        Ok(public_key::encode(KeyAlgorithm::X25519, public.as_ref()))
    }

    /// The shared secret, unless it is all zeros: then the other side chose a point of small order (RFC 7748 §6.1).
    pub(super) fn agree(&self, peer: &[u8]) -> Result<Output, Failure> {
        let refused = || bad_input("the other side's public key makes no secret: it is a point of small order");
        let peer = public_key::decode_peer(KeyAlgorithm::X25519, peer)?;
        let shared = agreement::agree(&self.0, UnparsedPublicKey::new(&ALGORITHM, peer), refused(), |shared| {
            Ok(Output::new(shared.to_vec()))
        })?;
        let any = shared.iter().fold(0, |bits, byte| bits | byte);
        if any == 0 { Err(refused()) } else { Ok(shared) }
    }
}

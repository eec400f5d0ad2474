//! SM2: signatures (GB/T 32918.2) and decryption (GB/T 32918.4), by the crate of that name.

use chancery_ipc::{KeyAlgorithm, Mechanism};
use sm2::{
    dsa::{Signature, SigningKey, signature::hazmat::RandomizedPrehashSigner},
    elliptic_curve::sec1::ToSec1Point,
    pke::{Cipher, DecryptingKey, Mode},
};

use super::{Output, Random, bad_input, bad_key, bad_length, failed, hedge::Hedge, public_key};
use crate::{fault::Failure, memory::SecretBox};

/// 04 ‖ x ‖ y ‖ C3, after which C2 begins.
const BEFORE_C2: usize = 1 + 2 * 32 + 32;

/// The parsed key, which the crate does not wipe: its box does. Parsing costs nearly as much as signing, so it is kept.
pub(super) struct Sm2(SecretBox<SigningKey>);

impl Sm2 {
    pub(super) fn open(scalar: &[u8]) -> Result<Self, Failure> {
        // What is signed here is e, so the signer's identity went into it already (GB/T 32918.2 §5.5).
        let nobody = "";
        let refused = |_| bad_key(KeyAlgorithm::Sm2, "the crate sm2 refused the scalar");
        SecretBox::new_with(|| SigningKey::from_slice(nobody, scalar).map_err(refused)).map(Self)
    }

    pub(super) fn public_key(&self) -> Vec<u8> {
        public_key::encode(KeyAlgorithm::Sm2, self.0.verifying_key().as_affine().to_sec1_point(false).as_bytes())
    }

    /// Signs e. The nonce is that of RFC 6979 over SM3 with random bytes as additional data.
    pub(super) fn sign(&self, e: &[u8], random: &mut dyn Random) -> Result<Output, Failure> {
        if e.len() != 32 {
            return Err(bad_length(Mechanism::Sm2, e.len()));
        }
        let mut hedge = Hedge::draw(random)?;
        let signature: Result<Signature, _> = self.0.sign_prehash_with_rng(&mut hedge, e);
        Ok(Output::new(signature.map_err(|_| failed("signing with SM2"))?.to_bytes().to_vec()))
    }

    /// Decrypts C1 ‖ C3 ‖ C2.
    pub(super) fn decrypt(&self, ciphertext: &[u8]) -> Result<Output, Failure> {
        let wrong =
            || bad_input("the ciphertext does not open: it is not of this key, changed, or not 04 ‖ x ‖ y ‖ C3 ‖ C2");
        if ciphertext.len() <= BEFORE_C2 || ciphertext[0] != 4 {
            return Err(wrong());
        }
        let cipher: Cipher<'_> = Cipher::from_slice(ciphertext, Mode::C1C3C2).map_err(|_| wrong())?;
        let mut plaintext = Output::new(vec![0; ciphertext.len() - BEFORE_C2]);
        DecryptingKey::new_with_mode(*self.0.as_nonzero_scalar(), Mode::C1C3C2)
            .decrypt_cipher_with_buf(&cipher, &mut plaintext)
            .map_err(|_| wrong())?;
        Ok(plaintext)
    }
}

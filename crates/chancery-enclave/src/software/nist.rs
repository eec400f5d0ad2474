//! P-256, P-384 and P-521: ECDSA (FIPS 186-5 §6) and ECDH (SP 800-56A §5.7.1.2), by AWS-LC.

use aws_lc_rs::{
    agreement::{self, ECDH_P256, ECDH_P384, ECDH_P521, PrivateKey, UnparsedPublicKey},
    digest::{self, Digest, SHA256, SHA384, SHA512},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
        EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair,
    },
};
use chancery_ipc::{KeyAlgorithm, Mechanism};
use p521::ecdsa::{Signature, SigningKey, signature::hazmat::RandomizedPrehashSigner};

use super::{Output, Random, bad_input, bad_key, bad_length, failed, hedge::Hedge, public_key, scalar::Curve};
use crate::{fault::Failure, memory::SecretBytes};

/// See the module.
pub(super) struct Nist {
    suite: &'static Suite,
    signing: EcdsaKeyPair,
    /// What agreements, and the longest digests on P-521, are made with: both rare.
    scalar: SecretBytes,
}

/// A curve and what AWS-LC calls it.
struct Suite {
    curve: Curve,
    signing: &'static EcdsaSigningAlgorithm,
    agreement: &'static agreement::Algorithm,
    /// The hash whose digests AWS-LC signs on this curve, and its length.
    digest: &'static digest::Algorithm,
    digest_length: usize,
}

static P256: Suite = Suite {
    curve: Curve::P256,
    signing: &ECDSA_P256_SHA256_FIXED_SIGNING,
    agreement: &ECDH_P256,
    digest: &SHA256,
    digest_length: 32,
};
static P384: Suite = Suite {
    curve: Curve::P384,
    signing: &ECDSA_P384_SHA384_FIXED_SIGNING,
    agreement: &ECDH_P384,
    digest: &SHA384,
    digest_length: 48,
};
static P521: Suite = Suite {
    curve: Curve::P521,
    signing: &ECDSA_P521_SHA512_FIXED_SIGNING,
    agreement: &ECDH_P521,
    digest: &SHA512,
    digest_length: 64,
};

impl Nist {
    pub(super) fn open(algorithm: KeyAlgorithm, scalar: &[u8]) -> Result<Self, Failure> {
        let suite = match algorithm {
            KeyAlgorithm::EcP256 => &P256,
            KeyAlgorithm::EcP384 => &P384,
            _ => &P521,
        };
        let rejected = |_| bad_key(algorithm, "AWS-LC refused the scalar");
        let public = PrivateKey::from_private_key(suite.agreement, scalar)
            .map_err(rejected)?
            .compute_public_key()
            .map_err(|_| failed("computing a public key"))?;
        let signing = EcdsaKeyPair::from_private_key_and_public_key(suite.signing, scalar, public.as_ref());
        Ok(Self { suite, signing: signing.map_err(rejected)?, scalar: SecretBytes::copy_of(scalar)? })
    }

    pub(super) fn public_key(&self) -> Vec<u8> {
        public_key::encode(self.suite.curve.algorithm(), self.signing.public_key().as_ref())
    }

    /// Signs a digest of any length: the integer of its leftmost bits, as many as the order has (FIPS 186-5 §6.4.1).
    pub(super) fn sign(&self, digest: &[u8], random: &mut dyn Random) -> Result<Output, Failure> {
        if !(1..=66).contains(&digest.len()) {
            return Err(bad_length(Mechanism::Ecdsa, digest.len()));
        }
        let length = self.suite.digest_length;
        if self.suite.curve == Curve::P521 && digest.len() > length {
            return self.sign_long(digest, random);
        }
        // AWS-LC takes digests of one length: what is longer is cut, and zeros before a shorter one change no integer.
        let digest = &digest[..digest.len().min(length)];
        let mut padded = [0; 64];
        padded[length - digest.len()..length].copy_from_slice(digest);
        let signature = Digest::import_less_safe(&padded[..length], self.suite.digest)
            .and_then(|digest| self.signing.sign_digest(&digest))
            .map_err(|_| failed("signing with ECDSA"))?;
        Ok(Output::new(signature.as_ref().to_vec()))
    }

    /// Digests of 65 and 66 bytes on P-521, which no hash gives and AWS-LC does not take. 66 bytes are cut by seven bits.
    fn sign_long(&self, digest: &[u8], random: &mut dyn Random) -> Result<Output, Failure> {
        let mut integer = [0; 66];
        integer[66 - digest.len()..].copy_from_slice(digest);
        if digest.len() == 66 {
            for index in (0..66).rev() {
                let carried = if index == 0 { 0 } else { integer[index - 1] << 1 };
                integer[index] = carried | integer[index] >> 7;
            }
        }
        let mut hedge = Hedge::draw(random)?;
        let signature: Signature = SigningKey::from_slice(&self.scalar)
            .and_then(|key| key.sign_prehash_with_rng(&mut hedge, &integer))
            .map_err(|_| failed("signing with ECDSA"))?;
        Ok(Output::new(signature.to_bytes().to_vec()))
    }

    /// The x-coordinate of the shared point.
    pub(super) fn agree(&self, peer: &[u8]) -> Result<Output, Failure> {
        let peer = public_key::decode_peer(self.suite.curve.algorithm(), peer)?;
        let own = PrivateKey::from_private_key(self.suite.agreement, &self.scalar)
            .map_err(|_| failed("opening a key for agreement"))?;
        let off_curve = bad_input("the other side's public key is no point of the curve");
        agreement::agree(&own, UnparsedPublicKey::new(self.suite.agreement, peer), off_curve, |shared| {
            Ok(Output::new(shared.to_vec()))
        })
    }
}

//! The keys of one backup: all from its secret and its header.
//!
//! **Invariants**
//! * Extraction takes the secret as keying material and SHA-256 of the header's body as salt; each use expands with an
//!   `info` of its own (HKDF, RFC 5869).
//! * An entry's key encrypts that entry only.

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::fields;
use crate::shares::Secret;

/// The length of a nonce, which stands before the ciphertext.
const NONCE_LENGTH: usize = 12;

/// What encryption adds: nonce and tag.
pub(super) const OVERHEAD: usize = NONCE_LENGTH + 16;

/// The pseudorandom key of one backup, and the hash of its header.
pub(super) struct Keys {
    extracted: Zeroizing<[u8; 32]>,
    header_sha256: [u8; 32],
}

/// Where an entry stands and what it is, which its key and its associated data bind.
pub(super) struct Place<'a> {
    pub(super) index: u64,
    pub(super) version: &'a str,
    pub(super) algorithm: &'a str,
    pub(super) purpose: &'a str,
    pub(super) origin: &'a str,
    pub(super) public_key_sha256: &'a [u8],
}

impl Keys {
    pub(super) fn derive(secret: &Secret, header_body: &[u8]) -> Self {
        let header_sha256: [u8; 32] = Sha256::digest(header_body).into();
        let mut extracted = Zeroizing::new([0; 32]);
        let (prk, _) = Hkdf::<Sha256>::extract(Some(&header_sha256), &secret.to_bytes()[..]);
        extracted.copy_from_slice(&Zeroizing::new(<[u8; 32]>::from(prk))[..]);
        Self { extracted, header_sha256 }
    }

    /// The seal over the header itself.
    pub(super) fn header_seal(&self) -> [u8; 32] {
        self.mac(&[b"chancery backup v1 header"], &self.header_sha256).finalize().into_bytes().into()
    }

    pub(super) fn header_seal_holds(&self, seal: &[u8]) -> bool {
        self.mac(&[b"chancery backup v1 header"], &self.header_sha256).verify_slice(seal).is_ok()
    }

    /// The seal over everything in the backup.
    pub(super) fn seal(&self, sealed: &Sealed) -> [u8; 32] {
        self.mac(&[b"chancery backup v1 trailer"], &self.sealed_bytes(sealed)).finalize().into_bytes().into()
    }

    pub(super) fn seal_holds(&self, sealed: &Sealed, seal: &[u8]) -> bool {
        self.mac(&[b"chancery backup v1 trailer"], &self.sealed_bytes(sealed)).verify_slice(seal).is_ok()
    }

    fn sealed_bytes(&self, sealed: &Sealed) -> Vec<u8> {
        let Sealed { entries, entries_sha256, states_sha256 } = sealed;
        fields::encode(&[&self.header_sha256, &entries.to_be_bytes(), entries_sha256, states_sha256])
    }

    fn mac(&self, info: &[&[u8]], message: &[u8]) -> Hmac<Sha256> {
        let key = self.expand(info);
        let mut mac =
            <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(&key[..]).expect("HMAC takes a key of any length");
        mac.update(message);
        mac
    }

    /// Nonce, ciphertext, tag. `None` if the system has no randomness.
    pub(super) fn encrypt(&self, place: &Place<'_>, secret: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_LENGTH];
        getrandom::fill(&mut nonce).ok()?;
        let payload = Payload { msg: secret, aad: &place.associated_data() };
        let ciphertext = self.cipher(place).encrypt(&Nonce::from(nonce), payload).ok()?;
        Some([&nonce[..], &ciphertext].concat())
    }

    pub(super) fn decrypt(&self, place: &Place<'_>, ciphertext: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, ciphertext) = ciphertext.split_first_chunk::<NONCE_LENGTH>()?;
        let payload = Payload { msg: ciphertext, aad: &place.associated_data() };
        self.cipher(place).decrypt(&Nonce::from(*nonce), payload).ok().map(Zeroizing::new)
    }

    fn cipher(&self, place: &Place<'_>) -> Aes256Gcm {
        let info: [&[u8]; 3] = [b"chancery backup v1 entry", &place.index.to_be_bytes(), place.version.as_bytes()];
        Aes256Gcm::new(&(*self.expand(&info)).into())
    }

    fn expand(&self, info: &[&[u8]]) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::from_prk(&self.extracted[..])
            .expect("a pseudorandom key has the hash's length")
            .expand(&fields::encode(info), &mut key[..])
            .expect("one block can always be expanded");
        key
    }
}

/// What a trailer seals, beside the header.
pub(super) struct Sealed {
    pub(super) entries: u64,
    pub(super) entries_sha256: [u8; 32],
    pub(super) states_sha256: [u8; 32],
}

impl Place<'_> {
    fn associated_data(&self) -> Vec<u8> {
        fields::encode(&[
            b"chancery backup v1 entry",
            self.version.as_bytes(),
            self.algorithm.as_bytes(),
            self.purpose.as_bytes(),
            self.origin.as_bytes(),
            self.public_key_sha256,
        ])
    }
}

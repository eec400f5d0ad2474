//! Wrapped keys: enclave keys at rest, as docs/wrapped-keys.md specifies them.
//!
//! A fresh data key of 32 random bytes is encrypted by the organization's key-encryption key in the token; AES-256-GCM
//! under a key derived from it encrypts the private key, with the key's whole identity as associated data.
//!
//! **Invariants**: a blob opens only as the key that it was wrapped as: any other deployment, version, algorithm,
//! purpose, origin or public key, and any changed byte, is [`FaultReason::Tampered`]. A blob has one encoding.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    error::Unspecified,
    hkdf::{HKDF_SHA256, KeyType, Salt},
};
use chancery_ipc::{FaultReason, KeyAlgorithm, KeyOrigin, KeyPurpose, KeyRef};
use cryptoki::session::Session;
use prost::Message;
use zeroize::Zeroizing;

use crate::{
    aes::{self, BLOCK, Mode, NONCE, TAG},
    fault::Failure,
    kek::{KekMechanism, KekName, Keks},
    memory::{SecretBytes, on_clean_stack},
    objects,
    software::Random,
};

/// Names the format in the associated data and in the key derivation.
const FORMAT_NAME: &str = "chancery wrapped key v1";
/// Names it in the blob.
const FORMAT: u32 = 1;
/// Bytes of a data key.
const DATA_KEY: usize = 32;
/// The longest blob: an RSA key of 4096 bits takes 2.5 KB.
const MAX_BLOB: usize = 16 << 10;

/// What stands at rest.
#[derive(Clone, PartialEq, Message)]
struct Blob {
    /// 1.
    #[prost(uint32, tag = "1")]
    format: u32,
    /// Of the organization's key-encryption key.
    #[prost(uint64, tag = "2")]
    kek_generation: u64,
    /// How that encrypts.
    #[prost(enumeration = "KekMechanism", tag = "3")]
    kek_mechanism: i32,
    /// GCM: the nonce. CBC: the initialization vector.
    #[prost(bytes = "vec", tag = "4")]
    nonce: Vec<u8>,
    /// The data key, encrypted.
    #[prost(bytes = "vec", tag = "5")]
    data_key: Vec<u8>,
    /// The private key, encrypted, and the tag.
    #[prost(bytes = "vec", tag = "6")]
    ciphertext: Vec<u8>,
}

/// What a wrapped key is bound to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) deployment: &'a str,
    /// Full resource name of the key version.
    pub(crate) version: &'a str,
    pub(crate) algorithm: KeyAlgorithm,
    pub(crate) purpose: KeyPurpose,
    pub(crate) origin: KeyOrigin,
    /// Of the SubjectPublicKeyInfo; of a secret key, of no bytes.
    pub(crate) public_key_sha256: &'a [u8],
}

impl<'a> Context<'a> {
    /// Of a key as it was registered.
    pub(crate) fn of(deployment: &'a str, key: &'a KeyRef) -> Self {
        Self {
            deployment,
            version: &key.version,
            algorithm: key.algorithm(),
            purpose: key.purpose(),
            origin: key.origin(),
            public_key_sha256: &key.public_key_sha256,
        }
    }

    /// The associated data: each field behind its length, four bytes little endian.
    fn encode(&self) -> Vec<u8> {
        let number = |number: i32| number.to_le_bytes();
        let fields: [&[u8]; 7] = [
            FORMAT_NAME.as_bytes(),
            self.deployment.as_bytes(),
            self.version.as_bytes(),
            &number(self.algorithm.into()),
            &number(self.purpose.into()),
            self.public_key_sha256,
            &number(self.origin.into()),
        ];
        let mut encoded = Vec::with_capacity(256);
        for field in fields {
            // No field comes near 4 GiB: names are bounded and a frame holds 4 MiB.
            encoded.extend(u32::try_from(field.len()).unwrap_or(u32::MAX).to_le_bytes());
            encoded.extend(field);
        }
        encoded
    }

    fn kek(&self, generation: u64) -> Result<KekName, Failure> {
        Ok(KekName { organization: objects::organization_of(self.version)?.to_owned(), generation })
    }
}

/// Wraps a secret encoding under a generation of its organization's key-encryption key, with a fresh data key.
///
/// # Errors
/// `KekNotFound`; `Unsupported` on a token that has no mechanism for it.
pub(crate) fn wrap(
    keks: &Keks,
    session: &Session,
    random: &mut dyn Random,
    generation: u64,
    context: &Context<'_>,
    secret: &[u8],
) -> Result<Vec<u8>, Failure> {
    let mechanism = keks.mechanism()?;
    let associated_data = context.encode();
    let mut data_key = Zeroizing::new([0; DATA_KEY]);
    random.fill(&mut *data_key)?;
    let mut nonce = [0; BLOCK];
    random.fill(&mut nonce)?;
    let nonce = match mechanism {
        KekMechanism::AesCbc => &nonce[..],
        _ => &nonce[..NONCE],
    };
    let mode = mode(mechanism, nonce, &associated_data).ok_or_else(|| tampered(context, "its mechanism is unknown"))?;
    let encrypted = keks.with(session, &context.kek(generation)?, |kek| aes::seal(session, kek, mode, &*data_key))?;
    let blob = Blob {
        format: FORMAT,
        kek_generation: generation,
        kek_mechanism: mechanism.into(),
        nonce: nonce.to_vec(),
        data_key: encrypted,
        ciphertext: seal(&data_key, &associated_data, secret).map_err(|_| defect())?,
    };
    Ok(blob.encode_to_vec())
}

/// Opens a wrapped key: its secret encoding.
///
/// # Errors
/// `Tampered` when it is not what was wrapped as this key; `KekNotFound`.
pub(crate) fn unwrap(
    keks: &Keks,
    session: &Session,
    random: &mut dyn Random,
    context: &Context<'_>,
    wrapped: &[u8],
) -> Result<SecretBytes, Failure> {
    let blob = parse(wrapped).map_err(|why| tampered(context, why))?;
    let associated_data = context.encode();
    let mode = mode(blob.kek_mechanism(), &blob.nonce, &associated_data)
        .filter(|mode| blob.data_key.len() == encrypted_length(mode))
        .ok_or_else(|| tampered(context, "its encrypted data key has a wrong length"))?;
    let kek = context.kek(blob.kek_generation)?;
    let data_key = keks.with(session, &kek, |kek| aes::open(session, kek, mode, &blob.data_key, random))?;
    let data_key = data_key
        .and_then(|bytes| Some(Zeroizing::new(<[u8; DATA_KEY]>::try_from(&bytes[..]).ok()?)))
        .ok_or_else(|| tampered(context, "its data key does not open"))?;
    let mut secret = SecretBytes::copy_of(&blob.ciphertext)?;
    let length =
        open(&data_key, &associated_data, &mut secret).map_err(|_| tampered(context, "its tag does not fit"))?;
    secret.truncate(length);
    Ok(secret)
}

/// The generation of the key-encryption key that a wrapped key names.
pub(crate) fn kek_generation(context: &Context<'_>, wrapped: &[u8]) -> Result<u64, Failure> {
    parse(wrapped).map(|blob| blob.kek_generation).map_err(|why| tampered(context, why))
}

/// A blob in its one encoding, of this format.
fn parse(wrapped: &[u8]) -> Result<Blob, &'static str> {
    if wrapped.len() > MAX_BLOB {
        return Err("it is too long");
    }
    let blob = Blob::decode(wrapped).map_err(|_| "it is no wrapped key")?;
    if blob.format != FORMAT {
        return Err("it has a format that this version does not know");
    }
    // Protobuf skips fields that it does not know and takes numbers in many encodings; we take one.
    if blob.encode_to_vec() != wrapped {
        return Err("it is not encoded as wrapped keys are");
    }
    if blob.ciphertext.len() <= TAG {
        return Err("it holds no key");
    }
    Ok(blob)
}

fn mode<'a>(mechanism: KekMechanism, nonce: &[u8], associated_data: &'a [u8]) -> Option<Mode<'a>> {
    match mechanism {
        KekMechanism::AesGcm => Some(Mode::Gcm { nonce: nonce.try_into().ok()?, associated_data }),
        KekMechanism::AesCbc => Some(Mode::Cbc { iv: nonce.try_into().ok()? }),
        KekMechanism::Unspecified => None,
    }
}

/// Bytes of an encrypted data key.
fn encrypted_length(mode: &Mode<'_>) -> usize {
    match mode {
        Mode::Gcm { .. } => DATA_KEY + TAG,
        Mode::Cbc { .. } => DATA_KEY,
    }
}

/// AES-256-GCM under a key that serves once; so the nonce is zero.
fn cipher(data_key: &[u8; DATA_KEY]) -> Result<LessSafeKey, Unspecified> {
    struct Length;
    impl KeyType for Length {
        fn len(&self) -> usize {
            32
        }
    }
    let mut key = Zeroizing::new([0; 32]);
    Salt::new(HKDF_SHA256, &[]).extract(data_key).expand(&[FORMAT_NAME.as_bytes()], Length)?.fill(&mut *key)?;
    UnboundKey::new(&AES_256_GCM, &*key).map(LessSafeKey::new)
}

fn seal(data_key: &[u8; DATA_KEY], associated_data: &[u8], secret: &[u8]) -> Result<Vec<u8>, Unspecified> {
    // Sized for the tag at once: growing would leave a copy behind.
    let mut sealed = Zeroizing::new(Vec::with_capacity(secret.len() + TAG));
    sealed.extend_from_slice(secret);
    let nonce = Nonce::assume_unique_for_key([0; NONCE]);
    on_clean_stack(|| cipher(data_key)?.seal_in_place_append_tag(nonce, Aad::from(associated_data), &mut *sealed))?;
    Ok(std::mem::take(&mut *sealed))
}

/// Decrypts in place; gives the plaintext's length, at the start of `sealed`.
fn open(data_key: &[u8; DATA_KEY], associated_data: &[u8], sealed: &mut [u8]) -> Result<usize, Unspecified> {
    let nonce = Nonce::assume_unique_for_key([0; NONCE]);
    on_clean_stack(|| Ok(cipher(data_key)?.open_in_place(nonce, Aad::from(associated_data), sealed)?.len()))
}

fn tampered(context: &Context<'_>, why: &str) -> Failure {
    let message = format!(
        "the wrapped key of {} fails its check: {why}; it was changed, or is another key's or another deployment's: \
         restore it from a backup",
        context.version
    );
    Failure::new(FaultReason::Tampered, message)
}

fn defect() -> Failure {
    Failure::new(FaultReason::TokenFault, "AES-GCM failed while a key was wrapped")
}

#[cfg(test)]
mod tests;

//! Sealing to a public key: HPKE (RFC 9180), base mode, DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.
//!
//! **Invariants**
//! * `info` holds the whole [`Context`], so what was sealed for one does not open under another.
//! * A key pair seals any number of messages, each with an encapsulated key of its own.
//!
//! **Not here**: who the sender is (base mode authenticates nobody: the service's mTLS and policy do); how long a
//! transport key lives (the enclave).

use std::fmt;

use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::DhP256HkdfSha256 as Kem;
use hpke::{Deserializable as _, Kem as _, OpModeR, OpModeS, Serializable as _};
use p256::elliptic_curve::sec1::ToSec1Point as _;
use p256::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _};
use thiserror::Error;
use zeroize::{Zeroize as _, Zeroizing};

use crate::fields;

/// The length of a public key, and of the encapsulated key at the beginning of what is sealed: an uncompressed point.
pub const PUBLIC_KEY_LENGTH: usize = 65;

/// What sealing adds to the plaintext: encapsulated key and tag.
pub const OVERHEAD: usize = PUBLIC_KEY_LENGTH + 16;

/// The longest plaintext, in bytes: no encoding of a private key comes near it.
pub const MAX_PLAINTEXT: usize = 32 << 10;

/// The first field of every `info`.
const FORMAT: &[u8] = b"chancery transfer v1";

/// The longest field of a context, in bytes.
const MAX_FIELD: usize = 1024;

/// What something is sealed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context<'a> {
    /// A key on its way into a deployment: PKCS#8 DER of a private key, the bytes of a secret key.
    Import {
        /// The deployment's id.
        deployment: &'a str,
        /// Full resource name of the key version that it becomes.
        version: &'a str,
        /// Its algorithm, by its command-line name, e.g. `ec-p256`.
        algorithm: &'a str,
        /// Its purpose, e.g. `sign`.
        purpose: &'a str,
        /// Id of the transport key.
        transport_key: &'a [u8],
    },
    /// A custodian's share, as the backup's header holds it.
    Custody {
        /// The deployment that made the backup.
        deployment: &'a str,
        /// Full resource name of the backup.
        backup: &'a str,
        /// Full resource name of the custodian.
        custodian: &'a str,
    },
    /// A custodian's share on its way into the deployment that restores the backup.
    Restore {
        /// That deployment's id.
        deployment: &'a str,
        /// Full resource name of the backup.
        backup: &'a str,
        /// Id of the transport key.
        transport_key: &'a [u8],
    },
}

/// Why sealing or opening failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EnvelopeError {
    /// The public key is no P-256 key.
    #[error("the public key is no point of P-256")]
    PublicKey,
    /// The private key is no P-256 key.
    #[error("the private key is no P-256 key in PKCS#8 or SEC 1 form")]
    PrivateKey,
    /// A field of the context is longer than the format allows.
    #[error("a name in the context is longer than {MAX_FIELD} bytes")]
    Context,
    /// The plaintext is too long.
    #[error("the plaintext is longer than {MAX_PLAINTEXT} bytes")]
    TooLong,
    /// It was sealed to another key or for something else, or it was changed.
    #[error("it does not open: it was sealed to another key or for something else, or it was changed")]
    Opening,
}

impl Context<'_> {
    /// HPKE's `info`: format, use and everything that the use is about, length-prefixed.
    fn info(&self) -> Result<Vec<u8>, EnvelopeError> {
        let mut list: Vec<&[u8]> = vec![FORMAT];
        match self {
            Self::Import { deployment, version, algorithm, purpose, transport_key } => {
                list.push(b"import");
                list.extend([deployment, version, algorithm, purpose].map(|text| text.as_bytes()));
                list.push(transport_key);
            }
            Self::Custody { deployment, backup, custodian } => {
                list.push(b"custody");
                list.extend([deployment, backup, custodian].map(|text| text.as_bytes()));
            }
            Self::Restore { deployment, backup, transport_key } => {
                list.push(b"restore");
                list.extend([deployment, backup].map(|text| text.as_bytes()));
                list.push(transport_key);
            }
        }
        if list.iter().any(|field| field.len() > MAX_FIELD) {
            return Err(EnvelopeError::Context);
        }
        Ok(fields::encode(&list))
    }
}

/// Whom something is sealed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(<Kem as hpke::Kem>::PublicKey);

impl PublicKey {
    /// An uncompressed point (SEC 1 §2.3.3).
    pub fn from_bytes(point: &[u8]) -> Result<Self, EnvelopeError> {
        if point.first() != Some(&4) {
            return Err(EnvelopeError::PublicKey);
        }
        <Kem as hpke::Kem>::PublicKey::from_bytes(point).map(Self).map_err(|_| EnvelopeError::PublicKey)
    }

    /// A P-256 key's SubjectPublicKeyInfo, DER.
    pub fn from_spki(der: &[u8]) -> Result<Self, EnvelopeError> {
        let key = p256::PublicKey::from_public_key_der(der).map_err(|_| EnvelopeError::PublicKey)?;
        Self::from_bytes(key.to_sec1_point(false).as_bytes())
    }

    /// The uncompressed point.
    pub fn to_bytes(&self) -> [u8; PUBLIC_KEY_LENGTH] {
        self.0.to_bytes().into()
    }
}

/// Who opens it. Wiped when dropped.
pub struct PrivateKey(<Kem as hpke::Kem>::PrivateKey);

impl PrivateKey {
    /// A fresh key from the system's randomness.
    ///
    /// # Panics
    /// If the system has no randomness.
    pub fn generate() -> Self {
        Self(Kem::gen_keypair().0)
    }

    /// The key's 32 bytes, as [`PrivateKey::to_bytes`] gave them.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        <Kem as hpke::Kem>::PrivateKey::from_bytes(bytes).map(Self).map_err(|_| EnvelopeError::PrivateKey)
    }

    /// A P-256 private key in DER: PKCS#8 (RFC 5208) or SEC 1 (RFC 5915), not encrypted.
    pub fn from_der(der: &[u8]) -> Result<Self, EnvelopeError> {
        let key = p256::SecretKey::from_pkcs8_der(der).or_else(|_| p256::SecretKey::from_sec1_der(der));
        Self::from_scalar(key.map_err(|_| EnvelopeError::PrivateKey)?)
    }

    /// The same in PEM, "PRIVATE KEY" or "EC PRIVATE KEY".
    pub fn from_pem(pem: &str) -> Result<Self, EnvelopeError> {
        let key = p256::SecretKey::from_pkcs8_pem(pem).or_else(|_| p256::SecretKey::from_sec1_pem(pem));
        Self::from_scalar(key.map_err(|_| EnvelopeError::PrivateKey)?)
    }

    fn from_scalar(key: p256::SecretKey) -> Result<Self, EnvelopeError> {
        let mut scalar = key.to_bytes();
        let converted = Self::from_bytes(&scalar);
        scalar.zeroize();
        converted
    }

    /// The scalar, big endian, for memory that keeps secrets better than this type does.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes().into())
    }

    /// Its public key.
    pub fn public_key(&self) -> PublicKey {
        PublicKey(Kem::sk_to_pk(&self.0))
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(…)")
    }
}

/// Seals `plaintext` to `recipient` for `context`: encapsulated key, ciphertext, tag.
///
/// # Panics
/// If the system has no randomness.
pub fn seal(recipient: &PublicKey, context: &Context<'_>, plaintext: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
    if plaintext.len() > MAX_PLAINTEXT {
        return Err(EnvelopeError::TooLong);
    }
    let info = context.info()?;
    let (encapsulated, ciphertext) =
        hpke::single_shot_seal::<AesGcm256, HkdfSha256, Kem>(&OpModeS::Base, &recipient.0, &info, plaintext, b"")
            .map_err(|_| EnvelopeError::PublicKey)?;
    Ok([encapsulated.to_bytes().as_slice(), &ciphertext].concat())
}

/// Opens what [`seal`] gave for the same context.
pub fn open(key: &PrivateKey, context: &Context<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
    if sealed.len() > MAX_PLAINTEXT + OVERHEAD {
        return Err(EnvelopeError::TooLong);
    }
    let info = context.info()?;
    let (encapsulated, ciphertext) = sealed.split_at_checked(PUBLIC_KEY_LENGTH).ok_or(EnvelopeError::Opening)?;
    let encapsulated = <Kem as hpke::Kem>::EncappedKey::from_bytes(encapsulated).map_err(|_| EnvelopeError::Opening)?;
    hpke::single_shot_open::<AesGcm256, HkdfSha256, Kem>(&OpModeR::Base, &key.0, &encapsulated, &info, ciphertext, b"")
        .map(Zeroizing::new)
        .map_err(|_| EnvelopeError::Opening)
}

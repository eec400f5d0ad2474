//! How a request says that it be encrypted or decrypted, checked against the key once.
//!
//! **Invariant**: what does not fit the key's algorithm is refused by the field's name; nothing that a request says is
//! ignored.

use super::work::{Fitted, MOST_BYTES, at_most, private};
use crate::{
    crypto::{self, EncryptionError, PublicKey},
    enclave::Use,
    error::Error,
    model::{Algorithm, CipherMode, Mechanism, Mode, OaepHash},
};
use chancery_ipc::Mechanism as Verb;
use zeroize::Zeroizing;

/// What a request says beside its bytes. Nothing: GCM with a nonce made here, RSAES-OAEP with SHA-256, SM2.
#[derive(Default)]
pub struct Cipher {
    /// AES, SM4.
    pub mode: Option<CipherMode>,
    /// AES, SM4: the nonce or initialization vector; empty: none is given.
    pub iv: Vec<u8>,
    /// RSA.
    pub oaep_hash: Option<OaepHash>,
}

/// The same, fit for a secret key.
enum Fit {
    /// Without a nonce one is made, or stands before the ciphertext.
    Gcm(Option<Vec<u8>>),
    Cbc(Vec<u8>),
    CbcPad(Vec<u8>),
}

/// What GCM adds: nonce and tag.
const GCM_OVERHEAD: usize = NONCE + 16;
/// Bytes of GCM's nonce.
const NONCE: usize = 12;
/// Bytes of a block, and of CBC's initialization vector.
const BLOCK: usize = 16;
/// The most bytes of associated data.
const MOST_ASSOCIATED: usize = 64 << 10;

impl Cipher {
    /// What policies are told when it is to encrypt. They are asked before anyone looks at the key.
    pub(super) fn mode_to_encrypt(&self) -> Mode {
        match self.mode_to_decrypt() {
            Mode::Default if !self.iv.is_empty() => Mode::GcmGivenNonce,
            mode => mode,
        }
    }

    /// What policies are told when it is to decrypt, for which a nonce is always given.
    pub(super) fn mode_to_decrypt(&self) -> Mode {
        match (self.mode, self.oaep_hash) {
            (Some(CipherMode::Cbc), _) => Mode::Cbc,
            (Some(CipherMode::CbcPad), _) => Mode::CbcPad,
            (_, Some(OaepHash::Sha1)) => Mode::OaepSha1,
            (_, Some(OaepHash::Sha384)) => Mode::OaepSha384,
            (_, Some(OaepHash::Sha512)) => Mode::OaepSha512,
            (Some(CipherMode::Gcm) | None, Some(OaepHash::Sha256) | None) => Mode::Default,
        }
    }

    pub(super) fn encrypt(
        self,
        algorithm: Algorithm,
        public_key: Option<&PublicKey>,
        plaintext: Zeroizing<Vec<u8>>,
        associated_data: Vec<u8>,
    ) -> Result<Fitted, Error> {
        at_most("plaintext", &plaintext, MOST_BYTES)?;
        at_most("associated_data", &associated_data, MOST_ASSOCIATED)?;
        if !algorithm.is_secret() {
            let public_key = public_key.ok_or_else(|| Error::internal("a key pair without its public key"))?;
            return self.encrypt_to(public_key, &plaintext, &associated_data);
        }
        match self.fit(algorithm, &associated_data)? {
            Fit::Gcm(None) => Ok(private(Mechanism::Gcm, Verb::GcmEncrypt, plaintext, associated_data)),
            Fit::Gcm(Some(iv)) => {
                let (mechanism, verb) = (Mechanism::GcmGivenNonce, Verb::GcmEncryptGivenNonce);
                Ok(Fitted::Private(Use { mechanism, verb, input: plaintext, associated_data, iv }))
            }
            Fit::Cbc(iv) => {
                whole_blocks("plaintext", &plaintext)?;
                Ok(with_vector(Mechanism::Cbc, Verb::CbcEncrypt, plaintext, iv))
            }
            Fit::CbcPad(iv) => Ok(with_vector(Mechanism::CbcPad, Verb::CbcPadEncrypt, plaintext, iv)),
        }
    }

    fn encrypt_to(self, key: &PublicKey, plaintext: &[u8], label: &[u8]) -> Result<Fitted, Error> {
        let ciphertext = match self.of_pair(key.algorithm())? {
            Some(hash) => crypto::encrypt_oaep(key, hash, plaintext, label),
            None => crypto::encrypt_to(key, plaintext, label),
        };
        ciphertext.map(Fitted::Public).map_err(|error| match error {
            EncryptionError::NeedsNoLabel => Error::invalid("associated_data", error),
            EncryptionError::Failed => Error::internal(error),
            _ => Error::invalid("plaintext", error),
        })
    }

    pub(super) fn decrypt(
        self,
        algorithm: Algorithm,
        ciphertext: Vec<u8>,
        associated_data: Vec<u8>,
    ) -> Result<Fitted, Error> {
        at_most("ciphertext", &ciphertext, MOST_BYTES + GCM_OVERHEAD)?;
        at_most("associated_data", &associated_data, MOST_ASSOCIATED)?;
        if !algorithm.is_secret() {
            return self.decrypt_from(algorithm, ciphertext, associated_data);
        }
        match self.fit(algorithm, &associated_data)? {
            Fit::Gcm(nonce) => {
                let sealed = nonce.map(|nonce| [&nonce[..], &ciphertext].concat()).unwrap_or(ciphertext);
                Ok(private(Mechanism::Gcm, Verb::GcmDecrypt, sealed.into(), associated_data))
            }
            Fit::Cbc(iv) => {
                whole_blocks("ciphertext", &ciphertext)?;
                Ok(with_vector(Mechanism::Cbc, Verb::CbcDecrypt, ciphertext.into(), iv))
            }
            Fit::CbcPad(iv) => {
                whole_blocks("ciphertext", &ciphertext)?;
                Ok(with_vector(Mechanism::CbcPad, Verb::CbcPadDecrypt, ciphertext.into(), iv))
            }
        }
    }

    fn decrypt_from(self, algorithm: Algorithm, ciphertext: Vec<u8>, label: Vec<u8>) -> Result<Fitted, Error> {
        let Some(hash) = self.of_pair(algorithm)? else {
            if !label.is_empty() {
                return Err(Error::invalid("associated_data", "SM2 takes none"));
            }
            let plain =
                crypto::sm2_ciphertext_from(&ciphertext).map_err(|error| Error::invalid("ciphertext", error))?;
            return Ok(private(Mechanism::Sm2Encryption, Verb::Sm2Decrypt, plain.into(), Vec::new()));
        };
        let verb = match hash {
            OaepHash::Sha1 => Verb::RsaOaepSha1Decrypt,
            OaepHash::Sha256 => Verb::RsaOaepSha256Decrypt,
            OaepHash::Sha384 => Verb::RsaOaepSha384Decrypt,
            OaepHash::Sha512 => Verb::RsaOaepSha512Decrypt,
        };
        Ok(private(hash.mechanism(), verb, ciphertext.into(), label))
    }

    /// For a secret key.
    fn fit(self, algorithm: Algorithm, associated_data: &[u8]) -> Result<Fit, Error> {
        if self.oaep_hash.is_some() {
            return Err(Error::invalid("oaep_hash", format!("is for RSA keys; this is an {algorithm} key")));
        }
        let mode = self.mode.unwrap_or(CipherMode::Gcm);
        let iv = self.iv;
        if mode == CipherMode::Gcm {
            return match iv.len() {
                0 => Ok(Fit::Gcm(None)),
                NONCE => Ok(Fit::Gcm(Some(iv))),
                given => Err(Error::invalid("iv", format!("{given} bytes; GCM takes {NONCE}, or none"))),
            };
        }
        if iv.len() != BLOCK {
            return Err(Error::invalid("iv", format!("{} bytes; {mode} needs {BLOCK}", iv.len())));
        }
        if !associated_data.is_empty() {
            let message = format!("{mode} authenticates nothing, and so takes none; use GCM");
            return Err(Error::invalid("associated_data", message));
        }
        Ok(if mode == CipherMode::Cbc { Fit::Cbc(iv) } else { Fit::CbcPad(iv) })
    }

    /// For a key pair: the hash, where it is RSA's.
    fn of_pair(self, algorithm: Algorithm) -> Result<Option<OaepHash>, Error> {
        if let Some(mode) = self.mode {
            return Err(Error::invalid("mode", format!("{mode} is for AES and SM4 keys; this is an {algorithm} key")));
        }
        if !self.iv.is_empty() {
            return Err(Error::invalid("iv", format!("is for AES and SM4 keys; this is an {algorithm} key")));
        }
        if algorithm.is_rsa() {
            return Ok(Some(self.oaep_hash.unwrap_or(OaepHash::Sha256)));
        }
        match self.oaep_hash {
            Some(_) => Err(Error::invalid("oaep_hash", format!("is for RSA keys; this is an {algorithm} key"))),
            None => Ok(None),
        }
    }
}

fn with_vector(mechanism: Mechanism, verb: Verb, input: Zeroizing<Vec<u8>>, iv: Vec<u8>) -> Fitted {
    Fitted::Private(Use { mechanism, verb, input, associated_data: Vec::new(), iv })
}

fn whole_blocks(field: &'static str, bytes: &[u8]) -> Result<(), Error> {
    if !bytes.is_empty() && bytes.len().is_multiple_of(BLOCK) {
        return Ok(());
    }
    Err(Error::invalid(field, format!("{} bytes; it must be whole blocks of {BLOCK}, one at least", bytes.len())))
}

//! What is signed or verified: a file, its digest, or a digest that was made elsewhere.
//!
//! **Invariants**
//! * With a hash the file is hashed here, a piece at a time: only its digest travels, however long it is.
//! * What does not fit the key's algorithm is refused with the reason, before it is sent.
//!
//! **Not here**: the calls (`sign`, `verify`).

use crate::{
    failure::{CliError, Doing as _, EXIT_DENIED},
    files,
    words::HashChoice,
};
use chancery_api::{
    names::KeyOrVersionName,
    v1::{Algorithm, Digest, GetPublicKeyRequest, Hash, sign_request, verify_request},
};
use chancery_client::Client;
use std::{io::Read, path::Path};

/// The longest message that is sent whole, in bytes: Ed25519 signs messages, not digests.
const MAX_MESSAGE: u64 = 64 << 20;

/// What to send.
#[derive(Debug, PartialEq)]
pub(crate) enum SigningInput {
    Digest(Digest),
    Message(Vec<u8>),
}

impl SigningInput {
    /// Reads the file as `--hash` says; without it, as the key's algorithm asks.
    pub(crate) async fn prepare(
        client: &Client,
        key: &KeyOrVersionName,
        file: &Path,
        choice: Option<HashChoice>,
    ) -> Result<Self, CliError> {
        if let Some(HashChoice::Named(hash)) = choice {
            return hashed(file, hash);
        }
        let algorithm = match algorithm(client, key).await {
            // Whoever may not see the key hears it of the operation itself, and the log names that one.
            Err(error) if error.exit_code() == EXIT_DENIED && choice.is_none() => return hashed(file, Hash::Sha256),
            found => found?,
        };
        match (choice, default_hash(algorithm)) {
            (_, None) => Ok(Self::Message(files::read(file, MAX_MESSAGE)?)),
            (None, Some(hash)) => hashed(file, hash),
            // One byte more than the longest tells that it is no digest.
            (Some(_), Some(_)) => given(algorithm, files::read(file, 64)?),
        }
    }

    /// The bytes that a checksum covers.
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Digest(digest) => &digest.value,
            Self::Message(message) => message,
        }
    }
}

impl From<SigningInput> for sign_request::Input {
    fn from(input: SigningInput) -> Self {
        match input {
            SigningInput::Digest(digest) => Self::Digest(digest),
            SigningInput::Message(message) => Self::Message(message),
        }
    }
}

impl From<SigningInput> for verify_request::Input {
    fn from(input: SigningInput) -> Self {
        match input {
            SigningInput::Digest(digest) => Self::Digest(digest),
            SigningInput::Message(message) => Self::Message(message),
        }
    }
}

/// The algorithm of a key.
pub(crate) async fn algorithm(client: &Client, key: &KeyOrVersionName) -> Result<Algorithm, CliError> {
    let request = GetPublicKeyRequest { name: key.to_string() };
    let found = client
        .retry(|attempt| {
            let (mut signing, request) = (client.signing(), attempt.request(request.clone()));
            async move { signing.get_public_key(request).await }
        })
        .await
        .doing(format!("look up {key}"))?;
    match found.algorithm() {
        Algorithm::Unspecified => Err(CliError::Rejected(format!(
            "{key} has an algorithm that this version of chancery does not know; name the hash with --hash"
        ))),
        known => Ok(known),
    }
}

/// The hash of an algorithm where none is named; `None` for Ed25519, which signs messages.
fn default_hash(algorithm: Algorithm) -> Option<Hash> {
    match algorithm {
        Algorithm::Ed25519 => None,
        Algorithm::EcP384 => Some(Hash::Sha384),
        Algorithm::EcP521 => Some(Hash::Sha512),
        _ => Some(Hash::Sha256),
    }
}

/// A digest made elsewhere. RSA signs the hash's name with it, which its length tells (RFC 8017 §9.2); for ECDSA it is
/// raw bytes.
fn given(algorithm: Algorithm, value: Vec<u8>) -> Result<SigningInput, CliError> {
    let rsa = matches!(algorithm, Algorithm::Rsa2048 | Algorithm::Rsa3072 | Algorithm::Rsa4096);
    let hash = match (rsa, value.len()) {
        (_, 0) => return Err(CliError::Rejected("the digest is empty".into())),
        (false, _) => Hash::Unspecified,
        (true, 32) => Hash::Sha256,
        (true, 48) => Hash::Sha384,
        (true, 64) => Hash::Sha512,
        (true, other) => {
            return Err(CliError::Rejected(format!(
                "RSA needs a digest of 32 (SHA-256), 48 (SHA-384) or 64 (SHA-512) bytes, and this has {other}"
            )));
        }
    };
    Ok(SigningInput::Digest(Digest { hash: hash.into(), value }))
}

fn hashed(file: &Path, hash: Hash) -> Result<SigningInput, CliError> {
    let input = files::open(file)?;
    let value = match hash {
        Hash::Sha384 => digest::<sha2::Sha384>(input),
        Hash::Sha512 => digest::<sha2::Sha512>(input),
        Hash::Sha256 | Hash::Unspecified => digest::<sha2::Sha256>(input),
    };
    Ok(SigningInput::Digest(Digest { hash: hash.into(), value: value.map_err(CliError::read(file))? }))
}

fn digest<D: sha2::Digest>(mut input: impl Read) -> std::io::Result<Vec<u8>> {
    let mut hasher = D::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match input.read(&mut buffer)? {
            0 => return Ok(hasher.finalize().to_vec()),
            read => hasher.update(&buffer[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    // FIPS 180-4 examples: the digests of "abc"; the longer input spans many reads.
    #[test]
    fn files_are_hashed_whole() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("abc");
        fs::write(&file, "abc").unwrap();
        let digests = [Hash::Sha256, Hash::Sha384, Hash::Sha512].map(|hash| hashed(&file, hash).unwrap());
        let begins = digests.map(|digest| hex::encode(&digest.bytes()[..4]) + &format!("/{}", digest.bytes().len()));
        assert_eq!(begins, ["ba7816bf/32", "cb00753f/48", "ddaf35a1/64"]);

        // FIPS 180-2 appendix B.3: a million times "a".
        fs::write(&file, vec![b'a'; 1_000_000]).unwrap();
        let million = hashed(&file, Hash::Sha256).unwrap();
        assert_eq!(hex::encode(million.bytes()), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    }

    #[test]
    fn a_given_digest_must_fit_the_algorithm() {
        let hash = |algorithm, length| match given(algorithm, vec![7; length]) {
            Ok(SigningInput::Digest(digest)) => Ok(digest.hash()),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.exit_code()),
        };
        assert_eq!(hash(Algorithm::EcP256, 20), Ok(Hash::Unspecified));
        assert_eq!(hash(Algorithm::EcP521, 64), Ok(Hash::Unspecified));
        assert_eq!(hash(Algorithm::Rsa2048, 48), Ok(Hash::Sha384));
        assert_eq!(hash(Algorithm::Rsa2048, 20), Err(65));
        assert_eq!(hash(Algorithm::EcP256, 0), Err(65));
    }
}

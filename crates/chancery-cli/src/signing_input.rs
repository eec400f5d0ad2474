//! What is signed or verified: a file, its digest, or a digest that was made elsewhere.
//!
//! **Invariants**
//! * With a hash the file is hashed here, a piece at a time: only its digest travels, however long it is. For SM2 that is
//!   e, made for one version's public key, and that version is named.
//! * What does not fit the key's algorithm is refused with the reason, before it is sent.
//!
//! **Not here**: the calls (`sign`, `verify`).

use crate::{
    call::call,
    failure::{CliError, EXIT_DENIED},
    files, sm2_digest,
    words::{self, HashChoice, parser},
};
use chancery_api::{
    names::KeyOrVersionName,
    v1::{
        Algorithm, Digest, GetPublicKeyRequest, Hash, PublicKey, sign_request,
        signing_service_client::SigningServiceClient, verify_request,
    },
};
use chancery_client::{Client, Transport};
use sha2::Digest as _;
use std::path::Path;

/// What calls about signatures go through.
pub(crate) type Signing = SigningServiceClient<Transport>;

/// The longest message that is sent whole, in bytes: Ed25519 and ML-DSA sign messages, not digests.
const MAX_MESSAGE: u64 = 64 << 20;

/// What to send.
#[derive(Debug, PartialEq)]
pub(crate) enum SigningInput {
    Digest(Digest),
    Message(Vec<u8>),
}

/// How the input file is read.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Reading {
    /// Hash the file with this; none: the file is the digest (ECDSA, RSA, SM2) or the message (Ed25519, ML-DSA)
    /// [default: the algorithm's]
    #[arg(long, value_parser = parser(words::HASHES))]
    hash: Option<HashChoice>,
    /// SM2: the signer's id, which is hashed with the file [default: 1234567812345678]
    #[arg(long, value_name = "ID", value_parser = sm2_id)]
    sm2_id: Option<String>,
}

/// The input, and the key or key version that it is for.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) input: SigningInput,
    /// An SM2 digest holds the public key, so it is for the very version that was looked up.
    pub(crate) name: String,
}

fn sm2_id(text: &str) -> Result<String, String> {
    match text.len() {
        ..=sm2_digest::MAX_ID => Ok(text.to_owned()),
        _ => Err(format!("an id has at most {} bytes", sm2_digest::MAX_ID)),
    }
}

impl SigningInput {
    /// Reads the file as `--hash` says; without it, as the key's algorithm asks.
    pub(crate) async fn prepare(
        client: &Client,
        key: &KeyOrVersionName,
        file: &Path,
        reading: &Reading,
    ) -> Result<Prepared, CliError> {
        let named = |input| Prepared { input, name: key.to_string() };
        let hash = match reading.hash {
            Some(HashChoice::Named(hash)) => Some(hash),
            Some(HashChoice::AsGiven) | None => None,
        };
        // For SM2 the file is not all that is hashed.
        if let Some(hash) = hash.filter(|hash| *hash != Hash::Sm3 && reading.sm2_id.is_none()) {
            return hashed(file, hash).map(named);
        }
        let public = match public_key(client, key).await {
            // Whoever may not see the key hears it of the operation itself, and the log names that one.
            Err(error) if error.exit_code() == EXIT_DENIED && reading.hash != Some(HashChoice::AsGiven) => {
                return hashed(file, hash.unwrap_or(Hash::Sha256)).map(named);
            }
            found => found?,
        };
        let algorithm = public.algorithm();
        if reading.sm2_id.is_some() && (algorithm != Algorithm::Sm2 || reading.hash == Some(HashChoice::AsGiven)) {
            return Err(CliError::Usage("--sm2-id is for hashing a file for an SM2 key".into()));
        }
        let input = match (reading.hash, default_hash(algorithm)) {
            (Some(HashChoice::Named(hash)), _) if algorithm != Algorithm::Sm2 => hashed(file, hash)?,
            (_, None) => Self::Message(files::read(file, MAX_MESSAGE)?),
            // One byte more than the longest tells that it is no digest.
            (Some(HashChoice::AsGiven), Some(_)) => given(algorithm, files::read(file, 64)?)?,
            (_, Some(Hash::Sm3)) => {
                let id = reading.sm2_id.as_deref().map_or(sm2_digest::DEFAULT_ID, str::as_bytes);
                return Ok(Prepared { input: hashed_for_sm2(file, id, &public.raw)?, name: public.name });
            }
            (_, Some(hash)) => hashed(file, hash)?,
        };
        Ok(named(input))
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
    Ok(public_key(client, key).await?.algorithm())
}

/// A key's public key and algorithm.
async fn public_key(client: &Client, key: &KeyOrVersionName) -> Result<PublicKey, CliError> {
    let request = GetPublicKeyRequest { name: key.to_string() };
    let look_up = |mut signing: Signing, request| async move { signing.get_public_key(request).await };
    let found = call(client, client.signing(), &request, look_up, format!("look up {key}")).await?;
    match found.algorithm() {
        Algorithm::Unspecified => Err(CliError::Rejected(format!(
            "{key} has an algorithm that this version of chancery does not know; name the hash with --hash"
        ))),
        _ => Ok(found),
    }
}

/// The hash of an algorithm where none is named; `None` for those that sign messages.
fn default_hash(algorithm: Algorithm) -> Option<Hash> {
    match algorithm {
        Algorithm::Ed25519 | Algorithm::MlDsa44 | Algorithm::MlDsa65 | Algorithm::MlDsa87 => None,
        Algorithm::EcP384 => Some(Hash::Sha384),
        Algorithm::EcP521 => Some(Hash::Sha512),
        Algorithm::Sm2 => Some(Hash::Sm3),
        _ => Some(Hash::Sha256),
    }
}

/// A digest made elsewhere. RSA signs the hash's name with it, which its length tells (RFC 8017 §9.2); for SM2 it is e;
/// for ECDSA it is raw bytes.
fn given(algorithm: Algorithm, value: Vec<u8>) -> Result<SigningInput, CliError> {
    let rsa = matches!(algorithm, Algorithm::Rsa2048 | Algorithm::Rsa3072 | Algorithm::Rsa4096);
    let hash = match (rsa, value.len()) {
        (_, 0) => return Err(CliError::Rejected("the digest is empty".into())),
        (false, 32) if algorithm == Algorithm::Sm2 => Hash::Sm3,
        (false, other) if algorithm == Algorithm::Sm2 => {
            return Err(CliError::Rejected(format!("SM2 needs e, which has 32 bytes, and this has {other}")));
        }
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
    match hash {
        Hash::Sha384 => digest(file, hash, sha2::Sha384::new()),
        Hash::Sha512 => digest(file, hash, sha2::Sha512::new()),
        Hash::Sm3 => digest(file, hash, sm3::Sm3::new()),
        Hash::Sha256 | Hash::Unspecified => digest(file, hash, sha2::Sha256::new()),
    }
}

/// The digest e, of the file and of who signs it.
fn hashed_for_sm2(file: &Path, id: &[u8], point: &[u8]) -> Result<SigningInput, CliError> {
    let hasher = sm2_digest::begin(id, point)
        .ok_or_else(|| CliError::Internal("the service sent an SM2 public key that is no uncompressed point".into()))?;
    digest(file, Hash::Sm3, hasher)
}

fn digest(file: &Path, hash: Hash, mut hasher: impl sha2::Digest) -> Result<SigningInput, CliError> {
    let mut input = files::open(file)?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match input.read(&mut buffer).map_err(CliError::read(file))? {
            0 => break,
            read => hasher.update(&buffer[..read]),
        }
    }
    Ok(SigningInput::Digest(Digest { hash: hash.into(), value: hasher.finalize().to_vec() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    // FIPS 180-4 and GB/T 32905 examples: the digests of "abc"; the longer input spans many reads.
    #[test]
    fn files_are_hashed_whole() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("abc");
        fs::write(&file, "abc").unwrap();
        let digests = [Hash::Sha256, Hash::Sha384, Hash::Sha512, Hash::Sm3].map(|hash| hashed(&file, hash).unwrap());
        let begins = digests.map(|digest| hex::encode(&digest.bytes()[..4]) + &format!("/{}", digest.bytes().len()));
        assert_eq!(begins, ["ba7816bf/32", "cb00753f/48", "ddaf35a1/64", "66c7f0f4/32"]);

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
        assert_eq!(hash(Algorithm::Sm2, 32), Ok(Hash::Sm3));
        assert_eq!(hash(Algorithm::Sm2, 20), Err(65));
    }
}

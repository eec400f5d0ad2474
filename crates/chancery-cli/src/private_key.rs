//! Private keys of others, as `keys import` takes them: to PKCS #8 DER, or the bytes of a secret key.
//!
//! **Invariants**
//! * Private key bytes are wiped when dropped, and no error holds one.
//! * The algorithm is what the file says; one that is given must agree with it.
//!
//! **Not here**: whether the key is good (the enclave judges that).

use crate::{
    failure::CliError,
    pem,
    words::{self, word},
};
use chancery_api::v1::Algorithm;
use der::{
    Decode as _, Encode as _, Sequence,
    asn1::{AnyRef, ObjectIdentifier, OctetStringRef, UintRef},
};
use pkcs8::PrivateKeyInfoRef;
use sec1::{EcParameters, EcPrivateKey};
use spki::AlgorithmIdentifierRef;
use std::path::Path;
use zeroize::Zeroizing;

const ID_EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// Curves by their names (RFC 5480 §2.1.1.1, SEC 2, GM/T 0006).
const CURVES: &[(ObjectIdentifier, Algorithm)] = &[
    (ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"), Algorithm::EcP256),
    (ObjectIdentifier::new_unwrap("1.3.132.0.34"), Algorithm::EcP384),
    (ObjectIdentifier::new_unwrap("1.3.132.0.35"), Algorithm::EcP521),
    (ObjectIdentifier::new_unwrap("1.3.132.0.10"), Algorithm::EcSecp256k1),
    (ObjectIdentifier::new_unwrap("1.2.156.10197.1.301"), Algorithm::Sm2),
];

/// Algorithms that an identifier says all of (RFC 8410 §3, RFC 9881 §2).
const ALONE: &[(ObjectIdentifier, Algorithm)] = &[
    (ObjectIdentifier::new_unwrap("1.3.101.112"), Algorithm::Ed25519),
    (ObjectIdentifier::new_unwrap("1.3.101.110"), Algorithm::X25519),
    (ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.17"), Algorithm::MlDsa44),
    (ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.18"), Algorithm::MlDsa65),
    (ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.19"), Algorithm::MlDsa87),
];

/// RSAPrivateKey (RFC 8017 §A.1.2) with two primes; of its numbers only the modulus is looked at.
#[derive(Sequence)]
struct RsaPrivateKey<'a> {
    version: u8,
    modulus: UintRef<'a>,
    public_exponent: UintRef<'a>,
    private_exponent: UintRef<'a>,
    prime1: UintRef<'a>,
    prime2: UintRef<'a>,
    exponent1: UintRef<'a>,
    exponent2: UintRef<'a>,
    coefficient: UintRef<'a>,
}

/// A key to import.
pub(crate) struct PrivateKey {
    pub(crate) algorithm: Algorithm,
    /// PKCS #8 DER; of a secret key its bytes.
    pub(crate) bytes: Zeroizing<Vec<u8>>,
}

impl PrivateKey {
    /// Reads a file's content: PKCS #8, SEC 1 or PKCS #1 in PEM or DER; a secret key as bytes or hexadecimal digits.
    ///
    /// # Errors
    /// [`CliError::Rejected`] when it is none, or not of the algorithm that was given.
    pub(crate) fn read(path: &Path, file: &[u8], given: Option<Algorithm>) -> Result<Self, CliError> {
        let reject = |problem: &str| CliError::Rejected(format!("{}: {problem}", path.display()));
        if let Some((algorithm, length)) = given.and_then(|given| Some((given, secret_length(given)?))) {
            let bytes = secret(file, length).ok_or_else(|| {
                reject(&format!("it has neither {length} bytes nor {} hexadecimal digits", 2 * length))
            })?;
            return Ok(Self { algorithm, bytes });
        }
        let bytes = pkcs8(file, given).map_err(reject)?;
        let algorithm = algorithm(&bytes).ok_or_else(|| reject("its algorithm is none that can be imported"))?;
        match given {
            Some(given) if given != algorithm => {
                let [given, found] = [given, algorithm].map(|one| word(words::ALGORITHMS, one));
                Err(reject(&format!("it is a key of {found}, and not of {given}")))
            }
            _ => Ok(Self { algorithm, bytes }),
        }
    }
}

/// The bytes of a secret key.
fn secret_length(algorithm: Algorithm) -> Option<usize> {
    match algorithm {
        Algorithm::Aes256 | Algorithm::HmacSha256 => Some(32),
        Algorithm::Sm4 => Some(16),
        _ => None,
    }
}

fn secret(file: &[u8], length: usize) -> Option<Zeroizing<Vec<u8>>> {
    // Digits of a key half as long are no key of random bytes.
    if file.len() == length && !file.iter().all(u8::is_ascii_hexdigit) {
        return Some(Zeroizing::new(file.to_vec()));
    }
    let mut bytes = Zeroizing::new(vec![0; length]);
    hex::decode_to_slice(file.trim_ascii(), &mut bytes).ok()?;
    Some(bytes)
}

/// The key as PKCS #8 DER.
fn pkcs8(file: &[u8], given: Option<Algorithm>) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    let encrypted = [&b"BEGIN ENCRYPTED PRIVATE KEY"[..], b"Proc-Type: 4,ENCRYPTED"];
    if encrypted.iter().any(|mark| file.windows(mark.len()).any(|window| window == *mark)) {
        return Err("it is encrypted: decrypt it with `openssl pkey -in FILE -out KEY` where nobody else can read it");
    }
    let labels = ["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY", "SM2 PRIVATE KEY"];
    let der = match pem::block(file, &labels) {
        Some((_, der)) => der,
        None if file.starts_with(b"-----BEGIN") => return Err("it holds no private key in PEM"),
        None => Zeroizing::new(file.to_vec()),
    };
    if PrivateKeyInfoRef::from_der(&der).is_ok() {
        return Ok(der);
    }
    if RsaPrivateKey::from_der(&der).is_ok() {
        let algorithm = AlgorithmIdentifierRef { oid: RSA_ENCRYPTION, parameters: Some(AnyRef::NULL) };
        return wrapped(algorithm, &der).ok_or("it can't be written as PKCS #8");
    }
    let key = EcPrivateKey::from_der(&der).map_err(|_| "it is no private key in PKCS #8, SEC 1 or PKCS #1 form")?;
    let named = key.parameters.and_then(EcParameters::named_curve);
    let curve = named
        .or_else(|| given.and_then(|given| Some(CURVES.iter().find(|(_, curve)| *curve == given)?.0)))
        .ok_or("it does not name its curve: name the algorithm with --algorithm")?;
    let algorithm = AlgorithmIdentifierRef { oid: ID_EC_PUBLIC_KEY, parameters: Some(AnyRef::from(&curve)) };
    wrapped(algorithm, &der).ok_or("it can't be written as PKCS #8")
}

fn wrapped(algorithm: AlgorithmIdentifierRef<'_>, key: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let info = PrivateKeyInfoRef::new(algorithm, OctetStringRef::new(key).ok()?);
    // Written into place, so that no buffer grows and leaves a copy.
    let mut der = Zeroizing::new(vec![0; usize::try_from(info.encoded_len().ok()?).ok()?]);
    let length = info.encode_to_slice(&mut der).ok()?.len();
    (length == der.len()).then_some(der)
}

/// The algorithm that PKCS #8 names.
fn algorithm(pkcs8: &[u8]) -> Option<Algorithm> {
    let info = PrivateKeyInfoRef::from_der(pkcs8).ok()?;
    let found = |table: &[(ObjectIdentifier, Algorithm)], oid| {
        table.iter().find(|(known, _)| *known == oid).map(|(_, algorithm)| *algorithm)
    };
    match info.algorithm.oid {
        ID_EC_PUBLIC_KEY => found(CURVES, info.algorithm.parameters_oid().ok()?),
        RSA_ENCRYPTION => match RsaPrivateKey::from_der(info.private_key.as_bytes()).ok()?.modulus.as_bytes() {
            // The leading byte is no zero; a modulus has all its bits when that byte has.
            modulus if modulus.first().is_none_or(|first| first.leading_zeros() > 0) => None,
            modulus => match modulus.len() * 8 {
                2048 => Some(Algorithm::Rsa2048),
                3072 => Some(Algorithm::Rsa3072),
                4096 => Some(Algorithm::Rsa4096),
                _ => None,
            },
        },
        oid => found(ALONE, oid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn openssl(line: &str) -> Vec<u8> {
        let output = Command::new("sh").arg("-c").arg(line).output().unwrap();
        assert!(output.status.success(), "{line}: {output:?}");
        output.stdout
    }

    fn read(file: &[u8], given: Option<Algorithm>) -> Result<Algorithm, String> {
        match PrivateKey::read(Path::new("key"), file, given) {
            Ok(key) => Ok(key.algorithm),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The files are openssl's, in all the forms that it writes.
    #[test]
    fn keys_of_openssl_are_read_in_every_form() {
        for (curve, expected) in [
            ("prime256v1", Algorithm::EcP256),
            ("secp384r1", Algorithm::EcP384),
            ("secp521r1", Algorithm::EcP521),
            ("secp256k1", Algorithm::EcSecp256k1),
            ("SM2", Algorithm::Sm2),
        ] {
            let sec1 = openssl(&format!("openssl ecparam -name {curve} -genkey"));
            assert_eq!(read(&sec1, None), Ok(expected), "{curve}");
            let generated = openssl(&format!("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:{curve}"));
            assert_eq!(read(&generated, Some(expected)), Ok(expected), "{curve}");
        }
        for (line, expected) in [
            ("openssl genpkey -algorithm ed25519", Algorithm::Ed25519),
            ("openssl genpkey -algorithm x25519 -outform DER", Algorithm::X25519),
            ("openssl genrsa 2048", Algorithm::Rsa2048),
            ("openssl genrsa -traditional 2048", Algorithm::Rsa2048),
            ("openssl genrsa -traditional 3072 | openssl rsa -traditional -outform DER", Algorithm::Rsa3072),
        ] {
            assert_eq!(read(&openssl(line), None), Ok(expected), "{line}");
        }
    }

    /// What is sealed is what openssl itself writes as PKCS #8.
    #[test]
    fn a_traditional_key_becomes_the_same_pkcs8() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("key.pem");
        for line in ["openssl genrsa -traditional 2048", "openssl ecparam -name prime256v1 -genkey -noout"] {
            let pem = openssl(line);
            std::fs::write(&file, &pem).unwrap();
            let expected = openssl(&format!("openssl pkcs8 -topk8 -nocrypt -in {} -outform DER", file.display()));
            let key = PrivateKey::read(&file, &pem, None).unwrap();
            std::fs::write(&file, &*key.bytes).unwrap();
            let again =
                openssl(&format!("openssl pkcs8 -topk8 -nocrypt -inform DER -in {} -outform DER", file.display()));
            assert!(again == expected, "{line}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_repeated() {
        let pem = openssl("openssl genpkey -algorithm ed25519");
        assert!(read(&pem, Some(Algorithm::EcP256)).unwrap_err().contains("a key of ed25519, and not of ec-p256"));
        let encrypted = openssl("openssl genpkey -algorithm ed25519 -aes256 -pass pass:x");
        assert!(read(&encrypted, None).unwrap_err().contains("encrypted"));
        assert!(read(&openssl("openssl genrsa 1024"), None).is_err());
        assert!(read(&pem[..pem.len() / 2], None).unwrap_err().contains("no private key"));
        let error = read(b"my secret", None).unwrap_err();
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn secret_keys_are_bytes_or_digits() {
        assert_eq!(read(&[7; 32], Some(Algorithm::Aes256)), Ok(Algorithm::Aes256));
        assert_eq!(read(&[7; 16], Some(Algorithm::Sm4)), Ok(Algorithm::Sm4));
        let key = PrivateKey::read(
            Path::new("key"),
            format!("{}\n", "a5".repeat(32)).as_bytes(),
            Some(Algorithm::HmacSha256),
        );
        assert_eq!(*key.unwrap().bytes, [0xa5; 32]);
        assert!(read(&[7; 31], Some(Algorithm::Aes256)).is_err());
        assert!(read("a5".repeat(16).as_bytes(), Some(Algorithm::HmacSha256)).is_err());
        assert!(read(&[7; 32], None).is_err());
    }
}

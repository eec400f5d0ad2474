//! A public key in the forms that other systems take.

use super::{PublicKey, sha256};
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chancery_model::Algorithm;
use der::{Decode, asn1::UintRef};
use sha3::{Digest, Keccak256};

/// See the module. What a key has not is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyForms {
    /// The key alone: an uncompressed point, RSAPublicKey, or the algorithm's bytes.
    pub raw: Vec<u8>,
    /// An elliptic curve's compressed point (SEC 1 §2.3.3).
    pub compressed: Vec<u8>,
    /// JSON Web Key (RFC 7517): the required members only, ordered as RFC 7638 §3.2 has them, so that its SHA-256 is its
    /// thumbprint.
    pub jwk: String,
    /// SHA-256 of the key alone: the file name of Fabric's key stores.
    pub fabric_ski: [u8; 32],
    /// SHA-1 of the key alone (RFC 5280 §4.2.1.2 method 1).
    pub x509_ski: Vec<u8>,
    /// secp256k1: with the case of EIP-55.
    pub ethereum_address: String,
}

/// RSAPublicKey (RFC 8017 §A.1.1).
#[derive(der::Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    public_exponent: UintRef<'a>,
}

impl KeyForms {
    /// All forms of a key.
    pub fn of(key: &PublicKey) -> Self {
        let (algorithm, bits) = (key.algorithm(), key.bits());
        // 04 ‖ x ‖ y.
        let coordinates = match bits {
            [4, coordinates @ ..] if algorithm == Algorithm::Sm2 || algorithm.ecdsa_width().is_some() => {
                Some(coordinates.split_at(coordinates.len() / 2))
            }
            _ => None,
        };
        Self {
            raw: bits.to_vec(),
            compressed: coordinates.map(|(x, y)| compressed(x, y)).unwrap_or_default(),
            jwk: jwk(algorithm, bits, coordinates).unwrap_or_default(),
            fabric_ski: sha256(bits),
            x509_ski: digest(&SHA1_FOR_LEGACY_USE_ONLY, bits).as_ref().to_vec(),
            ethereum_address: match algorithm {
                Algorithm::EcSecp256k1 => ethereum_address(bits),
                _ => String::new(),
            },
        }
    }
}

fn compressed(x: &[u8], y: &[u8]) -> Vec<u8> {
    let odd = y.last().map_or(0, |last| last & 1);
    [&[2 + odd], x].concat()
}

/// RFC 7518 §6.2 and §6.3, RFC 8037 §2, RFC 8812 §3.1. SM2 and ML-DSA have no registered key type.
fn jwk(algorithm: Algorithm, bits: &[u8], coordinates: Option<(&[u8], &[u8])>) -> Option<String> {
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let curve = match algorithm {
        Algorithm::EcP256 => "P-256",
        Algorithm::EcP384 => "P-384",
        Algorithm::EcP521 => "P-521",
        Algorithm::EcSecp256k1 => "secp256k1",
        Algorithm::Ed25519 | Algorithm::X25519 => {
            let curve = if algorithm == Algorithm::Ed25519 { "Ed25519" } else { "X25519" };
            return Some(format!(r#"{{"crv":"{curve}","kty":"OKP","x":"{}"}}"#, text(bits)));
        }
        Algorithm::Rsa2048 | Algorithm::Rsa3072 | Algorithm::Rsa4096 => {
            let key = RsaPublicKey::from_der(bits).ok()?;
            let (e, n) = (text(key.public_exponent.as_bytes()), text(key.modulus.as_bytes()));
            return Some(format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#));
        }
        _ => return None,
    };
    let (x, y) = coordinates?;
    Some(format!(r#"{{"crv":"{curve}","kty":"EC","x":"{}","y":"{}"}}"#, text(x), text(y)))
}

/// The last 20 bytes of the Keccak-256 of x ‖ y (Ethereum yellow paper, appendix F).
fn ethereum_address(point: &[u8]) -> String {
    with_checksum(&hex::encode(&Keccak256::digest(&point[1..])[12..]))
}

/// EIP-55: a letter is upper case where the nibble at its place of the lower-case text's Keccak-256 is over 7.
pub fn with_checksum(lower: &str) -> String {
    let nibbles = hex::encode(Keccak256::digest(lower));
    let digits = lower.chars().zip(nibbles.chars());
    let cased = digits.map(|(digit, nibble)| if nibble > '7' { digit.to_ascii_uppercase() } else { digit });
    format!("0x{}", cased.collect::<String>())
}

//! Private keys of every kind whose bytes the test knows, as files that the command imports.
//!
//! **Not here**: what ML-DSA and SM4 expand a key to; their seed and key are kept beside that.

use crate::{desk::Desk, ml_dsa_keys, scan::Secret};
use sha2::{Digest as _, Sha512};

/// A key whose bytes are known.
pub(crate) struct Known {
    pub(crate) algorithm: &'static str,
    pub(crate) purpose: &'static str,
    /// What the command imports.
    pub(crate) file: String,
    pub(crate) secret: Secret,
}

/// What stands before 32 bytes of private key in PKCS #8, without the public key.
const PKCS8: [(&str, &str, &str); 7] = [
    ("ec-p256", "sign", "3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420"),
    ("ec-secp256k1", "sign", "303e020100301006072a8648ce3d020106052b8104000a042730250201010420"),
    ("sm2", "sign", "3041020100301306072a8648ce3d020106082a811ccf5501822d042730250201010420"),
    ("ec-p256", "agree", "3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420"),
    ("sm2", "encrypt", "3041020100301306072a8648ce3d020106082a811ccf5501822d042730250201010420"),
    ("ed25519", "sign", "302e020100300506032b657004220420"),
    ("x25519", "agree", "302e020100300506032b656e04220420"),
];

/// Random bytes: below every curve's order but for one time in 2³².
fn random(desk: &Desk<'_>, bytes: usize) -> Vec<u8> {
    hex::decode(desk.openssl.text(&format!("rand -hex {bytes}")).trim()).unwrap()
}

/// What a library may keep in the place of the bytes: a scalar in Montgomery form, the number that a seed is hashed to.
fn library_form(algorithm: &str, secret: &[u8]) -> Vec<u8> {
    let clamped = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        (bytes[0], bytes[31]) = (bytes[0] & 0xf8, bytes[31] & 0x7f | 0x40);
        bytes
    };
    match algorithm {
        "ed25519" => clamped(&Sha512::digest(secret)[..32]),
        "x25519" => clamped(secret),
        // SP 800-186 §3.2.1.3, SEC 2 §2.4.1, GB/T 32918.5.
        "ec-p256" => montgomery(secret, "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"),
        "ec-secp256k1" => montgomery(secret, "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"),
        _ => montgomery(secret, "fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123"),
    }
}

/// A scalar times 2²⁵⁶ modulo the order, by doubling.
fn montgomery(scalar: &[u8], order: &str) -> Vec<u8> {
    let order = hex::decode(order).unwrap();
    // Both with a byte in front for what doubling carries.
    let order = [&[0], &order[..]].concat();
    let mut number = [&[0], scalar].concat();
    for _ in 0..256 {
        let mut carry = 0;
        for byte in number.iter_mut().rev() {
            (*byte, carry) = (*byte << 1 | carry, *byte >> 7);
        }
        if number >= order {
            let mut borrow = 0;
            for (byte, of_order) in number.iter_mut().zip(&order).rev() {
                let wide = 0x100 + i32::from(*byte) - i32::from(*of_order) - borrow;
                (*byte, borrow) = (wide as u8, 1 - (wide >> 8));
            }
        }
    }
    number[1..].to_vec()
}

/// One of each kind.
pub(crate) fn one_of_each(desk: &Desk<'_>) -> Vec<Known> {
    let known = |algorithm, purpose, file: &[u8], forms: &[&[u8]]| {
        let what = format!("{algorithm}-{purpose}");
        Known { algorithm, purpose, file: desk.file(&what, file), secret: Secret::new(&what, forms) }
    };
    let mut all = Vec::new();
    for (algorithm, purpose, head) in PKCS8 {
        let secret = random(desk, 32);
        let form = library_form(algorithm, &secret);
        all.push(known(algorithm, purpose, &[&hex::decode(head).unwrap()[..], &secret].concat(), &[&secret, &form]));
    }
    let seed: [u8; 32] = random(desk, 32).try_into().unwrap();
    all.push(known("ml-dsa-44", "sign", &ml_dsa_keys::pkcs8(17, &seed), &[&seed]));
    for (algorithm, purpose, length) in [("aes-256", "encrypt", 32), ("sm4", "encrypt", 16), ("hmac-sha256", "mac", 32)]
    {
        let secret = random(desk, length);
        all.push(known(algorithm, purpose, hex::encode(&secret).as_bytes(), &[&secret]));
    }
    for purpose in ["sign", "encrypt"] {
        all.push(rsa(desk, purpose));
    }
    all
}

/// RSA's private numbers are its exponent and primes.
fn rsa(desk: &Desk<'_>, purpose: &'static str) -> Known {
    let what = format!("rsa-2048-{purpose}");
    let file = desk.generate(&what, "genrsa");
    let text = desk.openssl.text(&format!("pkey -in {file} -noout -text"));
    let number = |from: &str, to: &str| {
        let number = text.split(from).nth(1).unwrap().split(to).next().unwrap();
        let digits: String = number.chars().filter(char::is_ascii_hexdigit).collect();
        hex::decode(digits.strip_prefix("00").unwrap_or(&digits)).unwrap()
    };
    let numbers = [("privateExponent:", "prime1:"), ("prime1:", "prime2:"), ("prime2:", "exponent1:")];
    let numbers = numbers.map(|(from, to)| number(from, to));
    assert_eq!(numbers[1].len(), 128);
    let secret = Secret::new(&what, &numbers.each_ref().map(Vec::as_slice));
    Known { algorithm: "rsa-2048", purpose, file, secret }
}

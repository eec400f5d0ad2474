//! Keys from elsewhere: what passes, and what does not.

use chancery_ipc::{FaultReason, KeyAlgorithm, Mechanism};
use der::{
    Any, Encode, Sequence,
    asn1::{ContextSpecific, Null, ObjectIdentifier, OctetString, Uint},
};

use super::{made, opened, openssl_gives, openssl_key, openssl_options, unhex, used};
use crate::software::{check_import, secret_length};

const OPENSSL: [KeyAlgorithm; 10] = [
    KeyAlgorithm::EcP256,
    KeyAlgorithm::EcP384,
    KeyAlgorithm::EcP521,
    KeyAlgorithm::EcSecp256k1,
    KeyAlgorithm::Sm2,
    KeyAlgorithm::Ed25519,
    KeyAlgorithm::X25519,
    KeyAlgorithm::Rsa2048,
    KeyAlgorithm::Rsa3072,
    KeyAlgorithm::Rsa4096,
];

/// Why a key is refused.
fn refusal(algorithm: KeyAlgorithm, key: &[u8]) -> String {
    let failure = check_import(algorithm, key).err().unwrap_or_else(|| panic!("{algorithm:?} is taken"));
    assert_eq!(failure.reason, FaultReason::BadKey, "{}", failure.message);
    failure.message
}

#[test]
fn keys_of_openssl_pass_and_keep_their_public_key() {
    let keys = OPENSSL.map(|algorithm| (algorithm, openssl_key(openssl_options(algorithm))));
    for (algorithm, key) in &keys {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("key"), key).unwrap();
        let public = openssl_gives(directory.path(), "pkey -in key -inform DER -pubout -outform DER");
        let secret =
            check_import(*algorithm, key).unwrap_or_else(|failure| panic!("{algorithm:?}: {}", failure.message));
        assert_eq!(opened(*algorithm, &secret).public_key_spki(), public, "{algorithm:?}");

        assert!(refusal(*algorithm, &key[..key.len() - 1]).contains("PKCS#8"));
        assert!(refusal(*algorithm, &[&key[..], &[0]].concat()).contains("PKCS#8"));
        assert!(refusal(*algorithm, &[]).contains("PKCS#8"));
        for (_, other) in keys.iter().filter(|(other, _)| other != algorithm) {
            refusal(*algorithm, other);
        }
    }
}

/// An ECPrivateKey in a PrivateKeyInfo, as anyone might write it.
fn ec(curve: &str, scalar: &[u8], public: Option<&[u8]>) -> Vec<u8> {
    let parameters = Any::encode_from(&ObjectIdentifier::new_unwrap(curve)).unwrap();
    let key = sec1::EcPrivateKey { private_key: scalar, parameters: None, public_key: public };
    info("1.2.840.10045.2.1", Some(parameters), &key.to_der().unwrap())
}

fn info(oid: &str, parameters: Option<Any>, inner: &[u8]) -> Vec<u8> {
    #[derive(Sequence)]
    struct Info {
        version: u8,
        algorithm: spki::AlgorithmIdentifier<Any>,
        private_key: OctetString,
    }
    let algorithm = spki::AlgorithmIdentifier { oid: ObjectIdentifier::new_unwrap(oid), parameters };
    Info { version: 0, algorithm, private_key: OctetString::new(inner).unwrap() }.to_der().unwrap()
}

#[test]
fn weak_and_mismatched_scalars_are_refused() {
    const CURVES: [(KeyAlgorithm, &str, usize); 5] = [
        (KeyAlgorithm::EcP256, "1.2.840.10045.3.1.7", 32),
        (KeyAlgorithm::EcP384, "1.3.132.0.34", 48),
        (KeyAlgorithm::EcP521, "1.3.132.0.35", 66),
        (KeyAlgorithm::EcSecp256k1, "1.3.132.0.10", 32),
        (KeyAlgorithm::Sm2, "1.2.156.10197.1.301", 32),
    ];
    for (algorithm, curve, width) in CURVES {
        let (key, secret) = made(algorithm);
        let point = &key.public_key_spki()[key.public_key_spki().len() - 1 - 2 * width..];
        let mut compressed = point[..=width].to_vec();
        compressed[0] = 2 + (point[2 * width] & 1);
        for public in [None, Some(point), Some(&compressed[..])] {
            assert_eq!(*check_import(algorithm, &ec(curve, &secret, public)).unwrap(), *secret, "{algorithm:?}");
        }

        let mut small = vec![0; width];
        assert!(refusal(algorithm, &ec(curve, &small, None)).contains("out of range"));
        small[width - 1] = 7;
        assert!(refusal(algorithm, &ec(curve, &small, None)).contains("upper half"));
        assert!(refusal(algorithm, &ec(curve, &vec![0xff; width], None)).contains("out of range"));
        assert!(refusal(algorithm, &ec(curve, &secret[1..], None)).contains("width"));
        assert!(refusal(algorithm, &ec(curve, &[&[0], &secret[..]].concat(), None)).contains("width"));

        let other = made(algorithm).0.public_key_spki().to_vec();
        let other = &other[other.len() - 1 - 2 * width..];
        assert!(refusal(algorithm, &ec(curve, &secret, Some(other))).contains("another's"));
        compressed[0] ^= 1;
        assert!(refusal(algorithm, &ec(curve, &secret, Some(&compressed))).contains("another's"));
        for (elsewhere, _, _) in CURVES.into_iter().filter(|(elsewhere, ..)| *elsewhere != algorithm) {
            assert!(refusal(elsewhere, &ec(curve, &secret, None)).contains("another algorithm"));
        }
    }
}

#[test]
fn a_curve_inside_the_private_key_must_be_the_one_outside() {
    let (_, secret) = made(KeyAlgorithm::EcP256);
    let outside = "1.2.840.10045.3.1.7";
    let with = |inside: &str| {
        let parameters = Some(sec1::EcParameters::NamedCurve(ObjectIdentifier::new_unwrap(inside)));
        let key = sec1::EcPrivateKey { private_key: &secret, parameters, public_key: None };
        let named = Any::encode_from(&ObjectIdentifier::new_unwrap(outside)).unwrap();
        info("1.2.840.10045.2.1", Some(named), &key.to_der().unwrap())
    };
    assert_eq!(*check_import(KeyAlgorithm::EcP256, &with(outside)).unwrap(), *secret);
    assert!(refusal(KeyAlgorithm::EcP256, &with("1.3.132.0.10")).contains("another curve"));
}

#[test]
fn secret_keys_are_bytes_of_one_length_that_are_not_all_equal() {
    for algorithm in [KeyAlgorithm::Aes256, KeyAlgorithm::Sm4, KeyAlgorithm::HmacSha256] {
        let length = secret_length(algorithm);
        let good: Vec<u8> = (0..).take(length).collect();
        assert_eq!(*check_import(algorithm, &good).unwrap(), *good);
        for wrong in [&good[1..], &[&good[..], &[1]].concat(), &[]] {
            assert!(refusal(algorithm, wrong).contains("bytes"));
        }
        for byte in [0, 0xff, 0x42] {
            assert!(refusal(algorithm, &vec![byte; length]).contains("equal"));
        }
    }
}

/// OneAsymmetricKey with the public key (RFC 8410 §10.3), and with another's.
#[test]
fn a_public_key_beside_an_edwards_key_must_be_its_own() {
    let good = unhex(
        "3072020101300506032b657004220420d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842
         a01f301d060a2a864886f70d01090914310f0c0d437572646c6520436861697273
         81210019bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1",
    );
    check_import(KeyAlgorithm::Ed25519, &good).map_err(|failure| failure.message).unwrap();
    let mut bad = good.clone();
    *bad.last_mut().unwrap() ^= 1;
    assert!(refusal(KeyAlgorithm::Ed25519, &bad).contains("another's"));
    let seeds = info("1.3.101.112", None, &OctetString::new([5; 32]).unwrap().to_der().unwrap());
    assert!(refusal(KeyAlgorithm::Ed25519, &seeds).contains("equal"));
}

#[test]
fn ml_dsa_comes_with_its_seed() {
    use aws_lc_rs::{
        encoding::AsRawBytes,
        signature::{ML_DSA_44_SIGNING, PqdsaKeyPair},
    };
    const OID: &str = "2.16.840.1.101.3.4.3.17";
    #[derive(Sequence)]
    struct Both {
        seed: OctetString,
        expanded: OctetString,
    }
    let seed: Vec<u8> = (1..33).collect();
    let octets = |bytes: &[u8]| OctetString::new(bytes).unwrap();
    let expand = |seed: &[u8]| {
        let pair = PqdsaKeyPair::from_seed(&ML_DSA_44_SIGNING, seed).unwrap();
        octets(pair.private_key().as_raw_bytes().unwrap().as_ref())
    };
    let only_seed =
        ContextSpecific { tag_number: der::TagNumber(0), tag_mode: der::TagMode::Implicit, value: octets(&seed) };
    let key = info(OID, None, &only_seed.to_der().unwrap());
    assert_eq!(*check_import(KeyAlgorithm::MlDsa44, &key).unwrap(), *seed);
    refusal(KeyAlgorithm::MlDsa65, &key);

    let both = |expanded| info(OID, None, &Both { seed: octets(&seed), expanded }.to_der().unwrap());
    assert_eq!(*check_import(KeyAlgorithm::MlDsa44, &both(expand(&seed))).unwrap(), *seed);
    assert!(refusal(KeyAlgorithm::MlDsa44, &both(expand(&[9; 32]))).contains("not the seed's"));
    let expanded = info(OID, None, &expand(&seed).to_der().unwrap());
    assert!(refusal(KeyAlgorithm::MlDsa44, &expanded).contains("no seed"));
}

/// The integers of an RSAPrivateKey, to be changed.
#[derive(Clone, Sequence)]
struct RsaKey {
    version: u8,
    modulus: Uint,
    public_exponent: Uint,
    private_exponent: Uint,
    prime1: Uint,
    prime2: Uint,
    exponent1: Uint,
    exponent2: Uint,
    coefficient: Uint,
}

impl RsaKey {
    fn made() -> (Vec<u8>, Self) {
        use der::Decode;
        let key = openssl_key(openssl_options(KeyAlgorithm::Rsa2048));
        let inner = pkcs8::PrivateKeyInfoRef::from_der(&key).unwrap().private_key.as_bytes().to_vec();
        let parsed = Self::from_der(&inner).unwrap();
        (key, parsed)
    }

    fn refusal(&self) -> String {
        let null = Any::encode_from(&Null).unwrap();
        refusal(KeyAlgorithm::Rsa2048, &info("1.2.840.113549.1.1.1", Some(null), &self.to_der().unwrap()))
    }
}

/// Another integer of the same length, by a bit in its midst.
fn changed(integer: &Uint) -> Uint {
    let mut bytes = integer.as_bytes().to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    Uint::new(&bytes).unwrap()
}

#[test]
fn rsa_keys_whose_parts_disagree_are_refused() {
    let (key, good) = RsaKey::made();
    let secret = check_import(KeyAlgorithm::Rsa2048, &key).map_err(|failure| failure.message).unwrap();
    assert!(used(&opened(KeyAlgorithm::Rsa2048, &secret), Mechanism::RsaPssSha256, &[1; 32]).is_ok());
    refusal(KeyAlgorithm::Rsa3072, &key);
    let parts: [fn(&mut RsaKey) -> &mut Uint; 7] = [
        |key| &mut key.modulus,
        |key| &mut key.private_exponent,
        |key| &mut key.prime1,
        |key| &mut key.prime2,
        |key| &mut key.exponent1,
        |key| &mut key.exponent2,
        |key| &mut key.coefficient,
    ];
    for (index, part) in parts.into_iter().enumerate() {
        let mut bad = good.clone();
        *part(&mut bad) = changed(part(&mut good.clone()));
        let why = bad.refusal();
        assert!(why.contains("AWS-LC") || why.contains("does not sign"), "part {index}: {why}");
    }
    let twice = RsaKey { prime2: good.prime1.clone(), ..good.clone() };
    assert!(twice.refusal().contains("too near"));
    let odd = RsaKey { version: 1, ..good.clone() };
    assert!(odd.refusal().contains("two primes"));
    let short = RsaKey { private_exponent: Uint::new(&[3; 100]).unwrap(), ..good };
    assert!(short.refusal().contains("too short"));
}

#[test]
fn rsa_exponents_other_than_65537_are_refused() {
    let three = openssl_key("-algorithm RSA -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_pubexp:3");
    assert!(refusal(KeyAlgorithm::Rsa2048, &three).contains("65537"));
    let small = openssl_key("-algorithm RSA -pkeyopt rsa_keygen_bits:1024");
    assert!(refusal(KeyAlgorithm::Rsa2048, &small).contains("1024 bits"));
}

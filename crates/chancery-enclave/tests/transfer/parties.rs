//! Who sends keys, and how: openssl makes them, `chancery-transfer` seals them.

use std::process::Command;

use chancery_ipc::{
    CreateTransportKey, ImportKey, KeyAlgorithm as A, KeyOrigin, KeyProtection, KeyPurpose as P, KeyRef,
    Mechanism as M, TransportKeyCreated, TransportUse, request::Verb, response::Result as Reply,
};
use chancery_transfer::envelope::{Context, PublicKey, seal};
use sha2::{Digest, Sha256};

use crate::harness::*;

pub(crate) const MESSAGE: &[u8] = b"the great seal of the chancery";

/// DigestInfo of SHA-256 (RFC 8017 §9.2 note 1), less the digest.
pub(crate) const DIGEST_INFO: [u8; 19] =
    [0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20];

/// What `openssl genpkey` makes, and what each is called on the command line of chancery.
pub(crate) const PAIRS: [(A, &str, &[&str]); 10] = [
    (A::EcP256, "ec-p256", &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
    (A::EcP384, "ec-p384", &["EC", "-pkeyopt", "ec_paramgen_curve:P-384"]),
    (A::EcP521, "ec-p521", &["EC", "-pkeyopt", "ec_paramgen_curve:P-521"]),
    (A::EcSecp256k1, "ec-secp256k1", &["EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"]),
    (A::Ed25519, "ed25519", &["ED25519"]),
    (A::Rsa2048, "rsa-2048", &["RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
    (A::Rsa3072, "rsa-3072", &["RSA", "-pkeyopt", "rsa_keygen_bits:3072"]),
    (A::Rsa4096, "rsa-4096", &["RSA", "-pkeyopt", "rsa_keygen_bits:4096"]),
    (A::Sm2, "sm2", &["EC", "-pkeyopt", "ec_paramgen_curve:SM2"]),
    (A::X25519, "x25519", &["X25519"]),
];

pub(crate) fn openssl(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("openssl").args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// A key that openssl made: PKCS#8 and SubjectPublicKeyInfo, DER.
pub(crate) fn made_by_openssl(dir: &std::path::Path, kind: &[&str]) -> (Vec<u8>, Vec<u8>) {
    let path = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    let pem = path("openssl.pem");
    openssl(&[&["genpkey", "-out", &pem, "-algorithm"], kind].concat());
    let pkcs8 = openssl(&["pkcs8", "-topk8", "-nocrypt", "-in", &pem, "-outform", "DER"]);
    (pkcs8, openssl(&["pkey", "-in", &pem, "-pubout", "-outform", "DER"]))
}

/// What a key is sealed for.
#[derive(Clone, Copy)]
pub(crate) struct SealedFor<'a> {
    pub(crate) deployment: &'a str,
    pub(crate) version: &'a str,
    pub(crate) algorithm: &'a str,
    pub(crate) purpose: &'a str,
}

pub(crate) fn seal_to(transport: &TransportKeyCreated, to: SealedFor<'_>, key: &[u8]) -> Vec<u8> {
    let SealedFor { deployment, version, algorithm, purpose } = to;
    let context = Context::Import { deployment, version, algorithm, purpose, transport_key: &transport.id };
    seal(&PublicKey::from_bytes(&transport.public_key).unwrap(), &context, key).unwrap()
}

pub(crate) fn transport_key(enclave: &mut Enclave, organization: &str, purpose: TransportUse) -> TransportKeyCreated {
    let request = CreateTransportKey { organization: organization.into(), r#use: purpose.into() };
    match enclave.call(Verb::CreateTransportKey(request)) {
        Reply::TransportKeyCreated(created) => created,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn import_request(
    transport: &TransportKeyCreated,
    sealed: Vec<u8>,
    version: &str,
    algorithm: A,
    purpose: P,
    protection: KeyProtection,
) -> ImportKey {
    ImportKey {
        transport_key: transport.id.clone(),
        sealed,
        version: version.into(),
        algorithm: algorithm.into(),
        purpose: purpose.into(),
        protection: protection.into(),
        kek_generation: 1,
    }
}

/// The word of a purpose.
pub(crate) fn word(purpose: P) -> &'static str {
    match purpose {
        P::Sign => "sign",
        P::Encrypt => "encrypt",
        P::Agree => "agree",
        P::Mac => "mac",
        P::Wrap => "wrap",
        P::Unspecified => panic!(),
    }
}

pub(crate) fn import(
    enclave: &mut Enclave,
    version: &str,
    (algorithm, name): (A, &str),
    purpose: P,
    protection: KeyProtection,
    key: &[u8],
) -> Made {
    let transport = transport_key_of(enclave);
    let to = SealedFor { deployment: DEPLOYMENT, version, algorithm: name, purpose: word(purpose) };
    let sealed = seal_to(&transport, to, key);
    let request = import_request(&transport, sealed, version, algorithm, purpose, protection);
    match enclave.call(Verb::ImportKey(request)) {
        Reply::KeyImported(imported) => {
            assert_eq!(imported.version, version);
            let key = KeyRef {
                version: imported.version,
                public_key_sha256: Sha256::digest(&imported.public_key).to_vec(),
                algorithm: algorithm.into(),
                purpose: purpose.into(),
                origin: KeyOrigin::Imported.into(),
                protection: protection.into(),
                wrapped: Vec::new(),
            };
            Made { key, public_key: imported.public_key, wrapped: imported.wrapped }
        }
        other => panic!("{name} {protection:?}: {other:?}"),
    }
}

/// For one import: it is used up by that.
pub(crate) fn transport_key_of(enclave: &mut Enclave) -> TransportKeyCreated {
    transport_key(enclave, "org1", TransportUse::Import)
}

/// Signs, or agrees, and has openssl judge it with the public key that openssl gave.
pub(crate) fn works(enclave: &mut Enclave, made: &Made, public_key: &[u8]) {
    let algorithm = made.key.algorithm();
    let digest = Sha256::digest(MESSAGE);
    let accepted = match algorithm {
        A::EcP256 | A::EcP384 | A::EcP521 | A::EcSecp256k1 => {
            let raw = enclave.use_key(made, M::Ecdsa, &digest, &[]);
            openssl_accepts(public_key, &digest, &ecdsa_der(&raw), &["pkeyutl"])
        }
        A::Sm2 => {
            let raw = enclave.use_key(made, M::Sm2, &digest, &[]);
            openssl_accepts(public_key, &digest, &ecdsa_der(&raw), &["pkeyutl"])
        }
        A::Ed25519 => {
            let signature = enclave.use_key(made, M::Eddsa, MESSAGE, &[]);
            openssl_accepts(public_key, MESSAGE, &signature, &["pkeyutl", "-rawin"])
        }
        A::Rsa2048 | A::Rsa3072 | A::Rsa4096 => {
            let info = [&DIGEST_INFO[..], &digest].concat();
            let signature = enclave.use_key(made, M::RsaPkcs1, &info, &[]);
            openssl_accepts(public_key, MESSAGE, &signature, &["dgst", "-sha256"])
        }
        other => panic!("{other:?}"),
    };
    assert!(accepted, "{algorithm:?}");
}

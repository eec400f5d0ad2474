//! Every algorithm, for every purpose that it serves, under both protections: made, used with each of its mechanisms,
//! and used again by another process. The `openssl` command line judges what it can.

mod harness;

use std::{fs, process::Command};

use aws_lc_rs::signature::{ML_DSA_44, ML_DSA_65, ML_DSA_87, UnparsedPublicKey};
use chancery_ipc::{
    FaultReason, KeyAlgorithm as A, KeyProtection, KeyPurpose as P, Mechanism as M, UseKey, request::Verb,
};
use der::{Decode, Sequence, asn1::OctetStringRef, asn1::UintRef};
use harness::*;
use sha2::{Digest, Sha256, Sha384, Sha512};
use tempfile::TempDir;

const MESSAGE: &[u8] = b"the great seal of the chancery";

/// DigestInfo of SHA-256 (RFC 8017 §9.2 note 1), less the digest.
const DIGEST_INFO: [u8; 19] =
    [0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20];

/// Every algorithm and purpose that the enclave offers.
const ALL: [(A, P); 22] = [
    (A::EcP256, P::Sign),
    (A::EcP384, P::Sign),
    (A::EcP521, P::Sign),
    (A::EcSecp256k1, P::Sign),
    (A::Ed25519, P::Sign),
    (A::Rsa2048, P::Sign),
    (A::Rsa3072, P::Sign),
    (A::Rsa4096, P::Sign),
    (A::Sm2, P::Sign),
    (A::MlDsa44, P::Sign),
    (A::MlDsa65, P::Sign),
    (A::MlDsa87, P::Sign),
    (A::EcP256, P::Agree),
    (A::EcP384, P::Agree),
    (A::EcP521, P::Agree),
    (A::X25519, P::Agree),
    (A::Rsa2048, P::Encrypt),
    (A::Sm2, P::Encrypt),
    (A::Aes256, P::Encrypt),
    (A::Sm4, P::Encrypt),
    (A::Aes256, P::Wrap),
    (A::HmacSha256, P::Mac),
];

/// What SoftHSM serves of it.
const TOKEN: [(A, P); 13] = [
    (A::EcP256, P::Sign),
    (A::EcP384, P::Sign),
    (A::EcP521, P::Sign),
    (A::EcSecp256k1, P::Sign),
    (A::Ed25519, P::Sign),
    (A::Rsa2048, P::Sign),
    (A::Rsa3072, P::Sign),
    (A::Rsa4096, P::Sign),
    (A::EcP256, P::Agree),
    (A::EcP384, P::Agree),
    (A::EcP521, P::Agree),
    (A::Aes256, P::Encrypt),
    (A::HmacSha256, P::Mac),
];

#[test]
fn keys_of_the_enclave_do_what_openssl_expects_also_in_another_process() {
    every_key_works(KeyProtection::Enclave, &ALL);
}

#[test]
fn keys_of_the_token_do_what_openssl_expects_also_in_another_process() {
    every_key_works(KeyProtection::Token, &TOKEN);
}

fn every_key_works(protection: KeyProtection, rows: &[(A, P)]) {
    let (host, _) = Host::with_deployment();
    let (mut enclave, opened) = host.open(2);
    let offered = if protection == KeyProtection::Token { opened.algorithms } else { opened.enclave_algorithms };
    enclave.ensure_kek(1);
    let mut keys = Vec::new();
    for (number, (algorithm, purpose)) in (0..).zip(rows.iter().copied()) {
        assert!(offered.contains(&algorithm.into()), "{algorithm:?}");
        let made = enclave.make(wanted(&version(number), algorithm, purpose, protection));
        assert_eq!(made.wrapped.is_empty(), protection == KeyProtection::Token);
        exercise(&mut enclave, &made);
        keys.push(made);
    }
    enclave.kill();
    let (mut enclave, _) = host.open(1);
    for made in &keys {
        exercise(&mut enclave, made);
    }
    assert_eq!(enclave.end().code(), Some(0));
}

/// What the token has no key for is said, with what it has; the enclave has it.
#[test]
fn a_token_says_what_it_lacks_and_what_it_offers() {
    let (host, _) = Host::with_deployment();
    let (mut enclave, _) = host.open(1);
    for (algorithm, purpose) in ALL.into_iter().filter(|row| !TOKEN.contains(row)) {
        let verb = Verb::GenerateKey(wanted(&version(1), algorithm, purpose, KeyProtection::Token));
        let message = enclave.refused(verb, FaultReason::Unsupported);
        assert!(message.contains("EcP256") && message.contains("ENCLAVE"), "{message}");
    }
}

/// A key serves its purpose and no other; an algorithm serves its purposes and no others.
#[test]
fn purposes_are_held() {
    let (host, _) = Host::with_deployment();
    let (mut enclave, _) = host.open(1);
    enclave.ensure_kek(1);
    let mut number = 0;
    for protection in [KeyProtection::Token, KeyProtection::Enclave] {
        for (algorithm, purpose, mechanism, input) in [
            (A::EcP256, P::Sign, M::Ecdh, vec![1; 91]),
            (A::EcP256, P::Agree, M::Ecdsa, vec![1; 32]),
            (A::Rsa2048, P::Sign, M::RsaOaepSha256Decrypt, vec![1; 256]),
            (A::Aes256, P::Encrypt, M::KwpWrap, vec![1; 32]),
        ] {
            number += 1;
            let made = enclave.make(wanted(&version(number), algorithm, purpose, protection));
            let mut request = made.use_request(mechanism, &input);
            request.key.wrapped.clone_from(&made.wrapped);
            enclave.refused(Verb::UseKey(request.clone()), FaultReason::WrongUse);
            // Whoever lies about the purpose is caught too: by the template of a token's key, by the wrapping of an
            // enclave's, and once that is open, by what it was opened as.
            request.key.purpose = match mechanism {
                M::Ecdh => P::Agree,
                M::Ecdsa => P::Sign,
                M::KwpWrap => P::Wrap,
                _ => P::Encrypt,
            }
            .into();
            if protection == KeyProtection::Enclave {
                enclave.refused(Verb::UseKey(request.clone()), FaultReason::Tampered);
                exercise(&mut enclave, &made);
                request.key.wrapped.clear();
                enclave.refused(Verb::UseKey(request), FaultReason::KeyMismatch);
            } else if matches!(mechanism, M::Ecdsa) {
                enclave.refused(Verb::UseKey(request), FaultReason::WrongUse);
            }
        }
    }
    for (algorithm, purpose) in
        [(A::Ed25519, P::Agree), (A::X25519, P::Sign), (A::HmacSha256, P::Encrypt), (A::EcP256, P::Unspecified)]
    {
        for protection in [KeyProtection::Token, KeyProtection::Enclave] {
            let verb = Verb::GenerateKey(wanted(&version(99), algorithm, purpose, protection));
            enclave.refused(verb, FaultReason::BadRequest);
        }
    }
}

/// Uses a key with every mechanism of its purpose.
fn exercise(enclave: &mut Enclave, made: &Made) {
    match (made.key.purpose(), made.key.algorithm()) {
        (P::Sign, A::EcP256 | A::EcP384 | A::EcP521 | A::EcSecp256k1) => ecdsa(enclave, made),
        (P::Sign, A::Ed25519) => {
            let signature = enclave.use_key(made, M::Eddsa, MESSAGE, &[]);
            assert!(openssl_accepts(&made.public_key, MESSAGE, &signature, &["pkeyutl", "-rawin"]));
        }
        (P::Sign, A::Rsa2048 | A::Rsa3072 | A::Rsa4096) => rsa(enclave, made),
        (P::Sign, A::Sm2) => {
            let signature = ecdsa_der(&enclave.use_key(made, M::Sm2, &[7; 32], &[]));
            assert!(openssl_accepts(&made.public_key, &[7; 32], &signature, &["pkeyutl"]));
            assert!(!openssl_accepts(&made.public_key, &[8; 32], &signature, &["pkeyutl"]));
        }
        (P::Sign, _) => ml_dsa(enclave, made),
        (P::Agree, _) => agree(enclave, made),
        (P::Encrypt, A::Rsa2048) => oaep(enclave, made),
        (P::Encrypt, A::Sm2) => sm2_decrypt(enclave, made),
        (P::Encrypt, _) => {
            gcm(enclave, made);
            gcm_given_nonce(enclave, made);
            cbc(enclave, made);
        }
        (P::Mac, _) => {
            let mac = enclave.use_key(made, M::HmacSha256, MESSAGE, &[]);
            assert_eq!(mac.len(), 32);
            assert_eq!(mac, enclave.use_key(made, M::HmacSha256, MESSAGE, &[]));
            assert_ne!(mac, enclave.use_key(made, M::HmacSha256, b"else", &[]));
            assert_eq!(enclave.use_key(made, M::HmacSha256, b"", &[]).len(), 32);
        }
        (P::Wrap, _) => {
            for length in [1, 16, 32, 2400] {
                let key: Vec<u8> = (0..length).map(|byte| byte as u8).collect();
                let wrapped = enclave.use_key(made, M::KwpWrap, &key, &[]);
                assert_eq!(enclave.use_key(made, M::KwpUnwrap, &wrapped, &[]), key);
                refuses_changes(enclave, made, M::KwpUnwrap, &wrapped);
            }
        }
        other => panic!("{other:?}"),
    }
}

fn ecdsa(enclave: &mut Enclave, made: &Made) {
    let digest = Sha256::digest(MESSAGE);
    for mechanism in [M::Ecdsa, M::EcdsaCanonical] {
        if mechanism == M::EcdsaCanonical && !matches!(made.key.algorithm(), A::EcP256 | A::EcSecp256k1) {
            continue;
        }
        let raw = enclave.use_key(made, mechanism, &digest, &[]);
        assert!(openssl_accepts(&made.public_key, &digest, &ecdsa_der(&raw), &["pkeyutl"]), "{:?}", made.key);
        assert!(!openssl_accepts(&made.public_key, &[1; 32], &ecdsa_der(&raw), &["pkeyutl"]));
        if mechanism == M::EcdsaCanonical {
            // 30 44 02 20 … 02 20 …: both integers take exactly 32 bytes.
            assert_eq!(ecdsa_der(&raw).len(), 70);
        }
    }
}

fn rsa(enclave: &mut Enclave, made: &Made) {
    let info = [&DIGEST_INFO[..], &Sha256::digest(MESSAGE)].concat();
    let signature = enclave.use_key(made, M::RsaPkcs1, &info, &[]);
    assert!(openssl_accepts(&made.public_key, MESSAGE, &signature, &["dgst", "-sha256"]));
    for (mechanism, digest, hash, salt) in [
        (M::RsaPssSha256, Sha256::digest(MESSAGE).to_vec(), "-sha256", "rsa_pss_saltlen:32"),
        (M::RsaPssSha384, Sha384::digest(MESSAGE).to_vec(), "-sha384", "rsa_pss_saltlen:48"),
        (M::RsaPssSha512, Sha512::digest(MESSAGE).to_vec(), "-sha512", "rsa_pss_saltlen:64"),
    ] {
        let signature = enclave.use_key(made, mechanism, &digest, &[]);
        let arguments = ["dgst", hash, "-sigopt", "rsa_padding_mode:pss", "-sigopt", salt];
        assert!(openssl_accepts(&made.public_key, MESSAGE, &signature, &arguments), "{mechanism:?}");
    }
}

/// OpenSSL 3.0 has no ML-DSA: AWS-LC verifies what it made. Vectors of others are tested at `software`.
fn ml_dsa(enclave: &mut Enclave, made: &Made) {
    let algorithm = match made.key.algorithm() {
        A::MlDsa44 => &ML_DSA_44,
        A::MlDsa65 => &ML_DSA_65,
        _ => &ML_DSA_87,
    };
    let info = spki::SubjectPublicKeyInfoRef::from_der(&made.public_key).unwrap();
    let key = UnparsedPublicKey::new(algorithm, info.subject_public_key.raw_bytes());
    let signature = enclave.use_key(made, M::MlDsa, MESSAGE, &[]);
    assert!(key.verify(MESSAGE, &signature).is_ok());
    assert!(key.verify(b"else", &signature).is_err());
}

fn agree(enclave: &mut Enclave, made: &Made) {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let curve = match made.key.algorithm() {
        A::EcP256 => vec!["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        A::EcP384 => vec!["EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
        A::EcP521 => vec!["EC", "-pkeyopt", "ec_paramgen_curve:P-521"],
        _ => vec!["X25519"],
    };
    openssl(&[&["genpkey", "-out", &path("peer"), "-algorithm"], &curve[..]].concat());
    openssl(&["pkey", "-in", &path("peer"), "-pubout", "-outform", "DER", "-out", &path("peer.pub")]);
    fs::write(path("ours"), &made.public_key).unwrap();
    openssl(&["pkey", "-pubin", "-inform", "DER", "-in", &path("ours"), "-pubout", "-out", &path("ours.pem")]);
    let expected = openssl(&["pkeyutl", "-derive", "-inkey", &path("peer"), "-peerkey", &path("ours.pem")]);
    let peer = fs::read(path("peer.pub")).unwrap();
    assert_eq!(enclave.use_key(made, M::Ecdh, &peer, &[]), expected, "{:?}", made.key.algorithm());
    // A point off the curve, a truncated one, another curve's key, and none at all.
    let mut off_curve = peer.clone();
    *off_curve.last_mut().unwrap() ^= 1;
    let low_order = made.key.algorithm() == A::X25519;
    if low_order {
        let zeros = off_curve.len() - 32;
        off_curve[zeros..].fill(0);
    }
    for wrong in [off_curve, peer[..peer.len() - 1].to_vec(), vec![0x30; 64], vec![1; 32]] {
        enclave.refused(Verb::UseKey(made.use_request(M::Ecdh, &wrong)), FaultReason::BadInput);
    }
}

fn oaep(enclave: &mut Enclave, made: &Made) {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("key"), &made.public_key).unwrap();
    fs::write(path("plain"), MESSAGE).unwrap();
    for ((hash, mechanism), label) in [
        ("sha1", M::RsaOaepSha1Decrypt),
        ("sha256", M::RsaOaepSha256Decrypt),
        ("sha384", M::RsaOaepSha384Decrypt),
        ("sha512", M::RsaOaepSha512Decrypt),
    ]
    .into_iter()
    .flat_map(|hash| [(hash, &b""[..]), (hash, b"a label")])
    {
        let (md, mgf1) = (format!("rsa_oaep_md:{hash}"), format!("rsa_mgf1_md:{hash}"));
        let label_option = format!("rsa_oaep_label:{}", hex::encode(label));
        let mut arguments = vec!["pkeyutl", "-encrypt", "-pubin", "-keyform", "DER"];
        let (key, plain) = (path("key"), path("plain"));
        arguments.extend(["-inkey", &key, "-in", &plain, "-pkeyopt", "rsa_padding_mode:oaep"]);
        arguments.extend(["-pkeyopt", &md, "-pkeyopt", &mgf1]);
        if !label.is_empty() {
            arguments.extend(["-pkeyopt", &label_option]);
        }
        let ciphertext = openssl(&arguments);
        assert_eq!(enclave.use_key(made, mechanism, &ciphertext, label), MESSAGE);
        let mut other_label = made.use_request(mechanism, &ciphertext);
        other_label.associated_data = b"another".into();
        enclave.refused(Verb::UseKey(other_label), FaultReason::BadInput);
    }
}

/// SM2Cipher (GM/T 0009 §7.2), as OpenSSL writes it.
#[derive(Sequence)]
struct Sm2Cipher<'a> {
    x: UintRef<'a>,
    y: UintRef<'a>,
    hash: &'a OctetStringRef,
    text: &'a OctetStringRef,
}

fn sm2_decrypt(enclave: &mut Enclave, made: &Made) {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("key"), &made.public_key).unwrap();
    fs::write(path("plain"), MESSAGE).unwrap();
    let (key, plain) = (path("key"), path("plain"));
    let der = openssl(&["pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", &key, "-in", &plain]);
    let cipher = Sm2Cipher::from_der(&der).unwrap();
    let mut input = vec![4];
    for coordinate in [cipher.x, cipher.y] {
        input.extend(std::iter::repeat_n(0, 32 - coordinate.as_bytes().len()));
        input.extend(coordinate.as_bytes());
    }
    input.extend(cipher.hash.as_bytes());
    input.extend(cipher.text.as_bytes());
    assert_eq!(enclave.use_key(made, M::Sm2Decrypt, &input, &[]), MESSAGE);
    refuses_changes(enclave, made, M::Sm2Decrypt, &input);
}

fn gcm(enclave: &mut Enclave, made: &Made) {
    for (plain, data) in [(MESSAGE, &b"context"[..]), (b"", b""), (&[7; 70_000], b"context")] {
        let sealed = enclave.use_key(made, M::GcmEncrypt, plain, data);
        assert_eq!(sealed.len(), 12 + plain.len() + 16);
        assert_ne!(sealed, enclave.use_key(made, M::GcmEncrypt, plain, data), "nonces differ");
        assert_eq!(enclave.use_key(made, M::GcmDecrypt, &sealed, data), plain);
        let mut other_data = made.use_request(M::GcmDecrypt, &sealed);
        other_data.associated_data = b"another".into();
        enclave.refused(Verb::UseKey(other_data), FaultReason::BadInput);
        let mut changed = sealed.clone();
        *changed.last_mut().unwrap() ^= 1;
        enclave.refused(Verb::UseKey(made.use_request(M::GcmDecrypt, &changed)), FaultReason::BadInput);
        assert_eq!(enclave.use_key(made, M::GcmDecrypt, &sealed, data), plain, "the process is none the worse");
    }
    enclave.refused(Verb::UseKey(made.use_request(M::GcmDecrypt, &[1; 27])), FaultReason::BadInput);
}

fn gcm_given_nonce(enclave: &mut Enclave, made: &Made) {
    for (plain, data) in [(MESSAGE, &b"context"[..]), (b"", b""), (&[7; 70_000], b"context")] {
        let given = |nonce: &[u8]| UseKey {
            iv: nonce.into(),
            associated_data: data.into(),
            ..made.use_request(M::GcmEncryptGivenNonce, plain)
        };
        let sealed = enclave.used(made, given(&[5; 12]));
        assert_eq!(sealed.len(), plain.len() + 16);
        assert_eq!(sealed, enclave.used(made, given(&[5; 12])), "nothing is drawn");
        let whole = [&[5; 12][..], &sealed].concat();
        assert_eq!(enclave.use_key(made, M::GcmDecrypt, &whole, data), plain);
        for nonce in [&[][..], &[5; 11], &[5; 16]] {
            enclave.refused(Verb::UseKey(given(nonce)), FaultReason::BadRequest);
        }
    }
}

/// Blocks of the plain text that are equal tell that it is CBC: the second is encrypted as the first would be with the
/// first's ciphertext as its vector. (Published vectors, and openssl, judge the same code with known keys in the enclave;
/// the token's is its own.)
fn cbc(enclave: &mut Enclave, made: &Made) {
    let request = |mechanism, iv: &[u8], input: &[u8]| UseKey { iv: iv.into(), ..made.use_request(mechanism, input) };
    let iv = [3; 16];
    let sealed = enclave.used(made, request(M::CbcEncrypt, &iv, &[7; 48]));
    assert_eq!(sealed.len(), 48);
    for block in 1..3 {
        let before = &sealed[16 * (block - 1)..16 * block];
        let alone = enclave.used(made, request(M::CbcEncrypt, before, &[7; 16]));
        assert_eq!(alone, sealed[16 * block..16 * (block + 1)]);
    }
    assert_eq!(enclave.used(made, request(M::CbcDecrypt, &iv, &sealed)), [7; 48]);
    for length in [0, 1, 15, 16, 17, 70_000] {
        let plain = vec![9; length];
        let sealed = enclave.used(made, request(M::CbcPadEncrypt, &iv, &plain));
        assert_eq!(sealed.len(), length + 16 - length % 16);
        assert_eq!(enclave.used(made, request(M::CbcPadDecrypt, &iv, &sealed)), plain);
        let whole = enclave.used(made, request(M::CbcDecrypt, &iv, &sealed));
        assert!(whole[length..].iter().all(|byte| usize::from(*byte) == sealed.len() - length), "PKCS #7");
    }
    // Blocks that end in no padding: one answer, and the process is none the worse.
    let mut answers = std::collections::BTreeSet::new();
    for last in [0, 17, 2, 255] {
        let sealed = enclave.used(made, request(M::CbcEncrypt, &iv, &[[7; 31].as_slice(), &[last]].concat()));
        let verb = Verb::UseKey(request(M::CbcPadDecrypt, &iv, &sealed));
        answers.insert(enclave.refused(verb, FaultReason::BadInput));
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    for (mechanism, iv, length, reason) in [
        (M::CbcEncrypt, 16, 0, FaultReason::BadInput),
        (M::CbcEncrypt, 16, 17, FaultReason::BadInput),
        (M::CbcDecrypt, 16, 15, FaultReason::BadInput),
        (M::CbcPadDecrypt, 16, 0, FaultReason::BadInput),
        (M::CbcPadDecrypt, 16, 33, FaultReason::BadInput),
        (M::CbcEncrypt, 12, 16, FaultReason::BadRequest),
        (M::CbcPadDecrypt, 0, 16, FaultReason::BadRequest),
        (M::GcmEncrypt, 12, 16, FaultReason::BadRequest),
    ] {
        enclave.refused(Verb::UseKey(request(mechanism, &vec![3; iv], &vec![7; length])), reason);
    }
    let with_data = UseKey { associated_data: b"data".into(), ..request(M::CbcEncrypt, &[3; 16], &[7; 16]) };
    enclave.refused(Verb::UseKey(with_data), FaultReason::BadRequest);
}

fn refuses_changes(enclave: &mut Enclave, made: &Made, mechanism: M, input: &[u8]) {
    for place in [0, input.len() / 2, input.len() - 1] {
        let mut changed = input.to_vec();
        changed[place] ^= 1;
        enclave.refused(Verb::UseKey(made.use_request(mechanism, &changed)), FaultReason::BadInput);
    }
}

fn openssl(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("openssl").args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

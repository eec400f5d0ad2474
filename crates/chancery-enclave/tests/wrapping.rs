//! Key-encryption keys, wrapping anew, and blobs that were tampered with: found out, and never blamed on the token.

mod harness;

use chancery_ipc::{
    DestroyKek, EnsureKek, FaultReason, GenerateKey, KeyAlgorithm, KeyOrigin, KeyProtection, KeyPurpose, KeyRef,
    Mechanism, Rewrap, UseKey, request::Verb, response::Result as Reply,
};
use harness::*;

/// SoftHSM 2.6.1 overlooks the first name of such a list: it removes CKM_AES_GCM, and not CKM_MD5.
const WITHOUT_GCM: &str = "-CKM_MD5,CKM_AES_GCM";

fn rewrap(enclave: &mut Enclave, made: &Made, kek_generation: u64) -> Made {
    let key = KeyRef { wrapped: made.wrapped.clone(), ..made.key.clone() };
    match enclave.call(Verb::Rewrap(Rewrap { key, kek_generation })) {
        Reply::Rewrapped(rewrapped) => {
            assert_eq!(rewrapped.version, made.key.version);
            Made { wrapped: rewrapped.wrapped, ..made.clone() }
        }
        other => panic!("{other:?}"),
    }
}

fn destroy_kek(enclave: &mut Enclave, generation: u64) -> bool {
    match enclave.call(Verb::DestroyKek(DestroyKek { organization: "org1".into(), generation })) {
        Reply::KekDestroyed(destroyed) => destroyed.was_there,
        other => panic!("{other:?}"),
    }
}

fn signs(enclave: &mut Enclave, made: &Made) {
    let reply = enclave.call(made.sign_opening());
    let Reply::KeyUsed(used) = reply else { panic!("{reply:?}") };
    assert!(openssl_accepts(&made.public_key, &[1; 32], &ecdsa_der(&used.output), &["pkeyutl"]));
}

#[test]
fn a_key_encryption_key_is_made_once_and_found_by_another_process() {
    let (host, _) = Host::with_deployment();
    let (mut enclave, _) = host.open(1);
    let ready = enclave.ensure_kek(1);
    assert!(ready.created);
    assert_eq!(ready.mechanism, "CKM_AES_GCM");
    assert!(!enclave.ensure_kek(1).created);
    let made = enclave.make_p256(&version(1));
    enclave.kill();
    let (mut enclave, _) = host.open(1);
    assert!(!enclave.ensure_kek(1).created);
    signs(&mut enclave, &made);
    for (organization, generation) in [("org1", 0), ("", 1), ("org1/keys", 1), ("a\u{0}", 1)] {
        let verb = Verb::EnsureKek(EnsureKek { organization: organization.into(), generation });
        enclave.refused(verb, FaultReason::BadRequest);
    }
}

/// With another tool: it can't be read out, and encrypts and decrypts only.
#[test]
fn a_key_encryption_key_stands_in_the_token_as_documented() {
    use sha2::{Digest, Sha256};
    let (host, _) = Host::with_deployment();
    host.open(1).0.ensure_kek(3);
    let id = hex::encode(Sha256::digest(format!("chancery object v1\0{DEPLOYMENT}\0system/kek/org1/3")));
    let output = host
        .tool("pkcs11-tool")
        .args(["--module", SOFTHSM, "--token-label", LABEL, "--login", "--pin", PIN, "--list-objects", "--id", &id])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.matches("label:      chancery kek").count(), 1, "{text}");
    assert!(text.contains("sensitive, always sensitive, never extractable, local"), "{text}");
    assert!(text.contains("AES length 32"), "{text}");
    assert!(text.lines().any(|line| line.trim() == "Usage:      encrypt, decrypt"), "{text}");
}

#[test]
fn a_key_needs_its_generation() {
    let (host, _) = Host::with_deployment();
    let (mut enclave, _) = host.open(1);
    let wanted = |kek_generation| {
        let wanted = wanted(&version(1), KeyAlgorithm::EcP256, KeyPurpose::Sign, KeyProtection::Enclave);
        Verb::GenerateKey(GenerateKey { kek_generation, ..wanted })
    };
    enclave.refused(wanted(1), FaultReason::KekNotFound);
    enclave.refused(wanted(0), FaultReason::BadRequest);
    enclave.ensure_kek(1);
    enclave.refused(wanted(2), FaultReason::KekNotFound);
    // Nothing was counted.
    let Reply::KeyGenerated(made) = enclave.call(wanted(1)) else { panic!() };
    assert_eq!(made.operation.number, 1);
}

#[test]
fn rewrap_moves_a_key_to_a_new_generation_and_the_old_one_ends() {
    for mechanisms in ["ALL", WITHOUT_GCM] {
        let (host, _) = Host::with_deployment();
        host.limit_mechanisms(mechanisms);
        let (mut enclave, opened) = host.open(2);
        assert_eq!(opened.enclave_algorithms.len(), 16);
        let expected = if mechanisms == "ALL" { "CKM_AES_GCM" } else { "CKM_AES_CBC" };
        assert_eq!(enclave.ensure_kek(1).mechanism, expected);
        let old = enclave.make_p256(&version(1));
        let left_behind = enclave.make_p256(&version(2));
        assert!(enclave.ensure_kek(2).created);
        let new = rewrap(&mut enclave, &old, 2);
        assert_ne!(new.wrapped, old.wrapped);
        assert_ne!(rewrap(&mut enclave, &old, 2).wrapped, new.wrapped, "each time another data key");
        assert!(destroy_kek(&mut enclave, 1));
        assert!(!destroy_kek(&mut enclave, 1));
        let message = enclave.refused(old.sign_opening(), FaultReason::KekNotFound);
        assert!(message.contains("generation 1 of org1"), "{message}");
        enclave.refused(left_behind.sign_opening(), FaultReason::KekNotFound);
        signs(&mut enclave, &new);
        enclave.kill();
        let (mut enclave, _) = host.open(1);
        enclave.refused(old.sign_opening(), FaultReason::KekNotFound);
        signs(&mut enclave, &new);
    }
}

/// What a token with GCM wrapped opens after GCM was taken from it no more, and what CBC wrapped always does.
#[test]
fn the_mechanism_stands_in_the_blob() {
    let (host, _) = Host::with_deployment();
    let all = std::fs::read_to_string(host.path("softhsm2.conf")).unwrap();
    host.limit_mechanisms(WITHOUT_GCM);
    let (mut enclave, _) = host.open(1);
    enclave.ensure_kek(1);
    let cbc = enclave.make_p256(&version(1));
    enclave.end();
    std::fs::write(host.path("softhsm2.conf"), all).unwrap();
    let (mut enclave, _) = host.open(1);
    let gcm = enclave.make_p256(&version(2));
    signs(&mut enclave, &cbc);
    signs(&mut enclave, &gcm);
}

#[test]
fn a_token_without_a_mechanism_for_it_has_no_enclave_keys() {
    let (host, _) = Host::with_deployment();
    host.limit_mechanisms("-CKM_MD5,CKM_AES_GCM,CKM_AES_CBC");
    let (mut enclave, opened) = host.open(1);
    assert!(opened.enclave_algorithms.is_empty());
    let ensure = EnsureKek { organization: "org1".into(), generation: 1 };
    enclave.refused(Verb::EnsureKek(ensure), FaultReason::Unsupported);
    let wanted = wanted(&version(1), KeyAlgorithm::EcP256, KeyPurpose::Sign, KeyProtection::Enclave);
    let message = enclave.refused(Verb::GenerateKey(wanted), FaultReason::Unsupported);
    assert!(message.contains("TOKEN"), "{message}");
}

/// Every bit of a blob, under either mechanism: refused as tampered with (or as wrapped under a generation that is not
/// there), while the process lives on and signs.
#[test]
fn every_flipped_bit_of_a_blob_is_found_out() {
    for mechanisms in ["ALL", WITHOUT_GCM] {
        let (host, _) = Host::with_deployment();
        host.limit_mechanisms(mechanisms);
        let (mut enclave, _) = host.open(1);
        // The flip of a bit of the generation leads to one that is there, too.
        enclave.ensure_kek(1);
        enclave.ensure_kek(3);
        let made = enclave.make_p256(&version(1));
        let other = enclave.make_p256(&version(2));
        let mut missing = 0;
        for bit in 0..8 * made.wrapped.len() {
            let mut changed = made.clone();
            changed.wrapped[bit / 8] ^= 1 << (bit % 8);
            let fault = enclave.fault(changed.sign_opening());
            match fault.reason() {
                FaultReason::Tampered => {}
                FaultReason::KekNotFound => missing += 1,
                reason => panic!("bit {bit}: {reason:?} {}", fault.message),
            }
            assert!(!fault.maybe_performed);
            if bit % 64 == 0 {
                signs(&mut enclave, &other);
            }
        }
        assert!(missing <= 6, "{missing} bits of the generation");
        for length in 0..made.wrapped.len() {
            let wrapped = made.wrapped[..length].to_vec();
            // None at all is a key that is not open.
            let reason = if length == 0 { FaultReason::KeyNotOpen } else { FaultReason::Tampered };
            enclave.refused(Made { wrapped, ..made.clone() }.sign_opening(), reason);
        }
        signs(&mut enclave, &made);
        assert_eq!(enclave.end().code(), Some(0));
    }
}

/// A blob opens as what it was wrapped as, and as nothing else.
#[test]
fn every_field_of_a_key_is_held_against_its_blob() {
    let (host, _) = Host::with_deployment();
    let (mut enclave, _) = host.open(1);
    enclave.ensure_kek(1);
    let made = enclave.make_p256(&version(1));
    let key = || KeyRef { wrapped: made.wrapped.clone(), ..made.key.clone() };
    let sibling = enclave.make_p256(&version(2));
    for (what, key, mechanism, length) in [
        ("version", KeyRef { version: version(2), ..key() }, Mechanism::Ecdsa, 32),
        ("algorithm", KeyRef { algorithm: KeyAlgorithm::EcSecp256k1.into(), ..key() }, Mechanism::Ecdsa, 32),
        ("purpose", KeyRef { purpose: KeyPurpose::Agree.into(), ..key() }, Mechanism::Ecdh, 91),
        ("origin", KeyRef { origin: KeyOrigin::Imported.into(), ..key() }, Mechanism::Ecdsa, 32),
        (
            "public key",
            KeyRef { public_key_sha256: sibling.key.public_key_sha256.clone(), ..key() },
            Mechanism::Ecdsa,
            32,
        ),
    ] {
        let (mechanism, input) = (mechanism.into(), vec![1; length]);
        let request = UseKey { key, mechanism, input, associated_data: Vec::new(), iv: Vec::new() };
        let message = enclave.refused(Verb::UseKey(request.clone()), FaultReason::Tampered);
        assert!(message.contains("backup"), "{what}: {message}");
        // The same refusal stands before a rewrap.
        let rewrap = Rewrap { key: request.key, kek_generation: 1 };
        enclave.refused(Verb::Rewrap(rewrap), FaultReason::Tampered);
    }
    // Another organization has a key-encryption key of its own, or none.
    let foreign = KeyRef { version: "organizations/org2/keys/key1/versions/1".into(), ..key() };
    let request = |key| {
        Verb::UseKey(UseKey {
            key,
            mechanism: Mechanism::Ecdsa.into(),
            input: vec![1; 32],
            associated_data: Vec::new(),
            iv: Vec::new(),
        })
    };
    enclave.refused(request(foreign.clone()), FaultReason::KekNotFound);
    let ensure = EnsureKek { organization: "org2".into(), generation: 1 };
    assert!(matches!(enclave.call(Verb::EnsureKek(ensure)), Reply::KekReady(_)));
    enclave.refused(request(foreign), FaultReason::Tampered);
    signs(&mut enclave, &made);
}

/// Every pair of blobs, swapped.
#[test]
fn every_swapped_pair_of_blobs_is_found_out() {
    let (host, _) = Host::with_deployment();
    let (mut enclave, _) = host.open(2);
    enclave.ensure_kek(1);
    let rows = [
        (KeyAlgorithm::EcP256, KeyPurpose::Sign, Mechanism::Ecdsa, 32),
        (KeyAlgorithm::EcP256, KeyPurpose::Sign, Mechanism::Ecdsa, 32),
        (KeyAlgorithm::EcP256, KeyPurpose::Agree, Mechanism::Ecdh, 91),
        (KeyAlgorithm::Ed25519, KeyPurpose::Sign, Mechanism::Eddsa, 32),
        (KeyAlgorithm::Aes256, KeyPurpose::Encrypt, Mechanism::GcmEncrypt, 32),
        (KeyAlgorithm::Aes256, KeyPurpose::Wrap, Mechanism::KwpWrap, 32),
        (KeyAlgorithm::HmacSha256, KeyPurpose::Mac, Mechanism::HmacSha256, 32),
        (KeyAlgorithm::Sm2, KeyPurpose::Sign, Mechanism::Sm2, 32),
    ];
    let made: Vec<_> = (0..)
        .zip(rows)
        .map(|(number, (algorithm, purpose, ..))| {
            enclave.make(wanted(&version(number), algorithm, purpose, KeyProtection::Enclave))
        })
        .collect();
    for (one, (_, _, mechanism, length)) in made.iter().zip(rows) {
        for other in &made {
            if one.key.version != other.key.version {
                let mut request = one.use_request(mechanism, &vec![1; length]);
                request.key.wrapped.clone_from(&other.wrapped);
                enclave.refused(Verb::UseKey(request), FaultReason::Tampered);
            }
        }
    }
    for (one, (_, _, mechanism, length)) in made.iter().zip(rows).filter(|(_, row)| row.2 != Mechanism::Ecdh) {
        enclave.use_key(one, mechanism, &vec![1; length], &[]);
    }
}

/// Another deployment, on a token of its own: its key-encryption key of the same organization and generation is another.
#[test]
fn another_tokens_blob_is_found_out() {
    let (host, _) = Host::with_deployment();
    let (elsewhere, _) = Host::with_deployment();
    let (mut enclave, _) = host.open(1);
    let (mut foreign, _) = elsewhere.open(1);
    enclave.ensure_kek(1);
    foreign.ensure_kek(1);
    let made = foreign.make_p256(&version(1));
    enclave.refused(made.sign_opening(), FaultReason::Tampered);
    let own = enclave.make_p256(&version(1));
    signs(&mut enclave, &own);
    signs(&mut foreign, &made);
}

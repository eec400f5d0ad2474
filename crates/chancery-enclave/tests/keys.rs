//! Making, using and destroying keys of every algorithm, judged by the `openssl` command line.

mod harness;

use std::collections::HashSet;

use chancery_ipc::{
    DestroyKey, FaultReason, KeyAlgorithm, KeyRef, Mechanism, UseKey, request::Verb, response::Result as Reply,
};
use harness::*;
use sha2::{Digest, Sha256, Sha384, Sha512};

const MESSAGE: &[u8] = b"the great seal of the chancery";

/// DigestInfo of SHA-256 (RFC 8017 §9.2 note 1), less the digest.
const DIGEST_INFO: [u8; 19] =
    [0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20];

fn destroy(version: &str) -> Verb {
    Verb::DestroyKey(DestroyKey { version: version.into() })
}

/// Signs with every mechanism of the algorithm and lets OpenSSL judge.
fn sign_and_verify(enclave: &mut Enclave, name: &str, key: &[u8], algorithm: KeyAlgorithm) {
    let pss =
        |hash: &'static str, salt: &'static str| vec!["dgst", hash, "-sigopt", "rsa_padding_mode:pss", "-sigopt", salt];
    match algorithm {
        KeyAlgorithm::EcP256 | KeyAlgorithm::EcP384 | KeyAlgorithm::EcP521 | KeyAlgorithm::EcSecp256k1 => {
            for digest in [Sha256::digest(MESSAGE).to_vec(), Sha512::digest(MESSAGE).to_vec()] {
                let signature = enclave.sign(name, key, Mechanism::Ecdsa, &digest).output;
                let width = match algorithm {
                    KeyAlgorithm::EcP384 => 48,
                    KeyAlgorithm::EcP521 => 66,
                    _ => 32,
                };
                assert_eq!(signature.len(), 2 * width);
                assert!(openssl_accepts(key, &digest, &ecdsa_der(&signature), &["pkeyutl"]), "{algorithm:?}");
                assert!(!openssl_accepts(key, &[1; 32], &ecdsa_der(&signature), &["pkeyutl"]), "{algorithm:?}");
            }
        }
        KeyAlgorithm::Ed25519 => {
            let signature = enclave.sign(name, key, Mechanism::Eddsa, MESSAGE).output;
            assert!(openssl_accepts(key, MESSAGE, &signature, &["pkeyutl", "-rawin"]));
            assert!(!openssl_accepts(key, b"else", &signature, &["pkeyutl", "-rawin"]));
        }
        KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => {
            let info = [&DIGEST_INFO[..], &Sha256::digest(MESSAGE)].concat();
            let signature = enclave.sign(name, key, Mechanism::RsaPkcs1, &info).output;
            assert!(openssl_accepts(key, MESSAGE, &signature, &["dgst", "-sha256"]));
            assert!(!openssl_accepts(key, b"else", &signature, &["dgst", "-sha256"]));
            for (mechanism, digest, arguments) in [
                (Mechanism::RsaPssSha256, Sha256::digest(MESSAGE).to_vec(), pss("-sha256", "rsa_pss_saltlen:32")),
                (Mechanism::RsaPssSha384, Sha384::digest(MESSAGE).to_vec(), pss("-sha384", "rsa_pss_saltlen:48")),
                (Mechanism::RsaPssSha512, Sha512::digest(MESSAGE).to_vec(), pss("-sha512", "rsa_pss_saltlen:64")),
            ] {
                let signature = enclave.sign(name, key, mechanism, &digest).output;
                assert!(openssl_accepts(key, MESSAGE, &signature, &arguments), "{mechanism:?}");
            }
        }
        other => panic!("{other:?} signs nothing in a token"),
    }
}

const ALGORITHMS: [KeyAlgorithm; 8] = [
    KeyAlgorithm::EcP256,
    KeyAlgorithm::EcP384,
    KeyAlgorithm::EcP521,
    KeyAlgorithm::EcSecp256k1,
    KeyAlgorithm::Ed25519,
    KeyAlgorithm::Rsa2048,
    KeyAlgorithm::Rsa3072,
    KeyAlgorithm::Rsa4096,
];

#[test]
fn every_algorithm_signs_what_openssl_accepts_also_after_a_kill() {
    let (host, _) = Host::with_deployment();
    let (mut enclave, _) = host.open(2);
    let mut keys = Vec::new();
    for (number, algorithm) in (0..).zip(ALGORITHMS) {
        let name = version(number);
        let generated = enclave.generate(&name, algorithm);
        sign_and_verify(&mut enclave, &name, &generated.public_key, algorithm);
        keys.push((name, generated.public_key, algorithm));
    }
    assert_eq!(keys.iter().map(|(_, key, _)| key).collect::<HashSet<_>>().len(), 8);
    enclave.kill();
    let (mut enclave, _) = host.open(1);
    for (name, key, algorithm) in &keys {
        sign_and_verify(&mut enclave, name, key, *algorithm);
    }
    assert_eq!(enclave.end().code(), Some(0));
}

#[test]
fn a_key_is_made_once_and_checked_against_what_was_registered() {
    let (host, _) = Host::with_deployment();
    let (mut enclave, _) = host.open(1);
    let (one, two) = (version(1), version(2));
    let key = enclave.generate(&one, KeyAlgorithm::EcP256).public_key;
    let other = enclave.generate(&two, KeyAlgorithm::EcP256).public_key;
    enclave.refused(generate(&one, KeyAlgorithm::EcP256), FaultReason::KeyExists);
    enclave.refused(generate(&one, KeyAlgorithm::Ed25519), FaultReason::KeyExists);

    // Before and after the handle is known.
    enclave.refused(sign(&one, &other, Mechanism::Ecdsa, &[1; 32]), FaultReason::KeyMismatch);
    enclave.sign(&one, &key, Mechanism::Ecdsa, &[1; 32]);
    enclave.refused(sign(&one, &other, Mechanism::Ecdsa, &[1; 32]), FaultReason::KeyMismatch);
    enclave.refused(sign(&version(3), &key, Mechanism::Ecdsa, &[1; 32]), FaultReason::KeyNotFound);
}

#[test]
fn system_keys_cannot_be_named() {
    let (host, created) = Host::with_deployment();
    let (mut enclave, _) = host.open(1);
    for name in ["system/audit", "system/ca", "", "organizations", "chancery audit key"] {
        enclave.refused(generate(name, KeyAlgorithm::EcP256), FaultReason::BadRequest);
        enclave.refused(destroy(name), FaultReason::BadRequest);
        for key in [&created.audit_public_key, &created.ca_public_key] {
            enclave.refused(sign(name, key, Mechanism::Eddsa, b"x"), FaultReason::BadRequest);
            enclave.refused(sign(name, key, Mechanism::Ecdsa, &[1; 32]), FaultReason::BadRequest);
        }
    }
}

#[test]
fn inputs_and_mechanisms_must_suit_the_key() {
    let (host, _) = Host::with_deployment();
    let (mut enclave, _) = host.open(1);
    let (ec, ed) = (version(1), version(2));
    let ec_key = enclave.generate(&ec, KeyAlgorithm::EcP256).public_key;
    let ed_key = enclave.generate(&ed, KeyAlgorithm::Ed25519).public_key;
    for (name, key, mechanism, length) in [
        (&ec, &ec_key, Mechanism::Ecdsa, 0),
        (&ec, &ec_key, Mechanism::Ecdsa, 67),
        (&ec, &ec_key, Mechanism::Eddsa, 32),
        (&ec, &ec_key, Mechanism::RsaPkcs1, 51),
        (&ec, &ec_key, Mechanism::RsaPssSha256, 32),
        (&ec, &ec_key, Mechanism::Unspecified, 32),
        (&ed, &ed_key, Mechanism::Ecdsa, 32),
        (&ed, &ed_key, Mechanism::RsaPssSha256, 31),
    ] {
        enclave.refused(sign(name, key, mechanism, &vec![1; length]), FaultReason::BadRequest);
    }
    let request = UseKey {
        key: KeyRef { public_key_sha256: vec![0; 31], ..key_ref(&ec, &ec_key) },
        mechanism: Mechanism::Ecdsa.into(),
        input: vec![1; 32],
        associated_data: Vec::new(),
        iv: Vec::new(),
    };
    enclave.refused(Verb::UseKey(request), FaultReason::BadRequest);
    enclave.refused(generate(&version(3), KeyAlgorithm::Unspecified), FaultReason::BadRequest);

    // The process is none the worse, and Ed25519 takes any length.
    for length in [0, 1, 200_000] {
        let message = vec![7; length];
        let signature = enclave.sign(&ed, &ed_key, Mechanism::Eddsa, &message).output;
        // OpenSSL's -rawin refuses an empty file.
        assert!(length == 0 || openssl_accepts(&ed_key, &message, &signature, &["pkeyutl", "-rawin"]));
    }
}

#[test]
fn a_destroyed_key_is_gone_and_its_name_free() {
    let (host, _) = Host::with_deployment();
    let (mut enclave, _) = host.open(2);
    let name = version(1);
    let first = enclave.generate(&name, KeyAlgorithm::EcP256).public_key;
    enclave.sign(&name, &first, Mechanism::Ecdsa, &[1; 32]);
    let Reply::KeyDestroyed(destroyed) = enclave.call(destroy(&name)) else { panic!() };
    assert_eq!(destroyed.objects, 2);
    enclave.refused(sign(&name, &first, Mechanism::Ecdsa, &[1; 32]), FaultReason::KeyNotFound);
    let Reply::KeyDestroyed(destroyed) = enclave.call(destroy(&name)) else { panic!() };
    assert_eq!(destroyed.objects, 0);

    let second = enclave.generate(&name, KeyAlgorithm::EcP256).public_key;
    enclave.refused(sign(&name, &first, Mechanism::Ecdsa, &[1; 32]), FaultReason::KeyMismatch);
    let signature = enclave.sign(&name, &second, Mechanism::Ecdsa, &[1; 32]).output;
    assert!(openssl_accepts(&second, &[1; 32], &ecdsa_der(&signature), &["pkeyutl"]));
}

/// Destruction in the midst of signing: each signature is made or refused, and none comes after it.
#[test]
fn a_key_is_destroyed_while_it_signs() {
    let (host, _) = Host::with_deployment();
    let (mut enclave, _) = host.open(2);
    let name = version(1);
    let key = enclave.generate(&name, KeyAlgorithm::EcP256).public_key;
    let mut requests: Vec<_> =
        (0..1200).map(|_| enclave.request(sign(&name, &key, Mechanism::Ecdsa, &[1; 32]), 0)).collect();
    let destruction = enclave.request(destroy(&name), 0);
    requests.insert(300, destruction.clone());
    enclave.send(&requests);
    let mut signed = 0;
    let mut destroyed = false;
    for _ in 0..requests.len() {
        match enclave.receive().unwrap().result.unwrap() {
            Reply::KeyUsed(_) => signed += 1,
            Reply::Fault(fault) => assert_eq!(fault.reason(), FaultReason::KeyNotFound, "{}", fault.message),
            Reply::KeyDestroyed(reply) => destroyed = reply.objects == 2,
            other => panic!("{other:?}"),
        }
    }
    assert!(destroyed && signed < 1200, "{signed} signed");
    enclave.refused(sign(&name, &key, Mechanism::Ecdsa, &[1; 32]), FaultReason::KeyNotFound);
}

/// Another process removes the object: the stale handle is noticed and nothing else breaks.
#[test]
fn a_key_removed_by_another_process_is_not_found() {
    let (host, _) = Host::with_deployment();
    let (mut enclave, _) = host.open(1);
    let (gone, kept) = (version(1), version(2));
    let gone_key = enclave.generate(&gone, KeyAlgorithm::EcP256).public_key;
    let kept_key = enclave.generate(&kept, KeyAlgorithm::EcP256).public_key;
    enclave.sign(&gone, &gone_key, Mechanism::Ecdsa, &[1; 32]);
    enclave.sign(&kept, &kept_key, Mechanism::Ecdsa, &[1; 32]);
    let (mut other, _) = host.open(1);
    assert!(matches!(other.call(destroy(&gone)), Reply::KeyDestroyed(_)));
    enclave.refused(sign(&gone, &gone_key, Mechanism::Ecdsa, &[1; 32]), FaultReason::KeyNotFound);
    enclave.sign(&kept, &kept_key, Mechanism::Ecdsa, &[1; 32]);
}

#[test]
fn half_a_pair_is_not_used() {
    let (host, _) = Host::with_deployment();
    let name = version(1);
    let key = host.open(1).0.generate(&name, KeyAlgorithm::EcP256).public_key;
    let removed = host
        .tool("pkcs11-tool")
        .args(["--module", SOFTHSM, "--token-label", LABEL, "--login", "--pin", PIN])
        .args(["--delete-object", "--type", "pubkey", "--label", &name])
        .output()
        .unwrap();
    assert!(removed.status.success(), "{removed:?}");
    let (mut enclave, _) = host.open(1);
    let message = enclave.refused(sign(&name, &key, Mechanism::Ecdsa, &[1; 32]), FaultReason::KeyMismatch);
    assert!(message.contains("1 private and 0 public"), "{message}");
    // What is left of it still blocks its name, and can be destroyed.
    enclave.refused(generate(&name, KeyAlgorithm::EcP256), FaultReason::KeyExists);
    let Reply::KeyDestroyed(destroyed) = enclave.call(destroy(&name)) else { panic!() };
    assert_eq!(destroyed.objects, 1);
}

#[test]
fn operations_are_counted_and_first_uses_are_marked() {
    let (host, _) = Host::with_deployment();
    let (mut enclave, _) = host.open(1);
    let (one, two) = (version(1), version(2));
    let first = enclave.generate(&one, KeyAlgorithm::EcP256);
    let second = enclave.generate(&two, KeyAlgorithm::Ed25519);
    assert_eq!((first.operation.number, second.operation.number), (1, 2));
    // What was not performed has no number.
    let other = enclave.generate(&version(3), KeyAlgorithm::EcP256);
    assert_eq!(other.operation.number, 3);
    enclave.refused(sign(&one, &other.public_key, Mechanism::Ecdsa, &[1; 32]), FaultReason::KeyMismatch);
    let mut ecdsa = || {
        let signed = enclave.sign(&one, &first.public_key, Mechanism::Ecdsa, &[1; 32]);
        (signed.operation.number, signed.first_on_handle)
    };
    assert_eq!([ecdsa(), ecdsa(), ecdsa()], [(4, true), (5, false), (6, false)]);
    let mut eddsa = || {
        let signed = enclave.sign(&two, &second.public_key, Mechanism::Eddsa, b"x");
        (signed.operation.number, signed.first_on_handle)
    };
    assert_eq!([eddsa(), eddsa()], [(7, true), (8, false)]);
}

#[test]
fn an_expired_request_is_not_performed() {
    let (host, _) = Host::with_deployment();
    let (mut enclave, _) = host.open(1);
    let name = version(1);
    let key = enclave.generate(&name, KeyAlgorithm::EcP256).public_key;
    for verb in [sign(&name, &key, Mechanism::Ecdsa, &[1; 32]), generate(&version(2), KeyAlgorithm::EcP256)] {
        let request = enclave.request(verb, 1);
        enclave.send(&[request]);
        let Some(Reply::Fault(fault)) = enclave.receive().unwrap().result else { panic!() };
        assert_eq!(fault.reason(), FaultReason::Expired);
    }
    // Nothing was counted, nothing was made.
    assert_eq!(enclave.sign(&name, &key, Mechanism::Ecdsa, &[1; 32]).operation.number, 2);
    enclave.refused(sign(&version(2), &key, Mechanism::Ecdsa, &[1; 32]), FaultReason::KeyNotFound);
}

#[test]
fn two_thousand_pipelined_signatures_are_each_answered_once() {
    let (host, _) = Host::with_deployment();
    let (mut enclave, _) = host.open(2);
    let names = [version(1), version(2)];
    let keys = names.clone().map(|name| enclave.generate(&name, KeyAlgorithm::EcP256).public_key);
    let digest = |number: usize| Sha256::digest(number.to_le_bytes()).to_vec();
    let requests: Vec<_> = (0..2000_usize)
        .map(|number| {
            let key = number % 2;
            enclave.request(sign(&names[key], &keys[key], Mechanism::Ecdsa, &digest(number)), 0)
        })
        .collect();
    let mut writer = harness_clone(&enclave);
    let sent = requests.clone();
    let sender = std::thread::spawn(move || writer.send(&sent));
    let mut operations = HashSet::new();
    let mut seen = HashSet::new();
    let mut samples = Vec::new();
    for _ in 0..2000 {
        let response = enclave.receive().unwrap();
        let number = requests.iter().position(|request| request.id == response.id).unwrap();
        assert!(seen.insert(number), "answered twice: {number}");
        let Some(Reply::KeyUsed(signed)) = response.result else { panic!("{:?}", response.result) };
        assert_eq!(signed.version, names[number % 2]);
        assert_eq!(signed.input_sha256, Sha256::digest(digest(number)).to_vec());
        assert!(operations.insert(signed.operation.number));
        if number % 200 < 2 {
            samples.push((number, signed.output));
        }
    }
    sender.join().unwrap();
    assert_eq!(operations, (3..=2002).collect::<HashSet<u64>>());
    for (number, signature) in samples {
        assert!(openssl_accepts(&keys[number % 2], &digest(number), &ecdsa_der(&signature), &["pkeyutl"]));
    }
}

/// More than the queue holds, while nobody reads replies: the enclave stops reading and loses nothing. (Most are refused: the
/// log shows none of it. See tests/witness.rs.)
#[test]
fn a_flood_is_held_back_and_all_of_it_answered() {
    let (host, _) = Host::with_deployment();
    let (mut enclave, _) = host.open(2);
    let name = version(1);
    let key = enclave.generate(&name, KeyAlgorithm::EcP256).public_key;
    let requests: Vec<_> =
        (0..12_000).map(|_| enclave.request(sign(&name, &key, Mechanism::Ecdsa, &[1; 32]), 0)).collect();
    let mut writer = harness_clone(&enclave);
    let sender = std::thread::spawn(move || writer.send(&requests));
    std::thread::sleep(std::time::Duration::from_millis(300));
    let answered: HashSet<_> = (0..12_000).map(|_| enclave.receive().unwrap().id).collect();
    assert_eq!(answered.len(), 12_000);
    sender.join().unwrap();
}

#[test]
fn a_known_key_is_never_searched_for_again() {
    let (mut host, _) = Host::with_deployment();
    assert!(exists(SPY), "pkcs11-spy counts the searches: apt-get install opensc");
    host.spy();
    let (mut enclave, _) = host.open(1);
    let name = version(1);
    let key = enclave.generate(&name, KeyAlgorithm::EcP256).public_key;
    enclave.sign(&name, &key, Mechanism::Ecdsa, &[1; 32]);
    let searches = host.spied("C_FindObjectsInit");
    for _ in 0..20 {
        enclave.sign(&name, &key, Mechanism::Ecdsa, &[1; 32]);
    }
    assert_eq!(host.spied("C_FindObjectsInit"), searches);
    assert_eq!(host.spied("C_SignInit"), 21);
}

#[test]
fn key_generation_does_not_hold_up_signing() {
    let (host, _) = Host::with_deployment();
    let (mut enclave, _) = host.open(1);
    let name = version(1);
    let key = enclave.generate(&name, KeyAlgorithm::EcP256).public_key;
    let slow: Vec<_> =
        (10..13).map(|number| enclave.request(generate(&version(number), KeyAlgorithm::Rsa4096), 0)).collect();
    let fast = enclave.request(sign(&name, &key, Mechanism::Ecdsa, &[1; 32]), 0);
    let last = slow.last().unwrap().id;
    enclave.send(&slow);
    enclave.send(std::slice::from_ref(&fast));
    let order: Vec<_> = (0..4).map(|_| enclave.receive().unwrap().id).collect();
    assert_eq!(order.last(), Some(&last), "the signature came before the last of three RSA keys");
    assert!(order.contains(&fast.id));
}

fn harness_clone(enclave: &Enclave) -> Writer {
    Writer(enclave.socket.try_clone().unwrap())
}

struct Writer(std::os::unix::net::UnixStream);

impl Writer {
    fn send(&mut self, requests: &[chancery_ipc::Request]) {
        let mut bytes = Vec::new();
        for request in requests {
            chancery_ipc::encode(request, &mut bytes).unwrap();
        }
        std::io::Write::write_all(&mut self.0, &bytes).unwrap();
    }
}

//! Enclave keys while they are open: the bound, closing, what is counted, and work side by side.

mod harness;

use std::collections::HashSet;

use chancery_ipc::{
    CloseKey, FaultReason, KeyAlgorithm, KeyProtection, KeyPurpose, KeyRef, Mechanism, Open, Random, Request,
    request::Verb, response::Result as Reply,
};
use harness::*;

fn open_with_bound(host: &Host, open_keys: u32) -> Enclave {
    let mut enclave = host.start();
    let request = Open { open_keys, ..host.open_request(2) };
    let reply = enclave.call(Verb::Open(request));
    assert!(matches!(reply, Reply::Opened(_)), "{reply:?}");
    enclave
}

fn close(enclave: &mut Enclave, made: &Made) -> bool {
    match enclave.call(Verb::CloseKey(CloseKey { version: made.key.version.clone() })) {
        Reply::KeyClosed(closed) => closed.was_open,
        other => panic!("{other:?}"),
    }
}

fn signs(enclave: &mut Enclave, verb: Verb) {
    let reply = enclave.call(verb);
    assert!(matches!(reply, Reply::KeyUsed(_)), "{reply:?}");
}

#[test]
fn the_bound_holds_and_the_key_used_longest_ago_goes() {
    let (host, _) = Host::with_deployment();
    let mut enclave = open_with_bound(&host, 2);
    enclave.ensure_kek(1);
    let made: Vec<_> = (0..3).map(|number| enclave.make_p256(&version(number))).collect();
    // Making a key does not open it.
    for key in &made {
        let message = enclave.refused(key.sign(), FaultReason::KeyNotOpen);
        assert!(message.contains("wrapped"), "{message}");
    }
    for key in &made {
        signs(&mut enclave, key.sign_opening());
        signs(&mut enclave, key.sign());
    }
    enclave.refused(made[0].sign(), FaultReason::KeyNotOpen);
    signs(&mut enclave, made[1].sign());
    signs(&mut enclave, made[2].sign());
    signs(&mut enclave, made[0].sign_opening());
    let open = made.iter().filter(|key| matches!(enclave.call(key.sign()), Reply::KeyUsed(_))).count();
    assert_eq!(open, 2);
    let request = Open { open_keys: 0, ..host.open_request(1) };
    host.start().refused(Verb::Open(request), FaultReason::BadRequest);
}

#[test]
fn a_closed_key_is_not_open() {
    let (host, _) = Host::with_deployment();
    let (mut enclave, _) = host.open(2);
    enclave.ensure_kek(1);
    let made = enclave.make_p256(&version(1));
    assert!(!close(&mut enclave, &made));
    signs(&mut enclave, made.sign_opening());
    assert!(close(&mut enclave, &made));
    assert!(!close(&mut enclave, &made));
    enclave.refused(made.sign(), FaultReason::KeyNotOpen);
    signs(&mut enclave, made.sign_opening());
    enclave.refused(Verb::CloseKey(CloseKey { version: "system/audit".into() }), FaultReason::BadRequest);
    // A key that is destroyed is not open either, though the token holds nothing of it.
    let destroy = Verb::DestroyKey(chancery_ipc::DestroyKey { version: made.key.version.clone() });
    let Reply::KeyDestroyed(destroyed) = enclave.call(destroy) else { panic!() };
    assert_eq!(destroyed.objects, 0);
    enclave.refused(made.sign(), FaultReason::KeyNotOpen);
}

/// A name that was given to another key (a creation that was begun again): the one that was registered is used.
#[test]
fn what_is_open_must_be_what_was_registered() {
    let (host, _) = Host::with_deployment();
    let (mut enclave, _) = host.open(1);
    enclave.ensure_kek(1);
    let first = enclave.make_p256(&version(1));
    let second = enclave.make_p256(&version(1));
    signs(&mut enclave, first.sign_opening());
    enclave.refused(second.sign(), FaultReason::KeyMismatch);
    signs(&mut enclave, second.sign_opening());
    enclave.refused(first.sign(), FaultReason::KeyMismatch);
    signs(&mut enclave, second.sign());
    let mut other = second.use_request(Mechanism::Ecdsa, &[1; 32]);
    other.key.origin = 2;
    enclave.refused(Verb::UseKey(other), FaultReason::KeyMismatch);
}

#[test]
fn uses_are_counted_and_the_first_since_opening_is_marked() {
    let (host, _) = Host::with_deployment();
    let (mut enclave, _) = host.open(1);
    enclave.ensure_kek(1);
    let made = enclave.make_p256(&version(1));
    let mut used = |verb| match enclave.call(verb) {
        Reply::KeyUsed(used) => Ok((used.operation.number, used.first_on_handle)),
        Reply::Fault(fault) => Err(fault.reason()),
        other => panic!("{other:?}"),
    };
    assert_eq!(used(made.sign()), Err(FaultReason::KeyNotOpen));
    // The key's own making took number 1; wrapping and opening took none.
    assert_eq!(used(made.sign_opening()), Ok((2, true)));
    assert_eq!(used(made.sign()), Ok((3, false)));
    assert!(close(&mut enclave, &made));
    let Reply::KeyUsed(again) = enclave.call(made.sign_opening()) else { panic!() };
    assert_eq!((again.operation.number, again.first_on_handle), (4, true));
}

#[test]
fn random_bytes_are_as_many_as_asked_for_and_never_the_same() {
    let (host, _) = Host::with_deployment();
    let mut enclave = host.start();
    enclave.refused(Verb::Random(Random { length: 32 }), FaultReason::BadRequest);
    let (mut enclave, _) = host.open(2);
    let mut seen = HashSet::new();
    for length in [1, 32, 32, 32, 1000, 1024] {
        let Reply::RandomDrawn(drawn) = enclave.call(Verb::Random(Random { length })) else { panic!() };
        assert_eq!(drawn.bytes.len(), length as usize);
        assert!(length == 1 || seen.insert(drawn.bytes));
    }
    for length in [0, 1025, u32::MAX] {
        enclave.refused(Verb::Random(Random { length }), FaultReason::BadRequest);
    }
}

/// Eight session threads use keys of the token and of the enclave while keys of both kinds are made, destroyed, closed
/// and wrapped anew: every request is answered, every answer is right, and the process ends in good order.
#[test]
fn everything_at_once() {
    let (host, _) = Host::with_deployment();
    let mut enclave = host.start();
    let request = Open { open_keys: 3, ..host.open_request(8) };
    assert!(matches!(enclave.call(Verb::Open(request)), Reply::Opened(_)));
    enclave.ensure_kek(1);
    let mut keys: Vec<_> = (0..4).map(|number| enclave.make_p256(&version(number))).collect();
    for number in 4..8 {
        let purpose = KeyPurpose::Sign;
        keys.push(enclave.make(wanted(&version(number), KeyAlgorithm::EcP256, purpose, KeyProtection::Token)));
    }
    let agree = enclave.make(wanted(&version(8), KeyAlgorithm::EcP256, KeyPurpose::Agree, KeyProtection::Token));
    let mut requests: Vec<Request> = Vec::new();
    let (mut signatures, mut made) = (0, 0);
    for round in 0..20 {
        for key in &keys {
            for _ in 0..6 {
                requests.push(enclave.request(key.sign_opening(), 0));
                signatures += 1;
            }
        }
        requests.push(enclave.request(Verb::UseKey(agree.use_request(Mechanism::Ecdh, &agree.public_key)), 0));
        let protection = if round % 2 == 0 { KeyProtection::Token } else { KeyProtection::Enclave };
        let new = wanted(&version(100 + round), KeyAlgorithm::EcP256, KeyPurpose::Sign, protection);
        requests.push(enclave.request(Verb::GenerateKey(new), 0));
        made += 1;
        if round % 4 == 3 {
            let version = version(100 + round - 1);
            requests.push(enclave.request(Verb::DestroyKey(chancery_ipc::DestroyKey { version }), 0));
        }
        let closed = keys[round as usize % 4].key.version.clone();
        requests.push(enclave.request(Verb::CloseKey(CloseKey { version: closed }), 0));
        let key = KeyRef { wrapped: keys[0].wrapped.clone(), ..keys[0].key.clone() };
        let rewrap = chancery_ipc::Rewrap { key, kek_generation: 1 };
        requests.push(enclave.request(Verb::Rewrap(rewrap), 0));
    }
    let mut socket = enclave.socket.try_clone().unwrap();
    let sent = requests.clone();
    let sender = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        for request in &sent {
            chancery_ipc::encode(request, &mut bytes).unwrap();
        }
        std::io::Write::write_all(&mut socket, &bytes).unwrap();
    });
    let mut operations = HashSet::new();
    let (mut signed, mut generated) = (0, 0);
    for _ in 0..requests.len() {
        match enclave.receive().expect("the enclave lives").result.unwrap() {
            Reply::KeyUsed(used) => {
                signed += u32::from(used.output.len() == 64);
                assert!(operations.insert(used.operation.number));
                if operations.len() % 200 == 0 && used.output.len() == 64 {
                    let key = keys.iter().find(|key| key.key.version == used.version).unwrap();
                    assert!(openssl_accepts(&key.public_key, &[1; 32], &ecdsa_der(&used.output), &["pkeyutl"]));
                }
            }
            Reply::KeyGenerated(new) => {
                generated += 1;
                assert!(operations.insert(new.operation.number));
            }
            Reply::KeyDestroyed(destroyed) => assert_eq!(destroyed.objects, 2),
            Reply::KeyClosed(_) | Reply::Rewrapped(_) => {}
            other => panic!("{other:?}"),
        }
    }
    sender.join().unwrap();
    assert_eq!((signed, generated), (signatures, made));
    // Nine keys were made before; each use and each key has a number, and there is no gap.
    assert_eq!(operations, (10..10 + operations.len() as u64).collect());
    assert_eq!(enclave.end().code(), Some(0), "{}", host.log());
}

/// Eight threads search for keys of the token while others are made and destroyed: neither stops the other for good, and
/// the token's library survives it (see `objects::Directory`).
#[test]
fn keys_are_found_while_others_are_made_and_destroyed() {
    let (host, _) = Host::with_deployment();
    let (mut enclave, _) = host.open(1);
    let token = |number| wanted(&version(number), KeyAlgorithm::EcP256, KeyPurpose::Sign, KeyProtection::Token);
    let keys: Vec<_> = (0..48).map(|number| enclave.make(token(number))).collect();
    enclave.end();
    let (mut enclave, _) = host.open(8);
    let mut requests = Vec::new();
    for (number, key) in (0..).zip(&keys) {
        requests.push(enclave.request(key.sign(), 0));
        if number % 4 == 0 {
            requests.push(enclave.request(Verb::GenerateKey(token(100 + number)), 0));
        }
        if number % 8 == 4 {
            let version = version(100 + number - 4);
            requests.push(enclave.request(Verb::DestroyKey(chancery_ipc::DestroyKey { version }), 0));
        }
    }
    enclave.send(&requests);
    let (mut signed, mut made, mut destroyed) = (0, 0, 0);
    for _ in &requests {
        match enclave.receive().expect("the enclave lives").result.unwrap() {
            Reply::KeyUsed(_) => signed += 1,
            Reply::KeyGenerated(_) => made += 1,
            Reply::KeyDestroyed(reply) => destroyed += reply.objects,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((signed, made, destroyed), (48, 12, 12));
    assert_eq!(enclave.end().code(), Some(0));
}

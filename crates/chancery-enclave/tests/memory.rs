//! What the process's memory shows: a key while it is open, and no copy of it afterwards.
//!
//! Keys of the enclave are known to nobody else, so the tests first find them: while memfd_secret(2) is off, every place
//! in memory is tried as the key, judged by what the key signed or by its public half. Reading another process's memory
//! takes root; whoever is not root is told so, and nothing is tested.

mod harness;

use std::{
    fs,
    io::{Read, Seek, SeekFrom},
};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    agreement, hmac,
    signature::{Ed25519KeyPair, KeyPair},
};
use chancery_ipc::{
    CloseKey, KeyAlgorithm, KeyProtection, KeyPurpose, Mechanism, Open, request::Verb, response::Result as Reply,
};
use harness::*;

/// Bytes of a page.
const PAGE: usize = 4096;

/// The writable memory of a process, in runs of pages.
struct Memory(Vec<Vec<u8>>);

impl Memory {
    /// `None` when it may not be read, which root always may.
    fn of(enclave: &Enclave) -> Option<Self> {
        let path = |name: &str| format!("/proc/{}/{name}", enclave.child.id());
        let Ok(mut memory) = fs::File::open(path("mem")) else {
            assert!(!rustix::process::geteuid().is_root(), "root reads every process's memory");
            eprintln!("not tested: reading another process's memory takes root");
            return None;
        };
        let mut mappings = Vec::new();
        for line in fs::read_to_string(path("maps")).unwrap().lines() {
            let mut words = line.split_whitespace();
            let (range, access) = (words.next().unwrap(), words.next().unwrap());
            if !access.starts_with("rw") {
                continue;
            }
            let (start, end) = range.split_once('-').unwrap();
            let (start, end) = (u64::from_str_radix(start, 16).unwrap(), u64::from_str_radix(end, 16).unwrap());
            let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
            memory.seek(SeekFrom::Start(start)).unwrap();
            // Secret memory answers with an error; a thread's stack may end early.
            let mut length = 0;
            while let Ok(count @ 1..) = memory.read(&mut bytes[length..]) {
                length += count;
            }
            bytes.truncate(length);
            // Most of it is zeros: only runs of other pages are kept.
            let is_zero = |page: &[u8]| page == &[0; PAGE][..page.len()];
            mappings.extend(bytes.chunks(PAGE).collect::<Vec<_>>().split(|page| is_zero(page)).map(|run| run.concat()));
        }
        Some(Self(mappings))
    }

    /// Places where these bytes stand, in either order.
    fn count(&self, bytes: &[u8]) -> usize {
        let reversed: Vec<u8> = bytes.iter().rev().copied().collect();
        let found = |needle: &[u8]| {
            let places = self.0.iter().flat_map(|mapping| mapping.windows(needle.len()));
            places.filter(|place| place[0] == needle[0] && *place == needle).count()
        };
        found(bytes) + found(&reversed)
    }

    /// The first 32 bytes that `is_key`, tried in either order at every eighth byte.
    fn find(&self, is_key: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
        for mapping in &self.0 {
            for place in mapping.windows(32).step_by(8) {
                if place[..8] == [0; 8] || place[24..] == [0; 8] {
                    continue;
                }
                // Random bytes hold few of any value; most of memory is not like that.
                let mut seen = [false; 256];
                let different = place.iter().filter(|byte| !std::mem::replace(&mut seen[usize::from(**byte)], true));
                if different.count() < 20 {
                    continue;
                }
                let reversed: Vec<u8> = place.iter().rev().copied().collect();
                for candidate in [place, &reversed] {
                    if is_key(candidate) {
                        return Some(candidate.to_vec());
                    }
                }
            }
        }
        None
    }
}

fn enclave_in_ordinary_memory(host: &mut Host, open_keys: u32) -> Enclave {
    host.environment.push(("CHANCERY_ENCLAVE_MEMORY", "mlock".into()));
    let mut enclave = host.start();
    let reply = enclave.call(Verb::Open(Open { open_keys, ..host.open_request(2) }));
    assert!(matches!(reply, Reply::Opened(_)), "{reply:?}");
    assert!(host.log().contains("locked memory"), "{}", host.log());
    enclave.ensure_kek(1);
    enclave
}

fn make(enclave: &mut Enclave, number: u32, algorithm: KeyAlgorithm, purpose: KeyPurpose) -> Made {
    enclave.make(wanted(&version(number), algorithm, purpose, KeyProtection::Enclave))
}

fn close(enclave: &mut Enclave, made: &Made) {
    let reply = enclave.call(Verb::CloseKey(CloseKey { version: made.key.version.clone() }));
    assert!(matches!(&reply, Reply::KeyClosed(closed) if closed.was_open), "{reply:?}");
}

/// Whether 32 bytes are the private key of `made`, judged by its public half or by what it `gave`.
fn is_key_of(made: &Made, gave: &[u8], bytes: &[u8]) -> bool {
    let agrees = |algorithm| {
        let key = agreement::PrivateKey::from_private_key(algorithm, bytes);
        key.is_ok_and(|key| key.compute_public_key().is_ok_and(|public| made.public_key.ends_with(public.as_ref())))
    };
    match made.key.algorithm() {
        KeyAlgorithm::EcP256 => agrees(&agreement::ECDH_P256),
        KeyAlgorithm::X25519 => agrees(&agreement::X25519),
        KeyAlgorithm::Ed25519 => Ed25519KeyPair::from_seed_unchecked(bytes)
            .is_ok_and(|key| made.public_key.ends_with(key.public_key().as_ref())),
        KeyAlgorithm::HmacSha256 => hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, bytes), INPUT, gave).is_ok(),
        KeyAlgorithm::Aes256 => {
            let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, bytes).unwrap());
            let (nonce, sealed) = gave.split_first_chunk().unwrap();
            key.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::empty(), &mut sealed.to_vec()).is_ok()
        }
        other => panic!("{other:?}"),
    }
}

const INPUT: &[u8] = &[1; 32];

/// Uses a key with one of its mechanisms.
fn uses(enclave: &mut Enclave, made: &Made) -> Vec<u8> {
    let (mechanism, input) = match made.key.algorithm() {
        KeyAlgorithm::EcP256 => (Mechanism::Ecdsa, INPUT),
        KeyAlgorithm::X25519 => (Mechanism::Ecdh, &made.public_key[..]),
        KeyAlgorithm::Ed25519 => (Mechanism::Eddsa, INPUT),
        KeyAlgorithm::HmacSha256 => (Mechanism::HmacSha256, INPUT),
        _ => (Mechanism::GcmEncrypt, INPUT),
    };
    enclave.use_key(made, mechanism, input, &[])
}

#[test]
fn a_key_is_in_memory_while_it_is_open_and_not_after_it_was_closed() {
    let (mut host, _) = Host::with_deployment();
    let mut enclave = enclave_in_ordinary_memory(&mut host, 100);
    for (number, (algorithm, purpose)) in (0..).zip([
        (KeyAlgorithm::EcP256, KeyPurpose::Sign),
        (KeyAlgorithm::X25519, KeyPurpose::Agree),
        (KeyAlgorithm::Ed25519, KeyPurpose::Sign),
        (KeyAlgorithm::HmacSha256, KeyPurpose::Mac),
        (KeyAlgorithm::Aes256, KeyPurpose::Encrypt),
    ]) {
        let made = make(&mut enclave, number, algorithm, purpose);
        let gave = uses(&mut enclave, &made);
        for _ in 0..10 {
            uses(&mut enclave, &made);
        }
        let Some(memory) = Memory::of(&enclave) else { return };
        let key = memory.find(|candidate| is_key_of(&made, &gave, candidate));
        let key = key.unwrap_or_else(|| panic!("the open key of {algorithm:?} is in memory"));
        assert!(memory.count(&key) > 0);
        assert_eq!(memory.count(PIN.as_bytes()), 0, "the PIN was wiped after the login");

        close(&mut enclave, &made);
        let memory = Memory::of(&enclave).unwrap();
        assert_eq!(memory.count(&key), 0, "copies of a closed key of {algorithm:?}");
        assert!(memory.count(ORIGIN.as_bytes()) > 0, "the search finds what is there");

        // Opened again from its wrapped form, it is there again; wrapping it anew leaves no copy.
        uses(&mut enclave, &made);
        assert!(Memory::of(&enclave).unwrap().count(&key) > 0);
        close(&mut enclave, &made);
        let reference = chancery_ipc::KeyRef { wrapped: made.wrapped.clone(), ..made.key.clone() };
        let rewrap = Verb::Rewrap(chancery_ipc::Rewrap { key: reference, kek_generation: 1 });
        assert!(matches!(enclave.call(rewrap), Reply::Rewrapped(_)));
        assert_eq!(Memory::of(&enclave).unwrap().count(&key), 0, "copies after a rewrap of {algorithm:?}");
    }
}

#[test]
fn an_evicted_key_is_not_in_memory() {
    let (mut host, _) = Host::with_deployment();
    let mut enclave = enclave_in_ordinary_memory(&mut host, 1);
    let evicted = enclave.make_p256(&version(1));
    let stays = enclave.make_p256(&version(2));
    enclave.use_key(&evicted, Mechanism::Ecdsa, &[1; 32], &[]);
    let Some(memory) = Memory::of(&enclave) else { return };
    let scalar = memory.find(|bytes| is_key_of(&evicted, &[], bytes)).expect("the open key is in memory");
    enclave.use_key(&stays, Mechanism::Ecdsa, &[1; 32], &[]);
    let memory = Memory::of(&enclave).unwrap();
    assert_eq!(memory.count(&scalar), 0, "copies of an evicted key");
    assert!(memory.find(|bytes| is_key_of(&stays, &[], bytes)).is_some());
}

/// What one process shows in ordinary memory, another hides in secret memory even while the key is open.
#[test]
fn secret_memory_shows_no_open_key() {
    let (mut host, _) = Host::with_deployment();
    let mut enclave = enclave_in_ordinary_memory(&mut host, 100);
    let key = make(&mut enclave, 1, KeyAlgorithm::HmacSha256, KeyPurpose::Mac);
    let mac = uses(&mut enclave, &key);
    let Some(memory) = Memory::of(&enclave) else { return };
    let bytes = memory.find(|candidate| is_key_of(&key, &mac, candidate)).unwrap();
    enclave.kill();
    host.environment.pop();
    let (mut enclave, _) = host.open(1);
    if !host.log().contains("memfd_secret") {
        eprintln!("not tested: this kernel has no memfd_secret");
        return;
    }
    assert_eq!(uses(&mut enclave, &key), mac);
    assert_eq!(Memory::of(&enclave).unwrap().count(&bytes), 0);
}

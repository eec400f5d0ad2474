//! What a private key leaves on the stack.

use std::{
    fs::{self, File},
    hint::black_box,
    os::unix::fs::FileExt,
    thread,
};

use chancery_ipc::{KeyAlgorithm, Mechanism};

use super::{made, opened, used};
use crate::memory::on_clean_stack;

/// Whether this thread's stack holds `scalar`, in either order of its bytes.
fn stack_holds(scalar: &[u8]) -> bool {
    let here = 0_u8;
    let here = (&raw const here).addr() as u64;
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let (start, end) = maps
        .lines()
        .filter_map(|line| {
            let (start, end) = line.split_once(' ')?.0.split_once('-')?;
            Some((u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?))
        })
        .find(|(start, end)| (*start..*end).contains(&here))
        .unwrap();
    let mut stack = vec![0; (end - start) as usize];
    File::open("/proc/self/mem").unwrap().read_exact_at(&mut stack, start).unwrap();
    let reversed: Vec<u8> = scalar.iter().rev().copied().collect();
    // Half of it would do for an attacker.
    [scalar, &reversed].iter().any(|pattern| stack.windows(16).any(|window| window == &pattern[8..24]))
}

/// Does something on a fresh thread; gives what is left on its stack.
fn leaves(scalar: &[u8], work: impl Fn() + Sync) -> bool {
    thread::scope(|scope| {
        // Small, so that it is searched quickly.
        let thread = thread::Builder::new().stack_size(256 << 10).spawn_scoped(scope, || {
            for _ in 0..3 {
                work();
            }
            stack_holds(scalar)
        });
        thread.unwrap().join().unwrap()
    })
}

/// Leaves a copy at the far end of its frame.
#[inline(never)]
fn copy(scalar: &[u8]) {
    let mut frame = [0_u8; 8 << 10];
    frame[..scalar.len()].copy_from_slice(scalar);
    black_box(&mut frame);
}

#[test]
fn neither_opening_nor_using_a_key_leaves_its_scalar_on_the_stack() {
    for (algorithm, mechanism) in [
        (KeyAlgorithm::EcSecp256k1, Mechanism::Ecdsa),
        (KeyAlgorithm::EcP256, Mechanism::Ecdsa),
        (KeyAlgorithm::Sm2, Mechanism::Sm2),
        (KeyAlgorithm::Ed25519, Mechanism::Eddsa),
        (KeyAlgorithm::MlDsa44, Mechanism::MlDsa),
        (KeyAlgorithm::Aes256, Mechanism::GcmEncrypt),
        (KeyAlgorithm::Aes256, Mechanism::KwpWrap),
        (KeyAlgorithm::HmacSha256, Mechanism::HmacSha256),
    ] {
        let (key, secret) = made(algorithm);
        assert!(leaves(&secret, || copy(&secret)), "the search finds nothing, so it proves nothing");
        assert!(!leaves(&secret, || on_clean_stack(|| copy(&secret))));
        assert!(!leaves(&secret, || drop(opened(algorithm, &secret))), "{algorithm:?}: opening");
        assert!(!leaves(&secret, || drop(used(&key, mechanism, &[9; 32]))), "{algorithm:?} {mechanism:?}");
    }
}

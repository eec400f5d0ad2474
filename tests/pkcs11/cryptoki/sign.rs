//! Signing in a loop, in several threads with a session each.

use crate::{Token, only};
use cryptoki::{
    mechanism::Mechanism,
    object::{Attribute, ObjectClass},
};
use std::{
    env::var,
    io::Write,
    time::{Duration, Instant},
};

fn number(name: &str) -> u64 {
    var(name).ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{name} is no number"))
}

/// Prints every signature as soon as it is there.
pub(crate) fn until_the_end(token: &Token) {
    let id = hex::decode(var("PKCS11_KEY").expect("PKCS11_KEY")).unwrap();
    let end = Instant::now() + Duration::from_secs(number("PKCS11_SECONDS"));
    let first = token.session();
    token.login(&first);
    let key = only(&first, &[Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Id(id)]);
    let slowest = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..number("PKCS11_THREADS"))
            .map(|_| {
                scope.spawn(|| {
                    let session = token.session();
                    let mut slowest = Duration::ZERO;
                    while Instant::now() < end {
                        let mut digest = [0; 32];
                        getrandom::fill(&mut digest).unwrap();
                        let start = Instant::now();
                        let signature = session.sign(&Mechanism::Ecdsa, key, &digest);
                        slowest = slowest.max(start.elapsed());
                        let signature =
                            signature.unwrap_or_else(|error| panic!("after {:?}: {error}", start.elapsed()));
                        // One write: a line is whole or not there, whenever this process is killed.
                        let line = format!("signature {} {}\n", hex::encode(digest), hex::encode(signature));
                        std::io::stdout().write_all(line.as_bytes()).unwrap();
                    }
                    slowest
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).max().unwrap_or_default()
    });
    println!("slowest {}", slowest.as_millis());
}

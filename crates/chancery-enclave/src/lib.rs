//! The isolated process of Chancery that alone loads a PKCS#11 library, reads the PIN and uses private keys.
//!
//! It is a child of `chanceryd` and speaks `chancery-ipc` over the Unix stream socket it was given as stdin.
//! Reading path: [`run`] → `hardening` → `serve` (frames in, queues) → `control` (making, destroying and moving keys) and
//! `using` (the session threads): `token_use` for keys of the token, `wrapped` and `opened` for keys of the enclave.
//! Keys that come and go, and statements about them, are in `transfer`. What the log must show is in `operations`, and what it
//! must not take back in `checkpoint`.
//!
//! **Invariants**
//! * The process is hardened before it reads a byte, and holds the token's only login: tried once, never again.
//! * Session threads never search the token for a key they have used before.
//! * What a key is for is held against every use of it (`uses`), and stands in its template or its wrapping.
//! * Every use of a private or secret key is a link of one chain (`operations`), and it goes on only while the log shows it.
//! * A verb that carries a key version's name can't name a system key (`objects::version_id`).
//! * It exits 0 at end of file, 75 once the token is lost, 76 after a protocol error, 70 after a panic.
//!
//! **Not here**: who may ask for what (chanceryd), the audit log, any network, TLS or configuration file.

#![deny(unsafe_code)]

mod aes;
mod audit_key;
mod ceremony;
mod checkpoint;
mod control;
mod ecdsa;
mod fault;
mod generate;
mod hardening;
mod kek;
mod keys;
mod library;
mod lifecycle;
mod log;
mod login;
mod memory;
mod objects;
mod opened;
mod operations;
mod queue;
mod random;
mod serve;
mod software;
mod spki;
mod template;
mod token_use;
mod transfer;
mod uses;
mod using;
mod worker;
mod wrapped;

use std::process::ExitCode;

/// Wrong usage (sysexits.h `EX_USAGE`).
const EXIT_USAGE: u8 = 64;
/// The operating system refused a step of the hardening (`EX_OSERR`).
const EXIT_SYSTEM: u8 = 71;

const USAGE: &str = "\
chancery-enclave holds one PKCS#11 token for chanceryd, which starts it with a Unix stream socket as its stdin.
It is of no use by hand and reads no configuration.

Usage: chancery-enclave [--help | --version]";

/// Runs the enclave to its end.
#[must_use]
pub fn run() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        None => {}
        Some("--version" | "-V") => {
            println!("chancery-enclave {}", env!("CARGO_PKG_VERSION"));
            return ExitCode::SUCCESS;
        }
        Some("--help" | "-h") => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Some(_) => {
            eprintln!("{USAGE}");
            return ExitCode::from(EXIT_USAGE);
        }
    }
    if let Err(refusal) = hardening::harden() {
        log::line(&format!("refusing to start: {refusal}"));
        return ExitCode::from(EXIT_SYSTEM);
    }
    memory::announce();
    match hardening::take_socket() {
        Ok(Some(socket)) => serve::serve(socket),
        Ok(None) => {
            eprintln!("{USAGE}");
            ExitCode::from(EXIT_USAGE)
        }
        Err(error) => {
            log::line(&format!("refusing to start: taking over stdin failed: {error}"));
            ExitCode::from(EXIT_SYSTEM)
        }
    }
}

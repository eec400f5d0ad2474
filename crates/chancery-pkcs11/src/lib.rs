//! `libchancery_pkcs11.so`: a PKCS#11 module whose token is Chancery.
//!
//! Reading path: [`ffi`] turns C arguments into safe ones, `module` holds what one process initialized (slots, sessions,
//! login), `objects` are what handles stand for, `operations` what sessions do with them, `remote` asks the service.
//!
//! **Invariants**
//! * No function unwinds into the host, aborts it, or outlives its deadline; a forked child has no module.
//! * Private-key operations and key generation are one request to the service each; all else is answered here.
//! * The host's allocator, logger, signal handlers and environment stay its own.
//!
//! **Not here**: private keys (the service's enclave), TLS and retries of unary calls (chancery-client).
#![deny(unsafe_code)]

pub mod attribute;
pub mod ffi;
pub mod log;
pub mod mechanism;
pub mod module;
pub mod objects;
pub mod operations;
pub mod output;
pub mod remote;
pub mod rv;

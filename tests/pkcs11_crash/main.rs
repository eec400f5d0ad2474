//! Programs sign through the PKCS#11 module while the service, its enclave and a network path to it are killed and come
//! back every few seconds: nobody is told, and the log has what they received, once.
#![forbid(unsafe_code)]

#[path = "../harness/foreign.rs"]
mod foreign;
#[path = "../harness/go.rs"]
mod go;
#[path = "../harness/mod.rs"]
mod harness;
#[path = "../harness/pkcs11.rs"]
mod pkcs11;
#[path = "../harness/recorded.rs"]
mod recorded;

mod account;
mod client;
mod faults;
mod forwarder;
mod lines;
mod scene;
mod stage;
mod suites;

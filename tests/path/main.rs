//! The main job, as its users do it: keys, signatures, certificates and the records they leave, over gRPC and by the
//! `chancery` command, against a real service. Everything signed is verified by the openssl command line.
#![forbid(unsafe_code)]

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../harness/shared.rs"]
mod shared;

mod certificates;
mod ciphers;
mod command;
mod ecdsa;
mod inputs;
mod keys;
mod lifecycle;
mod openssl;
mod records;
mod restart;
mod retries;
mod rsa;
mod stream;
mod terms;

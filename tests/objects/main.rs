//! ObjectService against a real service: who sees which objects, how keys made through PKCS#11 get their names, and what a
//! stolen certificate can't do to a key that has one.
#![forbid(unsafe_code)]

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../harness/shared.rs"]
mod shared;

mod asked;
mod certificates;
mod collected;
mod copies;
mod kept;
mod listing;
mod naming;
mod stolen;

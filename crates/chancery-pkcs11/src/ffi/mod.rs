//! The C functions: the only place with pointers.
//!
//! Each function is three steps: pointers become safe things ([`pointer`], [`template`], [`mechanism`]), one safe function
//! of the crate does the work, its result goes where the caller wants it ([`output`]).
//!
//! **Invariants**
//! * Every function goes through [`entry`]: a panic ends as `CKR_GENERAL_ERROR`, a process that has not initialized the
//!   module, or was forked from one that has, gets `CKR_CRYPTOKI_NOT_INITIALIZED`.
//! * A null pointer where there must be none, and a length that no object in memory can have, are refused before anything
//!   is read, allocated or asked for. Pointers need not be aligned.
//! * What is taken from a client's memory is read once; what a client may change meanwhile is copied first.
//!
//! **Not here**: what the functions do.
//!
//! # Safety
//! All functions ask of their caller what PKCS#11 asks: a pointer that is not null is valid for what the function reads or
//! writes there, as long as the call lasts, and for as many bytes or elements as the length beside it says.
#![expect(unsafe_code, reason = "PKCS#11 is a C interface")]
#![allow(non_snake_case, reason = "the names are the standard's")]

mod decryption;
mod digests;
mod encryption;
mod entry;
mod general;
mod keys;
mod lists;
pub(crate) mod mechanism;
mod objects;
mod output;
mod pointer;
mod process;
mod random;
mod search;
mod sessions;
pub(crate) mod signals;
mod signatures;
mod slots;
mod stages;
mod template;
mod text;
mod tokens;
mod unsupported;
mod verification;

pub use lists::{C_GetFunctionList, C_GetInterface, C_GetInterfaceList};

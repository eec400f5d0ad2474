//! What callers may spend, against a real service: rates, quotas over crashes, keys, shares of the log, and that one
//! organization's flood is not another's.
#![forbid(unsafe_code)]

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../harness/shared.rs"]
mod shared;

mod configured;
mod crashes;
mod flood;
mod keys;
mod officers;
mod quotas;
mod rates;
mod setting;

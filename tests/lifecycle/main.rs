//! Keys through their whole life in a running service: every state and event, rotation, destruction, rewrap, and what
//! clocks, crashes and edited stores do to them.
#![forbid(unsafe_code)]
#![allow(unreachable_pub, reason = "a test has no public")]

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../harness/shared.rs"]
mod shared;

mod clock;
mod commands;
mod crash;
mod creation;
mod dates;
mod destruction;
mod labels;
mod parties;
mod races;
mod rewrap;
mod rotation;
mod store;
mod table;
mod tampered;

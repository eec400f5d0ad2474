//! What chanceryd and chancery-enclave say to each other over the inherited socket.
//!
//! **Invariants**: every request is a typed verb; the generic ones can't name a system key (audit key, deployment CA).
//! Every reply repeats the id of its request, and a signature repeats the key version and the SHA-256 of its input.
//!
//! **Not here**: sockets and threads (chanceryd's `enclave` module, chancery-enclave's `serve` module).
#![forbid(unsafe_code)]

mod frame;
mod messages;

pub use frame::{FrameError, Frames, HEADER, MAX_FRAME, encode};
pub use messages::*;

//! What an auditor finds in logs whose bytes are sound and signed: made by someone who holds the audit key, and neither the
//! enclave's account of its operations nor the organizations' keys.

mod decisions;
mod lifecycle;
mod signatures;
mod tampering;
mod withheld;
mod world;

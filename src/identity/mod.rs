//! Who a client is: its certificate authenticates, its organization's registry authorizes.
//!
//! **Invariants**
//! * A chain's organization is the one in whose trust anchors it ends, never a subject field, and it is exactly one.
//! * A client certificate was issued directly by a registered trust anchor.
//! * A certificate by itself makes nobody more than peer, orderer or client, and only under the names that its
//!   organization allows the anchor; every other role comes from a registration that pins the public key.
//! * A name that is registered belongs to the keys it is registered with.
//! * Whoever may sign with a key kept here can't thereby log in as its holder.
//!
//! **Not here**: where registries are kept (`store`), what a principal may do (`policy`), the handshake itself and
//! when open connections are judged anew (`grpc`).

mod anchor;
mod chain;
mod error;
mod identify;
mod registry;
#[cfg(test)]
mod tests;
mod verifier;

pub use error::{IdentityError, RegistryError};
pub use identify::Identity;
pub use registry::Registry;
pub use rustls_pki_types::{CertificateDer, UnixTime};
pub use verifier::ClientVerifier;

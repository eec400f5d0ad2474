//! Who a client is: its certificate authenticates, its organization's registry authorizes.
//!
//! **Invariants**
//! * A chain's organization is that of the trust anchors that issued the client's certificate, else of those in which the
//!   chain ends; never a subject field, and it is exactly one.
//! * A client certificate was issued directly by a registered trust anchor.
//! * A certificate by itself makes nobody more than peer, orderer or client, and only under the names that its
//!   organization allows the anchor; every other role comes from a registration that pins the public key.
//! * A name that is registered belongs to the keys it is registered with.
//! * Who or what an organization has suspended is nobody in it, whatever else holds.
//! * A certificate that its anchor revoked makes nobody of its bearer; nor does any other of that anchor while its list
//!   is past its next update, unless the organization accepts that.
//! * Whoever may sign with a key kept here can't thereby log in as its holder.
//!
//! **Not here**: where registries are kept (`store`), which keys of nodes are known (`directory`), what a principal
//! may do (`policy`), the handshake itself and when open connections are judged anew (`grpc`).

mod anchor;
mod chain;
mod error;
mod identify;
mod registry;
mod revocation;
#[cfg(test)]
mod tests;
mod verifier;

pub(crate) use anchor::is_in_tls;
pub use error::{IdentityError, RegistryError};
pub use identify::Identity;
pub use registry::{Members, Registry};
pub use revocation::Revocations;
pub use rustls_pki_types::{CertificateDer, UnixTime};
pub use verifier::ClientVerifier;

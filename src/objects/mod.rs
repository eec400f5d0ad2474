//! What a PKCS#11 token shows to whom: objects of keys, and certificates.
//!
//! **Invariants**: a listing shows what its caller may use, or owns and may see, and nothing of others. A certificate is
//! its owner's alone. What is listed is the directory's; no listing is kept.
//!
//! **Not here**: objects' attributes and keys that do not stay (`keys::objects`), gRPC (`grpc`).

mod certificates;
mod listing;

pub use certificates::{CertificateObjectName, NewCertificateObject};
pub use listing::{After, Listing, Page, Shown};

use crate::{admission::Admission, changes::Changes, issuing::Issuing};
use std::sync::Arc;

/// See the module.
pub struct Objects {
    admission: Arc<Admission>,
    changes: Arc<Changes>,
    issuing: Arc<Issuing>,
    /// Held while somebody's certificates change.
    certificates: tokio::sync::Mutex<()>,
    /// Revisions of one process are no other's.
    process: [u8; 16],
}

impl Objects {
    /// Over the admitted, their changes, and what binds certificates to keys.
    pub fn new(admission: Arc<Admission>, changes: Arc<Changes>, issuing: Arc<Issuing>) -> Self {
        let process = uuid::Uuid::new_v4().into_bytes();
        Self { admission, changes, issuing, certificates: tokio::sync::Mutex::default(), process }
    }
}

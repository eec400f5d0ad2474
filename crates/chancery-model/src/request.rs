//! What tells one request from another.

/// A request's id and content.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequestId {
    /// The caller's UUID, as text; empty on requests that only read.
    pub id: String,
    /// SHA-256 of the request's content: its bytes without the id.
    pub hash: [u8; 32],
}

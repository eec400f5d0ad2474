//! [`OrganizationSet`]: an organization's own policies.

use super::{PolicyError, covering::Covering, parse};
use chancery_model::OrganizationName;
use sha2::{Digest, Sha256};
use std::fmt;

/// An organization's own policies, parsed and validated, which do not change. They are asked about its own members and
/// resources alone.
pub struct OrganizationSet {
    organization: OrganizationName,
    text: String,
    hash: [u8; 32],
    pub(super) covering: Covering,
}

impl OrganizationSet {
    /// Bytes of text at most.
    pub const MAX_BYTES: usize = 256 << 10;
    /// Policies at most.
    pub const MAX_POLICIES: usize = 1000;

    /// Parses and validates `text`, Cedar; it may be empty. `@id`s are unique within it, and known elsewhere as
    /// `{organization id}/{id}`. Takes time with its length: seconds where it is as long as it may be.
    ///
    /// # Errors
    /// [`PolicyError`] when any of it can't be used: then none is. Findings are in a file named `policies`.
    pub fn parse(organization: OrganizationName, text: String) -> Result<Self, PolicyError> {
        let covering = Covering::new(&parse::organization(&organization, &text)?);
        Ok(Self { hash: hash(&organization, &text), organization, text, covering })
    }

    /// Whose.
    pub fn organization(&self) -> &OrganizationName {
        &self.organization
    }

    /// What the log calls it: `organizations/{organization}/policies`.
    pub fn path(&self) -> String {
        path(&self.organization)
    }

    /// Cedar, as it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How many policies there are.
    pub fn count(&self) -> usize {
        self.covering.count()
    }

    /// What decided, for records: SHA-256 over `chancery organization policy set v1\n`, the name
    /// `organizations/{organization}/policies` and the text, each of the two preceded by its length in bytes as a
    /// 64-bit big-endian number.
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }
}

/// What the log calls an organization's policies.
fn path(organization: &OrganizationName) -> String {
    format!("{organization}/policies")
}

/// As [`OrganizationSet::hash`].
pub(super) fn hash(organization: &OrganizationName, text: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"chancery organization policy set v1\n");
    for part in [&path(organization), text] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// Whose it is and the hash; not the text.
impl fmt::Debug for OrganizationSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { organization, hash, .. } = self;
        f.debug_struct("OrganizationSet")
            .field("organization", organization)
            .field("hash", hash)
            .finish_non_exhaustive()
    }
}

//! Where a record stands.

use super::{Fault, VerifyError};
use crate::segment::file_name;

/// A record, and where its frame begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) record: u64,
    /// Index of its segment's first record.
    pub(super) segment: u64,
    pub(super) offset: usize,
}

impl Place {
    /// A fault found there.
    pub(super) fn error(self, fault: Fault) -> VerifyError {
        VerifyError { record: self.record, segment: file_name(self.segment), offset: self.offset, fault }
    }
}

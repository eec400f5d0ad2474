//! Backups: an organization's enclave keys, encrypted under a key whose shares its custodians keep.
//!
//! The enclave makes a header ([`begin`]), one entry for each key and a trailer ([`Sealer`]); the service puts them and
//! the states of keys and versions into one file ([`file`]). To restore, custodians open their shares of the header and
//! seal them to a transport key ([`custody`]), and the enclave that has enough of them opens the entries ([`Opener`]).
//!
//! **Invariants**
//! * Every key of a backup is derived from its secret and its header: a changed header opens nothing.
//! * An entry opens at its own place, as its own version, in its own backup only.
//! * The trailer's seal covers the header, the entries in their order, their number and the states.
//!
//! **Not here**: what a state means, and whether a version may come back (the service); keys that live in the token: they
//! stay there.

pub mod custody;
mod entry;
pub mod file;
mod header;
mod keys;
mod seal;

use thiserror::Error;

use crate::envelope::EnvelopeError;
use crate::shares::SharesError;

pub use entry::{Entry, EntryHead, MAX_ENTRY, MAX_SECRET, OpenedEntry};
pub use header::{Custodian, Header, MAX_HEADER};
pub use seal::{Backup, MAX_TRAILER, Opener, Sealer, Trailer, begin};

/// Why a backup can't be made, read or opened.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BackupError {
    /// The header is none, or was changed in a way that its form shows.
    #[error("not a backup's header: {0}")]
    Header(&'static str),
    /// An entry is none.
    #[error("entry {index} is malformed: the backup was changed or cut")]
    EntryForm {
        /// Which, counted from 0.
        index: u64,
    },
    /// An entry does not open: changed, moved, or another backup's.
    #[error("entry {index} does not open: it was changed, moved or taken from another backup")]
    Entry {
        /// Which, counted from 0.
        index: u64,
    },
    /// The trailer is none.
    #[error("not a backup's trailer")]
    TrailerForm,
    /// The trailer's seal does not hold.
    #[error("the backup's seal does not hold: something in it was changed, left out or added")]
    Seal,
    /// The header is not the one that these shares' secret made.
    #[error("the backup's header was changed: its seal does not hold")]
    HeaderSeal,
    /// A custodian's share is wrong.
    #[error("the share of {custodian} does not belong to this backup, or was changed")]
    WrongShare {
        /// Full resource name of the custodian.
        custodian: String,
    },
    /// A share names a custodian that the backup has not.
    #[error("share {number}: this backup has fewer custodians")]
    NoSuchCustodian {
        /// The share's number.
        number: u8,
    },
    /// Nobody of that name or key is a custodian of the backup.
    #[error("the backup has no share for {custodian}")]
    NotACustodian {
        /// Who asked.
        custodian: String,
    },
    /// A share was there twice.
    #[error("the share of {custodian} is there twice")]
    ShareTwice {
        /// Full resource name of the custodian.
        custodian: String,
    },
    /// Shares don't make a secret.
    #[error(transparent)]
    Shares(#[from] SharesError),
    /// A share can't be sealed or opened.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// A key is longer than any key is.
    #[error("a key of {length} bytes is too long for a backup")]
    TooLong {
        /// Its length.
        length: usize,
    },
    /// The file is no backup, or was cut or added to.
    #[error("not a backup file: {0}")]
    File(&'static str),
}

//! Receipts: that one record is in a log, provable offline and for ever (C2SP tlog-proof with the record in it).
//!
//! **Invariants**
//! * A receipt has one form, so that every byte of it is proven: text that differs from what [`encode`] writes is refused.
//! * What [`verify`] hands out is what the log's key signed: record, index and checkpoint belong together.
//!
//! **Not here**: witnesses' cosignatures, which come in a file of their own; what the record's own signature is worth.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost::Message as _;
use thiserror::Error;

use crate::{
    checkpoint::{Checkpoint, CheckpointError, VerifierKey},
    merkle::{
        Hash, leaf_hash,
        proof::{ProofError, verify_inclusion},
    },
    record::Record,
};

/// The first line.
const FORMAT: &str = "c2sp.org/tlog-proof@v1";

/// The longest receipt that is read, in bytes: the longest record in base64 takes two thirds of it.
pub const MAX_RECEIPT: usize = 2 << 20;

/// What a receipt's text holds, before anything of it is proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The record's stored bytes; `None` in a bare proof.
    pub record: Option<Vec<u8>>,
    /// The record's index.
    pub index: u64,
    /// The record's audit path, its sibling first.
    pub path: Vec<Hash>,
    /// The checkpoint's signed note.
    pub note: String,
}

/// A record that was proven to be in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Logged {
    /// The record.
    pub record: Record,
    /// Its stored bytes.
    pub stored: Vec<u8>,
    /// The checkpoint that covers it.
    pub checkpoint: Checkpoint,
    /// That checkpoint's note, with the log's signature only.
    pub note: String,
}

/// Why text is no receipt that we may believe.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReceiptError {
    /// It does not have the form of a tlog-proof.
    #[error("not a receipt: {0}")]
    Form(&'static str),
    /// It has not the one form that a receipt has.
    #[error("the receipt was changed: it is not written in the one form that receipts have")]
    NotCanonical,
    /// It does not hold the record.
    #[error(
        "it is a proof without the record, which proves nothing by itself: only those who may read the record get a receipt"
    )]
    Bare,
    /// Its checkpoint is not the log's.
    #[error("the receipt's checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The record is not in the tree that was signed.
    #[error("the record is not in the tree that the checkpoint signs: {0}")]
    Proof(#[from] ProofError),
    /// What is proven is no record of that index.
    #[error("what is proven is not record {index} of an audit log")]
    Record {
        /// The index that the receipt names.
        index: u64,
    },
}

/// A receipt's text. `note` is the checkpoint's, with exactly the log's signature line ([`VerifierKey::own_note`]). Without
/// a record it is a bare proof.
pub fn encode(record: Option<&[u8]>, index: u64, path: &[Hash], note: &str) -> String {
    let extra = record.map(|record| format!("extra {}\n", STANDARD.encode(record))).unwrap_or_default();
    let path: String = path.iter().map(|hash| format!("{}\n", STANDARD.encode(hash))).collect();
    format!("{FORMAT}\n{extra}index {index}\n{path}\n{note}")
}

impl Receipt {
    /// Reads a receipt or a bare proof. It proves nothing: that is [`verify`]'s business.
    ///
    /// # Errors
    /// [`ReceiptError::Form`] and [`ReceiptError::NotCanonical`].
    pub fn parse(text: &str) -> Result<Self, ReceiptError> {
        if text.len() > MAX_RECEIPT {
            return Err(ReceiptError::Form("it is longer than 2 MiB"));
        }
        let (head, note) =
            text.split_once("\n\n").ok_or(ReceiptError::Form("no empty line parts proof and checkpoint"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(FORMAT) {
            return Err(ReceiptError::Form("its first line must be c2sp.org/tlog-proof@v1"));
        }
        let extra = lines.next_if(|line| line.starts_with("extra ")).map(|line| STANDARD.decode(&line[6..]));
        let record = extra.transpose().map_err(|_| ReceiptError::Form("the record must be base64"))?;
        let index = lines.next().and_then(|line| line.strip_prefix("index ")?.parse().ok());
        let index = index.ok_or(ReceiptError::Form("a line must be the record's index"))?;
        let hash = |line: &str| STANDARD.decode(line).ok().and_then(|bytes| bytes.try_into().ok());
        let path: Option<Vec<Hash>> = lines.map(hash).collect();
        let path = path.ok_or(ReceiptError::Form("the lines after the index must be the base64 of 32 bytes each"))?;
        let receipt = Self { record, index, path, note: note.to_owned() };
        if receipt.to_string() == text { Ok(receipt) } else { Err(ReceiptError::NotCanonical) }
    }
}

impl std::fmt::Display for Receipt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&encode(self.record.as_deref(), self.index, &self.path, &self.note))
    }
}

/// Proves from the text and the log's key alone that the record in it is in the log.
///
/// # Errors
/// [`ReceiptError`]: any change of a sound receipt is one.
pub fn verify(text: &str, key: &VerifierKey) -> Result<Logged, ReceiptError> {
    let Receipt { record, index, path, note } = Receipt::parse(text)?;
    let stored = record.ok_or(ReceiptError::Bare)?;
    let checkpoint = VerifierKey::unproven(&note)?;
    verify_inclusion(&leaf_hash(&stored), index, checkpoint.size, &path, &checkpoint.root)?;
    // Other signatures, and another form of the log's, would be unproven.
    if key.own_note(&note)? != note {
        return Err(ReceiptError::NotCanonical);
    }
    match Record::decode(stored.as_slice()) {
        Ok(record) if record.index == index => Ok(Logged { record, stored, checkpoint, note }),
        _ => Err(ReceiptError::Record { index }),
    }
}

//! Checkpoints of the audit log and statements of the operations: composed here and signed here.
//!
//! **Invariants**: one origin per process; each checkpoint extends the last one signed, or the one given at `Open`, which
//! the audit key signed: a consistency proof shows it. What is about to be signed counts as signed. A statement counts as
//! shown once a checkpoint is signed whose tree has its record.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_audit::{
    checkpoint::{Checkpoint, MAX_NOTE, VerifierKey},
    merkle::{
        Frontier, Hash, leaf_hash,
        proof::{verify_consistency, verify_inclusion},
    },
    operations::{self, statement_text},
    record::{Kind, Record, Statement},
};
use chancery_ipc::{CheckpointSigned, FaultReason, Open, ShownStatement, SignCheckpoint, StatementSigned};
use chancery_transfer::statement::RESERVED_PREFIX;
use cryptoki::session::Session;
use prost::Message;

use crate::{audit_key::AuditKey, fault::Failure, operations::Operations};

/// The note's text (C2SP tlog-checkpoint): origin, size, root.
fn text(origin: &str, size: u64, root: &Hash) -> String {
    format!("{origin}\n{size}\n{}\n", STANDARD.encode(root))
}

/// A tree: its size and root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tree {
    size: u64,
    root: Hash,
}

/// The tree that the next checkpoint must extend: that of the newest note, or before the first the empty one, which only
/// the process that ran the ceremony may begin with. `None`: no checkpoint is signed.
pub(crate) fn last(request: &Open, audit_public_key: &[u8], after_ceremony: bool) -> Result<Option<Tree>, Failure> {
    let note = &request.checkpoint;
    if note.is_empty() {
        return Ok(after_ceremony.then(|| Tree { size: 0, root: Frontier::default().root() }));
    }
    let unusable = |why: String| {
        let message = format!(
            "the newest checkpoint is not one that this token's audit key signed for {:?} ({why}): the log's files and the \
             token do not belong together, or the file was changed",
            request.origin
        );
        Failure::new(FaultReason::CheckpointRefused, message)
    };
    if note.len() > MAX_NOTE {
        return Err(unusable(format!("it is longer than {MAX_NOTE} bytes")));
    }
    let key = VerifierKey::from_spki(&request.origin, audit_public_key).map_err(|error| unusable(error.to_string()))?;
    let Checkpoint { size, root, .. } = key.open_note(note).map_err(|error| unusable(error.to_string()))?;
    Ok(Some(Tree { size, root }))
}

/// Signs checkpoints and statements on a session of its own.
#[derive(Debug)]
pub(crate) struct CheckpointSigner {
    session: Session,
    key: AuditKey,
    origin: String,
    /// See [`last`].
    last: Option<Tree>,
}

impl CheckpointSigner {
    pub(crate) fn new(session: Session, key: AuditKey, origin: String, last: Option<Tree>) -> Self {
        Self { session, key, origin, last }
    }

    /// Signs a checkpoint that extends the last, and lets the statements count that its tree has.
    pub(crate) fn sign(
        &mut self,
        operations: &Operations,
        request: &SignCheckpoint,
    ) -> Result<CheckpointSigned, Failure> {
        let root = hash(&request.root).ok_or_else(|| Failure::bad_request("a root hash has 32 bytes"))?;
        let tree = Tree { size: request.size, root };
        extends(self.last, tree, &hashes(&request.consistency)?)?;
        let shown = request.statements.iter().map(|shown| stands(shown, tree, operations));
        let shown = shown.collect::<Result<Vec<_>, _>>()?;
        self.last = Some(tree);
        shown.iter().for_each(|statement| operations.shown(statement));
        let text = text(&self.origin, request.size, &root);
        let signature = self.key.sign(&self.session, &text, "signing a checkpoint")?;
        Ok(CheckpointSigned { signature })
    }

    /// States which operations were made.
    pub(crate) fn state(&self, operations: &Operations) -> Result<StatementSigned, Failure> {
        let (incarnation, chain) = operations.chain();
        let text = statement_text(&self.origin, incarnation, chain.operations(), chain.link());
        let signature = self.key.sign(&self.session, &text, "signing a statement")?;
        let (incarnation, running_hash) = (incarnation.to_vec(), chain.link().to_vec());
        let signed = StatementSigned { incarnation, operations: chain.operations(), running_hash, signature };
        operations.stated(recorded(signed.clone()));
        Ok(signed)
    }
}

/// As the log has it.
fn recorded(signed: StatementSigned) -> Statement {
    let StatementSigned { incarnation, operations, running_hash, signature } = signed;
    Statement { incarnation, operations, running_hash, signature }
}

/// Whether a checkpoint of `tree` may follow the last.
fn extends(last: Option<Tree>, tree: Tree, proof: &[Hash]) -> Result<(), Failure> {
    let Some(last) = last else {
        return Err(refused("no checkpoint was given when the token was opened, and so none can be extended"));
    };
    verify_consistency(last.size, &last.root, tree.size, &tree.root, proof).map_err(|error| {
        let (size, last) = (tree.size, last.size);
        refused(format!("a checkpoint of {size} records does not extend the last one, of {last}: {error}"))
    })
}

/// The statement that a record of `tree` holds, which was signed here.
fn stands(shown: &ShownStatement, tree: Tree, operations: &Operations) -> Result<Statement, Failure> {
    let (index, path) = (shown.index, hashes(&shown.path)?);
    let refused = |why: String| refused(format!("record {index} shows no statement: {why}"));
    verify_inclusion(&leaf_hash(&shown.record), index, tree.size, &path, &tree.root)
        .map_err(|error| refused(error.to_string()))?;
    let record = Record::decode(&shown.record[..]).map_err(|error| refused(error.to_string()))?;
    match record.statement {
        Some(statement) if record.kind == i32::from(Kind::Statement) && operations.is_ours(&statement) => Ok(statement),
        Some(_) => Err(refused(
            "it holds one that this process has not signed, or has signed before one that it was shown".into(),
        )),
        None => Err(refused("it holds none".into())),
    }
}

fn refused(why: impl Into<String>) -> Failure {
    Failure::new(FaultReason::CheckpointRefused, why)
}

fn hash(bytes: &[u8]) -> Option<Hash> {
    bytes.try_into().ok()
}

fn hashes(proof: &[Vec<u8>]) -> Result<Vec<Hash>, Failure> {
    let hashes = proof.iter().map(|bytes| hash(bytes)).collect::<Option<Vec<_>>>();
    hashes.ok_or_else(|| Failure::bad_request("a proof's hashes have 32 bytes each"))
}

/// Checks the origin line (C2SP tlog-checkpoint, signed-note). The audit key signs attestation statements and statements of
/// operations too, whose first lines no origin may resemble: docs/attestation.md, "Domain separation".
pub(crate) fn check_origin(origin: &str) -> Result<(), Failure> {
    if origin.is_empty()
        || origin.len() > 255
        || origin.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
    {
        return Err(Failure::bad_request(
            "an origin has 1 to 255 bytes and no whitespace, control character or plus sign",
        ));
    }
    for reserved in [RESERVED_PREFIX, operations::RESERVED_PREFIX] {
        if origin.starts_with(reserved) {
            return Err(Failure::bad_request(format!("an origin does not begin with {reserved}: statements do")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_three_lines() {
        assert_eq!(
            text("log.example/a", 42, &[0xff; 32]),
            "log.example/a\n42\n//////////////////////////////////////////8=\n"
        );
    }

    /// What the audit key signs as a checkpoint is never a statement, whose first line would be the origin.
    #[test]
    fn no_origin_begins_as_a_statement_does() {
        assert!(check_origin("log.example/a").is_ok());
        assert!(check_origin("example/chancery-attestation/v1").is_ok());
        let attestation = chancery_transfer::statement::FIRST_LINE;
        for origin in [attestation, RESERVED_PREFIX, "chancery-attestation/v2", operations::FIRST_LINE] {
            assert_eq!(check_origin(origin).unwrap_err().reason, FaultReason::BadRequest, "{origin}");
        }
    }

    #[test]
    fn a_checkpoint_extends_the_last_one_or_is_refused() {
        let leaves: Vec<_> = (0..3).map(|number| leaf_hash(&[number])).collect();
        let tree = |leaves: &[Hash]| {
            let mut tree = Frontier::default();
            leaves.iter().for_each(|leaf| tree.push(*leaf));
            Tree { size: tree.size(), root: tree.root() }
        };
        let [none, one, two, three] = [0, 1, 2, 3].map(|size| tree(&leaves[..size]));
        let fork = tree(&[leaves[1], leaves[0]]);
        assert!(extends(None, one, &[]).is_err(), "nothing to extend");
        assert!(extends(Some(none), two, &[]).is_ok(), "the first");
        assert!(extends(Some(one), two, &[leaves[1]]).is_ok());
        assert!(extends(Some(two), two, &[]).is_ok(), "the same again");
        assert!(extends(Some(two), three, &[leaves[2]]).is_ok());
        for (last, next, proof) in [
            (one, two, vec![]),
            (one, two, vec![leaves[0]]),
            (one, two, vec![leaves[1], leaves[1]]),
            (two, fork, vec![]),
            (fork, three, vec![leaves[2]]),
            (three, two, vec![]),
        ] {
            let refused = extends(Some(last), next, &proof).unwrap_err();
            assert_eq!(refused.reason, FaultReason::CheckpointRefused);
            assert!(refused.message.contains(&last.size.to_string()), "{}", refused.message);
        }
    }
}

//! Writes logs as a service does: preallocated segments, appended in place, sealed when the next begins, a checkpoint
//! replaced by rename after what it signs is written.

use chancery_audit::{
    checkpoint::{Checkpoint, VerifierKey},
    merkle::{Frontier, leaf_hash},
    record::{Genesis, Kind, Outcome, Record, ResourceState},
    segment::{Header, append_frame, file_name},
};
use ed25519_dalek::{Signer as _, SigningKey, pkcs8::EncodePublicKey as _};
use prost::Message as _;
use sha2::Digest as _;
use std::{fs, io::Write as _, os::unix::fs::FileExt as _, path::PathBuf};

const ORIGIN: &str = "chancery.example/test";
/// What a segment is preallocated to, in bytes, or a multiple of it.
const PREALLOCATED: usize = 4096;

pub(crate) struct Log {
    pub(crate) dir: PathBuf,
    pub(crate) vkey: PathBuf,
    key: SigningKey,
    tree: Frontier,
    segments: Vec<Segment>,
    note: Option<String>,
    _folder: tempfile::TempDir,
}

struct Segment {
    path: PathBuf,
    bytes: Vec<u8>,
    written: usize,
    sealed: bool,
}

impl Log {
    /// A log with a GENESIS and nothing written yet.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (dir, vkey) = (folder.path().join("audit"), folder.path().join("audit.vkey"));
        fs::create_dir(&dir).unwrap();
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).unwrap();
        let key = SigningKey::from_bytes(&seed);
        let (tree, segments) = (Frontier::default(), Vec::new());
        let mut log = Self { dir, vkey, key, tree, segments, note: None, _folder: folder };
        fs::write(&log.vkey, format!("{}\n", log.verifier_key())).unwrap();
        log.begin_segment();
        let genesis = Genesis {
            deployment: "test".into(),
            origins: vec![ORIGIN.into()],
            audit_vkey: log.verifier_key().to_string(),
            ..Genesis::default()
        };
        log.push(Record { kind: Kind::Genesis.into(), genesis: Some(genesis), ..Record::default() });
        log
    }

    fn verifier_key(&self) -> VerifierKey {
        let spki = self.key.verifying_key().to_public_key_der().unwrap();
        VerifierKey::from_spki(ORIGIN, spki.as_bytes()).unwrap()
    }

    fn begin_segment(&mut self) {
        let header = Header {
            first_index: self.tree.size(),
            origin_hash: sha2::Sha256::digest(ORIGIN).into(),
            tree_root: self.tree.root(),
        };
        let path = self.dir.join(file_name(self.tree.size()));
        self.segments.push(Segment { path, bytes: header.encode().to_vec(), written: 0, sealed: false });
    }

    fn push(&mut self, record: Record) {
        let mut salt = vec![0; 16];
        getrandom::fill(&mut salt).unwrap();
        let index = self.tree.size();
        let bytes =
            Record { index, time_unix_nanos: 1_700_000_000_000_000_000 + index as i64, salt, ..record }.encode_to_vec();
        append_frame(&mut self.segments.last_mut().unwrap().bytes, &bytes);
        self.tree.push(leaf_hash(&bytes));
    }

    /// Appends signatures. The GENESIS counts as the first record of a new log.
    pub(crate) fn append(&mut self, records: u64) {
        let records = if self.tree.size() == 1 { records - 1 } else { records };
        for _ in 0..records {
            self.push(Record {
                kind: Kind::Outcome.into(),
                action: "Sign".into(),
                resource: "organizations/org1/keys/peer0/versions/1".into(),
                outcome: Outcome::Succeeded.into(),
                ..Record::default()
            });
        }
    }

    /// Appends a change that left this state behind.
    pub(crate) fn append_change(&mut self, state: ResourceState) {
        self.push(Record {
            kind: Kind::Outcome.into(),
            resource: state.name.clone(),
            outcome: Outcome::Succeeded.into(),
            states: vec![state],
            ..Record::default()
        });
    }

    /// Seals the segment and begins the next.
    pub(crate) fn roll(&mut self) {
        self.segments.last_mut().unwrap().sealed = true;
        self.begin_segment();
    }

    /// Signs what was appended so far.
    pub(crate) fn sign(&mut self) {
        let checkpoint = Checkpoint { origin: ORIGIN.into(), size: self.tree.size(), root: self.tree.root() };
        let signature = self.key.sign(checkpoint.text().as_bytes());
        self.note = Some(self.verifier_key().sign_note(&checkpoint, &signature.to_bytes()));
    }

    /// Writes what is new: segments, then the checkpoint.
    pub(crate) fn write(&mut self) {
        for segment in &mut self.segments {
            let file = fs::File::options().create(true).write(true).truncate(false).open(&segment.path).unwrap();
            let length = segment.bytes.len();
            file.write_all_at(&segment.bytes[segment.written..], segment.written as u64).unwrap();
            segment.written = length;
            let whole = if segment.sealed { length } else { length.next_multiple_of(PREALLOCATED) };
            file.set_len(whole as u64).unwrap();
        }
        if let Some(note) = self.note.take() {
            let beside = self.dir.join("checkpoint.new");
            let mut file = fs::File::create(&beside).unwrap();
            file.write_all(note.as_bytes()).unwrap();
            fs::rename(beside, self.dir.join("checkpoint")).unwrap();
        }
    }

    /// The segments' files, in order.
    pub(crate) fn segments(&self) -> Vec<PathBuf> {
        self.segments.iter().map(|segment| segment.path.clone()).collect()
    }
}

//! Evidence that a log's key signed what can't be true together.
//!
//! **Invariants**: a directory of evidence is new and durable before anyone is told of it, and is never written to again.
//! Whoever has the log's key can check it without us: it holds the signed notes as they came.
//!
//! **Not here**: finding contradictions (chancery-audit).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::{
    fs::{DirBuilder, File},
    io::{self, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

/// See the module.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// The log's key, vkey text.
    pub key: String,
    /// The signed note that was kept from before; empty where there was none.
    pub kept: String,
    /// The note that was shown now.
    pub shown: String,
    /// The consistency proof that came with it (RFC 6962 §2.1.2).
    pub proof: Vec<Vec<u8>>,
    /// What is wrong, in words.
    pub problem: String,
}

impl Evidence {
    /// Writes a directory beside or in which `prefix` says: `PREFIX` and the time.
    ///
    /// # Errors
    /// When it can't be written as a whole.
    pub fn write(&self, prefix: &Path) -> io::Result<PathBuf> {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let directory = new_directory(prefix, seconds)?;
        let proof: String = self.proof.iter().map(|hash| STANDARD.encode(hash) + "\n").collect();
        let text = format!(
            "{problem}\n\n\
             kept.note   the checkpoint that was signed by the log's key and kept from before\n\
             shown.note  the one that was shown instead, at {seconds} seconds since 1970-01-01\n\
             proof.txt   the consistency proof that came with it, if any: RFC 6962 section 2.1.2, base64, a hash a line\n\
             audit.vkey  the log's key\n\n\
             Expected was a checkpoint that extends the kept one. Both notes carry the signature of the log's key, so that\n\
             no third party can have made them up: show them to the other members and to their witnesses, and compare\n\
             what each of them has kept. docs/operations.md says what the operator does.\n",
            problem = self.problem
        );
        for (name, content) in [
            ("kept.note", &self.kept),
            ("shown.note", &self.shown),
            ("proof.txt", &proof),
            ("audit.vkey", &format!("{}\n", self.key)),
            ("README.txt", &text),
        ] {
            let mut file = File::create_new(directory.join(name))?;
            file.write_all(content.as_bytes())?;
            file.sync_all()?;
        }
        File::open(&directory)?.sync_all()?;
        if let Some(parent) = directory.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            File::open(parent)?.sync_all()?;
        }
        Ok(directory)
    }
}

fn new_directory(prefix: &Path, seconds: u64) -> io::Result<PathBuf> {
    let mut more = 0;
    loop {
        let mut name = prefix.as_os_str().to_owned();
        name.push(match more {
            0 => seconds.to_string(),
            more => format!("{seconds}-{more}"),
        });
        match DirBuilder::new().mode(0o700).create(&name) {
            Ok(()) => return Ok(name.into()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && more < 1000 => more += 1,
            Err(error) => return Err(error),
        }
    }
}

//! The last readings of the clock, kept for the next start: `clock` in the data directory.
//!
//! **Invariant**: the file is put in place as a whole. One that is missing or damaged is no evidence: the log's last
//! record counts then, which is stricter.

use super::Evidence;
use crate::audit::replace;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

const NAME: &str = "clock";

/// See the module.
#[derive(Debug, Clone)]
pub struct EvidenceFile {
    directory: PathBuf,
}

impl EvidenceFile {
    /// Below a data directory.
    pub fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// What was kept, if anything was.
    pub fn read(&self) -> Option<Evidence> {
        parse(&fs::read_to_string(self.directory.join(NAME)).ok()?)
    }

    /// Keeps it, durably.
    ///
    /// # Errors
    /// The disk's.
    pub fn write(&self, evidence: &Evidence) -> io::Result<()> {
        let Evidence { boot_id, booted, wall } = evidence;
        replace(&self.directory, NAME, format!("boot {boot_id}\nbooted {booted}\nread {wall}\n").as_bytes())
    }
}

fn parse(text: &str) -> Option<Evidence> {
    let mut lines = text.lines();
    let mut field = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
    Some(Evidence {
        boot_id: field("boot")?.to_owned(),
        booted: field("booted")?.parse().ok()?,
        wall: field("read")?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back_and_what_is_damaged_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let file = EvidenceFile::new(directory.path());
        assert_eq!(file.read(), None);
        for boot_id in ["8e3f-1", ""] {
            let kept = Evidence { boot_id: boot_id.into(), booted: -5, wall: 1_700_000_000_000_000_000 };
            file.write(&kept).unwrap();
            assert_eq!(file.read(), Some(kept));
        }
        for damaged in ["", "boot a\n", "boot a\nbooted x\nread 1\n", "booted 1\nboot a\nread 1\n"] {
            fs::write(directory.path().join(NAME), damaged).unwrap();
            assert_eq!(file.read(), None, "{damaged:?}");
        }
    }
}

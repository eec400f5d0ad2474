//! One start of a service that may fail, and files to break and mend.

use crate::harness::{Deployment, chanceryd, signal};
use std::{
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// How a start went. One that succeeded was ended again.
pub struct Attempt {
    /// Whether it came to serve.
    pub served: bool,
    pub code: Option<i32>,
    pub stderr: String,
}

/// Runs `chanceryd`, until it ends or serves.
pub fn attempt<S: AsRef<OsStr>>(arguments: &[S]) -> Attempt {
    let stderr = tempfile::NamedTempFile::new().unwrap();
    let mut process = Command::new(chanceryd())
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(stderr.reopen().unwrap())
        .spawn()
        .unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let served = lines.map_while(Result::ok).any(|line| line.starts_with("ready"));
    if served {
        signal(process.id(), "TERM");
    }
    let code = process.wait().unwrap().code();
    Attempt { served, code, stderr: fs::read_to_string(stderr.path()).unwrap() }
}

/// Starts the service of a stopped deployment once more.
pub fn start(deployment: &Deployment) -> Attempt {
    let dir = deployment.dir();
    attempt(&["dev".as_ref(), "--listen".as_ref(), "127.0.0.1:0".as_ref(), "--dir".as_ref(), dir.as_os_str()])
}

impl Attempt {
    /// Fails unless the start was refused with `code` and a message that has all of `words`.
    #[track_caller]
    pub fn refused(&self, code: i32, words: &[&str]) {
        let last = self.stderr.rfind("chanceryd: ").map_or("", |at| &self.stderr[at..]);
        assert_eq!((self.served, self.code), (false, Some(code)), "{}", self.stderr);
        for word in words {
            assert!(last.contains(word), "{word:?} is missing in: {last}");
        }
    }

    /// Fails unless it served and ended well.
    #[track_caller]
    pub fn served(&self) {
        assert_eq!((self.served, self.code), (true, Some(0)), "{}", self.stderr);
    }
}

/// A file or directory as it was, to be put back.
pub struct Kept {
    path: PathBuf,
    copy: tempfile::TempDir,
}

impl Kept {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let kept = Self { path: path.into(), copy: tempfile::TempDir::new().unwrap() };
        copy(&kept.path, &kept.copy.path().join("it"));
        kept
    }

    /// Puts it back, whatever is there now.
    pub fn restore(&self) {
        if self.path.is_dir() {
            fs::remove_dir_all(&self.path).unwrap();
        } else if self.path.exists() {
            fs::remove_file(&self.path).unwrap();
        }
        copy(&self.copy.path().join("it"), &self.path);
    }
}

/// Copies a file, or a directory with all it holds. Modes come along.
pub fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(status.success(), "cp -a {} {}", from.display(), to.display());
}

/// Replaces what must be there in a text file.
pub fn edit(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from:?} is not in {}", path.display());
    fs::write(path, text.replace(from, to)).unwrap();
}

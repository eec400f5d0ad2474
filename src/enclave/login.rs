//! Remembers that a token refused its PIN, across restarts: tokens lock after a few wrong ones.
//!
//! **Invariant**: while the marker stands, no login is tried; only an operator's `--retry-login` removes it.

use std::{fs, io, path::PathBuf};

/// The file that stands for a refused login.
#[derive(Debug, Clone)]
pub struct LoginMarker {
    path: PathBuf,
    pin_file: PathBuf,
}

/// A login that is not tried.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the token refused the PIN in {} before; correct the file, make sure that the token is not locked, and start \
         once with --retry-login", pin_file.display())]
pub struct LoginRefused {
    pin_file: PathBuf,
}

impl LoginMarker {
    /// The marker in `data` for a PIN file.
    pub fn new(data: &std::path::Path, pin_file: PathBuf) -> Self {
        Self { path: data.join("login-refused"), pin_file }
    }

    /// Whether a login may be tried.
    ///
    /// # Errors
    /// [`LoginRefused`] when the last one with this PIN file was refused.
    pub fn check(&self) -> Result<(), LoginRefused> {
        let refused = LoginRefused { pin_file: self.pin_file.clone() };
        match fs::read_to_string(&self.path) {
            Ok(file) if file.trim_end() == self.pin_file.to_string_lossy() => Err(refused),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            // A marker that can't be read may stand.
            Err(_) => Err(refused),
        }
    }

    /// Remembers a refused login.
    ///
    /// # Errors
    /// The I/O error: the caller must not try again in this process either.
    pub fn set(&self) -> io::Result<()> {
        let mut file = fs::File::create(&self.path)?;
        io::Write::write_all(&mut file, format!("{}\n", self.pin_file.display()).as_bytes())?;
        file.sync_all()
    }

    /// Forgets it, at an operator's word.
    ///
    /// # Errors
    /// The I/O error.
    pub fn clear(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

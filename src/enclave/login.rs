//! Remembers that a token refused its PIN, across restarts: tokens lock after a few wrong ones.
//!
//! **Invariants**: while the marker says refused, no login is tried; only an operator's `--retry-login` removes it. A
//! login whose end nobody saw (the library or the machine crashed in it) counts, and the second in a row is as a refusal.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

/// Logins without a known end that are too many.
const UNENDED: u32 = 2;

/// The file that stands for logins refused or not ended.
#[derive(Debug, Clone)]
pub struct LoginMarker {
    path: PathBuf,
    pin_file: PathBuf,
}

/// A login that is not tried.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the token refused the PIN in {} before, or crashed while it was tried; correct the file, make sure that the \
         token is not locked, and start once with --retry-login", pin_file.display())]
pub struct LoginRefused {
    pin_file: PathBuf,
}

impl LoginMarker {
    /// The marker in `data` for a PIN file.
    pub fn new(data: &Path, pin_file: PathBuf) -> Self {
        Self { path: data.join("login-refused"), pin_file }
    }

    /// Notes that a login is about to be tried.
    ///
    /// # Errors
    /// [`LoginRefused`] when the last one with this PIN file was refused, or can't be noted.
    pub fn begin(&self) -> Result<(), LoginRefused> {
        let refused = LoginRefused { pin_file: self.pin_file.clone() };
        let unended = match fs::read_to_string(&self.path) {
            Ok(text) => match text.split_once(' ') {
                Some((count, pin_file)) if pin_file.trim_end() == self.pin_file.to_string_lossy() => {
                    count.parse().unwrap_or(UNENDED)
                }
                Some(_) => 0,
                None => UNENDED,
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            // A marker that can't be read may say refused.
            Err(_) => UNENDED,
        };
        if unended >= UNENDED || self.write(unended + 1).is_err() {
            return Err(refused);
        }
        Ok(())
    }

    /// Notes how the login ended.
    pub fn end(&self, refused: bool) {
        let result = if refused { self.write(UNENDED) } else { self.clear() };
        if let Err(error) = result {
            tracing::error!(%error, refused, "how a login ended can't be remembered");
        }
    }

    /// As a whole: half a marker would be as a refusal.
    fn write(&self, unended: u32) -> io::Result<()> {
        let new = self.path.with_extension("new");
        let mut file = fs::File::create(&new)?;
        writeln!(file, "{unended} {}", self.pin_file.display())?;
        file.sync_all()?;
        fs::rename(new, &self.path)?;
        self.sync_directory()
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.path.parent().map_or(Ok(()), |directory| fs::File::open(directory)?.sync_all())
    }

    /// Forgets it all, at an operator's word.
    ///
    /// # Errors
    /// The I/O error.
    pub fn clear(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            // A loss of power must not bring it back: it would count as one more login without an end.
            _ => self.sync_directory(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_login_is_not_tried_again_until_an_operator_says_so() {
        let data = tempfile::TempDir::new().unwrap();
        let marker = LoginMarker::new(data.path(), "/etc/pin".into());
        marker.begin().unwrap();
        marker.end(true);
        assert!(marker.begin().is_err());
        assert!(LoginMarker::new(data.path(), "/etc/pin".into()).begin().is_err(), "also after a restart");
        assert!(LoginMarker::new(data.path(), "/etc/other".into()).begin().is_ok(), "another PIN file is another try");
        marker.clear().unwrap();
        marker.begin().unwrap();
    }

    #[test]
    fn two_logins_without_an_end_are_enough() {
        let data = tempfile::TempDir::new().unwrap();
        let marker = LoginMarker::new(data.path(), "/etc/pin".into());
        marker.begin().unwrap();
        marker.begin().unwrap();
        assert!(marker.begin().is_err());
        marker.clear().unwrap();
        marker.begin().unwrap();
        marker.end(false);
        marker.begin().unwrap();
    }
}

//! Input and output files.
//!
//! **Invariants**
//! * An output file is complete or not there: it is written beside its place and renamed.
//! * A secret is read into memory that is wiped, and its file is readable for its owner only, from its first byte on.
//! * `-` is stdin or stdout. What is no regular file (a device, a pipe) is written to, never replaced.
//!
//! **Not here**: the audit log's files (`audit`).

use crate::{failure::CliError, output};
use std::{
    fs::{self, File, Permissions},
    io::{self, IsTerminal as _, Read, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

/// Opens an input.
pub(crate) fn open(path: &Path) -> Result<Box<dyn Read>, CliError> {
    if output::is_dash(path) {
        return Ok(Box::new(io::stdin().lock()));
    }
    Ok(Box::new(File::open(path).map_err(CliError::read(path))?))
}

/// Reads an input of at most `limit` bytes.
///
/// # Errors
/// [`CliError::Rejected`] when it is longer.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, CliError> {
    let mut bytes = Vec::new();
    open(path)?.take(limit + 1).read_to_end(&mut bytes).map_err(CliError::read(path))?;
    if bytes.len() as u64 > limit {
        return Err(CliError::Rejected(format!("{} is longer than {limit} bytes", path.display())));
    }
    Ok(bytes)
}

/// Reads a secret input of at most `limit` bytes, into memory that is wiped.
///
/// # Errors
/// [`CliError::Rejected`] when it is longer.
pub(crate) fn read_secret(path: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>, CliError> {
    let mut input = open(path)?;
    // Never grown: growing would leave a copy behind.
    let mut bytes = Zeroizing::new(vec![0; limit + 1]);
    let mut length = 0;
    while length < bytes.len() {
        match input.read(&mut bytes[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(CliError::read(path)(error)),
        }
    }
    if length > limit {
        return Err(CliError::Rejected(format!("{} is longer than {limit} bytes", path.display())));
    }
    bytes.truncate(length);
    Ok(bytes)
}

/// Writes an output.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    if output::is_dash(path) {
        return output::bytes(bytes);
    }
    write_file(path, bytes, 0o666).map_err(CliError::write(path))
}

/// Writes a secret output, which only its owner may read.
pub(crate) fn write_secret(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    if output::is_dash(path) {
        return output::bytes(bytes);
    }
    write_file(path, bytes, 0o600).map_err(CliError::write(path))
}

/// Refuses a terminal as the place for bytes that are no text, unless it is `forced`.
///
/// # Errors
/// [`CliError::Usage`].
pub(crate) fn check_binary(path: &Path, forced: bool) -> Result<(), CliError> {
    if output::is_dash(path) && !forced && io::stdout().is_terminal() {
        return Err(CliError::Usage(
            "the result is no text for a terminal: name a file with --out, send it through a pipe, or give --force"
                .into(),
        ));
    }
    Ok(())
}

/// An output that is written piece by piece, and takes its place only when it is complete.
pub(crate) struct Pending {
    file: NamedTempFile,
    path: PathBuf,
}

impl Pending {
    /// Begins an output that only its owner may read.
    ///
    /// # Errors
    /// [`CliError::Usage`] for what is no regular file, [`CliError::Write`].
    pub(crate) fn begin(path: &Path) -> Result<Self, CliError> {
        if output::is_dash(path) || fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return Err(CliError::Usage(format!("{} is no regular file: name one with --out", path.display())));
        }
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let file = beside(&target, 0o600).map_err(CliError::write(path))?;
        Ok(Self { file, path: target })
    }

    /// Writes the next piece.
    pub(crate) fn write(&mut self, piece: &[u8]) -> Result<(), CliError> {
        self.file.write_all(piece).map_err(CliError::write(&self.path))
    }

    /// Puts the output in its place.
    pub(crate) fn complete(self) -> Result<(), CliError> {
        let Self { file, path } = self;
        let synced = file.as_file().sync_all();
        synced.and_then(|()| Ok(file.persist(&path)?)).map_err(CliError::write(&path))?;
        Ok(())
    }
}

/// A new file in the folder of `path`.
fn beside(path: &Path, mode: u32) -> io::Result<NamedTempFile> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // The umask takes from the mode, as from any new file's.
    tempfile::Builder::new().permissions(Permissions::from_mode(mode)).tempfile_in(folder)
}

fn write_file(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    // Through a link, so that the link stays and the file it names is replaced.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if fs::metadata(&path).is_ok_and(|found| !found.is_file()) {
        return File::options().write(true).open(&path)?.write_all(bytes);
    }
    let mut file = beside(&path, mode)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(&path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn replaces_a_file_whole_and_keeps_links() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        fs::write(&file, "a much longer text").unwrap();
        symlink(&file, &link).unwrap();
        write(&link, b"new").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn secrets_are_for_their_owner_only_also_where_a_file_was_open_to_all() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secret");
        fs::write(&file, "open").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        write_secret(&file, b"secret").unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(*read_secret(&file, 6).unwrap(), b"secret");
        assert_eq!(read_secret(&file, 5).unwrap_err().exit_code(), 65);
    }

    #[test]
    fn an_unfinished_output_is_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        let mut pending = Pending::begin(&file).unwrap();
        pending.write(b"half").unwrap();
        drop(pending);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        let mut pending = Pending::begin(&file).unwrap();
        pending.write(b"wh").unwrap();
        pending.write(b"ole").unwrap();
        pending.complete().unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"whole");
        assert!(Pending::begin(Path::new("/dev/null")).is_err());
    }

    #[test]
    fn a_device_is_written_to() {
        write(Path::new("/dev/null"), b"gone").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn failures_name_the_file_and_leave_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("missing/file");
        assert_eq!(write(&missing, b"x").unwrap_err().exit_code(), 73);
        let error = read(&missing, 10).unwrap_err();
        assert_eq!(error.exit_code(), 66);
        assert!(error.to_string().contains("missing/file"), "{error}");
    }

    #[test]
    fn inputs_are_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "0123456789").unwrap();
        assert_eq!(read(&file, 10).unwrap(), b"0123456789");
        assert_eq!(read(&file, 9).unwrap_err().exit_code(), 65);
    }
}

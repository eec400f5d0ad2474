//! Input and output files.
//!
//! **Invariants**
//! * An output file is complete or not there: it is written beside its place and renamed.
//! * `-` is stdin or stdout. What is no regular file (a device, a pipe) is written to, never replaced.
//!
//! **Not here**: the audit log's files (`audit`).

use crate::{failure::CliError, output};
use std::{
    fs::{self, File, Permissions},
    io::{self, Read, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

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

/// Writes an output.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    if output::is_dash(path) {
        return output::bytes(bytes);
    }
    write_file(path, bytes).map_err(CliError::write(path))
}

fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Through a link, so that the link stays and the file it names is replaced.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if fs::metadata(&path).is_ok_and(|found| !found.is_file()) {
        return File::options().write(true).open(&path)?.write_all(bytes);
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // As any new file: the umask decides.
    let mut file = tempfile::Builder::new().permissions(Permissions::from_mode(0o666)).tempfile_in(folder)?;
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

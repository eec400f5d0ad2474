//! A line for people where something failed, if `CHANCERY_PKCS11_LOG` names a file or says `stderr`.
//!
//! **Invariants**
//! * Nothing secret is passed in: no PIN, no key, no data of the host.
//! * The file is appended to, is a regular one, stays under [`LONGEST`], and no program that the host starts inherits it.
//! * A log that can't be written changes nothing else.
//! * No lock is held while a line is written, not even Rust's of standard error: a forked child would inherit it.
//!
//! **Not here**: the host's own log.

use std::{
    env,
    ffi::OsStr,
    fmt,
    fs::File,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    sync::OnceLock,
};

/// A file that is this long gets no more.
const LONGEST: u64 = 16 << 20;
/// A line is cut here, in characters.
const LONGEST_LINE: usize = 1000;

enum Sink {
    Stderr,
    File(File),
}

static SINK: OnceLock<Option<Sink>> = OnceLock::new();

/// Reads the variable, the first time (C_Initialize).
pub fn open() {
    if SINK.get().is_none() {
        // Two threads may get here at once; nobody waits for the other.
        let _ = SINK.set(sink());
    }
}

fn sink() -> Option<Sink> {
    let to = env::var_os("CHANCERY_PKCS11_LOG").filter(|to| !to.is_empty())?;
    if to == "stderr" { Some(Sink::Stderr) } else { file(&to).ok().map(Sink::File) }
}

/// std opens it O_CLOEXEC. A pipe would block, or end the host by SIGPIPE.
fn file(path: &OsStr) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
    let file = File::options().append(true).create(true).mode(0o600).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(file)
}

/// Writes one line: time, process, message.
pub fn line(message: fmt::Arguments<'_>) {
    let Some(Some(sink)) = SINK.get() else { return };
    sink.write(message);
}

/// The same, on standard error if nothing else was asked for: why the module can't be used at all.
pub fn always(message: fmt::Arguments<'_>) {
    SINK.get().and_then(Option::as_ref).unwrap_or(&Sink::Stderr).write(message);
}

impl Sink {
    fn write(&self, message: fmt::Arguments<'_>) {
        let now = jiff::Timestamp::now();
        let line = format!("{now:.3} chancery-pkcs11[{}]: {}\n", std::process::id(), one_line(&message.to_string()));
        // In one piece, so that lines of several processes don't mix.
        let _ = match self {
            Self::Stderr => rustix::io::write(io::stderr(), line.as_bytes()).map(drop).map_err(Into::into),
            Self::File(file) => match file.metadata() {
                Ok(metadata) if metadata.len() < LONGEST => (&*file).write_all(line.as_bytes()),
                _ => Ok(()),
            },
        };
    }
}

fn one_line(message: &str) -> String {
    message.chars().take(LONGEST_LINE).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_message_stays_one_line() {
        assert_eq!(one_line("a\nb\x1b[31m"), "a b [31m");
        assert_eq!(one_line(&"x".repeat(5000)).len(), LONGEST_LINE);
    }

    #[test]
    fn only_a_regular_file_is_appended_to() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        fs::write(&path, "before\n").unwrap();
        file(path.as_os_str()).unwrap().write_all(b"after\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "before\nafter\n");
        assert!(file(OsStr::new("/dev/null")).is_err());
        assert!(file(directory.path().as_os_str()).is_err());
    }
}

//! A disk that fails, halts or loses power on demand, between a program and the kernel: see shim.c.
#![allow(dead_code, unreachable_pub, reason = "each suite uses a part; a test has no public")]

use std::{
    ffi::OsString,
    fmt,
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

/// What an operation meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// `kill -9`, before the operation is done.
    KillBefore,
    /// After half a write was done; other operations as before or after.
    KillMiddle,
    /// After it was done, before the program learns it.
    KillAfter,
    /// It fails with this error number.
    Error(i32),
    /// Half of a write is done.
    Short,
    /// A sync fails and forgets what it had to write: the next one succeeds.
    Drop,
    /// A sync says that it succeeded and does nothing.
    Lie,
    /// It takes this many milliseconds more.
    Delay(u64),
    /// It does not return before the rules change.
    Hang,
}

pub const EIO: i32 = 5;
pub const ENOSPC: i32 = 28;
pub const EROFS: i32 = 30;

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KillBefore => write!(f, "kill-before"),
            Self::KillMiddle => write!(f, "kill-middle"),
            Self::KillAfter => write!(f, "kill-after"),
            Self::Error(number) => write!(f, "error {number}"),
            Self::Short => write!(f, "short"),
            Self::Drop => write!(f, "drop"),
            Self::Lie => write!(f, "lie"),
            Self::Delay(milliseconds) => write!(f, "delay {milliseconds}"),
            Self::Hang => write!(f, "hang"),
        }
    }
}

/// What happens to operations of one kind on files whose path has a part.
#[derive(Debug, Clone)]
pub struct Rule {
    pub operation: &'static str,
    pub path: &'static str,
    /// From the how-manyth on.
    pub first: u64,
    /// For how many; 0: all further ones.
    pub count: u64,
    pub action: Action,
}

impl Rule {
    /// Each such operation, from the first on.
    pub fn each(operation: &'static str, path: &'static str, action: Action) -> Self {
        Self { operation, path, first: 1, count: 0, action }
    }

    /// One such operation.
    pub fn once(operation: &'static str, path: &'static str, first: u64, action: Action) -> Self {
        Self { operation, path, first, count: 1, action }
    }
}

/// What a program did to its files, in order.
#[derive(Debug)]
pub enum Event {
    Create {
        inode: u64,
        path: PathBuf,
    },
    Write {
        inode: u64,
        offset: u64,
        data: Vec<u8>,
    },
    Truncate {
        inode: u64,
        length: u64,
    },
    Reserve {
        inode: u64,
        offset: u64,
        length: u64,
    },
    Sync {
        inode: u64,
    },
    /// A sync that failed and forgot what it had to write.
    Drop {
        inode: u64,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    Unlink {
        path: PathBuf,
    },
    SyncDirectory {
        path: PathBuf,
    },
}

/// See the module.
pub struct Shim {
    directory: PathBuf,
    generation: AtomicU64,
    /// How far the journal was read.
    read: AtomicU64,
}

/// Compiles the library, once.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (library, new) = (directory.join("shim.so"), directory.join(format!("shim-{}.so", std::process::id())));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/harness/shim.c");
        let mut cc = Command::new("cc");
        cc.args(["-O1", "-fPIC", "-shared", "-pthread", "-o"]).arg(&new).arg(source);
        assert!(cc.status().expect("cc").success(), "the I/O shim does not compile");
        fs::rename(new, &library).unwrap();
        library
    })
}

impl Shim {
    /// Keeps its rules and journal in `directory`, which is not one that it watches.
    pub fn new(directory: &Path) -> Self {
        let shim = Self { directory: directory.to_owned(), generation: AtomicU64::new(0), read: AtomicU64::new(0) };
        shim.set(&[]);
        File::create(shim.journal()).unwrap();
        shim
    }

    fn journal(&self) -> PathBuf {
        self.directory.join("shim-journal")
    }

    fn control(&self) -> PathBuf {
        self.directory.join("shim-control")
    }

    /// The environment in which `program` works on such a disk, for what lies below `directories`.
    pub fn environment(&self, program: &Path, directories: &[PathBuf]) -> Vec<(&'static str, OsString)> {
        let name = program.file_name().unwrap().to_owned();
        vec![
            ("LD_PRELOAD", library().into()),
            ("SHIM_PROGRAM", name),
            ("SHIM_DIRS", directories.iter().map(|path| path.as_os_str()).collect::<Vec<_>>().join(":".as_ref())),
            ("SHIM_CONTROL", self.control().into()),
            ("SHIM_JOURNAL", self.journal().into()),
            ("SHIM_SYNC", "skip".into()),
        ]
    }

    /// What operations meet from now on; none: a sound disk.
    pub fn set(&self, rules: &[Rule]) {
        let generation = self.generation.fetch_add(1, Ordering::Relaxed) + 1;
        let mut text = format!("generation {generation}\n");
        for Rule { operation, path, first, count, action } in rules {
            text += &format!("{operation} {path} {first} {count} {action}\n");
        }
        let new = self.directory.join("shim-control.new");
        fs::write(&new, text).unwrap();
        fs::rename(new, self.control()).unwrap();
    }

    /// What was done since the last call.
    pub fn events(&self) -> Vec<Event> {
        let mut file = File::open(self.journal()).unwrap();
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(self.read.load(Ordering::Relaxed))).unwrap();
        file.read_to_end(&mut bytes).unwrap();
        let (mut events, mut rest) = (Vec::new(), &bytes[..]);
        while let Some((event, after)) = parse(rest) {
            events.push(event);
            rest = after;
        }
        self.read.fetch_add((bytes.len() - rest.len()) as u64, Ordering::Relaxed);
        events
    }
}

/// The first entry of a journal, and what follows it; `None` where it ends.
fn parse(bytes: &[u8]) -> Option<(Event, &[u8])> {
    let (head, rest) = bytes.split_at_checked(64)?;
    let number = |at: usize| u64::from_le_bytes(head[at * 8..][..8].try_into().unwrap());
    let (inode, offset, length) = (number(1), number(2), number(3));
    let (path, rest) = rest.split_at_checked(number(4) as usize)?;
    let (data, rest) = rest.split_at_checked(number(5) as usize)?;
    let text = std::str::from_utf8(path).unwrap();
    let event = match number(0) {
        1 => Event::Create { inode, path: text.into() },
        2 => Event::Write { inode, offset, data: data.to_vec() },
        3 => Event::Truncate { inode, length },
        4 => Event::Reserve { inode, offset, length },
        5 => Event::Sync { inode },
        6 => Event::Drop { inode },
        7 => {
            let (from, to) = text.split_once('\n').unwrap();
            Event::Rename { from: from.into(), to: to.into() }
        }
        8 => Event::Unlink { path: text.into() },
        9 => Event::SyncDirectory { path: text.into() },
        other => panic!("the shim's journal has an entry of kind {other}"),
    };
    Some((event, rest))
}

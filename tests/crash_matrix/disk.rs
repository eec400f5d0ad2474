//! What a disk may hold after a loss of power, from what was done to its files.
//!
//! **Invariants**: what a completed sync of a file covered is there; a name is as the last sync of its directory left it.
//! Of all else any part may be there or not: writes by sectors of 512 bytes, in any order; lengths; names.

use crate::{random::Random, shim::Event};
use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File},
    io::Write,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

const SECTOR: usize = 512;

/// How much of what was not synced is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    /// All.
    All,
    /// All after some operation, of which a part is there: a disk that keeps the order.
    Tail,
    /// Any part.
    Any,
}

#[derive(Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
    /// At least this long.
    Reserve(usize),
}

#[derive(Clone)]
enum Naming {
    Link(PathBuf, usize),
    Rename(PathBuf, PathBuf, usize),
    Unlink(PathBuf),
}

#[derive(Default)]
struct Object {
    durable: Vec<u8>,
    pending: Vec<Change>,
}

/// The files below some directories.
#[derive(Default)]
pub struct Disk {
    directories: Vec<PathBuf>,
    objects: Vec<Object>,
    by_inode: HashMap<u64, usize>,
    /// As programs see them.
    names: BTreeMap<PathBuf, usize>,
    /// As they are on the disk.
    durable: BTreeMap<PathBuf, usize>,
    /// By directory, in order.
    pending: HashMap<PathBuf, Vec<Naming>>,
}

fn is_memory(path: &Path) -> bool {
    path.to_string_lossy().ends_with("-shm")
}

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files(&path, found),
            false => found.push(path),
        }
    }
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write(offset, data) => {
            let end = offset + data.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[*offset..end].copy_from_slice(data);
        }
        Change::Length(length) => bytes.resize(*length, 0),
        Change::Reserve(end) => bytes.resize(bytes.len().max(*end), 0),
    }
}

/// The parts of a change that may come to the disk one without the other.
fn sectors(change: &Change) -> Vec<Change> {
    let Change::Write(offset, data) = change else { return vec![change.clone()] };
    let (mut parts, mut at) = (Vec::new(), 0);
    while at < data.len() {
        let length = (SECTOR - (offset + at) % SECTOR).min(data.len() - at);
        parts.push(Change::Write(offset + at, data[at..at + length].to_vec()));
        at += length;
    }
    parts
}

/// What of `all` stays, in order.
fn kept<T>(all: Vec<T>, loss: Loss, random: &mut Random) -> Vec<T> {
    match loss {
        Loss::All => Vec::new(),
        Loss::Tail => {
            let count = random.below(all.len() + 1);
            all.into_iter().take(count).collect()
        }
        Loss::Any => all.into_iter().filter(|_| random.one_in(2)).collect(),
    }
}

impl Disk {
    /// What lies there now, all of it synced.
    pub fn read(directories: &[PathBuf]) -> Self {
        let mut disk = Self { directories: directories.to_vec(), ..Self::default() };
        let mut found = Vec::new();
        directories.iter().for_each(|directory| files(directory, &mut found));
        for path in found.into_iter().filter(|path| !is_memory(path)) {
            let object = disk.objects.len();
            disk.objects.push(Object { durable: fs::read(&path).unwrap(), pending: Vec::new() });
            disk.by_inode.insert(fs::metadata(&path).unwrap().ino(), object);
            disk.names.insert(path.clone(), object);
            disk.durable.insert(path, object);
        }
        disk
    }

    /// Follows what a program did. A program that is killed loses nothing by that.
    pub fn follow(&mut self, events: Vec<Event>, random: &mut Random) {
        for event in events {
            self.event(event, random);
        }
    }

    fn object(&mut self, inode: u64) -> &mut Object {
        let object = self.by_inode.get(&inode).expect("a file that was created or there");
        &mut self.objects[*object]
    }

    fn naming(&mut self, path: &Path, naming: Naming) {
        self.pending.entry(path.parent().unwrap().to_owned()).or_default().push(naming);
    }

    fn event(&mut self, event: Event, random: &mut Random) {
        match event {
            Event::Create { inode, path } => {
                let object = self.objects.len();
                self.objects.push(Object::default());
                self.by_inode.insert(inode, object);
                self.names.insert(path.clone(), object);
                self.naming(&path.clone(), Naming::Link(path, object));
            }
            Event::Write { inode, offset, data } => {
                self.object(inode).pending.push(Change::Write(offset as usize, data));
            }
            Event::Truncate { inode, length } => self.object(inode).pending.push(Change::Length(length as usize)),
            Event::Reserve { inode, offset, length } => {
                self.object(inode).pending.push(Change::Reserve((offset + length) as usize));
            }
            Event::Sync { inode } => {
                let object = self.object(inode);
                for change in std::mem::take(&mut object.pending) {
                    apply(&mut object.durable, &change);
                }
            }
            Event::Drop { inode } => self.lose(inode, random),
            Event::Rename { from, to } => {
                let object = self.names.remove(&from).expect("a file that was there");
                self.names.insert(to.clone(), object);
                self.naming(&to.clone(), Naming::Rename(from, to, object));
            }
            Event::Unlink { path } => {
                self.names.remove(&path);
                self.naming(&path.clone(), Naming::Unlink(path));
            }
            Event::SyncDirectory { path } => {
                for naming in self.pending.remove(&path).unwrap_or_default() {
                    self.rename(&naming);
                }
            }
        }
    }

    /// A sync that failed: some of it came to the disk, and nobody will write the rest.
    fn lose(&mut self, inode: u64, random: &mut Random) {
        let object = self.object(inode);
        let pending: Vec<_> = std::mem::take(&mut object.pending).iter().flat_map(sectors).collect();
        for change in kept(pending, Loss::Any, random) {
            apply(&mut object.durable, &change);
        }
    }

    fn rename(&mut self, naming: &Naming) {
        match naming {
            Naming::Link(path, object) => drop(self.durable.insert(path.clone(), *object)),
            Naming::Rename(from, to, object) => {
                if self.durable.get(from) == Some(object) {
                    self.durable.remove(from);
                }
                self.durable.insert(to.clone(), *object);
            }
            Naming::Unlink(path) => drop(self.durable.remove(path)),
        }
    }

    /// Loses power, and puts what the disk holds then in the files' place.
    pub fn lose_power(&mut self, loss: Loss, random: &mut Random) {
        // Directories one by one in a fixed order, so that a seed brings the same again.
        let pending: BTreeMap<_, _> = std::mem::take(&mut self.pending).into_iter().collect();
        for (_, namings) in pending {
            for naming in kept(namings, loss, random) {
                self.rename(&naming);
            }
        }
        for object in &mut self.objects {
            let changes: Vec<_> = std::mem::take(&mut object.pending).iter().flat_map(sectors).collect();
            for change in kept(changes, loss, random) {
                apply(&mut object.durable, &change);
            }
        }
        let mut found = Vec::new();
        self.directories.iter().for_each(|directory| files(directory, &mut found));
        found.iter().filter(|path| !self.durable.contains_key(*path)).for_each(|path| fs::remove_file(path).unwrap());
        for (path, object) in &self.durable {
            // A file that is there keeps its mode.
            let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path).unwrap();
            file.write_all(&self.objects[*object].durable).unwrap();
        }
        *self = Self::read(&self.directories);
    }
}

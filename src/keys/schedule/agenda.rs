//! What is to be done to keys by themselves, and when.
//!
//! **Invariants**: the agenda follows from the keys: what a key's entry does not ask for is not in it. Finding what is due
//! does not look at what isn't. What was put off comes again, at the latest when its key changes.

use crate::{
    directory::KeyEntry,
    model::{KeyName, KeyStanding, KeyState, Origin, Purpose, Stage},
};
use std::{
    collections::{BTreeSet, HashMap},
    fmt,
};

/// What is to be done, the most pressing first: what takes a key out of use, then what others wait for, then what takes
/// long, and the pool when nothing else is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Work {
    /// A version's `expire_time` is over.
    Expire(u64),
    /// A version's `activate_time` has come.
    Activate(u64),
    /// A version's `destroy_time` has come.
    Destroy(u64),
    /// The key does not stay, and its time is over, or its process is to be looked for.
    Collect,
    /// The key's next rotation is due.
    Rotate,
    /// The key's pool lacks versions.
    Fill,
}

/// Kinds of [`Work`].
const KINDS: usize = 6;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Item {
    pub(super) key: KeyName,
    pub(super) work: Work,
}

/// See the module.
#[derive(Default)]
pub(super) struct Agenda {
    /// By kind, then time.
    due: [BTreeSet<(i64, Item)>; KINDS],
    of_key: HashMap<KeyName, Vec<(i64, Work)>>,
}

impl Work {
    fn kind(self) -> usize {
        match self {
            Self::Expire(_) => 0,
            Self::Activate(_) => 1,
            Self::Destroy(_) => 2,
            Self::Collect => 3,
            Self::Rotate => 4,
            Self::Fill => 5,
        }
    }

    /// All that a key asks for, with its times.
    pub(super) fn of(entry: &KeyEntry) -> Vec<(i64, Self)> {
        let mut works = Vec::new();
        for (number, version) in &entry.versions {
            let row = &version.row;
            let stage = Stage::of(row);
            works.extend(row.expire_time.filter(|_| is_expiring(row.state)).map(|at| (at, Self::Expire(*number))));
            let waits = stage == Stage::PreActive && !row.pooled;
            works.extend(row.activate_time.filter(|_| waits).map(|at| (at, Self::Activate(*number))));
            works.extend(row.destroy_time.filter(|_| stage.is_ending()).map(|at| (at, Self::Destroy(*number))));
        }
        works.extend(collect_time(entry).map(|at| (at, Self::Collect)));
        works.extend(entry.key.next_rotation.map(|at| (at, Self::Rotate)));
        if lacks_pooled(entry) {
            works.push((i64::MIN, Self::Fill));
        }
        works
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expire(number) => write!(f, "expire version {number}"),
            Self::Activate(number) => write!(f, "activate version {number}"),
            Self::Destroy(number) => write!(f, "destroy version {number}"),
            Self::Collect => f.write_str("collect"),
            Self::Rotate => f.write_str("rotate"),
            Self::Fill => f.write_str("fill the pool"),
        }
    }
}

/// When it is to be looked whether a key that does not stay goes; of a session key, its process says.
fn collect_time(entry: &KeyEntry) -> Option<i64> {
    let objects = entry.objects.as_ref().filter(|_| entry.is_passing())?;
    match (entry.standing(), entry.key.purpose) {
        (KeyStanding::Session, _) => objects.collect_time.or(Some(i64::MIN)),
        // Its public key is used where nobody here sees it.
        (_, Purpose::Encrypt | Purpose::Agree) if !entry.key.algorithm.is_secret() => None,
        _ => objects.collect_time,
    }
}

fn is_expiring(state: KeyState) -> bool {
    matches!(state, KeyState::Active | KeyState::Suspended)
}

/// Whether a version is to be made ahead. An imported key's next version is imported, too.
fn lacks_pooled(entry: &KeyEntry) -> bool {
    let pooled = entry.versions.values().filter(|version| version.row.pooled).count();
    let imported = entry.version(None).is_some_and(|primary| primary.row.origin == Origin::Imported);
    pooled < entry.key.pool_size as usize && !imported
}

impl Agenda {
    /// Takes over what a key asks for now; `None`: it is gone, or not used.
    pub(super) fn follow(&mut self, key: &KeyName, entry: Option<&KeyEntry>) {
        for (at, work) in self.of_key.remove(key).unwrap_or_default() {
            self.due[work.kind()].remove(&(at, Item { key: key.clone(), work }));
        }
        let works = entry.map(Work::of).unwrap_or_default();
        if works.is_empty() {
            return;
        }
        for (at, work) in &works {
            self.due[work.kind()].insert((*at, Item { key: key.clone(), work: *work }));
        }
        self.of_key.insert(key.clone(), works);
    }

    /// The most pressing of what is due.
    pub(super) fn next(&self, now: i64) -> Option<Item> {
        let first = self.due.iter().find_map(|kind| kind.first().filter(|(at, _)| *at <= now));
        first.map(|(_, item)| item.clone())
    }

    /// Gives what is on the agenda another time.
    pub(super) fn move_to(&mut self, item: &Item, until: i64) {
        let works = self.of_key.get_mut(&item.key);
        let Some((at, _)) = works.and_then(|works| works.iter_mut().find(|(_, work)| *work == item.work)) else {
            return;
        };
        let due = &mut self.due[item.work.kind()];
        due.remove(&(*at, item.clone()));
        due.insert((until, item.clone()));
        *at = until;
    }

    /// Things to do, now or later.
    pub(super) fn len(&self) -> usize {
        self.due.iter().map(BTreeSet::len).sum()
    }
}

//! A look into a deployment's store, and what a host's administrator could do to it.

use crate::harness::Deployment;
use rusqlite::{Connection, OpenFlags};

fn open(deployment: &Deployment, flags: OpenFlags) -> Connection {
    Connection::open_with_flags(deployment.dir().join("data/store.sqlite"), flags).unwrap()
}

/// The versions under a name whose wrapped keys are kept.
pub(crate) fn wrapped_keys(deployment: &Deployment, under: &str) -> Vec<String> {
    let store = open(deployment, OpenFlags::SQLITE_OPEN_READ_ONLY);
    let mut query = store.prepare("SELECT version FROM wrapped_keys ORDER BY version").unwrap();
    let all = query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap);
    all.filter(|version: &String| version.starts_with(&format!("{under}/"))).collect()
}

/// All of them, as they are kept.
pub(crate) fn blobs(deployment: &Deployment) -> Vec<(String, Vec<u8>)> {
    let store = open(deployment, OpenFlags::SQLITE_OPEN_READ_ONLY);
    let mut query = store.prepare("SELECT version, wrapped FROM wrapped_keys ORDER BY version").unwrap();
    query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
}

/// Loses all wrapped keys of a deployment that is stopped.
pub(crate) fn lose_wrapped_keys(deployment: &Deployment) -> usize {
    let store = open(deployment, OpenFlags::SQLITE_OPEN_READ_WRITE);
    store.execute("DELETE FROM wrapped_keys", []).unwrap()
}

/// Changes one byte of a wrapped key of a deployment that is stopped.
pub(crate) fn change_wrapped_key(deployment: &Deployment, version: &str) {
    let store = open(deployment, OpenFlags::SQLITE_OPEN_READ_WRITE);
    let query = "SELECT wrapped FROM wrapped_keys WHERE version = ?1";
    let mut wrapped: Vec<u8> = store.query_row(query, [version], |row| row.get(0)).unwrap();
    *wrapped.last_mut().unwrap() ^= 1;
    let changed = store.execute("UPDATE wrapped_keys SET wrapped = ?2 WHERE version = ?1", (version, wrapped));
    assert_eq!(changed.unwrap(), 1);
}

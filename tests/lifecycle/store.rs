//! The store's file, seen and changed by other hands than the service's.

use crate::harness::Deployment;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use std::path::PathBuf;

/// Where a deployment keeps its store, and SQLite what is not written back yet.
pub fn files(deployment: &Deployment) -> [PathBuf; 3] {
    ["store.sqlite", "store.sqlite-wal", "store.sqlite-shm"].map(|name| deployment.dir().join("data").join(name))
}

pub fn open(deployment: &Deployment) -> Connection {
    let connection = Connection::open_with_flags(&files(deployment)[0], OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    connection.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    connection
}

/// A version's wrapped key.
pub fn wrapped(deployment: &Deployment, version: &str) -> Option<Vec<u8>> {
    let sql = "SELECT wrapped FROM wrapped_keys WHERE version = ?1";
    open(deployment).query_row(sql, [version], |row| row.get(0)).optional().unwrap()
}

/// Puts another wrapped key in a version's place.
pub fn replace(deployment: &Deployment, version: &str, wrapped: &[u8]) {
    let sql = "UPDATE wrapped_keys SET wrapped = ?2 WHERE version = ?1";
    assert_eq!(open(deployment).execute(sql, params![version, wrapped]).unwrap(), 1, "{version}");
}

/// Whether these bytes stand in any of the store's files.
pub fn holds(deployment: &Deployment, bytes: &[u8]) -> bool {
    files(deployment).iter().any(|file| {
        let contents = std::fs::read(file).unwrap_or_default();
        contents.windows(bytes.len()).any(|window| window == bytes)
    })
}

/// The versions whose wrapped keys it has.
pub fn versions(deployment: &Deployment) -> Vec<String> {
    let connection = open(deployment);
    let mut statement = connection.prepare("SELECT version FROM wrapped_keys").unwrap();
    let names = statement.query_map([], |row| row.get(0)).unwrap();
    names.collect::<Result<_, _>>().unwrap()
}

//! The store as one SQLite file (WAL, synchronous FULL), for a single service.
//!
//! **Invariant**: a commit is one transaction, durable when it returns.

use super::{
    Answer, Claim, Commit, Contents, REQUEST_SECONDS, Replacement, RequestKey, Row, Store, StoreError, WrappedKey,
};
use crate::model::OrganizationName;
use chancery_audit::record::ResourceState;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

mod migrations {
    refinery::embed_migrations!("src/store/migrations");
}

/// See the module.
pub struct SqliteStore {
    connection: Arc<Mutex<Connection>>,
    reader: Arc<Mutex<Connection>>,
}

fn failed(error: impl std::fmt::Display) -> StoreError {
    StoreError::Failed(error.to_string())
}

fn now() -> i64 {
    jiff::Timestamp::now().as_nanosecond().try_into().unwrap_or(i64::MAX)
}

impl SqliteStore {
    /// Makes the store of a new deployment.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when there is a file already.
    pub fn create(path: &Path, deployment: &str) -> Result<Self, StoreError> {
        if path.exists() {
            return Err(StoreError::Exists(path.into()));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let mut connection = prepare(path, flags)?;
        migrations::migrations::runner().run(&mut connection).map_err(failed)?;
        connection
            .execute("INSERT INTO deployment (only_row, id, log_size) VALUES (1, ?1, 0)", [deployment])
            .map_err(failed)?;
        Self::over(path, connection)
    }

    /// Opens the store that `create` made, and brings it to this version's schema.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::Damaged`], and [`StoreError::Failed`] when it can't be written.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        if !path.exists() {
            return Err(StoreError::Missing(path.into()));
        }
        let damaged = |problem: String| StoreError::Damaged { path: path.into(), problem };
        let mut connection = prepare(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let check: String = (connection.query_row("PRAGMA quick_check", [], |row| row.get(0)))
            .map_err(|error| damaged(error.to_string()))?;
        if check != "ok" {
            return Err(damaged(check));
        }
        migrations::migrations::runner().run(&mut connection).map_err(|error| damaged(error.to_string()))?;
        // A store that can't be written must say so now, not at the first change.
        connection.execute("UPDATE deployment SET log_size = log_size", []).map_err(failed)?;
        Self::over(path, connection)
    }

    fn over(path: &Path, connection: Connection) -> Result<Self, StoreError> {
        let reader = prepare(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)), reader: Arc::new(Mutex::new(reader)) })
    }

    fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Answer<'_, T> {
        Self::run_on(&self.connection, work)
    }

    /// As [`Self::run`], on a connection of its own: it waits for no commit.
    fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Answer<'_, T> {
        Self::run_on(&self.reader, work)
    }

    fn run_on<'a, T: Send + 'static>(
        connection: &Arc<Mutex<Connection>>,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Answer<'a, T> {
        let connection = Arc::clone(connection);
        let task = tokio::task::spawn_blocking(move || {
            let mut connection = connection.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            work(&mut connection).map_err(failed)
        });
        Box::pin(async move { task.await.map_err(failed)? })
    }
}

fn prepare(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let damaged =
        |error: rusqlite::Error| StoreError::Damaged { path: PathBuf::from(path), problem: error.to_string() };
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(damaged)?;
    connection.busy_timeout(std::time::Duration::from_secs(2)).map_err(damaged)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(damaged)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(damaged)?;
    connection.pragma_update(None, "secure_delete", "ON").map_err(damaged)?;
    Ok(connection)
}

fn find_claim(connection: &Connection, request: &RequestKey, hash: [u8; 32]) -> rusqlite::Result<Claim> {
    let found: Option<(Vec<u8>, Option<Vec<u8>>)> = connection
        .query_row(
            "SELECT hash, answer FROM requests WHERE principal = ?1 AND method = ?2 AND id = ?3",
            params![request.principal.to_string(), request.method, request.id],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    Ok(match found {
        Some((before, _)) if before != hash => Claim::Reused,
        Some((_, Some(answer))) => Claim::Answered(answer),
        Some((_, None)) => Claim::InFlight,
        None => Claim::New,
    })
}

impl Store for SqliteStore {
    fn load(&self) -> Answer<'_, Contents> {
        self.run(|connection| {
            let transaction = connection.transaction()?;
            let (deployment, log_size) = transaction
                .query_row("SELECT id, log_size FROM deployment", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let mut statement = transaction.prepare("SELECT name, type, value FROM resources")?;
            let rows = statement.query_map([], row)?.collect::<rusqlite::Result<_>>()?;
            Ok(Contents { deployment, log_size, rows })
        })
    }

    fn commit(&self, commit: Commit) -> Answer<'_, ()> {
        self.run(move |connection| {
            let transaction = connection.transaction()?;
            for state in commit.rows.iter().map(Row::state) {
                transaction
                    .prepare_cached("INSERT OR REPLACE INTO resources (name, type, value) VALUES (?1, ?2, ?3)")?
                    .execute(params![state.name, state.r#type, state.value])?;
            }
            transaction.execute("UPDATE deployment SET log_size = max(log_size, ?1)", [commit.log_size])?;
            for (request, answer) in commit.answers {
                transaction.execute(
                    "UPDATE requests SET answer = ?4 WHERE principal = ?1 AND method = ?2 AND id = ?3",
                    params![request.principal.to_string(), request.method, request.id, answer],
                )?;
            }
            transaction.commit()
        })
    }

    fn claim(&self, request: RequestKey, hash: [u8; 32]) -> Answer<'_, Claim> {
        self.run(move |connection| {
            let transaction = connection.transaction()?;
            let now = now();
            transaction.execute(
                "DELETE FROM requests WHERE create_time < ?1 AND answer IS NOT NULL",
                [now - REQUEST_SECONDS * 1_000_000_000],
            )?;
            let claim = find_claim(&transaction, &request, hash)?;
            if claim == Claim::New {
                transaction.execute(
                    "INSERT INTO requests (principal, method, id, hash, create_time) VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![request.principal.to_string(), request.method, request.id, hash, now],
                )?;
            }
            transaction.commit()?;
            Ok(claim)
        })
    }

    fn find_claim(&self, request: RequestKey, hash: [u8; 32]) -> Answer<'_, Claim> {
        self.read(move |connection| find_claim(connection, &request, hash))
    }

    fn release(&self, request: RequestKey) -> Answer<'_, ()> {
        self.run(move |connection| {
            connection.execute(
                "DELETE FROM requests WHERE principal = ?1 AND method = ?2 AND id = ?3 AND answer IS NULL",
                params![request.principal.to_string(), request.method, request.id],
            )?;
            Ok(())
        })
    }

    fn release_all(&self) -> Answer<'_, ()> {
        self.run(|connection| connection.execute("DELETE FROM requests WHERE answer IS NULL", []).map(|_| ()))
    }

    fn keep_wrapped(&self, keys: Vec<WrappedKey>) -> Answer<'_, ()> {
        self.run(move |connection| {
            let transaction = connection.transaction()?;
            for key in keys {
                transaction
                    .prepare_cached("INSERT OR REPLACE INTO wrapped_keys (version, wrapped) VALUES (?1, ?2)")?
                    .execute(params![key.version, key.wrapped])?;
            }
            transaction.commit()
        })
    }

    fn replace_wrapped(&self, keys: Vec<Replacement>) -> Answer<'_, ()> {
        self.run(move |connection| {
            let transaction = connection.transaction()?;
            for key in keys {
                transaction
                    .prepare_cached("UPDATE wrapped_keys SET wrapped = ?3 WHERE version = ?1 AND wrapped = ?2")?
                    .execute(params![key.before.version, key.before.wrapped, key.wrapped])?;
            }
            transaction.commit()
        })
    }

    fn wrapped(&self, version: String) -> Answer<'_, Option<Vec<u8>>> {
        self.read(move |connection| {
            connection
                .prepare_cached("SELECT wrapped FROM wrapped_keys WHERE version = ?1")?
                .query_row([version], |row| row.get(0))
                .optional()
        })
    }

    fn wrapped_keys(
        &self,
        organization: OrganizationName,
        after: Option<String>,
        limit: usize,
    ) -> Answer<'_, Vec<WrappedKey>> {
        self.read(move |connection| {
            let [begin, end] = range(&organization);
            let after = after.unwrap_or(begin);
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            connection
                .prepare_cached(
                    "SELECT version, wrapped FROM wrapped_keys WHERE version > ?1 AND version < ?2 ORDER BY version LIMIT ?3",
                )?
                .query_map(params![after, end, limit], wrapped_key)?
                .collect()
        })
    }

    fn count_wrapped(&self, organization: OrganizationName) -> Answer<'_, u64> {
        self.read(move |connection| {
            let [begin, end] = range(&organization);
            let sql = "SELECT count(*) FROM wrapped_keys WHERE version > ?1 AND version < ?2";
            connection.query_row(sql, [begin, end], |row| row.get(0))
        })
    }

    fn remove_wrapped(&self, versions: Vec<String>) -> Answer<'_, ()> {
        self.run(move |connection| {
            let transaction = connection.transaction()?;
            for version in versions {
                transaction.execute("DELETE FROM wrapped_keys WHERE version = ?1", [version])?;
            }
            transaction.commit()?;
            // Pages are overwritten (secure_delete), in the file only once the write-ahead log is written back.
            let busy: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
            if busy { Err(still_read()) } else { Ok(()) }
        })
    }

    fn lease(&self, name: &'static str, holder: String, seconds: i64) -> Answer<'_, bool> {
        self.run(move |connection| {
            // A lease that ends later than a fresh one would is from before the clock was set back.
            let now = now();
            let taken = connection.execute(
                "INSERT INTO leases (name, holder, expires) VALUES (?1, ?2, ?3)
                 ON CONFLICT (name) DO UPDATE SET holder = ?2, expires = ?3
                 WHERE holder = ?2 OR expires < ?4 OR expires > ?3",
                params![name, holder, now.saturating_add(seconds.saturating_mul(1_000_000_000)), now],
            )?;
            Ok(taken == 1)
        })
    }
}

/// Why the write-ahead log can't be emptied now.
fn still_read() -> rusqlite::Error {
    let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
    rusqlite::Error::SqliteFailure(busy, Some("the write-ahead log is being read and can't be emptied".into()))
}

/// A row's name and state; no state where a column is of another SQL type than the schema's: that is an edited row, not
/// a broken store.
fn row(row: &rusqlite::Row<'_>) -> rusqlite::Result<(String, Option<ResourceState>)> {
    let name: String = row.get(0)?;
    let state =
        || Ok::<_, rusqlite::Error>(ResourceState { name: name.clone(), r#type: row.get(1)?, value: row.get(2)? });
    let state = state().ok();
    Ok((name, state))
}

/// All names of an organization's versions lie between these.
fn range(organization: &OrganizationName) -> [String; 2] {
    // '0' follows '/'.
    [format!("{organization}/keys/"), format!("{organization}/keys0")]
}

fn wrapped_key(row: &rusqlite::Row<'_>) -> rusqlite::Result<WrappedKey> {
    Ok(WrappedKey { version: row.get(0)?, wrapped: row.get(1)? })
}

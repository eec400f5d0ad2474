//! The store as one SQLite file (WAL, synchronous FULL), for a single service.
//!
//! **Invariant**: a commit is one transaction, durable when it returns.

use super::{Answer, Claim, Commit, Contents, REQUEST_SECONDS, RequestKey, Row, RowError, Store, StoreError};
use crate::model::{Key, KeyVersion, NamePattern, Organization, Registration, Role, TrustAnchor};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, params};
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
        Ok(Self { connection: Arc::new(Mutex::new(connection)) })
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
        Ok(Self { connection: Arc::new(Mutex::new(connection)) })
    }

    fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Answer<'_, T> {
        let connection = Arc::clone(&self.connection);
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
    Ok(connection)
}

impl Store for SqliteStore {
    fn load(&self) -> Answer<'_, Contents> {
        self.run(|connection| {
            let transaction = connection.transaction()?;
            let (deployment, log_size) = transaction
                .query_row("SELECT id, log_size FROM deployment", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let mut rows = Vec::new();
            for load in [organizations, anchors, registrations, keys, key_versions] {
                rows.extend(load(&transaction)?);
            }
            Ok(Contents { deployment, log_size, rows })
        })
    }

    fn commit(&self, commit: Commit) -> Answer<'_, ()> {
        self.run(move |connection| {
            let transaction = connection.transaction()?;
            for row in &commit.rows {
                write(&transaction, row)?;
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
            let key = params![request.principal.to_string(), request.method, request.id];
            let found: Option<(Vec<u8>, Option<Vec<u8>>)> = transaction
                .query_row(
                    "SELECT hash, answer FROM requests WHERE principal = ?1 AND method = ?2 AND id = ?3",
                    key,
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
                .optional()?;
            let claim = match found {
                Some((before, _)) if before != hash => Claim::Reused,
                Some((_, Some(answer))) => Claim::Answered(answer),
                Some((_, None)) => Claim::InFlight,
                None => {
                    transaction.execute(
                        "INSERT INTO requests (principal, method, id, hash, create_time) VALUES (?1, ?2, ?3, ?4, ?5)",
                        params![request.principal.to_string(), request.method, request.id, hash, now],
                    )?;
                    Claim::New
                }
            };
            transaction.commit()?;
            Ok(claim)
        })
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
}

type Loaded = Vec<(String, Result<Row, RowError>)>;

fn query<F>(transaction: &Transaction<'_>, sql: &str, parse: F) -> rusqlite::Result<Loaded>
where
    F: Fn(&str, &rusqlite::Row<'_>) -> rusqlite::Result<Result<Row, RowError>>,
{
    let mut statement = transaction.prepare(sql)?;
    let rows = statement.query_map([], |row| {
        let name: String = row.get(0)?;
        // A column of another SQL type than the schema's is an edited row, not a broken store.
        let parsed = parse(&name, row).unwrap_or(Err(RowError::Malformed("row of the store")));
        Ok((name, parsed))
    })?;
    rows.collect()
}

fn organizations(transaction: &Transaction<'_>) -> rusqlite::Result<Loaded> {
    query(transaction, "SELECT name, enrolling_roles, create_time FROM organizations", |name, row| {
        let (roles, create_time): (String, i64) = (row.get(1)?, row.get(2)?);
        Ok((|| {
            let enrolling_roles =
                roles.split(',').filter(|role| !role.is_empty()).map(str::parse).collect::<Result<_, _>>()?;
            Ok(Row::Organization(Organization { name: name.parse()?, enrolling_roles, create_time }))
        })())
    })
}

fn anchors(transaction: &Transaction<'_>) -> rusqlite::Result<Loaded> {
    query(transaction, "SELECT name, organization, certificate, patterns FROM anchors", |_, row| {
        let (organization, certificate, patterns): (String, Vec<u8>, String) = (row.get(1)?, row.get(2)?, row.get(3)?);
        Ok((|| {
            let pattern = |line: &str| {
                let (role, pattern) = line.split_once(':').unwrap_or((line, ""));
                Ok::<_, RowError>(NamePattern { role: role.parse::<Role>()?, pattern: pattern.into() })
            };
            let patterns = patterns.lines().map(pattern).collect::<Result<_, _>>()?;
            Ok(Row::Anchor(TrustAnchor { organization: organization.parse()?, certificate, patterns }))
        })())
    })
}

fn registrations(transaction: &Transaction<'_>) -> rusqlite::Result<Loaded> {
    query(transaction, "SELECT name, role, public_key_sha256 FROM registrations", |name, row| {
        let (role, hash): (String, Vec<u8>) = (row.get(1)?, row.get(2)?);
        Ok((|| {
            let public_key_sha256 = hash.try_into().map_err(|_| RowError::HashLength)?;
            Ok(Row::Registration(Registration { name: name.parse()?, role: role.parse()?, public_key_sha256 }))
        })())
    })
}

fn keys(transaction: &Transaction<'_>) -> rusqlite::Result<Loaded> {
    let sql = r#"SELECT name, owner, purpose, algorithm, protection, "check", labels, primary_version, create_time
                 FROM keys"#;
    query(transaction, sql, |name, row| {
        let word = |column| row.get::<_, String>(column);
        let (owner, purpose, algorithm, protection) = (word(1)?, word(2)?, word(3)?, word(4)?);
        let (check, labels): (String, String) = (word(5)?, word(6)?);
        let (primary_version, create_time) = (row.get(7)?, row.get(8)?);
        Ok((|| {
            Ok(Row::Key(Key {
                name: name.parse()?,
                owner: owner.parse()?,
                purpose: purpose.parse()?,
                algorithm: algorithm.parse()?,
                protection: protection.parse()?,
                check: check.parse()?,
                labels: serde_json::from_str(&labels).map_err(|_| RowError::Malformed("JSON object of labels"))?,
                primary_version,
                create_time,
            }))
        })())
    })
}

fn key_versions(transaction: &Transaction<'_>) -> rusqlite::Result<Loaded> {
    let sql = "SELECT name, state, public_key, certificate, create_time FROM key_versions";
    query(transaction, sql, |name, row| {
        let (state, public_key): (String, Vec<u8>) = (row.get(1)?, row.get(2)?);
        let (certificate, create_time) = (row.get(3)?, row.get(4)?);
        Ok((|| {
            Ok(Row::KeyVersion(KeyVersion {
                name: name.parse()?,
                state: state.parse()?,
                public_key,
                create_time,
                certificate,
            }))
        })())
    })
}

fn write(transaction: &Transaction<'_>, row: &Row) -> rusqlite::Result<usize> {
    let name = row.name();
    match row {
        Row::Organization(row) => {
            let roles = row.enrolling_roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(",");
            transaction.execute(
                "INSERT OR REPLACE INTO organizations (name, enrolling_roles, create_time) VALUES (?1, ?2, ?3)",
                params![name, roles, row.create_time],
            )
        }
        Row::Anchor(row) => {
            let patterns: String = row.patterns.iter().map(|p| format!("{}:{}\n", p.role, p.pattern)).collect();
            transaction.execute(
                "INSERT OR REPLACE INTO anchors (name, organization, certificate, patterns) VALUES (?1, ?2, ?3, ?4)",
                params![name, row.organization.to_string(), row.certificate, patterns],
            )
        }
        Row::Registration(row) => transaction.execute(
            "INSERT OR REPLACE INTO registrations (name, role, public_key_sha256) VALUES (?1, ?2, ?3)",
            params![name, row.role.as_str(), row.public_key_sha256],
        ),
        Row::Key(row) => {
            let labels = serde_json::to_string(&row.labels).unwrap_or_default();
            transaction.execute(
                r#"INSERT OR REPLACE INTO keys
                   (name, owner, purpose, algorithm, protection, "check", labels, primary_version, create_time)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"#,
                params![
                    name,
                    row.owner.to_string(),
                    row.purpose.as_str(),
                    row.algorithm.as_str(),
                    row.protection.as_str(),
                    row.check.as_str(),
                    labels,
                    row.primary_version,
                    row.create_time
                ],
            )
        }
        Row::KeyVersion(row) => transaction.execute(
            "INSERT OR REPLACE INTO key_versions (name, state, public_key, certificate, create_time)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            params![name, row.state.as_str(), row.public_key, row.certificate, row.create_time],
        ),
    }
}

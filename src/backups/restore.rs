//! Bringing a backup's keys back.
//!
//! Keys are wrapped for this deployment as they come in, and kept in the store, where a key of an unregistered version is
//! nobody's. Once the seal was checked, their rows are recorded and come into force. The lost key of a registered version
//! could be used as soon as it is in the store: it waits for the seal elsewhere, and for the row that says that it was
//! restored, without which it would not open.

use super::{
    Backups,
    restored::{Fate, Logged, Rows, logged, row_to_record},
};
use crate::{
    access::{Grant, Peer, Target},
    audit::{Draft, unavailable},
    directory::KeyEntry,
    error::Error,
    keys::Busy,
    model::{Action, Backup, Key, KeyName, KeyVersion, KeyVersionName, OrganizationName, Protection, RequestId},
    policy::Context,
    store::{Row, WrappedKey},
};
use chancery_api::reasons;
use chancery_audit::checkpoint::Checkpoint;
use chancery_transfer::backup::{
    BackupError, Header,
    file::{Frame, Reader},
};
use futures_util::{Stream, StreamExt};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, HashMap},
    pin::pin,
    sync::Arc,
};

/// A backup to bring back.
#[derive(Debug, Clone)]
pub struct RestoreRequest {
    /// Whose keys.
    pub organization: OrganizationName,
    /// The restore job that the shares are sealed to.
    pub job: Vec<u8>,
    /// Custodians' shares, sealed.
    pub shares: Vec<Vec<u8>>,
    /// The checkpoint of the log of the backup's deployment; empty: there is none.
    pub checkpoint: String,
    /// Last states of the organization's keys and versions in that log.
    pub logged_states: Vec<Vec<u8>>,
    /// There is no such log.
    pub without_log: bool,
}

/// The most bytes of logged states: those of some 200,000 keys.
const MOST_STATES: usize = 256 << 20;
/// The longest origin of a log that is recorded, in bytes.
const LONGEST_ORIGIN: usize = 256;

impl RestoreRequest {
    /// Takes in further states.
    ///
    /// # Errors
    /// [`Error::Rejected`] once they are too many.
    pub fn add_states(&mut self, states: Vec<Vec<u8>>) -> Result<(), Error> {
        self.logged_states.extend(states);
        let bytes: usize = self.logged_states.iter().map(Vec::len).sum();
        if bytes <= MOST_STATES {
            return Ok(());
        }
        let message = format!("over {MOST_STATES} bytes");
        Err(Error::Rejected { reason: reasons::TOO_LARGE, field: "logged_states", message })
    }

    /// What is decided on and recorded: which log the caller verified, or that there was none.
    fn context(&self) -> Result<Context, Error> {
        let context = Context::new().flag("withoutLog", self.without_log);
        if self.checkpoint.is_empty() {
            if self.logged_states.is_empty() {
                return Ok(context);
            }
            return Err(Error::invalid("logged_states", "name the log that they are of: give its checkpoint"));
        }
        let text = self.checkpoint.split_once("\n\n").map(|(text, _signatures)| format!("{text}\n"));
        let checkpoint = Checkpoint::parse(text.as_deref().unwrap_or(&self.checkpoint));
        let checkpoint = checkpoint.map_err(|error| Error::invalid("checkpoint", error))?;
        if checkpoint.origin.len() > LONGEST_ORIGIN {
            return Err(Error::invalid("checkpoint", format!("its origin is over {LONGEST_ORIGIN} bytes")));
        }
        let states = i64::try_from(self.logged_states.len()).unwrap_or(i64::MAX);
        let log = format!("{} {}", checkpoint.origin, checkpoint.size);
        Ok(context.text("log", log).number("loggedStates", states))
    }
}

/// What came back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Restored {
    /// Versions whose key came back.
    pub restored: u64,
    /// Versions that were there.
    pub present: u64,
    /// Versions that stay destroyed.
    pub destroyed: u64,
    /// TOKEN versions, which no backup holds.
    pub token_versions: u64,
}

/// What is known while the file is read.
struct Work<'a> {
    organization: &'a OrganizationName,
    backup: String,
    logged: Logged,
    generation: u64,
    rows: Rows,
    /// The version whose entry comes next.
    expected: Option<KeyVersion>,
    fates: BTreeMap<(KeyName, u64), Fate>,
    /// Unregistered versions whose keys were put into the store.
    kept: Vec<String>,
    /// Lost keys of registered versions, wrapped.
    unproven: HashMap<String, Vec<u8>>,
    /// Keys of which something comes back: nobody else makes a version that a restored key would take the place of.
    held: BTreeMap<KeyName, Busy>,
    counts: Restored,
}

impl Backups {
    /// Brings a backup's keys back.
    ///
    /// # Errors
    /// [`Error`]. Nothing came into force, unless the log could not be written half way: then ask again.
    pub async fn restore(
        &self,
        peer: Arc<Peer>,
        asked: RestoreRequest,
        chunks: impl Stream<Item = Result<Vec<u8>, Error>> + Send,
        request: RequestId,
    ) -> Result<Restored, Error> {
        let action = Action::RestoreBackup;
        let caller = self.admission.identify(&peer, action).await?;
        let context = asked.context().inspect_err(|error| self.admission.rejected(&caller, error))?;
        let target = Target::Organization(asked.organization.clone());
        let grant = self.admission.authorize(&caller, action, target, context, &request).await?;
        self.organization(&asked.organization)?;
        let result = self.restore_granted(&grant, &asked, chunks, &request).await;
        let draft = match &result {
            Ok(_) => Draft::outcome(&grant, &request),
            Err(error) => Draft::failed(&grant, &request, error),
        };
        self.admission.audit().append(draft).await.map_err(|error| unavailable(&error))?;
        result
    }

    async fn restore_granted(
        &self,
        grant: &Grant,
        asked: &RestoreRequest,
        chunks: impl Stream<Item = Result<Vec<u8>, Error>> + Send,
        request: &RequestId,
    ) -> Result<Restored, Error> {
        let mut hash = Sha256::new();
        let mut chunks = pin!(chunks.inspect(|chunk| hash.update(chunk.as_deref().unwrap_or_default())));
        let mut reader = Reader::default();
        let header = loop {
            match reader.next_frame().map_err(|error| tampered(&error))? {
                Some(Frame::Header(header)) => break header,
                Some(_) => return Err(Error::internal("a backup's first part is not its header")),
                None => feed(&mut reader, chunks.next().await)?,
            }
        };
        let made_here = self.check_header(&header, asked)?;
        // Held until the rows are in force: the generation must not be destroyed meanwhile.
        let wrapping = self.keys.wrapping(&asked.organization).await?;
        let backup = self.enclave.begin_restore(asked.job.clone(), header, asked.shares.clone()).await?;
        let mut work = Work {
            organization: &asked.organization,
            backup: backup.clone(),
            logged: logged(&asked.logged_states, &asked.organization)?,
            generation: wrapping.number(),
            rows: Rows::default(),
            expected: None,
            fates: BTreeMap::new(),
            kept: Vec::new(),
            unproven: HashMap::new(),
            held: BTreeMap::new(),
            counts: Restored::default(),
        };
        let read = self.read(&mut work, &mut reader, chunks).await;
        // The seal proves what the holders of its shares wrote; of its own backups a deployment knows the very bytes.
        let read = match made_here {
            Some(made) if made.sha256 != Some(hash.finalize().into()) => read.and_then(|_| Err(another(&backup))),
            _ => read,
        };
        let sealed = match read {
            Ok(trailer) => self.enclave.end_restore(&backup, trailer, reader.states_sha256()).await,
            Err(error) => {
                let _ = self.enclave.end_restore(&backup, Vec::new(), [0; 32]).await;
                Err(error)
            }
        };
        let done = match sealed {
            Ok(_) => self.put_in_force(grant, &mut work, request).await,
            Err(error) => Err(error),
        };
        if done.is_err() {
            self.forget(&work).await;
        }
        done.map(|()| work.counts)
    }

    /// The log of the backup's deployment says what was destroyed since: this deployment's own, or one that came along.
    /// Gives the backup if it was made here.
    fn check_header(&self, header: &[u8], asked: &RestoreRequest) -> Result<Option<Backup>, Error> {
        let header = Header::decode(header).map_err(|error| tampered(&error))?;
        if header.organization != asked.organization.id() {
            let message =
                format!("the backup is of organization {}, not of {}", header.organization, asked.organization);
            return Err(Error::Precondition { reason: reasons::TAMPERED, message });
        }
        if header.deployment == self.deployment() {
            let mut backups = self.changes.directory().backups(&asked.organization).into_iter();
            let made = backups.find(|backup| backup.name.to_string() == header.backup);
            return made.map(Some).ok_or_else(|| another(&header.backup));
        }
        if asked.without_log || !asked.checkpoint.is_empty() {
            return Ok(None);
        }
        Err(Error::Precondition {
            reason: reasons::CONFIRMATION_NEEDED,
            message: format!(
                "the backup is of deployment {}, whose log says which versions were destroyed since: give its log, or say \
                 that there is none (without_log, which is recorded)",
                header.deployment
            ),
        })
    }

    /// Reads the file to its end: its trailer.
    async fn read(
        &self,
        work: &mut Work<'_>,
        reader: &mut Reader,
        mut chunks: impl Stream<Item = Result<Vec<u8>, Error>> + Unpin,
    ) -> Result<Vec<u8>, Error> {
        loop {
            match reader.next_frame().map_err(|error| tampered(&error))? {
                Some(Frame::State(state)) => self.take_state(work, &state).await?,
                Some(Frame::Entry(entry)) => self.take_entry(work, entry).await?,
                Some(Frame::Trailer(trailer)) => {
                    if work.expected.is_some() {
                        return Err(missing_entry());
                    }
                    while let Some(chunk) = chunks.next().await {
                        reader.extend(&chunk?);
                    }
                    reader.finish().map_err(|error| tampered(&error))?;
                    return Ok(trailer);
                }
                Some(Frame::Header(_)) => return Err(Error::internal("a backup with two headers")),
                None => match chunks.next().await {
                    Some(chunk) => reader.extend(&chunk?),
                    None => return Err(tampered(&BackupError::File("it ends before its trailer: it was cut"))),
                },
            }
        }
    }

    async fn take_state(&self, work: &mut Work<'_>, state: &[u8]) -> Result<(), Error> {
        if work.expected.is_some() {
            return Err(missing_entry());
        }
        let Some((version, has_entry)) = work.rows.add(state, work.organization, &work.logged)? else { return Ok(()) };
        let name = version.name.clone();
        if self.changes.directory().key(name.key()).is_none() {
            self.keys.require_restorable(&work.rows.keys[name.key()])?;
        }
        let mut fate = self.fate(work, &version).await?;
        if fate != Fate::Present && !work.held.contains_key(name.key()) {
            work.held.insert(name.key().clone(), self.changes.hold(name.key()).await?);
            // Another change may just have made it.
            fate = self.fate(work, &version).await?;
        }
        let protection = work.rows.keys[name.key()].protection;
        work.fates.insert((name.key().clone(), name.number()), fate);
        match (protection, fate) {
            (_, Fate::Destroyed) => work.counts.destroyed += 1,
            (Protection::Token, _) => work.counts.token_versions += 1,
            (Protection::Enclave, Fate::Present) => work.counts.present += 1,
            (Protection::Enclave, Fate::Key | Fate::Row) => work.counts.restored += 1,
        }
        work.expected = has_entry.then_some(version);
        Ok(())
    }

    async fn fate(&self, work: &Work<'_>, version: &KeyVersion) -> Result<Fate, Error> {
        let here = self.changes.directory().key(version.name.key());
        let kept = self.store.wrapped(version.name.to_string()).await.map_err(Error::internal)?.is_some();
        work.rows.fate(version, here.as_deref(), kept)
    }

    async fn take_entry(&self, work: &mut Work<'_>, bytes: Vec<u8>) -> Result<(), Error> {
        let version = work.expected.take().ok_or_else(|| {
            let message = "the backup has an entry without its version".into();
            Error::Precondition { reason: reasons::TAMPERED, message }
        })?;
        let name = version.name.clone();
        let fate = work.fates[&(name.key().clone(), name.number())];
        let generation = if matches!(fate, Fate::Key | Fate::Row) { work.generation } else { 0 };
        let rows = [Row::Key(work.rows.keys[name.key()].clone()), Row::KeyVersion(version)];
        let entry = KeyEntry::changed(None, &rows).map_err(Error::internal)?;
        let parsed = entry.versions.get(&name.number()).ok_or_else(|| Error::internal("a version without its row"))?;
        let wrapped = self.enclave.restore_key(&work.backup, bytes, &entry, parsed, generation).await?;
        let version = name.to_string();
        match fate {
            Fate::Present | Fate::Destroyed => Ok(()),
            Fate::Key => {
                work.unproven.insert(version, wrapped);
                Ok(())
            }
            Fate::Row => {
                work.kept.push(version.clone());
                self.store.keep_wrapped(vec![WrappedKey { version, wrapped }]).await.map_err(Error::internal)
            }
        }
    }

    /// Records what came back, key by key. The seal was checked.
    async fn put_in_force(&self, grant: &Grant, work: &mut Work<'_>, request: &RequestId) -> Result<(), Error> {
        for (name, versions) in std::mem::take(&mut work.rows.versions) {
            let here = self.changes.directory().key(&name);
            let row = |version: KeyVersion| {
                let fate = *work.fates.get(&(name.clone(), version.name.number()))?;
                let known = here.as_ref().and_then(|entry| entry.versions.get(&version.name.number()));
                row_to_record(version, fate, known.map(|known| &known.row), &work.backup)
            };
            let key = &work.rows.keys[&name];
            // A key of the token is not there without its versions.
            let of_token = key.protection == Protection::Token;
            let coming: Vec<_> = versions.into_values().filter(|_| !of_token).filter_map(row).collect();
            if coming.is_empty() {
                continue;
            }
            let mut rows = Vec::new();
            if here.is_none() {
                rows.push(Row::Key(with_primary(key, &coming)));
            }
            let names = coming.iter().map(|version| version.name.to_string());
            let found = names.filter_map(|version| Some((version.clone(), work.unproven.remove(&version)?)));
            let found: Vec<_> = found.map(|(version, wrapped)| WrappedKey { version, wrapped }).collect();
            for lost in &found {
                // It may still be open, as what it was registered before.
                self.enclave.close(&lost.version).await?;
            }
            rows.extend(coming.into_iter().map(Row::KeyVersion));
            let draft = Draft::outcome(grant, request).resource(&name).states(&rows);
            self.changes.apply(draft, rows).await?;
            self.store.keep_wrapped(found).await.map_err(Error::internal)?;
        }
        Ok(())
    }

    /// Removes keys that were kept for versions which did not come to be.
    async fn forget(&self, work: &Work<'_>) {
        let registered = |name: &String| {
            let Ok(version) = name.parse::<KeyVersionName>() else { return false };
            let entry = self.changes.directory().key(version.key());
            entry.is_some_and(|entry| entry.versions.contains_key(&version.number()))
        };
        let orphans: Vec<_> = work.kept.iter().filter(|name| !registered(name)).cloned().collect();
        if let Err(error) = self.store.remove_wrapped(orphans).await {
            tracing::warn!(%error, "wrapped keys of a restore that failed stay in the store until the next start");
        }
    }
}

/// A key whose primary version is one that comes along.
fn with_primary(key: &Key, coming: &[KeyVersion]) -> Key {
    let there = |number: u64| coming.iter().any(|version| version.name.number() == number);
    let newest = coming.iter().map(|version| version.name.number()).max().unwrap_or(1);
    let primary_version = if there(key.primary_version) { key.primary_version } else { newest };
    Key { primary_version, ..key.clone() }
}

fn feed(reader: &mut Reader, chunk: Option<Result<Vec<u8>, Error>>) -> Result<(), Error> {
    match chunk {
        Some(chunk) => {
            reader.extend(&chunk?);
            Ok(())
        }
        None => Err(tampered(&BackupError::File("it ends before its header"))),
    }
}

fn tampered(error: &BackupError) -> Error {
    Error::Precondition { reason: reasons::TAMPERED, message: error.to_string() }
}

fn another(backup: &str) -> Error {
    let message = format!("the file is not the one that this deployment made and recorded as {backup}");
    Error::Precondition { reason: reasons::TAMPERED, message }
}

fn missing_entry() -> Error {
    Error::Precondition {
        reason: reasons::TAMPERED,
        message: "the backup lacks an entry of one of its versions".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(checkpoint: &str, logged_states: Vec<Vec<u8>>) -> RestoreRequest {
        RestoreRequest {
            organization: OrganizationName::from_id("org1").unwrap(),
            job: Vec::new(),
            shares: Vec::new(),
            checkpoint: checkpoint.into(),
            logged_states,
            without_log: false,
        }
    }

    #[test]
    fn the_context_says_with_which_log_a_restore_is_done() {
        let said = |asked: RestoreRequest| {
            let context = asked.context()?;
            Ok::<Vec<_>, Error>(context.iter().map(|(name, value)| format!("{name}={value}")).collect())
        };
        let text = Checkpoint { origin: "example/audit".into(), size: 12, root: [7; 32] }.text();
        let log = ["log=example/audit 12", "loggedStates=2", "withoutLog=false"];
        for note in [text.clone(), format!("{text}\n\u{2014} example/audit Az3grlgtzPICa5OS\n")] {
            assert_eq!(said(asked(&note, vec![Vec::new(); 2])).unwrap(), log);
        }
        assert_eq!(said(asked("", Vec::new())).unwrap(), ["withoutLog=false"]);
        for (checkpoint, states, field) in [("", 1, "logged_states"), ("a log of mine", 0, "checkpoint")] {
            match said(asked(checkpoint, vec![Vec::new(); states])) {
                Err(Error::Rejected { field: named, .. }) => assert_eq!(named, field),
                other => panic!("{other:?}"),
            }
        }
    }
}

//! Bringing a backup's keys back.
//!
//! Keys are wrapped for this deployment as they come in, and kept in the store, where a key of an unregistered version is
//! nobody's. Once the seal was checked, their rows are recorded and come into force. The lost key of a registered version
//! could be used as soon as it is in the store: it waits for the seal elsewhere, and for the row that says that it was
//! restored, without which it would not open.

use super::{
    Backups,
    asked::{LoggedStates, RestorePart, RestoreRequest},
    restored::{Fate, Logged, Rows, logged, row_to_record},
};
use crate::{
    access::{Caller, Grant, Peer, Target},
    audit::{Draft, unavailable},
    changes::Busy,
    crypto::sha256,
    directory::KeyEntry,
    error::Error,
    model::{Action, Backup, Key, KeyName, KeyVersion, KeyVersionName, OrganizationName, Protection, RequestId},
    store::{Row, WrappedKey},
};
use chancery_api::reasons;
use chancery_transfer::backup::{
    BackupError, Header,
    file::{Frame, Reader},
};
use futures_util::{Stream, StreamExt, stream};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, HashMap},
    pin::pin,
    sync::Arc,
};

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
    /// Closes the second officer's approval, until it is recorded.
    approval: Option<Row>,
    counts: Restored,
}

impl Backups {
    /// Brings a backup's keys back. Nothing of `parts` is read for a caller who may not.
    ///
    /// # Errors
    /// [`Error`]. Nothing came into force, unless the log could not be written half way: then ask again.
    pub async fn restore(
        &self,
        peer: Arc<Peer>,
        asked: RestoreRequest,
        parts: impl Stream<Item = Result<RestorePart, Error>> + Send,
        request: RequestId,
    ) -> Result<Restored, Error> {
        let caller = self.admission.identify(&peer, Action::RestoreBackup).await?;
        // First by what the header says: the states are not known yet.
        let may = self.authorize_restore(&caller, &asked, 0, &request).await?;
        self.organization(&asked.organization)?;
        let mut parts = pin!(parts);
        let collected = match self.alone(&asked.organization) {
            Ok(alone) => collect(&asked, &mut parts).await.map(|collected| (alone, collected)),
            Err(error) => Err(error),
        };
        let (_alone, (states, first)) = match collected {
            Ok(collected) => collected,
            Err(error) => return Err(self.admission.rejected(&caller, error).await),
        };
        // The states took their time: whoever was locked out meanwhile asks for no approval.
        if let Err(error) = self.admission.access().recheck(&may, None) {
            return Err(self.restore_failed(&may, &request, error).await);
        }
        let grant = self.authorize_restore(&caller, &asked, states.all().len(), &request).await?;
        let chunks = stream::once(async { Ok(first) }).chain(parts.map(|part| match part? {
            RestorePart::Chunk(chunk) => Ok(chunk),
            RestorePart::States(_) => Err(Error::invalid("chunk", "every message after the first chunk is one")),
        }));
        match self.restore_granted(&grant, &asked, &states, chunks, &request).await {
            Ok((restored, approval)) => {
                let rows: Vec<_> = approval.into_iter().collect();
                self.changes.apply(Draft::outcome(&grant, &request).states(&rows), rows).await?;
                Ok(restored)
            }
            Err(error) => Err(self.restore_failed(&grant, &request, error).await),
        }
    }

    /// Records why a restore failed: the error that the caller is told.
    async fn restore_failed(&self, grant: &Grant, request: &RequestId, error: Error) -> Error {
        let recorded = self.admission.audit().append(Draft::failed(grant, request, &error)).await;
        recorded.err().map_or(error, |error| unavailable(&error))
    }

    async fn authorize_restore(
        &self,
        caller: &Caller,
        asked: &RestoreRequest,
        states: usize,
        request: &RequestId,
    ) -> Result<Grant, Error> {
        let context = match asked.context(states) {
            Ok(context) => context,
            Err(error) => return Err(self.admission.rejected(caller, error).await),
        };
        let target = Target::Organization(asked.organization.clone());
        self.admission.authorize(caller, Action::RestoreBackup, target, context, request).await
    }

    /// Another officer's word for this backup, with these states of this log or none.
    async fn approved(
        &self,
        grant: &Grant,
        asked: &RestoreRequest,
        states: &LoggedStates,
        header: &[u8],
        request: &RequestId,
    ) -> Result<Option<Row>, Error> {
        let backup = Header::decode(header).map_err(|error| tampered(&error))?;
        let hash = sha256(&[&asked.terms[..], &states.sha256(), header].concat());
        let with = asked.summary(states.all().len())?;
        let summary = format!("the keys of {} of deployment {} come back{with}", backup.backup, backup.deployment);
        self.approvals.require(grant, &RequestId { id: request.id.clone(), hash }, summary).await
    }

    async fn restore_granted(
        &self,
        grant: &Grant,
        asked: &RestoreRequest,
        states: &LoggedStates,
        chunks: impl Stream<Item = Result<Vec<u8>, Error>> + Send,
        request: &RequestId,
    ) -> Result<(Restored, Option<Row>), Error> {
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
        let approval = self.approved(grant, asked, states, &header, request).await?;
        let logged = logged(states.all(), &asked.organization)?;
        // Held until the rows are in force: the generation must not be destroyed meanwhile.
        let wrapping = self.keys.wrapping(&asked.organization).await?;
        let backup = self.enclave.begin_restore(asked.job.clone(), header, asked.shares.clone()).await?;
        let mut work = Work {
            organization: &asked.organization,
            backup: backup.clone(),
            logged,
            generation: wrapping.number(),
            rows: Rows::default(),
            expected: None,
            fates: BTreeMap::new(),
            kept: Vec::new(),
            unproven: HashMap::new(),
            held: BTreeMap::new(),
            approval,
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
        // The file took its time: whoever was locked out meanwhile brings nothing back.
        let sealed = sealed.and_then(|_| self.admission.access().recheck(grant, None));
        let done = match sealed {
            Ok(()) => self.put_in_force(grant, &mut work, request).await,
            Err(error) => Err(error),
        };
        if done.is_err() {
            self.forget(&work).await;
        }
        done.map(|()| (work.counts, work.approval))
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
            rows.extend(work.approval.take());
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

/// The states that come before the file, and its first piece.
async fn collect(
    asked: &RestoreRequest,
    parts: &mut (impl Stream<Item = Result<RestorePart, Error>> + Unpin),
) -> Result<(LoggedStates, Vec<u8>), Error> {
    let mut states = LoggedStates::default();
    while let Some(part) = parts.next().await {
        match part? {
            RestorePart::States(more) => states.add(asked, more)?,
            RestorePart::Chunk(chunk) => return Ok((states, chunk)),
        }
    }
    Err(Error::invalid("chunk", "after the header and the states come chunks"))
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

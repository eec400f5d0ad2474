//! Making a backup: header, states and entries, trailer, as one stream of bytes.

use super::Backups;
use crate::{
    access::{Grant, Peer, Target},
    audit::{Draft, unavailable},
    crypto::sha256,
    directory::KeyEntry,
    enclave::Custodian,
    error::Error,
    model::{Action, Backup, BackupName, KeyState, OrganizationName, PrincipalName, Protection, RequestId},
    policy::Context,
    store::Row,
};
use chancery_transfer::backup::{BackupError, file::Writer};
use prost::Message;
use sha2::{Digest, Sha256};
use std::{collections::HashSet, sync::Arc};
use tokio::sync::mpsc;

/// A backup to make.
#[derive(Debug, Clone)]
pub struct NewBackup {
    /// Whose keys.
    pub organization: OrganizationName,
    /// How many custodians can restore it.
    pub threshold: u32,
    /// Who keeps a share.
    pub custodians: Vec<(PrincipalName, Vec<u8>)>,
}

/// The next bytes of the file, and how far it is.
#[derive(Debug)]
pub struct Progress {
    /// Bytes to append.
    pub chunk: Vec<u8>,
    /// Key versions done.
    pub done: u64,
    /// Key versions in all, as far as is known.
    pub total: u64,
    /// The backup, once it is complete and recorded.
    pub complete: Option<Backup>,
}

/// The most custodians.
const MOST_CUSTODIANS: usize = 16;
/// Keys that are looked up at a time.
const PAGE: usize = 256;
/// Bytes that are sent at a time, roughly.
const CHUNK: usize = 64 << 10;

/// Where the file goes, and what is known of it so far.
struct Sink<'a> {
    answers: &'a mpsc::Sender<Progress>,
    buffer: Vec<u8>,
    hash: Sha256,
    versions: u64,
    token_versions: u64,
    total: u64,
}

impl Sink<'_> {
    /// Sends what is buffered, if it is enough.
    async fn flush(&mut self, enough: usize) -> Result<(), Error> {
        if self.buffer.len() < enough {
            return Ok(());
        }
        let chunk = std::mem::take(&mut self.buffer);
        self.hash.update(&chunk);
        let (done, total) = (self.versions, self.total.max(self.versions));
        let sent = self.answers.send(Progress { chunk, done, total, complete: None }).await;
        sent.map_err(|_| Error::invalid("parent", "the caller hung up; the backup was given up"))
    }
}

impl Backups {
    /// Makes a backup. Its bytes go to `answers`, the last of them with the backup's description.
    ///
    /// # Errors
    /// [`Error`]: what was sent so far is no backup.
    pub async fn back_up(
        &self,
        peer: Arc<Peer>,
        new: NewBackup,
        request: RequestId,
        answers: mpsc::Sender<Progress>,
    ) -> Result<(), Error> {
        let action = Action::BackUpKeys;
        let caller = self.admission.identify(&peer, action).await?;
        let target = Target::Organization(new.organization.clone());
        // Who can read what leaves stands in the intent, too: whoever hangs up before the end has the keys all the same.
        let custodians: Vec<_> =
            new.custodians.iter().take(MOST_CUSTODIANS).map(|(name, _)| name.to_string()).collect();
        let context = Context::new().number("threshold", new.threshold.into()).text("custodians", custodians.join(" "));
        let grant = self.admission.authorize(&caller, action, target, context, &request).await?;
        self.organization(&new.organization)?;
        let custodians = match self.custodians(&new) {
            Ok(custodians) => custodians,
            Err(error) => return Err(self.admission.rejected(&caller, error).await),
        };
        let approval = self.approvals.require(&grant, &request, summary(&new)).await?;
        let name = new_name(&new.organization)?;
        let begun = Backup {
            name: name.clone(),
            create_time: jiff::Timestamp::now().as_nanosecond().try_into().unwrap_or(i64::MAX),
            versions: 0,
            token_versions: 0,
            threshold: new.threshold,
            custodians: custodians.iter().map(|custodian| custodian.principal.clone()).collect(),
            sha256: None,
        };
        // Nothing is left half done by a crash, but what leaves must stand in the log before it does: a caller who hangs
        // up has the keys that were sent, and so the backup stays known.
        let rows: Vec<_> = std::iter::once(Row::Backup(begun.clone())).chain(approval).collect();
        let intent = Draft::intent(&grant, &request).resource(&name).states(&rows);
        let intent = self.changes.apply(intent, rows).await?;
        let made = self.write(&grant, begun, &new, &custodians, &answers).await;
        let (backup, chunk) = match made {
            Ok(made) => made,
            Err(error) => {
                if let Err(error) = self.enclave.end_backup(&name, [0; 32], true).await {
                    tracing::warn!(backup = %name, %error, "a backup that was given up is forgotten later");
                }
                return Err(self.failed(&grant, &request, &name, intent, error).await);
            }
        };
        let rows = vec![Row::Backup(backup.clone())];
        let outcome = Draft::outcome(&grant, &request).resource(&name).states(&rows).after(intent);
        self.changes.apply(outcome, rows).await?;
        let (done, total) = (backup.versions, backup.versions);
        let _ = answers.send(Progress { chunk, done, total, complete: Some(backup) }).await;
        Ok(())
    }

    async fn failed(&self, grant: &Grant, request: &RequestId, name: &BackupName, intent: u64, error: Error) -> Error {
        let draft = Draft::failed(grant, request, &error).resource(name).after(intent);
        match self.admission.audit().append(draft).await {
            Ok(_) => error,
            Err(problem) => unavailable(&problem),
        }
    }

    /// Custodians are registered, and with these keys: nobody else's key gets a share.
    fn custodians(&self, new: &NewBackup) -> Result<Vec<Custodian>, Error> {
        let field = "custodians";
        if !(1..=MOST_CUSTODIANS).contains(&new.custodians.len()) {
            return Err(Error::invalid(field, format!("1 to {MOST_CUSTODIANS}")));
        }
        if !(1..=new.custodians.len()).contains(&(new.threshold as usize)) {
            return Err(Error::invalid("threshold", "1 to the number of custodians"));
        }
        // Somebody's two shares would count as two custodians'.
        let mut named = HashSet::new();
        if let Some((twice, _)) = new.custodians.iter().find(|(principal, _)| !named.insert(principal)) {
            return Err(Error::invalid(field, format!("{twice} is named twice; each custodian holds one share")));
        }
        let known = |(principal, public_key): &(PrincipalName, Vec<u8>)| {
            let registration = self.changes.directory().registration(principal);
            match registration {
                Some(found)
                    if principal.organization() == &new.organization
                        && found.public_keys_sha256.contains(&sha256(public_key)) =>
                {
                    Ok(Custodian { principal: principal.to_string(), public_key: public_key.clone() })
                }
                _ => Err(Error::invalid(field, format!("{principal} is not registered with this public key"))),
            }
        };
        new.custodians.iter().map(known).collect()
    }

    /// The file, but for its last bytes, which come back with the backup's description.
    async fn write(
        &self,
        grant: &Grant,
        begun: Backup,
        new: &NewBackup,
        custodians: &[Custodian],
        answers: &mpsc::Sender<Progress>,
    ) -> Result<(Backup, Vec<u8>), Error> {
        let name = &begun.name;
        let total = self.store.count_wrapped(new.organization.clone()).await.map_err(Error::internal)?;
        let (log_size, _) = self.admission.audit().tree();
        let header = self.enclave.begin_backup(name, new.threshold, custodians, log_size).await?;
        let (buffer, hash) = (Vec::new(), Sha256::new());
        let mut sink = Sink { answers, buffer, hash, versions: 0, token_versions: 0, total };
        let mut writer = Writer::begin(&header, &mut sink.buffer).map_err(malformed)?;
        let mut after = None;
        loop {
            let page = self.changes.directory().keys(&new.organization, after.as_ref(), PAGE);
            let Some(last) = page.last() else { break };
            after = Some(last.key.name.clone());
            for entry in page {
                // Whoever is locked out meanwhile gets no more of it, and no end: what was sent is no backup.
                self.admission.access().recheck(grant, None)?;
                self.write_key(name, &entry, &mut writer, &mut sink).await?;
                sink.flush(CHUNK).await?;
            }
        }
        sink.flush(1).await?;
        let trailer = self.enclave.end_backup(name, writer.states_sha256(), false).await?;
        self.admission.access().recheck(grant, None)?;
        writer.finish(&trailer, &mut sink.buffer).map_err(malformed)?;
        let Sink { buffer, mut hash, versions, token_versions, .. } = sink;
        hash.update(&buffer);
        let sha256 = Some(hash.finalize().into());
        let backup = Backup { versions, token_versions, sha256, ..begun };
        Ok((backup, buffer))
    }

    async fn write_key(
        &self,
        name: &BackupName,
        entry: &KeyEntry,
        writer: &mut Writer,
        sink: &mut Sink<'_>,
    ) -> Result<(), Error> {
        if let Some(why) = &entry.mismatch {
            return Err(Error::internal(format!("{} can't be backed up: {why}", entry.key.name)));
        }
        let state = Row::Key(entry.key.clone()).state().encode_to_vec();
        writer.state(&state, &mut sink.buffer).map_err(malformed)?;
        for version in entry.versions.values() {
            let state = Row::KeyVersion(version.row.clone()).state().encode_to_vec();
            writer.state(&state, &mut sink.buffer).map_err(malformed)?;
            match (entry.key.protection, version.row.state) {
                (_, KeyState::Destroyed) => {}
                (Protection::Token, _) => sink.token_versions += 1,
                (Protection::Enclave, _) => {
                    let bytes = self.enclave.back_up_key(name, entry, version).await?;
                    writer.entry(&bytes, &mut sink.buffer).map_err(malformed)?;
                    sink.versions += 1;
                }
            }
        }
        Ok(())
    }
}

fn summary(new: &NewBackup) -> String {
    let custodians: Vec<_> = new.custodians.iter().map(|(principal, _)| principal.id()).collect();
    let (organization, threshold) = (&new.organization, new.threshold);
    format!("all ENCLAVE keys of {organization} leave, for any {threshold} of {} to open", custodians.join(", "))
}

/// A name that sorts by time.
fn new_name(organization: &OrganizationName) -> Result<BackupName, Error> {
    let mut random = [0; 4];
    getrandom::fill(&mut random).map_err(Error::internal)?;
    let time = jiff::Timestamp::now().strftime("%Y%m%dt%H%M%Sz");
    organization.backup(&format!("{time}-{}", hex::encode(random))).map_err(Error::internal)
}

fn malformed(error: BackupError) -> Error {
    Error::internal(error)
}

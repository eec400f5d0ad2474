//! `chancery backup restore`.
//!
//! **Invariants**
//! * What a log says is sent only after the log was verified, and found to be the backup's and not older than it.
//! * A version that the log knows as destroyed stays so, also where only a record past the checkpoint says it.
//!
//! **Not here**: opening the backup, and what comes back (the service and its enclave).

use super::{
    file::{self, CHUNK},
    job::Job,
    share::SealedShare,
};
use crate::{
    attestation::audit_key,
    audit::reading::{Collect, Verified, read as read_log},
    cli::Global,
    failure::{CliError, Doing as _},
    keys::organization,
    output::{self, Output},
    progress::Progress,
};
use chancery_api::{
    names::{KeyVersionName, OrganizationName},
    state::KeyVersion,
    v1::{LoggedStates, RestoreBackupRequest, RestoreBackupResponse, RestoreHeader, restore_backup_request::Part},
};
use chancery_audit::{
    record::{Record, ResourceState},
    snapshot::Snapshot,
    verify::Verifier,
};
use chancery_client::{ClientError, request_id};
use chancery_transfer::backup::Header;
use prost::Message as _;
use serde_json::json;
use std::{
    collections::{BTreeMap, HashSet},
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// Chunks that are read ahead.
const AHEAD: usize = 4;

/// The longest part of the file that is sent in one message, in bytes.
const PART: usize = CHUNK;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// organizations/ORG or ORG
    #[arg(value_parser = organization)]
    organization: OrganizationName,
    /// The backup's file
    #[arg(long = "in", value_name = "FILE")]
    input: PathBuf,
    /// The job that the shares were sealed to
    #[arg(long, value_name = "FILE")]
    job: PathBuf,
    /// A sealed share; given again for each custodian, as often as the backup needs
    #[arg(long = "share", value_name = "FILE", required = true)]
    shares: Vec<PathBuf>,
    /// The audit log of the deployment that made the backup: what it knows as destroyed stays destroyed
    #[arg(long, value_name = "DIR", requires = "key", required_unless_present = "without_log")]
    log: Option<PathBuf>,
    /// That log's public key, C2SP vkey text
    #[arg(long, value_name = "VKEY_FILE", requires = "log")]
    key: Option<PathBuf>,
    /// There is no such log: destroyed versions may come back, and the record says so
    #[arg(long, conflicts_with = "log")]
    without_log: bool,
    /// Say how far it is also where stderr is no terminal
    #[arg(long)]
    progress: bool,
}

/// The last states of the resources of a backup.
#[derive(Clone)]
struct LastStates {
    of: Arc<HashSet<String>>,
    states: BTreeMap<String, ResourceState>,
}

impl Collect for LastStates {
    fn snapshot(&mut self, snapshot: &Snapshot) {
        let states = snapshot.states().iter().filter_map(|last| last.state.as_ref());
        let wanted = states.filter(|state| self.of.contains(&state.name));
        self.states.extend(wanted.map(|state| (state.name.clone(), state.clone())));
    }

    fn record(&mut self, record: &Record, signed: bool) {
        for state in &record.states {
            // What no checkpoint covers could be anyone's; it is believed where it takes a key away, not where it gives one.
            if self.of.contains(&state.name) && (signed || is_destroyed(state)) {
                self.states.insert(state.name.clone(), state.clone());
            }
        }
    }
}

fn is_destroyed(state: &ResourceState) -> bool {
    state.name.parse::<KeyVersionName>().is_ok()
        && KeyVersion::decode(state.value.as_slice()).is_ok_and(|version| version.state == "DESTROYED")
}

pub(crate) async fn run(global: &Global, args: &Args) -> Result<ExitCode, CliError> {
    let job = Job::read(&args.job)?;
    let backup = file::read(&args.input)?;
    let shares = shares(args, &job, &backup.header.backup)?;
    let needed = backup.header.threshold();
    if shares.len() < needed {
        return Err(CliError::Rejected(format!("{} shares are too few: the backup needs {needed}", shares.len())));
    }
    let (logged_states, checkpoint) = match (&args.log, &args.key) {
        (Some(log), Some(key)) => logged(log, key, &backup.header, backup.summary.resources)?,
        _ => (Vec::new(), String::new()),
    };
    let header = RestoreHeader {
        parent: args.organization.to_string(),
        restore_job: job.id,
        shares,
        request_id: request_id(),
        checkpoint,
        without_log: args.without_log,
    };
    let answer = send(global, args, header, logged_states).await?;
    print(global.output, &answer)?;
    Ok(ExitCode::SUCCESS)
}

/// The shares, which must all be of this backup and job.
fn shares(args: &Args, job: &Job, backup: &str) -> Result<Vec<Vec<u8>>, CliError> {
    let mut custodians = HashSet::new();
    let share = |path: &PathBuf| {
        let share = SealedShare::read(path)?;
        let problem = if share.backup != backup {
            format!("it is of {}, and not of {backup}", share.backup)
        } else if share.job != job.id {
            "it was sealed to another job".to_owned()
        } else if !custodians.insert(share.custodian.clone()) {
            format!("the share of {} was given already", share.custodian)
        } else {
            return Ok(share.share);
        };
        Err(CliError::Rejected(format!("{}: {problem}", path.display())))
    };
    args.shares.iter().map(share).collect()
}

/// What the log of the backup's deployment says of these resources, encoded, and its checkpoint.
fn logged(dir: &Path, key: &Path, backup: &Header, of: HashSet<String>) -> Result<(Vec<Vec<u8>>, String), CliError> {
    let empty = LastStates { of: Arc::new(of), states: BTreeMap::new() };
    let key = audit_key(key)?;
    let begin = |note: &str, snapshot: Option<&Snapshot>| match snapshot {
        Some(snapshot) => Verifier::after(key.clone(), note, snapshot),
        None => Verifier::new(key.clone(), note),
    };
    let Verified { proved: report, note, collected, .. } = read_log(dir, None, &key, begin, &empty)?;
    let problem = if report.deployment != backup.deployment {
        format!("it is the log of deployment {}, and the backup is of {}", report.deployment, backup.deployment)
    } else if report.records < backup.log_size {
        let (has, had) = (report.records, backup.log_size);
        format!(
            "an old copy: it has {has} records, and had {had} when the backup was made; what came later is not in it"
        )
    } else {
        return Ok((collected.states.values().map(ResourceState::encode_to_vec).collect(), note));
    };
    Err(CliError::Rejected(format!("{}: {problem}", dir.display())))
}

/// Sends header, states and file. Not repeated: a job is used up by its first restore.
async fn send(
    global: &Global,
    args: &Args,
    header: RestoreHeader,
    states: Vec<Vec<u8>>,
) -> Result<RestoreBackupResponse, CliError> {
    let mut file = File::open(&args.input).map_err(CliError::read(&args.input))?;
    let length = file.metadata().map_err(CliError::read(&args.input))?.len();
    let client = global.connect().await?;
    let (parts, outbound) = mpsc::channel(AHEAD);
    let mut keys = client.keys();
    let answer = tokio::spawn(async move { keys.restore_backup(ReceiverStream::new(outbound)).await });
    let progress = Progress::new(length, "bytes", args.progress);
    let mut sent = 0;
    // The receiver is gone when the service has answered: then its answer says why.
    let mut open = parts.send(RestoreBackupRequest { part: Some(Part::Header(header)) }).await.is_ok();
    for states in batches(states) {
        let states = Part::LoggedStates(LoggedStates { states });
        open = open && parts.send(RestoreBackupRequest { part: Some(states) }).await.is_ok();
    }
    while open {
        let mut chunk = vec![0; PART];
        let length = file.read(&mut chunk).map_err(CliError::read(&args.input))?;
        if length == 0 {
            break;
        }
        chunk.truncate(length);
        open = parts.send(RestoreBackupRequest { part: Some(Part::Chunk(chunk)) }).await.is_ok();
        sent += length as u64;
        progress.set(sent);
    }
    drop(parts);
    progress.finish();
    let answer = answer.await.map_err(|error| CliError::Internal(format!("the restore failed: {error}")))?;
    let answer = answer.map_err(ClientError::from).doing(format!("restore the keys of {}", args.organization))?;
    Ok(answer.into_inner())
}

/// As many states in a message as are no longer than a part of the file, or one.
fn batches(states: Vec<Vec<u8>>) -> Vec<Vec<Vec<u8>>> {
    let (mut batches, mut length) = (Vec::<Vec<Vec<u8>>>::new(), PART);
    for state in states {
        length += state.len();
        match batches.last_mut().filter(|_| length <= PART) {
            Some(batch) => batch.push(state),
            None => {
                length = state.len();
                batches.push(vec![state]);
            }
        }
    }
    batches
}

fn print(form: Output, answer: &RestoreBackupResponse) -> Result<(), CliError> {
    let RestoreBackupResponse { restored, present, destroyed, token_versions } = answer;
    if form == Output::Json {
        return output::json(&json!({
            "restored": restored,
            "present": present,
            "destroyed": destroyed,
            "token_versions": token_versions,
        }));
    }
    output::fields(&[
        ("restored", restored.to_string()),
        ("there already", present.to_string()),
        ("stay destroyed", destroyed.to_string()),
        ("in the token", format!("{token_versions}: no backup holds them")),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERSION: &str = "organizations/org1/keys/a/versions/1";

    fn record(name: &str, state: &str) -> Record {
        let value = KeyVersion { name: name.into(), state: state.into(), ..KeyVersion::default() }.encode_to_vec();
        let state = ResourceState { name: name.into(), r#type: "chancery.state.v1.KeyVersion".into(), value };
        Record { states: vec![state], ..Record::default() }
    }

    fn last(records: &[(Record, bool)]) -> Vec<String> {
        let mut states = LastStates { of: Arc::new([VERSION.to_owned()].into()), states: BTreeMap::new() };
        for (record, signed) in records {
            states.record(record, *signed);
        }
        let state = |state: &ResourceState| KeyVersion::decode(state.value.as_slice()).unwrap().state;
        states.states.values().map(state).collect()
    }

    #[test]
    fn the_last_signed_state_counts_and_a_destruction_always() {
        let (active, gone) = (record(VERSION, "ACTIVE"), record(VERSION, "DESTROYED"));
        assert_eq!(last(&[(active.clone(), true), (gone.clone(), true)]), ["DESTROYED"]);
        assert_eq!(last(&[(active.clone(), true), (gone.clone(), false)]), ["DESTROYED"]);
        assert_eq!(last(&[(gone, true), (active.clone(), false)]), ["DESTROYED"]);
        assert_eq!(last(&[(record(VERSION, "SUSPENDED"), true), (active, false)]), ["SUSPENDED"]);
        assert_eq!(last(&[(record("organizations/org1/keys/b/versions/1", "ACTIVE"), true)]), [""; 0]);
    }
}

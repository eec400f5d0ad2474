//! `chancery audit witness run`.

use super::state::{Kept, State};
use crate::{
    attestation::audit_key,
    call::call,
    cli::{Global, connect, organization_or_default},
    failure::{CliError, Doing as _},
    files,
    output::{self, Output},
    pem, time,
};
use chancery_api::v1::{AddCosignatureRequest, GetCheckpointRequest};
use chancery_audit::checkpoint::{VerifierKey, WitnessSigner, with_line};
use chancery_client::{Client, ClientConfig, Evidence, hashes};
use serde_json::json;
use std::{
    path::PathBuf,
    process::ExitCode,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The longest time between two tries while the service can't be asked.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The witness's private key, as `init` wrote it
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The witness's state, as `init` made it
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// The log's public key, C2SP vkey text
    #[arg(long, value_name = "VKEY_FILE")]
    log_key: PathBuf,
    /// How often the service is asked
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = interval)]
    interval: Duration,
    /// Look once, and end: 0 if there was nothing to cosign, or it was cosigned and brought
    #[arg(long)]
    once: bool,
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = Duration::try_from(time::parse_duration(text)?).map_err(|error| error.to_string())?;
    if interval < Duration::from_millis(100) {
        return Err("at least 100ms".into());
    }
    Ok(interval)
}

/// One witness of one log.
struct Witness {
    config: ClientConfig,
    form: Output,
    parent: String,
    log: VerifierKey,
    signer: WitnessSigner,
    state: State,
    client: Option<Client>,
}

pub(crate) async fn run(global: &Global, args: &Args) -> Result<ExitCode, CliError> {
    // The witness remembers for itself, and what it finds it keeps in its own state.
    let config = global.config()?.without_log();
    let parent = organization_or_default(&config, None)?.to_string();
    let log = audit_key(&args.log_key)?;
    let file = files::read_secret(&args.key, pem::MAX_FILE as usize)?;
    let private = pem::block(&file, &["PRIVATE KEY"])
        .map(|(_, der)| der)
        .ok_or_else(|| CliError::Rejected(format!("{} is no private key in PKCS #8 PEM", args.key.display())))?;
    let (state, signer) = State::open(&args.state, &private, &log)?;
    let mut witness = Witness { config, form: global.output, parent, log, signer, state, client: None };
    let (mut pause, mut told) = (args.interval, String::new());
    loop {
        match witness.round().await {
            Ok(()) => {
                if args.once {
                    return Ok(ExitCode::SUCCESS);
                }
                (pause, told) = (args.interval, String::new());
            }
            Err(error) if args.once || !matches!(error, CliError::Call { .. }) => return Err(error),
            Err(error) => {
                // Once for each cause: an outage may be long.
                let text = error.to_string();
                if text != told {
                    output::complain(&format!("{}; trying again", output::printable(&text)));
                    told = text;
                }
                pause = (pause * 2).min(LONGEST_PAUSE.max(args.interval));
            }
        }
        tokio::time::sleep(pause).await;
    }
}

/// Seconds since the Unix epoch.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

impl Witness {
    async fn client(&mut self) -> Result<Client, CliError> {
        if self.client.is_none() {
            self.client = Some(connect(&self.config).await?);
        }
        self.client.clone().ok_or_else(|| CliError::Internal("no connection".into()))
    }

    /// Looks at the log, and cosigns what is new.
    async fn round(&mut self) -> Result<(), CliError> {
        let client = self.client().await?;
        let request = GetCheckpointRequest {};
        let method = |mut stub: chancery_api::v1::audit_service_client::AuditServiceClient<_>, request| async move {
            stub.get_checkpoint(request).await
        };
        let answer = call(&client, client.audit(), &request, method, "read the checkpoint").await?;
        let shown = match answer.witnessing {
            Some(witnessing) if witnessing.cosigning.is_empty() => return Ok(()),
            Some(witnessing) => witnessing.cosigning,
            None => answer.note,
        };
        let checkpoint = match self.log.open_note(&shown) {
            Ok(checkpoint) => checkpoint,
            Err(error) => {
                let problem = format!("the service shows a checkpoint that is not the log's: {error}");
                return Err(self.contradicted(&client, shown, vec![], problem).await);
            }
        };
        if let Some(kept) = &self.state.kept {
            let proof = match checkpoint.needs_proof_from(&kept.checkpoint) {
                true => client.consistency(&kept.checkpoint, &checkpoint).await.doing("read the consistency proof")?,
                false => Vec::new(),
            };
            if let Err(contradiction) = checkpoint.extends(&kept.checkpoint, &hashes(&proof)) {
                return Err(self.contradicted(&client, shown, proof, contradiction.to_string()).await);
            }
        }
        let known = self.state.kept.as_ref().filter(|kept| kept.checkpoint == checkpoint);
        let line = match known.map(|kept| self.signer.public().find(&kept.note)) {
            Some(Ok(Some(cosignature))) => cosignature.line,
            _ => {
                // A clock that was set back must not make the witness say so.
                let time = now().max(self.state.kept.as_ref().map_or(0, |kept| kept.time));
                let cosignature = self.signer.cosign(&checkpoint, time);
                let note = with_line(&shown, &cosignature.line);
                self.state.keep(Kept { checkpoint: checkpoint.clone(), note, time: cosignature.time })?;
                cosignature.line
            }
        };
        if shown.ends_with(&line) || shown.contains(&format!("\n{line}")) {
            return Ok(());
        }
        self.bring(&client, with_line(&shown, &line)).await?;
        self.say(checkpoint.size)
    }

    async fn bring(&self, client: &Client, note: String) -> Result<(), CliError> {
        let request = AddCosignatureRequest { parent: self.parent.clone(), note };
        let method = |mut stub: chancery_api::v1::admin_service_client::AdminServiceClient<_>, request| async move {
            stub.add_cosignature(request).await
        };
        call(client, client.admin(), &request, method, "bring the cosignature").await.map(drop)
    }

    fn say(&self, size: u64) -> Result<(), CliError> {
        let kept = self.state.kept.as_ref();
        let at = time::rfc3339_nanos(kept.map_or(0, |kept| (kept.time as i64).saturating_mul(1_000_000_000)));
        match self.form {
            Output::Json => output::bytes(format!("{}\n", json!({ "cosigned": size, "time": at })).as_bytes()),
            Output::Table => output::bytes(format!("{at} cosigned {size} records\n").as_bytes()),
        }
    }

    /// Keeps the evidence, and shows the service what its log once was: one that was rolled back learns it that way.
    async fn contradicted(&self, client: &Client, shown: String, proof: Vec<Vec<u8>>, problem: String) -> CliError {
        let kept = self.state.kept.as_ref().map(|kept| kept.note.clone()).unwrap_or_default();
        let evidence =
            Evidence { key: self.log.to_string(), kept: kept.clone(), shown, proof, problem: problem.clone() };
        let prefix = self.state.evidence();
        let evidence = match evidence.write(&prefix) {
            Ok(directory) => directory,
            Err(error) => return CliError::write(&prefix)(error),
        };
        if !kept.is_empty()
            && let Err(error) = self.bring(client, kept).await
        {
            output::complain(&format!("the service was shown what its log was, and says: {error}"));
        }
        CliError::Contradicted { problem, evidence }
    }
}

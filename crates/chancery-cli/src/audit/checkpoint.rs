//! `chancery audit checkpoint`.

use crate::{
    cli::Global,
    failure::{CliError, Doing as _},
    files,
    output::{self, Output},
};
use chancery_api::v1::{Checkpoint, GetCheckpointRequest};
use chancery_audit::checkpoint::Checkpoint as Signed;
use serde_json::json;
use std::{path::PathBuf, process::ExitCode};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where to write the note; - is standard output
    #[arg(long, default_value = "-", value_name = "FILE")]
    out: PathBuf,
    /// The newest one that a quorum of the deployment's witnesses cosigned, with their cosignatures
    #[arg(long)]
    witnessed: bool,
}

pub(crate) async fn run(global: &Global, args: &Args) -> Result<ExitCode, CliError> {
    let client = global.connect().await?;
    let checkpoint = client
        .retry(|attempt| {
            let (mut audit, request) = (client.audit(), attempt.request(GetCheckpointRequest {}));
            async move { audit.get_checkpoint(request).await }
        })
        .await
        .doing("read the checkpoint")?;
    let checkpoint = if args.witnessed { witnessed(checkpoint)? } else { checkpoint };
    let to_stdout = output::is_dash(&args.out);
    if !(to_stdout && global.output == Output::Json) {
        files::write(&args.out, checkpoint.note.as_bytes())?;
    }
    if global.output == Output::Json {
        output::json(&json!({
            "note": checkpoint.note,
            "size": checkpoint.size,
            "root": hex::encode(&checkpoint.root),
        }))?;
    } else {
        output::summary(to_stdout, &format!("checkpoint of {} records", checkpoint.size))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The cosigned checkpoint. Nothing is verified: `audit verify` does that.
fn witnessed(newest: Checkpoint) -> Result<Checkpoint, CliError> {
    let note = newest.witnessing.map(|witnessing| witnessing.witnessed).filter(|note| !note.is_empty());
    let note = note.ok_or_else(|| {
        CliError::Unwitnessed(
            "no checkpoint is known that a quorum of witnesses cosigned; `chancery status` says who is missing".into(),
        )
    })?;
    let text = note.rsplit_once("\n\n").map_or("", |(text, _)| text);
    let signed = Signed::parse(&format!("{text}\n"))
        .map_err(|error| CliError::Internal(format!("the service's cosigned checkpoint is none: {error}")))?;
    Ok(Checkpoint { note, size: signed.size, root: signed.root.to_vec(), witnessing: None })
}

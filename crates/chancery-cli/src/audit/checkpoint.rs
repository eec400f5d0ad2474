//! `chancery audit checkpoint`.

use crate::{
    cli::Global,
    failure::{CliError, Doing as _},
    files,
    output::{self, Output},
};
use chancery_api::v1::GetCheckpointRequest;
use serde_json::json;
use std::{path::PathBuf, process::ExitCode};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where to write the note; - is standard output
    #[arg(long, default_value = "-", value_name = "FILE")]
    out: PathBuf,
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

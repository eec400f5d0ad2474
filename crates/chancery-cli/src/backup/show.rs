//! `chancery backup show`.

use super::file::{self, Read};
use crate::{
    failure::CliError,
    output::{self, Output},
    time,
};
use serde_json::json;
use std::{path::PathBuf, process::ExitCode};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The backup's file
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(crate) fn run(form: Output, args: &Args) -> Result<ExitCode, CliError> {
    let Read { summary, header, sha256 } = file::read(&args.file)?;
    let custodians: Vec<&str> = header.custodians.iter().map(|custodian| custodian.principal.as_str()).collect();
    let made = time::rfc3339_millis(header.time_unix_millis);
    if form == Output::Json {
        output::json(&json!({
            "backup": header.backup,
            "deployment": header.deployment,
            "organization": header.organization,
            "create_time": made,
            "log_size": header.log_size,
            "threshold": header.threshold(),
            "custodians": custodians,
            "versions": summary.entries,
            "sha256": hex::encode(sha256),
        }))?;
    } else {
        output::fields(&[
            ("backup", header.backup.clone()),
            ("deployment", header.deployment.clone()),
            ("made", format!("{made}, at {} audit records", header.log_size)),
            ("restored by", format!("{} of {}", header.threshold(), custodians.join(", "))),
            ("versions", summary.entries.to_string()),
            ("sha256", hex::encode(sha256)),
            (
                "proved",
                "nothing: compare the SHA-256 with `chancery backup list`; restoring checks the rest".to_owned(),
            ),
        ])?;
    }
    Ok(ExitCode::SUCCESS)
}

//! `chancery mac`: makes a message authentication code, or verifies one.

use super::{Crypto, MAX_INPUT, Use, described, report};
use crate::{
    call::call,
    cli::Global,
    failure::{CliError, EXIT_UNVERIFIED},
    files,
    output::{self, Output},
};
use chancery_api::{
    names::KeyOrVersionName,
    v1::{GenerateMacRequest, VerifyMacRequest},
};
use chancery_client::request_id;
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// No code is longer than this, in bytes.
const MAX_CODE: u64 = 64;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A key or key version, of purpose mac
    key: KeyOrVersionName,
    /// The message; - is standard input
    #[arg(long = "in", value_name = "FILE")]
    input: PathBuf,
    /// Verify the code in this file instead of making one
    #[arg(long, value_name = "FILE", conflicts_with_all = ["out", "hex"])]
    verify: Option<PathBuf>,
    /// Where to write the code; - is standard output
    #[arg(long, value_name = "FILE", required_unless_present = "verify")]
    out: Option<PathBuf>,
    /// Write the code as hexadecimal digits
    #[arg(long)]
    hex: bool,
    /// Write bytes that are no text to a terminal as well
    #[arg(long)]
    force: bool,
}

pub(crate) async fn run(global: &Global, args: &Args) -> Result<ExitCode, CliError> {
    match (&args.verify, &args.out) {
        (Some(code), _) => verify(global, args, code).await,
        (None, Some(out)) => generate(global, args, out).await,
        (None, None) => Err(CliError::Usage("give --out FILE or --verify FILE".into())),
    }
}

async fn generate(global: &Global, args: &Args, out: &Path) -> Result<ExitCode, CliError> {
    let json_shares_stdout = output::is_dash(out) && global.output == Output::Json;
    if !args.hex && !json_shares_stdout {
        files::check_binary(out, args.force)?;
    }
    let request = GenerateMacRequest {
        name: args.key.to_string(),
        message: files::read(&args.input, MAX_INPUT as u64)?,
        request_id: request_id(),
    };
    let client = global.connect().await?;
    let generate = |mut crypto: Crypto, request| async move { crypto.generate_mac(request).await };
    let answer = call(&client, client.crypto(), &request, generate, format!("make a MAC with {}", args.key)).await?;
    let used = Use { done: "made", name: &answer.name, record_index: Some(answer.record_index) };
    if json_shares_stdout {
        // A code travels beside its message: it is no secret.
        let mut json = described(answer.mac.len(), &used);
        json["mac"] = hex::encode(&answer.mac).into();
        output::json(&json)?;
        return Ok(ExitCode::SUCCESS);
    }
    match args.hex {
        true => files::write(out, format!("{}\n", hex::encode(&answer.mac)).as_bytes())?,
        false => files::write(out, &answer.mac)?,
    }
    report(global.output, out, answer.mac.len(), &used)?;
    Ok(ExitCode::SUCCESS)
}

async fn verify(global: &Global, args: &Args, code: &Path) -> Result<ExitCode, CliError> {
    if output::is_dash(&args.input) && output::is_dash(code) {
        return Err(CliError::Usage("only one of --in and --verify can be standard input".into()));
    }
    let request = VerifyMacRequest {
        name: args.key.to_string(),
        mac: files::read(code, MAX_CODE)?,
        message: files::read(&args.input, MAX_INPUT as u64)?,
        request_id: request_id(),
    };
    let client = global.connect().await?;
    let verify = |mut crypto: Crypto, request| async move { crypto.verify_mac(request).await };
    let answer = call(&client, client.crypto(), &request, verify, format!("verify a MAC with {}", args.key)).await?;
    match global.output {
        Output::Json => {
            output::json(&json!({ "valid": answer.valid, "name": answer.name, "record_index": answer.record_index }))?
        }
        Output::Table => {
            let word = if answer.valid { "valid" } else { "invalid" };
            output::bytes(format!("{word}: {}\n", output::printable(&answer.name)).as_bytes())?;
        }
    }
    Ok(if answer.valid { ExitCode::SUCCESS } else { ExitCode::from(EXIT_UNVERIFIED) })
}

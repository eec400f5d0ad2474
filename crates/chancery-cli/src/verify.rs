//! `chancery verify`.

use crate::{
    call::call,
    cli::Global,
    failure::{CliError, EXIT_UNVERIFIED},
    files,
    output::{self, Output},
    signing_input::{Prepared, Reading, Signing, SigningInput},
    words::{self, parser},
};
use chancery_api::{
    names::KeyOrVersionName,
    v1::{RsaPadding, SignatureFormat, VerifyRequest},
};
use serde_json::json;
use std::{path::PathBuf, process::ExitCode};

/// No signature is longer than this, in bytes; ML-DSA-87 has 4627.
const MAX_SIGNATURE: u64 = 16 << 10;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The key or key version that is said to have signed
    key: KeyOrVersionName,
    /// The file that was signed; - is standard input
    #[arg(long = "in", value_name = "FILE")]
    input: PathBuf,
    /// The signature
    #[arg(long, value_name = "FILE")]
    signature: PathBuf,
    #[command(flatten)]
    reading: Reading,
    /// RSA: the signature scheme [default: pkcs1]
    #[arg(long, value_parser = parser(words::PADDINGS))]
    padding: Option<RsaPadding>,
    /// How the signature is written, as in sign
    #[arg(long, value_parser = parser(words::FORMATS), default_value = "der")]
    format: SignatureFormat,
}

pub(crate) async fn run(global: &Global, args: &Args) -> Result<ExitCode, CliError> {
    if output::is_dash(&args.input) && output::is_dash(&args.signature) {
        return Err(CliError::Usage("only one of --in and --signature can be standard input".into()));
    }
    let client = global.connect().await?;
    let signature = files::read(&args.signature, MAX_SIGNATURE)?;
    let Prepared { input, name } = SigningInput::prepare(&client, &args.key, &args.input, &args.reading).await?;
    let request = VerifyRequest {
        name,
        input: Some(input.into()),
        signature,
        format: args.format.into(),
        padding: args.padding.unwrap_or(RsaPadding::Unspecified).into(),
        ..VerifyRequest::default()
    };
    let verify = |mut signing: Signing, request| async move { signing.verify(request).await };
    let answer = call(&client, client.signing(), &request, verify, format!("verify with {}", args.key)).await?;
    match global.output {
        Output::Json => output::json(&json!({ "valid": answer.valid, "name": answer.name }))?,
        Output::Table => {
            let word = if answer.valid { "valid" } else { "invalid" };
            output::bytes(format!("{word}: {}\n", output::printable(&answer.name)).as_bytes())?;
        }
    }
    Ok(if answer.valid { ExitCode::SUCCESS } else { ExitCode::from(EXIT_UNVERIFIED) })
}

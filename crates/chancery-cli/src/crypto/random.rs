//! `chancery random`.

use super::{Crypto, Use, report};
use crate::{
    call::call,
    cli::{Global, connect, organization_or_default},
    failure::CliError,
    files, keys,
    output::{self, Output},
};
use chancery_api::{names::OrganizationName, v1::GenerateRandomRequest};
use chancery_client::request_id;
use std::{path::PathBuf, process::ExitCode};
use zeroize::Zeroizing;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// organizations/ORG or ORG, in whose record it stands [default: `organization` in the client's configuration]
    #[arg(value_parser = keys::organization)]
    organization: Option<OrganizationName>,
    /// How many: 1 to 1024
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    bytes: u32,
    /// Write them as hexadecimal digits
    #[arg(long)]
    hex: bool,
    /// Where to write them; - is standard output
    #[arg(long, default_value = "-", value_name = "FILE")]
    out: PathBuf,
    /// Write bytes that are no text to a terminal as well
    #[arg(long)]
    force: bool,
}

pub(crate) async fn run(global: &Global, args: &Args) -> Result<ExitCode, CliError> {
    if output::is_dash(&args.out) && global.output == Output::Json {
        return Err(CliError::Usage("--out - and --output json would both write to standard output".into()));
    }
    if !args.hex {
        files::check_binary(&args.out, args.force)?;
    }
    let config = global.config()?;
    let organization = organization_or_default(&config, args.organization.as_ref())?;
    let client = connect(&config).await?;
    let request =
        GenerateRandomRequest { parent: organization.to_string(), length: args.bytes, request_id: request_id() };
    let generate = |mut crypto: Crypto, request| async move { crypto.generate_random(request).await };
    let answer = call(&client, client.crypto(), &request, generate, format!("draw random bytes for {organization}"));
    let answer = answer.await?;
    let data = Zeroizing::new(answer.data);
    if data.len() != args.bytes as usize {
        return Err(CliError::Internal(format!("the service sent {} bytes, and not {}", data.len(), args.bytes)));
    }
    let organization = organization.to_string();
    let used = Use { done: "drawn", name: &organization, record_index: Some(answer.record_index) };
    match args.hex {
        true => {
            let mut text = Zeroizing::new(hex::encode(&*data));
            text.push('\n');
            files::write_secret(&args.out, text.as_bytes())?;
        }
        false => files::write_secret(&args.out, &data)?,
    }
    report(global.output, &args.out, data.len(), &used)?;
    Ok(ExitCode::SUCCESS)
}

//! `chancery keys attest`.
//!
//! **Not here**: checking a statement (`attestation`).

use super::{Keys, version};
use crate::{attestation::Statement, call::call, cli::Global, failure::CliError, files, output};
use chancery_api::{names::KeyOrVersionName, v1::AttestKeyVersionRequest};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A key or key version
    key: KeyOrVersionName,
    /// 1 to 64 bytes of yours that the statement repeats, so that it is fresh
    #[arg(long, value_name = "HEX", value_parser = nonce)]
    nonce: Option<Nonce>,
    /// Where to write statement and signature, JSON; - is standard output
    #[arg(long, default_value = "-", value_name = "FILE")]
    out: PathBuf,
}

/// Bytes of the caller's choice.
#[derive(Debug, Clone)]
pub(crate) struct Nonce(pub(crate) Vec<u8>);

/// Hexadecimal digits.
pub(crate) fn nonce(text: &str) -> Result<Nonce, String> {
    match hex::decode(text) {
        Ok(bytes) if (1..=64).contains(&bytes.len()) => Ok(Nonce(bytes)),
        _ => Err("give 2 to 128 hexadecimal digits".to_owned()),
    }
}

pub(super) async fn run(global: &Global, args: &Args) -> Result<(), CliError> {
    let client = global.connect().await?;
    let version = version(&client, &args.key).await?;
    let nonce = args.nonce.as_ref().map(|nonce| nonce.0.clone()).unwrap_or_default();
    let request = AttestKeyVersionRequest { name: version.to_string(), nonce };
    let attest = |mut keys: Keys, request| async move { keys.attest_key_version(request).await };
    let attestation = call(&client, client.keys(), &request, attest, format!("attest {version}")).await?;
    files::write(&args.out, &Statement::from(attestation).to_file()?)?;
    if output::is_dash(&args.out) {
        return Ok(());
    }
    output::summary(false, &format!("statement about {version}; `chancery attestation verify` checks it"))
}

//! `chancery wrap` and `chancery unwrap`: the bytes of a key that the caller holds (RFC 5649).

use super::{Crypto, Destination, Use};
use crate::{call::call, cli::Global, failure::CliError, files};
use chancery_api::{
    names::KeyOrVersionName,
    v1::{UnwrapKeyRequest, WrapKeyRequest},
};
use chancery_client::request_id;
use std::{path::PathBuf, process::ExitCode};
use zeroize::Zeroizing;

/// The longest key to wrap, in bytes.
const MAX_KEY: usize = 4096;

/// RFC 5649 adds 8 bytes, and up to 7 to fill the last block.
const MAX_WRAPPED: u64 = MAX_KEY as u64 + 16;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A key or key version, of purpose wrap
    key: KeyOrVersionName,
    /// The key's bytes, or the wrapped key; - is standard input
    #[arg(long = "in", value_name = "FILE")]
    input: PathBuf,
    #[command(flatten)]
    destination: Destination,
}

pub(crate) async fn wrap(global: &Global, args: &Args) -> Result<ExitCode, CliError> {
    args.destination.check(global.output)?;
    let request = WrapKeyRequest {
        name: args.key.to_string(),
        plaintext: files::read_secret(&args.input, MAX_KEY)?.to_vec(),
        request_id: request_id(),
    };
    let client = global.connect().await?;
    let wrap = |mut crypto: Crypto, request| async move { crypto.wrap_key(request).await };
    let answer = call(&client, client.crypto(), &request, wrap, format!("wrap with {}", args.key)).await;
    drop(Zeroizing::new(request.plaintext));
    let answer = answer?;
    let used = Use { done: "wrapped", name: &answer.name, record_index: Some(answer.record_index) };
    args.destination.write(global.output, &answer.wrapped_key, &used)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn unwrap(global: &Global, args: &Args) -> Result<ExitCode, CliError> {
    args.destination.check(global.output)?;
    let request = UnwrapKeyRequest {
        name: args.key.to_string(),
        wrapped_key: files::read(&args.input, MAX_WRAPPED)?,
        request_id: request_id(),
    };
    let client = global.connect().await?;
    let unwrap = |mut crypto: Crypto, request| async move { crypto.unwrap_key(request).await };
    let answer = call(&client, client.crypto(), &request, unwrap, format!("unwrap with {}", args.key)).await?;
    let key = Zeroizing::new(answer.plaintext);
    let used = Use { done: "unwrapped", name: &answer.name, record_index: Some(answer.record_index) };
    args.destination.write_secret(global.output, &key, &used)?;
    Ok(ExitCode::SUCCESS)
}

//! `chancery agree`.

use super::{Crypto, Destination, Use};
use crate::{call::call, cli::Global, failure::CliError, files, pem};
use chancery_api::{names::KeyOrVersionName, v1::DeriveSharedSecretRequest};
use chancery_client::request_id;
use std::{path::PathBuf, process::ExitCode};
use zeroize::Zeroizing;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A key or key version, of purpose agree
    key: KeyOrVersionName,
    /// The other side's public key on the same curve, SubjectPublicKeyInfo in PEM or DER
    #[arg(long, value_name = "FILE")]
    peer: PathBuf,
    #[command(flatten)]
    destination: Destination,
}

/// Writes the raw shared secret, which is to go through a key derivation function.
pub(crate) async fn run(global: &Global, args: &Args) -> Result<ExitCode, CliError> {
    args.destination.check(global.output)?;
    let request = DeriveSharedSecretRequest {
        name: args.key.to_string(),
        public_key: pem::public_key(&args.peer, &files::read(&args.peer, pem::MAX_FILE)?)?,
        request_id: request_id(),
    };
    let client = global.connect().await?;
    let derive = |mut crypto: Crypto, request| async move { crypto.derive_shared_secret(request).await };
    let answer = call(&client, client.crypto(), &request, derive, format!("agree with {}", args.key)).await?;
    let secret = Zeroizing::new(answer.shared_secret);
    let used = Use { done: "agreed", name: &answer.name, record_index: Some(answer.record_index) };
    args.destination.write_secret(global.output, &secret, &used)?;
    Ok(ExitCode::SUCCESS)
}

//! `chancery audit witness init`.

use super::state;
use crate::{
    failure::CliError,
    keys::organization,
    output::{self, Output},
};
use chancery_api::names::OrganizationName;
use chancery_audit::checkpoint::WitnessSigner;
use der::pem::{LineEnding, encode_string};
use serde_json::json;
use std::{
    fs::File,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
};
use zeroize::Zeroizing;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Whose witness it is
    #[arg(long, value_parser = organization, value_name = "ORG")]
    organization: OrganizationName,
    /// Where to write the private key (Ed25519, PKCS #8 PEM, for its owner only); it must not exist
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Where the witness keeps what it cosigned; it must not exist. Keep it safe: without it the witness has seen nothing
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// The name that cosignatures carry [default: ORG/witness]
    #[arg(long)]
    name: Option<String>,
}

/// Writes a new file, durable, that only its owner may read.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let file = File::options().write(true).create_new(true).mode(0o600).open(path);
    match file {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(CliError::Rejected(format!(
            "{} exists already: a witness keeps its key; name another file for another witness",
            path.display()
        ))),
        other => other
            .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
            .map_err(CliError::write(path)),
    }
}

pub(crate) fn run(form: Output, args: &Args) -> Result<ExitCode, CliError> {
    let id = args.organization.id();
    let name = args.name.clone().unwrap_or_else(|| format!("{id}/witness"));
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut_slice()).map_err(|error| CliError::Internal(error.to_string()))?;
    let signer = WitnessSigner::from_seed(&name, &seed).map_err(|error| CliError::Usage(error.to_string()))?;
    let internal = |error: &dyn std::fmt::Display| CliError::Internal(error.to_string());
    let der = signer.to_pkcs8().map_err(|error| internal(&error))?;
    let pem = encode_string("PRIVATE KEY", LineEnding::LF, der.as_bytes()).map_err(|error| internal(&error))?;
    write_new(&args.key, Zeroizing::new(pem).as_bytes())?;
    state::create(&args.state, signer.public())?;
    let line = format!("witness {id} {}", signer.public());
    match form {
        Output::Json => output::json(&json!({
            "organization": args.organization.to_string(),
            "name": name,
            "vkey": signer.public().to_string(),
            "policy_line": line,
        }))?,
        Output::Table => {
            output::bytes(format!("{line}\n").as_bytes())?;
            output::complain("give that line to whoever writes the deployment's witness policy, and to verifiers");
        }
    }
    Ok(ExitCode::SUCCESS)
}

//! `chancery keys …`.
//!
//! **Not here**: how keys are printed ([`show`]).

mod create;
mod list;
mod public;
mod show;

use crate::{
    cli::Global,
    failure::{CliError, Doing as _},
};
use chancery_api::{
    names::{KeyName, OrganizationName},
    v1::{GetKeyRequest, RotateKeyRequest},
};
use chancery_client::request_id;
use clap::Subcommand;
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a key with its first version
    Create(create::Args),
    /// List an organization's keys
    List(list::Args),
    /// Show a key with all its versions
    Show {
        /// organizations/ORG/keys/KEY
        key: KeyName,
    },
    /// Make a new version
    ///
    /// It becomes primary at once, unless a certificate is bound to the primary version: then the new one waits for a
    /// certificate of its own.
    Rotate {
        /// organizations/ORG/keys/KEY
        key: KeyName,
    },
    /// Print a public key
    Public(public::Args),
}

pub(crate) async fn run(global: &Global, command: &Command) -> Result<ExitCode, CliError> {
    match command {
        Command::Create(args) => create::run(global, args).await?,
        Command::List(args) => list::run(global, args).await?,
        Command::Public(args) => public::run(global, args).await?,
        Command::Show { key } => {
            let client = global.connect().await?;
            let request = GetKeyRequest { name: key.to_string() };
            let shown = client
                .retry(|attempt| {
                    let (mut keys, request) = (client.keys(), attempt.request(request.clone()));
                    async move { keys.get_key(request).await }
                })
                .await
                .doing(format!("show {key}"))?;
            show::print(global.output, &shown)?;
        }
        Command::Rotate { key } => {
            let client = global.connect().await?;
            let request = RotateKeyRequest { name: key.to_string(), request_id: request_id() };
            let rotated = client
                .retry(|attempt| {
                    let (mut keys, request) = (client.keys(), attempt.request(request.clone()));
                    async move { keys.rotate_key(request).await }
                })
                .await
                .doing(format!("rotate {key}"))?;
            show::print(global.output, &rotated)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// An organization by its full name or its id.
pub(crate) fn organization(text: &str) -> Result<OrganizationName, String> {
    text.parse().or_else(|_| OrganizationName::from_id(text)).map_err(|error| error.to_string())
}

//! `chancery keys …`.
//!
//! **Not here**: how keys are printed ([`show`]), backups (`backup`).

pub(crate) mod attest;
mod bulk;
mod create;
mod destroy;
mod dry_run;
mod import;
mod list;
mod public;
mod rewrap;
mod settings;
pub(crate) mod show;
mod template;
mod transitions;
mod update;

use crate::{call::call, cli::Global, failure::CliError};
use chancery_api::{
    names::{KeyName, KeyOrVersionName, KeyVersionName, OrganizationName},
    v1::{GetKeyRequest, Key, RotateKeyRequest, key_service_client::KeyServiceClient},
};
use chancery_client::{Client, Transport, request_id};
use clap::Subcommand;
pub(crate) use rewrap::ended_early;
use std::process::ExitCode;
use transitions::Transition;

/// What calls about keys go through.
pub(crate) type Keys = KeyServiceClient<Transport>;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a key with its first version, or many keys
    Create(Box<create::Args>),
    /// List an organization's keys
    List(list::Args),
    /// Show a key with all its versions
    Show {
        /// organizations/ORG/keys/KEY
        key: KeyName,
    },
    /// Change a key's labels, check, rotation, overlap and pool, or a version's dates
    Update(Box<update::Args>),
    /// Make a new version
    ///
    /// It becomes primary at once, unless a certificate is bound to the primary version: then the new one waits for a
    /// certificate of its own.
    Rotate {
        /// organizations/ORG/keys/KEY
        key: KeyName,
        /// Say what would happen, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Let a PRE_ACTIVE or SUSPENDED version sign; a PRE_ACTIVE one becomes primary
    Activate(transitions::Args),
    /// Let an ACTIVE version sign nothing until it is activated again
    Suspend(transitions::SuspendArgs),
    /// Let a version sign nothing any more, for good; it may still verify
    Deactivate(transitions::EndArgs),
    /// Mark a version: its key is, or may be, in other hands
    Compromise(transitions::EndArgs),
    /// Let a version sign nothing at once, and destroy its key material after a waiting period
    Destroy(destroy::Args),
    /// Call off a destruction that has not happened
    Restore(transitions::Args),
    /// Have the enclave state what it knows of a version's origin, signed with the audit key
    ///
    /// `chancery attestation verify` checks the file offline.
    Attest(attest::Args),
    /// Bring in a key that was made elsewhere, sealed to the enclave
    ///
    /// Others may hold a copy of such a key: its versions say that they are imported. A key of that name gets its next
    /// version, which is PRE_ACTIVE.
    Import(import::Args),
    /// Print a public key, or what is made of it
    Public(public::Args),
    /// Wrap an organization's enclave keys under a new key-encryption key, and destroy the old one
    Rewrap(rewrap::Args),
    /// Confirm that the service's clock is right, after a jump of it froze destruction
    ConfirmClock(rewrap::ClockArgs),
}

pub(crate) async fn run(global: &Global, command: &Command) -> Result<ExitCode, CliError> {
    match command {
        Command::Create(args) => create::run(global, args).await?,
        Command::List(args) => list::run(global, args).await?,
        Command::Public(args) => public::run(global, args).await?,
        Command::Import(args) => import::run(global, args).await?,
        Command::Update(args) => update::run(global, args).await?,
        Command::Activate(args) => transitions::run(global, &args.version, Transition::Activate).await?,
        Command::Suspend(args) => transitions::suspend(global, args).await?,
        Command::Deactivate(args) => transitions::end(global, args, Transition::Deactivate).await?,
        Command::Compromise(args) => transitions::end(global, args, Transition::Compromise).await?,
        Command::Restore(args) => transitions::run(global, &args.version, Transition::Restore).await?,
        Command::Destroy(args) => destroy::run(global, args).await?,
        Command::Attest(args) => attest::run(global, args).await?,
        Command::Rewrap(args) => rewrap::run(global, args).await?,
        Command::ConfirmClock(args) => rewrap::confirm_clock(global, args).await?,
        Command::Show { key } => {
            let client = global.connect().await?;
            show::print(global.output, &read(&client, key).await?)?;
        }
        Command::Rotate { key, dry_run: true } => dry_run::rotate(global, key).await?,
        Command::Rotate { key, .. } => {
            let client = global.connect().await?;
            let request = RotateKeyRequest { name: key.to_string(), request_id: request_id() };
            let rotate = |mut keys: Keys, request| async move { keys.rotate_key(request).await };
            let rotated = call(&client, client.keys(), &request, rotate, format!("rotate {key}")).await?;
            show::print(global.output, &rotated)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A key with all its versions.
async fn read(client: &Client, key: &KeyName) -> Result<Key, CliError> {
    let request = GetKeyRequest { name: key.to_string() };
    let read = |mut keys: Keys, request| async move { keys.get_key(request).await };
    call(client, client.keys(), &request, read, format!("look up {key}")).await
}

/// The version that a name stands for.
async fn version(client: &Client, name: &KeyOrVersionName) -> Result<KeyVersionName, CliError> {
    let key = match name {
        KeyOrVersionName::Version(version) => return Ok(version.clone()),
        KeyOrVersionName::Key(key) => key,
    };
    let primary = read(client, key).await?.primary.and_then(|primary| primary.name.parse().ok());
    primary.ok_or_else(|| CliError::Rejected(format!("{key} has no primary version: name one, …/versions/N")))
}

/// An organization by its full name or its id.
pub(crate) fn organization(text: &str) -> Result<OrganizationName, String> {
    text.parse().or_else(|_| OrganizationName::from_id(text)).map_err(|error| error.to_string())
}

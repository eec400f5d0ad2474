//! `chancery keys activate|suspend|deactivate|compromise|restore`: one version, one event.
//!
//! **Not here**: which transitions are allowed (the service says so), destruction (`destroy`).

use super::{
    Keys,
    dry_run::{self, Change},
    show,
};
use crate::{call::call, cli::Global, confirm::Confirm, failure::CliError};
use chancery_api::{
    names::KeyVersionName,
    v1::{
        ActivateKeyVersionRequest, DeactivateKeyVersionRequest, MarkKeyVersionCompromisedRequest,
        RestoreKeyVersionRequest, SuspendKeyVersionRequest,
    },
};
use chancery_client::request_id;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The key version: organizations/ORG/keys/KEY/versions/N
    pub(super) version: KeyVersionName,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SuspendArgs {
    #[command(flatten)]
    of: Args,
    /// Say what would happen and who would stop working, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Of what can't be undone.
#[derive(Debug, clap::Args)]
pub(crate) struct EndArgs {
    #[command(flatten)]
    suspend: SuspendArgs,
    #[command(flatten)]
    confirm: Confirm,
}

/// An event in a version's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transition {
    Activate,
    Suspend,
    Deactivate,
    Compromise,
    Restore,
}

pub(super) async fn suspend(global: &Global, args: &SuspendArgs) -> Result<(), CliError> {
    let version = &args.of.version;
    if args.dry_run {
        return dry_run::run(global, version, Change::Suspend).await;
    }
    run(global, version, Transition::Suspend).await
}

/// Deactivates a version or marks it as compromised: a person at a terminal is asked first.
pub(super) async fn end(global: &Global, args: &EndArgs, transition: Transition) -> Result<(), CliError> {
    let EndArgs { suspend: SuspendArgs { of: Args { version }, dry_run }, confirm } = args;
    let compromise = transition == Transition::Compromise;
    if *dry_run {
        let change = if compromise { Change::Compromise } else { Change::Deactivate };
        return dry_run::run(global, version, change).await;
    }
    let end = if compromise { "stay marked as compromised" } else { "be DEACTIVATED" };
    let consequence = format!("{version} would {end} and be used for nothing any more, for good.");
    confirm.ask(&[version.key().id(), &version.key().to_string(), &version.to_string()], &consequence)?;
    run(global, version, transition).await
}

pub(super) async fn run(global: &Global, version: &KeyVersionName, transition: Transition) -> Result<(), CliError> {
    let client = global.connect().await?;
    let (keys, name, request_id) = (client.keys(), version.to_string(), request_id());
    let key = match transition {
        Transition::Activate => {
            let request = ActivateKeyVersionRequest { name, request_id };
            let activate = |mut keys: Keys, request| async move { keys.activate_key_version(request).await };
            call(&client, keys, &request, activate, format!("activate {}", version)).await?
        }
        Transition::Suspend => {
            let request = SuspendKeyVersionRequest { name, request_id };
            let suspend = |mut keys: Keys, request| async move { keys.suspend_key_version(request).await };
            call(&client, keys, &request, suspend, format!("suspend {}", version)).await?
        }
        Transition::Deactivate => {
            let request = DeactivateKeyVersionRequest { name, request_id };
            let deactivate = |mut keys: Keys, request| async move { keys.deactivate_key_version(request).await };
            call(&client, keys, &request, deactivate, format!("deactivate {}", version)).await?
        }
        Transition::Compromise => {
            let request = MarkKeyVersionCompromisedRequest { name, request_id };
            let mark = |mut keys: Keys, request| async move { keys.mark_key_version_compromised(request).await };
            call(&client, keys, &request, mark, format!("mark {} as compromised", version)).await?
        }
        Transition::Restore => {
            let request = RestoreKeyVersionRequest { name, request_id };
            let restore = |mut keys: Keys, request| async move { keys.restore_key_version(request).await };
            call(&client, keys, &request, restore, format!("call off the destruction of {}", version)).await?
        }
    };
    show::print(global.output, &key)
}

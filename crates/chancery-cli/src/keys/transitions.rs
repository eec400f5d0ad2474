//! `chancery keys activate|suspend|deactivate|compromise|restore`: one version, one event.
//!
//! **Not here**: which transitions are allowed (the service says so), destruction (`destroy`).

use super::{Keys, show};
use crate::{call::call, cli::Global, failure::CliError};
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
    version: KeyVersionName,
}

/// An event in a version's life.
#[derive(Debug, Clone, Copy)]
pub(super) enum Transition {
    Activate,
    Suspend,
    Deactivate,
    Compromise,
    Restore,
}

pub(super) async fn run(global: &Global, args: &Args, transition: Transition) -> Result<(), CliError> {
    let client = global.connect().await?;
    let (keys, name, request_id) = (client.keys(), args.version.to_string(), request_id());
    let key = match transition {
        Transition::Activate => {
            let request = ActivateKeyVersionRequest { name, request_id };
            let activate = |mut keys: Keys, request| async move { keys.activate_key_version(request).await };
            call(&client, keys, &request, activate, format!("activate {}", args.version)).await?
        }
        Transition::Suspend => {
            let request = SuspendKeyVersionRequest { name, request_id };
            let suspend = |mut keys: Keys, request| async move { keys.suspend_key_version(request).await };
            call(&client, keys, &request, suspend, format!("suspend {}", args.version)).await?
        }
        Transition::Deactivate => {
            let request = DeactivateKeyVersionRequest { name, request_id };
            let deactivate = |mut keys: Keys, request| async move { keys.deactivate_key_version(request).await };
            call(&client, keys, &request, deactivate, format!("deactivate {}", args.version)).await?
        }
        Transition::Compromise => {
            let request = MarkKeyVersionCompromisedRequest { name, request_id };
            let mark = |mut keys: Keys, request| async move { keys.mark_key_version_compromised(request).await };
            call(&client, keys, &request, mark, format!("mark {} as compromised", args.version)).await?
        }
        Transition::Restore => {
            let request = RestoreKeyVersionRequest { name, request_id };
            let restore = |mut keys: Keys, request| async move { keys.restore_key_version(request).await };
            call(&client, keys, &request, restore, format!("call off the destruction of {}", args.version)).await?
        }
    };
    show::print(global.output, &key)
}

//! What a rotation would do. Nobody stops working who names the key and not a version.

use super::{Outlook, certificate, is_only_active, print, usage};
use crate::{
    cli::Global,
    failure::CliError,
    keys::{read, show},
    time,
};
use chancery_api::{
    names::{KeyName, KeyVersionName},
    v1::{Key, KeyState, KeyUsage, KeyVersion, Origin},
};

/// Says what a rotation would do.
pub(in crate::keys) async fn run(global: &Global, name: &KeyName) -> Result<(), CliError> {
    let client = global.connect().await?;
    let key = read(&client, name).await?;
    let usage = usage(&client, &name.to_string()).await?;
    print::outlook(global.output, &outlook(&key, usage)?)
}

/// The version that the next rotation makes, or takes from the key's pool.
fn next(key: &Key) -> (u64, bool) {
    let number = |version: &KeyVersion| version.name.parse().map_or(0, |name: KeyVersionName| name.number());
    let pooled = key.versions.iter().filter(|version| version.pooled).map(number).min();
    let last = key.versions.iter().map(number).max().unwrap_or(0);
    pooled.map_or((last + 1, false), |number| (number, true))
}

pub(super) fn outlook(key: &Key, usage: Option<KeyUsage>) -> Result<Outlook, CliError> {
    let name = &key.name;
    let primary = key.primary.as_ref().ok_or_else(|| CliError::Rejected(format!("{name} has no primary version")))?;
    let refused = |why: &str| Err(CliError::Rejected(format!("{}, the primary version, {why}", primary.name)));
    match (primary.origin(), primary.state()) {
        (Origin::Imported, _) => return refused("was imported: import the next one, and activate it"),
        (_, KeyState::Suspended) => return refused("is SUSPENDED: activate or deactivate it first"),
        (_, KeyState::PreActive) => return refused("is PRE_ACTIVE: activate it first"),
        _ => {}
    }
    let (number, pooled) = next(key);
    let made = if pooled { "taken from the pool" } else { "made" };
    let bound = certificate(primary);
    let (then, effect) = match (&bound, &key.overlap) {
        (Some(_), _) => (
            show::state(primary),
            format!("version {number} is {made} and waits for a certificate; {} stays the primary one", primary.name),
        ),
        (None, Some(overlap)) if overlap.seconds == 0 => {
            ("DEACTIVATED", format!("version {number} is {made} and becomes primary at once; the last one ends"))
        }
        (None, overlap) => {
            let until = overlap.as_ref().map(|overlap| format!(" for {} more", time::duration(overlap)));
            let still = until.unwrap_or_default();
            let effect = format!(
                "version {number} is {made} and becomes primary at once; {} is used where it is named{still}",
                primary.name
            );
            (show::state(primary), effect)
        }
    };
    Ok(Outlook {
        command: "rotate",
        name: primary.name.clone(),
        state: show::state(primary).to_owned(),
        then: then.to_owned(),
        effect,
        undo: None,
        destroy_time: None,
        only_active: is_only_active(key, primary),
        certificate: bound,
        approval: None,
        usage,
    })
}

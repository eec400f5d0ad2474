//! `--dry-run`: what a command would do to a key version, and who would stop working.
//!
//! **Invariant**: nothing is sent but questions. What the service would refuse for the version's state is refused here in
//! the same words: both read the one table of transitions.
//!
//! **Not here**: what policies say of it: only the request itself tells.

mod print;
mod rotation;

use super::{read, show};
use crate::{call::call, cli::Global, failure::CliError, failure::EXIT_DENIED, time};
use chancery_api::{
    names::KeyVersionName,
    v1::{
        GetKeyUsageRequest, Key, KeyState as WireState, KeyUsage, KeyVersion, admin_service_client::AdminServiceClient,
    },
};
use chancery_client::{Client, Transport};
use chancery_model::{self as model, LifecycleEvent, Stage};
use jiff::{SignedDuration, Timestamp};

/// What a command would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Suspend,
    Deactivate,
    Compromise,
    /// After so long, or as the service has it.
    Destroy(Option<SignedDuration>),
}

/// What would come of it.
#[derive(Debug)]
struct Outlook {
    command: &'static str,
    name: String,
    /// Where the version is, and would be.
    state: String,
    then: String,
    effect: String,
    /// How it can be undone, and until when; `None`: it can't.
    undo: Option<String>,
    destroy_time: Option<Timestamp>,
    /// It is the key's only ACTIVE version.
    only_active: bool,
    /// Subject and end of the bound certificate.
    certificate: Option<(String, String)>,
    /// It needs a second officer, and so long from being asked for.
    approval: Option<SignedDuration>,
    /// Who uses it, as far as the caller may know.
    usage: Option<KeyUsage>,
}

impl Change {
    const fn command(self) -> &'static str {
        match self {
            Self::Suspend => "suspend",
            Self::Deactivate => "deactivate",
            Self::Compromise => "compromise",
            Self::Destroy(_) => "destroy",
        }
    }

    const fn event(self) -> LifecycleEvent {
        match self {
            Self::Suspend => LifecycleEvent::Suspend,
            Self::Deactivate => LifecycleEvent::Deactivate,
            Self::Compromise => LifecycleEvent::Compromise,
            Self::Destroy(_) => LifecycleEvent::ScheduleDestruction,
        }
    }
}

/// Says what `change` would do to a version.
pub(super) async fn run(global: &Global, name: &KeyVersionName, change: Change) -> Result<(), CliError> {
    let client = global.connect().await?;
    let key = read(&client, name.key()).await?;
    let usage = usage(&client, &name.to_string()).await?;
    print::outlook(global.output, &outlook(&key, name, change, usage, Timestamp::now())?)
}

pub(super) use rotation::run as rotate;

/// Who used a key or version; `None`: the caller may not know.
async fn usage(client: &Client, name: &str) -> Result<Option<KeyUsage>, CliError> {
    let request = GetKeyUsageRequest { name: name.to_owned(), days: 0 };
    let ask = |mut admin: AdminServiceClient<Transport>, request| async move { admin.get_key_usage(request).await };
    match call(client, client.admin(), &request, ask, format!("look up who uses {name}")).await {
        Ok(usage) => Ok(Some(usage)),
        Err(error) if error.exit_code() == EXIT_DENIED => Ok(None),
        Err(error) => Err(error),
    }
}

fn outlook(
    key: &Key,
    name: &KeyVersionName,
    change: Change,
    usage: Option<KeyUsage>,
    now: Timestamp,
) -> Result<Outlook, CliError> {
    let found = key.versions.iter().find(|version| version.name == name.to_string());
    let version = found.ok_or_else(|| CliError::Rejected(format!("{name} does not exist")))?;
    let row = row(name, version)?;
    let destroy_time = match change {
        Change::Destroy(after) => Some(now + wait(after, usage.as_ref())?),
        _ => None,
    };
    let time = destroy_time.unwrap_or(now).as_nanosecond();
    let after = row.after(change.event(), i64::try_from(time).unwrap_or(i64::MAX));
    let after = after.map_err(|refused| CliError::Rejected(refused.to_string()))?;
    let only_active = is_only_active(key, version);
    let when = destroy_time.map(|at| format!("{at:.0}")).unwrap_or_default();
    let (effect, undo) = match change {
        Change::Suspend => (
            "it is used for nothing until it is activated again".to_owned(),
            Some(format!("`chancery keys activate {name}`, at any time")),
        ),
        Change::Deactivate => ("it is used for nothing any more, but to verify".to_owned(), None),
        Change::Compromise => ("it is used for nothing any more, and stays marked".to_owned(), None),
        Change::Destroy(_) => (
            format!("it is used for nothing from now on, and its key is destroyed at {when}"),
            Some(format!(
                "`chancery keys restore {name}`, until {when}: it is {} then",
                after.after(LifecycleEvent::Restore, time as i64).map_or("as it was", |row| Stage::of(&row).as_str())
            )),
        ),
    };
    let dangerous = match change {
        Change::Destroy(_) | Change::Compromise => true,
        Change::Deactivate => only_active,
        Change::Suspend => false,
    };
    let waiting = usage.as_ref().filter(|_| dangerous).and_then(|usage| usage.waiting_period.as_ref()).map(signed);
    Ok(Outlook {
        command: change.command(),
        name: name.to_string(),
        state: Stage::of(&row).as_str().to_owned(),
        then: Stage::of(&after).as_str().to_owned(),
        effect,
        undo,
        destroy_time,
        only_active,
        certificate: certificate(version),
        // A key that may be in other hands does not wait.
        approval: waiting.map(|waiting| if change == Change::Compromise { SignedDuration::ZERO } else { waiting }),
        usage,
    })
}

/// The version as the table of transitions sees it.
fn row(name: &KeyVersionName, version: &KeyVersion) -> Result<model::KeyVersion, CliError> {
    let state = show::state(version)
        .parse()
        .map_err(|_| CliError::Rejected(format!("{name} is in a state that this version of chancery does not know")))?;
    let mut row = model::KeyVersion::new(name.clone(), state, Vec::new(), 0);
    row.destroy_time = version.destroy_time.as_ref().map(|time| time.seconds);
    row.compromised_time = version.compromised_time.as_ref().map(|time| time.seconds);
    Ok(row)
}

/// From now to the destruction, as the service would have it.
fn wait(after: Option<SignedDuration>, usage: Option<&KeyUsage>) -> Result<SignedDuration, CliError> {
    let said = |duration: Option<&prost_types::Duration>| duration.map(signed);
    let least = said(usage.and_then(|usage| usage.minimum_destruction_wait.as_ref())).unwrap_or_default();
    let default = said(usage.and_then(|usage| usage.default_destruction_wait.as_ref()));
    let wait = after.or(default).unwrap_or(SignedDuration::from_hours(30 * 24));
    if wait < least {
        let least = time::duration(&time::duration_to_proto(least));
        return Err(CliError::Rejected(format!("--after: at least {least} is demanded by the service")));
    }
    Ok(wait)
}

fn signed(duration: &prost_types::Duration) -> SignedDuration {
    SignedDuration::new(duration.seconds, duration.nanos)
}

/// Whether this version is ACTIVE and no other is.
fn is_only_active(key: &Key, version: &KeyVersion) -> bool {
    let mut active = key.versions.iter().filter(|version| version.state() == WireState::Active);
    active.next().is_some_and(|found| found.name == version.name) && active.next().is_none()
}

/// Subject and end of the bound certificate.
fn certificate(version: &KeyVersion) -> Option<(String, String)> {
    use der::Decode as _;
    let bound = Some(&version.certificate).filter(|bound| !bound.is_empty())?;
    let unread = || ("unreadable".to_owned(), String::new());
    let read = x509_cert::Certificate::from_der(bound).map(|found| {
        let part = found.tbs_certificate();
        (part.subject().to_string(), part.validity().not_after.to_string())
    });
    Some(read.unwrap_or_else(|_| unread()))
}

#[cfg(test)]
mod tests;

//! `chancery keys rewrap` and `keys confirm-clock`: what an officer does for all keys of an organization.

use super::{Keys, organization};
use crate::{
    call::call,
    cli::{Global, connect, organization_or_default},
    confirm::Confirm,
    failure::{CliError, Doing as _},
    output::{self, Output},
    progress::Progress,
    time,
};
use chancery_api::{
    names::OrganizationName,
    v1::{ConfirmClockRequest, RewrapKeysRequest, RewrapKeysResponse},
};
use chancery_client::{ClientError, Code, request_id};
use serde_json::json;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// organizations/ORG or ORG [default: `organization` in the client's configuration]
    #[arg(value_parser = organization)]
    organization: Option<OrganizationName>,
    #[command(flatten)]
    confirm: Confirm,
    /// Say how far it is also where stderr is no terminal
    #[arg(long)]
    progress: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ClockArgs {
    /// organizations/ORG or ORG [default: `organization` in the client's configuration]
    #[arg(value_parser = organization)]
    organization: Option<OrganizationName>,
}

pub(super) async fn run(global: &Global, args: &Args) -> Result<(), CliError> {
    let config = global.config()?;
    let organization = organization_or_default(&config, args.organization.as_ref())?;
    let consequence = format!(
        "The older key-encryption keys of {organization} would be destroyed: copies of the store from before could not be \
         used any more."
    );
    args.confirm.check(&[organization.id(), &organization.to_string()], &consequence)?;
    let client = connect(&config).await?;
    let doing = format!("rewrap the keys of {organization} (what is done stays done, the same command goes on)");
    let (parent, confirm) = (organization.to_string(), organization.id().to_owned());
    let request = RewrapKeysRequest { parent, request_id: request_id(), confirm };
    // No deadline: it takes as long as there are keys, and says how far it is.
    let opened = client.keys().rewrap_keys(request).await;
    let mut answers = opened.map_err(ClientError::from).doing(doing.as_str())?.into_inner();
    let progress = Progress::new(0, "keys", args.progress);
    let mut last: Option<RewrapKeysResponse> = None;
    while let Some(answer) = answers.message().await.map_err(ClientError::from).doing(doing.as_str())? {
        progress.set_of(answer.done, answer.total);
        last = Some(answer);
    }
    progress.finish();
    let done = last.filter(|last| last.finished).ok_or_else(|| ended_early(Code::Unavailable)).doing(doing)?;
    if global.output == Output::Json {
        return output::json(&json!({ "rewrapped": done.done, "generation": done.generation }));
    }
    let line = format!(
        "{} keys are wrapped under generation {} of the key-encryption key; the ones before it are destroyed",
        done.done, done.generation
    );
    output::summary(false, &line)
}

/// A stream that ended before it said that all is done.
pub(crate) fn ended_early(code: Code) -> ClientError {
    ClientError {
        code,
        reason: None,
        message: "the answer ended before all was done".into(),
        retryable: true,
        retry_after: None,
        performed: None,
        violations: Vec::new(),
    }
}

pub(super) async fn confirm_clock(global: &Global, args: &ClockArgs) -> Result<(), CliError> {
    let config = global.config()?;
    let organization = organization_or_default(&config, args.organization.as_ref())?;
    let client = connect(&config).await?;
    let request = ConfirmClockRequest { parent: organization.to_string(), request_id: request_id() };
    let confirm = |mut keys: Keys, request| async move { keys.confirm_clock(request).await };
    let answer =
        call(&client, client.keys(), &request, confirm, format!("confirm the clock for {organization}")).await?;
    let now = time::rfc3339(answer.time);
    if global.output == Output::Json {
        return output::json(&json!({ "frozen": answer.frozen, "time": now }));
    }
    let line = match answer.frozen.as_str() {
        "" => format!("destruction was not frozen; the service's clock says {now}"),
        why => format!("destruction goes on; it was frozen: {why}; the service's clock says {now}"),
    };
    output::summary(false, &line)
}

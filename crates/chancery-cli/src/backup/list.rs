//! `chancery backup list`.

use super::create::not_in_it;
use crate::{
    call::call,
    cli::{Global, connect, organization_or_default},
    failure::CliError,
    keys::{Keys, organization},
    output::Listing,
    time::rfc3339,
};
use chancery_api::{
    names::OrganizationName,
    v1::{Backup, ListBackupsRequest, ListBackupsResponse},
};
use serde_json::{Value, json as object};
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// organizations/ORG or ORG [default: `organization` in the client's configuration]
    #[arg(value_parser = organization)]
    organization: Option<OrganizationName>,
}

pub(crate) async fn run(global: &Global, args: &Args) -> Result<ExitCode, CliError> {
    let config = global.config()?;
    let organization = organization_or_default(&config, args.organization.as_ref())?;
    let client = connect(&config).await?;
    let request = ListBackupsRequest { parent: organization.to_string() };
    let list = |mut keys: Keys, request| async move { keys.list_backups(request).await };
    let doing = format!("list the backups of {organization}");
    let answer: ListBackupsResponse = call(&client, client.keys(), &request, list, doing).await?;
    let mut listing = Listing::new(global.output, ["backup", "made", "versions", "not in it", "restored by", "sha256"]);
    listing.page(answer.backups.iter().map(|backup| (json(backup), row(backup))))?;
    listing.finish(&format!("{organization} has no backups that you may see"))?;
    Ok(ExitCode::SUCCESS)
}

fn row(backup: &Backup) -> [String; 6] {
    let complete = !backup.sha256.is_empty();
    [
        backup.name.clone(),
        rfc3339(backup.create_time),
        if complete { backup.versions.to_string() } else { "unknown".into() },
        if complete { not_in_it(backup) } else { "unknown".into() },
        format!("{} of {}", backup.threshold, backup.custodians.len()),
        if complete { hex::encode(&backup.sha256) } else { "incomplete".into() },
    ]
}

/// A backup as JSON.
pub(super) fn json(backup: &Backup) -> Value {
    object!({
        "name": backup.name,
        "create_time": rfc3339(backup.create_time),
        "versions": backup.versions,
        "token_versions": backup.token_versions,
        "threshold": backup.threshold,
        "custodians": backup.custodians,
        "sha256": hex::encode(&backup.sha256),
        "complete": !backup.sha256.is_empty(),
    })
}

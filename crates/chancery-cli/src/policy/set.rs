//! `chancery policy set`.

use super::{Admin, explain_refusal, get, text};
use crate::{
    call::call,
    cli::Global,
    confirm::Confirm,
    failure::CliError,
    keys::organization,
    output::{self, Output},
};
use chancery_api::{names::OrganizationName, v1::SetPoliciesRequest};
use chancery_client::request_id;
use std::{path::PathBuf, process::ExitCode};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// organizations/ORG or ORG
    #[arg(value_parser = organization)]
    organization: OrganizationName,
    /// Cedar; an empty file leaves the organization without policies of its own
    #[arg(long = "in", value_name = "FILE")]
    input: PathBuf,
    /// Only have the service check the text; nothing changes
    #[arg(long)]
    validate_only: bool,
    #[command(flatten)]
    confirm: Confirm,
}

pub(crate) async fn run(global: &Global, args: &Args) -> Result<ExitCode, CliError> {
    let name = args.organization.to_string();
    let text = text(&args.input)?;
    if !args.validate_only {
        let consequence = format!(
            "{name}: {} would decide from now on, in the place of the organization's own policies of before, also on \
             open connections. `chancery policy simulate` says what would change.",
            args.input.display()
        );
        args.confirm.check(&[args.organization.id(), &name], &consequence)?;
    }
    let client = global.connect().await?;
    let request = SetPoliciesRequest {
        name: format!("{name}/policies"),
        text,
        request_id: request_id(),
        confirm: if args.validate_only { String::new() } else { args.organization.id().to_owned() },
        validate_only: args.validate_only,
    };
    let set = |mut admin: Admin, request| async move { admin.set_policies(request).await };
    let doing = format!("set the policies of {name}");
    let answer = call(&client, client.admin(), &request, set, doing).await;
    let found = answer.map_err(|error| explain_refusal(error, &args.input, global.output))?;
    if global.output == Output::Json {
        output::json(&get::json(&found, false))?;
        return Ok(ExitCode::SUCCESS);
    }
    let line = match (args.validate_only, found.text.is_empty()) {
        (true, _) => format!("{} would be accepted; nothing was changed", args.input.display()),
        (false, true) => format!("{name} has no policies of its own any more; the base set decides alone"),
        (false, false) => format!("own policies of {name} are in force, hash {}", hex::encode(&found.hash)),
    };
    output::summary(false, &line)?;
    Ok(ExitCode::SUCCESS)
}

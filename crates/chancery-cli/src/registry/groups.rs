//! `chancery groups …`.

use super::{
    Admin, OfOrganization, PAGE,
    names::{ResourceName, group, principal, short},
    table::Table,
};
use crate::{call::call, cli::Global, failure::CliError};
use chancery_api::v1::{Group, ListGroupsRequest, UpdateGroupRequest};
use chancery_client::request_id;
use clap::Subcommand;
use serde_json::json;
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say who is in a group, all of them; policies speak of its members together
    Set(SetArgs),
    /// List an organization's groups
    List(OfOrganization),
}

#[derive(Debug, clap::Args)]
pub(crate) struct SetArgs {
    /// ORG/GROUP
    #[arg(value_parser = group)]
    group: ResourceName,
    /// A member: NAME, ORG/NAME or the full name; may be given again
    #[arg(long = "member", value_name = "PRINCIPAL", required_unless_present = "none")]
    members: Vec<String>,
    /// Nobody: the group is gone
    #[arg(long, conflicts_with = "members")]
    none: bool,
}

const TABLE: Table<Group, 2> = Table {
    columns: ["group", "members"],
    rows: |group| {
        let members: Vec<String> = group.members.iter().map(|member| short(member)).collect();
        vec![[short(&group.name), if members.is_empty() { "none: it is gone".to_owned() } else { members.join(", ") }]]
    },
    json: |group| json!({ "name": group.name, "members": group.members }),
};

pub(crate) async fn run(global: &Global, command: &Command) -> Result<ExitCode, CliError> {
    match command {
        Command::Set(args) => set(global, args).await?,
        Command::List(args) => list(global, args).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn set(global: &Global, args: &SetArgs) -> Result<(), CliError> {
    let organization = args.group.organization();
    let member = |name: &String| Ok(principal(organization, name)?.to_string());
    let request = UpdateGroupRequest {
        name: args.group.to_string(),
        members: args.members.iter().map(member).collect::<Result<_, CliError>>()?,
        request_id: request_id(),
    };
    let client = global.connect().await?;
    let update = |mut admin: Admin, request| async move { admin.update_group(request).await };
    let doing = format!("set {}", args.group);
    TABLE.print(global.output, &call(&client, client.admin(), &request, update, doing).await?)
}

async fn list(global: &Global, args: &OfOrganization) -> Result<(), CliError> {
    let (client, organization) = args.open(global).await?;
    let page = async |page_token| {
        let request = ListGroupsRequest { parent: organization.to_string(), page_size: PAGE, page_token };
        let list = |mut admin: Admin, request| async move { admin.list_groups(request).await };
        let page = call(&client, client.admin(), &request, list, format!("list the groups of {organization}")).await?;
        Ok((page.groups, page.next_page_token))
    };
    TABLE.list(global.output, page, &format!("{organization} has no groups")).await
}

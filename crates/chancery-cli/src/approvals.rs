//! `chancery approvals …`: dangerous operations that wait for a second officer.
//!
//! **Not here**: asking for one: the command that needs it does, and is run again once it is approved.

use crate::{
    call::call,
    cli::{Global, connect, organization_or_default},
    failure::CliError,
    keys::organization,
    output::{self, Listing, Output},
    time::rfc3339,
};
use chancery_api::{
    names::OrganizationName,
    v1::{
        Approval, ApproveOperationRequest, CancelApprovalRequest, ListApprovalsRequest, ListApprovalsResponse,
        admin_service_client::AdminServiceClient,
    },
};
use chancery_client::{Transport, request_id};
use clap::Subcommand;
use jiff::Timestamp;
use serde_json::{Value, json as object};
use std::process::ExitCode;

type Admin = AdminServiceClient<Transport>;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List what waits for a second officer
    List(ListArgs),
    /// Approve what another officer asked for
    ///
    /// That officer then runs the same command again.
    Approve(Args),
    /// Call off what you or another officer asked for
    Cancel(Args),
}

#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// organizations/ORG or ORG [default: `organization` in the client's configuration]
    #[arg(value_parser = organization)]
    organization: Option<OrganizationName>,
    /// Those that were used, called off or expired, too
    #[arg(long)]
    all: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// organizations/ORG/approvals/ID
    approval: String,
}

pub(crate) async fn run(global: &Global, command: &Command) -> Result<ExitCode, CliError> {
    match command {
        Command::List(args) => list(global, args).await?,
        Command::Approve(Args { approval }) => {
            let client = global.connect().await?;
            let request = ApproveOperationRequest { name: approval.clone(), request_id: request_id() };
            let approve = |mut admin: Admin, request| async move { admin.approve_operation(request).await };
            let approved = call(&client, client.admin(), &request, approve, format!("approve {approval}")).await?;
            print(global.output, &approved)?;
        }
        Command::Cancel(Args { approval }) => {
            let client = global.connect().await?;
            let request = CancelApprovalRequest { name: approval.clone(), request_id: request_id() };
            let cancel = |mut admin: Admin, request| async move { admin.cancel_approval(request).await };
            let cancelled = call(&client, client.admin(), &request, cancel, format!("cancel {approval}")).await?;
            print(global.output, &cancelled)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(global: &Global, args: &ListArgs) -> Result<(), CliError> {
    let config = global.config()?;
    let organization = organization_or_default(&config, args.organization.as_ref())?;
    let client = connect(&config).await?;
    let doing = format!("list the approvals of {organization}");
    let mut listing = Listing::new(global.output, ["approval", "state", "by", "until", "what would happen"]);
    let mut page_token = String::new();
    loop {
        let request = ListApprovalsRequest {
            parent: organization.to_string(),
            page_token: std::mem::take(&mut page_token),
            all: args.all,
            ..ListApprovalsRequest::default()
        };
        let list = |mut admin: Admin, request| async move { admin.list_approvals(request).await };
        let page: ListApprovalsResponse = call(&client, client.admin(), &request, list, doing.as_str()).await?;
        let now = Timestamp::now();
        listing.page(page.approvals.iter().map(|approval| (json(approval, now), row(approval, now))))?;
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return listing.finish(&format!("nothing of {organization} waits for a second officer"));
        }
    }
}

/// Where it is, for people and scripts.
fn state(approval: &Approval, now: Timestamp) -> &'static str {
    let past = |time: &Option<prost_types::Timestamp>| time.as_ref().is_none_or(|time| time.seconds <= now.as_second());
    if approval.closed {
        return "closed";
    }
    if past(&approval.expire_time) {
        return "expired";
    }
    match (approval.approver.is_empty(), past(&approval.ready_time)) {
        (true, _) => "asked for",
        (false, false) => "waiting",
        (false, true) => "ready",
    }
}

fn row(approval: &Approval, now: Timestamp) -> [String; 5] {
    [
        approval.name.clone(),
        state(approval, now).to_owned(),
        approval.requester.clone(),
        rfc3339(approval.expire_time),
        approval.summary.clone(),
    ]
}

fn json(approval: &Approval, now: Timestamp) -> Value {
    object!({
        "name": approval.name,
        "state": state(approval, now),
        "action": approval.action,
        "resource": approval.resource,
        "summary": approval.summary,
        "requester": approval.requester,
        "create_time": rfc3339(approval.create_time),
        "ready_time": rfc3339(approval.ready_time),
        "expire_time": rfc3339(approval.expire_time),
        "approver": approval.approver,
        "approve_time": rfc3339(approval.approve_time),
    })
}

fn print(form: Output, approval: &Approval) -> Result<(), CliError> {
    let now = Timestamp::now();
    if form == Output::Json {
        return output::json(&json(approval, now));
    }
    let next = match state(approval, now) {
        "waiting" => format!("{} runs the command again after {}", approval.requester, rfc3339(approval.ready_time)),
        "ready" => format!("{} runs the command again", approval.requester),
        _ => "nothing: it can't be used".to_owned(),
    };
    output::fields(&[
        ("name", approval.name.clone()),
        ("state", state(approval, now).to_owned()),
        ("effect", approval.summary.clone()),
        ("asked by", approval.requester.clone()),
        ("next", next),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_approval_is_asked_for_waits_is_ready_and_ends() {
        let time = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let asked = Approval { ready_time: time(10), expire_time: time(20), ..Approval::default() };
        let approved = Approval { approver: "organizations/org1/principals/b".into(), ..asked.clone() };
        let at = |approval: &Approval, second| state(approval, Timestamp::from_second(second).unwrap());
        assert_eq!([at(&asked, 5), at(&asked, 15), at(&asked, 20)], ["asked for", "asked for", "expired"]);
        assert_eq!([at(&approved, 9), at(&approved, 10), at(&approved, 20)], ["waiting", "ready", "expired"]);
        assert_eq!(at(&Approval { closed: true, ..approved }, 12), "closed");
    }
}

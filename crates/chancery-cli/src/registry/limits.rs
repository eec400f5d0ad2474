//! `chancery limits …`.

use super::{
    Admin, OfOrganization, PAGE,
    names::{Subject, short, subject},
    table::Table,
};
use crate::{
    call::call,
    cli::Global,
    failure::CliError,
    output::{self, Listing, Output},
};
use chancery_api::v1::{Limit, ListLimitsRequest, SetLimitRequest};
use chancery_client::{Client, request_id};
use clap::{ArgGroup, Subcommand};
use serde_json::{Value, json};
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Limit an organization, a principal or a key, and show what it was before
    ///
    /// WHAT IS NOT GIVEN IS NOT LIMITED ANY MORE: give all of its limits each time. Several limits may apply to a
    /// request: its key's, its principal's and its organization's. Days end at midnight UTC.
    Set(SetArgs),
    /// List an organization's limits, those of its principals and keys, and what of them is used
    List(OfOrganization),
}

#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("what").required(true).multiple(true))]
pub(crate) struct SetArgs {
    /// ORG, ORG/PRINCIPAL or organizations/ORG/keys/KEY
    #[arg(value_parser = subject)]
    subject: Subject,
    /// Uses of keys in a second
    #[arg(long, value_name = "N", group = "what")]
    per_second: Option<u32>,
    /// Uses of keys in a day
    #[arg(long, value_name = "N", group = "what")]
    per_day: Option<u64>,
    /// Uses of keys in all
    #[arg(long, value_name = "N", group = "what")]
    total: Option<u64>,
    /// Keys that it may have: an organization in all, a principal as their owner
    #[arg(long, value_name = "N", group = "what")]
    keys: Option<u64>,
    /// Limit nothing
    #[arg(long, group = "what", conflicts_with_all = ["per_second", "per_day", "total", "keys"])]
    none: bool,
}

const TABLE: Table<Limit, 5> = Table {
    columns: ["subject", "per second", "per day", "total", "keys"],
    rows: |limit| {
        let used = |limit: Option<u64>, used| limit.map_or(UNLIMITED.to_owned(), |limit| format!("{used} of {limit}"));
        vec![[
            short(&limit.subject),
            number(limit.per_second),
            used(limit.per_day, limit.used_today),
            used(limit.total, limit.used_total),
            number(limit.keys),
        ]]
    },
    json: object,
};

/// A cell where there is no limit.
const UNLIMITED: &str = "-";

pub(crate) async fn run(global: &Global, command: &Command) -> Result<ExitCode, CliError> {
    match command {
        Command::Set(args) => set(global, args).await?,
        Command::List(args) => list(global, args).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn set(global: &Global, args: &SetArgs) -> Result<(), CliError> {
    if let (Subject::Key(key), Some(_)) = (&args.subject, args.keys) {
        return Err(CliError::Usage(format!("--keys is for organizations and principals: {key} has no keys")));
    }
    let limit = Limit {
        subject: args.subject.to_string(),
        per_second: args.per_second,
        per_day: args.per_day,
        total: args.total,
        keys: args.keys,
        ..Limit::default()
    };
    let client = global.connect().await?;
    let before = before(&client, &args.subject).await?;
    let request = SetLimitRequest { limit: Some(limit), request_id: request_id() };
    let set = |mut admin: Admin, request| async move { admin.set_limit(request).await };
    let after = call(&client, client.admin(), &request, set, format!("limit {}", args.subject)).await?;
    print(global.output, &before, &after)
}

/// The limit as it is, without any where none was set.
async fn before(client: &Client, subject: &Subject) -> Result<Limit, CliError> {
    let name = subject.to_string();
    let mut token = String::new();
    loop {
        let (limits, next) = page(client, &subject.organization().to_string(), token).await?;
        let found = limits.into_iter().find(|limit| limit.subject == name);
        if found.is_some() || next.is_empty() {
            return Ok(found.unwrap_or_default());
        }
        token = next;
    }
}

async fn list(global: &Global, args: &OfOrganization) -> Result<(), CliError> {
    let (client, organization) = args.open(global).await?;
    let parent = organization.to_string();
    let page = async |token| page(&client, &parent, token).await;
    TABLE.list(global.output, page, &format!("{organization} has no limits")).await
}

async fn page(client: &Client, parent: &str, page_token: String) -> Result<(Vec<Limit>, String), CliError> {
    let request = ListLimitsRequest { parent: parent.to_owned(), page_size: PAGE, page_token };
    let list = |mut admin: Admin, request| async move { admin.list_limits(request).await };
    let page = call(client, client.admin(), &request, list, format!("list the limits of {parent}")).await?;
    Ok((page.limits, page.next_page_token))
}

fn print(form: Output, before: &Limit, after: &Limit) -> Result<(), CliError> {
    if form == Output::Json {
        let mut changed = object(after);
        changed["before"] = limits(before);
        return output::json(&changed);
    }
    let mut listing = Listing::new(form, ["limit", "before", "after"]);
    let row = |what: &str, before, after| (Value::Null, [what.to_owned(), number(before), number(after)]);
    listing.page(
        [
            row("per second", before.per_second.map(u64::from), after.per_second.map(u64::from)),
            row("per day", before.per_day, after.per_day),
            row("total", before.total, after.total),
            row("keys", before.keys, after.keys),
        ]
        .into_iter(),
    )?;
    listing.finish("")
}

fn number(limit: Option<impl ToString>) -> String {
    limit.map_or(UNLIMITED.to_owned(), |limit| limit.to_string())
}

/// The four numbers; null is no limit.
fn limits(limit: &Limit) -> Value {
    json!({ "per_second": limit.per_second, "per_day": limit.per_day, "total": limit.total, "keys": limit.keys })
}

fn object(limit: &Limit) -> Value {
    let mut object = limits(limit);
    object["subject"] = limit.subject.as_str().into();
    object["used_today"] = limit.used_today.into();
    object["used_total"] = limit.used_total.into();
    object
}

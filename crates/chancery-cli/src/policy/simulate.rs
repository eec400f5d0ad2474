//! `chancery policy simulate`: recorded requests, decided once more by other policies.
//!
//! **Invariant**: a difference is printed as it comes; without a summary the command fails, for then not all was seen.

use super::{explain_refusal, text};
use crate::{
    cli::Global,
    failure::{CliError, Doing as _},
    keys::{ended_early, organization},
    output::{self, Listing, Output},
    time,
};
use chancery_api::{
    names::OrganizationName,
    v1::{SimulatePoliciesRequest, SimulatedChange, SimulationSummary, simulate_policies_response::Part},
};
use chancery_client::{ClientError, Code};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::{path::PathBuf, process::ExitCode};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// organizations/ORG or ORG
    #[arg(value_parser = organization)]
    organization: OrganizationName,
    /// The organization's own policies as they would be
    #[arg(long = "in", value_name = "FILE")]
    input: PathBuf,
    /// Requests since then: how long ago, e.g. 7d, or RFC 3339
    #[arg(long, value_name = "TIME", value_parser = since, default_value = "7d")]
    since: Timestamp,
}

/// A moment, or how many days or hours ago it is.
fn since(text: &str) -> Result<Timestamp, String> {
    let ago = time::parse_duration(text).ok().and_then(|ago| Timestamp::now().checked_sub(ago).ok());
    ago.map_or_else(|| time::parse_since(text), Ok)
}

const COLUMNS: [&str; 7] = ["record", "time", "principal", "action", "resource", "now", "then"];

pub(crate) async fn run(global: &Global, args: &Args) -> Result<ExitCode, CliError> {
    let request = SimulatePoliciesRequest {
        parent: args.organization.to_string(),
        text: text(&args.input)?,
        since: Some(time::to_proto(args.since)),
    };
    let client = global.connect().await?;
    let doing = format!("simulate {} for {}", args.input.display(), args.organization);
    let refused = |error| explain_refusal(error, &args.input, global.output);
    // No deadline: it takes as long as there are records.
    let opened = client.admin().simulate_policies(request).await;
    let mut answers = opened.map_err(ClientError::from).doing(doing.as_str()).map_err(refused)?.into_inner();
    let mut listing = Listing::new(Output::Table, COLUMNS);
    let mut summary = None;
    loop {
        let answer = answers.message().await.map_err(ClientError::from).doing(doing.as_str()).map_err(refused)?;
        let Some(answer) = answer else { break };
        match (answer.part, global.output) {
            (Some(Part::Change(change)), Output::Table) => {
                listing.page(std::iter::once((Value::Null, row(&change))))?;
            }
            (Some(Part::Change(of)), Output::Json) => line(&json!({ "change": change(&of) }))?,
            (Some(Part::Summary(given)), _) => summary = Some(given),
            (None, _) => {}
        }
    }
    let summary: SimulationSummary = summary.ok_or_else(|| ended_early(Code::Unavailable)).doing(doing)?;
    match global.output {
        Output::Json => line(&json!({ "summary": counts(&summary) }))?,
        Output::Table => {
            listing.finish("nothing would change")?;
            output::complain(&told(&summary));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// One JSON value on a line of its own.
fn line(value: &Value) -> Result<(), CliError> {
    output::bytes(format!("{value}\n").as_bytes())
}

/// A decision and what made it.
fn decision(permitted: bool, policies: &[String]) -> String {
    let word = if permitted { "permit" } else { "deny" };
    if policies.is_empty() { word.to_owned() } else { format!("{word} {}", policies.join(",")) }
}

fn row(of: &SimulatedChange) -> [String; 7] {
    [
        of.record_index.to_string(),
        time::rfc3339(of.time),
        of.principal.clone(),
        of.action.clone(),
        of.resource.clone(),
        decision(of.permitted_now, &of.policies_now),
        decision(of.permitted_then, &of.policies_then),
    ]
}

fn change(of: &SimulatedChange) -> Value {
    json!({
        "record_index": of.record_index,
        "time": time::rfc3339(of.time),
        "principal": of.principal,
        "action": of.action,
        "resource": of.resource,
        "permitted_now": of.permitted_now,
        "permitted_then": of.permitted_then,
        "policies_now": of.policies_now,
        "policies_then": of.policies_then,
    })
}

fn counts(of: &SimulationSummary) -> Value {
    json!({
        "records": of.records,
        "requests": of.requests,
        "changes": of.changes,
        "decided_otherwise": of.decided_otherwise,
    })
}

fn told(of: &SimulationSummary) -> String {
    let mut text = format!(
        "{} of {} requests in {} records would be decided otherwise by the policies given than by those in force",
        of.changes, of.requests, of.records
    );
    if of.decided_otherwise > 0 {
        text += &format!(
            "; of {} those in force say otherwise now than the record does: keys, members or policies have changed",
            of.decided_otherwise
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_ago_are_understood() {
        for (text, seconds) in [("7d", 604_800), ("1h", 3_600), ("1w 1d", 691_200)] {
            let since = since(text).unwrap();
            let ago = Timestamp::now().duration_since(since).as_secs();
            assert!((seconds..seconds + 60).contains(&ago), "{text}: {ago}");
        }
        assert_eq!(since("2026-01-31T12:00:00Z").unwrap().to_string(), "2026-01-31T12:00:00Z");
        assert!(since("-7d").is_err() && since("lately").is_err());
    }
}

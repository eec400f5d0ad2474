//! How it is said what a verified log holds.
//!
//! **Invariant**: the JSON has every number and every finding; the table has the first of long lists, and how many follow.

use crate::{
    failure::CliError,
    output::{self, Output},
    time,
};
use chancery_audit::checkpoint::Verdict;
use chancery_audit::verify::{EnclaveProcess, Hole, OpenIntent, Report, UNSTATED};
use chancery_verifier::{Findings, Withheld};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Lines of a list in the table.
const LISTED: usize = 20;

/// What it took to verify a log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effort {
    /// Of segments.
    pub(super) bytes: u64,
    pub(super) took: Duration,
}

impl Effort {
    fn per_second(self, count: u64) -> f64 {
        count as f64 / self.took.as_secs_f64().max(1e-9)
    }
}

/// Prints what was found.
pub(super) fn print(form: Output, findings: &Findings, verdict: Verdict, effort: Effort) -> Result<(), CliError> {
    match form {
        Output::Json => output::json(&json(findings, verdict, effort)),
        Output::Table => output::fields(&table(findings, verdict, effort)),
    }
}

fn table(findings: &Findings, verdict: Verdict, effort: Effort) -> Vec<(&'static str, String)> {
    let report = &findings.report;
    let mut fields = vec![
        ("verified", proved(report)),
        ("verdict", verdict.to_string()),
        ("past the checkpoint", past(report)),
        ("root", hex::encode(report.checkpoint.root)),
        ("deployment", report.deployment.clone()),
        (
            "time",
            format!(
                "{} to {}",
                time::short_nanos(report.first_time_unix_nanos),
                time::short_nanos(report.last_time_unix_nanos)
            ),
        ),
        ("records", records(report)),
        ("keys", format!("{} versions, {} uses, each as their states allow", findings.key_versions, findings.uses)),
        ("decisions", format!("{}, explained by {} recorded policy sets", findings.decisions, findings.policy_sets)),
        ("signatures", signatures(findings)),
        ("enclaves", enclaves(report)),
    ];
    fields.push(("nothing released", withheld(&findings.withheld)));
    let unusable: Vec<_> = findings.withheld.of_unusable.iter().collect();
    fields.extend(listed(&unusable, "used while unusable", |(version, uses)| {
        format!("{uses} uses of {}, of which nothing was released", output::printable(version))
    }));
    fields.extend(listed(&report.holes, "operations without a record", hole));
    let unclosed: Vec<_> = report.enclaves.iter().filter(|process| !process.is_closed()).collect();
    fields.extend(listed(&unclosed, "enclave not closed", |process| not_closed(process)));
    fields.push(("open intents", report.open_intents.len().to_string()));
    fields.extend(listed(&report.open_intents, "open intent", intent));
    if let Some(last) = report.archived.checked_sub(1) {
        let read = "of their snapshot it was proved that the log names it; --archive reads them";
        fields.push(("archived", format!("records 0 to {last}, which were not read; {read}")));
    }
    if report.times_backwards > 0 {
        fields.push(("clock", format!("{} records are older than the one before them", report.times_backwards)));
    }
    if report.unknown_kinds > 0 {
        fields.push(("unknown kinds", format!("{} records: a newer chancery knows them", report.unknown_kinds)));
    }
    let (rate, mebibytes) =
        (effort.per_second(report.records - report.archived), effort.per_second(effort.bytes) / f64::from(1 << 20));
    fields.push(("rate", format!("{rate:.0} records/s, {mebibytes:.1} MiB/s")));
    fields
}

/// The first of a list, a line each, and how many follow.
fn listed<T>(items: &[T], name: &'static str, line: impl Fn(&T) -> String) -> Vec<(&'static str, String)> {
    let mut lines: Vec<_> = items.iter().take(LISTED).map(|item| (name, line(item))).collect();
    if items.len() > LISTED {
        lines.push((name, format!("and {} more: --output json has them all", items.len() - LISTED)));
    }
    lines
}

fn proved(report: &Report) -> String {
    let origin = &report.checkpoint.origin;
    match report.checkpoint.size.checked_sub(1) {
        Some(last) => format!("records {} to {last} are those that {origin} signed", report.archived),
        None => format!("nothing: the checkpoint of {origin} signs the empty log"),
    }
}

fn past(report: &Report) -> String {
    match report.past_checkpoint {
        0 => "none: every record is signed".to_owned(),
        records => format!("{records} records, well-formed and chained, not signed yet"),
    }
}

fn records(report: &Report) -> String {
    let kinds: Vec<String> = report.by_kind.iter().map(|(kind, n)| format!("{n} {}", kind.as_str_name())).collect();
    format!("{} in {} segments: {}", report.records, report.segments, kinds.join(", "))
}

fn signatures(findings: &Findings) -> String {
    let committed = format!("{} as the enclave committed to them", findings.committed_signatures);
    let Some(verified) = &findings.signatures else {
        return format!("{committed}; --signatures verifies them, too");
    };
    let verified: Vec<String> = verified.iter().map(|(algorithm, n)| format!("{n} {algorithm}")).collect();
    let verified = if verified.is_empty() { "none".to_owned() } else { verified.join(", ") };
    match findings.message_not_in_log {
        0 => format!("{committed}; verified: {verified}"),
        n => format!("{committed}; verified: {verified}; {n} over messages that are not in the log"),
    }
}

fn withheld(withheld: &Withheld) -> String {
    match withheld.uses {
        0 => "none: what was made of every recorded use was given out".to_owned(),
        n => format!("{n} uses that failed or came too late, for which only the service's word stands"),
    }
}

fn enclaves(report: &Report) -> String {
    let stated = report.enclaves.iter().filter(|process| process.stated.is_some()).count();
    let mut text = format!(
        "{} processes, {stated} with statements, {} operations without a record",
        report.enclaves.len(),
        report.operation_holes
    );
    if report.without_commitment > 0 {
        text.push_str(&format!(", {} without a commitment", report.without_commitment));
    }
    text
}

fn hole(hole: &Hole) -> String {
    let place = match (hole.after_record, hole.before_record) {
        (Some(after), Some(before)) => format!("between records {after} and {before}"),
        (Some(after), None) => format!("after record {after}"),
        (None, Some(before)) => format!("before record {before}"),
        (None, None) => "no record at all".to_owned(),
    };
    format!("{} to {} of {}, {place}", hole.first, hole.last, hex::encode(hole.incarnation))
}

fn not_closed(process: &EnclaveProcess) -> String {
    let stated = process.stated.map_or("nothing".to_owned(), |stated| format!("{stated} operations"));
    format!(
        "{}, since record {}, stated {stated}, and {} are recorded; unless it still runs, up to {UNSTATED} after its last \
         statement are not accounted for",
        hex::encode(process.incarnation),
        process.since_record,
        process.operations
    )
}

fn intent(intent: &OpenIntent) -> String {
    let time = time::short_nanos(intent.time_unix_nanos);
    format!("record {}, {time}: {} {}", intent.index, intent.action, output::printable(&intent.resource))
}

fn json(findings: &Findings, verdict: Verdict, effort: Effort) -> Value {
    let report = &findings.report;
    let by_kind: Map<String, Value> =
        report.by_kind.iter().map(|(kind, n)| (kind.as_str_name().to_owned(), (*n).into())).collect();
    json!({
        "verified": true,
        "verdict": verdict.to_string(),
        "records": report.records,
        "archived": report.archived,
        "checkpoint": {
            "origin": report.checkpoint.origin,
            "size": report.checkpoint.size,
            "root": hex::encode(report.checkpoint.root),
        },
        "past_checkpoint": report.past_checkpoint,
        "segments": report.segments,
        "deployment": report.deployment,
        "by_kind": by_kind,
        "unknown_kinds": report.unknown_kinds,
        "first_time": time::rfc3339_nanos(report.first_time_unix_nanos),
        "last_time": time::rfc3339_nanos(report.last_time_unix_nanos),
        "times_backwards": report.times_backwards,
        "key_versions": findings.key_versions,
        "uses": findings.uses,
        "policy_sets": findings.policy_sets,
        "decisions": findings.decisions,
        "signatures": {
            "committed": findings.committed_signatures,
            "verified": findings.signatures,
            "message_not_in_log": findings.message_not_in_log,
        },
        "withheld": {
            "uses": findings.withheld.uses,
            "of_unusable": findings.withheld.of_unusable,
        },
        "enclaves": report.enclaves.iter().map(process_json).collect::<Vec<_>>(),
        "operation_holes": report.operation_holes,
        "holes": report.holes.iter().map(hole_json).collect::<Vec<_>>(),
        "without_commitment": report.without_commitment,
        "open_intents": report.open_intents.iter().map(intent_json).collect::<Vec<_>>(),
        "bytes": effort.bytes,
        "seconds": effort.took.as_secs_f64(),
        "records_per_second": effort.per_second(report.records - report.archived),
    })
}

fn process_json(process: &EnclaveProcess) -> Value {
    json!({
        "incarnation": hex::encode(process.incarnation),
        "since_record": process.since_record,
        "operations": process.operations,
        "highest": process.highest,
        "stated": process.stated,
        "closed": process.is_closed(),
        "without_commitment": process.without_commitment,
    })
}

fn hole_json(hole: &Hole) -> Value {
    json!({
        "incarnation": hex::encode(hole.incarnation),
        "first": hole.first,
        "last": hole.last,
        "after_record": hole.after_record,
        "before_record": hole.before_record,
    })
}

fn intent_json(intent: &OpenIntent) -> Value {
    json!({
        "index": intent.index,
        "action": intent.action,
        "resource": intent.resource,
        "time": time::rfc3339_nanos(intent.time_unix_nanos),
    })
}

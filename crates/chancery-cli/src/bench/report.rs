//! What a run came to.

use super::{Args, Mode, pace::Pace, tally::Tally};
use crate::{
    failure::CliError,
    output::{self, Output},
    words::{self, word},
};
use chancery_api::v1::Algorithm;
use serde::Serialize;
use std::collections::BTreeMap;

/// A run in numbers. Latencies are microseconds: in a closed loop from sending, in an open loop from when the request was
/// due.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    key: String,
    algorithm: &'static str,
    mode: Mode,
    in_flight: u32,
    connections: u32,
    rate: Option<f64>,
    seconds: u32,
    signatures: u64,
    signatures_per_second: f64,
    latency_us: Latency,
    errors: BTreeMap<String, u64>,
    unanswered: u64,
    /// Open loop: requests whose time came and that were never sent, because as many as allowed were in flight.
    not_started: Option<u64>,
    reconnects: u64,
    longest_gap_ms: f64,
}

#[derive(Debug, Serialize)]
struct Latency {
    min: u64,
    mean: f64,
    p50: u64,
    p90: u64,
    p99: u64,
    p999: u64,
    max: u64,
}

impl Report {
    pub(super) fn new(args: &Args, algorithm: Algorithm, pace: &Pace, tally: &Tally, reconnects: u64) -> Self {
        let latencies = tally.latencies();
        let at = |quantile| latencies.value_at_quantile(quantile);
        Self {
            key: args.key.to_string(),
            algorithm: word(words::ALGORITHMS, algorithm),
            mode: args.mode,
            in_flight: args.in_flight,
            connections: args.connections,
            rate: args.rate,
            seconds: args.seconds,
            signatures: tally.signatures(),
            signatures_per_second: tally.signatures() as f64 / (pace.end() - pace.start()).as_secs_f64(),
            latency_us: Latency {
                min: latencies.min(),
                mean: latencies.mean(),
                p50: at(0.5),
                p90: at(0.9),
                p99: at(0.99),
                p999: at(0.999),
                max: latencies.max(),
            },
            errors: tally.errors().clone(),
            unanswered: tally.requests_unanswered(),
            not_started: pace.scheduled().map(|scheduled| scheduled.saturating_sub(tally.requests_started())),
            reconnects,
            longest_gap_ms: tally.longest_gap().as_secs_f64() * 1e3,
        }
    }
}

/// Prints the report.
pub(super) fn print(form: Output, report: &Report) -> Result<(), CliError> {
    if form == Output::Json {
        return output::json(report);
    }
    let millis = |micros: u64| format!("{:.3} ms", micros as f64 / 1e3);
    let latency = &report.latency_us;
    let errors = match report.errors.len() {
        0 => "none".to_owned(),
        _ => report.errors.iter().map(|(reason, n)| format!("{n} {reason}")).collect::<Vec<_>>().join(", "),
    };
    let mut fields = vec![
        ("throughput", format!("{:.0} signatures/s", report.signatures_per_second)),
        ("signatures", format!("{} in {} s", report.signatures, report.seconds)),
        ("latency p50", millis(latency.p50)),
        ("latency p90", millis(latency.p90)),
        ("latency p99", millis(latency.p99)),
        ("latency max", millis(latency.max)),
        ("errors", errors),
        ("unanswered", report.unanswered.to_string()),
        ("reconnects", report.reconnects.to_string()),
        ("longest gap", format!("{:.1} ms without a signature", report.longest_gap_ms)),
    ];
    if let Some(requests) = report.not_started {
        fields.push(("not started", format!("{requests} requests: --in-flight was used up when they were due")));
    }
    output::fields(&fields)
}

//! `chancery bench sign`: load on the service, and what it took.
//!
//! **Invariants**
//! * It ends: within the given time, plus [`GRACE`] for answers that are still out.
//! * Closed loop measures from sending. Open loop (`--rate`) measures from the time at which a request was due, whether it
//!   could be sent then or not: a service that stalls can't hide it (coordinated omission).
//! * A lost connection or token is counted and the load goes on; only a request that can't succeed at all ends it early.
//!
//! **Not here**: baselines to compare with (benches/).

mod pace;
mod report;
mod request;
mod stream;
mod tally;
mod unary;

use crate::{
    cli::{Global, connect},
    failure::{CliError, Doing as _},
    output,
    signing_input::algorithm,
};
use chancery_api::names::KeyOrVersionName;
use chancery_client::{Client, ClientError};
use clap::Subcommand;
use indicatif::ProgressBar;
use pace::Pace;
use request::Requests;
use std::{
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tally::Tally;
use tokio::{task::JoinSet, time::Instant};

/// How long answers are waited for after the end.
const GRACE: Duration = Duration::from_secs(5);

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Sign distinct random digests as fast as the service answers, or at a fixed rate
    Sign(Args),
}

/// How requests travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    /// One call per signature
    Unary,
    /// Pipelined over one call per connection
    Stream,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The key or key version that signs
    #[arg(long)]
    key: KeyOrVersionName,
    /// How many requests wait for an answer at once, over all connections
    #[arg(long, default_value_t = 128, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    in_flight: u32,
    /// For how long
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
    /// How requests travel
    #[arg(long, value_enum, default_value_t = Mode::Unary)]
    mode: Mode,
    /// Over how many connections
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    connections: u32,
    /// Open loop: so many requests a second, whatever the answers do [default: closed loop]
    #[arg(long, value_name = "PER_SECOND", value_parser = rate)]
    rate: Option<f64>,
    /// Sign after everyone else's requests
    #[arg(long)]
    batch: bool,
    /// Write each signature that was released as a line of JSON
    #[arg(long, value_name = "FILE")]
    signatures: Option<PathBuf>,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.001..=10_000_000.0).contains(&rate) => Ok(rate),
        _ => Err("give a number of requests per second".to_owned()),
    }
}

/// What all connections share during a run.
struct Run {
    pace: Pace,
    requests: Requests,
    tally: Mutex<Tally>,
}

impl Run {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        // Numbers: whatever happened to a holder of the lock, the rest of them are whole.
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request that failed. One that can't succeed ends the run, if none succeeded yet: a key that does not
    /// exist is found out at once, a key that is suspended on the way is measured.
    fn failed(&self, error: ClientError) {
        let mut tally = self.tally();
        if !error.retryable && tally.signatures() == 0 && tally::is_callers_fault(error.code) {
            self.pace.stop();
        }
        tally.failed(error);
    }
}

pub(crate) async fn run(global: &Global, args: &Args) -> Result<ExitCode, CliError> {
    if args.connections > args.in_flight {
        return Err(CliError::Usage("--connections can't be more than --in-flight".into()));
    }
    let config = global.config()?;
    let mut clients = Vec::new();
    for _ in 0..args.connections {
        clients.push(connect(&config).await?);
    }
    let algorithm = algorithm(&clients[0], &args.key).await?;
    let start = Instant::now();
    let run = Arc::new(Run {
        pace: Pace::new(start, Duration::from_secs(args.seconds.into()), args.rate),
        requests: Requests::new(&args.key, algorithm, args.batch),
        tally: Mutex::new(Tally::new(start, args.signatures.as_deref())?),
    });

    let progress = output::spinner();
    let mut work = start_load(&run, args, &clients);
    let ticker = tokio::spawn(tick(Arc::clone(&run), progress.clone()));
    while let Some(ended) = work.join_next().await {
        ended.map_err(|error| CliError::Internal(format!("the load generator failed: {error}")))?;
    }
    ticker.abort();
    progress.finish_and_clear();

    let reconnects = clients.iter().map(|client| client.connections_made().saturating_sub(1)).sum();
    let mut tally = run.tally();
    tally.close(Instant::now().min(run.pace.end()))?;
    if tally.signatures() == 0 {
        let nothing = Err(tally.last_error().unwrap_or_else(ClientError::deadline_exceeded));
        return nothing.doing(format!("sign with {}", args.key));
    }
    report::print(global.output, &report::Report::new(args, algorithm, &run.pace, &tally, reconnects))?;
    Ok(ExitCode::SUCCESS)
}

/// Spreads what may be in flight over the connections.
fn start_load(run: &Arc<Run>, args: &Args, clients: &[Client]) -> JoinSet<()> {
    let mut work = JoinSet::new();
    for (at, client) in (0..).zip(clients) {
        let share = args.in_flight / args.connections + u32::from(at < args.in_flight % args.connections);
        match args.mode {
            Mode::Stream => {
                work.spawn(stream::drive(Arc::clone(run), client.clone(), share as usize));
            }
            Mode::Unary => {
                for _ in 0..share {
                    work.spawn(unary::drive(Arc::clone(run), client.clone()));
                }
            }
        }
    }
    work
}

/// A line of progress every second.
async fn tick(run: Arc<Run>, progress: ProgressBar) {
    let mut every = tokio::time::interval(Duration::from_secs(1));
    let mut before = 0;
    loop {
        every.tick().await;
        let (signatures, errors) = {
            let tally = run.tally();
            (tally.signatures(), tally.errors().values().sum::<u64>())
        };
        progress.set_message(format!("{} signatures/s, {signatures} in all, {errors} errors", signatures - before));
        before = signatures;
    }
}

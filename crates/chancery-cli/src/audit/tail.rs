//! `chancery audit tail`: records as they come.
//!
//! **Invariants**: after a broken connection it goes on where it was, so that no record is left out and none comes
//! twice. It ends when it is interrupted, when `--limit` is reached, or when the service says that asking again can't
//! help.

use super::{filter::Filter, record};
use crate::{
    cli::{Global, connect},
    failure::{CliError, Doing as _},
    keys::ended_early,
    output::{self, Listing, Output},
};
use chancery_api::v1::TailRecordsRequest;
use chancery_audit::record::Record;
use chancery_client::{Client, ClientError, Code};
use std::{process::ExitCode, time::Duration};
use tokio::time::sleep;

/// Between two tries to connect.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    filter: Filter,
    /// From the record of this index on [default: from now on, or from --since]
    #[arg(long, value_name = "N")]
    from: Option<u64>,
    /// End after so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
}

pub(crate) async fn run(global: &Global, args: &Args) -> Result<ExitCode, CliError> {
    let config = global.config()?;
    let organization = args.filter.organization(config.organization())?;
    let client = connect(&config).await?;
    let mut printer = Printer { form: global.output, listing: Listing::new(Output::Table, record::COLUMNS), rows: 0 };
    let request = TailRecordsRequest {
        filter: Some(args.filter.request(organization)),
        // What was before now is wanted only where somebody says since when.
        from: args.from.or(args.filter.since.map(|_| 0)),
    };
    let doing = format!("follow the records of {organization}");
    tokio::select! {
        followed = follow(&client, request, args.limit, &mut printer, &doing) => followed?,
        interrupted = tokio::signal::ctrl_c() => {
            interrupted.map_err(|error| CliError::Internal(format!("can't wait for an interrupt: {error}")))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints records until there are enough.
async fn follow(
    client: &Client,
    mut request: TailRecordsRequest,
    limit: Option<u64>,
    printer: &mut Printer,
    doing: &str,
) -> Result<(), CliError> {
    loop {
        let error = match client.audit().tail_records(request.clone()).await {
            Err(status) => ClientError::from(status),
            Ok(answers) => {
                let mut answers = answers.into_inner();
                loop {
                    match answers.message().await {
                        Ok(Some(answer)) => {
                            request.from = Some(answer.next);
                            let left = limit.map_or(usize::MAX, |limit| (limit - printer.rows) as usize);
                            let records = &answer.records[..answer.records.len().min(left)];
                            printer.print(records)?;
                            if limit.is_some_and(|limit| printer.rows >= limit) {
                                return Ok(());
                            }
                        }
                        Ok(None) => break ended_early(Code::Unavailable),
                        Err(status) => break ClientError::from(status),
                    }
                }
            }
        };
        if !error.retryable {
            return Err(error).doing(doing);
        }
        output::complain(&output::printable(&format!("{error}; trying again")));
        sleep(error.retry_after.unwrap_or_default().max(PAUSE)).await;
    }
}

struct Printer {
    form: Output,
    listing: Listing<8>,
    rows: u64,
}

impl Printer {
    fn print(&mut self, records: &[Record]) -> Result<(), CliError> {
        self.rows += records.len() as u64;
        match self.form {
            Output::Table => {
                self.listing.page(records.iter().map(|record| (serde_json::Value::Null, record::row(record))))
            }
            Output::Json => {
                let lines: String = records.iter().map(|record| format!("{}\n", record::json(record))).collect();
                output::bytes(lines.as_bytes())
            }
        }
    }
}

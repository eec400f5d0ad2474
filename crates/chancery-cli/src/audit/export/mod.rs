//! `chancery audit export`: records in the forms that other systems read.
//!
//! **Invariants**: an output file is there only if all that was asked for was read, and, of a log's files, verified. The
//! forms are derived from records: none of them can be verified by itself.

mod cef;
mod files;
mod otlp;

use super::{
    filter::Filter,
    list::{PAGE, page},
    record,
};
use crate::{
    attestation::audit_key,
    cli::{Global, connect},
    failure::CliError,
    files::Pending,
    output::{self, Output},
    progress::Progress,
    time,
};
use chancery_api::v1::{GetCheckpointRequest, ListRecordsRequest};
use chancery_audit::record::Record;
use chancery_client::Client;
use jiff::Timestamp;
use serde_json::json;
use std::{
    io::{self, IsTerminal as _},
    path::PathBuf,
    process::ExitCode,
};

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// A record a line, as `audit list --output json` has it
    Jsonl,
    /// ArcSight Common Event Format 0, an event a line
    Cef,
    /// OpenTelemetry logs (OTLP JSON), a LogsData message a line
    Otlp,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    filter: Filter,
    /// Only records before then: how long ago, e.g. 1h, or RFC 3339
    #[arg(long, value_name = "TIME", value_parser = time::parse_since)]
    until: Option<Timestamp>,
    #[arg(long, value_enum)]
    format: Format,
    /// Where to write [default: standard output]
    #[arg(long, value_name = "FILE", default_value = "-", hide_default_value = true)]
    out: PathBuf,
    /// Read a log's files instead of asking the service
    ///
    /// They have the records of all organizations: name one with --organization to get its own only.
    #[arg(long, value_name = "DIR", requires = "audit_key")]
    log: Option<PathBuf>,
    /// The log's public key, C2SP vkey text
    #[arg(long, value_name = "VKEY_FILE", requires = "log")]
    audit_key: Option<PathBuf>,
}

impl Args {
    /// Whether a record of a log's files is meant.
    fn wants(&self, record: &Record) -> bool {
        let until = self.until.map(|until| until.as_nanosecond());
        self.filter.wants(record) && until.is_none_or(|until| i128::from(record.time_unix_nanos) < until)
    }
}

impl Format {
    /// Some records, each line with its end.
    fn write<'r>(self, records: impl Iterator<Item = &'r Record>, text: &mut String) {
        match self {
            Self::Jsonl => records.for_each(|of| *text += &format!("{}\n", record::json(of))),
            Self::Cef => records.for_each(|of| *text += &format!("{}\n", cef::event(of))),
            Self::Otlp => {
                let records: Vec<_> = records.map(otlp::log_record).collect();
                if !records.is_empty() {
                    *text += &format!("{}\n", otlp::logs_data(records));
                }
            }
        }
    }
}

/// Where it is written, and how much was.
struct Sink {
    /// `None`: standard output.
    file: Option<Pending>,
    records: u64,
}

impl Sink {
    fn open(args: &Args) -> Result<Self, CliError> {
        let file = if output::is_dash(&args.out) { None } else { Some(Pending::begin(&args.out)?) };
        Ok(Self { file, records: 0 })
    }

    /// Takes so many records' text.
    fn write(&mut self, records: usize, text: &str) -> Result<(), CliError> {
        self.records += records as u64;
        match &mut self.file {
            Some(file) => file.write(text.as_bytes()),
            None => output::bytes(text.as_bytes()),
        }
    }

    /// Puts the file in its place, and says what was done.
    fn complete(self, form: Output, args: &Args) -> Result<ExitCode, CliError> {
        let Self { file, records } = self;
        let on_stdout = file.is_none();
        if let Some(file) = file {
            file.complete()?;
        }
        match form {
            Output::Json if !on_stdout => output::json(&json!({ "records": records, "out": args.out }))?,
            Output::Table if !on_stdout => {
                output::summary(false, &format!("{records} records in {}", args.out.display()))?
            }
            _ => {}
        }
        Ok(ExitCode::SUCCESS)
    }
}

pub(crate) fn offline(form: Output, args: &Args) -> Option<Result<ExitCode, CliError>> {
    let (log, key) = args.log.as_ref().zip(args.audit_key.as_ref())?;
    let export = || {
        let key = audit_key(key)?;
        let mut sink = Sink::open(args)?;
        files::export(log, &key, args, &mut sink)?;
        sink.complete(form, args)
    };
    Some(export())
}

pub(crate) async fn run(global: &Global, args: &Args) -> Result<ExitCode, CliError> {
    let config = global.config()?;
    let organization = args.filter.organization(config.organization())?;
    let client = connect(&config).await?;
    let mut sink = Sink::open(args)?;
    let mut request = ListRecordsRequest {
        until: args.until.map(time::to_proto),
        page_size: PAGE as i32,
        ..args.filter.request(organization)
    };
    let progress = progress(&client, args).await;
    loop {
        let page = page(&client, &request).await?;
        let mut text = String::new();
        args.format.write(page.records.iter(), &mut text);
        sink.write(page.records.len(), &text)?;
        if page.next_page_token.is_empty() {
            break;
        }
        // The token of a listing from the oldest record on is the next one's number.
        if let (Some(progress), Ok(next)) = (&progress, page.next_page_token.parse()) {
            progress.set(next);
        }
        request.page_token = page.next_page_token;
    }
    if let Some(progress) = progress {
        progress.finish();
    }
    sink.complete(global.output, args)
}

/// How far through the log it is; nothing where records on a terminal show that by themselves.
async fn progress(client: &Client, args: &Args) -> Option<Progress> {
    if output::is_dash(&args.out) && io::stdout().is_terminal() {
        return None;
    }
    let checkpoint = client.audit().get_checkpoint(GetCheckpointRequest {}).await.ok()?;
    Some(Progress::new(checkpoint.into_inner().size, "records", false))
}

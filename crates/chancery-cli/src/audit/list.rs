//! `chancery audit list`.

use super::{filter::Filter, record};
use crate::{
    cli::{Global, connect},
    failure::{CliError, Doing as _},
    output::{self, Listing},
    time,
};
use chancery_api::v1::{ListRecordsRequest, ListRecordsResponse};
use chancery_client::Client;
use jiff::Timestamp;
use std::process::ExitCode;

/// Records asked for at a time.
pub(super) const PAGE: u64 = 500;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    filter: Filter,
    /// Only records before then: how long ago, e.g. 1h, or RFC 3339
    #[arg(long, value_name = "TIME", value_parser = time::parse_since)]
    until: Option<Timestamp>,
    /// From the newest record to the oldest
    #[arg(long)]
    newest_first: bool,
    /// At most so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
}

/// Asks for a page.
pub(super) async fn page(client: &Client, request: &ListRecordsRequest) -> Result<ListRecordsResponse, CliError> {
    let page = client.retry(|attempt| {
        let (mut audit, request) = (client.audit(), attempt.request(request.clone()));
        async move { audit.list_records(request).await }
    });
    page.await.doing(format!("list the records of {}", request.parent))
}

pub(crate) async fn run(global: &Global, args: &Args) -> Result<ExitCode, CliError> {
    let config = global.config()?;
    let organization = args.filter.organization(config.organization())?;
    let client = connect(&config).await?;
    let mut request = ListRecordsRequest {
        until: args.until.map(time::to_proto),
        newest_first: args.newest_first,
        ..args.filter.request(organization)
    };
    let mut listing = Listing::new(global.output, record::COLUMNS);
    let archived = loop {
        let left = args.limit.map_or(PAGE, |limit| PAGE.min(limit - listing.rows()));
        request.page_size = left as i32;
        let page = page(&client, &request).await?;
        let records = page.records.iter().take(left as usize);
        listing.page(records.map(|record| (record::json(record), record::row(record))))?;
        let ended = page.next_page_token.is_empty();
        if ended || args.limit.is_some_and(|limit| listing.rows() >= limit) {
            break if ended && request.since.is_none() { page.archived } else { 0 };
        }
        request.page_token = page.next_page_token;
    };
    listing.finish("no such records that you may read")?;
    if let Some(last) = archived.checked_sub(1) {
        output::summary(true, &format!("records 0 to {last} are archived, and were not looked at"))?;
    }
    Ok(ExitCode::SUCCESS)
}

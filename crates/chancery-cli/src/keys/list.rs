//! `chancery keys list`.

use super::{Keys, organization, show};
use crate::{
    call::call,
    cli::{Global, connect, organization_or_default},
    failure::CliError,
    output::{Listing, Output, complain},
    time,
};
use chancery_api::{
    names::{KeyVersionName, OrganizationName, PrincipalName},
    v1::{Key, ListKeysRequest},
};
use jiff::Timestamp;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// organizations/ORG or ORG [default: `organization` in the client's configuration]
    #[arg(value_parser = organization)]
    organization: Option<OrganizationName>,
    /// Terms joined by AND, each FIELD=VALUE or FIELD!=VALUE, of algorithm, purpose, protection, owner, state,
    /// labels.NAME and name (its last part; * stands for any characters), e.g. "algorithm=sm2 AND name=peer*"
    #[arg(long, value_name = "EXPR", default_value = "", hide_default_value = true)]
    filter: String,
    /// List at most so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Ask for so many at a time
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(i32).range(1..=1000))]
    page_size: i32,
}

pub(super) async fn run(global: &Global, args: &Args) -> Result<(), CliError> {
    let config = global.config()?;
    let organization = organization_or_default(&config, args.organization.as_ref())?;
    let client = connect(&config).await?;
    let now = Timestamp::now();
    let mut request = ListKeysRequest {
        parent: organization.to_string(),
        page_size: args.page_size,
        filter: args.filter.clone(),
        ..ListKeysRequest::default()
    };
    let mut listing =
        Listing::new(global.output, ["name", "algorithm", "purpose", "owner", "protection", "primary", "state", "age"]);
    let more = loop {
        let wanted = args.limit.map_or(u64::MAX, |limit| limit - listing.rows());
        request.page_size = args.page_size.min(i32::try_from(wanted).unwrap_or(i32::MAX));
        let list = |mut keys: Keys, request| async move { keys.list_keys(request).await };
        let doing = format!("list the keys of {organization}");
        let mut page = call(&client, client.keys(), &request, list, doing).await?;
        page.keys.truncate(usize::try_from(wanted).unwrap_or(usize::MAX));
        listing.page(page.keys.iter().map(|key| (show::json(key), row(key, now))))?;
        if page.next_page_token.is_empty() {
            break false;
        }
        if args.limit == Some(listing.rows()) {
            break true;
        }
        request.page_token = page.next_page_token;
    };
    if listing.rows() > 0 && global.output == Output::Table {
        let keys = if listing.rows() == 1 { "key" } else { "keys" };
        let more = if more { ", and there are more" } else { "" };
        complain(&format!("{} {keys}{more}", listing.rows()));
    }
    let which = if args.filter.is_empty() { "" } else { " of that kind" };
    listing.finish(&format!("{organization} has no keys{which} that you may see"))
}

fn row(key: &Key, now: Timestamp) -> [String; 8] {
    let owner = key.owner.parse::<PrincipalName>().map_or(key.owner.clone(), |owner| owner.short());
    let primary = key.primary.as_ref();
    let version = primary.and_then(|version| version.name.parse::<KeyVersionName>().ok());
    [
        key.name.clone(),
        show::algorithm(key).to_owned(),
        show::purpose(key).to_owned(),
        owner,
        show::protection(key).to_owned(),
        version.map(|version| version.number().to_string()).unwrap_or_default(),
        primary.map(show::state).unwrap_or_default().to_owned(),
        time::age(key.create_time, now),
    ]
}

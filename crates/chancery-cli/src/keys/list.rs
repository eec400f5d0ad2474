//! `chancery keys list`.

use super::{organization, show};
use crate::{
    cli::{Global, connect},
    failure::{CliError, Doing as _},
    output::{Listing, Output, complain},
    time,
};
use chancery_api::{
    names::{KeyVersionName, OrganizationName, PrincipalName},
    v1::{Key, ListKeysRequest},
};
use jiff::Timestamp;

const PAGE: i32 = 500;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// organizations/ORG or ORG [default: `organization` in the client's configuration]
    #[arg(value_parser = organization)]
    organization: Option<OrganizationName>,
}

pub(super) async fn run(global: &Global, args: &Args) -> Result<(), CliError> {
    let config = global.config()?;
    let organization = args.organization.as_ref().or(config.organization()).ok_or_else(|| {
        CliError::Usage("name an organization: the client's configuration has no `organization`".into())
    })?;
    let client = connect(&config).await?;
    let now = Timestamp::now();
    let mut request = ListKeysRequest { parent: organization.to_string(), page_size: PAGE, page_token: String::new() };
    let mut listing =
        Listing::new(global.output, ["name", "algorithm", "purpose", "owner", "protection", "primary", "state", "age"]);
    loop {
        let page = client
            .retry(|attempt| {
                let (mut keys, request) = (client.keys(), attempt.request(request.clone()));
                async move { keys.list_keys(request).await }
            })
            .await
            .doing(format!("list the keys of {organization}"))?;
        listing.page(page.keys.iter().map(|key| (show::json(key), row(key, now))))?;
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    if listing.rows() > 0 && global.output == Output::Table {
        complain(&format!("{} keys", listing.rows()));
    }
    listing.finish(&format!("{organization} has no keys that you may see"))
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

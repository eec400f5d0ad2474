//! `chancery audit list`.

use super::record;
use crate::{
    cli::{Global, connect},
    failure::{CliError, Doing as _},
    keys::organization,
    output::Listing,
    time,
};
use chancery_api::{
    names::{KeyOrVersionName, OrganizationName, PrincipalName},
    v1::ListRecordsRequest,
};
use jiff::Timestamp;
use std::process::ExitCode;

const PAGE: u64 = 500;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only records of this key or key version
    #[arg(long)]
    key: Option<KeyOrVersionName>,
    /// Only records of this principal: ORG/NAME or its full name
    #[arg(long, value_parser = PrincipalName::parse_lenient)]
    principal: Option<PrincipalName>,
    /// Only records since then: how long ago, e.g. 1h, or RFC 3339
    #[arg(long, value_name = "TIME", value_parser = time::parse_since)]
    since: Option<Timestamp>,
    /// Whose records [default: of --key or --principal, else `organization` in the client's configuration]
    #[arg(long, value_parser = organization, value_name = "ORG")]
    organization: Option<OrganizationName>,
    /// At most so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
}

impl Args {
    /// The organization: named, or that of what is asked for, or the client's own.
    fn organization<'a>(&'a self, own: Option<&'a OrganizationName>) -> Result<&'a OrganizationName, CliError> {
        let of_key = self.key.as_ref().map(|key| key.key().organization());
        let of_principal = self.principal.as_ref().map(PrincipalName::organization);
        self.organization.as_ref().or(of_key).or(of_principal).or(own).ok_or_else(|| {
            CliError::Usage(
                "name an organization with --organization: neither --key nor --principal is given, and the client's \
                 configuration has no `organization`"
                    .into(),
            )
        })
    }
}

pub(crate) async fn run(global: &Global, args: &Args) -> Result<ExitCode, CliError> {
    let config = global.config()?;
    let organization = args.organization(config.organization())?;
    let client = connect(&config).await?;
    let mut request = ListRecordsRequest {
        parent: organization.to_string(),
        key: args.key.as_ref().map(ToString::to_string).unwrap_or_default(),
        principal: args.principal.as_ref().map(ToString::to_string).unwrap_or_default(),
        since: args.since.map(time::to_proto),
        ..ListRecordsRequest::default()
    };
    let mut listing = Listing::new(global.output, record::COLUMNS);
    loop {
        let left = args.limit.map_or(PAGE, |limit| PAGE.min(limit - listing.rows()));
        request.page_size = left as i32;
        let page = client
            .retry(|attempt| {
                let (mut audit, request) = (client.audit(), attempt.request(request.clone()));
                async move { audit.list_records(request).await }
            })
            .await
            .doing(format!("list the records of {organization}"))?;
        let records = page.records.iter().take(left as usize);
        listing.page(records.map(|record| (record::json(record), record::row(record))))?;
        if page.next_page_token.is_empty() || args.limit.is_some_and(|limit| listing.rows() >= limit) {
            break;
        }
        request.page_token = page.next_page_token;
    }
    listing.finish("no such records that you may read")?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn organization_of(line: &[&str], own: Option<&str>) -> Result<String, u8> {
        let args = Line::try_parse_from([&["list"], line].concat()).unwrap().args;
        let own = own.map(|id| OrganizationName::from_id(id).unwrap());
        args.organization(own.as_ref()).map(|name| name.id().to_owned()).map_err(|error| error.exit_code())
    }

    #[test]
    fn the_organization_is_named_or_follows_from_what_is_asked() {
        let key = "organizations/org2/keys/peer0/versions/1";
        assert_eq!(organization_of(&["--organization", "org1", "--key", key], Some("org3")), Ok("org1".into()));
        assert_eq!(organization_of(&["--key", key], Some("org3")), Ok("org2".into()));
        assert_eq!(organization_of(&["--principal", "org4/peer0"], Some("org3")), Ok("org4".into()));
        assert_eq!(organization_of(&[], Some("org3")), Ok("org3".into()));
        assert_eq!(organization_of(&[], None), Err(64));
    }
}

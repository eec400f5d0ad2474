//! Which records are asked for: of the service, or of a log's files.
//!
//! **Invariant**: both mean the same. What the service is asked is what a record must be like.

use crate::{failure::CliError, keys::organization, time};
use chancery_api::{
    names::{KeyOrVersionName, OrganizationName, PrincipalName},
    v1::ListRecordsRequest,
};
use chancery_audit::record::{self, Record};
use jiff::Timestamp;
use uuid::Uuid;

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Outcome {
    /// It was done
    Succeeded,
    /// Policy, registry or limits said no
    Denied,
    /// It failed, and nothing was done
    NotPerformed,
    /// It failed, and may have been done; nothing was released
    Unknown,
    /// The first answer to the request was given again
    Replayed,
}

impl Outcome {
    fn recorded(self) -> record::Outcome {
        match self {
            Self::Succeeded => record::Outcome::Succeeded,
            Self::Denied => record::Outcome::Denied,
            Self::NotPerformed => record::Outcome::NotPerformed,
            Self::Unknown => record::Outcome::Unknown,
            Self::Replayed => record::Outcome::Replayed,
        }
    }
}

#[derive(Debug, Default, clap::Args)]
pub(super) struct Filter {
    /// Only records of this key or key version
    #[arg(long)]
    key: Option<KeyOrVersionName>,
    /// Only records of this principal: ORG/NAME or its full name
    #[arg(long, value_parser = PrincipalName::parse_lenient)]
    principal: Option<PrincipalName>,
    /// Only records of this action, e.g. Sign
    #[arg(long)]
    action: Option<String>,
    /// Only records of what ended so
    #[arg(long, value_enum)]
    outcome: Option<Outcome>,
    /// Only records of the request with this id
    #[arg(long, value_name = "UUID")]
    request_id: Option<Uuid>,
    /// Only records since then: how long ago, e.g. 1h, or RFC 3339
    #[arg(long, value_name = "TIME", value_parser = time::parse_since)]
    pub(super) since: Option<Timestamp>,
    /// Whose records [default: of --key or --principal, else `organization` in the client's configuration]
    #[arg(long, value_parser = organization, value_name = "ORG")]
    organization: Option<OrganizationName>,
}

impl Filter {
    /// The organization: named, or that of what is asked for, or the client's own.
    pub(super) fn organization<'a>(
        &'a self,
        own: Option<&'a OrganizationName>,
    ) -> Result<&'a OrganizationName, CliError> {
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

    /// What the service is asked.
    pub(super) fn request(&self, organization: &OrganizationName) -> ListRecordsRequest {
        ListRecordsRequest {
            parent: organization.to_string(),
            key: self.key.as_ref().map(ToString::to_string).unwrap_or_default(),
            principal: self.principal.as_ref().map(ToString::to_string).unwrap_or_default(),
            action: self.action.clone().unwrap_or_default(),
            outcome: self.outcome.map(|outcome| outcome.recorded().into()).unwrap_or_default(),
            request_id: self.request_id.map(|id| id.to_string()).unwrap_or_default(),
            since: self.since.map(time::to_proto),
            ..ListRecordsRequest::default()
        }
    }

    /// Whether a record of a log's files is meant. Those have everyone's: only an organization that is named counts.
    pub(super) fn wants(&self, record: &Record) -> bool {
        let by = record.principal.as_ref();
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        let since = self.since.map(|since| since.as_nanosecond());
        self.organization.as_ref().is_none_or(|wanted| belongs_to(record, wanted))
            && self.key.as_ref().is_none_or(|key| is_within(&record.resource, &key.to_string()))
            && self.principal.as_ref().is_none_or(|wanted| {
                by.is_some_and(|by| by.organization == wanted.organization().id() && by.name == wanted.id())
            })
            && is(&self.action, &record.action)
            && self.outcome.is_none_or(|outcome| record.outcome == i32::from(outcome.recorded()))
            && is(&self.request_id.map(|id| id.to_string()), &record.request_id)
            && since.is_none_or(|since| i128::from(record.time_unix_nanos) >= since)
    }
}

/// Whether `resource` is `name` or lies below it.
fn is_within(resource: &str, name: &str) -> bool {
    resource.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether who asked, the resource, or what was counted is of an organization.
fn belongs_to(record: &Record, organization: &OrganizationName) -> bool {
    let id = organization.id();
    record.principal.as_ref().is_some_and(|by| by.organization == id)
        || is_within(&record.resource, &organization.to_string())
        || record.count.as_ref().is_some_and(|count| count.organization == id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_audit::record::Principal;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        filter: Filter,
    }

    fn filter(line: &[&str]) -> Filter {
        Line::try_parse_from([&["list"], line].concat()).unwrap().filter
    }

    fn organization_of(line: &[&str], own: Option<&str>) -> Result<String, u8> {
        let own = own.map(|id| OrganizationName::from_id(id).unwrap());
        let filter = filter(line);
        filter.organization(own.as_ref()).map(|name| name.id().to_owned()).map_err(|error| error.exit_code())
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

    #[test]
    fn records_of_files_are_chosen_as_the_service_chooses() {
        let id = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
        let record = Record {
            principal: Some(Principal { organization: "org1".into(), name: "peer0".into(), ..Principal::default() }),
            action: "Sign".into(),
            resource: "organizations/org2/keys/k/versions/1".into(),
            outcome: record::Outcome::Denied.into(),
            request_id: id.into(),
            time_unix_nanos: 1_700_000_000_000_000_000,
            ..Record::default()
        };
        for line in [
            vec![],
            vec!["--key", "organizations/org2/keys/k"],
            vec!["--key", "organizations/org2/keys/k/versions/1", "--outcome", "denied", "--action", "Sign"],
            vec!["--principal", "org1/peer0", "--organization", "org1"],
            vec!["--organization", "org2", "--request-id", id, "--since", "2023-11-14T00:00:00Z"],
        ] {
            assert!(filter(&line).wants(&record), "{line:?}");
        }
        for line in [
            ["--key", "organizations/org2/keys/k/versions/2"],
            ["--key", "organizations/org2/keys/kk"],
            ["--principal", "org2/peer0"],
            ["--organization", "org3"],
            ["--outcome", "succeeded"],
            ["--action", "Verify"],
            ["--since", "2023-11-15T00:00:00Z"],
            ["--request-id", "6ba7b810-9dad-11d1-80b4-00c04fd430c9"],
        ] {
            assert!(!filter(&line).wants(&record), "{line:?}");
        }
    }
}

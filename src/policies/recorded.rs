//! What a record says was asked of the policies, and how they decided.
//!
//! **Invariant**: of each request one record counts: its intent where it has one, else its outcome or its denial.
//!
//! **Not here**: facts of keys, groups and organizations, which are as they are now (`access`).

use crate::{
    access::{Access, Target},
    model::{Action, KeyOrVersionName, OrganizationName, Principal, Role},
    policy::{AccessRequest, ResourceKind, Session, parse_context},
};
use chancery_audit::record::{Kind, Record};
use std::net::{IpAddr, Ipv4Addr};

/// See the module.
pub(super) struct Recorded<'r> {
    record: &'r Record,
    action: Action,
    pub(super) permitted: bool,
}

impl<'r> Recorded<'r> {
    /// Of a record; `None` where policies were not asked, or another record of the request counts.
    pub(super) fn of(record: &'r Record) -> Option<Self> {
        let permitted = match record.kind() {
            Kind::Denial if ["DENIED", "EVALUATION_ERROR"].contains(&record.reason.as_str()) => false,
            Kind::Intent => true,
            Kind::Outcome if record.intent == 0 => true,
            _ => return None,
        };
        Some(Self { record, action: record.action.parse().ok()?, permitted })
    }

    /// What was asked, with the facts of now; `None` where the record does not say it in this version's words.
    pub(super) fn request(&self, access: &Access) -> Option<AccessRequest> {
        let by = self.record.principal.as_ref()?;
        let role: Role = by.role.parse().ok()?;
        let name = OrganizationName::from_id(&by.organization).ok()?.principal(&by.name).ok()?;
        let certificate_fingerprint = by.certificate_fingerprint.as_slice().try_into().unwrap_or_default();
        let principal = Principal { name, role, certificate_fingerprint };
        let session = Session {
            time: self.record.time_unix_nanos.div_euclid(1_000_000_000),
            // What no policy read at that time was not recorded.
            source_address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            certificate_age: 0,
            shim: false,
        };
        let texts = self.record.context.iter().map(|of| (of.key.as_str(), of.value.as_str()));
        let (context, session) = parse_context(self.action, texts, session).ok()?;
        Some(access.describe(principal, self.action, &self.target()?, context, session))
    }

    /// What it was asked on; a record may name what came of it instead, which belongs to the same organization.
    fn target(&self) -> Option<Target> {
        let resource = self.record.resource.as_str();
        let organization = || -> Option<OrganizationName> {
            let id = resource.strip_prefix("organizations/")?.split('/').next()?;
            OrganizationName::from_id(id).ok()
        };
        match ResourceKind::of(self.action) {
            ResourceKind::Organization => organization().map(Target::Organization),
            ResourceKind::Log => organization().map(Target::Log),
            ResourceKind::Key => resource.parse::<KeyOrVersionName>().ok().map(Target::Key),
            ResourceKind::Deployment => Some(Target::Deployment),
        }
    }
}

//! Who was suspended, as the log's states say.
//!
//! **Not here**: revocation lists and registrations, which decide who someone is before there is a record.

use crate::{Contradiction, keys::decoded};
use chancery_api::state;
use chancery_audit::record::{Record, ResourceState};
use std::collections::HashMap;

const SUSPENSION: &str = "chancery.state.v1.Suspension";

/// Suspensions in force, by their names.
#[derive(Debug, Clone, Default)]
pub(crate) struct Members {
    suspended: HashMap<String, state::Suspension>,
}

impl Members {
    /// Takes in a resource's state, if it is a suspension's.
    pub(crate) fn state(&mut self, state: &ResourceState) -> Result<(), Contradiction> {
        if state.r#type != SUSPENSION {
            return Ok(());
        }
        let row: state::Suspension = decoded(state)?;
        if row.lifted || state.value.is_empty() {
            self.suspended.remove(&state.name);
        } else {
            self.suspended.insert(state.name.clone(), row);
        }
        Ok(())
    }

    /// Refuses a use by nobody, by who was suspended, or by who is of another organization than the key.
    pub(crate) fn check_user(&self, record: &Record) -> Result<(), Contradiction> {
        let Some(by) = &record.principal else {
            return Err(Contradiction::Nobody { version: record.resource.clone() });
        };
        let owner = record.resource.strip_prefix("organizations/").and_then(|rest| rest.split('/').next());
        if owner != Some(by.organization.as_str()) {
            let (version, organization) = (record.resource.clone(), by.organization.clone());
            return Err(Contradiction::OtherOrganization { version, organization });
        }
        if self.suspended.is_empty() {
            return Ok(());
        }
        let principal = format!("organizations/{}/principals/{}", by.organization, by.name);
        let of_own = format!("organizations/{}/", by.organization);
        let hit = self.suspended.iter().any(|(name, row)| {
            // An organization suspends its own members.
            name.starts_with(&of_own)
                && (row.principal == principal
                    || !row.certificate_sha256.is_empty() && row.certificate_sha256 == by.certificate_fingerprint)
        });
        if hit { Err(Contradiction::Suspended { principal, version: record.resource.clone() }) } else { Ok(()) }
    }
}

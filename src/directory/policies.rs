//! Organizations' own policies.

use super::Directory;
use crate::model::{OrganizationName, OrganizationPolicies};

impl Directory {
    /// An organization's own policies, if it ever set any.
    pub fn policies(&self, organization: &OrganizationName) -> Option<OrganizationPolicies> {
        self.read().policies.get(organization).cloned()
    }

    /// Every organization's own policies, by name.
    pub fn all_policies(&self) -> Vec<OrganizationPolicies> {
        self.read().policies.values().cloned().collect()
    }
}

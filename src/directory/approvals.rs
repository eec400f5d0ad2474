//! What waits for a second officer.

use super::Directory;
use crate::model::{Approval, OrganizationName};

impl Directory {
    /// One approval, closed or not.
    pub fn approval(&self, organization: &OrganizationName, id: &str) -> Option<Approval> {
        self.read().approvals.get(&format!("{organization}/approvals/{id}")).cloned()
    }

    /// An organization's approvals by name, closed ones too: oldest first.
    pub fn approvals(&self, organization: &OrganizationName) -> Vec<Approval> {
        let prefix = format!("{organization}/approvals/");
        let content = self.read();
        let all = content.approvals.range(prefix.clone()..);
        all.take_while(|(name, _)| name.starts_with(&prefix)).map(|(_, row)| row.clone()).collect()
    }
}

//! Labels that decide what is permitted are not for a key's owner to set: it would choose its own permissions.

use crate::{error::Error, model::PrincipalName, policy::LabelsRead};
use chancery_api::reasons;
use std::collections::{BTreeMap, BTreeSet};

/// The labels that a policy reads among those that are added, changed or removed. Refused where `caller` does so on a key
/// that is, or will be, its own.
pub(super) fn require_free(
    read: &LabelsRead,
    caller: &PrincipalName,
    owner: &PrincipalName,
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
) -> Result<BTreeSet<String>, Error> {
    let changed = before.keys().chain(after.keys()).filter(|label| before.get(*label) != after.get(*label));
    let reserved: BTreeSet<_> = changed.filter(|label| read.contains(label)).cloned().collect();
    let Some(label) = reserved.first().filter(|_| caller == owner) else { return Ok(reserved) };
    let why = match read {
        LabelsRead::Named(_) => format!("a policy reads the label {label}"),
        LabelsRead::All => format!("a policy may read any label, so also {label}"),
    };
    let message = format!("{why}: the key's owner can't set or remove it; leave it alone, or ask a security officer");
    Err(Error::Precondition { reason: reasons::LABEL_RESERVED, message })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(label: &str) -> LabelsRead {
        LabelsRead::Named([label.to_owned()].into())
    }

    fn labels(names: &[&str]) -> BTreeMap<String, String> {
        names.iter().map(|name| ((*name).to_owned(), "x".to_owned())).collect()
    }

    #[test]
    fn an_owner_sets_no_label_that_a_policy_reads_and_any_other() {
        let owner = "organizations/org1/principals/peer0".parse().unwrap();
        let officer = "organizations/org1/principals/security".parse().unwrap();
        let read = named("env");
        let Err(Error::Precondition { reason, message }) =
            require_free(&read, &owner, &owner, &labels(&[]), &labels(&["a", "env", "z"]))
        else {
            panic!("the owner sets it")
        };
        assert_eq!(reason, reasons::LABEL_RESERVED);
        assert!(message.contains("label env"), "{message}");
        require_free(&read, &owner, &owner, &labels(&["env"]), &labels(&["a", "env", "environment"])).unwrap();
        assert!(require_free(&read, &owner, &owner, &labels(&["env"]), &labels(&[])).is_err(), "nor removes it");
        require_free(&read, &officer, &owner, &labels(&[]), &labels(&["env"])).unwrap();
    }

    #[test]
    fn where_a_name_is_computed_an_owner_sets_none() {
        let owner = "organizations/org1/principals/peer0".parse().unwrap();
        let read = LabelsRead::All;
        assert!(require_free(&read, &owner, &owner, &labels(&[]), &labels(&["a"])).is_err());
        require_free(&read, &owner, &owner, &labels(&[]), &labels(&[])).unwrap();
    }
}

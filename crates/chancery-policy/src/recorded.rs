//! [`RecordedSet`]: a policy set's text as a log keeps it, for those who check what records say of it.
//!
//! **Invariant**: of any version: a set is read without its schema, and nothing is decided by it.
//!
//! **Not here**: sets that decide ([`super::PolicySet`], [`super::OrganizationSet`]).

use super::{nesting, organization, source};
use cedar_policy as cedar;
use chancery_model::OrganizationName;
use std::collections::BTreeSet;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedSet {
    hash: [u8; 32],
    organization: Option<OrganizationName>,
    ids: BTreeSet<String>,
}

/// A text in which no policies can be found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file} holds no policies that can be read: {problem}")]
pub struct RecordedSetError {
    /// Which file of the set.
    pub file: String,
    /// Why.
    pub problem: String,
}

impl RecordedSet {
    /// Of (file name, text): a base set's files, or the one named `organizations/{organization}/policies`.
    ///
    /// # Errors
    /// [`RecordedSetError`] when one of them is no policy text.
    pub fn read(files: &[(String, String)]) -> Result<Self, RecordedSetError> {
        let own = match files {
            [(name, text)] => owner(name).map(|organization| (organization, text)),
            _ => None,
        };
        let (hash, organization) = match own {
            Some((organization, text)) => (organization::hash(&organization, text), Some(organization)),
            None => (source::hash(files), None),
        };
        let prefix = organization.as_ref().map_or(String::new(), |organization| format!("{}/", organization.id()));
        let mut ids = BTreeSet::new();
        for (file, text) in files.iter().filter(|(name, _)| name != source::SCHEMA_FILE) {
            let wrong = |problem: String| RecordedSetError { file: file.clone(), problem };
            if nesting::too_deep(text).is_some() {
                return Err(wrong("they lie too deep to be read safely".into()));
            }
            let set: cedar::PolicySet = text.parse().map_err(|error: cedar::ParseErrors| wrong(error.to_string()))?;
            ids.extend(set.policies().filter_map(|policy| policy.annotation("id")).map(|id| format!("{prefix}{id}")));
        }
        Ok(Self { hash, organization, ids })
    }

    /// What records call it by: as [`super::PolicySet::hash`], [`super::OrganizationSet::hash`].
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// Whose own it is; `None`: it is a base set.
    pub fn organization(&self) -> Option<&OrganizationName> {
        self.organization.as_ref()
    }

    /// Whether it has a policy of this id.
    pub fn has(&self, id: &str) -> bool {
        self.ids.contains(id)
    }
}

fn owner(file: &str) -> Option<OrganizationName> {
    file.strip_suffix("/policies")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OrganizationSet, PolicySet};

    #[test]
    fn a_base_set_is_known_by_its_hash_and_has_its_ids() {
        let files: Vec<_> =
            PolicySet::shipped().iter().map(|(name, text)| (name.to_string(), text.to_string())).collect();
        let read = RecordedSet::read(&files).unwrap();
        let set = PolicySet::from_files(files.clone()).unwrap();
        assert_eq!((read.hash(), read.organization()), (set.hash(), None));
        assert_eq!(read.ids.len(), set.count());
        let other_schema = files
            .into_iter()
            .map(|(name, text)| if name.ends_with("schema") { (name, "x".into()) } else { (name, text) });
        assert_ne!(RecordedSet::read(&other_schema.collect::<Vec<_>>()).unwrap().hash(), set.hash());
    }

    #[test]
    fn an_organizations_own_has_its_prefix() {
        let organization = OrganizationName::from_id("org1").unwrap();
        let text = "@id(\"night\") forbid(principal, action, resource);";
        let set = OrganizationSet::parse(organization.clone(), text.into()).unwrap();
        let read = RecordedSet::read(&[("organizations/org1/policies".into(), text.into())]).unwrap();
        assert_eq!((read.hash(), read.organization()), (set.hash(), Some(&organization)));
        assert!(read.has("org1/night") && !read.has("night"));
        let empty = RecordedSet::read(&[("organizations/org1/policies".into(), String::new())]).unwrap();
        assert_eq!(empty.hash(), OrganizationSet::parse(organization, String::new()).unwrap().hash());
    }

    #[test]
    fn what_is_no_policy_text_is_refused() {
        let read = |text: &str| RecordedSet::read(&[("a.cedar".into(), text.into())]);
        assert!(read("permit(").is_err());
        assert!(read(&"(".repeat(100_000)).is_err());
    }
}

//! Which labels the policies read: those are not for a key's owner to choose.
//!
//! **Invariant**: a label that a policy reads is in the answer. Where a label's name can't be told from the policy's
//! text, every label is.

use cedar_policy::Policy;
use serde_json::Value;
use std::collections::BTreeSet;

/// Labels that decide what is permitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelsRead {
    /// These.
    Named(BTreeSet<String>),
    /// Any: some policy computes the name.
    All,
}

impl LabelsRead {
    /// Whether a policy reads `label`, or may.
    pub fn contains(&self, label: &str) -> bool {
        match self {
            Self::Named(names) => names.contains(label),
            Self::All => true,
        }
    }

    /// What either reads.
    #[must_use]
    pub(super) fn and(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Named(one), Self::Named(other)) => Self::Named(one | other),
            _ => Self::All,
        }
    }

    /// Of these policies.
    pub(super) fn of(policies: &[Policy]) -> Self {
        let mut names = BTreeSet::new();
        let all_named = policies.iter().all(|policy| {
            let json = policy.to_json();
            json.is_ok_and(|json| collect(&json["conditions"], &mut names))
        });
        if all_named { Self::Named(names) } else { Self::All }
    }
}

/// Collects what `expression`, in Cedar's JSON form, reads; `false` where a name is computed. Labels are the tags of
/// keys, and nothing else in the schema has tags, so that it does not matter how the key is reached.
fn collect(expression: &Value, names: &mut BTreeSet<String>) -> bool {
    match expression {
        Value::Object(members) => members.iter().all(|(operator, operands)| {
            if operator == "hasTag" || operator == "getTag" {
                let Some(name) = operands["right"]["Value"].as_str() else { return false };
                names.insert(name.to_owned());
            }
            collect(operands, names)
        }),
        Value::Array(items) => items.iter().all(|item| collect(item, names)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{parse, source, tables::SHIPPED};
    use super::*;

    /// What is read by a policy of this condition on `GetKey`, which the validator accepts.
    fn read(conditions: &str) -> LabelsRead {
        let head = "@id(\"a\") permit (principal, action == Chancery::Action::\"GetKey\", resource)";
        let files = [
            ("a.cedar".to_owned(), format!("{head}\n{conditions};")),
            (source::SCHEMA_FILE.to_owned(), source::SCHEMA.to_owned()),
        ];
        LabelsRead::of(&parse::policies(&files).unwrap())
    }

    fn named(names: &[&str]) -> LabelsRead {
        LabelsRead::Named(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn labels_that_are_named_are_found_wherever_they_stand() {
        for (conditions, expected) in [
            ("when { resource.name == \"env\" }", named(&[])),
            ("when { resource.hasTag(\"env\") }", named(&["env"])),
            ("unless { resource.hasTag(\"frozen\") }", named(&["frozen"])),
            ("when { resource.hasTag(\"env\") && resource.getTag(\"env\") == \"test\" }", named(&["env"])),
            ("when { resource.hasTag(\"a\") } unless { resource.hasTag(\"b\") }", named(&["a", "b"])),
            ("when { principal.name == \"x\" || !(resource.hasTag(\"Ä \\\"quoted\\\"\")) }", named(&["Ä \"quoted\""])),
            ("when { if resource.hasTag(\"a\") then resource.getTag(\"a\") == \"x\" else false }", named(&["a"])),
            ("when { {key: resource}.key.hasTag(\"a\") }", named(&["a"])),
            ("when { [resource.hasTag(\"a\"), principal.name == \"x\"].contains(true) }", named(&["a"])),
            ("when { {getTag: resource.name}.getTag == \"x\" && resource.hasTag(\"a\") }", LabelsRead::All),
        ] {
            assert_eq!(read(conditions), expected, "{conditions}");
        }
    }

    #[test]
    fn a_computed_name_may_be_any() {
        for conditions in [
            "when { resource.hasTag(principal.name) }",
            "unless { resource.hasTag(\"a\") && resource.hasTag(resource.name) }",
            "when { resource.hasTag(if principal.name == \"x\" then \"a\" else \"b\") }",
            "when { principal.name == \"x\" && !(resource.hasTag({label: principal.name}.label)) }",
        ] {
            let read = read(conditions);
            assert_eq!(read, LabelsRead::All, "{conditions}");
            assert!(read.contains("anything"));
        }
    }

    #[test]
    fn what_is_read_is_reserved_and_nothing_else() {
        let read = read("when { resource.hasTag(\"env\") }");
        assert!(read.contains("env"));
        assert!(!read.contains("Env") && !read.contains("env ") && !read.contains(""));
    }

    #[test]
    fn every_policy_of_a_set_counts() {
        let mut files = SHIPPED.base().files().to_vec();
        let head = "permit (principal, action == Chancery::Action::\"GetKey\", resource)";
        for label in ["one", "two"] {
            let text = format!("@id(\"{label}\") {head} when {{ resource.hasTag(\"{label}\") }};");
            files.push((format!("{label}.cedar"), text));
        }
        let set = super::super::PolicySet::from_files(files).unwrap();
        assert_eq!(set.covering.labels_read(), &named(&["external-ca", "one", "two"]));
        assert_eq!(SHIPPED.base().covering.labels_read(), &named(&["external-ca"]));
    }
}

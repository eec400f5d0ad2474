//! What of the context policies read: a decision that reads nothing of it holds for every request of its kind, and what
//! is read of the session is recorded.
//!
//! **Invariant**: what a policy reads is in the answer. Where the policy's text does not tell, everything is.

use super::session::Attribute;
use cedar_policy::Policy;
use serde_json::Value;

/// What policies may read of a request's context.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ContextRead {
    /// Something of the action's own.
    circumstances: bool,
    session: [bool; Attribute::ALL.len()],
}

impl ContextRead {
    const ALL: Self = Self { circumstances: true, session: [true; Attribute::ALL.len()] };

    /// Of this policy.
    pub(super) fn of(policy: &Policy) -> Self {
        let mut read = Self::default();
        match policy.to_json() {
            Ok(json) => read.collect(&json["conditions"]),
            Err(_) => read = Self::ALL,
        }
        read
    }

    /// What either reads.
    #[must_use]
    pub(super) fn and(mut self, other: Self) -> Self {
        self.circumstances |= other.circumstances;
        self.session.iter_mut().zip(other.session).for_each(|(read, other)| *read |= other);
        self
    }

    /// They read nothing of it.
    pub(super) fn is_nothing(self) -> bool {
        self == Self::default()
    }

    /// Something of the session is read.
    pub(super) fn reads_session(self) -> bool {
        self.session.contains(&true)
    }

    /// What is read of the session.
    pub(super) fn attributes(self) -> impl Iterator<Item = Attribute> {
        Attribute::ALL.into_iter().zip(self.session).filter_map(|(attribute, read)| read.then_some(attribute))
    }

    /// Adds what `expression`, in Cedar's JSON form, reads.
    fn collect(&mut self, expression: &Value) {
        match path(expression).as_deref() {
            Some([]) => *self = Self::ALL,
            Some(["session"]) => self.session = Self::ALL.session,
            Some(["session", name, ..]) => match Attribute::ALL.iter().position(|known| known.as_str() == *name) {
                Some(index) => self.session[index] = true,
                None => self.session = Self::ALL.session,
            },
            Some(_) => self.circumstances = true,
            None => match expression {
                Value::Object(members) => members.values().for_each(|operands| self.collect(operands)),
                Value::Array(items) => items.iter().for_each(|item| self.collect(item)),
                _ => {}
            },
        }
    }
}

/// The attributes by which `expression` follows the context from its root, if that is what it does.
fn path(expression: &Value) -> Option<Vec<&str>> {
    if expression["Var"] == "context" {
        return Some(Vec::new());
    }
    let access = expression.get(".").or_else(|| expression.get("has"))?;
    let mut path = path(access.get("left")?)?;
    path.push(access["attr"].as_str()?);
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    /// What is read by a policy of this condition on `Sign`, which the validator accepts.
    fn read(conditions: &str) -> ContextRead {
        let head = "@id(\"a\") permit (principal, action == Chancery::Action::\"Sign\", resource)";
        let organization = chancery_model::OrganizationName::from_id("org1").unwrap();
        let policies = parse::organization(&organization, &format!("{head}\n{conditions};")).unwrap();
        ContextRead::of(&policies[0])
    }

    fn reads(circumstances: bool, session: &[Attribute]) -> ContextRead {
        ContextRead { circumstances, session: Attribute::ALL.map(|attribute| session.contains(&attribute)) }
    }

    #[test]
    fn what_is_read_is_found_wherever_it_stands_and_nothing_else() {
        use Attribute::{CertificateAge, Shim, SourceAddress, Time};
        let every = Attribute::ALL;
        for (conditions, expected) in [
            ("", reads(false, &[])),
            ("when { principal.name == \"context\" || resource.hasTag(\"session\") }", reads(false, &[])),
            ("when { {session: 1}.session == 1 && resource.name == \"x\" }", reads(false, &[])),
            ("when { context.size > 1 }", reads(true, &[])),
            ("unless { context.session.shim }", reads(false, &[Shim])),
            ("when { context.session.time > datetime(\"2026-01-01\") && context.size > 1 }", reads(true, &[Time])),
            (
                "when { context.session.certificateAge < 5 } unless { context.session.shim }",
                reads(false, &[CertificateAge, Shim]),
            ),
            ("when { context.session.sourceAddress.isInRange(ip(\"10.0.0.0/8\")) }", reads(false, &[SourceAddress])),
            ("when { !(if context.session.shim then principal.name == \"x\" else false) }", reads(false, &[Shim])),
            ("when { [context.session.time].contains(datetime(\"2026-01-01\")) }", reads(false, &[Time])),
            ("when { {a: context.session}.a.time.toTime() > duration(\"1h\") }", reads(false, &every)),
            ("when { context == {a: context}.a }", reads(true, &every)),
        ] {
            assert_eq!(read(conditions), expected, "{conditions}");
        }
    }

    #[test]
    fn what_two_read_is_what_either_reads() {
        let both = reads(false, &[Attribute::Time]).and(reads(true, &[Attribute::Shim]));
        assert_eq!(both, reads(true, &[Attribute::Time, Attribute::Shim]));
        assert_eq!(both.attributes().collect::<Vec<_>>(), [Attribute::Time, Attribute::Shim]);
        assert!(both.reads_session() && !both.is_nothing());
        assert!(ContextRead::default().is_nothing() && !reads(true, &[]).is_nothing());
        assert!(!reads(true, &[]).reads_session());
    }
}

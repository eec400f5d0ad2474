//! Names of many keys: one text in which `{}` stands for a number.
//!
//! **Invariant**: every number of the range makes a valid name, all of one length.

use chancery_api::names::{KeyName, OrganizationName};
use std::{fmt, ops::RangeInclusive};

/// What stands for the number.
const PLACE: &str = "{}";

/// The key or keys to make.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Target {
    One(KeyName),
    Many(Template),
}

/// A key's name with a place for a number.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Template {
    organization: OrganizationName,
    before: String,
    after: String,
}

/// A key's full name, or one with `{}` in its last part.
pub(super) fn target(text: &str) -> Result<Target, String> {
    let Some((before, after)) = text.split_once(PLACE) else {
        return text.parse().map(Target::One).map_err(|error: chancery_api::names::NameError| error.to_string());
    };
    let misplaced = || format!("{PLACE} stands once, in the last part of organizations/ORG/keys/KEY");
    // Whatever is valid around one digit is valid around more of them, as long as it is not too long.
    let named: KeyName = format!("{before}0{after}").parse().map_err(|_| misplaced())?;
    let before = before.rsplit_once('/').map(|(_, before)| before.to_owned()).ok_or_else(misplaced)?;
    if before.contains('/') || after.contains('/') || format!("{before}0{after}") != named.id() {
        return Err(misplaced());
    }
    Ok(Target::Many(Template { organization: named.organization().clone(), before, after: after.to_owned() }))
}

impl Template {
    /// The organization of all of them.
    pub(super) fn organization(&self) -> &OrganizationName {
        &self.organization
    }

    /// The name with this number, which has zeros before it so that all are as long as the last of `numbers`.
    ///
    /// # Errors
    /// When the name becomes too long.
    pub(super) fn name(&self, number: u64, numbers: &RangeInclusive<u64>) -> Result<KeyName, String> {
        let width = numbers.end().to_string().len();
        let id = format!("{}{number:0width$}{}", self.before, self.after);
        self.organization.key(&id).map_err(|error| error.to_string())
    }

    /// The number in a name of this form.
    pub(super) fn number(&self, name: &KeyName, numbers: &RangeInclusive<u64>) -> Option<u64> {
        let digits = name.id().strip_prefix(&self.before)?.strip_suffix(&self.after)?;
        let number = digits.parse().ok().filter(|number| numbers.contains(number))?;
        (self.name(number, numbers).as_ref() == Ok(name)).then_some(number)
    }

    /// A filter that lists all of them, and perhaps others.
    pub(super) fn filter(&self) -> String {
        format!("name={}*{}", self.before, self.after)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/keys/{}{PLACE}{}", self.organization, self.before, self.after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> Template {
        match target(text).unwrap() {
            Target::Many(template) => template,
            Target::One(name) => panic!("{name}"),
        }
    }

    #[test]
    fn numbers_are_as_wide_as_the_last() {
        let (template, numbers) = (template("organizations/org1/keys/node-{}-sign"), 1..=10_000);
        let name = template.name(7, &numbers).unwrap();
        assert_eq!(name.to_string(), "organizations/org1/keys/node-00007-sign");
        assert_eq!(template.number(&name, &numbers), Some(7));
        for other in ["node-7-sign", "node-00000-sign", "node-10001-sign", "node-x0007-sign", "node-00007"] {
            let name = format!("organizations/org1/keys/{other}").parse().unwrap();
            assert_eq!(template.number(&name, &numbers), None, "{other}");
        }
        assert!(template.name(1, &(1..=u64::MAX)).is_ok());
    }

    #[test]
    fn the_place_is_in_the_last_part_and_stands_once() {
        assert!(matches!(target("organizations/org1/keys/peer0"), Ok(Target::One(_))));
        assert_eq!(template("organizations/org1/keys/{}").to_string(), "organizations/org1/keys/{}");
        for text in ["organizations/org{}/keys/a", "organizations/org1/keys/{}-{}", "org1/batch-{}", "{}", "peer0"] {
            assert!(target(text).is_err(), "{text}");
        }
    }
}

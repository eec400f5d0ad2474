//! Which of an organization's keys a list shows.
//!
//! ```text
//! filter = term *( SP "AND" SP term )
//! term   = field ( "=" / "!=" ) value
//! field  = "algorithm" / "purpose" / "protection" / "owner" / "state" / "name" / "labels." LABEL
//! value  = 1*( any character but space and quotation mark )
//!        / quotation mark, any characters (\" and \\ for those two), quotation mark
//! ```
//!
//! **Invariants**: parsing takes time and memory in proportion to the text, which is bounded; a word that no key could
//! have is refused, not matched with nothing.
//!
//! **Not here**: what the caller may see (`policy`).

use crate::{
    directory::KeyEntry,
    model::{Algorithm, KeyState, Protection, Purpose, UnknownWord, covers},
};

/// The most bytes of a filter.
const LONGEST: usize = 2048;
/// The most terms of a filter.
const MOST_TERMS: usize = 16;

/// Terms that all hold. The empty filter holds for every key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter(Vec<Term>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    what: Test,
    /// `=`, or `!=`.
    equal: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Algorithm(Algorithm),
    Purpose(Purpose),
    Protection(Protection),
    /// Of the primary version.
    State(KeyState),
    /// The last part of the owner's name.
    Owner(String),
    /// A pattern for the last part of the key's name.
    Name(String),
    Label(String, String),
}

/// A filter that does not parse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// It is longer than any filter needs.
    #[error("{0} bytes; at most 2048")]
    TooLong(usize),
    /// Too many terms.
    #[error("more than 16 terms")]
    TooMany,
    /// No term begins where one must.
    #[error("at character {at}: {expected} expected")]
    Expected {
        /// Counted from 1.
        at: usize,
        /// What should stand there.
        expected: &'static str,
    },
    /// A field that keys don't have.
    #[error("at character {at}: `{field}` is none of: algorithm, purpose, protection, owner, state, name, labels.NAME")]
    Field {
        /// Counted from 1.
        at: usize,
        /// As given.
        field: String,
    },
    /// A word that the field can't have.
    #[error("at character {at}: {problem}")]
    Word {
        /// Counted from 1.
        at: usize,
        /// What it may be.
        problem: UnknownWord,
    },
}

impl Filter {
    /// Whether it holds for a key.
    pub fn matches(&self, entry: &KeyEntry) -> bool {
        self.0.iter().all(|term| term.what.holds(entry) == term.equal)
    }

    /// Whether it holds for every key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Test {
    fn holds(&self, entry: &KeyEntry) -> bool {
        let key = &entry.key;
        match self {
            Self::Algorithm(algorithm) => key.algorithm == *algorithm,
            Self::Purpose(purpose) => key.purpose == *purpose,
            Self::Protection(protection) => key.protection == *protection,
            Self::State(state) => entry.version(None).is_some_and(|version| version.row.state == *state),
            Self::Owner(name) => key.owner.id() == name,
            Self::Name(pattern) => covers(pattern, key.name.id()),
            Self::Label(name, value) => key.labels.get(name) == Some(value),
        }
    }

    fn new(field: &str, at: usize, value: String, value_at: usize) -> Result<Self, FilterError> {
        let word = |problem| FilterError::Word { at: value_at, problem };
        Ok(match field {
            "algorithm" => Self::Algorithm(value.parse().map_err(word)?),
            "purpose" => Self::Purpose(value.parse().map_err(word)?),
            "protection" => Self::Protection(value.parse().map_err(word)?),
            "state" => Self::State(value.parse().map_err(word)?),
            "owner" => Self::Owner(value),
            "name" => Self::Name(value),
            _ => match field.strip_prefix("labels.") {
                Some(label) if !label.is_empty() => Self::Label(label.to_owned(), value),
                _ => return Err(FilterError::Field { at, field: field.chars().take(80).collect() }),
            },
        })
    }
}

/// Where the parser stands.
struct Cursor<'t> {
    text: &'t str,
    byte: usize,
}

impl<'t> Cursor<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.byte..]
    }

    /// For people: characters, from 1.
    fn at(&self) -> usize {
        self.text[..self.byte].chars().count() + 1
    }

    fn expected(&self, expected: &'static str) -> FilterError {
        FilterError::Expected { at: self.at(), expected }
    }

    fn skip_spaces(&mut self) -> bool {
        let before = self.byte;
        self.byte += self.rest().len() - self.rest().trim_start_matches(' ').len();
        self.byte > before
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.byte += token.len();
        }
        found
    }

    fn take_until(&mut self, ends: &[char]) -> &'t str {
        let rest = self.rest();
        let taken = &rest[..rest.find(ends).unwrap_or(rest.len())];
        self.byte += taken.len();
        taken
    }

    fn term(&mut self) -> Result<Term, FilterError> {
        let at = self.at();
        let field = self.take_until(&['=', '!', ' ', '"']);
        if field.is_empty() {
            return Err(self.expected("a term, such as `algorithm=sm2`,"));
        }
        let unequal = self.take("!=");
        if !unequal && !self.take("=") {
            return Err(self.expected("`=` or `!=`"));
        }
        let value_at = self.at();
        let value = self.value()?;
        Ok(Term { what: Test::new(field, at, value, value_at)?, equal: !unequal })
    }

    fn value(&mut self) -> Result<String, FilterError> {
        if self.take("\"") {
            return self.quoted();
        }
        match self.take_until(&[' ', '"']) {
            "" => Err(self.expected("a value; an empty one is written `\"\"`,")),
            value => Ok(value.to_owned()),
        }
    }

    fn quoted(&mut self) -> Result<String, FilterError> {
        let mut value = String::new();
        loop {
            value.push_str(self.take_until(&['"', '\\']));
            if self.take("\"") {
                return Ok(value);
            }
            if self.take("\\\"") {
                value.push('"');
            } else if self.take("\\\\") {
                value.push('\\');
            } else if self.rest().is_empty() {
                return Err(self.expected("a closing quotation mark"));
            } else {
                return Err(self.expected("`\\\"` or `\\\\`"));
            }
        }
    }
}

impl std::str::FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        if text.len() > LONGEST {
            return Err(FilterError::TooLong(text.len()));
        }
        let mut cursor = Cursor { text, byte: 0 };
        let mut terms = Vec::new();
        cursor.skip_spaces();
        if cursor.rest().is_empty() {
            return Ok(Self(terms));
        }
        loop {
            if terms.len() == MOST_TERMS {
                return Err(FilterError::TooMany);
            }
            terms.push(cursor.term()?);
            let spaced = cursor.skip_spaces();
            if cursor.rest().is_empty() {
                return Ok(Self(terms));
            }
            if !spaced || !cursor.take("AND") || !cursor.skip_spaces() {
                return Err(cursor.expected("` AND ` and another term, or the end,"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{Check, Key, KeyVersion, OrganizationName},
        store::Row,
    };
    use proptest::prelude::*;

    fn entry(id: &str, labels: &[(&str, &str)]) -> KeyEntry {
        let organization = OrganizationName::from_id("org1").unwrap();
        let name = organization.key(id).unwrap();
        let key = Key {
            name: name.clone(),
            owner: organization.principal("peer0").unwrap(),
            purpose: Purpose::Mac,
            algorithm: Algorithm::HmacSha256,
            protection: Protection::Enclave,
            check: Check::Never,
            labels: labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            primary_version: 1,
            create_time: 1,
            rotation: None,
            next_rotation: None,
            overlap: None,
            pool_size: 0,
        };
        let version = KeyVersion::new(name.version(1), KeyState::Suspended, Vec::new(), 1);
        KeyEntry::changed(None, &[Row::Key(key), Row::KeyVersion(version)]).unwrap()
    }

    #[test]
    fn terms_hold_for_the_keys_that_they_describe() {
        let entry = entry("peer0.sign", &[("env", "production"), ("note", "a \"b\" \\ c"), ("empty", "")]);
        for (filter, expected) in [
            ("", true),
            ("  ", true),
            ("algorithm=hmac-sha256", true),
            ("algorithm!=hmac-sha256", false),
            ("algorithm=sm2", false),
            ("purpose=mac AND protection=enclave AND state=SUSPENDED AND owner=peer0", true),
            ("purpose=mac AND protection=token", false),
            ("state!=ACTIVE", true),
            ("owner!=peer0", false),
            ("name=peer0.sign", true),
            ("name=peer0", false),
            ("name=peer*", true),
            ("name!=*.sign", false),
            ("labels.env=production", true),
            ("labels.env=test", false),
            ("labels.env!=test", true),
            ("labels.env!==", true),
            ("labels.env==", false),
            ("labels.absent=x", false),
            ("labels.absent!=x", true),
            ("labels.empty=\"\"", true),
            ("labels.absent=\"\"", false),
            (r#"labels.note="a \"b\" \\ c""#, true),
            ("  name=peer*   AND   state=SUSPENDED  ", true),
            ("name=\"peer0.sign\"", true),
        ] {
            let parsed: Filter = filter.parse().unwrap_or_else(|error| panic!("{filter}: {error}"));
            assert_eq!(parsed.matches(&entry), expected, "{filter}");
        }
    }

    #[test]
    fn what_is_no_filter_is_refused_where_it_goes_wrong() {
        let problems: Vec<_> = [
            "algorithm",
            "=sm2",
            "algorithm=",
            "algorithm=sm3",
            "state=active",
            "colour=red",
            "labels.=x",
            "labels=x",
            "name=a name=b",
            "name=a AND",
            "name=a AND ",
            "name=a and name=b",
            "name=a OR name=b",
            "name=aANDname=b AND x",
            "name=\"a",
            "name=\"a\"b",
            "name=\"\\n\"",
            "name=a\"b",
            "näme=a AND x",
            "NOT name=a",
        ]
        .iter()
        .map(|text| format!("{text}: {}", text.parse::<Filter>().unwrap_err()))
        .collect();
        insta::assert_snapshot!(problems.join("\n"), @r#"
        algorithm: at character 10: `=` or `!=` expected
        =sm2: at character 1: a term, such as `algorithm=sm2`, expected
        algorithm=: at character 11: a value; an empty one is written `""`, expected
        algorithm=sm3: at character 11: `sm3` is none of: ec-p256, ec-p384, ec-p521, ec-secp256k1, ed25519, rsa-2048, rsa-3072, rsa-4096, sm2, ml-dsa-44, ml-dsa-65, ml-dsa-87, x25519, aes-256, sm4, hmac-sha256
        state=active: at character 7: `active` is none of: PRE_ACTIVE, ACTIVE, SUSPENDED, DEACTIVATED, COMPROMISED, DESTROYED
        colour=red: at character 1: `colour` is none of: algorithm, purpose, protection, owner, state, name, labels.NAME
        labels.=x: at character 1: `labels.` is none of: algorithm, purpose, protection, owner, state, name, labels.NAME
        labels=x: at character 1: `labels` is none of: algorithm, purpose, protection, owner, state, name, labels.NAME
        name=a name=b: at character 8: ` AND ` and another term, or the end, expected
        name=a AND: at character 11: ` AND ` and another term, or the end, expected
        name=a AND : at character 12: a term, such as `algorithm=sm2`, expected
        name=a and name=b: at character 8: ` AND ` and another term, or the end, expected
        name=a OR name=b: at character 8: ` AND ` and another term, or the end, expected
        name=aANDname=b AND x: at character 22: `=` or `!=` expected
        name="a: at character 8: a closing quotation mark expected
        name="a"b: at character 9: ` AND ` and another term, or the end, expected
        name="\n": at character 7: `\"` or `\\` expected
        name=a"b: at character 7: ` AND ` and another term, or the end, expected
        näme=a AND x: at character 1: `näme` is none of: algorithm, purpose, protection, owner, state, name, labels.NAME
        NOT name=a: at character 4: `=` or `!=` expected
        "#);
        assert_eq!("x".repeat(2049).parse::<Filter>(), Err(FilterError::TooLong(2049)));
        let terms = |count: usize| vec!["name=a"; count].join(" AND ");
        assert!(terms(16).parse::<Filter>().is_ok());
        assert_eq!(terms(17).parse::<Filter>(), Err(FilterError::TooMany));
    }

    proptest! {
        #[test]
        fn any_text_is_a_filter_or_refused(text in "\\PC{0,60}", words in proptest::collection::vec(
            prop_oneof!["=", "!=", "\"", "\\\\", " ", "AND", "name", "labels.", "sm2", "algorithm", "ü"], 0..20,
        )) {
            for text in [text, words.concat()] {
                if let Ok(filter) = text.parse::<Filter>() {
                    let _ = filter.matches(&entry("a", &[]));
                }
            }
        }

        #[test]
        fn a_quoted_value_is_taken_as_it_is(value in "\\PC{0,40}") {
            let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
            let filter: Filter = format!("labels.x=\"{quoted}\"").parse().unwrap();
            prop_assert!(filter.matches(&entry("a", &[("x", &value)])));
        }
    }
}

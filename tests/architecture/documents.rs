//! The documents name what exists: error reasons, tests, threats.

use crate::{code::identifiers, source};
use chancery::{config::Configuration, model::OrganizationName, policy::OrganizationSet};
use std::{collections::BTreeSet, path::Path};

/// The rows of a document's tables that begin with a code span: that span, and the rest of the row.
fn rows(document: &str) -> Vec<(&str, &str)> {
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    rows.collect()
}

/// The code spans of a text.
fn spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_error_reason_is_explained() {
    let document = source::read("docs/errors.md");
    let explained: Vec<_> = rows(&document).into_iter().map(|(reason, _)| reason).collect();
    let reasons: Vec<_> = chancery_api::reasons::ALL.iter().map(|(reason, _)| *reason).collect();
    let missing: Vec<_> = reasons.iter().filter(|reason| !explained.contains(reason)).collect();
    let stale: Vec<_> = explained.iter().filter(|reason| !reasons.contains(reason)).collect();
    assert!(missing.is_empty() && stale.is_empty(), "docs/errors.md lacks {missing:?} and has too much: {stale:?}");
}

/// An organization could set every policy that docs/policy.md shows, alone and all of them together.
#[test]
fn every_example_of_a_policy_is_accepted() {
    let document = source::read("docs/policy.md");
    let blocks = document.split("```cedar\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
    let examples: Vec<_> = blocks.collect();
    assert!(examples.len() > 4, "only {} examples in docs/policy.md", examples.len());
    for text in examples.iter().copied().chain([examples.concat().as_str()]) {
        let organization = OrganizationName::from_id("org1").unwrap();
        OrganizationSet::parse(organization, text.to_owned()).unwrap_or_else(|error| panic!("{text}\n{error}"));
    }
}

/// As it stands, and with every default spelt out.
#[test]
fn the_example_configuration_is_valid() {
    let example = source::read("docs/chancery.toml");
    let spelt_out: Vec<_> =
        (example.lines()).map(|line| line.strip_prefix("# ").filter(|rest| is_setting(rest)).unwrap_or(line)).collect();
    let spelt_out = spelt_out.join("\n") + "\n";
    assert_ne!(spelt_out, example, "no default was found in the comments");
    for text in [example, spelt_out] {
        Configuration::parse(&text, Path::new("/etc/chancery")).unwrap();
    }
}

fn is_setting(line: &str) -> bool {
    line.split_once(" = ").is_some_and(|(key, _)| key.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
}

/// docs/architecture.md names, for every invariant, the tests that hold it: in code spans of a row's last cell.
#[test]
fn every_test_that_architecture_names_exists() {
    let document = source::read("docs/architecture.md");
    let sources: Vec<_> = source::rust().into_iter().chain(source::files("tests", "py")).collect();
    let (mut named, mut missing) = (0, Vec::new());
    let invariants = document.lines().filter(|line| line.starts_with("| I-"));
    for row in invariants {
        let holders = row.trim_end_matches([' ', '|']).rsplit('|').next().unwrap_or_default();
        let holders: Vec<_> = spans(holders).collect();
        assert!(!holders.is_empty(), "no test holds this: {row}");
        for holder in holders {
            named += 1;
            // A file, a command, or the name of a test function.
            let exists = source::exists(holder)
                || holder.starts_with("make ")
                || sources
                    .iter()
                    .any(|file| ["fn", "def"].iter().any(|word| file.text.contains(&format!("{word} {holder}("))));
            if !exists {
                missing.push(holder);
            }
        }
    }
    assert!(named > 10, "only {named} tests found in docs/architecture.md: its table changed its form");
    assert!(missing.is_empty(), "docs/architecture.md names tests that do not exist: {missing:#?}");
}

/// Code cites threats and mitigations by their ids (`M-3`); every id that it cites is defined.
#[test]
fn every_cited_threat_is_in_the_threat_model() {
    let document = source::read("docs/threat-model.md");
    let defined: BTreeSet<_> = ids(&document).collect();
    assert!(defined.len() > 20, "only {} ids in docs/threat-model.md", defined.len());
    for file in source::rust() {
        let comments = file.text.lines().filter_map(|line| line.split_once("//").map(|(_, comment)| comment));
        for id in comments.flat_map(ids) {
            assert!(defined.contains(id), "{} cites {id}, which docs/threat-model.md does not have", file.path);
        }
    }
}

/// `M-1`, `O-2`, `U-3` … in a text.
fn ids(text: &str) -> impl Iterator<Item = &str> {
    identifiers(text).filter_map(|(at, word)| {
        let number = text[at + word.len()..].strip_prefix('-')?;
        let digits = number.len() - number.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let is_id = matches!(word, "M" | "O" | "U") && digits > 0;
        is_id.then(|| &text[at..at + word.len() + 1 + digits])
    })
}

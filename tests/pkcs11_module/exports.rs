//! What the library shows to the process that loads it.

use crate::place::{Place, module};
use std::process::Command;

/// A symbol of another name could take the place of one of the host's, or of another module's.
#[test]
fn nothing_but_the_standards_functions_is_exported() {
    let output = Command::new("nm").args(["-D", "--defined-only"]).arg(module()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let names: Vec<_> = text.lines().filter_map(|line| line.split_whitespace().last()).collect();
    let others: Vec<_> = names.iter().filter(|name| !name.starts_with("C_")).collect();
    assert!(others.is_empty(), "exported: {others:?}");
    assert_eq!(names.len(), 92, "{names:?}");

    let document = include_str!("../../docs/pkcs11.md");
    let (_, rest) = document.split_once("\n## Functions\n").unwrap();
    let (table, _) = rest.split_once("\n## ").unwrap();
    let words: Vec<_> = table.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let missing: Vec<_> = names.iter().filter(|name| !words.contains(name)).collect();
    assert!(missing.is_empty(), "docs/pkcs11.md, \"Functions\", does not name {missing:?}");
}

/// Every module exports the same names: in a process where another one's are visible to all, the lists must still hold
/// this one's. A relocation that names a function would let the loader choose.
#[test]
fn the_lists_cant_be_given_another_modules_functions() {
    let output = Command::new("readelf").args(["-W", "-r"]).arg(module()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.lines().count() > 100, "{text}");
    let named: Vec<_> = text.lines().filter(|line| line.contains(" C_")).collect();
    assert!(named.is_empty(), "{named:#?}");
}

#[test]
fn both_lists_have_every_function_in_its_place() {
    Place::new().holds("lists");
}

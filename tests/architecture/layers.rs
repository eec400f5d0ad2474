//! Which module of the service uses which, and whether that points down.

use crate::{
    LAYERS,
    code::{identifiers, without_comments_and_literals},
    source,
};
use std::collections::BTreeSet;

#[test]
fn dependencies_of_the_service_point_down() {
    let files = source::files("src", "rs");
    let modules: BTreeSet<_> = files.iter().filter_map(|file| module(&file.path)).collect();
    let layered: BTreeSet<_> = LAYERS.iter().flat_map(|layer| layer.iter().copied()).collect();
    let unknown: Vec<_> = modules.symmetric_difference(&layered).collect();
    assert!(unknown.is_empty(), "in src/ or in the table LAYERS, and not in both: {unknown:?}");

    let wrong: Vec<_> = files.iter().flat_map(|file| upward(&file.path, &file.text)).collect();
    assert!(wrong.is_empty(), "these point up or sideways (see LAYERS):\n{}", wrong.join("\n"));
}

#[test]
fn an_upward_dependency_is_found_however_it_is_spelt() {
    for (path, text) in [
        ("src/store/rows.rs", "use crate::grpc::Status;"),
        ("src/store/rows.rs", "use crate::{model::Key, grpc};"),
        ("src/store/rows.rs", "use crate::{\n    model::{Key, State},\n    grpc::{self, x},\n};"),
        ("src/store/rows.rs", "fn f() -> crate::grpc::Status { todo() }"),
        ("src/store/rows.rs", "use super::super::grpc;"),
        ("src/store/mod.rs", "use super::grpc::Status;"),
        ("src/store.rs", "use super::{model, grpc};"),
        ("src/store/mod.rs", "use crate::identity::Registry;"),
    ] {
        assert_eq!(upward(path, text).len(), 1, "{path}: {text}");
    }
    for (path, text) in [
        ("src/store/rows.rs", "use crate::{model::Key, error::Error};"),
        ("src/store/rows.rs", "/// See [`crate::grpc`].\nuse crate::store::Row; use super::Row;"),
        ("src/store/rows.rs", "use crate::model::grpc; mod grpc; use super::grpc::x;"),
        ("src/grpc/sign.rs", "use crate::{store::Row, signing::sign};"),
        ("src/lib.rs", "pub mod grpc; use crate::grpc::Server;"),
    ] {
        assert_eq!(upward(path, text), Vec::<String>::new(), "{path}: {text}");
    }
}

/// The top-level module of a file of src/; `None` for `lib.rs` and `main.rs`.
pub(crate) fn module(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?;
    let first = inside.split('/').next()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (!matches!(first, "lib.rs" | "main.rs")).then_some(name)
}

fn level(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// Uses of modules that are not below the file's own.
fn upward(path: &str, text: &str) -> Vec<String> {
    let Some(own) = module(path) else { return Vec::new() };
    let own_level = level(own).unwrap_or_else(|| panic!("{own} is not in LAYERS"));
    let mut wrong = Vec::new();
    for used in used_modules(path, &without_comments_and_literals(text)) {
        if used != own && level(used).is_some_and(|level| level <= own_level) {
            wrong.push(format!("{path}: `{own}` uses `{used}`"));
        }
    }
    wrong
}

/// The top-level modules that a file's paths begin with: `crate::x`, and `super::…::x` where that leads to the root.
fn used_modules<'c>(path: &str, code: &'c str) -> BTreeSet<&'c str> {
    let mut used = BTreeSet::new();
    let mut supers = 0;
    for (at, word) in identifiers(code) {
        let rest = code[at + word.len()..].trim_start();
        let continues = rest.strip_prefix("::").map(str::trim_start);
        supers = if word == "super" { supers + 1 } else { 0 };
        if let Some(rest) = continues
            && (word == "crate" || supers == depth(path))
        {
            used.extend(first_words(rest));
        }
    }
    used
}

/// How many `super` lead from a file to the crate's root.
fn depth(path: &str) -> usize {
    let below = path.trim_start_matches("src/").trim_end_matches("/mod.rs");
    below.split('/').count()
}

/// What a path goes on with: `x…` is x, `{x…, y…}` is x and y.
fn first_words(rest: &str) -> Vec<&str> {
    let Some(group) = rest.strip_prefix('{') else {
        return identifiers(rest).next().filter(|(at, _)| *at == 0).map(|(_, word)| word).into_iter().collect();
    };
    let mut words = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (at, c) in group.char_indices() {
        let ends = match c {
            '{' => {
                depth += 1;
                false
            }
            '}' if depth > 0 => {
                depth -= 1;
                false
            }
            '}' => true,
            ',' => depth == 0,
            _ => false,
        };
        if ends {
            words.extend(identifiers(&group[start..at]).next().map(|(_, word)| word));
            start = at + 1;
        }
        if c == '}' && ends {
            break;
        }
    }
    words
}

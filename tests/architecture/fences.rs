//! Crates that few modules may name, unsafe code, and the length of files.

use crate::{
    FENCED_CRATES, LONGEST_FILE, UNSAFE_FILES,
    code::{identifiers, without_comments_and_literals},
    layers::module,
    source,
};

#[test]
fn only_its_own_module_names_a_fenced_crate() {
    let files = source::files("src", "rs");
    let wrong: Vec<_> = files.iter().flat_map(|file| outside_fence(&file.path, &file.text)).collect();
    assert!(wrong.is_empty(), "see FENCED_CRATES:\n{}", wrong.join("\n"));
}

#[test]
fn a_fenced_crate_is_found_outside_its_module() {
    assert_eq!(outside_fence("src/keys/create.rs", "use tonic::Status;").len(), 1);
    assert_eq!(outside_fence("src/keys/create.rs", "fn f() { tonic_health::server::x() }").len(), 1);
    assert_eq!(outside_fence("src/grpc/keys.rs", "use tonic::Status;"), Vec::<String>::new());
    assert_eq!(outside_fence("src/keys/create.rs", "// tonic::Status\nlet tonics = 1;"), Vec::<String>::new());
}

fn outside_fence(path: &str, text: &str) -> Vec<String> {
    let code = without_comments_and_literals(text);
    let own = module(path).unwrap_or("main");
    let mut wrong = Vec::new();
    for (fenced, modules) in FENCED_CRATES {
        let named = identifiers(&code)
            .any(|(_, word)| word.strip_prefix(fenced).is_some_and(|rest| rest.is_empty() || rest.starts_with('_')));
        if named && !modules.contains(&own) {
            wrong.push(format!("{path} names {fenced}, which only {} may", modules.join(", ")));
        }
    }
    wrong
}

#[test]
fn every_crate_forbids_unsafe_code() {
    let files = source::rust();
    for package in source::packages() {
        let roots = ["src/lib.rs", "src/main.rs"].map(|root| format!("{package}{root}"));
        let fenced = UNSAFE_FILES.iter().any(|file| file.starts_with(&format!("{package}src/")));
        let accepted: &[_] = if fenced { &["deny", "forbid"] } else { &["forbid"] };
        for file in files.iter().filter(|file| roots.contains(&file.path)) {
            let says = accepted.iter().any(|level| file.text.contains(&format!("#![{level}(unsafe_code)]")));
            assert!(says, "{} must say one of {accepted:?}: `#![…(unsafe_code)]`", file.path);
        }
    }
}

#[test]
fn unsafe_code_stands_only_in_the_fenced_files() {
    for file in source::rust() {
        let code = without_comments_and_literals(&file.text);
        let found = identifiers(&code).any(|(_, word)| word == "unsafe");
        assert_eq!(found, UNSAFE_FILES.contains(&file.path.as_str()), "{}: see UNSAFE_FILES", file.path);
    }
}

#[test]
fn no_file_is_too_long_to_read() {
    let long: Vec<_> = (source::rust().iter())
        .map(|file| (file.path.clone(), file.text.lines().count()))
        .filter(|(_, lines)| *lines > LONGEST_FILE)
        .collect();
    assert!(long.is_empty(), "over {LONGEST_FILE} lines, split them: {long:?}");
}

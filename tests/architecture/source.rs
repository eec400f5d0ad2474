//! The workspace's files.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A source file.
pub(crate) struct File {
    /// Relative to the workspace's root.
    pub(crate) path: String,
    pub(crate) text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the workspace.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Whether the workspace has that file or folder.
pub(crate) fn exists(path: &str) -> bool {
    root().join(path).exists()
}

/// Every file of that extension under a folder, by path; none if there is no such folder.
pub(crate) fn files(folder: &str, extension: &str) -> Vec<File> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(File { path: relative(&path), text: fs::read_to_string(&path).unwrap() });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// All Rust code of the workspace.
pub(crate) fn rust() -> Vec<File> {
    let files: Vec<_> =
        ["src", "crates", "tests", "benches", "fuzz"].into_iter().flat_map(|f| files(f, "rs")).collect();
    assert!(files.len() > 50, "only {} files: the scan looks in the wrong place", files.len());
    files
}

/// The folders of all packages.
pub(crate) fn packages() -> Vec<String> {
    let mut packages = vec![String::new()];
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        packages.push(relative(&entry.unwrap().path()) + "/");
    }
    packages.sort();
    packages
}

fn relative(path: &Path) -> String {
    let path: PathBuf = path.strip_prefix(root()).unwrap().into();
    path.to_str().unwrap().to_owned()
}

//! `chancery policy check`: offline.
//!
//! **Invariant**: what passes here is accepted by a service of this version.

use super::text;
use crate::{
    failure::CliError,
    output::{self, Output},
};
use chancery_api::names::OrganizationName;
use chancery_policy::{Finding, OrganizationSet, PolicyError, PolicySet};
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true))]
pub(crate) struct Args {
    /// A base set: a directory, or its *.cedar files
    #[arg(group = "what", value_name = "DIR|FILE")]
    paths: Vec<PathBuf>,
    /// An organization's own policies
    #[arg(long, group = "what", value_name = "FILE")]
    organization: Option<PathBuf>,
}

/// What passed.
struct Passed {
    what: String,
    policies: usize,
    /// Of a base set; that of an organization's own depends on whose it is.
    hash: Option<[u8; 32]>,
}

pub(crate) fn run(form: Output, args: &Args) -> Result<ExitCode, CliError> {
    let mut passed = Vec::new();
    if !args.paths.is_empty() {
        passed.push(base(&args.paths)?);
    }
    if let Some(path) = &args.organization {
        passed.push(own(path)?);
    }
    match form {
        Output::Json => output::json(
            &(passed.iter())
                .map(|of| json!({ "set": of.what, "policies": of.policies, "hash": of.hash.map(hex::encode) }))
                .collect::<Vec<_>>(),
        )?,
        Output::Table => {
            for of in &passed {
                let hash = of.hash.map(|hash| format!(", hash {}", hex::encode(hash))).unwrap_or_default();
                let policies = if of.policies == 1 { "policy" } else { "policies" };
                output::summary(false, &format!("{}: {} {policies}{hash}", of.what, of.policies))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn base(paths: &[PathBuf]) -> Result<Passed, CliError> {
    let (set, folder) = match paths {
        [directory] if directory.is_dir() => (PolicySet::load(directory), Some(directory.as_path())),
        files => (PolicySet::from_files(read(files)?), None),
    };
    let set = set.map_err(|error| refused(error, |name| named(name, paths, folder)))?;
    let what = if folder.is_some() { paths[0].display().to_string() } else { "the files".to_owned() };
    Ok(Passed { what, policies: set.count(), hash: Some(set.hash()) })
}

/// Files that are named one by one, with this version's schema where it is not among them.
fn read(paths: &[PathBuf]) -> Result<Vec<(String, String)>, CliError> {
    let mut files = Vec::with_capacity(paths.len() + 1);
    for path in paths {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        files.push((name, text(path)?));
    }
    let schema = |name: &str| name.ends_with(".cedarschema");
    if !files.iter().any(|(name, _)| schema(name)) {
        let shipped = PolicySet::shipped().iter().filter(|(name, _)| schema(name));
        files.extend(shipped.map(|(name, text)| ((*name).to_owned(), (*text).to_owned())));
    }
    Ok(files)
}

/// Where the file of this name was given.
fn named(name: &str, paths: &[PathBuf], folder: Option<&Path>) -> String {
    let path = folder.map(|folder| folder.join(name));
    let path = path.or_else(|| paths.iter().find(|path| path.file_name().is_some_and(|of| of == name)).cloned());
    path.map_or_else(|| name.to_owned(), |path| path.display().to_string())
}

fn refused(error: PolicyError, named: impl Fn(&str) -> String) -> CliError {
    match error {
        PolicyError::Invalid(findings) => {
            CliError::Policies(findings.into_iter().map(|of| Finding { file: named(&of.file), ..of }).collect())
        }
        PolicyError::Unreadable { path, source } => CliError::Read { path, source },
        other => CliError::Rejected(other.to_string()),
    }
}

fn own(path: &Path) -> Result<Passed, CliError> {
    // Whose they are does not decide what is wrong with them, but it is part of the hash.
    let organization =
        OrganizationName::from_id("organization").map_err(|error| CliError::Internal(error.to_string()))?;
    let given = path.display().to_string();
    let set = OrganizationSet::parse(organization, text(path)?).map_err(|error| refused(error, |_| given.clone()))?;
    Ok(Passed { what: given, policies: set.count(), hash: None })
}

//! `chancery backup create`.
//!
//! **Invariant**: the file takes its place only when it is complete and is what the service recorded.

use super::file::Summary;
use crate::{
    cli::Global,
    failure::{CliError, Doing as _},
    files::{self, Pending},
    keys::{ended_early, organization},
    output::{self, Output},
    pem,
    progress::Progress,
};
use chancery_api::{
    names::{OrganizationName, PrincipalName},
    v1::{BackUpKeysRequest, Backup, Custodian},
};
use chancery_client::{ClientError, Code, request_id};
use chancery_transfer::envelope::PublicKey;
use sha2::{Digest as _, Sha256};
use std::{path::PathBuf, process::ExitCode};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// organizations/ORG or ORG
    #[arg(value_parser = organization)]
    organization: OrganizationName,
    /// How many of the custodians can restore it together
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..=16))]
    threshold: u32,
    /// Who gets a share: a principal of the organization, and its certificate or public key (P-256), PEM or DER; may be
    /// given up to 16 times
    #[arg(long = "custodian", value_name = "NAME=FILE", required = true, value_parser = custodian)]
    custodians: Vec<(String, PathBuf)>,
    /// Where to write the backup
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Say how far it is also where stderr is no terminal
    #[arg(long)]
    progress: bool,
}

fn custodian(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, file)) if !name.is_empty() && !file.is_empty() => Ok((name.to_owned(), file.into())),
        _ => Err("a custodian is NAME=FILE".to_owned()),
    }
}

/// A principal of the organization, by short id or full name.
pub(super) fn principal(organization: &OrganizationName, name: &str) -> Result<PrincipalName, CliError> {
    let parsed = if name.contains('/') { PrincipalName::parse_lenient(name) } else { organization.principal(name) };
    let parsed = parsed.map_err(|error| CliError::Usage(format!("--custodian: {error}")))?;
    if parsed.organization() != organization {
        return Err(CliError::Usage(format!("--custodian: {parsed} is no principal of {organization}")));
    }
    Ok(parsed)
}

impl Args {
    fn custodians(&self) -> Result<Vec<Custodian>, CliError> {
        let custodian = |(name, path): &(String, PathBuf)| {
            let public_key = pem::public_key(path, &files::read(path, pem::MAX_FILE)?)?;
            PublicKey::from_spki(&public_key)
                .map_err(|_| CliError::Rejected(format!("{}: a custodian's key is of P-256", path.display())))?;
            Ok(Custodian { principal: principal(&self.organization, name)?.to_string(), public_key })
        };
        let custodians: Vec<_> = self.custodians.iter().map(custodian).collect::<Result<_, CliError>>()?;
        if custodians.len() < self.threshold as usize {
            let count = custodians.len();
            return Err(CliError::Usage(format!("{} shares can't come from {count} custodians", self.threshold)));
        }
        Ok(custodians)
    }
}

pub(crate) async fn run(global: &Global, args: &Args) -> Result<ExitCode, CliError> {
    let request = BackUpKeysRequest {
        parent: args.organization.to_string(),
        threshold: args.threshold,
        custodians: args.custodians()?,
        request_id: request_id(),
    };
    let mut file = Pending::begin(&args.out)?;
    let client = global.connect().await?;
    let doing = format!("back up the keys of {}", args.organization);
    // No deadline: it takes as long as there are keys, and says how far it is.
    let opened = client.keys().back_up_keys(request).await;
    let mut answers = opened.map_err(ClientError::from).doing(doing.as_str())?.into_inner();
    let progress = Progress::new(0, "keys", args.progress);
    let (mut sha256, mut summary, mut made) = (Sha256::new(), Summary::default(), None);
    while let Some(answer) = answers.message().await.map_err(ClientError::from).doing(doing.as_str())? {
        progress.set_of(answer.done, answer.total);
        sha256.update(&answer.chunk);
        summary
            .add(&answer.chunk)
            .map_err(|error| CliError::Internal(format!("the service sent no backup: {error}")))?;
        file.write(&answer.chunk)?;
        made = made.or(answer.backup);
    }
    progress.finish();
    let made: Backup = made.ok_or_else(|| ended_early(Code::Unavailable)).doing(doing)?;
    summary.finish().map_err(|error| CliError::Internal(format!("the service sent no whole backup: {error}")))?;
    let sha256 = sha256.finalize();
    if sha256[..] != made.sha256[..] {
        return Err(CliError::Internal("the backup was damaged on its way: nothing was written".into()));
    }
    file.complete()?;
    print(global.output, args, &made)?;
    Ok(ExitCode::SUCCESS)
}

fn print(form: Output, args: &Args, made: &Backup) -> Result<(), CliError> {
    if form == Output::Json {
        return output::json(&super::list::json(made));
    }
    output::fields(&[
        ("backup", made.name.clone()),
        ("file", args.out.display().to_string()),
        ("sha256", hex::encode(&made.sha256)),
        ("versions", made.versions.to_string()),
        ("not in it", not_in_it(made)),
        ("restored by", format!("{} of {}", made.threshold, made.custodians.join(", "))),
    ])
}

/// What stays where it is.
pub(super) fn not_in_it(made: &Backup) -> String {
    match made.token_versions {
        0 => "nothing".to_owned(),
        versions => format!("versions in the token, which stay there: {versions}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn custodians_are_principals_of_the_organization() {
        let organization = "organizations/org1".parse().unwrap();
        assert_eq!(custodian("alice=a=b.pem").unwrap(), ("alice".to_owned(), "a=b.pem".into()));
        assert!(custodian("alice").is_err() && custodian("=a.pem").is_err());
        for name in ["alice", "org1/alice", "organizations/org1/principals/alice"] {
            assert_eq!(principal(&organization, name).unwrap().short(), "org1/alice");
        }
        assert_eq!(principal(&organization, "org2/alice").unwrap_err().exit_code(), 64);
    }
}

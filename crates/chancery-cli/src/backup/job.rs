//! `chancery backup job`, and the file it writes for custodians.

use crate::{
    attestation::TransportKey,
    call::call,
    cli::Global,
    failure::CliError,
    files,
    keys::{Keys, organization},
    output, time,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_api::{
    names::OrganizationName,
    v1::{CreateRestoreJobRequest, ImportJob},
};
use chancery_audit::checkpoint::VerifierKey;
use chancery_transfer::{backup::custody::Destination, statement::TransportPurpose};
use serde::{Deserialize, Serialize};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// No job's file is longer than this, in bytes.
const MAX_FILE: u64 = 64 << 10;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// organizations/ORG or ORG
    #[arg(value_parser = organization)]
    organization: OrganizationName,
    /// Where to write the job, JSON, for the custodians; - is standard output
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawJob {
    organization: String,
    deployment: String,
    /// Hexadecimal.
    id: String,
    /// Hexadecimal.
    public_key: String,
    expire_time: String,
    statement: String,
    /// Base64 (RFC 4648 §4).
    signature: String,
}

/// A restore job: where shares are sealed to.
#[derive(Debug, PartialEq)]
pub(super) struct Job {
    pub(super) organization: OrganizationName,
    pub(super) deployment: String,
    pub(super) id: Vec<u8>,
    pub(super) public_key: Vec<u8>,
    expire_time: String,
    statement: String,
    signature: Vec<u8>,
}

impl Job {
    fn new(organization: OrganizationName, job: ImportJob) -> Self {
        let said = job.attestation.unwrap_or_default();
        Self {
            organization,
            deployment: job.deployment,
            id: job.id,
            public_key: job.public_key,
            expire_time: time::rfc3339(job.expire_time),
            statement: said.statement,
            signature: said.signature,
        }
    }

    /// Reads what [`run`] wrote.
    ///
    /// # Errors
    /// [`CliError::Rejected`] when it is something else.
    pub(super) fn read(path: &Path) -> Result<Self, CliError> {
        let bytes = files::read(path, MAX_FILE)?;
        Self::parse(&bytes).ok_or_else(|| {
            CliError::Rejected(format!("{} is no file that `chancery backup job` writes", path.display()))
        })
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let raw: RawJob = serde_json::from_slice(bytes).ok()?;
        Some(Self {
            organization: raw.organization.parse().ok()?,
            deployment: raw.deployment,
            id: hex::decode(raw.id).ok()?,
            public_key: hex::decode(raw.public_key).ok()?,
            expire_time: raw.expire_time,
            statement: raw.statement,
            signature: STANDARD.decode(raw.signature).ok()?,
        })
    }

    fn to_file(&self) -> Result<Vec<u8>, CliError> {
        let raw = RawJob {
            organization: self.organization.to_string(),
            deployment: self.deployment.clone(),
            id: hex::encode(&self.id),
            public_key: hex::encode(&self.public_key),
            expire_time: self.expire_time.clone(),
            statement: self.statement.clone(),
            signature: STANDARD.encode(&self.signature),
        };
        let mut text = serde_json::to_vec_pretty(&raw).map_err(|error| CliError::Internal(error.to_string()))?;
        text.push(b'\n');
        Ok(text)
    }

    /// Whether the enclave vouches for the job's key.
    ///
    /// # Errors
    /// [`CliError::Unattested`].
    pub(super) fn check(&self, audit_key: &VerifierKey) -> Result<(), CliError> {
        let attested = TransportKey {
            organization: self.organization.id(),
            deployment: &self.deployment,
            id: &self.id,
            public_key: &self.public_key,
            purpose: TransportPurpose::Restore,
        };
        attested.check(&self.statement, &self.signature, audit_key)
    }

    /// Where shares go.
    pub(super) fn destination(&self) -> Destination<'_> {
        Destination { deployment: &self.deployment, transport_key: &self.id, public_key: &self.public_key }
    }
}

pub(crate) async fn run(global: &Global, args: &Args) -> Result<ExitCode, CliError> {
    let client = global.connect().await?;
    let request = CreateRestoreJobRequest { parent: args.organization.to_string() };
    let create = |mut keys: Keys, request| async move { keys.create_restore_job(request).await };
    let doing = format!("begin a restore of {}", args.organization);
    let job = Job::new(args.organization.clone(), call(&client, client.keys(), &request, create, doing).await?);
    files::write(&args.out, &job.to_file()?)?;
    if !output::is_dash(&args.out) {
        let line = format!("custodians can seal their shares to it until {}", job.expire_time);
        output::summary(false, &line)?;
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
impl Job {
    /// A job that nobody vouches for.
    pub(super) fn fixture(public_key: &[u8]) -> Self {
        let job = ImportJob {
            id: vec![9; 16],
            public_key: public_key.to_vec(),
            deployment: "d2".into(),
            ..ImportJob::default()
        };
        Self::new("organizations/org1".parse().unwrap(), job)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_read_as_it_was_written() {
        let job = Job::fixture(&[4; 65]);
        let text = job.to_file().unwrap();
        assert_eq!(Job::parse(&text), Some(job));
        let text = String::from_utf8(text).unwrap();
        assert_eq!(Job::parse(text.replace("0909", "09 9").as_bytes()), None);
        assert_eq!(Job::parse(text.replace("\"id\"", "\"ID\"").as_bytes()), None);
    }
}

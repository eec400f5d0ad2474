//! `chancery backup share`: what a custodian does, offline.
//!
//! **Invariants**
//! * The share is checked against the backup's commitments, and leaves only sealed to the job's key.
//! * Nothing is sealed to a key that the enclave does not vouch for, unless its custodian says that it may.

use super::{create::principal, file, job::Job};
use crate::{
    attestation::audit_key,
    failure::CliError,
    files,
    output::{self, Output, complain},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_transfer::{
    backup::{Header, custody},
    envelope::PrivateKey,
};
use serde::{Deserialize, Serialize};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// No private key and no share's file is longer than this, in bytes.
const MAX_FILE: usize = 64 << 10;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The backup's file
    #[arg(long = "in", value_name = "FILE")]
    input: PathBuf,
    /// Who you are: a principal of the organization
    #[arg(long, value_name = "NAME")]
    custodian: String,
    /// Your private key, PKCS #8 or SEC 1, PEM or DER, not encrypted
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The job of the deployment that restores, as `chancery backup job` wrote it
    #[arg(long, value_name = "FILE")]
    job: PathBuf,
    /// The audit key of the deployment that restores: checks that the job's key is its enclave's own
    #[arg(long, value_name = "VKEY_FILE", required_unless_present = "unattested")]
    audit_key: Option<PathBuf>,
    /// Seal the share to whoever wrote the job: they learn it
    #[arg(long, conflicts_with = "audit_key")]
    unattested: bool,
    /// Where to write the sealed share, JSON; - is standard output
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSealedShare {
    backup: String,
    custodian: String,
    /// Hexadecimal.
    job: String,
    /// Base64 (RFC 4648 §4).
    share: String,
}

/// A share that only the job's enclave can open.
#[derive(Debug, PartialEq)]
pub(super) struct SealedShare {
    pub(super) backup: String,
    pub(super) custodian: String,
    pub(super) job: Vec<u8>,
    pub(super) share: Vec<u8>,
}

impl SealedShare {
    /// Reads what [`run`] wrote.
    ///
    /// # Errors
    /// [`CliError::Rejected`] when it is something else.
    pub(super) fn read(path: &Path) -> Result<Self, CliError> {
        let bytes = files::read(path, MAX_FILE as u64)?;
        Self::parse(&bytes).ok_or_else(|| {
            CliError::Rejected(format!("{} is no file that `chancery backup share` writes", path.display()))
        })
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let raw: RawSealedShare = serde_json::from_slice(bytes).ok()?;
        let (job, share) = (hex::decode(raw.job).ok()?, STANDARD.decode(raw.share).ok()?);
        Some(Self { backup: raw.backup, custodian: raw.custodian, job, share })
    }

    fn to_file(&self) -> Result<Vec<u8>, CliError> {
        let raw = RawSealedShare {
            backup: self.backup.clone(),
            custodian: self.custodian.clone(),
            job: hex::encode(&self.job),
            share: STANDARD.encode(&self.share),
        };
        let mut text = serde_json::to_vec_pretty(&raw).map_err(|error| CliError::Internal(error.to_string()))?;
        text.push(b'\n');
        Ok(text)
    }
}

pub(crate) fn run(form: Output, args: &Args) -> Result<ExitCode, CliError> {
    let job = Job::read(&args.job)?;
    match &args.audit_key {
        Some(path) => job.check(&audit_key(path)?)?,
        None => complain(
            "warning: nothing says that the job's key is an enclave's: whoever wrote the job may read the share",
        ),
    }
    let header = file::read(&args.input)?.header;
    let key = private_key(&args.key)?;
    let sealed = seal(&header, &args.custodian, &key, &job)?;
    files::write(&args.out, &sealed.to_file()?)?;
    let line = format!("the share of {} of {}, sealed to the job", sealed.custodian, sealed.backup);
    if form == Output::Table {
        output::summary(output::is_dash(&args.out), &line)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn private_key(path: &Path) -> Result<PrivateKey, CliError> {
    let file = files::read_secret(path, MAX_FILE)?;
    let pem = std::str::from_utf8(&file).ok().and_then(|text| PrivateKey::from_pem(text.trim_start()).ok());
    pem.or_else(|| PrivateKey::from_der(&file).ok()).ok_or_else(|| {
        let path = path.display();
        CliError::Rejected(format!("{path} holds no private key of P-256, PKCS #8 or SEC 1, that is not encrypted"))
    })
}

/// Opens the custodian's share and seals it to the job.
fn seal(header: &Header, custodian: &str, key: &PrivateKey, job: &Job) -> Result<SealedShare, CliError> {
    if header.organization != job.organization.id() {
        let organization = &header.organization;
        return Err(CliError::Rejected(format!(
            "the backup is of {organization}, and the job of {}",
            job.organization
        )));
    }
    let custodian = principal(&job.organization, custodian)?.to_string();
    let reject = |error| CliError::Rejected(format!("{error}"));
    let share = custody::open_share(header, key).map_err(reject)?;
    let owner = header.custodians.get(usize::from(share.number()) - 1);
    if owner.is_none_or(|owner| owner.principal != custodian) {
        return Err(CliError::Rejected(format!("this private key is not the one of {custodian} in the backup")));
    }
    let sealed = custody::seal_share(&share, &header.backup, &job.destination()).map_err(reject)?;
    Ok(SealedShare { backup: header.backup.clone(), custodian, job: job.id.clone(), share: sealed })
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_transfer::backup::{self, Backup};
    use p256::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _};

    const ALICE: &str = "organizations/org1/principals/alice";
    const BACKUP: &str = "organizations/org1/backups/b1";

    fn secret(seed: u8) -> p256::SecretKey {
        p256::SecretKey::from_slice(&[seed; 32]).unwrap()
    }

    fn key(seed: u8) -> PrivateKey {
        PrivateKey::from_der(secret(seed).to_pkcs8_der().unwrap().as_bytes()).unwrap()
    }

    fn header() -> Header {
        let keys = [1, 2].map(|seed| secret(seed).public_key().to_public_key_der().unwrap().into_vec());
        let begun = backup::begin(&Backup {
            deployment: "d1",
            organization: "org1",
            backup: BACKUP,
            time_unix_millis: 1,
            log_size: 1,
            threshold: 2,
            custodians: &[(ALICE, &keys[0]), ("organizations/org1/principals/bob", &keys[1])],
        });
        Header::decode(&begun.unwrap().0).unwrap()
    }

    #[test]
    fn a_share_reaches_the_jobs_enclave_and_no_other() {
        let (header, enclave) = (header(), PrivateKey::generate());
        let job = Job::fixture(&enclave.public_key().to_bytes());
        let sealed = seal(&header, "alice", &key(1), &job).unwrap();
        let read = SealedShare::parse(&sealed.to_file().unwrap()).unwrap();
        assert_eq!((&read, read.custodian.as_str()), (&sealed, ALICE));
        let share = custody::receive_share(&enclave, "d2", BACKUP, &job.id, &sealed.share).unwrap();
        assert_eq!(share.number(), 1);
        header.commitments.verify(&share).unwrap();
        assert!(custody::receive_share(&PrivateKey::generate(), "d2", BACKUP, &job.id, &sealed.share).is_err());
    }

    #[test]
    fn a_custodian_has_one_share_and_no_others() {
        let (header, job) = (header(), Job::fixture(&PrivateKey::generate().public_key().to_bytes()));
        for (name, seed) in [("bob", 1), ("alice", 2), ("alice", 3), ("carol", 1)] {
            assert_eq!(seal(&header, name, &key(seed), &job).unwrap_err().exit_code(), 65, "{name} {seed}");
        }
        let other = Header { organization: "org2".into(), ..header };
        assert_eq!(seal(&other, "alice", &key(1), &job).unwrap_err().exit_code(), 65);
    }
}

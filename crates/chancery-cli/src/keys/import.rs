//! `chancery keys import`: seals a private key to the enclave, through hands that cannot open it.
//!
//! **Invariants**
//! * The key leaves this process only sealed to the job's key, for one version, algorithm and purpose.
//! * Nothing is sealed to a key that the enclave does not vouch for, unless its holder says that it may.
//!
//! **Not here**: reading key files (`private_key`), the sealing itself (chancery-transfer).

use super::{Keys, create::owner_name, read, show};
use crate::{
    attestation::{TransportKey, audit_key},
    call::call,
    cli::Global,
    failure::{CliError, EXIT_DENIED},
    files,
    output::complain,
    private_key::PrivateKey,
    words::{self, parser, word},
};
use chancery_api::{
    names::{KeyName, KeyVersionName},
    reasons::UNSUPPORTED_ALGORITHM as UNSUPPORTED,
    v1::{Algorithm, CreateImportJobRequest, ImportJob, ImportKeyRequest, Key, Protection, Purpose},
};
use chancery_audit::checkpoint::VerifierKey;
use chancery_client::{Client, Code, request_id};
use chancery_transfer::{
    envelope::{self, Context, EnvelopeError, PublicKey},
    statement::TransportPurpose,
};
use std::path::PathBuf;

/// No private key file is longer than this, in bytes.
const MAX_FILE: usize = 64 << 10;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The key's full name: organizations/ORG/keys/KEY
    key: KeyName,
    /// The private key: PKCS #8, SEC 1 or PKCS #1, PEM or DER, not encrypted; of a secret key its bytes or hexadecimal
    /// digits; - is standard input
    #[arg(long = "in", value_name = "FILE")]
    input: PathBuf,
    /// What it is [default: what the file says; needed for secret keys]
    #[arg(long, value_parser = parser(words::ALGORITHMS))]
    algorithm: Option<Algorithm>,
    /// What the key may be used for [default: what the algorithm is for, sign where it has several]
    #[arg(long, value_parser = parser(words::PURPOSES))]
    purpose: Option<Purpose>,
    /// Where it is to live; it never changes [default: the token if it takes such a key in, else the enclave]
    #[arg(long, value_parser = parser(words::PROTECTIONS))]
    protection: Option<Protection>,
    /// The principal who may use it, of the key's organization: NAME or its full name [default: you]
    #[arg(long, value_name = "PRINCIPAL")]
    owner: Option<String>,
    /// The number of the version that it becomes [default: 1, or the next of a key that exists]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    version: Option<u64>,
    /// The deployment's audit key: checks that what the key is sealed to is an enclave's own
    #[arg(long, value_name = "VKEY_FILE", required_unless_present = "unattested")]
    audit_key: Option<PathBuf>,
    /// Seal the key to what the service sends, whoever that is
    #[arg(long, conflicts_with = "audit_key")]
    unattested: bool,
}

pub(super) async fn run(global: &Global, args: &Args) -> Result<(), CliError> {
    let audit_key = args.audit_key.as_deref().map(audit_key).transpose()?;
    let private = PrivateKey::read(&args.input, &files::read_secret(&args.input, MAX_FILE)?, args.algorithm)?;
    let client = global.connect().await?;
    if audit_key.is_none() {
        complain("warning: nothing but the connection says that the key is sealed to the enclave");
    }
    let existing = existing(&client, &args.key).await?;
    let mut key = args.becomes(private.algorithm, existing.as_ref())?;
    let version = args.key.version(args.version.unwrap_or_else(|| existing.as_ref().map_or(1, next_version)));
    let job = job(&client, &version, audit_key.as_ref()).await?;
    let sealed_key = seal(&job, &version, key.purpose(), &private)
        .map_err(|error| CliError::Internal(format!("the key can't be sealed to what the service sent: {error}")))?;
    drop(private);
    let sealed = Sealed { client, version, job: job.id, sealed_key };
    let imported = match sealed.import(&key).await {
        Err(error) if args.protection.is_none() && existing.is_none() && error.reason() == Some(UNSUPPORTED) => {
            key.protection = Protection::Enclave.into();
            sealed.import(&key).await?
        }
        imported => imported?,
    };
    show::print(global.output, &imported)?;
    complain(&format!(
        "{} still holds the private key: destroy it and its copies, or whoever finds it can use the key",
        args.input.display()
    ));
    Ok(())
}

impl Args {
    /// What the key becomes: what is named, else what the key is that it is a version of.
    fn becomes(&self, algorithm: Algorithm, existing: Option<&Key>) -> Result<Key, CliError> {
        let owner = self.owner.as_deref().map(|owner| owner_name(self.key.organization(), owner)).transpose()?;
        let owner = owner.map(|owner| owner.to_string());
        let purpose = self.purpose.or(existing.map(Key::purpose)).unwrap_or_else(|| default_purpose(algorithm));
        let protection = self.protection.or(existing.map(Key::protection)).unwrap_or(Protection::Token);
        Ok(Key {
            owner: owner.or(existing.map(|key| key.owner.clone())).unwrap_or_default(),
            purpose: purpose.into(),
            algorithm: algorithm.into(),
            protection: protection.into(),
            ..Key::default()
        })
    }
}

/// A key on its way. It is not bound to where it is to live.
struct Sealed {
    client: Client,
    version: KeyVersionName,
    job: Vec<u8>,
    sealed_key: Vec<u8>,
}

impl Sealed {
    async fn import(&self, key: &Key) -> Result<Key, CliError> {
        let Self { client, version, .. } = self;
        let request = ImportKeyRequest {
            parent: version.key().organization().to_string(),
            key_id: version.key().id().to_owned(),
            sealed_key: self.sealed_key.clone(),
            key: Some(key.clone()),
            import_job: self.job.clone(),
            request_id: request_id(),
            version: version.number(),
        };
        let import = |mut keys: Keys, request| async move { keys.import_key(request).await };
        call(client, client.keys(), &request, import, format!("import {version}")).await
    }
}

/// A key of the enclave to seal to, vouched for if the audit key is known.
async fn job(
    client: &Client,
    version: &KeyVersionName,
    audit_key: Option<&VerifierKey>,
) -> Result<ImportJob, CliError> {
    let organization = version.key().organization();
    let request = CreateImportJobRequest { parent: organization.to_string() };
    let create = |mut keys: Keys, request| async move { keys.create_import_job(request).await };
    let doing = format!("begin the import of {version}");
    let job: ImportJob = call(client, client.keys(), &request, create, doing).await?;
    if let Some(audit_key) = audit_key {
        let said = job.attestation.clone().unwrap_or_default();
        let attested = TransportKey {
            organization: organization.id(),
            deployment: &job.deployment,
            id: &job.id,
            public_key: &job.public_key,
            purpose: TransportPurpose::Import,
        };
        attested.check(&said.statement, &said.signature, audit_key)?;
    }
    Ok(job)
}

/// The key, if it exists and the caller may see it.
async fn existing(client: &Client, name: &KeyName) -> Result<Option<Key>, CliError> {
    match read(client, name).await {
        Ok(key) => Ok(Some(key)),
        Err(CliError::Call { error, .. }) if error.code == Code::NotFound => Ok(None),
        Err(error) if error.exit_code() == EXIT_DENIED => Ok(None),
        Err(error) => Err(error),
    }
}

fn next_version(key: &Key) -> u64 {
    let numbers = key.versions.iter().filter_map(|version| version.name.parse().ok());
    numbers.map(|name: KeyVersionName| name.number()).max().unwrap_or(0) + 1
}

/// What an algorithm is for; signing where it has several purposes.
fn default_purpose(algorithm: Algorithm) -> Purpose {
    match algorithm {
        Algorithm::X25519 => Purpose::Agree,
        Algorithm::Aes256 | Algorithm::Sm4 => Purpose::Encrypt,
        Algorithm::HmacSha256 => Purpose::Mac,
        _ => Purpose::Sign,
    }
}

/// The key sealed to the job's key, for this version and nothing else.
fn seal(
    job: &ImportJob,
    version: &KeyVersionName,
    purpose: Purpose,
    key: &PrivateKey,
) -> Result<Vec<u8>, EnvelopeError> {
    // The enclave knows no issuing: to it that is signing.
    let purpose = if purpose == Purpose::Certify { Purpose::Sign } else { purpose };
    let context = Context::Import {
        deployment: &job.deployment,
        version: &version.to_string(),
        algorithm: word(words::ALGORITHMS, key.algorithm),
        purpose: word(words::PURPOSES, purpose),
        transport_key: &job.id,
    };
    envelope::seal(&PublicKey::from_bytes(&job.public_key)?, &context, &key.bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_api::v1::KeyVersion;
    use chancery_transfer::envelope::PrivateKey as TransportPrivateKey;
    use zeroize::Zeroizing;

    /// The context is written out: it is what the enclave opens with.
    #[test]
    fn a_key_is_sealed_for_its_version_algorithm_and_purpose() {
        let transport = TransportPrivateKey::generate();
        let job = ImportJob {
            id: vec![7; 16],
            public_key: transport.public_key().to_bytes().to_vec(),
            deployment: "d1".into(),
            ..ImportJob::default()
        };
        let version = "organizations/org1/keys/ca/versions/2".parse().unwrap();
        let key = PrivateKey { algorithm: Algorithm::EcP256, bytes: Zeroizing::new(vec![1, 2, 3]) };
        let sealed = seal(&job, &version, Purpose::Certify, &key).unwrap();
        let context = |purpose| Context::Import {
            deployment: "d1",
            version: "organizations/org1/keys/ca/versions/2",
            algorithm: "ec-p256",
            purpose,
            transport_key: &[7; 16],
        };
        assert_eq!(*envelope::open(&transport, &context("sign"), &sealed).unwrap(), [1, 2, 3]);
        assert!(envelope::open(&transport, &context("encrypt"), &sealed).is_err());
    }

    #[test]
    fn the_next_version_follows_the_last() {
        let version = |number| KeyVersion {
            name: format!("organizations/org1/keys/a/versions/{number}"),
            ..KeyVersion::default()
        };
        assert_eq!(next_version(&Key { versions: vec![version(9), version(10)], ..Key::default() }), 11);
    }
}

//! The ceremony: a new deployment on an initialized token.
//!
//! **Invariants**: what the configuration names is read and checked before the token is touched. The token's own
//! refusal of a second deployment comes before anything is written here.

use super::{
    DeploymentError, ask,
    identities::{FileKey, now, serial},
    pem, write_new,
};
use crate::{
    audit::{Draft, create, require_empty, write_first_checkpoint},
    certificates::{CertificateDraft, CertificateRequest, Issuance, Profile, RequestDraft, Subject},
    config::{BootstrapOrganization, Configuration},
    crypto::sha256,
    enclave::{EnclaveProcess, LoginMarker},
    identity::{Members, Registry},
    model::{Organization, Registration, TrustAnchor},
    policy::PolicySet,
    service::{DataFiles, DataLock, ServiceError, enclave_options, token_access},
    store::{Commit, Row, SqliteStore, Store},
};
use chancery_audit::{checkpoint::VerifierKey, record::Genesis};
use chancery_ipc as ipc;
use der::{Decode, Encode};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use std::{fs, path::Path};
use x509_cert::Certificate;

/// Makes the deployment; lines for the operator, with fingerprints to compare.
///
/// # Errors
/// [`DeploymentError`].
pub async fn init(configuration: &Configuration) -> Result<Vec<String>, DeploymentError> {
    let files = DataFiles::new(&configuration.data);
    let written = [&files.store, &files.durable, &files.key, &files.certificate, &files.ca, &configuration.audit_vkey];
    for path in written {
        if path.exists() {
            return Err(DeploymentError::Exists(path.clone()));
        }
    }
    require_empty(&configuration.audit)?;
    // A policy set that does not load would make a deployment that does not start.
    let _policies = PolicySet::load(&configuration.policies).map_err(ServiceError::from)?;
    let (rows, mut lines) = bootstrap(configuration)?;
    fs::create_dir_all(&files.directory).map_err(DeploymentError::io(&files.directory))?;
    let _lock = DataLock::take(&files.directory)?;
    let server = FileKey::generate()?;
    let server_request = server.request("CN=chanceryd", &alternative_names(configuration))?;

    let deployment = uuid::Uuid::new_v4().to_string();
    let options = enclave_options(configuration, &deployment);
    let mut process = EnclaveProcess::spawn(&options.program, &options.environment)?;
    let request = ipc::CreateDeployment { token: token_access(configuration), deployment: deployment.clone() };
    let marker = LoginMarker::new(&files.directory, configuration.token.pin_file.clone());
    marker.begin()?;
    let created = ask!(process, CreateDeployment(request) => DeploymentCreated);
    let created: ipc::DeploymentCreated = remember(&marker, created)?;

    let key = VerifierKey::from_spki(&configuration.origin, &created.audit_public_key)
        .map_err(|error| DeploymentError::Internal(error.to_string()))?;
    let authority = authority(&mut process, &created.ca_public_key).await?;
    let certificate =
        issue(&mut process, Profile::Server, &server_request, &created.ca_public_key, Some(&authority)).await?;

    let open = ipc::Open {
        token: options.token,
        deployment: deployment.clone(),
        origin: configuration.origin.clone(),
        sessions: 1,
        open_keys: 1,
        checkpoint: String::new(),
    };
    let _opened: ipc::Opened = ask!(process, Open(open) => Opened)?;
    let genesis = Genesis {
        deployment: deployment.clone(),
        origins: vec![configuration.origin.clone()],
        audit_vkey: key.to_string(),
        deployment_ca: authority.clone(),
        token_label: created.token.label.clone(),
        token_serial: created.token.serial.clone(),
    };
    let places = files.log_places(&configuration.audit);
    let drafts = std::iter::once(Draft::genesis(genesis))
        .chain(rows.iter().map(|row| Draft::state_change("Bootstrap", std::slice::from_ref(row))))
        .collect();
    let checkpoint = create(&places, &key, drafts)?;
    let sign =
        ipc::SignCheckpoint { size: checkpoint.size, root: checkpoint.root.to_vec(), ..ipc::SignCheckpoint::default() };
    let signed: ipc::CheckpointSigned = ask!(process, SignCheckpoint(sign) => CheckpointSigned)?;
    write_first_checkpoint(&places, &key.sign_note(&checkpoint, &signed.signature))?;

    let store = SqliteStore::create(&files.store, &deployment)?;
    store.commit(Commit { log_size: checkpoint.size, rows, answers: Vec::new() }).await?;
    write_new(&files.ca, pem("CERTIFICATE", &authority)?.as_bytes(), false)?;
    write_new(&files.certificate, pem("CERTIFICATE", &certificate)?.as_bytes(), false)?;
    write_new(&files.key, server.pem()?.as_bytes(), true)?;
    // Last: a deployment is whole once its log can be verified.
    write_new(&configuration.audit_vkey, format!("{key}\n").as_bytes(), false)?;
    lines.extend([
        format!("deployment {deployment} on token {} (serial {})", created.token.label, created.token.serial),
        format!("deployment CA {} SHA-256 {}", files.ca.display(), hex::encode(sha256(&authority))),
        format!("audit key {key}"),
    ]);
    Ok(lines)
}

/// A refused PIN is remembered, whoever tried it; so is a try whose end nobody saw.
pub(super) fn remember<T>(marker: &LoginMarker, tried: Result<T, DeploymentError>) -> Result<T, DeploymentError> {
    if !matches!(tried, Err(DeploymentError::Call(_))) {
        marker.end(tried.as_ref().is_err_and(DeploymentError::is_refused_login));
    }
    tried
}

/// The first rows of the registry, and lines to compare them by.
fn bootstrap(configuration: &Configuration) -> Result<(Vec<Row>, Vec<String>), DeploymentError> {
    if configuration.bootstrap.is_empty() {
        return Err(DeploymentError::NoOrganizations);
    }
    let (mut organizations, mut anchors, mut registrations, mut lines) = (vec![], vec![], vec![], vec![]);
    let create_time = jiff::Timestamp::now().as_nanosecond().try_into().unwrap_or(i64::MAX);
    for BootstrapOrganization { name, enrolling_roles, anchors: given, principals } in &configuration.bootstrap {
        let enrolling_roles = enrolling_roles.clone();
        organizations.push(Organization::new(name.clone(), enrolling_roles, create_time));
        lines.push(format!("organization {name}"));
        for anchor in given {
            let certificate = read_certificate(&anchor.certificate)?;
            lines.push(format!(
                "  anchor {} SHA-256 {}",
                anchor.certificate.display(),
                hex::encode(sha256(&certificate))
            ));
            anchors.push(TrustAnchor {
                organization: name.clone(),
                certificate,
                patterns: anchor.patterns.clone(),
                removed: false,
            });
        }
        for principal in principals {
            let path = &principal.certificate;
            let der = read_certificate(path)?;
            let malformed = |error: der::Error| DeploymentError::Internal(format!("{}: {error}", path.display()));
            let certificate = Certificate::from_der(&der).map_err(malformed)?;
            let certificate = certificate.tbs_certificate();
            let subject = Subject::of(certificate.subject()).map_err(DeploymentError::certificate(path.display()))?;
            let common_name = subject.common_name().map_err(DeploymentError::certificate(path.display()))?;
            let public_key = certificate.subject_public_key_info().to_der().map_err(malformed)?;
            let public_key_sha256 = sha256(&public_key);
            let principal_name = name
                .principal(common_name)
                .map_err(|error| DeploymentError::Internal(format!("{}: its common name: {error}", path.display())))?;
            lines.push(format!(
                "  {} {} public key SHA-256 {}",
                principal.role,
                common_name,
                hex::encode(public_key_sha256)
            ));
            registrations.push(Registration {
                name: principal_name,
                role: principal.role,
                public_keys_sha256: vec![public_key_sha256],
            });
        }
    }
    Registry::new(Members {
        organizations: organizations.clone(),
        anchors: anchors.clone(),
        registrations: registrations.clone(),
        ..Members::default()
    })?;
    let rows = (organizations.into_iter().map(Row::Organization))
        .chain(anchors.into_iter().map(Row::Anchor))
        .chain(registrations.into_iter().map(Row::Registration))
        .collect();
    Ok((rows, lines))
}

fn read_certificate(path: &Path) -> Result<Vec<u8>, DeploymentError> {
    let der = CertificateDer::from_pem_file(path).map_err(|error| DeploymentError::Io {
        path: path.into(),
        source: std::io::Error::other(format!("no certificate, PEM: {error}")),
    })?;
    Ok(der.as_ref().to_vec())
}

async fn sign(process: &mut EnclaveProcess, to_be_signed: &[u8]) -> Result<Vec<u8>, DeploymentError> {
    let request = ipc::SignDeploymentCertificate { tbs_certificate: to_be_signed.to_vec() };
    let signed: ipc::DeploymentCertificateSigned =
        ask!(process, SignDeploymentCertificate(request) => DeploymentCertificateSigned)?;
    Ok(signed.signature)
}

/// The deployment CA's own certificate: its key is in the token.
async fn authority(process: &mut EnclaveProcess, public_key: &[u8]) -> Result<Vec<u8>, DeploymentError> {
    let what = "deployment CA";
    let subject = "CN=Chancery deployment CA";
    let names: [&str; 0] = [];
    let draft = RequestDraft::new(subject, &names, public_key).map_err(DeploymentError::certificate(what))?;
    let signature = sign(process, draft.to_be_signed()).await?;
    let request = CertificateRequest::parse(&draft.finish(&signature)).map_err(DeploymentError::certificate(what))?;
    issue(process, Profile::RootCa, &request, public_key, None).await
}

fn alternative_names(configuration: &Configuration) -> Vec<String> {
    let name = |name: &String| match name.parse::<std::net::IpAddr>() {
        Ok(_) => format!("ip:{name}"),
        Err(_) => format!("dns:{name}"),
    };
    configuration.server_names.iter().map(name).collect()
}

async fn issue(
    process: &mut EnclaveProcess,
    profile: Profile,
    request: &CertificateRequest,
    issuer_key: &[u8],
    issuer_certificate: Option<&[u8]>,
) -> Result<Vec<u8>, DeploymentError> {
    let issuance = Issuance { profile, request, issuer_key, issuer_certificate, serial: serial()?, now: now() };
    let draft = CertificateDraft::new(&issuance).map_err(DeploymentError::certificate(profile))?;
    let signature = sign(process, draft.to_be_signed()).await?;
    Ok(draft.finish(&signature))
}

//! Looking at a deployment or a library without serving: `serve --check`, `doctor`.

use super::{DeploymentError, ask, init::remember};
use crate::{
    config::Configuration,
    enclave::{EnclaveProcess, LoginMarker, default_program},
    grpc::server_config,
    identity::{Members, Registry},
    model::Algorithm,
    policy::PolicySet,
    service::{DataFiles, ServiceError, enclave_options, read_vkey},
    store::{SqliteStore, Store},
    witnesses::read_policy,
};
use arc_swap::ArcSwap;
use chancery_audit::checkpoint::VerifierKey;
use chancery_ipc as ipc;
use std::{collections::BTreeSet, sync::Arc};

/// Checks policies, certificates, store and token as `serve` would open them; lines that say what is well.
///
/// # Errors
/// What `serve` would fail with.
pub async fn check(configuration: &Configuration) -> Result<Vec<String>, DeploymentError> {
    let policies = PolicySet::load(&configuration.policies).map_err(ServiceError::from)?;
    let mut lines = vec![format!("policies: {} files, set {}", policies.files().len(), hex::encode(policies.hash()))];
    let files = DataFiles::new(&configuration.data);
    let key = read_vkey(configuration)?;
    if let Some(path) = &configuration.witnesses {
        let witnesses = read_policy(path).map_err(ServiceError::from)?;
        let (least, of) = (witnesses.least(), witnesses.witnesses().len());
        lines.push(format!("witnesses: {of}, of whom {least} or more are needed"));
    }
    let registry = Registry::new(Members::default())?;
    server_config(&files.certificate, &files.key, &Arc::new(ArcSwap::from_pointee(registry)))
        .map_err(ServiceError::from)?;
    lines.push(format!("server certificate: {}", files.certificate.display()));
    let contents = SqliteStore::open(&files.store)?.load().await?;
    lines.push(format!("store: deployment {}, {} rows", contents.deployment, contents.rows.len()));

    let marker = LoginMarker::new(&files.directory, configuration.token.pin_file.clone());
    marker.begin()?;
    let options = enclave_options(configuration, &contents.deployment);
    let mut process = EnclaveProcess::spawn(&options.program, &options.environment)?;
    let open = ipc::Open {
        token: options.token,
        deployment: options.deployment,
        origin: options.origin,
        sessions: options.sessions,
        open_keys: options.open_keys,
        checkpoint: String::new(),
    };
    let opened = ask!(process, Open(open) => Opened);
    let opened: ipc::Opened = remember(&marker, opened)?;
    if VerifierKey::from_spki(key.name(), &opened.audit_public_key).ok().as_ref() != Some(&key) {
        return Err(ServiceError::OtherAuditKey(configuration.audit_vkey.clone()).into());
    }
    lines.push(format!("token: {} (serial {}), audit key {key}", opened.token.label, opened.token.serial));
    lines.push("the configuration is good; the audit log is read and verified at start".to_owned());
    Ok(lines)
}

/// Forgets that the token refused its PIN.
///
/// # Errors
/// [`DeploymentError::Io`].
pub fn forget_refused_login(configuration: &Configuration) -> Result<(), DeploymentError> {
    let marker = LoginMarker::new(&configuration.data, configuration.token.pin_file.clone());
    marker.clear().map_err(DeploymentError::io(&configuration.data))
}

/// What each key algorithm needs of a library (PKCS#11 mechanism names).
fn needs(algorithm: Algorithm) -> [&'static str; 2] {
    match algorithm {
        Algorithm::Ed25519 => ["CKM_EC_EDWARDS_KEY_PAIR_GEN", "CKM_EDDSA"],
        rsa if rsa.is_rsa() => ["CKM_RSA_PKCS_KEY_PAIR_GEN", "CKM_RSA_PKCS"],
        _ => ["CKM_EC_KEY_PAIR_GEN", "CKM_ECDSA"],
    }
}

/// Describes the library's slots, and what will and won't work with each token. Logs in nowhere.
///
/// # Errors
/// [`DeploymentError::Fault`] when the library can't be used.
pub async fn doctor(configuration: &Configuration) -> Result<Vec<String>, DeploymentError> {
    let program = configuration.token.enclave.clone().unwrap_or_else(default_program);
    let mut process = EnclaveProcess::spawn(&program, &configuration.token.environment)?;
    let library = configuration.token.library.to_string_lossy().into_owned();
    let probed: ipc::Probed = ask!(process, Probe(ipc::Probe { library }) => Probed)?;
    let mut lines = vec![format!("library: {}", probed.library)];
    for slot in &probed.slots {
        let token = &slot.token;
        if !slot.initialized {
            lines.push(format!("slot {}: a token that is not initialized", slot.slot));
            continue;
        }
        let chosen = if token.label == configuration.token.label { " (the configuration's)" } else { "" };
        lines.push(format!(
            "slot {}: token {}{chosen}, {} {}, serial {}",
            slot.slot, token.label, token.manufacturer, token.model, token.serial
        ));
        if !slot.user_pin_initialized {
            lines.push("  no user PIN is set: set one before `chanceryd init`".to_owned());
        }
        let offered: BTreeSet<&str> = slot.mechanisms.iter().map(String::as_str).collect();
        for algorithm in Algorithm::ALL {
            let missing: Vec<_> = needs(*algorithm).into_iter().filter(|name| !offered.contains(name)).collect();
            lines.push(match missing.as_slice() {
                [] => format!("  {algorithm}: yes"),
                missing => format!("  {algorithm}: no, lacks {}", missing.join(", ")),
            });
        }
    }
    if !probed.slots.iter().any(|slot| slot.initialized && slot.token.label == configuration.token.label) {
        lines.push(format!("no token is labelled {}: correct `token.label`", configuration.token.label));
    }
    Ok(lines)
}

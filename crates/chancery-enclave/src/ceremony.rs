//! What is done once in a token's life: initializing it, and making a deployment's system keys.
//!
//! **Invariants**: a token holds one deployment; a ceremony that fails half way leaves no key; the deployment CA's key
//! is usable only in the process that made it.
//!
//! **Not here**: certificates. Chanceryd composes and checks what is signed.

use chancery_ipc::{FaultReason, InitializeToken, KeyAlgorithm, KeyPurpose, TokenDescription};
use cryptoki::{
    mechanism::Mechanism,
    object::ObjectHandle,
    session::{Session, UserType},
};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

use crate::{
    audit_key::not_a_signature,
    ecdsa,
    fault::{Failure, while_doing},
    generate::{self, Maker, Wanted},
    library::{self, Library},
    login::read_pin,
    objects::{self, SystemKey},
};

/// Initializes a free slot's token and sets its user PIN.
pub(crate) fn initialize_token(library: &Library, request: &InitializeToken) -> Result<TokenDescription, Failure> {
    let label = &request.token.label;
    if !library.tokens_labelled(label)?.is_empty() {
        return Err(Failure::new(FaultReason::TokenExists, format!("a token with the label {label:?} exists already")));
    }
    let Some((slot, info)) = library.free_slot()? else {
        return Err(Failure::new(FaultReason::TokenExists, "no slot has a token that waits to be initialized"));
    };
    // Both PINs are read and measured first: a token must not be left without its user PIN.
    let so_pin = read_pin(&request.so_pin_file)?;
    let user_pin = read_pin(&request.token.pin_file)?;
    let lengths = info.min_pin_length()..=info.max_pin_length();
    for (pin, file) in [(&so_pin, &request.so_pin_file), (&user_pin, &request.token.pin_file)] {
        if !lengths.contains(&pin.expose_secret().len()) {
            let message = format!("the token takes PINs of {lengths:?} bytes; the one in {file} is shorter or longer");
            return Err(Failure::new(FaultReason::LoginFailed, message));
        }
    }
    let pkcs11 = library.pkcs11();
    pkcs11.init_token(slot, &so_pin, label).map_err(while_doing("initializing the token"))?;
    let set_user_pin = || {
        // The slot's id may have changed (SoftHSM derives it from the new serial number).
        let [(slot, _)] = library.tokens_labelled(label)?[..] else {
            return Err(Failure::new(FaultReason::TokenFault, "the token vanished once it was initialized"));
        };
        let session = pkcs11.open_rw_session(slot).map_err(while_doing("opening a session"))?;
        session.login(UserType::So, Some(&so_pin)).map_err(while_doing("logging in as security officer"))?;
        session.init_pin(&user_pin).map_err(while_doing("setting the user PIN"))?;
        session.logout().map_err(while_doing("logging out"))
    };
    set_user_pin().map_err(Failure::after_a_change)?;
    let (_, info) = library.token(label).map_err(Failure::after_a_change)?;
    Ok(library::describe(&info))
}

/// The system keys of a new deployment.
#[derive(Debug)]
pub(crate) struct SystemKeys {
    pub(crate) ca: ObjectHandle,
    pub(crate) audit_public_key: Vec<u8>,
    pub(crate) ca_public_key: Vec<u8>,
}

/// Makes the audit key (Ed25519 where the token has it, else P-256) and the deployment CA's key (P-256).
pub(crate) fn create_deployment(
    session: &Session,
    maker: &mut Maker,
    deployment: &str,
    offered: &[KeyAlgorithm],
) -> Result<SystemKeys, Failure> {
    objects::check_deployment(deployment)?;
    if objects::any_system_key(session)? {
        let message = "the token holds a deployment already; a new one needs a token of its own";
        return Err(Failure::new(FaultReason::DeploymentExists, message));
    }
    if !offered.contains(&KeyAlgorithm::EcP256) {
        return Err(Failure::new(FaultReason::Unsupported, "the token has no P-256, which the deployment CA needs"));
    }
    let audit_algorithm =
        if offered.contains(&KeyAlgorithm::Ed25519) { KeyAlgorithm::Ed25519 } else { KeyAlgorithm::EcP256 };
    let mut make = |key: SystemKey, algorithm| {
        let (id, label) = (key.id(deployment), key.label());
        maker.generate(session, Wanted { id: &id, label, algorithm, purpose: KeyPurpose::Sign })
    };
    let audit = make(SystemKey::Audit, audit_algorithm)?;
    let ca = make(SystemKey::DeploymentCa, KeyAlgorithm::EcP256).inspect_err(|_| {
        generate::destroy(session, &audit.objects());
    })?;
    Ok(SystemKeys { ca: ca.object, audit_public_key: audit.public_key(), ca_public_key: ca.public_key() })
}

/// ecdsa-with-SHA256 (RFC 5758 §3.2) over a TBSCertificate.
pub(crate) fn sign_certificate(session: &Session, ca: ObjectHandle, tbs: &[u8]) -> Result<Vec<u8>, Failure> {
    if tbs.is_empty() {
        return Err(Failure::bad_request("there is no certificate to sign"));
    }
    let raw = session
        .sign(&Mechanism::Ecdsa, ca, &Sha256::digest(tbs))
        .map_err(while_doing("signing a certificate of the deployment"))?;
    ecdsa::to_der(&raw).ok_or_else(not_a_signature)
}

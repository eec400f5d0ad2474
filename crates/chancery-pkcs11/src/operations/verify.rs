//! C_VerifyInit, C_Verify, C_VerifyUpdate, C_VerifyFinal (PKCS#11 v3.0 §5.15).
//!
//! **Invariant**: signatures are verified here, with the public key; codes by the service, which has the key.
//!
//! **Not here**: what is signed and how long it is (`scheme`).

use super::{
    keys::{self, Public},
    scheme::{Gathered, Scheme, suits},
    sign::signs,
    stage::Turn,
    table::Signs,
};
use crate::{
    mechanism::Mechanism,
    module::{Module, Session},
    objects::Key,
    remote::{Doing, Remote},
    rv::{Result, Rv},
};
use chancery_api::v1::{self, Purpose};
use chancery_client::request_id;
use chancery_crypto::{Form, PublicKey};
use chancery_model::SignatureFormat;
use cryptoki_sys::{CK_OBJECT_HANDLE, CKR_DATA_INVALID, CKR_SIGNATURE_INVALID, CKR_SIGNATURE_LEN_RANGE};
use std::sync::Arc;

/// A verification under way.
pub(super) struct Verifying {
    verifier: Verifier,
    scheme: Scheme,
    gathered: Gathered,
}

enum Verifier {
    /// Here.
    Public(Public),
    /// The service.
    Code(Arc<Key>),
}

/// C_VerifyInit.
///
/// # Errors
/// As PKCS#11 v3.0 §5.15.1.
pub fn verify_init(module: &Module, session: &Session, mechanism: &Mechanism, key: CK_OBJECT_HANDLE) -> Result<()> {
    session.operations().verify.idle()?;
    let signs = signs(module, session, mechanism)?;
    let fits = |algorithm| suits(signs, algorithm);
    let (verifier, algorithm) = if signs == Signs::Hmac {
        let key = keys::held(module, session, key, fits, Purpose::Mac)?;
        let algorithm = keys::algorithm(&key)?;
        (Verifier::Code(key), algorithm)
    } else {
        let public = keys::public(module, session, key, fits, &[Purpose::Sign, Purpose::Certify])?;
        let algorithm = public.key()?.algorithm();
        (Verifier::Public(public), algorithm)
    };
    let scheme = Scheme::new(signs, mechanism, algorithm, keys::slot(module, session)?.quirks)?;
    let gathered = scheme.gather();
    session.operations().verify.begin(Verifying { verifier, scheme, gathered })
}

/// C_Verify.
///
/// # Errors
/// As PKCS#11 v3.0 §5.15.2.
pub fn verify(module: &Module, session: &Session, data: &[u8], signature: &[u8]) -> Result<()> {
    let turn = session.operations().verify.whole(|_| None)?;
    let Turn::Go(mut verifying) = turn else { return Ok(()) };
    verifying.gathered.add(data)?;
    verifying.finish(&module.remote, signature)
}

/// C_VerifyUpdate.
///
/// # Errors
/// As PKCS#11 v3.0 §5.15.3.
pub fn verify_update(_: &Module, session: &Session, part: &[u8]) -> Result<()> {
    session.operations().verify.part(|verifying| verifying.gathered.add(part))
}

/// C_VerifyFinal.
///
/// # Errors
/// As PKCS#11 v3.0 §5.15.4.
pub fn verify_final(module: &Module, session: &Session, signature: &[u8]) -> Result<()> {
    let turn = session.operations().verify.last(|_| None)?;
    let Turn::Go(verifying) = turn else { return Ok(()) };
    verifying.finish(&module.remote, signature)
}

impl Verifying {
    fn finish(self, remote: &Remote, signature: &[u8]) -> Result<()> {
        let data = self.gathered.finish();
        if !self.scheme.may_have(signature.len()) {
            return Err(Rv(CKR_SIGNATURE_LEN_RANGE));
        }
        let valid = match self.verifier {
            Verifier::Public(public) => is_signature(&self.scheme, public.key()?, data.to_vec(), signature)?,
            Verifier::Code(key) => is_code(remote, &key, data.to_vec(), signature)?,
        };
        if valid { Ok(()) } else { Err(Rv(CKR_SIGNATURE_INVALID)) }
    }
}

/// Whether it is one of the data by the key.
///
/// # Errors
/// As [`Scheme::signable`].
pub(super) fn is_signature(scheme: &Scheme, key: &PublicKey, data: Vec<u8>, signature: &[u8]) -> Result<bool> {
    let input = scheme.signable(data)?.fit(key, scheme.padding()).map_err(|_| Rv(CKR_DATA_INVALID))?;
    let format = match scheme.format() {
        v1::SignatureFormat::Der => SignatureFormat::Der,
        _ => SignatureFormat::Raw,
    };
    let form = Form::new(key.algorithm(), format, Some(false)).map_err(|_| Rv(CKR_DATA_INVALID))?;
    Ok(form.read(key, &input, signature).is_some_and(|signature| key.verify(&input, &signature)))
}

/// Whether it is the message's code.
fn is_code(remote: &Remote, key: &Key, message: Vec<u8>, code: &[u8]) -> Result<bool> {
    let (name, mac) = (key.object.version.clone(), code.to_vec());
    let request = v1::VerifyMacRequest { name, message, mac, request_id: request_id() };
    let answer = remote.call(move |client, attempt| {
        let request = attempt.request(request.clone());
        async move { client.crypto().verify_mac(request).await }
    });
    answer.map(|answer| answer.valid).map_err(|failure| failure.rv(Doing::Using))
}

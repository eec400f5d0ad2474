//! C_SignInit, C_Sign, C_SignUpdate, C_SignFinal (PKCS#11 v3.0 §5.13).
//!
//! **Invariant**: a signature or code is one request to the service, and what comes back is what the service sent: both
//! ways a CRC-32C goes along.
//!
//! **Not here**: what is signed and how long it is (`scheme`).

use super::{
    keys,
    scheme::{Gathered, Scheme, suits},
    stage::Turn,
    table::{Does, Signs},
};
use crate::{
    mechanism::Mechanism,
    module::{Module, Session},
    objects::Key,
    output::{Output, Room},
    remote::{Doing, Failure, Remote},
    rv::{Result, Rv},
};
use chancery_api::{
    reasons,
    v1::{self, Purpose, sign_request},
};
use chancery_client::request_id;
use chancery_crypto::Signable;
use chancery_model::{Hash, RsaPadding};
use cryptoki_sys::{CK_OBJECT_HANDLE, CKR_FUNCTION_FAILED, CKR_MECHANISM_INVALID};
use prost::Message as _;
use std::{sync::Arc, time::Instant};

/// How often a request is sent whose CRC-32C does not hold.
const MOST_TRIES: usize = 3;
/// The longest request that every service takes, whatever its limit, in bytes.
const MOST_STREAMED: usize = 4096;

/// A signature under way.
#[derive(Clone)]
pub(super) struct Signing {
    key: Arc<Key>,
    scheme: Scheme,
    gathered: Gathered,
    /// How many signatures C_SignInit has asked for: more than one only with the quirk `overlapping_signatures`.
    owed: usize,
}

/// How a slot signs with a mechanism.
pub(super) fn signs(module: &Module, session: &Session, mechanism: &Mechanism) -> Result<Signs> {
    match super::table::row_of(keys::slot(module, session)?, mechanism.kind)?.does {
        Does::Sign(signs) => Ok(signs),
        _ => Err(Rv(CKR_MECHANISM_INVALID)),
    }
}

/// C_SignInit.
///
/// # Errors
/// As PKCS#11 v3.0 §5.13.1.
pub fn sign_init(module: &Module, session: &Session, mechanism: &Mechanism, key: CK_OBJECT_HANDLE) -> Result<()> {
    let quirks = keys::slot(module, session)?.quirks;
    if !quirks.overlapping_signatures {
        // Whoever may not begin learns nothing else, and asks the service nothing.
        session.operations().sign.idle()?;
    }
    let signs = signs(module, session, mechanism)?;
    let purpose = if signs == Signs::Hmac { Purpose::Mac } else { Purpose::Sign };
    let key = keys::held(module, session, key, |algorithm| suits(signs, algorithm), purpose)?;
    let scheme = Scheme::new(signs, mechanism, keys::algorithm(&key)?, quirks)?;
    let mut operations = session.operations();
    if quirks.overlapping_signatures
        && let Some(begun) = operations.sign.begun()
        && begun.key.object.name == key.object.name
        && begun.scheme == scheme
    {
        begun.owed += 1;
        return Ok(());
    }
    let gathered = scheme.gather();
    operations.sign.begin(Signing { key, scheme, gathered, owed: 1 })
}

/// C_Sign.
///
/// # Errors
/// As PKCS#11 v3.0 §5.13.2.
pub fn sign(module: &Module, session: &Session, data: &[u8], room: Room) -> Result<Output> {
    let turn = {
        let mut operations = session.operations();
        let turn = operations.sign.whole(|signing| room.lacks(signing.scheme.length()))?;
        if let Turn::Go(signing) = &turn
            && signing.owed > 1
        {
            operations.sign.begin(Signing { owed: signing.owed - 1, ..signing.clone() })?;
        }
        turn
    };
    match turn {
        Turn::Needs(length) => Ok(Output::Needs(length)),
        Turn::Go(mut signing) => {
            signing.gathered.add(data)?;
            signing.finish(&module.remote).map(Output::from)
        }
    }
}

/// C_SignUpdate.
///
/// # Errors
/// As PKCS#11 v3.0 §5.13.3.
pub fn sign_update(_: &Module, session: &Session, part: &[u8]) -> Result<()> {
    session.operations().sign.part(|signing| signing.gathered.add(part))
}

/// C_SignFinal.
///
/// # Errors
/// As PKCS#11 v3.0 §5.13.4.
pub fn sign_final(module: &Module, session: &Session, room: Room) -> Result<Output> {
    let turn = session.operations().sign.last(|signing| room.lacks(signing.scheme.length()))?;
    match turn {
        Turn::Needs(length) => Ok(Output::Needs(length)),
        Turn::Go(signing) => signing.finish(&module.remote).map(Output::from),
    }
}

impl Signing {
    /// Asks the service.
    fn finish(self, remote: &Remote) -> Result<Vec<u8>> {
        let data = self.gathered.finish();
        let signature = if self.scheme.is_hmac() {
            code(remote, &self.key, data.to_vec())?
        } else {
            let signable = self.scheme.signable(data.to_vec())?;
            signature(remote, request(&self.key.object.version, &self.scheme, signable))?
        };
        if self.scheme.may_have(signature.len()) { Ok(signature) } else { Err(Rv(CKR_FUNCTION_FAILED)) }
    }
}

/// What the service is asked to sign, without a request id.
fn request(version: &str, scheme: &Scheme, signable: Signable) -> v1::SignRequest {
    let (input, crc, user_id) = match signable {
        Signable::Digest { hash, value } => {
            let crc = crc32c::crc32c(&value);
            let hash = hash.map_or(v1::Hash::Unspecified, wire_hash).into();
            (sign_request::Input::Digest(v1::Digest { hash, value }), crc, None)
        }
        Signable::Message { value, user_id, .. } => {
            let crc = crc32c::crc32c(&value);
            (sign_request::Input::Message(value), crc, user_id)
        }
    };
    let padding = match scheme.padding() {
        None => v1::RsaPadding::Unspecified,
        Some(RsaPadding::Pkcs1) => v1::RsaPadding::Pkcs1,
        Some(RsaPadding::Pss) => v1::RsaPadding::Pss,
    };
    v1::SignRequest {
        name: version.to_owned(),
        input: Some(input),
        format: scheme.format().into(),
        low_s: scheme.low_s(),
        padding: padding.into(),
        input_crc32c: Some(crc),
        sm2_user_id: user_id,
        ..v1::SignRequest::default()
    }
}

fn wire_hash(hash: Hash) -> v1::Hash {
    match hash {
        Hash::Sha256 => v1::Hash::Sha256,
        Hash::Sha384 => v1::Hash::Sha384,
        Hash::Sha512 => v1::Hash::Sha512,
        Hash::Sm3 => v1::Hash::Sm3,
    }
}

/// A signature that came undamaged. All tries are one request with one deadline: what was signed already is given again.
fn signature(remote: &Remote, mut request: v1::SignRequest) -> Result<Vec<u8>> {
    request.request_id = request_id();
    let deadline = remote.deadline();
    for _ in 0..MOST_TRIES {
        match send(remote, deadline, request.clone()) {
            Ok(answer) => {
                let intact = crc32c::crc32c(&answer.signature) == answer.signature_crc32c;
                if intact && answer.verified_input_crc32c {
                    return Ok(answer.signature);
                }
            }
            // Damaged on the way there: nothing was signed.
            Err(Failure(error)) if error.reason.as_deref() == Some(reasons::CHECKSUM_MISMATCH) => {}
            Err(failure) => return Err(failure.rv(Doing::Using)),
        }
    }
    Err(Rv(CKR_FUNCTION_FAILED))
}

/// Digests and short messages go over the stream that all share; what may be over the service's limit, which would end the
/// stream, goes by itself.
fn send(
    remote: &Remote,
    deadline: Instant,
    request: v1::SignRequest,
) -> std::result::Result<v1::SignResponse, Failure> {
    if request.encoded_len() <= MOST_STREAMED {
        return remote.sign_by(deadline, request);
    }
    remote.call_by(deadline, move |client, attempt| {
        let request = attempt.request(request.clone());
        async move { client.signing().sign(request).await }
    })
}

/// A message authentication code.
fn code(remote: &Remote, key: &Key, message: Vec<u8>) -> Result<Vec<u8>> {
    let request = v1::GenerateMacRequest { name: key.object.version.clone(), message, request_id: request_id() };
    let answer = remote.call(move |client, attempt| {
        let request = attempt.request(request.clone());
        async move { client.crypto().generate_mac(request).await }
    });
    answer.map(|answer| answer.mac).map_err(|failure| failure.rv(Doing::Using))
}

//! C_DeriveKey (PKCS#11 v3.0 §5.18.5): ECDH and X25519, with the key derivation function of X9.63.
//!
//! **Invariant**: the agreement is one request to the service; the secret that comes of it lives in this process, for the
//! session's length.

use super::{
    hashing::Hashing,
    keys,
    table::{Does, row_of},
};
use crate::{
    attribute::Template,
    mechanism::{Mechanism, Parameter},
    module::{Module, Session},
    objects::{Key, Objects},
    remote::{Doing, Failure},
    rv::{Result, Rv},
};
use chancery_api::{
    reasons,
    v1::{self, Purpose},
};
use chancery_client::request_id;
use chancery_crypto::PublicKey;
use cryptoki_sys::*;
use zeroize::Zeroizing;

/// The longest secret that is derived, in bytes.
const LONGEST: u64 = 4096;

/// The key derivation function between the agreement and the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Derivation {
    /// CKD_NULL: the agreement's end.
    None,
    /// X9.63 with a hash (SEC 1 §3.6.1).
    X963(Hashing),
}

/// C_DeriveKey.
///
/// # Errors
/// As PKCS#11 v3.0 §5.18.5.
pub fn derive_key(
    module: &Module,
    session: &Session,
    mechanism: &Mechanism,
    base: CK_OBJECT_HANDLE,
    template: &Template,
) -> Result<CK_OBJECT_HANDLE> {
    if row_of(keys::slot(module, session)?, mechanism.kind)?.does != Does::Agree {
        return Err(Rv(CKR_MECHANISM_INVALID));
    }
    let Parameter::Ecdh1 { kdf, shared, public } = &mechanism.parameter else {
        return Err(Rv(CKR_MECHANISM_PARAM_INVALID));
    };
    let derivation = derivation(*kdf, shared)?;
    let key = keys::held(module, session, base, |algorithm| algorithm.purposes().contains(&AGREE), Purpose::Agree)?;
    let own = key.public_key.as_ref().ok_or(Rv(CKR_KEY_HANDLE_INVALID))?;
    let theirs = other(own, public)?;
    if template.number(CKA_CLASS)?.is_some_and(|class| class != CKO_SECRET_KEY) {
        return Err(Rv(CKR_TEMPLATE_INCONSISTENT));
    }
    let field = own.algorithm().ecdsa_width().unwrap_or(32);
    let length = match template.number(CKA_VALUE_LEN)? {
        None => field,
        // More than the agreement gives, or than anyone needs.
        Some(length) if length == 0 || length > LONGEST => return Err(Rv(CKR_ATTRIBUTE_VALUE_INVALID)),
        Some(length) => usize::try_from(length).map_err(|_| Rv(CKR_ATTRIBUTE_VALUE_INVALID))?,
    };
    if derivation == Derivation::None && length > field {
        return Err(Rv(CKR_TEMPLATE_INCONSISTENT));
    }
    Objects::check_secret(template, length..=length)?;
    let agreed = agree(module, &key, &theirs)?;
    if agreed.len() != field {
        return Err(Rv(CKR_FUNCTION_FAILED));
    }
    let secret = derived(derivation, &agreed, shared, length);
    module.objects.keep_secret(module, session, secret, template)
}

const AGREE: chancery_model::Purpose = chancery_model::Purpose::Agree;

pub(super) fn derivation(kdf: u64, shared: &[u8]) -> Result<Derivation> {
    match kdf {
        // Nothing would bind what is shared.
        CKD_NULL if shared.is_empty() => Ok(Derivation::None),
        CKD_SHA1_KDF => Ok(Derivation::X963(Hashing::Sha1)),
        CKD_SHA224_KDF => Ok(Derivation::X963(Hashing::Sha224)),
        CKD_SHA256_KDF => Ok(Derivation::X963(Hashing::Sha256)),
        CKD_SHA384_KDF => Ok(Derivation::X963(Hashing::Sha384)),
        CKD_SHA512_KDF => Ok(Derivation::X963(Hashing::Sha512)),
        _ => Err(Rv(CKR_MECHANISM_PARAM_INVALID)),
    }
}

/// The other side's key, on the curve of `own`: its point, raw or in an OCTET STRING.
pub(super) fn other(own: &PublicKey, given: &[u8]) -> Result<PublicKey> {
    let length = own.bits().len();
    let point = match given {
        [4, short, point @ ..] if given.len() == length + 2 && usize::from(*short) == length => point,
        // P-521: the length takes two bytes.
        [4, 0x81, long, point @ ..] if given.len() == length + 3 && usize::from(*long) == length => point,
        point if point.len() == length => point,
        _ => return Err(Rv(CKR_MECHANISM_PARAM_INVALID)),
    };
    // On one curve SubjectPublicKeyInfos differ in the point alone, which is their end.
    let (prefix, _) = own.spki().split_at(own.spki().len() - length);
    PublicKey::parse(own.algorithm(), &[prefix, point].concat()).map_err(|_| Rv(CKR_MECHANISM_PARAM_INVALID))
}

fn agree(module: &Module, key: &Key, theirs: &PublicKey) -> Result<Zeroizing<Vec<u8>>> {
    let request = v1::DeriveSharedSecretRequest {
        name: key.object.version.clone(),
        public_key: theirs.spki().to_vec(),
        request_id: request_id(),
    };
    let answer = module.remote.call(move |client, attempt| {
        let request = attempt.request(request.clone());
        async move { client.crypto().derive_shared_secret(request).await }
    });
    match answer {
        Ok(answer) => Ok(Zeroizing::new(answer.shared_secret)),
        // A point of small order, say.
        Err(Failure(error)) if error.reason.as_deref() == Some(reasons::BAD_INPUT) => {
            Err(Rv(CKR_MECHANISM_PARAM_INVALID))
        }
        Err(failure) => Err(failure.rv(Doing::Using)),
    }
}

/// The secret of an agreement. Without a function bytes go from its leading end (PKCS#11 v3.0 §2.3.17).
pub(super) fn derived(derivation: Derivation, agreed: &[u8], shared: &[u8], length: usize) -> Zeroizing<Vec<u8>> {
    let Derivation::X963(hashing) = derivation else {
        return Zeroizing::new(agreed[agreed.len().saturating_sub(length)..].to_vec());
    };
    let mut secret = Zeroizing::new(Vec::with_capacity(length + hashing.length()));
    for counter in 1_u32.. {
        if secret.len() >= length {
            break;
        }
        let mut hasher = hashing.begin();
        hasher.update(agreed);
        hasher.update(&counter.to_be_bytes());
        hasher.update(shared);
        secret.extend_from_slice(&hasher.finish());
    }
    secret.truncate(length);
    secret
}

//! What the token does with a key, by mechanism.
//!
//! **Invariants**: a derived secret is a session object that is destroyed as soon as its value is read; no other secret
//! value is ever read from the token. A ciphertext that does not open is the caller's ([`FaultReason::BadInput`]). Paddings
//! of CBC are made and checked here: tokens differ in how they say that one is wrong, and in how long they take.
//!
//! **Not here**: whether the key may be used so (`uses`), finding it (`keys`).

use chancery_ipc::{FaultReason, Mechanism as M, UseKey};
use cryptoki::{
    mechanism::{
        Mechanism, MechanismType,
        eddsa::{EddsaParams, EddsaSignatureScheme},
        elliptic_curve::{EcKdf, Ecdh1DeriveParams},
        rsa::{PkcsMgfType, PkcsPssParams},
    },
    object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle},
    session::Session,
};
use zeroize::Zeroizing;

use crate::{
    aes::{self, BLOCK, Mode, NONCE},
    audit_key::not_a_signature,
    fault::{Failure, UseError, while_doing, while_using},
    software::{Random, pad, peer_point, unpad, until_canonical},
};

/// Whether `mechanism` makes session objects: then `objects::Directory::change` must be held.
pub(crate) fn makes_objects(mechanism: M) -> bool {
    matches!(mechanism, M::Ecdh)
}

/// Does what `request` asks for.
pub(crate) fn perform(
    session: &Session,
    key: ObjectHandle,
    mechanism: M,
    request: &UseKey,
    random: &mut dyn Random,
) -> Result<Zeroizing<Vec<u8>>, UseError> {
    let input = &request.input;
    let sign = |with: &Mechanism<'_>| session.sign(with, key, input).map_err(while_using("signing"));
    let output = match mechanism {
        M::Ecdsa => sign(&Mechanism::Ecdsa)?,
        M::EcdsaCanonical => {
            return until_canonical(request.key.algorithm(), || match sign(&Mechanism::Ecdsa)? {
                signature if signature.len() == 64 => Ok(Zeroizing::new(signature)),
                _ => Err(not_a_signature().into()),
            });
        }
        M::Eddsa => sign(&eddsa())?,
        M::RsaPkcs1 => sign(&Mechanism::RsaPkcs)?,
        M::RsaPssSha256 => sign(&pss(MechanismType::SHA256, PkcsMgfType::MGF1_SHA256, 32))?,
        M::RsaPssSha384 => sign(&pss(MechanismType::SHA384, PkcsMgfType::MGF1_SHA384, 48))?,
        M::RsaPssSha512 => sign(&pss(MechanismType::SHA512, PkcsMgfType::MGF1_SHA512, 64))?,
        M::HmacSha256 => sign(&Mechanism::Sha256Hmac)?,
        M::GcmEncrypt => gcm_encrypt(session, key, request, random)?,
        M::GcmEncryptGivenNonce => {
            let mode = Mode::Gcm { nonce: vector(request)?, associated_data: &request.associated_data };
            aes::seal(session, key, mode, input)?
        }
        M::CbcEncrypt => aes::seal(session, key, Mode::Cbc { iv: vector::<BLOCK>(request)? }, input)?,
        M::CbcPadEncrypt => aes::seal(session, key, Mode::Cbc { iv: vector::<BLOCK>(request)? }, &pad(input))?,
        M::CbcDecrypt => return cbc_decrypt(session, key, request, random),
        M::CbcPadDecrypt => return Ok(unpad(cbc_decrypt(session, key, request, random)?)?),
        M::GcmDecrypt => return gcm_decrypt(session, key, request, random),
        M::Ecdh => return agree(session, key, request),
        _ => return Err(unsupported(mechanism).into()),
    };
    Ok(Zeroizing::new(output))
}

/// CKM_EDDSA without parameters: pure Ed25519 (RFC 8032 §5.1).
pub(crate) fn eddsa() -> Mechanism<'static> {
    Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Ed25519))
}

fn pss(hash_alg: MechanismType, mgf: PkcsMgfType, salt: u64) -> Mechanism<'static> {
    Mechanism::RsaPkcsPss(PkcsPssParams { hash_alg, mgf, s_len: salt.into() })
}

fn gcm_encrypt(
    session: &Session,
    key: ObjectHandle,
    request: &UseKey,
    random: &mut dyn Random,
) -> Result<Vec<u8>, UseError> {
    let mut nonce = [0; NONCE];
    random.fill(&mut nonce)?;
    let sealed =
        aes::seal(session, key, Mode::Gcm { nonce, associated_data: &request.associated_data }, &request.input)?;
    Ok([&nonce[..], &sealed].concat())
}

fn gcm_decrypt(
    session: &Session,
    key: ObjectHandle,
    request: &UseKey,
    random: &mut dyn Random,
) -> Result<Zeroizing<Vec<u8>>, UseError> {
    let bad = || {
        Failure::new(
            FaultReason::BadInput,
            "the ciphertext does not open: it, its tag, its nonce or the associated data was changed",
        )
    };
    let (nonce, sealed) = request.input.split_first_chunk::<NONCE>().ok_or_else(bad)?;
    let mode = Mode::Gcm { nonce: *nonce, associated_data: &request.associated_data };
    Ok(aes::open(session, key, mode, sealed, random)?.ok_or_else(bad)?)
}

fn cbc_decrypt(
    session: &Session,
    key: ObjectHandle,
    request: &UseKey,
    random: &mut dyn Random,
) -> Result<Zeroizing<Vec<u8>>, UseError> {
    let opened = aes::open(session, key, Mode::Cbc { iv: vector(request)? }, &request.input, random)?;
    let plain = opened.filter(|plain| plain.len() == request.input.len());
    let message = "the token did not decrypt whole blocks with CBC, which always can be";
    Ok(plain.ok_or_else(|| Failure::new(FaultReason::TokenFault, message))?)
}

/// The nonce or initialization vector.
fn vector<const N: usize>(request: &UseKey) -> Result<[u8; N], Failure> {
    let wrong = |_| Failure::bad_request(format!("the nonce or initialization vector has {N} bytes"));
    request.iv.as_slice().try_into().map_err(wrong)
}

/// ECDH without a key derivation function (CKD_NULL): the x-coordinate (SP 800-56A §5.7.1.2).
fn agree(session: &Session, key: ObjectHandle, request: &UseKey) -> Result<Zeroizing<Vec<u8>>, UseError> {
    let point = peer_point(request.key.algorithm(), &request.input)?;
    let width = point.len() / 2;
    let mechanism = Mechanism::Ecdh1Derive(Ecdh1DeriveParams::new(EcKdf::null(), &point));
    let template = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::GENERIC_SECRET),
        Attribute::ValueLen((width as u64).into()),
        Attribute::Token(false),
        Attribute::Private(true),
        Attribute::Sensitive(false),
        Attribute::Extractable(true),
    ];
    let derived = session.derive_key(&mechanism, key, &template).map_err(while_using("deriving a shared secret"))?;
    let value = session.get_attributes(derived, &[AttributeType::Value]);
    let destroyed = session.destroy_object(derived);
    let value = value.map_err(while_doing("reading a shared secret")).map_err(Failure::after_a_change)?;
    destroyed.map_err(while_doing("destroying a shared secret")).map_err(Failure::after_a_change)?;
    match <[Attribute; 1]>::try_from(value) {
        Ok([Attribute::Value(value)]) if value.len() == width => Ok(Zeroizing::new(value)),
        _ => {
            let message = "the token gave no shared secret of the curve's width";
            Err(Failure::new(FaultReason::TokenFault, message).after_a_change().into())
        }
    }
}

fn unsupported(mechanism: M) -> Failure {
    let message = format!("keys of the token do no {mechanism:?} here: choose protection ENCLAVE");
    Failure::new(FaultReason::Unsupported, message)
}

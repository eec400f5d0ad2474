//! Putting an imported key into the token, where it is sensitive and not extractable from then on.
//!
//! The token unwraps it (C_UnwrapKey, CKM_AES_KEY_WRAP_PAD) with a session key whose bytes the enclave drew: the standard's
//! way in, that tokens allow which refuse C_CreateObject of a private key.
//!
//! **Invariants**: the session key unwraps and does nothing else, serves once and is destroyed whatever happens; what was
//! taken in is found again as keys that were made there are, or all of it is destroyed.

use chancery_ipc::{FaultReason, ImportKey, KeyAlgorithm, KeyOrigin, Mechanism as M};
use cryptoki::{
    mechanism::Mechanism,
    object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle},
    session::Session,
};
use zeroize::Zeroize;

use super::Surroundings;
use crate::{
    fault::{Failure, while_doing},
    generate::{Maker, PairPlan, Wanted, secret_plan},
    keys,
    memory::SecretBytes,
    objects,
    software::{Input, Random, SoftwareKey, to_token_form},
    spki,
    template::Template,
};

/// Makes the objects of the imported key.
///
/// # Errors
/// `Unsupported` when the token has no way to take it in: then nothing of it is left there.
pub(super) fn import(
    around: &Surroundings<'_>,
    maker: &mut Maker,
    request: &ImportKey,
    key: &SoftwareKey,
    secret: &[u8],
) -> Result<(), Failure> {
    let (session, running) = (&around.logged_in.session, around.running);
    let (algorithm, purpose) = (request.algorithm(), request.purpose());
    let offer = &around.logged_in.offer;
    offer.check(algorithm, purpose)?;
    if !offer.unwraps {
        let message = "the token has no CKM_AES_KEY_WRAP_PAD to take keys in with: choose protection ENCLAVE";
        return Err(Failure::new(FaultReason::Unsupported, message));
    }
    let id = running.directory.version_id(&request.version)?;
    let _changing = running.directory.change();
    if !objects::find(session, &id, None)?.is_empty() {
        let message = format!("the token holds an object of {} already", request.version);
        return Err(Failure::new(FaultReason::KeyExists, message));
    }
    let wanted = Wanted { id: &id, label: &request.version, algorithm, purpose };
    let mut random = running.rng.on(session);
    let imported = match unwrap(session, maker, wanted, secret, &mut random) {
        Ok((template, ObjectClass::PRIVATE_KEY)) => add_public(session, &template, key.public_key_spki())
            .and_then(|()| objects::find_pair(session, &id).map(|pair| pair.is_some())),
        Ok(_) => objects::find_secret(session, &id, algorithm).map(|found| found.is_some()),
        Err(failure) => Err(failure),
    };
    // Whoever asked may be gone, and their successor may have looked for the key before it was there.
    let failure = match imported {
        Ok(true) if !around.shared.is_ending() => return Ok(()),
        Ok(true) => Failure::new(FaultReason::TokenFault, "the process ends; the imported key was destroyed"),
        Ok(false) => Failure::new(FaultReason::TokenFault, "the token does not find a key that it has just taken in"),
        Err(failure) if failure.token_lost => return Err(failure),
        Err(failure) => failure,
    };
    keys::destroy_all(session, &id).map_err(Failure::after_a_change)?;
    let message =
        format!("the token does not take {algorithm:?} keys in ({}): choose protection ENCLAVE", failure.message);
    Err(Failure::new(FaultReason::Unsupported, message))
}

/// The private or secret key, as the token unwraps it.
fn unwrap<'a>(
    session: &Session,
    maker: &mut Maker,
    wanted: Wanted<'a>,
    secret: &[u8],
    random: &mut dyn Random,
) -> Result<(Template<'a>, ObjectClass), Failure> {
    let algorithm = wanted.algorithm;
    let (class, key_type) = match secret_plan(algorithm) {
        Some((_, key_type)) => (ObjectClass::SECRET_KEY, key_type),
        None => (ObjectClass::PRIVATE_KEY, PairPlan::of(algorithm)?.key_type),
    };
    let (session_key, wrapped) = wrap(session, random, algorithm, secret)?;
    let failed = while_doing("unwrapping a key into the token");
    let unwrapped = maker.relaxing(wanted, key_type, failed, |template| {
        let mut attributes = vec![Attribute::Class(class)];
        if class == ObjectClass::SECRET_KEY {
            attributes.extend(template.secret());
        } else {
            attributes.extend(template.private());
        }
        // SoftHSM takes no attribute after CKA_MODIFIABLE said no.
        attributes.sort_by_key(|attribute| attribute.attribute_type() == AttributeType::Modifiable);
        session.unwrap_key(&Mechanism::AesKeyWrapPad, session_key, &wrapped, &attributes)
    });
    let destroyed = session.destroy_object(session_key).map_err(while_doing("destroying a session key"));
    let (object, template) = unwrapped?;
    destroyed?;
    template.check(session, class, object, KeyOrigin::Imported)?;
    Ok((template, class))
}

/// A session key in the token, and the key wrapped under it.
fn wrap(
    session: &Session,
    random: &mut dyn Random,
    algorithm: KeyAlgorithm,
    secret: &[u8],
) -> Result<(ObjectHandle, Vec<u8>), Failure> {
    let mut bytes = SecretBytes::zeroed(32)?;
    random.fill(&mut bytes)?;
    let plain = to_token_form(algorithm, secret)?;
    let wrapping = SoftwareKey::from_secret(KeyAlgorithm::Aes256, &bytes)?;
    let wrapped = wrapping.use_key(M::KwpWrap, Input { bytes: &plain, ..Input::default() }, random)?;
    let mut template = [
        Attribute::Value(bytes.to_vec()),
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::Token(false),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Unwrap(true),
        Attribute::Wrap(false),
        Attribute::Encrypt(false),
        Attribute::Decrypt(false),
    ];
    let created = session.create_object(&template);
    if let [Attribute::Value(copy), ..] = &mut template {
        copy.zeroize();
    }
    Ok((created.map_err(while_doing("making a session key to unwrap with"))?, wrapped.to_vec()))
}

/// The public half, as the token would have made it, and read back.
fn add_public(session: &Session, template: &Template<'_>, spki: &[u8]) -> Result<(), Failure> {
    let mut attributes = template.public();
    attributes.push(Attribute::Class(ObjectClass::PUBLIC_KEY));
    attributes.extend(spki::attributes(spki)?);
    attributes.sort_by_key(|attribute| attribute.attribute_type() == AttributeType::Modifiable);
    let object = session.create_object(&attributes).map_err(while_doing("adding a public key"))?;
    if spki::read(session, object)?.der == spki {
        return Ok(());
    }
    Err(Failure::new(FaultReason::TokenFault, "the token gives back another public key than it was given"))
}

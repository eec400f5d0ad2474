//! What templates of new keys ask of the service, and the objects that come of it.
//!
//! **Invariants**
//! * A repeated request is the same request, and names the same key: nothing is ever made twice.
//! * A key has one purpose, the first that its template asks for and its algorithm has.

use super::{
    kinds,
    template::{New, agrees},
};
use crate::{
    attribute::Template,
    mechanism::{Mechanism, Parameter},
    module::config::SlotConfig,
    rv::{Result, Rv},
};
use chancery_api::v1::{self, Algorithm, ObjectClass, Protection, Purpose, Standing};
use chancery_crypto::{PublicKey, sha256};
use cryptoki_sys::*;

/// CKA_PUBLIC_EXPONENT of every RSA key.
const F4: [u8; 3] = [1, 0, 1];
/// Fabric's counters, which it replaces later (bccsp/pkcs11): ids that begin so name nothing yet.
const COUNTER: &[u8] = b"BCP";

/// A key to be made.
#[derive(Debug, PartialEq)]
pub(super) struct Plan {
    /// What is asked of the service.
    pub(super) request: v1::CreateKeyRequest,
    /// CKA_TOKEN false: it ends with the session.
    pub(super) session: bool,
}

impl Plan {
    /// A key pair.
    ///
    /// # Errors
    /// As PKCS#11 v3.0 §5.18.2.
    pub(super) fn pair(
        slot: &SlotConfig,
        mechanism: &Mechanism,
        public: &Template,
        private: &Template,
        process: &str,
        request_id: String,
    ) -> Result<Self> {
        let algorithm = pair_algorithm(slot, mechanism, public)?;
        let key_type = kinds::key_type(algorithm, slot.sm2);
        New::PublicHalf.check(public)?;
        New::PrivateHalf.check(private)?;
        agrees(public, CKA_KEY_TYPE, key_type)?;
        agrees(private, CKA_KEY_TYPE, key_type)?;
        let purpose = purpose(
            algorithm,
            private,
            &[
                (CKA_SIGN, Purpose::Sign),
                (CKA_DECRYPT, Purpose::Encrypt),
                (CKA_UNWRAP, Purpose::Encrypt),
                (CKA_DERIVE, Purpose::Agree),
            ],
        )?;
        let session = !private.boolean(CKA_TOKEN)?.unwrap_or(false);
        // A public key that outlives its private key is none of ours.
        if session && public.boolean(CKA_TOKEN)? == Some(true) {
            return Err(Rv(CKR_TEMPLATE_INCONSISTENT));
        }
        let objects = v1::NewObjects {
            public_id: owned(public, CKA_ID),
            public_label: owned(public, CKA_LABEL),
            ..Self::objects(private, session, process)?
        };
        let unmodifiable = objects.unmodifiable || public.boolean(CKA_MODIFIABLE)? == Some(false);
        let objects = v1::NewObjects { unmodifiable, ..objects };
        Ok(Self::new(slot, algorithm, purpose, objects, session, request_id))
    }

    /// A secret key.
    ///
    /// # Errors
    /// As PKCS#11 v3.0 §5.18.1.
    pub(super) fn secret(
        slot: &SlotConfig,
        mechanism: &Mechanism,
        template: &Template,
        process: &str,
        request_id: String,
    ) -> Result<Self> {
        let algorithm = secret_algorithm(slot, mechanism)?;
        let length = kinds::secret_length(algorithm);
        match template.number(CKA_VALUE_LEN)? {
            // SM4 keys have one length.
            None if algorithm == Algorithm::Sm4 => (),
            None => return Err(Rv(CKR_TEMPLATE_INCOMPLETE)),
            Some(given) if Some(given) == length => (),
            Some(_) => return Err(Rv(CKR_KEY_SIZE_RANGE)),
        }
        New::SecretKey.check(template)?;
        let hmac = algorithm == Algorithm::HmacSha256 && template.number(CKA_KEY_TYPE)? == Some(CKK_SHA256_HMAC);
        agrees(template, CKA_KEY_TYPE, if hmac { CKK_SHA256_HMAC } else { kinds::key_type(algorithm, slot.sm2) })?;
        let purpose = purpose(
            algorithm,
            template,
            &[
                (CKA_ENCRYPT, Purpose::Encrypt),
                (CKA_DECRYPT, Purpose::Encrypt),
                (CKA_WRAP, Purpose::Wrap),
                (CKA_UNWRAP, Purpose::Wrap),
                (CKA_SIGN, Purpose::Mac),
                (CKA_VERIFY, Purpose::Mac),
            ],
        )?;
        let session = !template.boolean(CKA_TOKEN)?.unwrap_or(false);
        let objects = Self::objects(template, session, process)?;
        Ok(Self::new(slot, algorithm, purpose, objects, session, request_id))
    }

    fn objects(private: &Template, session: bool, process: &str) -> Result<v1::NewObjects> {
        Ok(v1::NewObjects {
            private_id: owned(private, CKA_ID),
            private_label: owned(private, CKA_LABEL),
            session_process: if session { process.to_owned() } else { String::new() },
            unmodifiable: private.boolean(CKA_MODIFIABLE)? == Some(false),
            ..v1::NewObjects::default()
        })
    }

    fn new(
        slot: &SlotConfig,
        algorithm: Algorithm,
        purpose: Purpose,
        objects: v1::NewObjects,
        session: bool,
        request_id: String,
    ) -> Self {
        let protection = if session { Protection::Enclave } else { slot.protection };
        let mut key = v1::Key::default();
        key.set_algorithm(algorithm);
        key.set_purpose(purpose);
        key.set_protection(protection);
        let request = v1::CreateKeyRequest {
            parent: slot.organization.clone(),
            key_id: key_id(&request_id),
            key: Some(key),
            request_id,
            objects: Some(objects),
            ..v1::CreateKeyRequest::default()
        };
        Self { request, session }
    }

    /// The objects of the key that was made, public before private.
    pub(super) fn made(&self, key: &v1::Key) -> Result<Vec<v1::Object>> {
        let (Some(version), Some(new)) = (&key.primary, &self.request.objects) else {
            return Err(Rv(CKR_FUNCTION_FAILED));
        };
        let named = !new.private_id.is_empty() && !new.private_id.starts_with(COUNTER);
        let secret = version.public_key.is_empty();
        let standing = match (self.session, named && (secret || new.public_id == new.private_id)) {
            (true, _) => Standing::Session,
            (false, true) => Standing::Named,
            (false, false) => Standing::Provisional,
        };
        let public_key =
            kinds::model(key.algorithm()).and_then(|it| PublicKey::registered(it, &version.public_key).ok());
        let implied = sha256(public_key.as_ref().map_or(version.name.as_bytes(), PublicKey::bits));
        let object = |class: ObjectClass, part: &str, id: &[u8], label: &[u8]| {
            let mut object = v1::Object {
                name: format!("{}/objects/{part}", version.name),
                id: if id.is_empty() { implied.to_vec() } else { id.to_vec() },
                label: if label.is_empty() { self.request.key_id.clone().into_bytes() } else { label.to_vec() },
                modifiable: !new.unmodifiable,
                version: version.name.clone(),
                algorithm: key.algorithm,
                purpose: key.purpose,
                protection: key.protection,
                state: version.state,
                origin: version.origin,
                public_key: version.public_key.clone(),
                create_time: version.create_time,
                ..v1::Object::default()
            };
            object.set_class(class);
            object.set_standing(standing);
            object
        };
        Ok(if secret {
            vec![object(ObjectClass::SecretKeyObject, "secret", &new.private_id, &new.private_label)]
        } else {
            vec![
                object(ObjectClass::PublicKeyObject, "public", &new.public_id, &new.public_label),
                object(ObjectClass::PrivateKeyObject, "private", &new.private_id, &new.private_label),
            ]
        })
    }
}

fn owned(template: &Template, kind: CK_ATTRIBUTE_TYPE) -> Vec<u8> {
    template.bytes(kind).unwrap_or_default().to_vec()
}

/// The name of a key that is made by this request: unlikely to be another's, and the same when it is repeated.
fn key_id(request_id: &str) -> String {
    let digits = request_id.chars().filter(char::is_ascii_hexdigit).take(16);
    format!("pkcs11-{}", digits.collect::<String>())
}

/// The algorithm of a new pair.
fn pair_algorithm(slot: &SlotConfig, mechanism: &Mechanism, public: &Template) -> Result<Algorithm> {
    let none = matches!(&mechanism.parameter, Parameter::None)
        || matches!(&mechanism.parameter, Parameter::Bytes(bytes) if bytes.is_empty());
    if !none {
        return Err(Rv(CKR_MECHANISM_PARAM_INVALID));
    }
    let sm2 = kinds::generation(Algorithm::Sm2, slot.sm2);
    match mechanism.kind {
        CKM_RSA_PKCS_KEY_PAIR_GEN => {
            let bits = public.number(CKA_MODULUS_BITS)?.ok_or(Rv(CKR_TEMPLATE_INCOMPLETE))?;
            let exponent = public.bytes(CKA_PUBLIC_EXPONENT).unwrap_or(&F4);
            let leading = exponent.iter().take_while(|byte| **byte == 0).count();
            if exponent[leading..] != F4 {
                return Err(Rv(CKR_ATTRIBUTE_VALUE_INVALID));
            }
            let sizes = [Algorithm::Rsa2048, Algorithm::Rsa3072, Algorithm::Rsa4096];
            let algorithm = sizes.into_iter().find(|it| kinds::modulus_bits(*it) == Some(bits));
            algorithm.ok_or(Rv(CKR_KEY_SIZE_RANGE))
        }
        CKM_ML_DSA_KEY_PAIR_GEN => {
            let set = public.number(CKA_PARAMETER_SET)?.ok_or(Rv(CKR_TEMPLATE_INCOMPLETE))?;
            let sets = [Algorithm::MlDsa44, Algorithm::MlDsa65, Algorithm::MlDsa87];
            let algorithm = sets.into_iter().find(|it| kinds::parameter_set(*it) == Some(set));
            algorithm.ok_or(Rv(CKR_ATTRIBUTE_VALUE_INVALID))
        }
        // The curve is in the mechanism's name.
        kind if kind == sm2 && public.bytes(CKA_EC_PARAMS).is_none() => Ok(Algorithm::Sm2),
        CKM_EC_KEY_PAIR_GEN | CKM_EC_EDWARDS_KEY_PAIR_GEN | CKM_EC_MONTGOMERY_KEY_PAIR_GEN => {
            of_curve(slot, mechanism, public)
        }
        kind if kind == sm2 => of_curve(slot, mechanism, public),
        _ => Err(Rv(CKR_MECHANISM_INVALID)),
    }
}

/// The algorithm on the curve of CKA_EC_PARAMS, if the mechanism is for that curve.
fn of_curve(slot: &SlotConfig, mechanism: &Mechanism, public: &Template) -> Result<Algorithm> {
    let parameters = public.bytes(CKA_EC_PARAMS).ok_or(Rv(CKR_TEMPLATE_INCOMPLETE))?;
    kinds::of_curve(parameters)
        .filter(|algorithm| kinds::generation(*algorithm, slot.sm2) == mechanism.kind)
        .ok_or(Rv(CKR_CURVE_NOT_SUPPORTED))
}

/// The algorithm of a new secret key.
fn secret_algorithm(slot: &SlotConfig, mechanism: &Mechanism) -> Result<Algorithm> {
    let algorithms = [Algorithm::Aes256, Algorithm::HmacSha256, Algorithm::Sm4];
    let named = algorithms.into_iter().find(|it| kinds::generation(*it, slot.sm2) == mechanism.kind);
    named.ok_or(Rv(CKR_MECHANISM_INVALID))
}

/// The first of `choices` that the template asks for and the algorithm has; what the algorithm is for first of all, where
/// the template asks for nothing.
fn purpose(algorithm: Algorithm, template: &Template, choices: &[(CK_ATTRIBUTE_TYPE, Purpose)]) -> Result<Purpose> {
    let possible: Vec<_> = choices.iter().filter(|(_, purpose)| has(algorithm, *purpose)).collect();
    for (kind, purpose) in &possible {
        if template.boolean(*kind)? == Some(true) {
            return Ok(*purpose);
        }
    }
    let wanted = |kind: CK_ATTRIBUTE_TYPE| Ok::<_, Rv>(template.boolean(kind)? == Some(true));
    for (kind, _) in choices {
        if wanted(*kind)? {
            return Err(Rv(CKR_TEMPLATE_INCONSISTENT));
        }
    }
    // Nothing is asked for: whatever is not ruled out.
    for (kind, purpose) in &possible {
        if template.boolean(*kind)?.is_none() {
            return Ok(*purpose);
        }
    }
    Err(Rv(CKR_TEMPLATE_INCONSISTENT))
}

/// Whether keys of an algorithm can have a purpose.
fn has(algorithm: Algorithm, purpose: Purpose) -> bool {
    let Some(algorithm) = kinds::model(algorithm) else { return false };
    let word = purpose.as_str_name().to_ascii_lowercase();
    algorithm.purposes().iter().any(|it| it.as_str() == word)
}

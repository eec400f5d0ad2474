//! Attributes of keys (PKCS#11 v3.0 §4.7 to §4.11, §6.1, §6.3; v3.2 §6.67).
//!
//! **Invariants**
//! * Usage attributes say what the service lets the key do, which has one purpose; not what a client once asked for.
//! * No private or secret key of the service is extractable. Only one that was made here and never came back from a backup
//!   was always sensitive.

use super::{Storage, Table, der};
use crate::{
    attribute::Template,
    module::config::Sm2Profile,
    objects::{Key, Secret, class, kinds},
    rv::Result,
};
use ::der::{Decode, asn1::UintRef};
use chancery_api::v1::{self, Origin, Purpose};
use chancery_crypto::PublicKey;
use cryptoki_sys::*;

/// DER's tag of an OCTET STRING.
const OCTET_STRING: u8 = 4;

/// RSAPublicKey (RFC 8017 §A.1.1).
#[derive(::der::Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    public_exponent: UintRef<'a>,
}

/// Attributes of an object of a key version. `token` is CKA_TOKEN.
pub(in crate::objects) fn key(key: &Key, token: bool, profile: Sm2Profile) -> Table {
    let (object, algorithm) = (&key.object, key.object.algorithm());
    let class = class(object);
    let mut table = Table::of(&Storage {
        class,
        id: &object.id,
        label: &object.label,
        token,
        private: class != CKO_PUBLIC_KEY,
        modifiable: object.modifiable,
        unique: &object.name,
    });
    let local = object.origin() == Origin::Generated;
    let generation = if local { kinds::generation(algorithm, profile) } else { CK_UNAVAILABLE_INFORMATION };
    common(&mut table, kinds::key_type(algorithm, profile), local, generation);
    // CERTIFY keys sign certificates only, which is not done through here.
    let purpose = object.purpose();
    let (sign, encrypt) = (purpose == Purpose::Sign, purpose == Purpose::Encrypt);
    let certify = purpose == Purpose::Certify;
    match class {
        CKO_PUBLIC_KEY => public(&mut table, sign || certify, encrypt),
        CKO_PRIVATE_KEY => {
            table.flags(&[
                (CKA_SIGN, sign),
                (CKA_DECRYPT, encrypt),
                (CKA_UNWRAP, false),
                (CKA_DERIVE, purpose == Purpose::Agree),
                (CKA_SIGN_RECOVER, false),
                (CKA_ALWAYS_AUTHENTICATE, false),
            ]);
            table.bytes(CKA_SUBJECT, []);
            kept(&mut table, local);
            table.sensitive(private_values(algorithm));
        }
        _ => {
            let (mac, wrap) = (purpose == Purpose::Mac, purpose == Purpose::Wrap);
            secret(&mut table, mac, encrypt, wrap);
            kept(&mut table, local);
            table.sensitive(&[CKA_VALUE]);
            if let Some(length) = kinds::secret_length(algorithm) {
                table.number(CKA_VALUE_LEN, length);
            }
        }
    }
    if let Some(public_key) = &key.public_key {
        numbers(&mut table, algorithm, public_key, class == CKO_PUBLIC_KEY);
    }
    table
}

/// Attributes of a public key that a client brought along for a session's length.
pub(in crate::objects) fn local_public(
    key: &PublicKey,
    algorithm: v1::Algorithm,
    template: &Template,
    profile: Sm2Profile,
) -> Result<Table> {
    let mut table = Table::of(&given(CKO_PUBLIC_KEY, template)?);
    common(&mut table, kinds::key_type(algorithm, profile), false, CK_UNAVAILABLE_INFORMATION);
    let encrypts = kinds::modulus_bits(algorithm).is_some() || algorithm == v1::Algorithm::Sm2;
    let verifies = algorithm != v1::Algorithm::X25519;
    public(
        &mut table,
        template.boolean(CKA_VERIFY)?.unwrap_or(verifies),
        template.boolean(CKA_ENCRYPT)?.unwrap_or(encrypts),
    );
    numbers(&mut table, algorithm, key, true);
    Ok(table)
}

/// Attributes of a secret that lives in this process, but for its value.
pub(in crate::objects) fn local_secret(secret_key: &Secret, template: &Template) -> Result<Table> {
    let mut table = Table::of(&given(CKO_SECRET_KEY, template)?);
    common(&mut table, secret_key.kind, false, CK_UNAVAILABLE_INFORMATION);
    secret(&mut table, true, true, true);
    for kind in [CKA_SIGN, CKA_VERIFY, CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP, CKA_UNWRAP, CKA_DERIVE] {
        if let Some(flag) = template.boolean(kind)? {
            table.flags(&[(kind, flag)]);
        }
    }
    table.flags(&[
        (CKA_SENSITIVE, template.boolean(CKA_SENSITIVE)?.unwrap_or(!secret_key.readable)),
        (CKA_EXTRACTABLE, secret_key.extractable),
        (CKA_ALWAYS_SENSITIVE, false),
        (CKA_NEVER_EXTRACTABLE, false),
        (CKA_WRAP_WITH_TRUSTED, false),
    ]);
    table.number(CKA_VALUE_LEN, secret_key.value.len() as CK_ULONG);
    // Where it is readable, it is read where it is.
    table.sensitive(&[CKA_VALUE]);
    Ok(table)
}

/// What every object has, of one that a client describes and that ends with a session.
pub(in crate::objects) fn given(class: CK_OBJECT_CLASS, template: &Template) -> Result<Storage<'_>> {
    Ok(Storage {
        class,
        id: template.bytes(CKA_ID).unwrap_or_default(),
        label: template.bytes(CKA_LABEL).unwrap_or_default(),
        token: false,
        private: template.boolean(CKA_PRIVATE)?.unwrap_or(false),
        modifiable: template.boolean(CKA_MODIFIABLE)?.unwrap_or(true),
        // Given with its handle.
        unique: "",
    })
}

/// What every key has (§4.7).
fn common(table: &mut Table, kind: CK_KEY_TYPE, local: bool, generation: CK_MECHANISM_TYPE) {
    table.number(CKA_KEY_TYPE, kind);
    table.number(CKA_KEY_GEN_MECHANISM, generation);
    table.flags(&[(CKA_LOCAL, local), (CKA_DERIVE, false)]);
    table.bytes(CKA_START_DATE, []);
    table.bytes(CKA_END_DATE, []);
}

/// What every public key has (§4.8).
fn public(table: &mut Table, verify: bool, encrypt: bool) {
    table.bytes(CKA_SUBJECT, []);
    table.flags(&[
        (CKA_VERIFY, verify),
        (CKA_ENCRYPT, encrypt),
        (CKA_VERIFY_RECOVER, false),
        (CKA_WRAP, false),
        (CKA_TRUSTED, false),
    ]);
}

/// What every secret key has (§4.10).
fn secret(table: &mut Table, mac: bool, encrypt: bool, wrap: bool) {
    table.flags(&[
        (CKA_SIGN, mac),
        (CKA_VERIFY, mac),
        (CKA_ENCRYPT, encrypt),
        (CKA_DECRYPT, encrypt),
        (CKA_WRAP, wrap),
        (CKA_UNWRAP, wrap),
        (CKA_TRUSTED, false),
    ]);
}

/// What a private or secret key of the service has.
fn kept(table: &mut Table, local: bool) {
    table.flags(&[
        (CKA_SENSITIVE, true),
        (CKA_ALWAYS_SENSITIVE, local),
        (CKA_EXTRACTABLE, false),
        (CKA_NEVER_EXTRACTABLE, local),
        (CKA_WRAP_WITH_TRUSTED, false),
    ]);
}

/// Attributes of a private key that hold its secret.
fn private_values(algorithm: v1::Algorithm) -> &'static [CK_ATTRIBUTE_TYPE] {
    if kinds::modulus_bits(algorithm).is_some() {
        &[CKA_PRIVATE_EXPONENT, CKA_PRIME_1, CKA_PRIME_2, CKA_EXPONENT_1, CKA_EXPONENT_2, CKA_COEFFICIENT]
    } else if kinds::parameter_set(algorithm).is_some() {
        &[CKA_VALUE, CKA_SEED]
    } else {
        &[CKA_VALUE]
    }
}

/// The public numbers, which private objects have as well: ChainMaker reads CKA_EC_POINT there.
fn numbers(table: &mut Table, algorithm: v1::Algorithm, key: &PublicKey, public: bool) {
    table.bytes(CKA_PUBLIC_KEY_INFO, key.spki());
    if let Some(parameters) = kinds::curve(algorithm) {
        table.bytes(CKA_EC_PARAMS, parameters);
        table.bytes(CKA_EC_POINT, der(OCTET_STRING, key.bits()));
    } else if let Some(set) = kinds::parameter_set(algorithm) {
        table.number(CKA_PARAMETER_SET, set);
        if public {
            table.bytes(CKA_VALUE, key.bits());
        }
    } else if let (Some(bits), Ok(rsa)) = (kinds::modulus_bits(algorithm), RsaPublicKey::from_der(key.bits())) {
        table.bytes(CKA_MODULUS, rsa.modulus.as_bytes());
        table.number(CKA_MODULUS_BITS, bits);
        table.bytes(CKA_PUBLIC_EXPONENT, rsa.public_exponent.as_bytes());
    }
}

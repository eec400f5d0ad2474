//! Templates as real clients send them (traced with pkcs11-spy), and what is made of them.

use super::*;
use crate::{
    mechanism::{Mechanism, Parameter},
    module::config::{SlotConfig, Sm2Profile},
    objects::plan::Plan,
};
use chancery_api::v1::Protection;

const REQUEST: &str = "0e984725-c51c-4bf4-9960-e1c80e27aba0";
const P256_NAME: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const YES: &[u8] = &[1];
const NO: &[u8] = &[0];
const PRIVATE: &[u8] = &CKO_PRIVATE_KEY.to_ne_bytes();
const PUBLIC: &[u8] = &CKO_PUBLIC_KEY.to_ne_bytes();
const SECRET: &[u8] = &CKO_SECRET_KEY.to_ne_bytes();
const EC: &[u8] = &CKK_EC.to_ne_bytes();

pub(super) fn slot() -> SlotConfig {
    SlotConfig {
        label: "org1".to_owned(),
        organization: "organizations/org1".to_owned(),
        protection: Protection::Token,
        pin: None,
        sm2: Sm2Profile::Sansec,
        quirks: Default::default(),
    }
}

fn mechanism(kind: CK_MECHANISM_TYPE) -> Mechanism {
    Mechanism { kind, parameter: Parameter::None }
}

fn pair(kind: CK_MECHANISM_TYPE, public: &Template, private: &Template) -> Result<Plan> {
    Plan::pair(&slot(), &mechanism(kind), public, private, "process", REQUEST.to_owned())
}

fn secret(kind: CK_MECHANISM_TYPE, template: &Template) -> Result<Plan> {
    Plan::secret(&slot(), &mechanism(kind), template, "process", REQUEST.to_owned())
}

/// Algorithm, purpose and protection that are asked for.
fn asked(plan: &Plan) -> (Algorithm, Purpose, Protection) {
    let key = plan.request.key.as_ref().unwrap();
    (key.algorithm(), key.purpose(), key.protection())
}

/// An EC pair with these private attributes.
fn ec<const N: usize>(private: [(CK_ATTRIBUTE_TYPE, &[u8]); N]) -> Result<Plan> {
    pair(CKM_EC_KEY_PAIR_GEN, &template([(CKA_EC_PARAMS, P256_NAME)]), &template(private))
}

/// bccsp/pkcs11, 2.x.
fn fabric(token: &[u8]) -> Plan {
    let public = template([
        (CKA_KEY_TYPE, EC),
        (CKA_CLASS, PUBLIC),
        (CKA_TOKEN, token),
        (CKA_VERIFY, YES),
        (CKA_EC_PARAMS, P256_NAME),
        (CKA_ID, b"BCPUB1"),
        (CKA_LABEL, b"BCPUB1"),
    ]);
    let private = template([
        (CKA_KEY_TYPE, EC),
        (CKA_CLASS, PRIVATE),
        (CKA_TOKEN, token),
        (CKA_PRIVATE, YES),
        (CKA_SIGN, YES),
        (CKA_ID, b"BCPRV1"),
        (CKA_LABEL, b"BCPRV1"),
        (CKA_EXTRACTABLE, NO),
        (CKA_SENSITIVE, YES),
    ]);
    pair(CKM_EC_KEY_PAIR_GEN, &public, &private).unwrap()
}

#[test]
fn fabric_makes_a_signing_key_of_the_slot() {
    let plan = fabric(YES);
    assert_eq!(asked(&plan), (Algorithm::EcP256, Purpose::Sign, Protection::Token));
    assert_eq!(plan.request.parent, "organizations/org1");
    assert_eq!(plan.request.request_id, REQUEST);
    assert_eq!(plan.request.key_id, "pkcs11-0e984725c51c4bf4", "the same for the same request");
    let expected = v1::NewObjects {
        public_id: b"BCPUB1".to_vec(),
        public_label: b"BCPUB1".to_vec(),
        private_id: b"BCPRV1".to_vec(),
        private_label: b"BCPRV1".to_vec(),
        ..v1::NewObjects::default()
    };
    assert_eq!(plan.request.objects, Some(expected));
}

#[test]
fn a_key_that_ends_with_the_session_lives_in_the_enclave() {
    let plan = fabric(NO);
    assert_eq!(asked(&plan), (Algorithm::EcP256, Purpose::Sign, Protection::Enclave));
    assert_eq!(plan.request.objects.unwrap().session_process, "process");
}

/// The answer to CreateKey, as the service gives it.
fn made() -> v1::Key {
    let mut version = v1::KeyVersion { name: VERSION.to_owned(), public_key: P256.to_vec(), ..Default::default() };
    version.set_state(KeyState::Active);
    version.set_origin(Origin::Generated);
    let mut key = v1::Key { primary: Some(version), ..v1::Key::default() };
    key.set_algorithm(Algorithm::EcP256);
    key.set_purpose(Purpose::Sign);
    key
}

#[test]
fn the_answer_is_both_objects() {
    let [public, private] = &fabric(YES).made(&made()).unwrap()[..] else { panic!("not two") };
    assert_eq!(public.name, format!("{VERSION}/objects/public"));
    assert_eq!(private.name, format!("{VERSION}/objects/private"));
    assert_eq!((public.id.as_slice(), private.id.as_slice()), (&b"BCPUB1"[..], &b"BCPRV1"[..]));
    assert_eq!(private.standing(), Standing::Provisional, "counters name nothing");
    assert_eq!(fabric(NO).made(&made()).unwrap()[0].standing(), Standing::Session);
}

/// As the service implies them (objects.proto): ids are openssl's SHA-256 of the point, labels the key's id.
#[test]
fn what_the_template_leaves_out_is_implied() {
    let objects = ec([(CKA_TOKEN, YES)]).unwrap().made(&made()).unwrap();
    for object in objects {
        assert_eq!(hex::encode(&object.id), SKI);
        assert_eq!(object.label, b"pkcs11-0e984725c51c4bf4");
        assert_eq!(object.standing(), Standing::Provisional);
    }
    let named = |id: &[u8]| {
        let public = template([(CKA_EC_PARAMS, P256_NAME), (CKA_ID, b"01")]);
        let plan = pair(CKM_EC_KEY_PAIR_GEN, &public, &template([(CKA_TOKEN, YES), (CKA_ID, id)])).unwrap();
        plan.made(&made()).unwrap()[0].standing()
    };
    assert_eq!((named(b"01"), named(b"02")), (Standing::Named, Standing::Provisional));
}

#[test]
fn an_answer_without_a_version_makes_no_objects() {
    assert_eq!(fabric(YES).made(&v1::Key::default()), Err(Rv(CKR_FUNCTION_FAILED)));
}

#[test]
fn a_key_has_the_first_purpose_that_is_asked_for() {
    let purpose = |plan: Result<Plan>| plan.map(|plan| asked(&plan).1);
    // pkcs11-tool without --usage.
    assert_eq!(purpose(ec([(CKA_SIGN, YES), (CKA_DERIVE, YES)])), Ok(Purpose::Sign));
    assert_eq!(purpose(ec([(CKA_DERIVE, YES), (CKA_SIGN, NO)])), Ok(Purpose::Agree));
    assert_eq!(purpose(ec([(CKA_DERIVE, YES)])), Ok(Purpose::Agree));
    assert_eq!(purpose(ec([])), Ok(Purpose::Sign));
    assert_eq!(purpose(ec([(CKA_SIGN, NO)])), Ok(Purpose::Agree));
    assert_eq!(purpose(ec([(CKA_SIGN, NO), (CKA_DERIVE, NO)])), Err(Rv(CKR_TEMPLATE_INCONSISTENT)));
    assert_eq!(purpose(ec([(CKA_DECRYPT, YES)])), Err(Rv(CKR_TEMPLATE_INCONSISTENT)));
    let rsa = |private: &Template| {
        let public = template([(CKA_MODULUS_BITS, &2048_u64.to_ne_bytes()), (CKA_PUBLIC_EXPONENT, &[1, 0, 1])]);
        purpose(pair(CKM_RSA_PKCS_KEY_PAIR_GEN, &public, private))
    };
    assert_eq!(rsa(&template([(CKA_SIGN, YES), (CKA_DECRYPT, YES)])), Ok(Purpose::Sign));
    assert_eq!(rsa(&template([(CKA_DECRYPT, YES)])), Ok(Purpose::Encrypt));
    let aes = |uses: &[CK_ATTRIBUTE_TYPE]| {
        let length = Attribute { kind: CKA_VALUE_LEN, value: 32_u64.to_ne_bytes().to_vec().into() };
        let uses = uses.iter().map(|kind| Attribute { kind: *kind, value: YES.to_vec().into() });
        purpose(secret(CKM_AES_KEY_GEN, &Template(uses.chain([length]).collect())))
    };
    // python-pkcs11 asks for all that AES can do.
    let all = [CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN, CKA_VERIFY, CKA_WRAP, CKA_UNWRAP];
    assert_eq!(aes(&all), Ok(Purpose::Encrypt));
    assert_eq!(aes(&[CKA_WRAP, CKA_UNWRAP]), Ok(Purpose::Wrap));
    assert_eq!(aes(&[]), Ok(Purpose::Encrypt));
    assert_eq!(aes(&[CKA_SIGN]), Err(Rv(CKR_TEMPLATE_INCONSISTENT)));
}

#[test]
fn mechanism_and_parameters_give_the_algorithm() {
    let algorithm = |kind, public: &Template| pair(kind, public, &template([])).map(|plan| asked(&plan).0);
    let curve = |kind, name: &[u8]| algorithm(kind, &template([(CKA_EC_PARAMS, name)]));
    let ec = CKM_EC_KEY_PAIR_GEN;
    assert_eq!(curve(ec, b"\x06\x05\x2b\x81\x04\x00\x22"), Ok(Algorithm::EcP384));
    assert_eq!(curve(ec, b"\x06\x05\x2b\x81\x04\x00\x23"), Ok(Algorithm::EcP521));
    assert_eq!(curve(ec, b"\x06\x05\x2b\x81\x04\x00\x0a"), Ok(Algorithm::EcSecp256k1));
    assert_eq!(curve(CKM_EC_EDWARDS_KEY_PAIR_GEN, b"\x13\x0cedwards25519"), Ok(Algorithm::Ed25519));
    assert_eq!(curve(CKM_EC_EDWARDS_KEY_PAIR_GEN, b"\x06\x03\x2b\x65\x70"), Ok(Algorithm::Ed25519));
    assert_eq!(curve(CKM_EC_MONTGOMERY_KEY_PAIR_GEN, b"\x13\x0acurve25519"), Ok(Algorithm::X25519));
    for (kind, name) in [
        (ec, &b"\x06\x05\x2b\x81\x04\x00\x21"[..]),
        (ec, b"\x06\x03\x2b\x65\x70"),
        (ec, b"\x06\x08\x2a\x81\x1c\xcf\x55\x01\x82\x2d"),
        (ec, b""),
        (CKM_EC_EDWARDS_KEY_PAIR_GEN, P256_NAME),
    ] {
        assert_eq!(curve(kind, name), Err(Rv(CKR_CURVE_NOT_SUPPORTED)), "{name:x?}");
    }
    assert_eq!(algorithm(ec, &template([])), Err(Rv(CKR_TEMPLATE_INCOMPLETE)));
    assert_eq!(algorithm(0x8000_8001, &template([])), Ok(Algorithm::Sm2), "Sansec's");
    let bits = |bits: u64, exponent: &[u8]| {
        let public = template([(CKA_MODULUS_BITS, &bits.to_ne_bytes()), (CKA_PUBLIC_EXPONENT, exponent)]);
        algorithm(CKM_RSA_PKCS_KEY_PAIR_GEN, &public)
    };
    assert_eq!(bits(3072, &[0, 1, 0, 1]), Ok(Algorithm::Rsa3072));
    assert_eq!(bits(1024, &[1, 0, 1]), Err(Rv(CKR_KEY_SIZE_RANGE)));
    assert_eq!(bits(2048, &[3]), Err(Rv(CKR_ATTRIBUTE_VALUE_INVALID)));
    let set = |set: u64| algorithm(CKM_ML_DSA_KEY_PAIR_GEN, &template([(CKA_PARAMETER_SET, &set.to_ne_bytes())]));
    assert_eq!((set(CKP_ML_DSA_65), set(9)), (Ok(Algorithm::MlDsa65), Err(Rv(CKR_ATTRIBUTE_VALUE_INVALID))));
    assert_eq!(algorithm(CKM_ECDSA, &template([])), Err(Rv(CKR_MECHANISM_INVALID)));
}

/// Stronger than asked is accepted, weaker never.
#[test]
fn what_could_not_be_kept_is_refused() {
    for (attribute, refusal) in [
        ((CKA_EXTRACTABLE, YES), CKR_TEMPLATE_INCONSISTENT),
        ((CKA_SENSITIVE, NO), CKR_TEMPLATE_INCONSISTENT),
        ((CKA_ALWAYS_AUTHENTICATE, YES), CKR_TEMPLATE_INCONSISTENT),
        ((CKA_DESTROYABLE, NO), CKR_TEMPLATE_INCONSISTENT),
        ((CKA_START_DATE, b"20250101"), CKR_TEMPLATE_INCONSISTENT),
        ((CKA_CLASS, PUBLIC), CKR_TEMPLATE_INCONSISTENT),
        ((CKA_KEY_TYPE, &CKK_RSA.to_ne_bytes()), CKR_TEMPLATE_INCONSISTENT),
        ((CKA_LOCAL, YES), CKR_ATTRIBUTE_READ_ONLY),
        ((CKA_VALUE, b"mine"), CKR_ATTRIBUTE_READ_ONLY),
        ((CKA_MODULUS, b"1"), CKR_ATTRIBUTE_TYPE_INVALID),
        ((CKA_WRAP_TEMPLATE, b""), CKR_ATTRIBUTE_TYPE_INVALID),
        ((CKA_SIGN, b"\x02"), CKR_ATTRIBUTE_VALUE_INVALID),
        ((CKA_SIGN, b""), CKR_ATTRIBUTE_VALUE_INVALID),
        ((CKA_LABEL, b"\xff"), CKR_ATTRIBUTE_VALUE_INVALID),
        ((CKA_ID, &[0; 256]), CKR_ATTRIBUTE_VALUE_INVALID),
        ((CKA_KEY_TYPE, b"1"), CKR_ATTRIBUTE_VALUE_INVALID),
    ] {
        assert_eq!(ec([attribute]), Err(Rv(refusal)), "{attribute:x?}");
    }
    for attribute in [(CKA_PRIVATE, NO), (CKA_WRAP_WITH_TRUSTED, YES), (CKA_SUBJECT, b"\x30\x00"), (CKA_ID, &[0; 255])]
    {
        assert!(ec([attribute]).is_ok(), "{attribute:x?}");
    }
    // Of a secret key, pkcs11-tool says these without being asked.
    let unasked = [(CKA_SENSITIVE, NO), (CKA_EXTRACTABLE, NO), (CKA_PRIVATE, NO)];
    let [sensitive, extractable, private] = unasked;
    let length = (CKA_VALUE_LEN, &32_u64.to_ne_bytes()[..]);
    let of =
        |class| secret(CKM_AES_KEY_GEN, &template([class, length, sensitive, extractable, private, (CKA_TOKEN, YES)]));
    assert_eq!(asked(&of((CKA_CLASS, SECRET)).unwrap()), (Algorithm::Aes256, Purpose::Encrypt, Protection::Token));
    assert_eq!(of((CKA_CLASS, PRIVATE)), Err(Rv(CKR_TEMPLATE_INCONSISTENT)));
}

#[test]
fn secret_keys_have_the_lengths_that_the_service_makes() {
    let with = |kind, length: u64| secret(kind, &template([(CKA_VALUE_LEN, &length.to_ne_bytes())]));
    assert_eq!(with(CKM_AES_KEY_GEN, 16), Err(Rv(CKR_KEY_SIZE_RANGE)));
    assert_eq!(secret(CKM_AES_KEY_GEN, &template([])), Err(Rv(CKR_TEMPLATE_INCOMPLETE)));
    assert_eq!(with(CKM_GENERIC_SECRET_KEY_GEN, 32).map(|plan| asked(&plan).1), Ok(Purpose::Mac));
    assert_eq!(secret(0x8000_0107, &template([])).map(|plan| asked(&plan).0), Ok(Algorithm::Sm4), "Sansec's");
    assert_eq!(with(CKM_EC_KEY_PAIR_GEN, 32), Err(Rv(CKR_MECHANISM_INVALID)));
}

//! Tables, templates, listings. The keys and the certificate in fixtures/ were made by openssl, and so were the values that
//! are expected of them.

mod attributes;
mod given;
mod listing;
mod plan;
mod refresh;

use super::*;
use crate::attribute::{Attribute, Template};
use chancery_api::v1::{Algorithm, ObjectClass, Origin, Purpose, Standing};

const P256: &[u8] = include_bytes!("../fixtures/p256.spki.der");
const RSA: &[u8] = include_bytes!("../fixtures/rsa.spki.der");
const ED25519: &[u8] = include_bytes!("../fixtures/ed.spki.der");
const SM2: &[u8] = include_bytes!("../fixtures/sm2.spki.der");
const CERTIFICATE: &[u8] = include_bytes!("../fixtures/certificate.der");

/// The uncompressed point of [`P256`], and its SHA-256.
const POINT: &str = "0441d9e50eb016043515cfb3e76c98cfc408ad9375e0d71fd82eaa45dc38d014ab3af3e9b04e594dc3b61b6f6b89c20f27fcdcb774f91e6dbc8d555913cb2331bc";
const SKI: &str = "d56deb630ad84f6e98144ee1edd71358c9c5b9d1325796405d0e517a5c357723";

const VERSION: &str = "organizations/org1/keys/peer0/versions/1";

/// A template of numbers, flags and bytes.
fn template<const N: usize>(attributes: [(CK_ATTRIBUTE_TYPE, &[u8]); N]) -> Template {
    let attribute = |(kind, value): (_, &[u8])| Attribute { kind, value: value.to_vec().into() };
    Template(attributes.into_iter().map(attribute).collect())
}

/// An object of a P-256 signing key that was made here, named and labelled `x`.
fn object(class: ObjectClass, part: &str) -> v1::Object {
    let mut object = v1::Object {
        name: format!("{VERSION}/objects/{part}"),
        id: b"x".to_vec(),
        label: b"x".to_vec(),
        modifiable: true,
        version: VERSION.to_owned(),
        public_key: P256.to_vec(),
        ..v1::Object::default()
    };
    object.set_class(class);
    object.set_algorithm(Algorithm::EcP256);
    object.set_purpose(Purpose::Sign);
    object.set_origin(Origin::Generated);
    object.set_state(KeyState::Active);
    object.set_standing(Standing::Named);
    object
}

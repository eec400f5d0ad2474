//! A client on the `cryptoki` crate, in a process of its own: `check` tries what programs do with it and has other
//! libraries judge the results; `sign` signs until its time is up, as tests/pkcs11/go/src/signer does and under the same
//! environment.
//!
//! **Invariant**: any answer that was not expected ends it with status 101.

mod check;
mod sign;

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    object::{Attribute, AttributeType, ObjectHandle},
    session::{Session, UserType},
    slot::Slot,
    types::AuthPin,
};
use std::env::var;

fn main() {
    let token = Token::open();
    match std::env::args().nth(1).as_deref() {
        Some("check") => check::all(&token),
        Some("sign") => sign::until_the_end(&token),
        other => panic!("`check` or `sign`, not {other:?}"),
    }
    token.context.finalize().unwrap();
}

/// The token that the environment names: PKCS11_LIB, PKCS11_LABEL, PKCS11_PIN.
struct Token {
    context: Pkcs11,
    slot: Slot,
    pin: String,
}

impl Token {
    fn open() -> Self {
        let context = Pkcs11::new(var("PKCS11_LIB").expect("PKCS11_LIB")).unwrap();
        context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
        let label = var("PKCS11_LABEL").expect("PKCS11_LABEL");
        let slots = context.get_slots_with_token().unwrap();
        let slot = slots.into_iter().find(|slot| context.get_token_info(*slot).unwrap().label() == label);
        let slot = slot.unwrap_or_else(|| panic!("no token has the label {label:?}"));
        Self { context, slot, pin: var("PKCS11_PIN").expect("PKCS11_PIN") }
    }

    /// A session without a login.
    fn session(&self) -> Session {
        self.context.open_rw_session(self.slot).unwrap()
    }

    /// Logs the process in.
    fn login(&self, session: &Session) {
        session.login(UserType::User, Some(&AuthPin::new(self.pin.clone().into()))).unwrap();
    }
}

/// The one object that matches.
fn only(session: &Session, template: &[Attribute]) -> ObjectHandle {
    match session.find_objects(template).unwrap()[..] {
        [object] => object,
        ref found => panic!("{} objects match {template:?}", found.len()),
    }
}

/// The bytes of CKA_EC_POINT, without the OCTET STRING around them.
fn point(session: &Session, object: ObjectHandle) -> Vec<u8> {
    match &session.get_attributes(object, &[AttributeType::EcPoint]).unwrap()[..] {
        [Attribute::EcPoint(wrapped)] => {
            assert_eq!(
                (wrapped[0], usize::from(wrapped[1])),
                (4, wrapped.len() - 2),
                "an OCTET STRING: {wrapped:02x?}"
            );
            wrapped[2..].to_vec()
        }
        other => panic!("{other:?}"),
    }
}

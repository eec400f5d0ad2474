//! How long objects last: for a session, or longer than their session was meant to.

use crate::{
    shared::{client, deployment},
    token::{NO, PRIVATE, PUBLIC, Token, YES},
};
use chancery_api::v1::{GetKeyRequest, KeyState};
use chancery_pkcs11::rv::Rv;
use cryptoki_sys::*;
use std::{sync::Arc, time::Duration};

const PEER: &str = "org1-peer0";

/// The state of the version that an object is of, as an officer sees it.
async fn state(unique: &[u8]) -> KeyState {
    let name = std::str::from_utf8(unique).unwrap().split("/versions/").next().unwrap().to_owned();
    let key = client("org1-security").await.keys().get_key(GetKeyRequest { name }).await.unwrap();
    key.into_inner().versions[0].state()
}

/// CKA_TOKEN false: its process sees and uses it on every session, nobody else does, and it is destroyed when the session
/// that made it is closed.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_key_ends_with_its_session() {
    let [token, other] = [(), ()].map(|()| Token::new(deployment(), PEER));
    let session = token.module.open_session(1, CKF_SERIAL_SESSION).unwrap();
    let maker = Token { session: token.module.session(session).unwrap(), ..token };
    let (public, private) = maker.pair(&[(CKA_LABEL, b"ephemeral")]).unwrap();
    for handle in [public, private] {
        assert_eq!(maker.bytes(handle, CKA_TOKEN), NO);
    }
    let second = maker.module.open_session(1, CKF_SERIAL_SESSION).unwrap();
    let module = maker.module;
    let user = Token { session: module.session(second).unwrap(), module };
    assert_eq!(user.find(&[(CKA_LABEL, b"ephemeral"), (CKA_TOKEN, NO)]), [public, private]);
    let signature = user.sign(private, &[1; 32]).unwrap();
    user.verify(public, &[1; 32], &signature).unwrap();
    assert_eq!(other.find(&[(CKA_LABEL, b"ephemeral")]), []);
    assert_eq!(user.find(&[(CKA_LABEL, b"ephemeral"), (CKA_TOKEN, YES)]), []);

    let unique = user.bytes(private, CKA_UNIQUE_ID);
    assert_eq!(state(&unique).await, KeyState::Active);
    user.module.close_session(session).unwrap();
    assert_eq!(user.find(&[(CKA_LABEL, b"ephemeral")]), []);
    assert_eq!(user.sign(private, &[1; 32]), Err(Rv(CKR_KEY_HANDLE_INVALID)));
    let mut left = 300;
    while state(&unique).await == KeyState::Active {
        assert!(left > 0, "the key outlives its session");
        left -= 1;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Java's keytool: a session key is made, then copied with CKA_TOKEN true under the name that it is to have.
#[test]
fn a_session_key_is_kept_by_a_copy_that_stays() {
    let token = Token::new(deployment(), PEER);
    let session = token.module.open_session(1, CKF_SERIAL_SESSION | CKF_RW_SESSION).unwrap();
    let keytool = Token { session: token.module.session(session).unwrap(), ..token };
    let (public, private) = keytool.pair(&[]).unwrap();
    let kept = keytool.copy(private, &[(CKA_TOKEN, YES), (CKA_ID, b"alias"), (CKA_LABEL, b"alias")]).unwrap();
    assert_eq!(keytool.bytes(kept, CKA_TOKEN), YES);
    let signature = keytool.sign(kept, &[1; 32]).unwrap();
    keytool.verify(public, &[1; 32], &signature).unwrap();
    let module = keytool.module;
    let last = module.open_session(1, CKF_SERIAL_SESSION).unwrap();
    let token = Token { session: module.session(last).unwrap(), module };
    token.module.close_session(session).unwrap();
    assert_eq!(token.only(&[(CKA_CLASS, PRIVATE), (CKA_ID, b"alias")]), kept);
    token.sign(kept, &[2; 32]).unwrap();
    let other = Token::new(deployment(), PEER);
    let theirs = other.only(&[(CKA_CLASS, PRIVATE), (CKA_ID, b"alias")]);
    assert_eq!(other.find(&[(CKA_CLASS, PUBLIC), (CKA_EC_POINT, &other.bytes(theirs, CKA_EC_POINT))]).len(), 1);
}

/// C_Finalize and C_Initialize: nothing is known until it is found again, and then by the handle that it had.
#[test]
fn handles_outlast_the_module() {
    let objects = Arc::default();
    let before = Token::again(deployment(), PEER, Arc::clone(&objects));
    let (public, private) = before.named_pair("outlasting");
    before.module.close();
    let after = Token::again(deployment(), PEER, Arc::clone(&objects));
    assert_eq!(after.value(private, CKA_ID), Err(Rv(CKR_OBJECT_HANDLE_INVALID)));
    assert_eq!(after.find(&[(CKA_ID, b"outlasting")]), [public, private]);
    after.sign(private, &[1; 32]).unwrap();
    let (fresh, _) = Token::new(deployment(), PEER).named_pair("outlasting-2");
    assert!(fresh > private, "no number is given twice in a process");
}

/// A read-only session makes what ends with it, and nothing else; nobody makes keys before a login.
#[test]
fn keys_need_a_login() {
    let token = Token::new(deployment(), PEER);
    token.module.logout(1).unwrap();
    assert_eq!(token.pair(&[]), Err(Rv(CKR_USER_NOT_LOGGED_IN)));
    assert_eq!(token.find(&[(CKA_CLASS, PRIVATE)]), []);
}

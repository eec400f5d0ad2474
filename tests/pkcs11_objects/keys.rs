//! Names of keys: Fabric gives them afterwards, and then they stay.

use crate::{
    harness::expect_code,
    shared::deployment,
    token::{NO, PRIVATE, PUBLIC, SECRET, Token, YES, mechanism, template},
};
use chancery_pkcs11::{objects::Value, rv::Rv};
use cryptoki_sys::*;
use sha2::{Digest, Sha256};

const PEER: &str = "org1-peer0";

/// SHA-256 of a handle's uncompressed point: what Fabric names keys after.
fn ski(token: &Token, handle: CK_OBJECT_HANDLE) -> Vec<u8> {
    let point = token.bytes(handle, CKA_EC_POINT);
    assert_eq!(point[..3], [4, 65, 4], "an uncompressed point in an OCTET STRING");
    Sha256::digest(&point[2..]).to_vec()
}

/// bccsp/pkcs11 (fabric.md §2.6): counters first, then the SKI and its hex on both halves; both are found by it.
#[test]
fn fabric_names_a_key_after_its_public_key() {
    let [token, other] = [(), ()].map(|()| Token::new(deployment(), PEER));
    let (public, private) = token.pair(&[(CKA_TOKEN, YES), (CKA_ID, b"BCPUB7"), (CKA_LABEL, b"BCPUB7")]).unwrap();
    let ski = ski(&token, public);
    for handle in [public, private] {
        token.set(handle, &[(CKA_ID, &ski), (CKA_LABEL, hex::encode(&ski).as_bytes())]).unwrap();
    }
    for (class, handle) in [(PRIVATE, private), (PUBLIC, public)] {
        assert_eq!(token.only(&[(CKA_CLASS, class), (CKA_ID, &ski)]), handle);
        other.only(&[(CKA_CLASS, class), (CKA_ID, &ski)]);
    }
    assert_eq!(token.find(&[(CKA_ID, b"BCPUB7"), (CKA_EC_POINT, &token.bytes(public, CKA_EC_POINT))]), []);
    for kind in [CKA_TOKEN, CKA_MODIFIABLE] {
        assert_eq!(token.bytes(private, kind), YES);
    }
}

/// A stolen node certificate can't take the node's identity away under another name.
#[test]
fn a_named_key_is_neither_renamed_nor_dropped() {
    let token = Token::new(deployment(), PEER);
    let (public, private) = token.named_pair("settled");
    for handle in [public, private] {
        assert_eq!(token.set(handle, &[(CKA_ID, b"elsewhere")]), Err(Rv(CKR_FUNCTION_REJECTED)));
        assert_eq!(token.set(handle, &[(CKA_LABEL, b"elsewhere")]), Err(Rv(CKR_FUNCTION_REJECTED)));
        assert_eq!(token.copy(handle, &[(CKA_ID, b"elsewhere")]), Err(Rv(CKR_FUNCTION_REJECTED)));
        assert_eq!(token.destroy(handle), Err(Rv(CKR_FUNCTION_REJECTED)));
        assert_eq!(token.set(handle, &[(CKA_ID, b"settled"), (CKA_LABEL, b"settled")]), Ok(()));
        assert_eq!(token.set(handle, &[(CKA_TOKEN, NO)]), Err(Rv(CKR_ATTRIBUTE_READ_ONLY)));
        assert_eq!(token.set(handle, &[(CKA_MODULUS, NO)]), Err(Rv(CKR_ATTRIBUTE_TYPE_INVALID)));
        assert_eq!(token.bytes(handle, CKA_ID), b"settled");
    }
    let signature = token.sign(private, &[1; 32]).unwrap();
    token.verify(public, &[1; 32], &signature).unwrap();
}

/// Who could name its own key after another's public key would be found in its place (fabric.md §2.4).
#[test]
fn nobody_takes_another_keys_identifier() {
    let [peer, client] = [PEER, "org1-client"].map(|client| Token::new(deployment(), client));
    let victim = ski(&peer, peer.named_pair("victim").0);
    let (public, private) = client.pair(&[(CKA_TOKEN, YES)]).unwrap();
    for handle in [public, private] {
        let refused = client.set(handle, &[(CKA_ID, &victim)]).unwrap_err();
        assert!([CKR_FUNCTION_REJECTED, CKR_ATTRIBUTE_VALUE_INVALID].contains(&refused.0), "{refused:?}");
    }
    let made = client.pair(&[(CKA_TOKEN, YES), (CKA_ID, &victim)]);
    assert!(made.is_err(), "{made:?}");
    assert_eq!(client.find(&[(CKA_ID, &victim)]), []);
}

/// Fabric's Immutable (fabric.md §2.6): a copy that nobody may change takes the place of the original.
#[test]
fn an_unmodifiable_copy_replaces_the_original() {
    let token = Token::new(deployment(), PEER);
    let (public, private) = token.named_pair("immutable");
    let copies = [public, private].map(|handle| {
        let copy = token.copy(handle, &[(CKA_MODIFIABLE, NO)]).unwrap();
        token.destroy(handle).unwrap();
        assert_eq!(token.value(handle, CKA_ID), Err(Rv(CKR_OBJECT_HANDLE_INVALID)));
        copy
    });
    assert_eq!(token.find(&[(CKA_ID, b"immutable")]), copies);
    for copy in copies {
        assert_eq!(token.bytes(copy, CKA_MODIFIABLE), NO);
        assert_eq!(token.set(copy, &[(CKA_LABEL, b"another")]), Err(Rv(CKR_ACTION_PROHIBITED)));
        assert_eq!(token.destroy(copy), Err(Rv(CKR_FUNCTION_REJECTED)), "it is the last one now");
    }
    let signature = token.sign(copies[1], &[1; 32]).unwrap();
    token.verify(copies[0], &[1; 32], &signature).unwrap();
    let other = Token::new(deployment(), PEER);
    assert_eq!(other.find(&[(CKA_ID, b"immutable")]).len(), 2);
}

/// A key that nobody named is its maker's to drop: both halves at once, in whatever order a client does it.
#[test]
fn a_key_without_a_name_is_dropped() {
    let [token, other] = [(), ()].map(|()| Token::new(deployment(), PEER));
    for public_first in [true, false] {
        let (public, private) = token.pair(&[(CKA_TOKEN, YES), (CKA_LABEL, b"waste")]).unwrap();
        let order = if public_first { [public, private] } else { [private, public] };
        for handle in order {
            assert_eq!(token.destroy(handle), Ok(()));
            assert_eq!(token.value(handle, CKA_ID), Err(Rv(CKR_OBJECT_HANDLE_INVALID)));
        }
        assert_eq!(token.destroy(private), Err(Rv(CKR_OBJECT_HANDLE_INVALID)));
        assert_eq!(token.sign(private, &[1; 32]), Err(Rv(CKR_KEY_HANDLE_INVALID)));
        let left = other.find(&[(CKA_LABEL, b"waste")]);
        let left: Vec<_> = left.iter().map(|it| String::from_utf8(other.bytes(*it, CKA_UNIQUE_ID)).unwrap()).collect();
        assert_eq!(left, [""; 0], "public first: {public_first}");
    }
}

/// Two handles may have one name: whoever looks for it finds both, as PKCS#11 has it.
#[test]
fn ids_and_labels_are_not_unique() {
    let token = Token::new(deployment(), PEER);
    let pairs = [(), ()].map(|()| token.named_pair("twins"));
    assert_eq!(token.find(&[(CKA_CLASS, PRIVATE), (CKA_LABEL, b"twins")]), pairs.map(|(_, private)| private));
    assert_eq!(token.value(pairs[0].1, CKA_VALUE), Ok(Value::Sensitive));
    assert_eq!(token.value(pairs[0].0, CKA_VALUE), Ok(Value::Absent));
}

/// Secret keys are made at the service by whom an organization lets make them; by default nodes make signing keys only.
#[test]
fn policies_say_who_makes_secret_keys() {
    let token = Token::new(deployment(), "org1-opssc");
    let make = |kind, given: &[(CK_ATTRIBUTE_TYPE, &[u8])]| {
        let length: &[(_, &[u8])] = &[(CKA_VALUE_LEN, &32_u64.to_ne_bytes()), (CKA_TOKEN, YES)];
        let template = template(&[length, given].concat());
        token.module.objects.generate(&token.module, &token.session, &mechanism(kind), &template)
    };
    let named: &[(_, &[u8])] = &[(CKA_ID, b"sealing"), (CKA_ENCRYPT, YES), (CKA_WRAP, YES)];
    assert_eq!(make(CKM_AES_KEY_GEN, named), Err(Rv(CKR_FUNCTION_REJECTED)));
    let policies = tempfile::NamedTempFile::new().unwrap();
    let principal = "principal == Chancery::Principal::\"organizations/org1/principals/opssc\"";
    let action = "action == Chancery::Action::\"CreateKey\"";
    let permit =
        format!("@id(\"secrets\") permit ({principal}, {action}, resource) when {{ context.owner == principal }};");
    std::fs::write(policies.path(), permit).unwrap();
    let set = ["policy", "set", "org1", "--in", policies.path().to_str().unwrap(), "--confirm", "org1"];
    expect_code(&deployment().chancery("org1-security", &set), 0);
    let sealing = make(CKM_AES_KEY_GEN, named).unwrap();
    let code = make(CKM_GENERIC_SECRET_KEY_GEN, &[(CKA_LABEL, b"code")]).unwrap();
    for (handle, yes, no) in [(sealing, CKA_ENCRYPT, CKA_WRAP), (code, CKA_SIGN, CKA_ENCRYPT)] {
        assert_eq!((token.bytes(handle, yes), token.bytes(handle, no)), (YES.to_vec(), NO.to_vec()));
        assert_eq!(token.value(handle, CKA_VALUE), Ok(Value::Sensitive));
    }
    let other = Token::new(deployment(), "org1-opssc");
    for search in [&[(CKA_CLASS, SECRET), (CKA_ID, &b"sealing"[..])], &[(CKA_CLASS, SECRET), (CKA_LABEL, b"code")]] {
        other.only(search);
    }
    assert_eq!(token.bytes(code, CKA_ID), other.bytes(other.only(&[(CKA_LABEL, b"code")]), CKA_ID));
}

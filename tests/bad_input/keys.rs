//! CreateKey, GetKey and RotateKey.

use crate::{
    MALFORMED, is_refused, is_rejected,
    shared::{ORG1, call, client, create, creation, id, key},
};
use chancery_api::v1::{Algorithm, CreateKeyRequest, GetKeyRequest, GetPublicKeyRequest, Key, RotateKeyRequest};
use chancery_client::Code;
use std::collections::BTreeMap;

#[tokio::test]
async fn requests_for_keys_that_make_no_sense_are_rejected() {
    let officer = client("org1-security").await;
    let good = creation(&key("bad-creation"), "peer0", Algorithm::EcP256);
    let with = |change: &dyn Fn(&mut Key)| {
        let mut request = good.clone();
        change(request.key.as_mut().unwrap());
        request
    };
    let labels = |count: usize, key: usize, value: usize| -> BTreeMap<String, String> {
        (0..count).map(|n| (format!("{n:0key$}"), "v".repeat(value))).collect()
    };
    let mut table = vec![
        (with(&|key| key.algorithm = 0), "key.algorithm", "no algorithm"),
        (with(&|key| key.algorithm = 99), "key.algorithm", "unknown algorithm"),
        (with(&|key| key.purpose = 7), "key.purpose", "unknown purpose"),
        (with(&|key| key.protection = 7), "key.protection", "unknown protection"),
        (with(&|key| key.check = -7), "key.check", "unknown check"),
        (with(&|key| key.owner = "peer0".into()), "key.owner", "an owner without its organization"),
        (with(&|key| key.owner = "organizations/org1/principals/".into()), "key.owner", "an owner without a name"),
        (with(&|key| key.owner = "organizations/org1/principals/a b".into()), "key.owner", "a space in the owner"),
        (with(&|key| key.labels = labels(33, 2, 1)), "key.labels", "33 labels"),
        (with(&|key| key.labels = labels(1, 64, 1)), "key.labels", "a label's long key"),
        (with(&|key| key.labels = labels(1, 1, 256)), "key.labels", "a label's long value"),
        (with(&|key| drop(key.labels.insert(String::new(), "v".into()))), "key.labels", "a label without a key"),
        (CreateKeyRequest { key: None, ..good.clone() }, "key", "no key"),
        (CreateKeyRequest { request_id: String::new(), ..good.clone() }, "request_id", "no id"),
        (CreateKeyRequest { request_id: "x".repeat(36), ..good.clone() }, "request_id", "no UUID"),
    ];
    let long = "x".repeat(64);
    for key_id in ["", "Upper", "-a", ".a", "a/b", "a b", "ключ", "a\n", long.as_str()] {
        table.push((CreateKeyRequest { key_id: key_id.into(), ..good.clone() }, "key_id", key_id));
    }
    for parent in
        ["", "org1", "organizations/", "organizations/ORG1", "organizations/org1/", "organizations/org1/keys/a"]
    {
        table.push((CreateKeyRequest { parent: parent.into(), ..good.clone() }, "parent", parent));
    }
    for (request, field, what) in table {
        is_rejected(call(officer.keys().create_key(request)).await, "INVALID_ARGUMENT", field, what);
    }
    // Nothing came of them: the id and the name are free.
    call(officer.keys().create_key(good.clone())).await.unwrap();
    let again = CreateKeyRequest { request_id: id(), ..good };
    is_refused(call(officer.keys().create_key(again)).await, Code::AlreadyExists, "ALREADY_EXISTS", "again");
}

#[tokio::test]
async fn names_that_are_none_are_rejected_everywhere() {
    let officer = client("org1-security").await;
    for name in MALFORMED.map(ToOwned::to_owned) {
        let get = call(officer.keys().get_key(GetKeyRequest { name: name.clone() })).await;
        is_rejected(get, "INVALID_ARGUMENT", "name", &name);
        let public = call(officer.signing().get_public_key(GetPublicKeyRequest { name: name.clone() })).await;
        is_rejected(public, "INVALID_ARGUMENT", "name", &name);
        let rotate = call(officer.keys().rotate_key(RotateKeyRequest { name: name.clone(), request_id: id() })).await;
        is_rejected(rotate, "INVALID_ARGUMENT", "name", &name);
    }
    let version = format!("{}/versions/1", create(&key("named"), "peer0", Algorithm::EcP256).await.name);
    let get = call(officer.keys().get_key(GetKeyRequest { name: version.clone() })).await;
    is_rejected(get, "INVALID_ARGUMENT", "name", "a version is no key");
    let rotate = RotateKeyRequest { name: version, request_id: id() };
    is_rejected(call(officer.keys().rotate_key(rotate)).await, "INVALID_ARGUMENT", "name", "nor rotated");
    let rotate = RotateKeyRequest { name: key("named"), request_id: String::new() };
    is_rejected(call(officer.keys().rotate_key(rotate)).await, "INVALID_ARGUMENT", "request_id", "no id");
    let hostile = GetKeyRequest { name: format!("{ORG1}/keys/{}", "x".repeat(500_000)) };
    is_rejected(call(officer.keys().get_key(hostile)).await, "INVALID_ARGUMENT", "name", "half a megabyte");
}

#[tokio::test]
async fn what_does_not_exist_is_not_found_by_those_who_may_look() {
    let officer = client("org1-security").await;
    let name = key("never-made");
    let get = call(officer.keys().get_key(GetKeyRequest { name: name.clone() })).await;
    is_refused(get, Code::NotFound, "NOT_FOUND", "GetKey");
    let rotate = call(officer.keys().rotate_key(RotateKeyRequest { name, request_id: id() })).await;
    is_refused(rotate, Code::NotFound, "NOT_FOUND", "RotateKey");
}

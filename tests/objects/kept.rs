//! What a restart, a crash, and whoever edits the store leave of objects.

use crate::{
    asked::{copy, deletion, generated, list, named, object, refused, standing, update},
    harness::Deployment,
    shared::{call, id, key, sign, signing},
};
use chancery_api::{
    reasons, state,
    v1::{Standing, UpdateObjectRequest},
};
use prost::Message;
use rusqlite::Connection;

/// One row's message, changed and written back.
fn edit<M: Message + Default>(deployment: &Deployment, name: &str, change: impl FnOnce(&mut M)) {
    let store = Connection::open(deployment.dir().join("data/store.sqlite")).unwrap();
    let read = "SELECT value FROM resources WHERE name = ?1";
    let value: Vec<u8> = store.query_row(read, [name], |row| row.get(0)).unwrap();
    let mut message = M::decode(value.as_slice()).unwrap();
    change(&mut message);
    let row = (name, message.encode_to_vec());
    assert_eq!(store.execute("UPDATE resources SET value = ?2 WHERE name = ?1", row).unwrap(), 1);
}

#[tokio::test]
async fn a_crash_leaves_objects_and_answers_as_they_were() {
    let mut deployment = Deployment::start();
    let peer = deployment.client("org1-peer0").await;
    let (one, other) = (key("kept-named"), key("kept-provisional"));
    named(&peer, &one, b"kept").await;
    generated(&peer, &other).await;
    let copied = copy(&object(&one, "public"));
    let copied_answer = call(peer.objects().copy_object(copied.clone())).await.unwrap();
    let updated = update(&object(&other, "private"), b"kept too", b"label");
    let updated_answer = call(peer.objects().update_object(updated.clone())).await.unwrap();
    let mut before = list(&peer, 0).await;
    deployment.kill();
    deployment.serve();
    let peer = deployment.client("org1-peer0").await;
    let mut after = list(&peer, 0).await;
    before.sort_by(|one, other| one.name.cmp(&other.name));
    after.sort_by(|one, other| one.name.cmp(&other.name));
    assert_eq!(after, before);
    assert_eq!(call(peer.objects().copy_object(copied)).await.unwrap(), copied_answer);
    assert_eq!(call(peer.objects().update_object(updated)).await.unwrap(), updated_answer);
    deployment.stop();
    assert!(deployment.verify_log().status.success());
}

/// A standing that the store says otherwise, or not at all, is as the log says.
#[tokio::test]
async fn edits_of_the_store_make_no_named_key_deletable() {
    let mut deployment = Deployment::start();
    let peer = deployment.client("org1-peer0").await;
    let names = ["edited-standing", "edited-away", "edited-objects"].map(key);
    for (at, name) in names.iter().enumerate() {
        named(&peer, name, &[b'i', u8::try_from(at).unwrap()]).await;
    }
    let provisional = key("edited-provisional");
    generated(&peer, &provisional).await;
    deployment.stop();
    let row = |key: &str| format!("{key}/objects");
    edit(&deployment, &row(&names[0]), |row: &mut state::KeyObjects| row.standing = "provisional".into());
    edit(&deployment, &row(&provisional), |row: &mut state::KeyObjects| row.standing = "session".into());
    edit(&deployment, &row(&names[2]), |row: &mut state::KeyObjects| row.objects.clear());
    let store = Connection::open(deployment.dir().join("data/store.sqlite")).unwrap();
    assert_eq!(store.execute("DELETE FROM resources WHERE name = ?1", [row(&names[1])]).unwrap(), 1);
    drop(store);
    deployment.serve();
    assert!(deployment.stderr().contains("STATE_MISMATCH"));
    let peer = deployment.client("org1-peer0").await;
    for (at, name) in names.iter().enumerate() {
        assert_eq!(standing(&peer, name).await, Some(Standing::Named), "{name}");
        refused(call(peer.objects().delete_object(deletion(&object(name, "private")))).await, reasons::DENIED);
        let same = UpdateObjectRequest {
            name: object(name, "private"),
            id: Some(vec![b'i', u8::try_from(at).unwrap()]),
            request_id: id(),
            ..UpdateObjectRequest::default()
        };
        call(peer.objects().update_object(same)).await.unwrap();
        sign(&peer, signing(name, b"as before")).await.unwrap();
    }
    assert_eq!(standing(&peer, &provisional).await, Some(Standing::Provisional));
}

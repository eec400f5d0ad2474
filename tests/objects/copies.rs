//! Copies of objects, and what dropping them does.

use crate::{
    asked::{copy, deletion, generated, generation, gone, named, object, of_key, only, refused, standing, update},
    shared::{call, client, id, key, make, records_of, sign, signing},
};
use chancery_api::{
    reasons,
    v1::{CopyObjectRequest, NewObjects, ObjectClass, Standing},
};
use chancery_audit::record::Outcome;

/// Fabric's `Immutable`: a copy that can't be modified, and the original dropped.
#[tokio::test]
async fn a_named_key_gets_an_immutable_copy_and_keeps_one_object_of_each_class() {
    let peer = client("org1-peer0").await;
    let name = key("copied-immutable");
    named(&peer, &name, b"immutable").await;
    let request = CopyObjectRequest { modifiable: Some(false), ..copy(&object(&name, "private")) };
    let copied = call(peer.objects().copy_object(request.clone())).await.unwrap();
    assert_eq!(
        (copied.name.clone(), copied.id.as_slice(), copied.modifiable),
        (object(&name, "private-2"), b"immutable".as_slice(), false)
    );
    assert_eq!(call(peer.objects().copy_object(request)).await.unwrap(), copied, "a replay makes no other copy");

    let dropped = call(peer.objects().delete_object(deletion(&object(&name, "private")))).await.unwrap();
    assert!(!dropped.key_destroyed);
    assert_eq!(only(&of_key(&peer, &name).await, ObjectClass::PrivateKeyObject), &copied);
    // The last one that is found by this id: denied, and recorded.
    refused(call(peer.objects().delete_object(deletion(&copied.name))).await, reasons::DENIED);
    refused(call(peer.objects().delete_object(deletion(&object(&name, "public")))).await, reasons::DENIED);
    let denied = records_of(&name).await.into_iter().filter(|record| record.reason == reasons::DENIED).count();
    assert_eq!(denied, 2);
    sign(&peer, signing(&name, b"still there")).await.unwrap();
    let missing = call(peer.objects().delete_object(deletion(&object(&name, "private")))).await;
    assert!(missing.is_err());
}

/// As after an answer that was lost: what the first request changed does not deny its repetition.
#[tokio::test]
async fn a_repetition_is_answered_though_it_would_be_denied_if_it_were_new() {
    let peer = client("org1-peer0").await;
    let name = key("copied-repeated");
    named(&peer, &name, b"repeated").await;
    let copied = call(peer.objects().copy_object(copy(&object(&name, "public")))).await.unwrap();
    let request = deletion(&object(&name, "public"));
    for _ in 0..2 {
        assert!(!call(peer.objects().delete_object(request.clone())).await.unwrap().key_destroyed);
    }
    assert_eq!(only(&of_key(&peer, &name).await, ObjectClass::PublicKeyObject), &copied);

    // A copy that gave its key its name.
    let settled = key("copied-settled");
    generated(&peer, &settled).await;
    call(peer.objects().update_object(update(&object(&settled, "public"), b"settled", b"settled"))).await.unwrap();
    let request = CopyObjectRequest { id: Some(b"settled".to_vec()), ..copy(&object(&settled, "private")) };
    let first = call(peer.objects().copy_object(request.clone())).await.unwrap();
    assert_eq!(first.standing(), Standing::Named);
    assert_eq!(call(peer.objects().copy_object(request.clone())).await.unwrap(), first);
    for name in [&name, &settled] {
        let records = records_of(name).await;
        assert!(records.iter().all(|record| record.reason != reasons::DENIED), "{records:?}");
        assert_eq!(records.iter().filter(|record| record.outcome() == Outcome::Replayed).count(), 1, "{records:?}");
    }
    // Nobody else's answer, and not that of other content.
    let orderer = client("org1-orderer0").await;
    refused(call(orderer.objects().copy_object(request.clone())).await, reasons::DENIED);
    let other = CopyObjectRequest { label: Some(b"other".to_vec()), ..request };
    refused(call(peer.objects().copy_object(other)).await, reasons::REQUEST_ID_REUSED);
}

#[tokio::test]
async fn a_provisional_key_goes_with_its_last_private_object() {
    let peer = client("org1-peer0").await;
    let name = key("copied-provisional");
    generated(&peer, &name).await;
    let alias = CopyObjectRequest { id: Some(b"alias".to_vec()), ..copy(&object(&name, "private")) };
    call(peer.objects().copy_object(alias)).await.unwrap();
    let first = call(peer.objects().delete_object(deletion(&object(&name, "private")))).await.unwrap();
    assert!(!first.key_destroyed);
    assert_eq!(standing(&peer, &name).await, Some(Standing::Provisional));
    let request = deletion(&object(&name, "private-2"));
    assert!(call(peer.objects().delete_object(request.clone())).await.unwrap().key_destroyed);
    assert!(call(peer.objects().delete_object(request)).await.unwrap().key_destroyed, "a replay says the same");
    // It signs nothing from then on, and is destroyed as any other key.
    assert!(sign(&peer, signing(&name, b"too late")).await.is_err());
    gone(&peer, &name).await;
    let records = records_of(&name).await;
    assert!(records.iter().any(|record| record.action == "ScheduledDestruction"), "{records:?}");
}

#[tokio::test]
async fn a_session_key_ends_with_its_session_and_may_be_kept_before() {
    let peer = client("org1-peer0").await;
    let objects = |process: &str| NewObjects { session_process: process.into(), ..NewObjects::default() };
    let process = id();
    let (ended, kept) = (key("session-ended"), key("session-kept"));
    for name in [&ended, &kept] {
        make(&peer, generation(name, objects(&process))).await;
        assert_eq!(standing(&peer, name).await, Some(Standing::Session));
    }
    // A signature keeps no session key.
    sign(&peer, signing(&ended, b"in the session")).await.unwrap();
    assert_eq!(standing(&peer, &ended).await, Some(Standing::Session));
    let keep = CopyObjectRequest { keep: true, id: Some(b"token".to_vec()), ..copy(&object(&kept, "private")) };
    let answer = call(peer.objects().copy_object(keep)).await.unwrap();
    assert_eq!(answer.standing(), Standing::Provisional);
    for name in [&ended, &kept] {
        let answer = call(peer.objects().delete_object(deletion(&object(name, "private")))).await.unwrap();
        assert_eq!(answer.key_destroyed, name == &ended);
    }
    gone(&peer, &ended).await;
    assert!(standing(&peer, &kept).await.is_some());

    // One that was used is named when it is kept; the session's own objects end all the same where others stay.
    let used = key("session-used");
    make(&peer, generation(&used, objects(&process))).await;
    sign(&peer, signing(&used, b"self-signed")).await.unwrap();
    let keep = CopyObjectRequest { keep: true, id: Some(b"java".to_vec()), ..copy(&object(&used, "private")) };
    let answer = call(peer.objects().copy_object(keep)).await.unwrap();
    assert_eq!(answer.standing(), Standing::Named);
    let dropped = call(peer.objects().delete_object(deletion(&object(&used, "private")))).await.unwrap();
    assert!(!dropped.key_destroyed);
    // By the public one, too, clients find a key that stays.
    for last in [&answer.name, &object(&used, "public")] {
        refused(call(peer.objects().delete_object(deletion(last))).await, reasons::DENIED);
    }
    let public = copy(&object(&used, "public"));
    let public = call(peer.objects().copy_object(public)).await.unwrap();
    call(peer.objects().delete_object(deletion(&object(&used, "public")))).await.unwrap();
    let left = of_key(&peer, &used).await;
    assert!(left.len() == 2 && left.contains(&answer) && left.contains(&public), "{left:?}");

    let mut token = generation(&key("session-token"), objects(&process));
    token.key.as_mut().unwrap().protection = chancery_api::v1::Protection::Token.into();
    refused(call(peer.keys().create_key(token)).await, reasons::INVALID_ARGUMENT);
    let bad = generation(&key("session-bad"), objects("not a uuid"));
    refused(call(peer.keys().create_key(bad)).await, reasons::INVALID_ARGUMENT);
}

#[tokio::test]
async fn a_version_has_so_many_objects() {
    let peer = client("org1-peer0").await;
    let name = key("copied-often");
    named(&peer, &name, b"often").await;
    for _ in 0..14 {
        call(peer.objects().copy_object(copy(&object(&name, "private")))).await.unwrap();
    }
    refused(call(peer.objects().copy_object(copy(&object(&name, "private")))).await, reasons::TOO_MANY_OBJECTS);
    // A number is not given twice.
    call(peer.objects().delete_object(deletion(&object(&name, "private-15")))).await.unwrap();
    let next = call(peer.objects().copy_object(copy(&object(&name, "private")))).await.unwrap();
    assert_eq!(next.name, object(&name, "private-16"));
}

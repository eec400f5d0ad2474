//! How a key that was made through PKCS#11 gets its name.

use crate::{
    asked::{generated, generation, named, object, of_key, only, refused, ski, standing, update},
    shared::{call, client, context, create, creation, id, key, make, records_of, sign, signing},
};
use chancery_api::{
    reasons,
    v1::{
        Algorithm, EncryptRequest, NewObjects, ObjectClass, Protection, Purpose, RestoreKeyVersionRequest,
        ScheduleKeyVersionDestructionRequest, Standing, UpdateObjectRequest,
    },
};

#[tokio::test]
async fn fabrics_key_is_named_by_its_second_half_and_not_renamed_again() {
    let peer = client("org1-peer0").await;
    let name = key("named-by-halves");
    let made = generated(&peer, &name).await;
    let objects = of_key(&peer, &name).await;
    assert_eq!(only(&objects, ObjectClass::PublicKeyObject).id, b"BCPUB7");
    assert_eq!(only(&objects, ObjectClass::PrivateKeyObject).label, b"BCPRV7");
    assert_eq!(standing(&peer, &name).await, Some(Standing::Provisional));

    let (own, label) = (ski(&made), hex::encode(ski(&made)).into_bytes());
    let public = update(&object(&name, "public"), &own, &label);
    let answer = call(peer.objects().update_object(public.clone())).await.unwrap();
    assert_eq!((answer.id.clone(), answer.standing()), (own.clone(), Standing::Provisional));
    let private = update(&object(&name, "private"), &own, &label);
    let answer = call(peer.objects().update_object(private.clone())).await.unwrap();
    assert_eq!((answer.id.clone(), answer.standing()), (own.clone(), Standing::Named));

    // The record links the counter to the key identifier, for whoever looks for either.
    let records = records_of(&name).await;
    let updates: Vec<_> = records.iter().filter(|record| record.action == "UpdateObject").collect();
    assert_eq!(updates.len(), 2);
    assert_eq!(context(updates[0], "ski"), Some(hex::encode(&own).as_str()));
    assert_eq!(context(updates[0], "id"), Some(hex::encode(&own).as_str()));
    assert_eq!(context(updates[0], "standing"), Some("provisional"));

    // Replayed, though it would be denied now if it were new; what changes nothing is answered; a rename is denied.
    assert_eq!(call(peer.objects().update_object(private.clone())).await.unwrap(), answer);
    call(peer.objects().update_object(UpdateObjectRequest { request_id: id(), ..private })).await.unwrap();
    refused(
        call(peer.objects().update_object(update(&object(&name, "private"), b"other", &label))).await,
        reasons::DENIED,
    );
    let denials = records_of(&name).await.into_iter().filter(|record| record.reason == reasons::DENIED).count();
    assert_eq!(denials, 1);
}

#[tokio::test]
async fn a_request_id_stands_for_one_change() {
    let peer = client("org1-peer0").await;
    let name = key("named-once");
    generated(&peer, &name).await;
    let request = update(&object(&name, "private"), b"one", b"one");
    let first = call(peer.objects().update_object(request.clone())).await.unwrap();
    call(peer.objects().update_object(update(&object(&name, "private"), b"two", b"two"))).await.unwrap();
    assert_eq!(call(peer.objects().update_object(request.clone())).await.unwrap(), first);
    assert_eq!(only(&of_key(&peer, &name).await, ObjectClass::PrivateKeyObject).id, b"two");
    let other = UpdateObjectRequest { id: Some(b"three".to_vec()), ..request };
    refused(call(peer.objects().update_object(other)).await, reasons::REQUEST_ID_REUSED);
}

#[tokio::test]
async fn a_key_is_named_by_its_first_signature_alone() {
    let peer = client("org1-peer0").await;
    let name = key("named-by-use");
    generated(&peer, &name).await;
    sign(&peer, signing(&name, b"first")).await.unwrap();
    assert_eq!(standing(&peer, &name).await, Some(Standing::Named));
    sign(&peer, signing(&name, b"second")).await.unwrap();
    let records = records_of(&name).await;
    let actions: Vec<_> =
        records.iter().map(|record| record.action.as_str()).filter(|action| *action != "Statement").collect();
    let at = |action| actions.iter().position(|found| *found == action).unwrap_or_else(|| panic!("{actions:?}"));
    assert!(at("NameKey") < at("Sign"), "{actions:?}");
    assert_eq!(actions.iter().filter(|action| **action == "NameKey").count(), 1);
}

#[tokio::test]
async fn first_signatures_at_once_name_a_key_once() {
    let peer = client("org1-peer0").await;
    let name = key("named-at-once");
    generated(&peer, &name).await;
    let sign = async |message: &[u8]| sign(&peer, signing(&name, message)).await;
    let (one, two, three, four) = tokio::join!(sign(b"1"), sign(b"2"), sign(b"3"), sign(b"4"));
    for signature in [one, two, three, four] {
        signature.unwrap();
    }
    let named = records_of(&name).await.into_iter().filter(|record| record.action == "NameKey").count();
    assert_eq!(named, 1);
}

#[tokio::test]
async fn an_id_that_finds_another_key_is_refused() {
    let peer = client("org1-peer0").await;
    let (mine, other) = (key("named-mine"), key("named-other"));
    let made = generated(&peer, &mine).await;
    // Of another owner even, which the caller does not see.
    let victim = create(&other, "orderer0", Algorithm::EcP256).await;
    let request = update(&object(&mine, "private"), &ski(&victim), b"label");
    refused(call(peer.objects().update_object(request)).await, reasons::ID_OF_ANOTHER_KEY);
    let objects = NewObjects { private_id: ski(&victim), ..NewObjects::default() };
    let request = generation(&key("named-new"), objects);
    refused(call(peer.keys().create_key(request)).await, reasons::ID_OF_ANOTHER_KEY);
    call(peer.objects().update_object(update(&object(&mine, "private"), &ski(&made), b"label"))).await.unwrap();
}

#[tokio::test]
async fn attributes_have_a_length() {
    let peer = client("org1-peer0").await;
    let name = key("named-long");
    generated(&peer, &name).await;
    call(peer.objects().update_object(update(&object(&name, "private"), &[7; 255], &[b'x'; 255]))).await.unwrap();
    refused(
        call(peer.objects().update_object(update(&object(&name, "private"), &[7; 256], b"x"))).await,
        reasons::INVALID_ARGUMENT,
    );
    refused(
        call(peer.objects().update_object(update(&object(&name, "private"), b"x", &[b'x'; 256]))).await,
        reasons::INVALID_ARGUMENT,
    );
}

#[tokio::test]
async fn what_is_not_modifiable_stays_so() {
    let peer = client("org1-peer0").await;
    let name = key("named-frozen");
    let objects = NewObjects { unmodifiable: true, ..NewObjects::default() };
    make(&peer, generation(&name, objects)).await;
    let objects = of_key(&peer, &name).await;
    assert!(objects.iter().all(|object| !object.modifiable));
    refused(
        call(peer.objects().update_object(update(&object(&name, "private"), b"x", b"x"))).await,
        reasons::OBJECT_UNMODIFIABLE,
    );
    let thaw = UpdateObjectRequest {
        name: object(&name, "private"),
        modifiable: Some(true),
        request_id: id(),
        ..UpdateObjectRequest::default()
    };
    refused(call(peer.objects().update_object(thaw)).await, reasons::INVALID_ARGUMENT);
}

#[tokio::test]
async fn a_key_whose_halves_bear_one_id_from_the_start_is_named() {
    let peer = client("org1-peer0").await;
    let name = key("named-at-birth");
    named(&peer, &name, b"my id").await;
    assert_eq!(standing(&peer, &name).await, Some(Standing::Named));
}

/// What was encrypted to a key needs it.
#[tokio::test]
async fn a_key_is_named_by_what_the_service_encrypts_to_it() {
    let (officer, peer) = (client("org1-security").await, client("org1-peer0").await);
    let name = key("named-by-encryption");
    let mut request = creation(&name, "peer0", Algorithm::Rsa2048);
    request.objects = Some(NewObjects::default());
    let wanted = request.key.as_mut().unwrap();
    (wanted.purpose, wanted.protection) = (Purpose::Encrypt.into(), Protection::Enclave.into());
    make(&officer, request).await;
    assert_eq!(standing(&peer, &name).await, Some(Standing::Provisional));
    let request = EncryptRequest {
        name: name.clone(),
        plaintext: b"kept".to_vec(),
        request_id: id(),
        ..EncryptRequest::default()
    };
    call(peer.crypto().encrypt(request)).await.unwrap();
    assert_eq!(standing(&peer, &name).await, Some(Standing::Named));
}

#[tokio::test]
async fn a_key_whose_destruction_is_called_off_stays() {
    let (officer, peer) = (client("org1-security").await, client("org1-peer0").await);
    let name = key("named-by-restoring");
    generated(&peer, &name).await;
    let version = format!("{name}/versions/1");
    let request = ScheduleKeyVersionDestructionRequest {
        name: version.clone(),
        request_id: id(),
        ..ScheduleKeyVersionDestructionRequest::default()
    };
    call(officer.keys().schedule_key_version_destruction(request)).await.unwrap();
    assert_eq!(standing(&peer, &name).await, Some(Standing::Provisional));
    let request = RestoreKeyVersionRequest { name: version, request_id: id() };
    call(officer.keys().restore_key_version(request)).await.unwrap();
    assert_eq!(standing(&peer, &name).await, Some(Standing::Named));
}

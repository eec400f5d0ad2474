//! Keys that do not stay: how many there may be, and when they go. On deployments of their own, with short times.

use crate::{
    asked::{deletion, generated, generation, gone, list, object, of_key, refused, standing},
    harness::Deployment,
    shared::{ORG1, call, id, key, make, records_in, sign, signing},
};
use chancery_api::{
    reasons,
    v1::{GetKeyRequest, KeyState, NewObjects, RenewSessionObjectsRequest, Standing},
};
use chancery_client::Client;
use std::{fs, time::Duration};

fn configured(pkcs11: &str) -> Deployment {
    let mut deployment = Deployment::start();
    deployment.stop();
    let path = deployment.dir().join("chancery.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{text}\n[pkcs11]\n{pkcs11}\n")).unwrap();
    deployment.serve();
    deployment
}

async fn renew(client: &Client, process: &str) -> u32 {
    let request = RenewSessionObjectsRequest { parent: ORG1.into(), process: process.into() };
    call(client.objects().renew_session_objects(request)).await.unwrap().lease_seconds
}

#[tokio::test]
async fn what_was_neither_named_nor_used_is_destroyed_and_the_rest_stays() {
    let deployment = configured("provisional = \"3s\"");
    let peer = deployment.client("org1-peer0").await;
    let (unused, used) = (key("unused"), key("used"));
    for name in [&unused, &used] {
        generated(&peer, name).await;
    }
    sign(&peer, signing(&used, b"used")).await.unwrap();
    gone(&peer, &unused).await;
    assert_eq!(standing(&peer, &used).await, Some(Standing::Named));
    sign(&peer, signing(&used, b"later")).await.unwrap();
    let left = call(peer.keys().get_key(GetKeyRequest { name: unused.clone() })).await.unwrap();
    assert_eq!(left.primary.unwrap().state(), KeyState::Destroyed);

    let auditor = deployment.client("org1-auditor").await;
    let records = records_in(&auditor, ORG1, &unused).await;
    let actions: Vec<_> = records.iter().map(|record| record.action.as_str()).collect();
    let at = |action| actions.iter().position(|found| *found == action).unwrap_or_else(|| panic!("{actions:?}"));
    assert!(at("CreateKey") < at("CollectKey") && at("CollectKey") < at("ScheduledDestruction"), "{actions:?}");
    let mut deployment = deployment;
    deployment.stop();
    assert!(deployment.verify_log().status.success());
}

#[tokio::test]
async fn session_keys_stay_as_long_as_their_process_is_heard_of() {
    let deployment = configured("session_lease = \"4s\"");
    let peer = deployment.client("org1-peer0").await;
    let (silent, heard) = (id(), id());
    let objects = |process: &str| NewObjects { session_process: process.into(), ..NewObjects::default() };
    let (ends, stays) = (key("ends"), key("stays"));
    make(&peer, generation(&ends, objects(&silent))).await;
    make(&peer, generation(&stays, objects(&heard))).await;
    assert_eq!(renew(&peer, &heard).await, 4);
    while !of_key(&peer, &ends).await.is_empty() {
        renew(&peer, &heard).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    sign(&peer, signing(&stays, b"heard")).await.unwrap();
    gone(&peer, &stays).await;
}

#[tokio::test]
async fn one_owner_has_so_many_keys_that_do_not_stay() {
    let deployment = configured("provisional_keys = 2\nsession_keys = 1");
    let (peer, other) = (deployment.client("org1-peer0").await, deployment.client("org1-client").await);
    let names: Vec<_> = (0..4).map(|number| key(&format!("many-{number}"))).collect();
    let provisional = |name: &str| generation(name, NewObjects::default());
    let objects = || NewObjects { session_process: id(), ..NewObjects::default() };
    // Three at once: one is refused, whichever.
    let make_one = async |at: usize| call(peer.keys().create_key(provisional(&names[at]))).await;
    let (one, two, three) = tokio::join!(make_one(0), make_one(1), make_one(2));
    let refusals: Vec<_> = [one, two, three].into_iter().filter_map(Result::err).collect();
    let [refusal] = refusals.as_slice() else { panic!("{refusals:?}") };
    assert_eq!(refusal.reason.as_deref(), Some(reasons::TOO_MANY_PROVISIONAL_KEYS), "{refusal}");
    make(&other, provisional(&names[3])).await;

    make(&peer, generation(&key("many-session"), objects())).await;
    let another = generation(&key("many-sessions"), objects());
    refused(call(peer.keys().create_key(another.clone())).await, reasons::TOO_MANY_SESSION_KEYS);
    call(peer.objects().delete_object(deletion(&object(&key("many-session"), "private")))).await.unwrap();
    make(&peer, another).await;

    // One that is named makes room.
    let first = list(&peer, 0).await.into_iter().find(|object| object.standing() == Standing::Provisional).unwrap();
    let name = first.version.split("/versions/").next().unwrap().to_owned();
    sign(&peer, signing(&name, b"used")).await.unwrap();
    make(&peer, provisional(&key("many-more"))).await;
    refused(call(peer.keys().create_key(provisional(&key("too-many")))).await, reasons::TOO_MANY_PROVISIONAL_KEYS);
}

//! Who sees which objects.

use crate::{
    asked::{gone, list, object, of_key, only, ski, update},
    harness::Deployment,
    shared::{ORG1, ORG2, call, client, create, create_as, creation, id, key, make},
};
use chancery_api::{
    reasons,
    v1::{
        Algorithm, KeyState, ListObjectsRequest, ObjectClass, Protection, Purpose,
        ScheduleKeyVersionDestructionRequest, SetPoliciesRequest, Standing, SuspendKeyVersionRequest,
    },
};

#[tokio::test]
async fn a_key_made_otherwise_shows_two_objects_with_implied_attributes() {
    let peer = client("org1-peer0").await;
    let name = key("list-implied");
    let made = create(&name, "peer0", Algorithm::EcP256).await;
    let objects = of_key(&peer, &name).await;
    assert_eq!(objects.len(), 2);
    for (class, half) in [(ObjectClass::PrivateKeyObject, "private"), (ObjectClass::PublicKeyObject, "public")] {
        let shown = only(&objects, class);
        assert_eq!(shown.name, object(&name, half));
        assert_eq!((shown.id.clone(), shown.label.as_slice()), (ski(&made), b"list-implied".as_slice()));
        assert_eq!((shown.algorithm(), shown.purpose()), (Algorithm::EcP256, Purpose::Sign));
        assert_eq!((shown.protection(), shown.state()), (Protection::Token, KeyState::Active));
        assert_eq!((shown.standing(), shown.modifiable), (Standing::Named, true));
        let version = made.primary.as_ref().unwrap();
        assert_eq!((&shown.public_key, shown.create_time), (&version.public_key, version.create_time));
        assert!(shown.create_time.is_some());
    }
}

#[tokio::test]
async fn a_secret_key_shows_one_object() {
    let (officer, peer) = (client("org1-security").await, client("org1-peer0").await);
    let name = key("list-secret");
    let mut request = creation(&name, "peer0", Algorithm::HmacSha256);
    let wanted = request.key.as_mut().unwrap();
    (wanted.purpose, wanted.protection) = (Purpose::Mac.into(), Protection::Enclave.into());
    make(&officer, request).await;
    let objects = of_key(&peer, &name).await;
    assert_eq!(objects.len(), 1);
    let shown = only(&objects, ObjectClass::SecretKeyObject);
    assert_eq!((shown.name.clone(), shown.public_key.as_slice()), (object(&name, "secret"), [].as_slice()));
    use sha2::Digest as _;
    assert_eq!(shown.id, sha2::Sha256::digest(format!("{name}/versions/1")).to_vec());
}

#[tokio::test]
async fn only_those_see_a_key_who_may_use_it() {
    let name = key("list-seen");
    create(&name, "peer0", Algorithm::EcP256).await;
    for (who, seen) in [
        ("org1-peer0", true),
        ("org1-client", false),
        ("org1-orderer0", false),
        ("org1-ca", false),
        ("org1-opssc", false),
        // An officer uses no key.
        ("org1-security", false),
    ] {
        assert_eq!(!of_key(&client(who).await, &name).await.is_empty(), seen, "{who}");
    }
    let request = |parent: &str| ListObjectsRequest { parent: parent.into(), ..ListObjectsRequest::default() };
    for (who, parent) in
        [("org1-auditor", ORG1), ("org2-peer0", ORG1), ("org1-peer0", ORG2), ("platform-operator", ORG1)]
    {
        let error = call(client(who).await.objects().list_objects(request(parent))).await.unwrap_err();
        assert_eq!(error.reason.as_deref(), Some(reasons::DENIED), "{who} {parent}");
    }
}

#[tokio::test]
async fn versions_are_listed_by_their_state() {
    let (officer, peer) = (client("org1-security").await, client("org1-peer0").await);
    let name = key("list-states");
    create(&name, "peer0", Algorithm::EcP256).await;
    let version = format!("{name}/versions/1");
    let suspension = SuspendKeyVersionRequest { name: version.clone(), request_id: id() };
    call(officer.keys().suspend_key_version(suspension)).await.unwrap();
    let states = |objects: &[chancery_api::v1::Object]| objects.iter().map(|o| o.state()).collect::<Vec<_>>();
    assert_eq!(states(&of_key(&peer, &name).await), [KeyState::Suspended; 2]);
    let destruction = ScheduleKeyVersionDestructionRequest {
        name: version,
        wait: Some(prost_types::Duration { seconds: 0, nanos: 0 }),
        request_id: id(),
        ..ScheduleKeyVersionDestructionRequest::default()
    };
    call(officer.keys().schedule_key_version_destruction(destruction)).await.unwrap();
    gone(&peer, &name).await;
}

#[tokio::test]
async fn pages_hold_everything_once() {
    let peer = client("org1-peer0").await;
    for number in 0..5 {
        create(&key(&format!("list-page-{number}")), "peer0", Algorithm::EcP256).await;
    }
    let ours = |objects: Vec<chancery_api::v1::Object>| {
        let mut names: Vec<_> = objects.into_iter().map(|object| object.name).collect();
        names.retain(|name| name.contains("/keys/list-page-"));
        names.sort();
        names
    };
    let whole = ours(list(&peer, 0).await);
    assert_eq!(whole.len(), 10);
    for size in [1, 2, 3, 7] {
        assert_eq!(ours(list(&peer, size).await), whole, "pages of {size}");
    }
    let bad = ListObjectsRequest { parent: ORG1.into(), page_token: "x".into(), ..ListObjectsRequest::default() };
    assert_eq!(
        call(peer.objects().list_objects(bad)).await.unwrap_err().reason.as_deref(),
        Some(reasons::INVALID_ARGUMENT)
    );
}

/// On a deployment of its own: other tests' keys change what is listed.
#[tokio::test]
async fn a_known_revision_is_answered_without_objects_until_something_changes() {
    let deployment = Deployment::start();
    let (officer, peer) = (deployment.client("org1-security").await, deployment.client("org1-peer0").await);
    let name = key("revised");
    create_as(&officer, &name, "peer0").await;
    let list = async |known: &[u8]| {
        let known_revision = known.to_vec();
        let request = ListObjectsRequest { parent: ORG1.into(), known_revision, ..ListObjectsRequest::default() };
        call(peer.objects().list_objects(request)).await.unwrap()
    };
    let first = list(&[]).await;
    assert!(!first.unchanged && !first.objects.is_empty());
    let again = list(&first.revision).await;
    assert!(again.unchanged && again.objects.is_empty());
    assert_eq!(again.revision, first.revision);

    let request = chancery_api::v1::UpdateObjectRequest {
        name: object(&name, "private"),
        modifiable: Some(false),
        request_id: id(),
        ..Default::default()
    };
    call(peer.objects().update_object(request)).await.unwrap();
    let changed = list(&first.revision).await;
    assert!(!changed.unchanged && changed.revision != first.revision);

    // A policy of the organization that takes the use away. The owner still sees its key, and is denied its use.
    let text = r#"@id("stop") forbid (principal, action == Chancery::Action::"Sign", resource);"#;
    let request = SetPoliciesRequest {
        name: format!("{ORG1}/policies"),
        text: text.into(),
        confirm: "org1".into(),
        request_id: id(),
        ..Default::default()
    };
    call(officer.admin().set_policies(request)).await.unwrap();
    let denied = list(&changed.revision).await;
    assert!(!denied.unchanged);
    assert_eq!(denied.objects.len(), 2);
    let denial = call(peer.objects().update_object(update(&object(&name, "private"), b"x", b"x"))).await.unwrap_err();
    assert_eq!(denial.reason.as_deref(), Some(reasons::DENIED));
}

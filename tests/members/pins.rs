//! Where an organization has new keys of known nodes wait, they wait for an officer.

use crate::{
    authority::{Authority, peer},
    given::{Bearer, approve, is_let_in, of_members, principal, principals, reason},
    shared::{ORG1, ORG2, call, client, id, records},
};
use chancery_api::v1::UpdateOrganizationRequest;
use chancery_client::{Client, Code};

async fn pin(officer: &Client, strict: bool) {
    let request = UpdateOrganizationRequest {
        name: ORG2.into(),
        pin_strict: Some(strict),
        request_id: id(),
        confirm: "org2".into(),
        ..UpdateOrganizationRequest::default()
    };
    assert_eq!(call(officer.admin().update_organization(request)).await.unwrap().pin_strict, strict);
}

#[tokio::test]
async fn a_new_key_under_a_known_name_waits_for_an_officer() {
    let (ca, officer) = (Authority::of("org2"), client("org2-security").await);
    let certificate = || Bearer::new(&ca, &peer("peer-pinned"));
    let name = principal(ORG2, "peer-pinned");
    let (known, thief, renewed) = (certificate(), certificate(), certificate());
    pin(&officer, true).await;
    // A name that nobody bore is let in: an organization can start.
    is_let_in(&known.connect().await).await.unwrap();

    let waiting = thief.connect().await;
    for _ in 0..3 {
        let error = is_let_in(&waiting).await.unwrap_err();
        assert_eq!((error.code, error.reason.as_deref()), (Code::Unauthenticated, Some("KEY_PENDING")), "{error}");
    }
    is_let_in(&known.connect().await).await.expect("the known key is not displaced");
    let listed = principals(ORG2, 0).await.into_iter().find(|one| one.name == name).unwrap();
    assert_eq!(listed.keys.iter().map(|key| key.pending).collect::<Vec<_>>(), [false, true]);
    // It stands in the log once, however often it knocks; each refusal does, too.
    let log = records(&client("org2-auditor").await, of_members(ORG2)).await;
    let of = |action: &str| {
        let own = |record: &&chancery_audit::record::Record| record.action == action && record.reason == "KEY_PENDING";
        log.iter().filter(own).count()
    };
    assert_eq!((of("SeeNode"), of("GetCheckpoint")), (1, 3));

    // Once turned off, whoever waits already still waits: an officer looked at neither.
    pin(&officer, false).await;
    assert_eq!(reason(is_let_in(&waiting).await), "KEY_PENDING");
    pin(&officer, true).await;
    let approved = approve(&officer, &name, thief.public_key()).await.unwrap();
    assert!(approved.keys.iter().all(|key| !key.pending));
    is_let_in(&waiting).await.expect("on the connection that was open before");
    assert_eq!(waiting.connections_made(), 1);
    // In advance, so that a node can change its key without a break.
    approve(&officer, &name, renewed.public_key()).await.unwrap();
    is_let_in(&renewed.connect().await).await.unwrap();
    assert_eq!(approve(&officer, &name, renewed.public_key()).await.unwrap().keys.len(), 3);

    let error = approve(&officer, &principal(ORG2, "auditor"), thief.public_key()).await.unwrap_err();
    assert!(error.message.contains("is registered"), "{error}");
    let error = approve(&officer, &principal(ORG1, "peer0"), thief.public_key()).await.unwrap_err();
    assert_eq!(error.reason.as_deref(), Some("DENIED"));
    pin(&officer, false).await;
}

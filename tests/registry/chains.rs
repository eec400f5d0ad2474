//! An authority belongs to one organization, and so does whatever it is chained to: members of both would be nobody's.

use crate::{
    authority::Authority,
    founding::{creation, found, new_principal, refused},
    shared::{call, client, deployment},
};
use chancery_api::reasons;

#[tokio::test]
async fn another_organizations_authorities_are_not_to_be_had() {
    let (one, two) = (found("chained-one").await, found("chained-two").await);
    let org1 = Authority::of(deployment(), "org1");
    let below = one.authority.intermediate("/O=chained-one/CN=below");
    let renewed = one.authority.renewed("/O=chained-two/CN=mine-now");
    for (what, taken) in [
        ("another's anchor", &one.authority),
        ("a dev organization's anchor", &org1),
        ("another certificate of another's anchor key", &renewed),
        ("issued by another's anchor", &below),
    ] {
        let message = refused(two.add(taken).await, reasons::INVALID_ARGUMENT);
        let names = ["org1", "chained-one"];
        assert!(
            message.contains("another organization") && !names.iter().any(|name| message.contains(name)),
            "{what}: {message}"
        );
    }
    // Its own organization may have them.
    one.add(&below).await.unwrap();
    assert_eq!(two.anchors().await.len(), 1);
}

#[tokio::test]
async fn what_issued_another_organizations_anchor_is_not_to_be_had() {
    let root = Authority::p256("/O=roots/CN=root");
    let below = root.intermediate("/O=roots/CN=below");
    let (officer, _) = below.issue("security", "staff", 1, 3600);
    let request = creation("below", &below, vec![new_principal("security-officer", &officer)]);
    call(client("platform-operator").await.admin().create_organization(request)).await.unwrap();
    let other = found("above").await;
    let message = refused(other.add(&root).await, reasons::INVALID_ARGUMENT);
    assert!(message.contains("chained") && !message.contains("below"), "{message}");
    // Nor by the platform operator, for a new organization.
    let (officer, _) = root.issue("security", "staff", 2, 3600);
    let request = creation("roots", &root, vec![new_principal("security-officer", &officer)]);
    refused(
        call(client("platform-operator").await.admin().create_organization(request)).await,
        reasons::INVALID_ARGUMENT,
    );
}

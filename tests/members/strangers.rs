//! Whoever is no officer of the organization can do none of it, and learns nothing by trying.

use crate::{
    authority::Authority,
    given::{Bearer, Suspend, named, principal, registration, suspension},
    shared::{ORG1, client, id},
};
use chancery_api::v1::{
    ApprovePrincipalKeyRequest, LiftSuspensionRequest, ListGroupsRequest, ListPrincipalsRequest,
    ListSuspensionsRequest, UnregisterPrincipalRequest, UpdateGroupRequest,
};
use chancery_client::{Client, Code};
use tonic::{Response, Status};
use tonic_types::StatusExt;

/// A refusal, whole.
type Seen = (Code, String, Vec<u8>);

fn seen<T>(method: &'static str, answer: Result<Response<T>, Status>) -> (&'static str, Seen) {
    let status = answer.map(drop).expect_err(method);
    assert_eq!(status.get_details_error_info().unwrap().reason, "DENIED", "{method}");
    (method, (status.code(), status.message().to_owned(), status.details().to_vec()))
}

/// Each method, on this organization and this name of it.
async fn each_method(client: &Client, organization: &str, name: &str) -> Vec<(&'static str, Seen)> {
    let mut admin = client.admin();
    let parent = || organization.to_owned();
    let mut all = each_change(client, organization, name).await;
    let principals = ListPrincipalsRequest { parent: parent(), ..Default::default() };
    all.push(seen("Principals", admin.list_principals(principals).await));
    let suspensions = ListSuspensionsRequest { parent: parent(), ..Default::default() };
    all.push(seen("Suspensions", admin.list_suspensions(suspensions).await));
    let groups = ListGroupsRequest { parent: parent(), ..Default::default() };
    all.push(seen("Groups", admin.list_groups(groups).await));
    all
}

/// Each method that changes something.
async fn each_change(client: &Client, organization: &str, name: &str) -> Vec<(&'static str, Seen)> {
    let mut admin = client.admin();
    let full = principal(organization, name);
    let pem = Bearer::new(&Authority::of("org2"), &named(name)).pem;
    let key = vec![7; 32];
    let unregister = |key: &[u8]| UnregisterPrincipalRequest {
        name: full.clone(),
        public_key_sha256: key.to_vec(),
        request_id: id(),
        confirm: name.into(),
    };
    let approve = ApprovePrincipalKeyRequest { name: full.clone(), public_key_sha256: key.clone(), request_id: id() };
    let lift = LiftSuspensionRequest { name: format!("{organization}/suspensions/principal-{name}"), request_id: id() };
    let group = UpdateGroupRequest {
        name: format!("{organization}/groups/{name}"),
        members: vec![full.clone()],
        request_id: id(),
    };
    let suspend = |of| suspension(organization, of);
    vec![
        seen("Register", admin.register_principal(registration(organization, "auditor", name, &pem)).await),
        seen("Unregister", admin.unregister_principal(unregister(&[])).await),
        seen("Unregister a key", admin.unregister_principal(unregister(&key)).await),
        seen("Approve", admin.approve_principal_key(approve).await),
        seen("Suspend a name", admin.suspend_principal(suspend(Suspend::Principal(full.clone()))).await),
        seen("Suspend a certificate", admin.suspend_principal(suspend(Suspend::Certificate(key.clone()))).await),
        seen("Suspend a key", admin.suspend_principal(suspend(Suspend::PublicKey(key.clone()))).await),
        seen("Lift", admin.lift_suspension(lift).await),
        seen("Group", admin.update_group(group).await),
    ]
}

#[tokio::test]
async fn another_organizations_officer_is_denied_alike_whatever_exists() {
    let officer = client("org1-security").await;
    // Everything that is asked for exists of one name, and nothing of the other.
    let existing = "known-to-org1";
    let pem = Bearer::new(&Authority::of("org1"), &named(existing)).pem;
    let mut admin = officer.admin();
    admin.register_principal(registration(ORG1, "client", existing, &pem)).await.unwrap();
    admin.suspend_principal(suspension(ORG1, Suspend::Principal(principal(ORG1, existing)))).await.unwrap();
    let group = UpdateGroupRequest {
        name: format!("{ORG1}/groups/{existing}"),
        members: vec![principal(ORG1, existing)],
        request_id: id(),
    };
    admin.update_group(group).await.unwrap();

    for name in ["org2-security", "org2-auditor", "org2-ca", "org2-peer0", "platform-operator"] {
        let stranger = client(name).await;
        let expected = each_method(&stranger, ORG1, "unknown-to-org1").await;
        assert_eq!(expected.len(), 12);
        assert_eq!(each_method(&stranger, ORG1, existing).await, expected, "{name}");
        assert_eq!(each_method(&stranger, "organizations/nowhere", existing).await, expected, "{name}");
    }
}

#[tokio::test]
async fn only_officers_say_who_is_who() {
    for name in ["org1-peer0", "org1-orderer0", "org1-client", "org1-ca", "org1-opssc"] {
        each_method(&client(name).await, ORG1, "someone").await;
    }
    // Auditors read.
    let auditor = client("org1-auditor").await;
    each_change(&auditor, ORG1, "someone").await;
    let all = ListPrincipalsRequest { parent: ORG1.into(), ..Default::default() };
    assert!(!auditor.admin().list_principals(all).await.unwrap().into_inner().principals.is_empty());
}

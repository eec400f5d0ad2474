//! To whoever is of another organization, every method answers the same bytes for one that exists and one that does not.

use crate::{
    authority::List,
    founding::{found, new_anchor, patterns},
    shared::{client, id},
};
use chancery_api::v1::{
    AddTrustAnchorRequest, GetOrganizationRequest, ListTrustAnchorsRequest, RemoveTrustAnchorRequest,
    UpdateOrganizationRequest, UpdateRevocationListRequest, UpdateTrustAnchorRequest,
};
use chancery_client::{Client, Code};
use tonic::{Response, Status};

/// What the caller sees of a refusal: code, message and details, whole.
fn seen<T>(answer: Result<Response<T>, Status>) -> (Code, String, Vec<u8>) {
    let status = answer.map(|_| ()).unwrap_err();
    (status.code(), status.message().to_owned(), status.details().to_vec())
}

#[tokio::test]
async fn another_organization_is_as_one_that_does_not_exist() {
    let secret = found("secretive").await;
    let anchor = secret.anchors().await.remove(0).name;
    let crl = secret.authority.list(&List::default());
    let each = async |client: &Client, name: &str, anchor: &str| {
        let mut admin = client.admin();
        let parent = name.to_owned();
        let confirm = anchor.rsplit('/').next().unwrap().to_owned();
        let add = AddTrustAnchorRequest {
            parent: parent.clone(),
            anchor: Some(new_anchor(&secret.authority)),
            request_id: id(),
            confirm: name.rsplit('/').next().unwrap().into(),
            proof: vec![1],
        };
        let update = UpdateOrganizationRequest { name: parent.clone(), request_id: id(), ..Default::default() };
        let narrow = UpdateTrustAnchorRequest {
            name: anchor.into(),
            patterns: patterns(&[("peer", "*")]),
            request_id: id(),
            confirm: confirm.clone(),
        };
        let remove = RemoveTrustAnchorRequest { name: anchor.into(), request_id: id(), confirm };
        let list = |name: &str| UpdateRevocationListRequest { name: name.into(), crl: crl.clone(), request_id: id() };
        [
            seen(admin.get_organization(GetOrganizationRequest { name: parent.clone() }).await),
            seen(admin.update_organization(update).await),
            seen(admin.add_trust_anchor(add).await),
            seen(admin.list_trust_anchors(ListTrustAnchorsRequest { parent, ..Default::default() }).await),
            seen(admin.update_trust_anchor(narrow).await),
            seen(admin.remove_trust_anchor(remove).await),
            seen(admin.update_revocation_list(list(name)).await),
            seen(admin.update_revocation_list(list(anchor)).await),
        ]
    };
    let missing = "organizations/nowhere";
    let missing_anchor = format!("{missing}/anchors/{}", "7".repeat(32));
    let missing_of_secret = format!("{}/anchors/{}", secret.name, "7".repeat(32));
    for name in ["org2-security", "org2-auditor", "org2-peer0", "platform-operator"] {
        let client = client(name).await;
        let expected = each(&client, missing, &missing_anchor).await;
        assert!(expected.iter().all(|(code, ..)| *code == Code::PermissionDenied), "{name}: {expected:?}");
        assert_eq!(each(&client, &secret.name, &anchor).await, expected, "{name}");
        assert_eq!(each(&client, &secret.name, &missing_of_secret).await, expected, "{name}");
    }
}

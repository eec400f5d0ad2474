//! Of another organization's policies nothing is told, not even whether there are any: the same bytes for an organization
//! with policies, one without and one that does not exist.

use crate::{
    desk::{Desk, setting},
    own::PERMIT_ALL,
    shared::{ORG1, id},
};
use chancery_api::v1::{ExplainDecisionRequest, GetPoliciesRequest, SimulatePoliciesRequest};
use chancery_client::{Client, Code};
use tokio_stream::StreamExt as _;
use tonic::{Response, Status};

/// What the caller sees of a refusal: code, message and details, whole.
#[derive(Debug, PartialEq, Eq)]
struct Seen(Code, String, Vec<u8>);

fn seen<T>(answer: Result<Response<T>, Status>) -> Seen {
    let status = answer.map(|_| ()).unwrap_err();
    Seen(status.code(), status.message().to_owned(), status.details().to_vec())
}

/// Each method about policies, on an organization.
async fn each_method(client: &Client, organization: &str) -> Vec<(&'static str, Seen)> {
    let mut admin = client.admin();
    let get = GetPoliciesRequest { name: format!("{organization}/policies") };
    let explain = ExplainDecisionRequest {
        principal: format!("{organization}/principals/security"),
        action: "GetKey".into(),
        resource: format!("{organization}/keys/key"),
        ..ExplainDecisionRequest::default()
    };
    let simulate = SimulatePoliciesRequest { parent: organization.into(), text: PERMIT_ALL.into(), since: None };
    let checked = chancery_api::v1::SetPoliciesRequest { validate_only: true, ..setting(organization, PERMIT_ALL) };
    let broken = setting(organization, "nonsense");
    let unconfirmed = chancery_api::v1::SetPoliciesRequest { confirm: String::new(), ..setting(organization, "") };
    let mut streamed = admin.simulate_policies(simulate).await.unwrap().into_inner();
    let streamed = streamed.next().await.unwrap().map(Response::new);
    vec![
        ("GetPolicies", seen(admin.get_policies(get).await)),
        ("SetPolicies", seen(admin.set_policies(setting(organization, PERMIT_ALL)).await)),
        ("SetPolicies, broken", seen(admin.set_policies(broken).await)),
        ("SetPolicies, unconfirmed", seen(admin.set_policies(unconfirmed).await)),
        ("SetPolicies, only checked", seen(admin.set_policies(checked).await)),
        ("ExplainDecision", seen(admin.explain_decision(explain).await)),
        ("SimulatePolicies", seen(streamed)),
    ]
}

#[tokio::test]
async fn of_anothers_policies_nothing_is_told() {
    let desk = Desk::new(&["key"]).await;
    let without = each_method(&desk.client("org2-security").await, ORG1).await;
    for (method, Seen(code, ..)) in &without {
        assert_eq!(*code, Code::PermissionDenied, "{method}");
    }
    desk.set(PERMIT_ALL).await.unwrap();
    for name in ["org2-security", "org2-auditor", "org2-peer0", "platform-operator"] {
        let client = desk.client(name).await;
        for organization in [ORG1, "organizations/nowhere"] {
            assert_eq!(each_method(&client, organization).await, without, "{name} on {organization}");
        }
    }
    assert_eq!(desk.current().await.text, PERMIT_ALL, "{}", id());
}

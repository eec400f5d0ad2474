//! Where the deployment asks for second officers: an anchor without its key's proof needs one, and so does every change
//! that may lock members out or let others in.

use crate::{
    authority::{Authority, Member},
    founding::{knock, new_anchor, new_principal, patterns, refused},
    harness::Deployment,
    shared::{ORG1, call, id},
};
use chancery_api::{
    reasons,
    v1::{
        AddTrustAnchorRequest, ApproveOperationRequest, ListApprovalsRequest, ListTrustAnchorsRequest, NewTrustAnchor,
        RegisterPrincipalRequest, RemoveTrustAnchorRequest, TrustAnchor, UpdateOrganizationRequest,
        UpdateTrustAnchorRequest,
    },
};
use chancery_client::{Client, ClientError};
use std::fs;

/// org1 with a second officer, and a service that asks for both.
struct Pair {
    deployment: Deployment,
    asks: Client,
    approves: Client,
}

impl Pair {
    async fn new() -> Self {
        let mut deployment = Deployment::start();
        let (certificate, key) = Authority::of(&deployment, "org1").issue("second", "staff", 4711, 3600);
        let request = RegisterPrincipalRequest {
            parent: ORG1.into(),
            principal: Some(new_principal("security-officer", &certificate)),
            request_id: id(),
            confirm: "second".into(),
        };
        call(deployment.client("org1-security").await.admin().register_principal(request)).await.unwrap();
        deployment.stop();
        let config = deployment.dir().join("chancery.toml");
        let text = fs::read_to_string(&config).unwrap();
        assert!(text.contains("second_officer = false"), "{text}");
        let on = "second_officer = true\nwaiting_period = \"0s\"";
        fs::write(&config, text.replace("second_officer = false", on)).unwrap();
        deployment.serve();
        Self {
            asks: deployment.client("org1-security").await,
            approves: Member::new(&deployment, &certificate, &key).connect().await,
            deployment,
        }
    }

    async fn add(&self, request: &AddTrustAnchorRequest) -> Result<TrustAnchor, ClientError> {
        let request = AddTrustAnchorRequest { request_id: id(), ..request.clone() };
        call(self.asks.admin().add_trust_anchor(request)).await
    }

    /// The one approval that waits: approved. What it is for.
    async fn approve(&self) -> String {
        let list = ListApprovalsRequest { parent: ORG1.into(), ..Default::default() };
        let mut open = call(self.approves.admin().list_approvals(list)).await.unwrap().approvals;
        assert_eq!(open.len(), 1, "{open:?}");
        let found = open.remove(0);
        let request = ApproveOperationRequest { name: found.name, request_id: id() };
        call(self.approves.admin().approve_operation(request)).await.unwrap();
        found.summary
    }
}

#[tokio::test]
async fn an_anchor_needs_its_keys_proof_or_a_second_officer() {
    let pair = Pair::new().await;
    let admit = async |authority: &Authority| {
        let member = authority.member(&pair.deployment, "client1", "client", 1);
        knock(&member.connect().await).await
    };
    let request = |authority: &Authority| AddTrustAnchorRequest {
        parent: ORG1.into(),
        anchor: Some(new_anchor(authority)),
        request_id: id(),
        confirm: "org1".into(),
        proof: Vec::new(),
    };
    let (approved, proven) = (Authority::p256("/O=org1/CN=approved"), Authority::p256("/O=org1/CN=proven"));
    refused(pair.add(&request(&approved)).await, reasons::APPROVAL_NEEDED);
    refused(admit(&approved).await, reasons::UNKNOWN_ANCHOR);
    let summary = pair.approve().await;
    assert!(summary.contains("CN=approved") && summary.contains("client `client*`"), "{summary}");
    pair.add(&request(&approved)).await.unwrap();
    admit(&approved).await.unwrap();

    // An approval is of one authority. What can't be done is not asked for.
    refused(pair.add(&request(&approved)).await, reasons::ALREADY_EXISTS);
    let list = ListTrustAnchorsRequest { parent: ORG1.into(), ..Default::default() };
    let text = call(pair.asks.admin().list_trust_anchors(list)).await.unwrap().proof_text;
    let proof = proven.proof(&text, false);
    refused(pair.add(&AddTrustAnchorRequest { proof: vec![1], ..request(&proven) }).await, reasons::INVALID_ARGUMENT);
    // A proof is the authority's word. That it may name members is the officers': one alone could name itself anybody.
    let named = AddTrustAnchorRequest { proof: proof.clone(), ..request(&proven) };
    refused(pair.add(&named).await, reasons::APPROVAL_NEEDED);
    refused(admit(&proven).await, reasons::UNKNOWN_ANCHOR);
    let _ = pair.approve().await;
    let nameless = NewTrustAnchor { patterns: Vec::new(), ..new_anchor(&proven) };
    let nameless = AddTrustAnchorRequest { proof, anchor: Some(nameless), ..request(&proven) };
    pair.add(&nameless).await.unwrap();
    refused(admit(&proven).await, reasons::NAME_NOT_ALLOWED);
    let waiting = ListApprovalsRequest { parent: ORG1.into(), ..Default::default() };
    assert_eq!(call(pair.asks.admin().list_approvals(waiting)).await.unwrap().approvals.len(), 1, "not used");
}

#[tokio::test]
async fn what_locks_out_or_lets_in_needs_a_second_officer() {
    let pair = Pair::new().await;
    let mut admin = pair.asks.admin();
    let list = ListTrustAnchorsRequest { parent: ORG1.into(), ..Default::default() };
    let name = call(admin.list_trust_anchors(list.clone())).await.unwrap().trust_anchors.remove(0).name;
    let confirm = name.rsplit('/').next().unwrap().to_owned();
    let narrow = || UpdateTrustAnchorRequest {
        name: name.clone(),
        patterns: patterns(&[("peer", "peer*")]),
        request_id: id(),
        confirm: confirm.clone(),
    };
    let client = pair.deployment.client("org1-client").await;
    refused(call(admin.update_trust_anchor(narrow())).await, reasons::APPROVAL_NEEDED);
    knock(&client).await.unwrap();
    pair.approve().await;
    call(admin.update_trust_anchor(narrow())).await.unwrap();
    refused(knock(&client).await, reasons::NAME_NOT_ALLOWED);
    call(admin.update_trust_anchor(narrow())).await.expect("no change needs nobody");

    let strict = UpdateOrganizationRequest {
        name: ORG1.into(),
        pin_strict: Some(true),
        request_id: id(),
        confirm: "org1".into(),
        ..Default::default()
    };
    refused(call(admin.update_organization(strict)).await, reasons::APPROVAL_NEEDED);
    // Its own maker would be locked out: that is refused before anybody is asked.
    let remove = RemoveTrustAnchorRequest { name, request_id: id(), confirm };
    refused(call(admin.remove_trust_anchor(remove)).await, reasons::WRONG_STATE);
    assert_eq!(call(admin.list_trust_anchors(list)).await.unwrap().trust_anchors.len(), 1);
}

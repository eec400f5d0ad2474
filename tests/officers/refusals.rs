//! Who can't approve.

use crate::{
    place::{OFFICER, Place, SECOND},
    shared::{ORG1, call, id},
};
use chancery_api::v1::{
    ApproveOperationRequest, CancelApprovalRequest, ListApprovalsRequest, NewPrincipal, RegisterPrincipalRequest,
    SuspendPrincipalRequest,
};
use tonic::Status;

/// What a caller sees of a refusal: all of it.
fn seen<T>(answer: Result<T, Status>) -> (tonic::Code, String, Vec<u8>) {
    let status = answer.err().expect("it was refused");
    (status.code(), status.message().to_owned(), status.details().to_vec())
}

#[tokio::test]
async fn neither_who_asked_nor_its_key_nor_who_is_no_officer() {
    let place = Place::new("waiting_period = \"0s\"").await;
    let key = place.key("guarded");
    let line = format!("keys destroy {key}/versions/1 --confirm guarded");
    let approval = place.asked(&line);
    let approve = format!("approvals approve {approval}");

    let own = place.refused(OFFICER, &approve);
    assert_eq!((own.exit_code, own.reason.as_str()), (65, "APPROVAL_NEEDED"));
    assert!(own.message.contains("asked for"), "{}", own.message);

    // A second certificate of the same key, under the same name; under another, it is nobody.
    place.issue("org1-security-again", "security", Some(OFFICER));
    assert_eq!(place.refused("org1-security-again", &approve).reason, "APPROVAL_NEEDED");
    place.issue("org1-puppet", "puppet", Some(OFFICER));
    assert_eq!(place.refused("org1-puppet", &approve).reason, "NAME_NOT_ALLOWED");
    // Nobody makes a second officer of itself: registering one takes two.
    place.issue("org1-third", "third", None);
    let certificate = place.0.client_dir("org1-third").join("cert.pem");
    let request = RegisterPrincipalRequest {
        parent: ORG1.into(),
        principal: Some(NewPrincipal {
            role: "security-officer".into(),
            certificate: std::fs::read(certificate).unwrap(),
        }),
        request_id: id(),
        confirm: "third".into(),
    };
    let officer = place.0.client(OFFICER).await;
    let refused = call(officer.admin().register_principal(request)).await.unwrap_err();
    assert_eq!(refused.reason.as_deref(), Some("APPROVAL_NEEDED"));

    for client in ["org1-auditor", "org1-ca", "org1-peer0", "org1-client", "platform-operator"] {
        assert_eq!(place.refused(client, &approve).reason, "DENIED", "{client}");
        assert_eq!(place.refused(client, &format!("approvals cancel {approval}")).reason, "DENIED", "{client}");
    }
    assert_eq!(place.state(&key, 1), "ACTIVE");
    assert_eq!(place.asked(&line), approval, "it still waits for an approval");
    place.run(SECOND, &approve);
    place.run(OFFICER, &line);
}

/// Who may not come in any more has approved nothing.
#[tokio::test]
async fn nor_who_was_suspended_since() {
    let place = Place::new("waiting_period = \"0s\"").await;
    let key = place.key("kept");
    let line = format!("keys destroy {key}/versions/1 --confirm kept");
    let approval = place.asked(&line);
    place.run(SECOND, &format!("approvals approve {approval}"));
    let officer = place.0.client(OFFICER).await;
    let request = SuspendPrincipalRequest {
        parent: ORG1.into(),
        principal: format!("{}/principals/second", ORG1),
        reason: "left".into(),
        request_id: id(),
        ..Default::default()
    };
    call(officer.admin().suspend_principal(request)).await.unwrap();
    assert_ne!(place.asked(&line), approval);
    assert_eq!(place.state(&key, 1), "ACTIVE");
}

/// For another organization's officer an approval that is there and one that is not are the same.
#[tokio::test]
async fn strangers_see_the_same_bytes() {
    let place = Place::new("waiting_period = \"0s\"").await;
    let key = place.key("private");
    let there = place.asked(&format!("keys destroy {key}/versions/1 --confirm private"));
    let missing = "organizations/org1/approvals/20200101t000000z-00000000";
    let nowhere = "organizations/nobody/approvals/20200101t000000z-00000000";
    let stranger = place.0.client("org2-security").await;
    let mut answers = Vec::new();
    for name in [&there, missing, nowhere] {
        let approve = ApproveOperationRequest { name: name.into(), request_id: id() };
        let cancel = CancelApprovalRequest { name: name.into(), request_id: id() };
        let parent = name.split_once("/approvals").unwrap().0.to_owned();
        let list = ListApprovalsRequest { parent, all: true, ..ListApprovalsRequest::default() };
        answers.push([
            seen(stranger.admin().approve_operation(approve).await),
            seen(stranger.admin().cancel_approval(cancel).await),
            seen(stranger.admin().list_approvals(list).await),
        ]);
    }
    assert_eq!(answers[0][0].0, tonic::Code::PermissionDenied);
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
    // Its own organization's officer is told what there is.
    assert_eq!(place.refused(SECOND, &format!("approvals approve {missing}")).reason, "NOT_FOUND");
    for malformed in ["organizations/org1", "organizations/org1/approvals/", "organizations/org1/approvals/a/b"] {
        assert_eq!(place.refused(SECOND, &format!("approvals approve {malformed}")).reason, "INVALID_ARGUMENT");
    }
}

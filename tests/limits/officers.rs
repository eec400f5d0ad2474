//! Who sets limits and sees them, and the token's status; and requests that say that they can wait.

use crate::{
    setting::{of, set},
    shared::{ORG1, call, client, create, id, key, records, sign, signing},
};
use chancery_api::v1::{
    Algorithm, GetTokenStatusRequest, Limit, ListLimitsRequest, ListRecordsRequest, Priority, SetLimitRequest,
    SignRequest,
};
use chancery_audit::record::{Kind, Outcome};
use chancery_client::{Client, Code};

fn setting(limit: Limit) -> SetLimitRequest {
    SetLimitRequest { limit: Some(limit), request_id: id() }
}

/// The status that a caller gets, bytes and all.
async fn refusal(client: &Client, limit: Limit) -> (Code, String, Vec<u8>) {
    let status = client.admin().set_limit(setting(limit)).await.unwrap_err();
    (status.code(), status.message().to_owned(), status.details().to_vec())
}

#[tokio::test]
async fn officers_limit_their_own_organization_alone() {
    let (here, missing) = (key("limited-by-others"), key("does-not-exist"));
    create(&here, "peer0", Algorithm::EcP256).await;
    for name in ["org2-security", "org1-peer0", "org1-ca", "org1-auditor", "platform-operator"] {
        let stranger = client(name).await;
        let per_second = |subject: &str| Limit { per_second: Some(1), ..of(subject) };
        let first = refusal(&stranger, per_second(&here)).await;
        assert_eq!(first.0, Code::PermissionDenied, "{name}");
        assert_eq!(first, refusal(&stranger, per_second(&missing)).await, "{name} learns nothing");
        assert_eq!(first, refusal(&stranger, per_second(ORG1)).await, "{name}");
    }
    let listing = ListLimitsRequest { parent: ORG1.into(), ..ListLimitsRequest::default() };
    let error = call(client("org2-security").await.admin().list_limits(listing)).await.unwrap_err();
    assert_eq!(error.code, Code::PermissionDenied);
}

#[tokio::test]
async fn a_limit_is_set_once_recorded_and_listed() {
    let officer = client("org1-security").await;
    let subject = key("not-made-yet");
    let request = setting(Limit { per_day: Some(5), keys: Some(0), used_total: 99, ..of(&subject) });
    let first = call(officer.admin().set_limit(request.clone())).await.unwrap();
    assert_eq!((first.per_day, first.keys, first.per_second, first.used_total), (Some(5), Some(0), None, 0));
    assert_eq!(call(officer.admin().set_limit(request.clone())).await.unwrap(), first);
    let other = SetLimitRequest { limit: Some(of(&subject)), ..request.clone() };
    let reused = call(officer.admin().set_limit(other)).await.unwrap_err();
    assert_eq!(reused.reason.as_deref(), Some("REQUEST_ID_REUSED"));

    let auditor = client("org1-auditor").await;
    let listing = ListRecordsRequest { parent: ORG1.into(), key: subject.clone(), ..ListRecordsRequest::default() };
    let found = records(&auditor, listing).await;
    let outcomes: Vec<_> = found.iter().filter(|record| record.kind() == Kind::Outcome).collect();
    assert_eq!(
        outcomes.iter().map(|record| record.outcome()).collect::<Vec<_>>(),
        [Outcome::Succeeded, Outcome::Replayed]
    );
    assert_eq!((outcomes[0].states.len(), outcomes[0].states[0].name.as_str()), (1, &*format!("{subject}/limit")));

    // By pages, without what limits nothing any more.
    let second = key("not-made-either");
    set(&officer, Limit { total: Some(1), ..of(&second) }).await;
    let mut request = ListLimitsRequest { parent: ORG1.into(), page_size: 1, page_token: String::new() };
    let mut subjects = Vec::new();
    loop {
        let page = call(officer.admin().list_limits(request.clone())).await.unwrap();
        assert!(page.limits.len() <= 1);
        subjects.extend(page.limits.into_iter().map(|limit| limit.subject));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert!(subjects.contains(&subject) && subjects.contains(&second), "{subjects:?}");
    set(&officer, of(&second)).await;
    let whole = ListLimitsRequest { parent: ORG1.into(), page_size: 1000, page_token: String::new() };
    let left = call(officer.admin().list_limits(whole)).await.unwrap().limits;
    assert!(!left.iter().any(|limit| limit.subject == second));
}

#[tokio::test]
async fn what_is_no_limit_is_rejected() {
    let officer = client("org1-security").await;
    for (limit, field) in [
        (of("organizations/org1/backups/b"), "limit.subject"),
        (of(""), "limit.subject"),
        (Limit { per_second: Some(0), ..of(ORG1) }, "limit.per_second"),
    ] {
        let error = call(officer.admin().set_limit(setting(limit))).await.unwrap_err();
        assert_eq!(error.code, Code::InvalidArgument);
        assert_eq!(error.violations[0].field, field, "{error}");
    }
}

#[tokio::test]
async fn the_operator_sees_the_token() {
    let status =
        call(client("platform-operator").await.admin().get_token_status(GetTokenStatusRequest {})).await.unwrap();
    assert!(status.open && status.label == "chancery-dev" && status.manufacturer.contains("SoftHSM"), "{status:?}");
    assert!(!status.serial.is_empty() && !status.library_version.is_empty());
    for other in ["org1-security", "org2-auditor"] {
        let error = call(client(other).await.admin().get_token_status(GetTokenStatusRequest {})).await.unwrap_err();
        assert_eq!(error.code, Code::PermissionDenied, "{other}");
    }
}

#[tokio::test]
async fn a_batch_is_signed_like_anything_else() {
    let name = key("batch");
    create(&name, "peer0", Algorithm::EcP256).await;
    let peer = client("org1-peer0").await;
    let batch = SignRequest { priority: Priority::Batch.into(), ..signing(&name, b"x") };
    let first = sign(&peer, batch.clone()).await.unwrap();
    let hurried = sign(&peer, SignRequest { priority: Priority::Unspecified.into(), ..batch.clone() }).await.unwrap();
    assert!(hurried.replayed && hurried.signature == first.signature, "a retry may be in more of a hurry");
    let error = sign(&peer, SignRequest { priority: 7, ..batch }).await.unwrap_err();
    assert_eq!((error.code, error.violations[0].field.as_str()), (Code::InvalidArgument, "priority"));
}

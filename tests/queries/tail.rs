//! TailRecords: nothing is left out over broken connections, and whoever may not read any more is told nothing more.

use crate::{
    harness::Deployment,
    shared::{ORG1, ORG2, call, creation, id, make, sign, signing},
};
use chancery_api::v1::{
    Algorithm, ListRecordsRequest, SuspendPrincipalRequest, TailRecordsRequest, TailRecordsResponse,
};
use chancery_audit::record::Record;
use chancery_client::{Client, ClientError};
use std::time::Duration;
use tokio::time::timeout;
use tonic::Streaming;

/// Far longer than an answer takes.
const LONG: Duration = Duration::from_secs(60);

fn of(parent: &str) -> ListRecordsRequest {
    ListRecordsRequest { parent: parent.into(), ..Default::default() }
}

fn following(filter: ListRecordsRequest, from: Option<u64>) -> TailRecordsRequest {
    TailRecordsRequest { filter: Some(filter), from }
}

async fn tail(client: &Client, request: TailRecordsRequest) -> Streaming<TailRecordsResponse> {
    client.audit().tail_records(request).await.unwrap().into_inner()
}

/// The next answers until there are so many records, and from where to go on.
async fn read(stream: &mut Streaming<TailRecordsResponse>, records: usize) -> (Vec<Record>, u64) {
    let mut all = Vec::new();
    loop {
        let answer = timeout(LONG, stream.message()).await.expect("records come").unwrap().expect("it goes on");
        all.extend(answer.records);
        if all.len() >= records {
            return (all, answer.next);
        }
    }
}

/// How a stream ends.
async fn end(stream: &mut Streaming<TailRecordsResponse>) -> ClientError {
    loop {
        match timeout(LONG, stream.message()).await.expect("it ends") {
            Ok(answer) => drop(answer.expect("it ends with a reason")),
            Err(status) => return status.into(),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_resume_end_with_their_right_to_read_and_with_the_service() {
    let mut deployment = Deployment::start();
    let name = format!("{ORG1}/keys/followed");
    make(&deployment.client("org1-security").await, creation(&name, "peer0", Algorithm::EcP256)).await;
    let (peer, auditor) = (deployment.client("org1-peer0").await, deployment.client("org1-auditor").await);
    let sign_some = async |count: usize| {
        let mut indexes = Vec::new();
        for _ in 0..count {
            indexes.push(sign(&peer, signing(&name, b"x")).await.unwrap().record_index);
        }
        indexes
    };

    // From now on, after which it goes on where it was.
    let filter = || ListRecordsRequest { key: name.clone(), action: "Sign".into(), ..of(ORG1) };
    let mut stream = tail(&auditor, following(filter(), None)).await;
    let (none, start) = read(&mut stream, 0).await;
    assert_eq!(none, [], "its first answer says at once from where it follows");
    let first = sign_some(5).await;
    assert!(first[0] >= start);
    let (seen, next) = read(&mut stream, 5).await;
    assert_eq!(seen.iter().map(|record| record.index).collect::<Vec<_>>(), first);
    drop(stream);
    let second = sign_some(5).await;
    let mut stream = tail(&auditor, following(filter(), Some(next))).await;
    let (seen, _) = read(&mut stream, 5).await;
    assert_eq!(seen.iter().map(|record| record.index).collect::<Vec<_>>(), second);

    // Where nothing matches it still says from where to go on.
    let nothing = ListRecordsRequest { key: format!("{ORG1}/keys/none"), ..of(ORG1) };
    let mut idle = tail(&auditor, following(nothing, None)).await;
    let (_, from) = read(&mut idle, 0).await;
    sign_some(1).await;
    let (none, moved) = read(&mut idle, 0).await;
    assert!(none.is_empty() && moved > from, "{moved} > {from}");

    // Another organization's auditor gets its own, and not after it was suspended.
    let theirs = deployment.client("org2-auditor").await;
    let mut followed = tail(&theirs, following(of(ORG2), Some(0))).await;
    let (seen, _) = read(&mut followed, 1).await;
    assert!(seen.iter().all(|record| format!("{record:?}").contains("org2")), "{seen:?}");
    let suspension = SuspendPrincipalRequest {
        parent: ORG2.into(),
        principal: format!("{ORG2}/principals/auditor"),
        reason: "a test".into(),
        request_id: id(),
        ..SuspendPrincipalRequest::default()
    };
    call(deployment.client("org2-security").await.admin().suspend_principal(suspension)).await.unwrap();
    assert_eq!(end(&mut followed).await.reason.as_deref(), Some("SUSPENDED"));

    // A service that stops ends them, and the next one goes on.
    let last = sign_some(3).await;
    let (seen, next) = read(&mut stream, 4).await;
    assert_eq!(seen.last().unwrap().index, last[2]);
    let ended = tokio::spawn(async move { end(&mut stream).await });
    assert_eq!(tokio::task::block_in_place(|| deployment.stop()), Some(0), "no stream keeps it");
    let ended = ended.await.unwrap();
    assert!(ended.retryable, "{ended}");
    tokio::task::block_in_place(|| deployment.serve());
    let mut stream = tail(&auditor, following(filter(), Some(next))).await;
    let after = sign_some(2).await;
    let (seen, _) = read(&mut stream, 2).await;
    assert_eq!(seen.iter().map(|record| record.index).collect::<Vec<_>>(), after);
}

#[tokio::test]
async fn filters_are_checked_and_streams_are_counted() {
    let auditor = crate::shared::client("org1-auditor").await;
    let now = Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 0 });
    for (field, filter) in [
        ("filter", None),
        ("filter.parent", Some(of("org1"))),
        ("filter.page_size", Some(ListRecordsRequest { page_size: 1, ..of(ORG1) })),
        ("filter.page_token", Some(ListRecordsRequest { page_token: "1".into(), ..of(ORG1) })),
        ("filter.until", Some(ListRecordsRequest { until: now, ..of(ORG1) })),
        ("filter.newest_first", Some(ListRecordsRequest { newest_first: true, ..of(ORG1) })),
        ("filter.key", Some(ListRecordsRequest { key: "peer0".into(), ..of(ORG1) })),
        ("filter.request_id", Some(ListRecordsRequest { request_id: "7".into(), ..of(ORG1) })),
    ] {
        let request = TailRecordsRequest { filter, from: None };
        let error = ClientError::from(auditor.audit().tail_records(request).await.unwrap_err());
        assert_eq!(error.violations[0].field, field);
    }
    let peer = crate::shared::client("org1-peer0").await;
    let denied = ClientError::from(peer.audit().tail_records(following(of(ORG1), None)).await.unwrap_err());
    assert_eq!(denied.reason.as_deref(), Some("DENIED"));
    let mut open = Vec::new();
    let refused = loop {
        match auditor.audit().tail_records(following(of(ORG1), None)).await {
            Ok(stream) => open.push(stream),
            Err(status) => break status,
        }
        assert!(open.len() < 100);
    };
    assert_eq!((open.len(), refused.code()), (8, tonic::Code::ResourceExhausted));
    // A place is given back.
    open.clear();
    let again = timeout(LONG, async {
        while auditor.audit().tail_records(following(of(ORG1), None)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    again.await.expect("places come back");
}

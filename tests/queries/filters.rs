//! ListRecords by every filter, in both orders; a plain look at the log's files is the oracle.

use crate::{
    harness::expect_code,
    shared::{ORG1, ORG2, call, client, create, deployment, id, key, records, sign, signing},
};
use chancery_api::v1::{Algorithm, GetKeyRequest, ListRecordsRequest};
use chancery_audit::{
    record::{Outcome, Record},
    segment::Frames,
};
use prost::Message;
use prost_types::Timestamp;
use std::fs;

fn of(parent: &str) -> ListRecordsRequest {
    ListRecordsRequest { parent: parent.into(), ..Default::default() }
}

/// Every record in the log's files.
fn in_files() -> Vec<Record> {
    let mut segments: Vec<_> =
        fs::read_dir(deployment().dir().join("audit")).unwrap().map(|e| e.unwrap().path()).collect();
    segments.retain(|path| path.extension().is_some_and(|extension| extension == "seg"));
    segments.sort();
    let mut all = Vec::new();
    for segment in segments {
        let bytes = fs::read(segment).unwrap();
        let (_, frames) = Frames::new(&bytes).unwrap();
        all.extend(frames.map_while(Result::ok).map(|frame| Record::decode(frame.record).unwrap()));
    }
    all
}

fn time(nanos: i64) -> Timestamp {
    Timestamp { seconds: nanos / 1_000_000_000, nanos: i32::try_from(nanos % 1_000_000_000).unwrap() }
}

fn nanos(time: &Timestamp) -> i64 {
    time.seconds * 1_000_000_000 + i64::from(time.nanos)
}

fn own(record: &Record, id: &str) -> bool {
    record.principal.as_ref().is_some_and(|by| by.organization == id)
        || format!("{}/", record.resource).starts_with(&format!("organizations/{id}/"))
        || record.count.as_ref().is_some_and(|count| count.organization == id)
}

#[tokio::test]
async fn every_filter_finds_what_the_files_hold_in_both_orders() {
    let (name, theirs) = (key("found"), format!("{ORG2}/keys/found"));
    create(&name, "peer0", Algorithm::EcP256).await;
    create(&theirs, "peer0", Algorithm::EcP256).await;
    let (peer, stranger) = (client("org1-peer0").await, client("org2-peer0").await);
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(sign(&peer, signing(&name, b"x")).await.unwrap().request_id);
        sign(&stranger, signing(&theirs, b"x")).await.unwrap();
    }
    let attempt = signing(&name, b"x");
    sign(&stranger, attempt.clone()).await.unwrap_err();
    let times: Vec<_> = in_files().iter().filter(|r| ids.contains(&r.request_id)).map(|r| r.time_unix_nanos).collect();
    let between = (Some(time(times[5])), Some(time(times[12])));

    let filters = |parent| {
        let of = || of(parent);
        [
            of(),
            ListRecordsRequest { action: "Sign".into(), ..of() },
            ListRecordsRequest { action: "Nothing".into(), ..of() },
            ListRecordsRequest { outcome: Outcome::Denied.into(), ..of() },
            ListRecordsRequest { request_id: ids[7].clone(), ..of() },
            // Spelt otherwise, it is the same id.
            ListRecordsRequest { request_id: ids[7].to_uppercase(), ..of() },
            ListRecordsRequest { request_id: attempt.request_id.clone(), ..of() },
            ListRecordsRequest { key: name.clone(), since: between.0, until: between.1, ..of() },
            ListRecordsRequest { key: name.clone(), outcome: Outcome::Succeeded.into(), action: "Sign".into(), ..of() },
            ListRecordsRequest { principal: "org1/peer0".into(), since: between.0, ..of() },
            ListRecordsRequest { key: format!("{name}/versions/1"), ..of() },
        ]
    };
    for (who, parent, organization) in [("org1-auditor", ORG1, "org1"), ("org2-auditor", ORG2, "org2")] {
        let auditor = client(who).await;
        for (at, request) in filters(parent).into_iter().enumerate() {
            let oldest = records(&auditor, ListRecordsRequest { page_size: 7, ..request.clone() }).await;
            let newest = ListRecordsRequest { page_size: 9, newest_first: true, ..request.clone() };
            let mut newest = records(&auditor, newest).await;
            newest.reverse();
            // Other tests write meanwhile.
            let end = oldest.last().map_or(0, |record| record.index + 1);
            let expected: Vec<_> = in_files()
                .into_iter()
                .filter(|record| record.index < end && own(record, organization))
                .filter(|r| request.action.is_empty() || r.action == request.action)
                .filter(|r| request.outcome == 0 || r.outcome == request.outcome)
                .filter(|r| request.request_id.is_empty() || r.request_id == request.request_id.to_lowercase())
                .filter(|r| {
                    request.key.is_empty() || format!("{}/", r.resource).starts_with(&format!("{}/", request.key))
                })
                .filter(|r| request.since.as_ref().is_none_or(|since| r.time_unix_nanos >= nanos(since)))
                .filter(|r| request.until.as_ref().is_none_or(|until| r.time_unix_nanos < nanos(until)))
                .filter(|r| {
                    let by = r.principal.as_ref().map(|by| format!("{}/{}", by.organization, by.name));
                    request.principal.is_empty() || by == Some(request.principal.clone())
                })
                .collect();
            assert_eq!(oldest, expected, "filter {at} of {parent}");
            assert_eq!(newest[..expected.len()], expected, "filter {at} of {parent}, newest first");
        }
    }
    let auditor = client("org1-auditor").await;
    let counts = [
        (ListRecordsRequest { request_id: ids[7].clone(), ..of(ORG1) }, 1),
        (ListRecordsRequest { key: name.clone(), since: between.0, until: between.1, ..of(ORG1) }, 7),
        (ListRecordsRequest { action: "Nothing".into(), ..of(ORG1) }, 0),
    ];
    for (request, count) in counts {
        assert_eq!(records(&auditor, request).await.len(), count);
    }
}

#[tokio::test]
async fn what_no_record_can_have_is_refused_by_its_field() {
    let auditor = client("org1-auditor").await;
    let now = || Some(Timestamp { seconds: 1_700_000_000, nanos: 0 });
    for (field, request) in [
        ("parent", of("org1")),
        ("page_token", ListRecordsRequest { page_token: "x".into(), ..of(ORG1) }),
        ("page_token", ListRecordsRequest { page_token: "7".into(), newest_first: true, ..of(ORG1) }),
        ("page_token", ListRecordsRequest { page_token: "below-7".into(), ..of(ORG1) }),
        ("page_size", ListRecordsRequest { page_size: 1001, ..of(ORG1) }),
        ("key", ListRecordsRequest { key: "peer0".into(), ..of(ORG1) }),
        ("principal", ListRecordsRequest { principal: "peer0".into(), ..of(ORG1) }),
        ("action", ListRecordsRequest { action: "Sign Verify".into(), ..of(ORG1) }),
        ("outcome", ListRecordsRequest { outcome: 77, ..of(ORG1) }),
        ("request_id", ListRecordsRequest { request_id: "7".into(), ..of(ORG1) }),
        ("until", ListRecordsRequest { since: now(), until: now(), ..of(ORG1) }),
    ] {
        let error = call(auditor.audit().list_records(request)).await.unwrap_err();
        assert_eq!(error.reason.as_deref(), Some("INVALID_ARGUMENT"), "{field}");
        assert_eq!(error.violations[0].field, field);
    }
}

#[tokio::test]
async fn the_command_has_every_filter() {
    let name = key("listed");
    create(&name, "peer0", Algorithm::EcP256).await;
    let peer = client("org1-peer0").await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(sign(&peer, signing(&name, b"x")).await.unwrap().request_id);
    }
    call(client("org1-orderer0").await.keys().get_key(GetKeyRequest { name: key(&id()) })).await.unwrap_err();
    let list = |line: &[&str]| {
        let line = [&["audit", "list", "--output", "json"], line].concat();
        let output = deployment().chancery("org1-auditor", &line);
        expect_code(&output, 0);
        let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let ids = found.as_array().unwrap().iter().map(|record| record["request_id"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    let mut newest = ids.clone();
    newest.reverse();
    assert_eq!(list(&["--key", &name, "--action", "Sign"]), ids);
    assert_eq!(list(&["--key", &name, "--action", "Sign", "--newest-first"]), newest);
    assert_eq!(list(&["--key", &name, "--newest-first", "--limit", "1"]), newest[..1]);
    assert_eq!(list(&["--key", &name, "--outcome", "denied"]), Vec::<String>::new());
    assert_eq!(list(&["--request-id", &ids[1]]), ids[1..2]);
    assert_eq!(list(&["--key", &name, "--until", "1h"]), Vec::<String>::new());
    assert_eq!(list(&["--key", &name, "--action", "Sign", "--since", "1h", "--until", "0s"]), ids);
    let wrong = deployment().chancery("org1-auditor", &["audit", "list", "--until", "2h", "--since", "1h"]);
    expect_code(&wrong, 65);
}

//! ListRecords: an organization reads its own records and not a byte of others', by filters and pages.

use crate::shared::{ORG1, ORG2, call, client, create, id, key, records, sign, signing};
use chancery_api::v1::{Algorithm, GetKeyRequest, ListRecordsRequest, RotateKeyRequest};
use chancery_audit::record::{Kind, Record};
use prost::Message;
use prost_types::Timestamp;

fn of(parent: &str) -> ListRecordsRequest {
    ListRecordsRequest { parent: parent.into(), ..Default::default() }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[tokio::test]
async fn an_auditor_sees_no_byte_of_another_organizations_records() {
    let (name, theirs) = (key("private"), "organizations/org2/keys/theirs");
    let made = create(&name, "peer0", Algorithm::EcP256).await;
    create(theirs, "peer0", Algorithm::EcP256).await;
    let (peer, auditor) = (client("org1-peer0").await, client("org2-auditor").await);
    let signed = sign(&peer, signing(&name, b"private")).await.unwrap();
    let stranger = client("org2-orderer0").await;
    let attempt = signing(&name, b"attempt");
    sign(&stranger, attempt.clone()).await.unwrap_err();

    let filters = [
        of(ORG2),
        ListRecordsRequest { key: name.clone(), ..of(ORG2) },
        ListRecordsRequest { principal: "org1/peer0".into(), ..of(ORG2) },
        ListRecordsRequest { principal: "organizations/org1/principals/peer0".into(), ..of(ORG2) },
    ];
    let mut counts = Vec::new();
    for request in filters {
        let seen = records(&auditor, request).await;
        for record in &seen {
            let own = record.principal.as_ref().is_some_and(|by| by.organization == "org2")
                || record.resource == ORG2
                || record.resource.starts_with("organizations/org2/")
                || record.count.as_ref().is_some_and(|count| count.organization == "org2");
            assert!(own, "{record:?}");
        }
        let bytes: Vec<u8> = seen.iter().flat_map(Message::encode_to_vec).collect();
        for secret in [&signed.signature, &made.versions[0].public_key] {
            assert!(!contains(&bytes, secret));
        }
        assert!(!contains(&bytes, signed.request_id.as_bytes()));
        // What was denied says whom the request named as the owner, in the caller's own words.
        let done: Vec<_> = seen.iter().filter(|record| record.kind() != Kind::Denial).collect();
        assert!(!done.iter().any(|record| contains(&record.encode_to_vec(), b"org1/principals")), "{done:?}");
        assert!(!contains(&bytes, b"node-signs-with-own-key") || seen.iter().any(|r| r.resource.contains("org2")));
        counts.push(seen.len());
    }
    assert!(counts[0] > 1, "it does see its own");
    assert_eq!(counts[2..], [0, 0], "no principal of another organization");
    // The attempt concerns both: its organization and the key's see it.
    for (who, parent) in [("org1-auditor", ORG1), ("org2-auditor", ORG2)] {
        let auditor = client(who).await;
        let seen = records(&auditor, ListRecordsRequest { key: name.clone(), ..of(parent) }).await;
        let attempt = seen.iter().find(|record| record.request_id == attempt.request_id).expect("both see it");
        assert_eq!(attempt.kind(), Kind::Denial);
    }
}

/// Registration of members, policy texts, starts: nobody's by ListRecords; those who hold the files have them.
#[tokio::test]
async fn the_services_own_records_are_not_an_organizations() {
    let seen = records(&client("org1-auditor").await, of(ORG1)).await;
    assert!(seen.iter().all(|record| !matches!(record.kind(), Kind::Genesis | Kind::PolicySet | Kind::Statement)));
}

#[tokio::test]
async fn filters_select_and_pages_hold_each_record_once() {
    let (one, other) = (key("filtered"), key("filtered-not"));
    let (peer, auditor) = (client("org1-peer0").await, client("org1-auditor").await);
    create(&one, "peer0", Algorithm::EcP256).await;
    create(&other, "orderer0", Algorithm::EcP256).await;
    call(peer.keys().rotate_key(RotateKeyRequest { name: one.clone(), request_id: id() })).await.unwrap();
    let mut indexes = Vec::new();
    for _ in 0..7 {
        indexes.push(sign(&peer, signing(&one, b"x")).await.unwrap().record_index);
    }
    let first = sign(&peer, signing(&format!("{one}/versions/1"), b"x")).await.unwrap().record_index;
    sign(&client("org1-orderer0").await, signing(&other, b"x")).await.unwrap();

    let of_key = records(&auditor, ListRecordsRequest { key: one.clone(), ..of(ORG1) }).await;
    assert_eq!(of_key.len(), 4 + 8, "two changes of two records each, and the signatures");
    assert!(of_key.iter().all(|record| record.resource == one || record.resource.starts_with(&format!("{one}/"))));
    let version = ListRecordsRequest { key: format!("{one}/versions/1"), ..of(ORG1) };
    let of_version = records(&auditor, version).await;
    assert_eq!(of_version.last().unwrap().index, first);
    assert!(of_version.iter().all(|record| record.resource == format!("{one}/versions/1")));

    for principal in ["org1/peer0", "organizations/org1/principals/peer0"] {
        let request = ListRecordsRequest { key: one.clone(), principal: principal.into(), ..of(ORG1) };
        let by: Vec<_> = records(&auditor, request).await;
        assert_eq!(by.len(), 2 + 8, "its own, not the officer's");
        assert!(by.iter().all(|record| record.principal.as_ref().unwrap().name == "peer0"));
    }
    for page_size in [1, 3, 12, 1000] {
        let request = ListRecordsRequest { key: one.clone(), page_size, ..of(ORG1) };
        let page = call(auditor.audit().list_records(request.clone())).await.unwrap();
        assert!(page.records.len() <= usize::try_from(page_size).unwrap());
        assert_eq!(records(&auditor, request).await, of_key, "pages of {page_size}");
    }
    let time = |record: &Record| Timestamp {
        seconds: record.time_unix_nanos / 1_000_000_000,
        nanos: i32::try_from(record.time_unix_nanos % 1_000_000_000).unwrap(),
    };
    let third = of_key.iter().find(|record| record.index == indexes[3]).unwrap();
    let since = ListRecordsRequest { key: one.clone(), since: Some(time(third)), ..of(ORG1) };
    let recent: Vec<_> = records(&auditor, since).await.iter().map(|record| record.index).collect();
    assert_eq!(recent, [&indexes[3..], &[first]].concat(), "since then, then included");
    let future = Timestamp { seconds: 1 << 40, nanos: 0 };
    let request = ListRecordsRequest { since: Some(future), ..of(ORG1) };
    assert_eq!(records(&auditor, request).await, []);
}

/// Only auditors read records; and officers and auditors see the organization's keys, nodes their own.
#[tokio::test]
async fn only_auditors_read_records() {
    for (name, allowed) in [
        ("org1-auditor", true),
        ("org1-security", false),
        ("org1-ca", false),
        ("org1-peer0", false),
        ("org1-orderer0", false),
        ("org1-opssc", false),
        ("org1-client", false),
        ("platform-operator", false),
    ] {
        let client = client(name).await;
        let answer = call(client.audit().list_records(of(ORG1))).await;
        assert_eq!(answer.is_ok(), allowed, "{name}");
        let get = GetKeyRequest { name: key("missing-here") };
        let reason = call(client.keys().get_key(get)).await.unwrap_err().reason.unwrap();
        let told = matches!(name, "org1-auditor" | "org1-security");
        assert_eq!(reason, if told { "NOT_FOUND" } else { "DENIED" }, "{name}");
    }
}

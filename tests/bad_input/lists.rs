//! ListKeys and ListRecords: page sizes, tokens and filters.

use crate::{
    is_rejected,
    shared::{ORG1, call, client},
};
use chancery_api::v1::{ListKeysRequest, ListRecordsRequest};

#[tokio::test]
async fn pages_that_make_no_sense_are_rejected() {
    let auditor = client("org1-auditor").await;
    let keys = ListKeysRequest { parent: ORG1.into(), ..Default::default() };
    let records = ListRecordsRequest { parent: ORG1.into(), ..Default::default() };
    for page_size in [-1, 1001, i32::MAX, i32::MIN] {
        let answer = call(auditor.keys().list_keys(ListKeysRequest { page_size, ..keys.clone() })).await;
        is_rejected(answer, "INVALID_ARGUMENT", "page_size", "keys");
        let answer = call(auditor.audit().list_records(ListRecordsRequest { page_size, ..records.clone() })).await;
        is_rejected(answer, "INVALID_ARGUMENT", "page_size", "records");
    }
    for token in ["Made up", "-1", "../x", "0x10", "٣"] {
        let page_token = token.to_owned();
        if token != "0x10" {
            let request = ListKeysRequest { page_token: page_token.clone(), ..keys.clone() };
            is_rejected(call(auditor.keys().list_keys(request)).await, "INVALID_ARGUMENT", "page_token", token);
        }
        let answer = call(auditor.audit().list_records(ListRecordsRequest { page_token, ..records.clone() })).await;
        is_rejected(answer, "INVALID_ARGUMENT", "page_token", token);
    }
    // Beyond the end there is nothing, which is no error.
    for page_token in ["999999999", "18446744073709551615"].map(ToOwned::to_owned) {
        let page =
            call(auditor.audit().list_records(ListRecordsRequest { page_token, ..records.clone() })).await.unwrap();
        assert_eq!((page.records.len(), page.next_page_token.as_str()), (0, ""));
    }
    for parent in ["", "org1", "organizations/Org1", "organizations/org1/keys/a"] {
        let answer = call(auditor.keys().list_keys(ListKeysRequest { parent: parent.into(), ..keys.clone() })).await;
        is_rejected(answer, "INVALID_ARGUMENT", "parent", parent);
        let request = ListRecordsRequest { parent: parent.into(), ..records.clone() };
        is_rejected(call(auditor.audit().list_records(request)).await, "INVALID_ARGUMENT", "parent", parent);
    }
}

#[tokio::test]
async fn filters_that_make_no_sense_are_rejected() {
    let auditor = client("org1-auditor").await;
    let of = ListRecordsRequest { parent: ORG1.into(), ..Default::default() };
    for key in ["peer0", "organizations/org1", "organizations/org1/keys/A", "organizations/org1/keys/a/versions/x"] {
        let answer = call(auditor.audit().list_records(ListRecordsRequest { key: key.into(), ..of.clone() })).await;
        is_rejected(answer, "INVALID_ARGUMENT", "key", key);
    }
    for principal in ["peer0", "org1/", "/peer0", "org1/peer0/x", "organizations/org1/principals/"] {
        let request = ListRecordsRequest { principal: principal.into(), ..of.clone() };
        is_rejected(call(auditor.audit().list_records(request)).await, "INVALID_ARGUMENT", "principal", principal);
    }
    for (seconds, nanos) in [(i64::MAX, 0), (i64::MIN, 0), (0, -1)] {
        let since = Some(prost_types::Timestamp { seconds, nanos });
        // Far away in time, and not an overflow.
        call(auditor.audit().list_records(ListRecordsRequest { since, ..of.clone() })).await.unwrap();
    }
}

//! A flood of denials costs its own principal's budget and not the log: beyond it, denials are counted.

use crate::shared::{ORG2, client, key, records, sign, signing};
use chancery_api::v1::ListRecordsRequest;
use chancery_audit::record::Kind;
use futures_util::future::join_all;
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_flood_of_denials_is_counted_to_the_last() {
    const FLOOD: usize = 400;
    let (stranger, auditor) = (client("org2-client").await, client("org2-auditor").await);
    let missing = key("flooded");
    let denials = join_all((0..FLOOD).map(|_| sign(&stranger, signing(&missing, b"x")))).await;
    assert!(denials.into_iter().all(|answer| answer.unwrap_err().reason.as_deref() == Some("DENIED")));

    let deadline = Instant::now() + Duration::from_secs(20);
    let of = |request: ListRecordsRequest| ListRecordsRequest { parent: ORG2.into(), ..request };
    let (mut recorded, mut counted, mut rows) = (0, 0, 0);
    while Instant::now() < deadline && recorded + counted < FLOOD {
        let denials = records(&auditor, of(ListRecordsRequest { key: missing.clone(), ..Default::default() })).await;
        recorded = denials.iter().filter(|record| record.kind() == Kind::Denial).count();
        let all = records(&auditor, of(ListRecordsRequest::default())).await;
        let counts = all.iter().filter_map(|record| record.count.as_ref());
        let counts: Vec<_> = counts.filter(|count| count.principal == "client" && count.reason == "DENIED").collect();
        rows = counts.len();
        counted = counts.iter().map(|count| usize::try_from(count.events).unwrap()).sum();
    }
    assert_eq!(recorded + counted, FLOOD, "{recorded} recorded, {counted} counted");
    assert!(recorded >= 20, "a budget of 20 a second is recorded one by one: {recorded}");
    assert!(recorded <= FLOOD / 2, "a flood is not: {recorded} of {FLOOD}");
    assert!(rows <= 20, "once a second: {rows} COUNT records");
}

//! A client whose certificate is revoked while it streams signatures.

use crate::{
    authority::List,
    founding::{found, knock, refused},
    shared::{call, create_as, id, records, signing},
};
use chancery_api::{
    reasons,
    v1::{ListRecordsRequest, SignRequest, UpdateRevocationListRequest, sign_stream_response::Result as Answer},
};
use chancery_audit::record::{Kind, Outcome};
use chancery_client::ClientError;
use futures_util::StreamExt;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// Requests under way at a time.
const WINDOW: usize = 8;
const SERIAL: u64 = 0x5eed;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_gets_no_signature_after_the_list_is_answered_and_the_log_shows_the_order() {
    let new = found("streaming").await;
    let key = format!("{}/keys/streamed", new.name);
    create_as(&new.officer, &key, "client1").await;
    let client = new.member("client1", SERIAL).connect().await;
    let list = new.authority.list(&List { number: Some(3), revoked: &[SERIAL], ..List::default() });

    let (sender, receiver) = mpsc::channel::<SignRequest>(WINDOW);
    for _ in 0..WINDOW {
        sender.send(signing(&key, b"streamed")).await.unwrap();
    }
    let mut answers = client.signing().sign_stream(ReceiverStream::new(receiver)).await.unwrap().into_inner();
    let mut revoking = None;
    let (mut released, mut refusals, mut last_signature) = (Vec::new(), 0, Instant::now());
    while refusals < 5 * WINDOW {
        let answer = tokio::time::timeout(Duration::from_secs(60), answers.next()).await.expect("it is answered");
        match answer.unwrap().unwrap().result.unwrap() {
            Answer::Response(response) => {
                assert_eq!(refusals, 0, "a signature after a refusal");
                released.push(response.record_index);
                last_signature = Instant::now();
            }
            Answer::Error(status) => {
                let error = ClientError::from(status);
                assert_eq!(error.reason.as_deref(), Some(reasons::CERTIFICATE_REVOKED), "{error}");
                refusals += 1;
            }
        }
        sender.send(signing(&key, b"streamed")).await.unwrap();
        if released.len() == 100 && revoking.is_none() {
            let request = UpdateRevocationListRequest { name: new.name.clone(), crl: list.clone(), request_id: id() };
            let mut admin = new.officer.admin();
            revoking = Some(tokio::spawn(async move {
                let begun = Instant::now();
                call(admin.update_revocation_list(request)).await.unwrap();
                (begun, Instant::now())
            }));
        }
    }
    let (begun, answered) = revoking.unwrap().await.unwrap();
    println!(
        "revoked while streaming: answered in {:?}; the last of {} signatures came {:?} after the request began",
        answered - begun,
        released.len(),
        last_signature.saturating_duration_since(begun)
    );
    // Nobody waits for a clock: what came in time is in the log before the revocation, and nothing after it.
    assert!(last_signature.saturating_duration_since(begun) < Duration::from_secs(20));

    let request = ListRecordsRequest { parent: new.name.clone(), ..Default::default() };
    let log = records(&new.auditor, request).await;
    let revocation = log.iter().find(|record| record.action == "UpdateRevocationList").unwrap();
    assert_eq!((revocation.kind(), revocation.outcome()), (Kind::Outcome, Outcome::Succeeded));
    assert!(revocation.resource.starts_with(&format!("{}/anchors/", new.name)), "{}", revocation.resource);
    let last = released.iter().max().unwrap();
    assert!(*last < revocation.index, "record {last} was released after the revocation's {}", revocation.index);
    // What was signed before and recorded after was not given out, and its next record says so.
    for late in log.iter().filter(|record| record.index > revocation.index && !record.signature.is_empty()) {
        let withdrawn = |record: &&_| {
            let record: &chancery_audit::record::Record = record;
            record.index > late.index
                && record.request_id == late.request_id
                && record.reason == reasons::CERTIFICATE_REVOKED
        };
        assert!(log.iter().any(|record| withdrawn(&record)), "record {} stands alone", late.index);
    }
    let denials =
        log.iter().filter(|record| record.index > revocation.index && record.reason == reasons::CERTIFICATE_REVOKED);
    assert!(denials.count() > 0, "refusals are recorded");

    refused(knock(&client).await, reasons::CERTIFICATE_REVOKED);
    refused(knock(&new.member("client1", SERIAL).connect().await).await, reasons::CERTIFICATE_REVOKED);
    knock(&new.member("client1", SERIAL + 1).connect().await).await.expect("its next certificate");
}

//! Receipts that come with signatures.

use crate::shared::{self, call, deployment};
use chancery_api::v1::{
    Algorithm, GetInclusionProofRequest, SignRequest, SignResponse, get_inclusion_proof_request::Record,
    sign_stream_response::Result as StreamResult,
};
use chancery_audit::{
    checkpoint::VerifierKey,
    receipt::{Logged, verify},
};
use futures_util::{StreamExt as _, future::join_all};
use std::fs;

pub(crate) fn vkey() -> VerifierKey {
    fs::read_to_string(deployment().dir().join("audit.vkey")).unwrap().parse().unwrap()
}

fn with_receipt(key: &str, message: &[u8]) -> SignRequest {
    SignRequest { receipt: true, ..shared::signing(key, message) }
}

/// The receipt is of the very signature that it came with.
fn proven(response: &SignResponse) -> Logged {
    let logged = verify(&response.receipt, &vkey()).unwrap();
    assert_eq!(logged.record.index, response.record_index);
    assert_eq!(logged.record.signature, response.signature);
    assert_eq!(logged.record.resource, response.name);
    logged
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_come_under_load() {
    let key = shared::key("load");
    shared::create(&key, "peer0", Algorithm::EcP256).await;
    let peer = shared::client("org1-peer0").await;
    // Of those in one stream, every other asks for one.
    let requests: Vec<_> =
        (0..120_u32).map(|n| SignRequest { receipt: n % 2 == 0, ..shared::signing(&key, &n.to_le_bytes()) }).collect();
    let wanted: Vec<_> =
        requests.iter().filter(|request| request.receipt).map(|request| request.request_id.clone()).collect();
    let single = join_all((0..40_u32).map(|n| shared::sign(&peer, with_receipt(&key, &n.to_be_bytes()))));
    let mut signing = peer.signing();
    let streamed = async {
        let answers = signing.sign_stream(tokio_stream::iter(requests)).await.unwrap().into_inner();
        answers.map(Result::unwrap).collect::<Vec<_>>().await
    };
    let (single, streamed) = tokio::join!(single, streamed);
    // On a machine that is busy with other things some come without, and get theirs later.
    let mut late = Vec::new();
    let mut receive = |response: SignResponse| match response.receipt.as_str() {
        "" => late.push(response),
        _ => drop(proven(&response)),
    };
    single.into_iter().for_each(|response| receive(response.unwrap()));
    assert_eq!(streamed.len(), 120);
    for answer in streamed {
        let Some(StreamResult::Response(response)) = answer.result else { panic!("{answer:?}") };
        if wanted.contains(&answer.request_id) {
            receive(response);
        } else {
            assert_eq!(response.receipt, "", "nobody asked for it");
        }
    }
    assert!(late.len() < 100, "not one signature came with its receipt");
    for mut response in late {
        let asked =
            GetInclusionProofRequest { record: Some(Record::Index(response.record_index)), ..Default::default() };
        response.receipt = call(peer.audit().get_inclusion_proof(asked)).await.unwrap().receipt;
        proven(&response);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_gets_the_receipt_of_the_first_answer() {
    let key = shared::key("retried");
    shared::create(&key, "peer0", Algorithm::EcP256).await;
    let peer = shared::client("org1-peer0").await;
    // Whether a receipt is wanted is no part of the request's content.
    let request = shared::signing(&key, b"once");
    let first = shared::sign(&peer, request.clone()).await.unwrap();
    let again = call(peer.signing().sign(SignRequest { receipt: true, ..request.clone() })).await.unwrap();
    assert!(again.replayed);
    assert_eq!((again.record_index, &again.signature), (first.record_index, &first.signature));
    let logged = proven(&again);
    assert_eq!(logged.record.request_id, request.request_id);
}

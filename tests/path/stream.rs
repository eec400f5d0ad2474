//! SignStream: many requests over one call, pipelined, each answered under its id.

use crate::{
    openssl::OpenSsl,
    shared::{call, client, create, id, key, signing},
};
use chancery_api::v1::{
    Algorithm, GetPublicKeyRequest, SignRequest, SignResponse, sign_stream_response::Result as Answer,
};
use chancery_client::{Client, ClientError};
use futures_util::{StreamExt, stream};
use std::collections::HashMap;

/// Sends all, then collects answers by request id; none may come twice.
async fn exchange(
    client: &Client,
    requests: Vec<SignRequest>,
) -> HashMap<String, Vec<Result<SignResponse, ClientError>>> {
    let mut answers = client.signing().sign_stream(stream::iter(requests)).await.unwrap().into_inner();
    let mut by_id: HashMap<_, Vec<_>> = HashMap::new();
    while let Some(answer) = answers.next().await {
        let answer = answer.expect("the stream goes on");
        let result = match answer.result.unwrap() {
            Answer::Response(response) => Ok(response),
            Answer::Error(status) => Err(ClientError::from(status)),
        };
        by_id.entry(answer.request_id).or_default().push(result);
    }
    by_id
}

/// Slow and fast keys in one stream, and bad requests among the good: each gets the answer to its own message.
#[tokio::test]
async fn every_request_is_answered_once_whatever_the_others_are() {
    let (fast, slow, foreign) = (key("stream-fast"), key("stream-slow"), key("stream-foreign"));
    create(&fast, "peer0", Algorithm::EcP256).await;
    create(&slow, "peer0", Algorithm::Rsa2048).await;
    create(&foreign, "orderer0", Algorithm::EcP256).await;
    let client = client("org1-peer0").await;
    let mut messages = HashMap::new();
    let mut requests = Vec::new();
    for number in 0..120_u32 {
        let message = number.to_be_bytes();
        let request = signing(if number % 10 == 0 { &slow } else { &fast }, &message);
        messages.insert(request.request_id.clone(), (request.name.clone(), message));
        requests.push(request);
    }
    let mut bad = Vec::new();
    for (at, request, reason) in [
        (3, signing(&foreign, b"x"), "DENIED"),
        (30, signing("organizations/org1/keys/Stream", b"x"), "INVALID_ARGUMENT"),
        (31, SignRequest { input: None, ..signing(&fast, b"x") }, "INVALID_ARGUMENT"),
        (60, SignRequest { input_crc32c: Some(1), ..signing(&fast, b"x") }, "CHECKSUM_MISMATCH"),
        (90, SignRequest { request_id: "no-uuid".into(), ..signing(&fast, b"x") }, "INVALID_ARGUMENT"),
    ] {
        bad.push((request.request_id.clone(), reason));
        requests.insert(at, request);
    }
    let mut answers = exchange(&client, requests).await;
    for (id, reason) in bad {
        let [Err(error)] = answers[&id].as_slice() else { panic!("{id}: not refused") };
        assert_eq!(error.reason.as_deref(), Some(reason), "{error}");
        answers.remove(&id);
    }
    let openssl = OpenSsl::new();
    let mut publics = HashMap::new();
    for name in [&fast, &slow] {
        let request = GetPublicKeyRequest { name: name.clone() };
        publics.insert(name.clone(), call(client.signing().get_public_key(request)).await.unwrap().pem);
    }
    assert_eq!(answers.len(), messages.len());
    for (number, (id, mut results)) in answers.into_iter().enumerate() {
        assert_eq!(results.len(), 1, "one answer to each request");
        let (name, message) = &messages[&id];
        let response = results.remove(0).unwrap();
        assert_eq!((response.request_id, response.name), (id, format!("{name}/versions/1")));
        // openssl is slow to start: every fourth is judged.
        if number % 4 == 0 {
            assert!(openssl.verifies_message(&publics[name], "sha256", message, &response.signature), "{name}");
        }
    }
}

/// The second waits for the first, which is still under way when it comes, and gets its answer.
#[tokio::test]
async fn an_id_that_comes_twice_in_one_stream_is_one_signature() {
    let name = key("stream-twice");
    create(&name, "peer0", Algorithm::Rsa2048).await;
    let client = client("org1-peer0").await;
    let request = signing(&name, b"once");
    let other = SignRequest { request_id: request.request_id.clone(), ..signing(&name, b"other") };
    let answers = exchange(&client, vec![request.clone(), request.clone(), other, request.clone()]).await;
    let results = &answers[&request.request_id];
    assert_eq!((answers.len(), results.len()), (1, 4));
    let (given, refused): (Vec<_>, Vec<_>) = results.iter().partition(|result| result.is_ok());
    assert_eq!(refused[0].as_ref().unwrap_err().reason.as_deref(), Some("REQUEST_ID_REUSED"));
    let given: Vec<_> = given.into_iter().flatten().collect();
    assert_eq!(given.len(), 3);
    assert_eq!(given.iter().filter(|response| !response.replayed).count(), 1);
    assert!(given.iter().all(|response| response.signature == given[0].signature));
    assert!(given.iter().all(|response| response.record_index == given[0].record_index));
}

/// The caller may wait for each answer before it sends the next request: nothing is held back to fill a batch.
#[tokio::test]
async fn a_stream_answers_while_it_is_open() {
    let name = key("stream-open");
    create(&name, "peer0", Algorithm::EcP256).await;
    let client = client("org1-peer0").await;
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let requests = tokio_stream::wrappers::ReceiverStream::new(receiver);
    sender.send(signing(&name, b"first")).await.unwrap();
    let mut answers = client.signing().sign_stream(requests).await.unwrap().into_inner();
    for _ in 0..20 {
        let answer = answers.next().await.unwrap().unwrap();
        assert!(matches!(answer.result, Some(Answer::Response(_))));
        sender.send(SignRequest { request_id: id(), ..signing(&name, b"next") }).await.unwrap();
    }
    drop(sender);
    assert_eq!(answers.count().await, 1);
}

//! Load of several clients, by single calls and by streams, and everything that came back.

use crate::harness::Deployment;
use chancery_api::v1::{
    Algorithm, CreateKeyRequest, Digest, Hash, Key, SignRequest, SignResponse, SignatureFormat, sign_request,
    sign_stream_response::Result as StreamResult,
};
use chancery_client::{Client, ClientError, request_id};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{sync::mpsc, task::JoinSet};
use tokio_stream::wrappers::ReceiverStream;

/// Requests of one stream that wait for an answer at one time.
const PIPELINED: usize = 8;
/// What nothing here may take longer than.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A signature that a client received.
pub struct Released {
    pub request_id: String,
    pub digest: Vec<u8>,
    pub signature: Vec<u8>,
    pub index: u64,
    pub version: String,
}

/// A request that a client was told has failed.
pub struct Failure {
    pub request_id: String,
    pub error: ClientError,
}

/// What came back.
#[derive(Default)]
pub struct Seen {
    pub released: Vec<Released>,
    pub failures: Vec<Failure>,
}

/// Clients that sign until they are stopped.
pub struct Load {
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Seen>>,
    work: JoinSet<()>,
}

/// A request for a signature over a fresh random digest.
pub fn request(key: &str) -> SignRequest {
    let mut value = vec![0; 32];
    getrandom::fill(&mut value).unwrap();
    SignRequest {
        name: key.into(),
        input: Some(sign_request::Input::Digest(Digest { hash: Hash::Sha256.into(), value })),
        format: SignatureFormat::Der.into(),
        request_id: request_id(),
        ..SignRequest::default()
    }
}

fn digest(request: &SignRequest) -> Vec<u8> {
    match &request.input {
        Some(sign_request::Input::Digest(digest)) => digest.value.clone(),
        _ => panic!("made by `request`"),
    }
}

/// Makes a key that org1's peer0 owns.
pub async fn create(deployment: &Deployment, id: &str, algorithm: Algorithm) -> String {
    create_with(&deployment.client("org1-security").await, creation(id, algorithm)).await.unwrap().name
}

/// A request for a key that org1's peer0 owns.
pub fn creation(id: &str, algorithm: Algorithm) -> CreateKeyRequest {
    let owner = "organizations/org1/principals/peer0".into();
    let key = Key { owner, algorithm: algorithm.into(), ..Key::default() };
    CreateKeyRequest {
        parent: "organizations/org1".into(),
        key_id: id.into(),
        key: Some(key),
        request_id: request_id(),
        ..CreateKeyRequest::default()
    }
}

/// One try.
pub async fn create_with(officer: &Client, request: CreateKeyRequest) -> Result<Key, ClientError> {
    Ok(officer.keys().create_key(request).await?.into_inner())
}

/// One try.
pub async fn sign(client: &Client, request: SignRequest) -> Result<SignResponse, ClientError> {
    Ok(client.signing().sign(request).await?.into_inner())
}

impl Load {
    /// Puts each of `unary` and `streams` to work.
    pub fn start(unary: Vec<Client>, streams: Vec<Client>, key: &str) -> Self {
        let mut load = Self { stop: Arc::default(), seen: Arc::default(), work: JoinSet::new() };
        for client in unary {
            load.work.spawn(call(client, key.to_owned(), Arc::clone(&load.stop), Arc::clone(&load.seen)));
        }
        for client in streams {
            load.work.spawn(stream(client, key.to_owned(), Arc::clone(&load.stop), Arc::clone(&load.seen)));
        }
        load
    }

    /// Two clients that call and two that stream, as org1's peer0.
    pub async fn of_four(deployment: &Deployment, key: &str) -> Self {
        let mut clients = Vec::new();
        for _ in 0..4 {
            clients.push(deployment.client("org1-peer0").await);
        }
        let streams = clients.split_off(2);
        Self::start(clients, streams, key)
    }

    /// Waits until `more` signatures have been released from now on.
    pub async fn released(&self, more: usize) {
        let start = Instant::now();
        let enough = self.seen.lock().unwrap().released.len() + more;
        while self.seen.lock().unwrap().released.len() < enough {
            assert!(start.elapsed() < PATIENCE, "signing does not go on: {:?}", self.last_error());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn last_error(&self) -> Option<ClientError> {
        self.seen.lock().unwrap().failures.last().map(|failure| failure.error.clone())
    }

    /// Stops, and gives everything that came back.
    pub async fn stop(mut self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        let ended = tokio::time::timeout(PATIENCE, async { while self.work.join_next().await.is_some() {} }).await;
        assert!(ended.is_ok(), "an answer is missing");
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

impl Seen {
    fn answer(&mut self, request: &SignRequest, result: Result<SignResponse, ClientError>) {
        let request_id = request.request_id.clone();
        match result {
            Ok(response) => {
                assert_eq!(response.request_id, request_id);
                assert!(!response.replayed, "each id is used once");
                self.released.push(Released {
                    request_id,
                    digest: digest(request),
                    signature: response.signature,
                    index: response.record_index,
                    version: response.name,
                });
            }
            Err(error) => self.failures.push(Failure { request_id, error }),
        }
    }
}

/// A client whose service is away has nothing better to do than to wait a little.
async fn pause() {
    tokio::time::sleep(Duration::from_millis(10)).await;
}

async fn call(client: Client, key: String, stop: Arc<AtomicBool>, seen: Arc<Mutex<Seen>>) {
    while !stop.load(Ordering::Relaxed) {
        let request = request(&key);
        let result = sign(&client, request.clone()).await;
        let failed = result.is_err();
        seen.lock().unwrap().answer(&request, result);
        if failed {
            pause().await;
        }
    }
}

async fn stream(client: Client, key: String, stop: Arc<AtomicBool>, seen: Arc<Mutex<Seen>>) {
    while !stop.load(Ordering::Relaxed) {
        let mut waiting = HashMap::new();
        if let Err(error) = one_stream(&client, &key, &stop, &seen, &mut waiting).await {
            let mut seen = seen.lock().unwrap();
            for (_, request) in waiting {
                seen.answer(&request, Err(error.clone()));
            }
        }
        pause().await;
    }
}

/// Until it breaks, or the load is stopped and everything was answered.
async fn one_stream(
    client: &Client,
    key: &str,
    stop: &AtomicBool,
    seen: &Mutex<Seen>,
    waiting: &mut HashMap<String, SignRequest>,
) -> Result<(), ClientError> {
    let (requests, queue) = mpsc::channel(PIPELINED);
    let mut answers = client.signing().sign_stream(ReceiverStream::new(queue)).await?.into_inner();
    loop {
        while waiting.len() < PIPELINED && !stop.load(Ordering::Relaxed) {
            let request = request(key);
            waiting.insert(request.request_id.clone(), request.clone());
            // A stream that broke says so below.
            let _ = requests.send(request).await;
        }
        if waiting.is_empty() {
            return Ok(());
        }
        let Some(answer) = answers.message().await? else { panic!("the stream ended and {} wait", waiting.len()) };
        let request = waiting.remove(&answer.request_id).expect("an answer to what was asked");
        let result = match answer.result.expect("a result") {
            StreamResult::Response(response) => Ok(response),
            StreamResult::Error(status) => Err(status.into()),
        };
        seen.lock().unwrap().answer(&request, result);
    }
}

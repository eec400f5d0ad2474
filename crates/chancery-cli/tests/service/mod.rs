//! A service with two keys in memory, keys that are made, a list of keys and a log, to see what the command sends and makes of the answers.
//!
//! It can lose its first answers and its streams, as a service that restarts does.

pub(crate) mod admin;
mod crypto;
mod keys;
pub(crate) mod transfer;

use chancery_api::v1::{
    Algorithm, Checkpoint, GetCheckpointRequest, GetPublicKeyRequest, KeyState, ListRecordsRequest,
    ListRecordsResponse, PublicKey, SignRequest, SignResponse, SignStreamResponse, VerifyRequest, VerifyResponse,
    admin_service_server::AdminServiceServer,
    audit_service_server::{AuditService, AuditServiceServer},
    crypto_service_server::CryptoServiceServer,
    key_service_server::KeyServiceServer,
    sign_request, sign_stream_response,
    signing_service_server::{SigningService, SigningServiceServer},
};
use chancery_audit::record::{Kind, Record};
use p256::{
    ecdsa::{DerSignature, SigningKey, signature::hazmat::PrehashSigner as _},
    pkcs8::EncodePublicKey as _,
};
use prost::Message as _;
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, AtomicU64, Ordering},
};
use tokio::sync::mpsc;
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};
use tonic::{Code, Request, Response, Status, Streaming, service::Routes};
use tonic_health::ServingStatus;
use tonic_types::{ErrorDetails, StatusExt as _};

pub(crate) const PEER0: &str = "organizations/org1/keys/peer0";
pub(crate) const ED25519: &str = "organizations/org1/keys/ed25519";
/// How many records the log has.
pub(crate) const RECORDS: u64 = 250;
/// How many keys are listed.
pub(crate) const KEYS: usize = 1_200;

#[derive(Clone)]
pub(crate) struct Service(Arc<State>);

struct State {
    p256: SigningKey,
    ed25519: ed25519_dalek::SigningKey,
    records: AtomicU64,
    /// Requests to answer with TOKEN_UNAVAILABLE before any is answered.
    unavailable: AtomicU32,
    /// Streams to cut after ten answers.
    cuts: AtomicU32,
    /// Request ids in the order they came, repeats included.
    seen: Mutex<Vec<String>>,
    keys: keys::Kept,
    transfer: transfer::Kept,
    admin: admin::Kept,
}

impl Service {
    pub(crate) fn new() -> Self {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).unwrap();
        seed[0] = 1; // below the group's order
        Self(Arc::new(State {
            p256: SigningKey::from_slice(&seed).unwrap(),
            ed25519: ed25519_dalek::SigningKey::from_bytes(&seed),
            records: AtomicU64::new(0),
            unavailable: AtomicU32::new(0),
            cuts: AtomicU32::new(0),
            seen: Mutex::new(Vec::new()),
            keys: keys::Kept::default(),
            transfer: transfer::Kept::new(),
            admin: admin::Kept::default(),
        }))
    }

    /// The next so many requests find the token down.
    pub(crate) fn fail(&self, requests: u32) {
        self.0.unavailable.store(requests, Ordering::Relaxed);
    }

    /// The next so many streams end after ten answers.
    pub(crate) fn cut_streams(&self, streams: u32) {
        self.0.cuts.store(streams, Ordering::Relaxed);
    }

    /// Request ids in the order they came.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.0.seen.lock().unwrap().clone()
    }

    /// How many signatures were made.
    pub(crate) fn signatures(&self) -> u64 {
        self.0.records.load(Ordering::Relaxed)
    }

    /// All services; health says `status`.
    pub(crate) async fn routes(&self, status: ServingStatus) -> Routes {
        let (reporter, health) = tonic_health::server::health_reporter();
        reporter.set_service_status("", status).await;
        Routes::new(SigningServiceServer::new(self.clone()))
            .add_service(KeyServiceServer::new(self.clone()))
            .add_service(CryptoServiceServer::new(self.clone()))
            .add_service(AdminServiceServer::new(self.clone()))
            .add_service(AuditServiceServer::new(self.clone()))
            .add_service(health)
    }

    fn answer(&self, request: &SignRequest) -> Result<SignResponse, Status> {
        self.0.seen.lock().unwrap().push(request.request_id.clone());
        let down = self.0.unavailable.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if down.is_ok() {
            return Err(refuse(Code::Unavailable, "TOKEN_UNAVAILABLE", true));
        }
        let (signature, input) = match (&request.input, request.name.as_str()) {
            (Some(sign_request::Input::Digest(digest)), PEER0) => {
                let signature: DerSignature = self.0.p256.sign_prehash(&digest.value).unwrap();
                (signature.as_bytes().to_vec(), &digest.value)
            }
            (Some(sign_request::Input::Message(message)), ED25519) => {
                use ed25519_dalek::Signer as _;
                (self.0.ed25519.sign(message).to_bytes().to_vec(), message)
            }
            (_, PEER0 | ED25519) => return Err(refuse(Code::InvalidArgument, "WRONG_DIGEST", false)),
            _ => return Err(refuse(Code::PermissionDenied, "DENIED", false)),
        };
        Ok(SignResponse {
            name: format!("{}/versions/1", request.name),
            signature_crc32c: crc32c::crc32c(&signature),
            signature,
            verified_input_crc32c: request.input_crc32c == Some(crc32c::crc32c(input)),
            request_id: request.request_id.clone(),
            record_index: self.0.records.fetch_add(1, Ordering::Relaxed),
            replayed: false,
            recovery_id: None,
            receipt: String::new(),
        })
    }
}

fn refuse(code: Code, reason: &str, retryable: bool) -> Status {
    let details = ErrorDetails::with_error_info(reason, "chancery", [("retryable".to_owned(), retryable.to_string())]);
    Status::with_error_details(code, "refused for a test", details)
}

#[tonic::async_trait]
impl SigningService for Service {
    type SignStreamStream = ReceiverStream<Result<SignStreamResponse, Status>>;

    async fn sign(&self, request: Request<SignRequest>) -> Result<Response<SignResponse>, Status> {
        self.answer(request.get_ref()).map(Response::new)
    }

    async fn sign_stream(
        &self,
        request: Request<Streaming<SignRequest>>,
    ) -> Result<Response<Self::SignStreamStream>, Status> {
        let (sender, answers) = mpsc::channel(16);
        let (service, mut requests) = (self.clone(), request.into_inner());
        let cut = self.0.cuts.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        tokio::spawn(async move {
            let mut answered = 0;
            while let Some(Ok(request)) = requests.next().await {
                if cut && answered == 10 {
                    return;
                }
                let result = match service.answer(&request) {
                    Ok(response) => sign_stream_response::Result::Response(response),
                    // The details of a status are the google.rpc.Status itself, encoded.
                    Err(status) => sign_stream_response::Result::Error(
                        chancery_api::rpc::Status::decode(status.details()).unwrap(),
                    ),
                };
                let answer = SignStreamResponse { request_id: request.request_id, result: Some(result) };
                if sender.send(Ok(answer)).await.is_err() {
                    return;
                }
                answered += 1;
            }
        });
        Ok(Response::new(ReceiverStream::new(answers)))
    }

    async fn verify(&self, request: Request<VerifyRequest>) -> Result<Response<VerifyResponse>, Status> {
        let request = request.into_inner();
        // Valid is what this service would sign: its signatures are deterministic (RFC 6979).
        let again = SignRequest {
            name: request.name.clone(),
            input: request.input.map(|input| match input {
                chancery_api::v1::verify_request::Input::Digest(digest) => sign_request::Input::Digest(digest),
                chancery_api::v1::verify_request::Input::Message(message) => sign_request::Input::Message(message),
            }),
            ..SignRequest::default()
        };
        let valid = self.answer(&again)?.signature == request.signature;
        Ok(Response::new(VerifyResponse { valid, name: format!("{}/versions/1", request.name) }))
    }

    async fn get_public_key(&self, request: Request<GetPublicKeyRequest>) -> Result<Response<PublicKey>, Status> {
        let name = request.into_inner().name;
        let (algorithm, der) = match name.as_str() {
            PEER0 => (Algorithm::EcP256, self.0.p256.verifying_key().to_public_key_der().unwrap()),
            ED25519 => (Algorithm::Ed25519, self.0.ed25519.verifying_key().to_public_key_der().unwrap()),
            _ => return Err(refuse(Code::PermissionDenied, "DENIED", false)),
        };
        Ok(Response::new(PublicKey {
            name: format!("{name}/versions/1"),
            algorithm: algorithm.into(),
            pem: der.to_pem("PUBLIC KEY", Default::default()).unwrap(),
            der: der.as_bytes().to_vec(),
            state: KeyState::Active.into(),
            ..PublicKey::default()
        }))
    }
}

#[tonic::async_trait]
impl AuditService for Service {
    /// Pages of at most 100, as a service may shorten them.
    async fn list_records(
        &self,
        request: Request<ListRecordsRequest>,
    ) -> Result<Response<ListRecordsResponse>, Status> {
        let request = request.into_inner();
        let first: u64 = request.page_token.parse().unwrap_or(0);
        let end = RECORDS.min(first + 100.min(request.page_size as u64));
        let record = |index| Record {
            index,
            kind: Kind::Denial.into(),
            resource: format!("{}/keys/\u{1b}[2J", request.parent),
            ..Record::default()
        };
        Ok(Response::new(ListRecordsResponse {
            records: (first..end).map(record).collect(),
            next_page_token: if end < RECORDS { end.to_string() } else { String::new() },
            ..ListRecordsResponse::default()
        }))
    }

    async fn get_checkpoint(&self, _: Request<GetCheckpointRequest>) -> Result<Response<Checkpoint>, Status> {
        Ok(Response::new(Checkpoint {
            note: "a note\n".into(),
            size: RECORDS,
            root: vec![0xab; 32],
            ..Checkpoint::default()
        }))
    }

    type TailRecordsStream = tokio_stream::Pending<Result<chancery_api::v1::TailRecordsResponse, Status>>;

    async fn tail_records(
        &self,
        _: Request<chancery_api::v1::TailRecordsRequest>,
    ) -> Result<Response<Self::TailRecordsStream>, Status> {
        Ok(Response::new(tokio_stream::pending()))
    }

    async fn get_inclusion_proof(
        &self,
        _: Request<chancery_api::v1::GetInclusionProofRequest>,
    ) -> Result<Response<chancery_api::v1::InclusionProof>, Status> {
        Err(refuse(Code::NotFound, "NOT_FOUND", false))
    }

    async fn get_consistency_proof(
        &self,
        _: Request<chancery_api::v1::GetConsistencyProofRequest>,
    ) -> Result<Response<chancery_api::v1::ConsistencyProof>, Status> {
        Err(refuse(Code::NotFound, "NOT_FOUND", false))
    }
}

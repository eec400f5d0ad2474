//! SigningService.

use super::{
    Parts, convert, peer,
    status::{rpc_status, status},
};
use crate::{
    access::{Peer, STREAMS_PER_CONNECTION, Target},
    admission::Admission,
    audit::Receipts,
    crypto::{Form, KeyForms, PublicKey},
    error::Error,
    model::{Action, KeyOrVersionName, RequestId},
    signing::{self, Answer, Signing},
};
use chancery_api::{
    reasons,
    v1::{
        self, sign_request, sign_stream_response::Result as StreamResult, signing_service_server::SigningService,
        verify_request,
    },
};
use der::{EncodePem, pem::LineEnding};
use futures_util::{Stream, StreamExt};
use std::{pin::Pin, sync::Arc, time::Duration};
use tonic::{Request, Response, Status, Streaming};

/// Requests of one stream worked on at a time.
const STREAM_IN_FLIGHT: usize = 256;
/// How long a signature waits for its receipt; then it goes out without.
const RECEIPT_PATIENCE: Duration = Duration::from_secs(1);

pub(super) struct Service {
    signing: Arc<Signing>,
    admission: Arc<Admission>,
    receipts: Arc<Receipts>,
}

/// A parsed request, whether its CRC was checked, and whether a receipt is wanted.
struct Parsed {
    request: signing::Request,
    verified_crc: bool,
    receipt: bool,
}

fn parse(mut wire: v1::SignRequest) -> Result<Parsed, Error> {
    let request_id = convert::request_id(&wire.request_id)?;
    wire.request_id.clear();
    // It says when, not what: a retry may be in more of a hurry.
    let batch = convert::batch(std::mem::take(&mut wire.priority))?;
    // Nor is a receipt a part of it.
    let receipt = std::mem::take(&mut wire.receipt);
    let hash = convert::content_hash(&wire);
    let verified_crc = match (&wire.input, wire.input_crc32c) {
        (Some(input), Some(expected)) => {
            let bytes = match input {
                sign_request::Input::Digest(digest) => &digest.value,
                sign_request::Input::Message(message) => message,
            };
            if crc32c::crc32c(bytes) != expected {
                return Err(Error::Rejected {
                    reason: reasons::CHECKSUM_MISMATCH,
                    field: "input_crc32c",
                    message: "the CRC-32C does not match the input: it was damaged on the way; send it again".into(),
                });
            }
            true
        }
        _ => false,
    };
    let (digest, message) = match wire.input {
        Some(sign_request::Input::Digest(digest)) => (Some(digest), None),
        Some(sign_request::Input::Message(message)) => (None, Some(message)),
        None => (None, None),
    };
    let request = signing::Request {
        key: convert::key_name(&wire.name)?,
        input: convert::signable(digest, message, wire.message_hash, wire.sm2_user_id)?,
        format: convert::format(wire.format)?,
        low_s: wire.low_s,
        padding: convert::padding(wire.padding)?,
        batch,
        id: RequestId { id: request_id, hash },
    };
    Ok(Parsed { request, verified_crc, receipt })
}

async fn sign(
    signing: &Arc<Signing>,
    admission: &Admission,
    receipts: &Receipts,
    peer: &Arc<Peer>,
    wire: v1::SignRequest,
) -> Result<v1::SignResponse, Error> {
    let parsed = match parse(wire) {
        Ok(parsed) => parsed,
        Err(error) => {
            let caller = admission.identify(peer, Action::Sign).await?;
            return Err(admission.rejected(&caller, error).await);
        }
    };
    let request_id = parsed.request.id.id.clone();
    let Answer { released, replayed } = signing.sign(peer, parsed.request).await?;
    let receipt = if parsed.receipt { receipt(receipts, released.index).await } else { String::new() };
    Ok(v1::SignResponse {
        name: released.version.to_string(),
        signature_crc32c: crc32c::crc32c(&released.signature),
        signature: released.signature,
        verified_input_crc32c: parsed.verified_crc,
        request_id,
        record_index: released.index,
        replayed,
        recovery_id: released.recovery_id.map(u32::from),
        receipt,
    })
}

/// The receipt of the record that holds the signature: of a retry, the first answer's. Without one the signature is as good.
async fn receipt(receipts: &Receipts, record: u64) -> String {
    match receipts.receipt(record, RECEIPT_PATIENCE).await {
        Ok(receipt) => receipt,
        Err(error) => {
            tracing::warn!(%error, "a signature goes out without its receipt");
            String::new()
        }
    }
}

impl Service {
    pub(super) fn new(parts: &Parts) -> Self {
        Self {
            signing: Arc::clone(&parts.signing),
            admission: Arc::clone(&parts.admission),
            receipts: Arc::clone(&parts.receipts),
        }
    }

    async fn check(&self, peer: &Arc<Peer>, wire: v1::VerifyRequest) -> Result<v1::VerifyResponse, Error> {
        let key: KeyOrVersionName = convert::key_name(&wire.name)?;
        let (digest, message) = match wire.input {
            Some(verify_request::Input::Digest(digest)) => (Some(digest), None),
            Some(verify_request::Input::Message(message)) => (None, Some(message)),
            None => (None, None),
        };
        let input = convert::signable(digest, message, wire.message_hash, wire.sm2_user_id)?;
        let (format, padding) = (convert::format(wire.format)?, convert::padding(wire.padding)?);
        let grant = self.admission.admit(peer, Action::Verify, Target::Key(key)).await?;
        let version = grant.version()?;
        let key = signing::public_key(version)?;
        let input = input.fit(key, padding).map_err(|error| signing::wrong_input(&error))?;
        let form = Form::new(key.algorithm(), format, None).map_err(|error| signing::wrong_form(&error))?;
        let signature = form.read(key, &input, &wire.signature);
        let valid = signature.is_some_and(|signature| key.verify(&input, &signature));
        Ok(v1::VerifyResponse { valid, name: version.row.name.to_string() })
    }

    async fn public_key(&self, peer: &Arc<Peer>, wire: v1::GetPublicKeyRequest) -> Result<v1::PublicKey, Error> {
        let target = Target::Key(convert::key_name(&wire.name)?);
        let grant = self.admission.admit(peer, Action::GetPublicKey, target).await?;
        let version = grant.version()?;
        let key: &PublicKey = signing::public_key(version)?;
        let info: spki::SubjectPublicKeyInfoRef<'_> = der::Decode::from_der(key.spki()).map_err(Error::internal)?;
        let KeyForms { raw, compressed, jwk, fabric_ski, x509_ski, ethereum_address } = KeyForms::of(key);
        Ok(v1::PublicKey {
            name: version.row.name.to_string(),
            algorithm: convert::wire_algorithm(key.algorithm()).into(),
            pem: info.to_pem(LineEnding::LF).map_err(Error::internal)?,
            der: key.spki().to_vec(),
            state: convert::wire_state(version.row.state).into(),
            raw,
            compressed,
            jwk,
            fabric_ski: fabric_ski.to_vec(),
            x509_ski,
            ethereum_address,
        })
    }
}

#[tonic::async_trait]
impl SigningService for Service {
    async fn sign(&self, request: Request<v1::SignRequest>) -> Result<Response<v1::SignResponse>, Status> {
        let peer = peer(&request)?;
        let answer = sign(&self.signing, &self.admission, &self.receipts, &peer, request.into_inner()).await;
        answer.map(Response::new).map_err(|error| status(&error))
    }

    type SignStreamStream = Pin<Box<dyn Stream<Item = Result<v1::SignStreamResponse, Status>> + Send>>;

    async fn sign_stream(
        &self,
        request: Request<Streaming<v1::SignRequest>>,
    ) -> Result<Response<Self::SignStreamStream>, Status> {
        let peer = peer(&request)?;
        let open = peer.open_stream().ok_or_else(|| {
            Status::resource_exhausted(format!("at most {STREAMS_PER_CONNECTION} SignStream calls per connection"))
        })?;
        let (signing, admission) = (Arc::clone(&self.signing), Arc::clone(&self.admission));
        let receipts = Arc::clone(&self.receipts);
        let payer = Arc::clone(&peer);
        // The next message is not read before this one has its share of the connection's memory.
        let received = request.into_inner().then(move |received| {
            let peer = Arc::clone(&payer);
            async move {
                let wire: v1::SignRequest = received?;
                let share = peer.share(prost::Message::encoded_len(&wire)).await;
                Ok((wire, share))
            }
        });
        let answers = received.map(move |received: Result<_, Status>| {
            let (signing, admission, peer) = (Arc::clone(&signing), Arc::clone(&admission), Arc::clone(&peer));
            let receipts = Arc::clone(&receipts);
            let _open = &open;
            async move {
                let (wire, _share) = received?;
                let request_id = wire.request_id.clone();
                let result = match sign(&signing, &admission, &receipts, &peer, wire).await {
                    Ok(response) => StreamResult::Response(response),
                    Err(error) => StreamResult::Error(rpc_status(&error)),
                };
                Ok(v1::SignStreamResponse { request_id, result: Some(result) })
            }
        });
        Ok(Response::new(Box::pin(answers.buffer_unordered(STREAM_IN_FLIGHT))))
    }

    async fn verify(&self, request: Request<v1::VerifyRequest>) -> Result<Response<v1::VerifyResponse>, Status> {
        let peer = peer(&request)?;
        let answer = self.check(&peer, request.into_inner()).await;
        answer.map(Response::new).map_err(|error| status(&error))
    }

    async fn get_public_key(
        &self,
        request: Request<v1::GetPublicKeyRequest>,
    ) -> Result<Response<v1::PublicKey>, Status> {
        let peer = peer(&request)?;
        let answer = self.public_key(&peer, request.into_inner()).await;
        answer.map(Response::new).map_err(|error| status(&error))
    }
}

//! KeyService's methods about keys on their way: import, attestation, wrapping anew.

use super::{convert, key_terms::parse_new, peer, status::status, uncancelled};
use crate::{
    enclave::{Statement, TransportKey},
    error::Error,
    keys::{Keys, Rewrapped, Sealed},
    model::{OrganizationName, RequestId},
};
use chancery_api::v1;
use futures_util::Stream;
use std::{pin::Pin, sync::Arc};
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Request, Response, Status};

/// What a method that tells of its progress answers with.
pub(super) type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

fn attestation(said: Statement) -> v1::Attestation {
    v1::Attestation { statement: said.text, signature: said.signature }
}

/// A transport key as callers see it.
pub(super) fn import_job(key: TransportKey, deployment: &str) -> v1::ImportJob {
    let nanos = i64::try_from(key.expires).unwrap_or(i64::MAX).saturating_mul(1_000_000);
    v1::ImportJob {
        id: key.id,
        public_key: key.public_key,
        expire_time: convert::wire_time(nanos),
        attestation: Some(attestation(key.statement)),
        deployment: deployment.to_owned(),
    }
}

pub(super) async fn attest(
    keys: &Keys,
    request: Request<v1::AttestKeyVersionRequest>,
) -> Result<Response<v1::Attestation>, Status> {
    let peer = peer(&request)?;
    let wire = request.into_inner();
    let work = async { keys.attest(&peer, convert::key_name(&wire.name)?, &wire.nonce).await };
    work.await.map(|said| Response::new(attestation(said))).map_err(|error| status(&error))
}

pub(super) async fn create_import_job(
    keys: &Keys,
    request: Request<v1::CreateImportJobRequest>,
) -> Result<Response<v1::ImportJob>, Status> {
    let peer = peer(&request)?;
    let work = async {
        let organization = convert::name("parent", &request.get_ref().parent)?;
        keys.create_import_job(&peer, organization).await
    };
    let key = work.await.map_err(|error| status(&error))?;
    Ok(Response::new(import_job(key, keys.deployment())))
}

pub(super) async fn import_key(
    keys: Arc<Keys>,
    request: Request<v1::ImportKeyRequest>,
) -> Result<Response<v1::Key>, Status> {
    let peer = peer(&request)?;
    let mut wire = request.into_inner();
    let mut parse = || {
        let id = convert::request_id(&wire.request_id)?;
        wire.request_id.clear();
        let hash = convert::content_hash(&wire);
        let (job, key) = (std::mem::take(&mut wire.import_job), std::mem::take(&mut wire.sealed_key));
        let sealed = Sealed { job, key, version: wire.version, terms: convert::content_hash(&wire) };
        let new = parse_new(&wire.parent, &wire.key_id, wire.key.take())?;
        Ok((new, sealed, RequestId { id, hash }))
    };
    let (new, sealed, id) = parse().map_err(|error: Error| status(&error))?;
    let entry = uncancelled(async move { keys.import(peer, new, sealed, id).await }).await?;
    Ok(Response::new(convert::wire_key(&entry, true)))
}

pub(super) async fn rewrap_keys(
    keys: Arc<Keys>,
    request: Request<v1::RewrapKeysRequest>,
) -> Result<Response<Answers<v1::RewrapKeysResponse>>, Status> {
    let peer = peer(&request)?;
    let mut wire = request.into_inner();
    let mut parse = || {
        let id = convert::request_id(&wire.request_id)?;
        wire.request_id.clear();
        let organization: OrganizationName = convert::name("parent", &wire.parent)?;
        let hash = convert::content_hash(&wire);
        Ok((organization, std::mem::take(&mut wire.confirm), RequestId { id, hash }))
    };
    let (organization, confirm, id) = parse().map_err(|error: Error| status(&error))?;
    let (answers, stream) = mpsc::unbounded_channel();
    // To its end, whether the caller listens or not.
    tokio::spawn(async move {
        let mut last = Rewrapped { done: 0, total: 0, generation: 0 };
        let progress = |at: Rewrapped| {
            last = at;
            let Rewrapped { done, total, generation } = at;
            let _ = answers.send(Ok(v1::RewrapKeysResponse { done, total, generation, finished: false }));
        };
        let result = keys.rewrap(peer, organization, &confirm, id, progress).await;
        let Rewrapped { done, .. } = last;
        let finished = |generation| v1::RewrapKeysResponse { done, total: done, generation, finished: true };
        let _ = answers.send(result.map(finished).map_err(|error| status(&error)));
    });
    Ok(Response::new(Box::pin(UnboundedReceiverStream::new(stream))))
}

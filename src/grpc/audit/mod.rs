//! AuditService.

mod following;
mod proofs;
mod records;

use super::{Parts, peer, status::status};
use crate::{
    admission::Admission,
    audit::{Checkpoints, Receipts},
    witnesses::Witnesses,
};
use chancery_api::v1::{self, audit_service_server::AuditService};
use std::sync::Arc;
use tokio::sync::watch;
use tonic::{Request, Response, Status};

pub(super) struct Service {
    admission: Arc<Admission>,
    checkpoints: Arc<Checkpoints>,
    receipts: Arc<Receipts>,
    witnesses: Arc<Witnesses>,
    /// True once the service stops.
    stopping: watch::Receiver<bool>,
}

impl Service {
    pub(super) fn new(parts: &Parts, stopping: watch::Receiver<bool>) -> Self {
        Self {
            admission: Arc::clone(&parts.admission),
            checkpoints: Arc::clone(&parts.checkpoints),
            receipts: Arc::clone(&parts.receipts),
            witnesses: Arc::clone(&parts.witnesses),
            stopping,
        }
    }
}

#[tonic::async_trait]
impl AuditService for Service {
    async fn list_records(
        &self,
        request: Request<v1::ListRecordsRequest>,
    ) -> Result<Response<v1::ListRecordsResponse>, Status> {
        let peer = peer(&request)?;
        let answer = self.list(&peer, request.into_inner()).await;
        answer.map(Response::new).map_err(|error| status(&error))
    }

    type TailRecordsStream = records::Tail;

    async fn tail_records(
        &self,
        request: Request<v1::TailRecordsRequest>,
    ) -> Result<Response<Self::TailRecordsStream>, Status> {
        let peer = peer(&request)?;
        self.tail(&peer, request.into_inner()).await.map(Response::new)
    }

    async fn get_checkpoint(
        &self,
        request: Request<v1::GetCheckpointRequest>,
    ) -> Result<Response<v1::Checkpoint>, Status> {
        let peer = peer(&request)?;
        self.checkpoint(&peer).await.map(Response::new).map_err(|error| status(&error))
    }

    async fn get_inclusion_proof(
        &self,
        request: Request<v1::GetInclusionProofRequest>,
    ) -> Result<Response<v1::InclusionProof>, Status> {
        let peer = peer(&request)?;
        let answer = self.inclusion(&peer, request.into_inner()).await;
        answer.map(Response::new).map_err(|error| status(&error))
    }

    async fn get_consistency_proof(
        &self,
        request: Request<v1::GetConsistencyProofRequest>,
    ) -> Result<Response<v1::ConsistencyProof>, Status> {
        let peer = peer(&request)?;
        let answer = self.consistency(&peer, request.into_inner()).await;
        answer.map(Response::new).map_err(|error| status(&error))
    }
}

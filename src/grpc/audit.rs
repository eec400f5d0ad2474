//! AuditService.

use super::{Parts, convert, peer, status::status};
use crate::{
    access::{Peer, Target},
    admission::Admission,
    audit::{Checkpoints, Query},
    error::Error,
    model::{Action, KeyOrVersionName, OrganizationName, PrincipalName, RequestId},
    policy::Context,
};
use chancery_api::v1::{self, audit_service_server::AuditService};
use std::sync::Arc;
use tonic::{Request, Response, Status};

pub(super) struct Service {
    admission: Arc<Admission>,
    checkpoints: Arc<Checkpoints>,
}

fn query(wire: &v1::ListRecordsRequest, organization: &OrganizationName) -> Result<Query, Error> {
    let from = match wire.page_token.as_str() {
        "" => 0,
        token => token.parse().map_err(|_| Error::invalid("page_token", "not one that was given"))?,
    };
    let key = match wire.key.as_str() {
        "" => None,
        text => Some(convert::name::<KeyOrVersionName, _>("key", text)?.to_string()),
    };
    let principal = match wire.principal.as_str() {
        "" => None,
        text => {
            let name = PrincipalName::parse_lenient(text).map_err(|error| Error::invalid("principal", error))?;
            Some((name.organization().id().to_owned(), name.id().to_owned()))
        }
    };
    let since = wire
        .since
        .as_ref()
        .map(|time| time.seconds.saturating_mul(1_000_000_000).saturating_add(i64::from(time.nanos)));
    let limit = convert::page_size(wire.page_size)?;
    Ok(Query { organization: organization.id().to_owned(), from, limit, key, principal, since })
}

impl Service {
    pub(super) fn new(parts: &Parts) -> Self {
        Self { admission: Arc::clone(&parts.admission), checkpoints: Arc::clone(&parts.checkpoints) }
    }

    async fn list(&self, peer: &Arc<Peer>, wire: v1::ListRecordsRequest) -> Result<v1::ListRecordsResponse, Error> {
        let organization: OrganizationName = convert::name("parent", &wire.parent)?;
        let query = query(&wire, &organization)?;
        let _grant = self.admission.admit(peer, Action::ListRecords, Target::Log(organization)).await?;
        let page = self.admission.audit().page(query).await.map_err(Error::internal)?;
        Ok(v1::ListRecordsResponse {
            records: page.records,
            next_page_token: page.next.map(|next| next.to_string()).unwrap_or_default(),
        })
    }

    async fn checkpoint(&self, peer: &Arc<Peer>) -> Result<v1::Checkpoint, Error> {
        let action = Action::GetCheckpoint;
        let caller = self.admission.identify(peer, action).await?;
        let target = Target::Organization(caller.principal().name.organization().clone());
        let request = RequestId::default();
        let _grant = self.admission.authorize(&caller, action, target, Context::new(), &request).await?;
        let (checkpoint, note) = self.checkpoints.newest();
        Ok(v1::Checkpoint { note, size: checkpoint.size, root: checkpoint.root.to_vec() })
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

    async fn get_checkpoint(
        &self,
        request: Request<v1::GetCheckpointRequest>,
    ) -> Result<Response<v1::Checkpoint>, Status> {
        let peer = peer(&request)?;
        self.checkpoint(&peer).await.map(Response::new).map_err(|error| status(&error))
    }
}

//! Approvals by a second officer, and who uses a key.

use super::super::{Parts, convert, peer, status::status, uncancelled};
use crate::{
    approvals::{ApprovalName, Approvals, Listing},
    error::Error,
    model::{Approval, KeyOrVersionName, RequestId},
};
use chancery_api::v1;
use std::sync::Arc;
use tonic::{Request, Response, Status};

fn wire(row: &Approval, approvals: &Approvals) -> v1::Approval {
    v1::Approval {
        name: row.name(),
        action: row.action.clone(),
        resource: row.resource.clone(),
        summary: row.summary.clone(),
        requester: row.requester.to_string(),
        create_time: convert::wire_time(row.create_time),
        expire_time: convert::wire_time(row.expire_time),
        ready_time: convert::wire_time(approvals.ready_time(row)),
        approver: row.approved.as_ref().map(|(approver, _)| approver.to_string()).unwrap_or_default(),
        approve_time: row.approved.as_ref().and_then(|(_, at)| convert::wire_time(*at)),
        closed: row.closed,
    }
}

/// `organizations/{organization}/approvals/{approval}`
fn parse_name(text: &str) -> Result<ApprovalName, Error> {
    let malformed = || Error::invalid("name", format!("`{text}` is no organizations/ORG/approvals/ID"));
    let (organization, id) = text.split_once("/approvals/").ok_or_else(malformed)?;
    // Anything else names no approval, and would be told as it was sent.
    if id.is_empty() || id.len() > 64 || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return Err(malformed());
    }
    Ok(ApprovalName { organization: convert::name("name", organization)?, id: id.to_owned() })
}

pub(super) async fn list_approvals(
    parts: &Parts,
    request: Request<v1::ListApprovalsRequest>,
) -> Result<Response<v1::ListApprovalsResponse>, Status> {
    let peer = peer(&request)?;
    let asked = request.into_inner();
    let work = async {
        let size = convert::page_size(asked.page_size)?;
        let listing = Listing {
            organization: convert::name("parent", &asked.parent)?,
            all: asked.all,
            after: Some(asked.page_token).filter(|token| !token.is_empty()),
            limit: size + 1,
        };
        let mut found = parts.approvals.list(&peer, listing).await?;
        let more = found.len() > size;
        found.truncate(size);
        let next_page_token = found.last().filter(|_| more).map(|last| last.id.clone()).unwrap_or_default();
        let approvals = found.iter().map(|row| wire(row, &parts.approvals)).collect();
        Ok(v1::ListApprovalsResponse { approvals, next_page_token })
    };
    work.await.map(Response::new).map_err(|error: Error| status(&error))
}

/// Methods whose requests name an approval and say nothing else.
macro_rules! named {
    ($($method:ident($request:ident) as $decision:ident),+ $(,)?) => {$(
        pub(super) async fn $method(
            parts: &Parts,
            request: Request<v1::$request>,
        ) -> Result<Response<v1::Approval>, Status> {
            let peer = peer(&request)?;
            let mut wired = request.into_inner();
            let parse = || {
                let id = convert::request_id(&wired.request_id)?;
                wired.request_id.clear();
                Ok((parse_name(&wired.name)?, RequestId { id, hash: convert::content_hash(&wired) }))
            };
            let (name, id) = { parse }().map_err(|error: Error| status(&error))?;
            let approvals = Arc::clone(&parts.approvals);
            let row = uncancelled(async move { approvals.$decision(peer, name, id).await }).await?;
            Ok(Response::new(wire(&row, &parts.approvals)))
        }
    )+};
}

named! {
    approve_operation(ApproveOperationRequest) as approve,
    cancel_approval(CancelApprovalRequest) as cancel,
}

pub(super) async fn get_key_usage(
    parts: &Parts,
    request: Request<v1::GetKeyUsageRequest>,
) -> Result<Response<v1::KeyUsage>, Status> {
    let peer = peer(&request)?;
    let asked = request.into_inner();
    let work = async {
        let name: KeyOrVersionName = convert::key_name(&asked.name)?;
        let days = u32::try_from(asked.days).map_err(|_| Error::invalid("days", "not negative"))?;
        let usage = parts.keys.usage(&peer, name, days).await?;
        let user = |user: crate::audit::User| v1::KeyUser {
            principal: user.principal,
            uses: user.uses,
            last_use: convert::wire_time(user.last_use),
            versions: user.versions.into_iter().collect(),
        };
        Ok(v1::KeyUsage {
            name: asked.name,
            users: usage.users.into_iter().map(user).collect(),
            held_by: usage.held_by,
            default_destruction_wait: convert::wire_duration(usage.default_destruction_wait),
            minimum_destruction_wait: convert::wire_duration(usage.minimum_destruction_wait),
            waiting_period: parts.approvals.waiting_period().and_then(convert::wire_duration),
        })
    };
    work.await.map(Response::new).map_err(|error: Error| status(&error))
}

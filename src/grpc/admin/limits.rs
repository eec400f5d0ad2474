//! Limits, and the token's status.

use super::super::{Parts, convert, peer, status::status, uncancelled};
use crate::{
    access::Target,
    error::Error,
    limiting::Listing,
    limits::Uses,
    model::{Action, Limit, RequestId},
};
use chancery_api::v1;
use std::sync::Arc;
use tonic::{Request, Response, Status};

fn parse(mut wire: v1::SetLimitRequest) -> Result<(Limit, RequestId), Error> {
    let id = convert::request_id(&wire.request_id)?;
    wire.request_id.clear();
    let hash = convert::content_hash(&wire);
    let limit = wire.limit.ok_or_else(|| Error::invalid("limit", "required"))?;
    if limit.per_second == Some(0) {
        return Err(Error::invalid("limit.per_second", "at least 1; to stop someone, suspend it"));
    }
    let limit = Limit {
        subject: convert::name("limit.subject", &limit.subject)?,
        per_second: limit.per_second,
        per_day: limit.per_day,
        total: limit.total,
        keys: limit.keys,
    };
    Ok((limit, RequestId { id, hash }))
}

fn parse_listing(wire: &v1::ListLimitsRequest) -> Result<Listing, Error> {
    let after = match wire.page_token.as_str() {
        "" => None,
        token => Some(convert::name("page_token", token)?),
    };
    let organization = convert::name("parent", &wire.parent)?;
    Ok(Listing { organization, after, limit: convert::page_size(wire.page_size)? })
}

fn wire_limit((limit, uses): (Limit, Uses)) -> v1::Limit {
    v1::Limit {
        subject: limit.subject.to_string(),
        per_second: limit.per_second,
        per_day: limit.per_day,
        total: limit.total,
        keys: limit.keys,
        used_today: uses.today,
        used_total: uses.total,
    }
}

pub(super) async fn set_limit(
    parts: &Parts,
    request: Request<v1::SetLimitRequest>,
) -> Result<Response<v1::Limit>, Status> {
    let peer = peer(&request)?;
    let (limit, id) = parse(request.into_inner()).map_err(|error| status(&error))?;
    let limiting = Arc::clone(&parts.limiting);
    let set = uncancelled(async move { limiting.set(peer, limit, id).await }).await?;
    Ok(Response::new(wire_limit(set)))
}

pub(super) async fn list_limits(
    parts: &Parts,
    request: Request<v1::ListLimitsRequest>,
) -> Result<Response<v1::ListLimitsResponse>, Status> {
    let peer = peer(&request)?;
    let listing = parse_listing(request.get_ref()).map_err(|error| status(&error))?;
    let (limits, next) = parts.limiting.list(&peer, listing).await.map_err(|error| status(&error))?;
    Ok(Response::new(v1::ListLimitsResponse {
        limits: limits.into_iter().map(wire_limit).collect(),
        next_page_token: next.map(|subject| subject.to_string()).unwrap_or_default(),
    }))
}

pub(super) async fn get_token_status(
    parts: &Parts,
    request: Request<v1::GetTokenStatusRequest>,
) -> Result<Response<v1::TokenStatus>, Status> {
    let peer = peer(&request)?;
    let admitted = parts.admission.admit(&peer, Action::GetTokenStatus, Target::Deployment).await;
    let _granted = admitted.map_err(|error| status(&error))?;
    let audit_log_problem = parts.admission.audit().problem().unwrap_or_default();
    let Some(opened) = parts.enclave.opened() else {
        return Ok(Response::new(v1::TokenStatus { audit_log_problem, ..v1::TokenStatus::default() }));
    };
    let token = opened.token.clone();
    Ok(Response::new(v1::TokenStatus {
        open: true,
        label: token.label,
        model: token.model,
        serial: token.serial,
        manufacturer: token.manufacturer,
        library_version: opened.library.clone(),
        audit_log_problem,
    }))
}

//! Trust anchors and their revocation lists.

use super::super::{Parts, convert, peer, status::status, uncancelled};
use crate::{
    certificates::CertificateList,
    error::Error,
    identity::UnixTime,
    model::{NamePattern, OrganizationName, RequestId},
    registry::{AnchorName, AnchorView, ListIssuer, NewAnchor},
    store::anchor_name,
};
use chancery_api::v1;
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// The request's id, with the hash of everything else in it.
macro_rules! request_id {
    ($wire:ident) => {{
        let id = convert::request_id(&$wire.request_id)?;
        $wire.request_id.clear();
        RequestId { id, hash: convert::content_hash(&$wire) }
    }};
}

pub(super) async fn add_trust_anchor(
    parts: &Parts,
    request: Request<v1::AddTrustAnchorRequest>,
) -> Result<Response<v1::TrustAnchor>, Status> {
    let peer = peer(&request)?;
    let mut wire = request.into_inner();
    let parse = || {
        let id = request_id!(wire);
        let organization: OrganizationName = convert::name("parent", &wire.parent)?;
        let anchor = wire.anchor.take().ok_or_else(|| Error::invalid("anchor", "required"))?;
        Ok((organization, new_anchor(anchor)?, id))
    };
    let (organization, anchor, id) = { parse }().map_err(|error: Error| status(&error))?;
    let v1::AddTrustAnchorRequest { proof, confirm, .. } = wire;
    let registrar = Arc::clone(&parts.registrar);
    let work = async move { registrar.add_anchor(peer, organization, anchor, proof, confirm, id).await };
    Ok(Response::new(wire_anchor(uncancelled(work).await?)))
}

pub(super) async fn list_trust_anchors(
    parts: &Parts,
    request: Request<v1::ListTrustAnchorsRequest>,
) -> Result<Response<v1::ListTrustAnchorsResponse>, Status> {
    let peer = peer(&request)?;
    let wire = request.into_inner();
    let work = async {
        let organization: OrganizationName = convert::name("parent", &wire.parent)?;
        let limit = convert::page_size(wire.page_size)?;
        let (views, more) = parts.registrar.anchors(&peer, &organization, &wire.page_token, limit).await?;
        Ok((views, more, parts.registrar.proof_text(&organization)))
    };
    let (views, more, proof_text) = work.await.map_err(|error: Error| status(&error))?;
    let trust_anchors: Vec<_> = views.into_iter().map(wire_anchor).collect();
    let last = trust_anchors.last().and_then(|anchor| anchor.name.rsplit('/').next());
    let next_page_token = last.filter(|_| more).map(str::to_owned).unwrap_or_default();
    Ok(Response::new(v1::ListTrustAnchorsResponse { next_page_token, trust_anchors, proof_text }))
}

pub(super) async fn update_trust_anchor(
    parts: &Parts,
    request: Request<v1::UpdateTrustAnchorRequest>,
) -> Result<Response<v1::TrustAnchor>, Status> {
    let peer = peer(&request)?;
    let mut wire = request.into_inner();
    let parse = || {
        let id = request_id!(wire);
        let name: AnchorName = convert::name("name", &wire.name)?;
        let patterns = std::mem::take(&mut wire.patterns).into_iter().map(pattern).collect::<Result<Vec<_>, _>>()?;
        Ok((name, patterns, id))
    };
    let (name, patterns, id) = { parse }().map_err(|error: Error| status(&error))?;
    let registrar = Arc::clone(&parts.registrar);
    let work = async move { registrar.update_anchor(peer, name, patterns, wire.confirm, id).await };
    Ok(Response::new(wire_anchor(uncancelled(work).await?)))
}

pub(super) async fn remove_trust_anchor(
    parts: &Parts,
    request: Request<v1::RemoveTrustAnchorRequest>,
) -> Result<Response<v1::TrustAnchor>, Status> {
    let peer = peer(&request)?;
    let mut wire = request.into_inner();
    let parse = || {
        let id = request_id!(wire);
        Ok((convert::name::<AnchorName, _>("name", &wire.name)?, id))
    };
    let (name, id) = { parse }().map_err(|error: Error| status(&error))?;
    let registrar = Arc::clone(&parts.registrar);
    let work = async move { registrar.remove_anchor(peer, name, wire.confirm, id).await };
    Ok(Response::new(wire_anchor(uncancelled(work).await?)))
}

pub(super) async fn update_revocation_list(
    parts: &Parts,
    request: Request<v1::UpdateRevocationListRequest>,
) -> Result<Response<v1::TrustAnchor>, Status> {
    let peer = peer(&request)?;
    let mut wire = request.into_inner();
    let parse = || {
        let id = request_id!(wire);
        let issuer = match wire.name.parse::<OrganizationName>() {
            Ok(organization) => ListIssuer::Any(organization),
            Err(_) => ListIssuer::Anchor(convert::name("name", &wire.name)?),
        };
        Ok((issuer, id))
    };
    let (issuer, id) = { parse }().map_err(|error: Error| status(&error))?;
    let registrar = Arc::clone(&parts.registrar);
    let work = async move { registrar.update_revocation_list(peer, issuer, wire.crl, id).await };
    Ok(Response::new(wire_anchor(uncancelled(work).await?)))
}

/// A trust anchor to be registered.
pub(super) fn new_anchor(wire: v1::NewTrustAnchor) -> Result<NewAnchor, Error> {
    let patterns = wire.patterns.into_iter().map(pattern).collect::<Result<_, _>>()?;
    Ok(NewAnchor { certificate: wire.certificate, patterns })
}

fn pattern(wire: v1::NamePattern) -> Result<NamePattern, Error> {
    Ok(NamePattern { role: convert::name("patterns.role", &wire.role)?, pattern: wire.pattern })
}

fn wire_anchor(of: AnchorView) -> v1::TrustAnchor {
    let AnchorView { anchor, authority, list } = of;
    let pattern = |of: &NamePattern| v1::NamePattern { role: of.role.to_string(), pattern: of.pattern.clone() };
    v1::TrustAnchor {
        name: anchor_name(&anchor),
        patterns: anchor.patterns.iter().map(pattern).collect(),
        removed: anchor.removed,
        subject: authority.subject().to_string(),
        expire_time: seconds(*authority.validity().end()),
        revocation_list: list.as_deref().map(summary),
        certificate: anchor.certificate,
    }
}

fn summary(of: &CertificateList) -> v1::RevocationListSummary {
    v1::RevocationListSummary {
        number: of.number().to_string(),
        entries: of.entries() as u64,
        this_update: seconds(of.this_update()),
        next_update: seconds(of.next_update()),
        expired: UnixTime::now().as_secs() >= of.next_update(),
    }
}

fn seconds(since_the_epoch: u64) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp { seconds: i64::try_from(since_the_epoch).ok()?, nanos: 0 })
}

//! Organizations.

use super::{
    super::{Parts, convert, peer, status::status, uncancelled},
    anchors, principals,
};
use crate::{
    error::Error,
    model::{Organization, OrganizationName, RequestId, Role},
    registry::{NewOrganization, OrganizationUpdate},
};
use chancery_api::v1;
use std::sync::Arc;
use tonic::{Request, Response, Status};

pub(super) async fn create_organization(
    parts: &Parts,
    request: Request<v1::CreateOrganizationRequest>,
) -> Result<Response<v1::Organization>, Status> {
    let peer = peer(&request)?;
    let (new, id) = creation(request.into_inner()).map_err(|error| status(&error))?;
    let registrar = Arc::clone(&parts.registrar);
    let made = uncancelled(async move { registrar.create_organization(peer, new, id).await }).await?;
    Ok(Response::new(wire(made)))
}

fn creation(mut wire: v1::CreateOrganizationRequest) -> Result<(NewOrganization, RequestId), Error> {
    let id = convert::request_id(&wire.request_id)?;
    wire.request_id.clear();
    let request = RequestId { id, hash: convert::content_hash(&wire) };
    let name = OrganizationName::from_id(&wire.organization_id);
    let new = NewOrganization {
        name: name.map_err(|error| Error::invalid("organization_id", error))?,
        enrolling_roles: roles(&wire.enrolling_roles)?,
        anchors: wire.anchors.into_iter().map(anchors::new_anchor).collect::<Result<_, _>>()?,
        principals: wire.principals.into_iter().map(principals::new_principal).collect::<Result<_, _>>()?,
    };
    Ok((new, request))
}

pub(super) async fn get_organization(
    parts: &Parts,
    request: Request<v1::GetOrganizationRequest>,
) -> Result<Response<v1::Organization>, Status> {
    let peer = peer(&request)?;
    let name: OrganizationName = convert::name("name", &request.get_ref().name).map_err(|error| status(&error))?;
    let found = parts.registrar.organization(&peer, &name).await.map_err(|error| status(&error))?;
    Ok(Response::new(wire(found)))
}

pub(super) async fn list_organizations(
    parts: &Parts,
    request: Request<v1::ListOrganizationsRequest>,
) -> Result<Response<v1::ListOrganizationsResponse>, Status> {
    let peer = peer(&request)?;
    let wire = request.into_inner();
    let work = async {
        let limit = convert::page_size(wire.page_size)?;
        let after = match wire.page_token.as_str() {
            "" => None,
            token => Some(
                OrganizationName::from_id(token).map_err(|_| Error::invalid("page_token", "not one that was given"))?,
            ),
        };
        parts.registrar.organizations(&peer, after.as_ref(), limit).await
    };
    let (names, more) = work.await.map_err(|error| status(&error))?;
    Ok(Response::new(v1::ListOrganizationsResponse {
        next_page_token: names.last().filter(|_| more).map(|name| name.id().to_owned()).unwrap_or_default(),
        organizations: (names.into_iter())
            .map(|name| v1::Organization { name: name.to_string(), ..v1::Organization::default() })
            .collect(),
    }))
}

pub(super) async fn update_organization(
    parts: &Parts,
    request: Request<v1::UpdateOrganizationRequest>,
) -> Result<Response<v1::Organization>, Status> {
    let peer = peer(&request)?;
    let (update, id) = update(request.into_inner()).map_err(|error| status(&error))?;
    let registrar = Arc::clone(&parts.registrar);
    let updated = uncancelled(async move { registrar.update_organization(peer, update, id).await }).await?;
    Ok(Response::new(wire(updated)))
}

fn update(mut wire: v1::UpdateOrganizationRequest) -> Result<(OrganizationUpdate, RequestId), Error> {
    let id = convert::request_id(&wire.request_id)?;
    wire.request_id.clear();
    let request = RequestId { id, hash: convert::content_hash(&wire) };
    let update = OrganizationUpdate {
        name: convert::name("name", &wire.name)?,
        enrolling_roles: wire.enrolling_roles.map(|given| roles(&given.roles)).transpose()?,
        pin_strict: wire.pin_strict,
        accept_expired_crl: wire.accept_expired_crl,
        confirm: wire.confirm,
    };
    Ok((update, request))
}

fn roles(words: &[String]) -> Result<Vec<Role>, Error> {
    words.iter().map(|word| convert::name("enrolling_roles", word)).collect()
}

fn wire(of: Organization) -> v1::Organization {
    v1::Organization {
        name: of.name.to_string(),
        create_time: convert::wire_time(of.create_time),
        enrolling_roles: of.enrolling_roles.iter().map(ToString::to_string).collect(),
        pin_strict: of.pin_strict,
        accept_expired_crl: of.accept_expired_crl,
        destruction_frozen: of.destruction_frozen.unwrap_or_default(),
    }
}

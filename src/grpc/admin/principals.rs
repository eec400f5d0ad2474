//! Registered principals, nodes, suspensions, groups.

use super::super::{Parts, convert, peer, status::status, uncancelled};
use crate::{
    directory::Member,
    error::Error,
    model::{Group, NodeKey, OrganizationName, PrincipalName, RequestId, Suspended, Suspension},
    registry::{Listing, NewPrincipal, Unregistration},
};
use chancery_api::v1;
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// The request's id, and the hash of the rest of it.
macro_rules! take_id {
    ($wire:ident) => {{
        let id = convert::request_id(&$wire.request_id)?;
        $wire.request_id.clear();
        RequestId { id, hash: convert::content_hash(&$wire) }
    }};
}

fn public_key(bytes: &[u8]) -> Result<[u8; 32], Error> {
    bytes.try_into().map_err(|_| Error::invalid("public_key_sha256", "32 bytes: the SHA-256 of a SubjectPublicKeyInfo"))
}

fn listing(parent: &str, page_size: i32, page_token: String) -> Result<Listing, Error> {
    let after = Some(page_token).filter(|token| !token.is_empty());
    Ok(Listing { organization: convert::name("parent", parent)?, after, limit: convert::page_size(page_size)? })
}

fn wire_principal(member: Member) -> v1::Principal {
    let of_node = |key: &NodeKey| v1::PrincipalKey {
        public_key_sha256: key.public_key_sha256.to_vec(),
        first_seen: convert::wire_time(key.first_seen),
        pending: key.pending,
    };
    let registered =
        |hash: &[u8; 32]| v1::PrincipalKey { public_key_sha256: hash.to_vec(), ..v1::PrincipalKey::default() };
    let (role, keys) = match (&member.registration, &member.node) {
        (Some(row), _) => (row.role.to_string(), row.public_keys_sha256.iter().map(registered).collect()),
        (None, Some(node)) => (String::new(), node.keys.iter().map(of_node).collect()),
        (None, None) => Default::default(),
    };
    v1::Principal { name: member.name.to_string(), role, keys, suspended: member.suspended }
}

fn wire_suspension(row: Suspension) -> v1::Suspension {
    let mut wire = v1::Suspension {
        name: row.name(),
        create_time: convert::wire_time(row.create_time),
        lifted: row.lifted,
        reason: row.reason,
        ..v1::Suspension::default()
    };
    match row.subject {
        Suspended::Principal(name) => wire.principal = name.to_string(),
        Suspended::Certificate(hash) => wire.certificate_sha256 = hash.to_vec(),
        Suspended::PublicKey(hash) => wire.public_key_sha256 = hash.to_vec(),
    }
    wire
}

fn wire_group(group: Group) -> v1::Group {
    v1::Group { name: group.name(), members: group.members.iter().map(ToString::to_string).collect() }
}

pub(super) async fn register_principal(
    parts: &Parts,
    request: Request<v1::RegisterPrincipalRequest>,
) -> Result<Response<v1::Principal>, Status> {
    let peer = peer(&request)?;
    let mut wire = request.into_inner();
    let registrar = Arc::clone(&parts.registrar);
    let work = async move {
        let id = take_id!(wire);
        let organization = convert::name("parent", &wire.parent)?;
        let given = wire.principal.ok_or_else(|| Error::invalid("principal", "required"))?;
        let given = new_principal(given)?;
        registrar.register_principal(&peer, organization, given, wire.confirm, id).await
    };
    Ok(Response::new(wire_principal(uncancelled(work).await?)))
}

pub(super) async fn list_principals(
    parts: &Parts,
    request: Request<v1::ListPrincipalsRequest>,
) -> Result<Response<v1::ListPrincipalsResponse>, Status> {
    let peer = peer(&request)?;
    let wire = request.into_inner();
    let work = async {
        let listing = listing(&wire.parent, wire.page_size, wire.page_token)?;
        parts.registrar.principals(&peer, listing).await
    };
    let (members, next) = work.await.map_err(|error| status(&error))?;
    let principals = members.into_iter().map(wire_principal).collect();
    Ok(Response::new(v1::ListPrincipalsResponse { principals, next_page_token: next.unwrap_or_default() }))
}

pub(super) async fn unregister_principal(
    parts: &Parts,
    request: Request<v1::UnregisterPrincipalRequest>,
) -> Result<Response<v1::Principal>, Status> {
    let peer = peer(&request)?;
    let mut wire = request.into_inner();
    let registrar = Arc::clone(&parts.registrar);
    let work = async move {
        let id = take_id!(wire);
        let given = Unregistration {
            name: convert::name("name", &wire.name)?,
            public_key_sha256: match wire.public_key_sha256.as_slice() {
                [] => None,
                bytes => Some(public_key(bytes)?),
            },
            confirm: wire.confirm,
        };
        registrar.unregister_principal(&peer, given, id).await
    };
    Ok(Response::new(wire_principal(uncancelled(work).await?)))
}

pub(super) async fn approve_principal_key(
    parts: &Parts,
    request: Request<v1::ApprovePrincipalKeyRequest>,
) -> Result<Response<v1::Principal>, Status> {
    let peer = peer(&request)?;
    let mut wire = request.into_inner();
    let registrar = Arc::clone(&parts.registrar);
    let work = async move {
        let id = take_id!(wire);
        let name: PrincipalName = convert::name("name", &wire.name)?;
        let key = public_key(&wire.public_key_sha256)?;
        registrar.approve_principal_key(&peer, name, key, id).await
    };
    Ok(Response::new(wire_principal(uncancelled(work).await?)))
}

fn subject(organization: &OrganizationName, wire: &v1::SuspendPrincipalRequest) -> Result<Suspended, Error> {
    match (wire.principal.as_str(), wire.certificate_sha256.as_slice(), wire.public_key_sha256.as_slice()) {
        ("", [], key) if !key.is_empty() => public_key(key).map(Suspended::PublicKey),
        ("", certificate, []) if !certificate.is_empty() => {
            let hash = certificate.try_into().map(Suspended::Certificate);
            hash.map_err(|_| Error::invalid("certificate_sha256", "32 bytes: the SHA-256 of a certificate's DER"))
        }
        (name, [], []) if !name.is_empty() => {
            let name: PrincipalName = convert::name("principal", name)?;
            if name.organization() != organization {
                return Err(Error::invalid("principal", format!("none of {organization}")));
            }
            Ok(Suspended::Principal(name))
        }
        _ => Err(Error::invalid("principal", "one of `principal`, `certificate_sha256` and `public_key_sha256`")),
    }
}

pub(super) async fn suspend_principal(
    parts: &Parts,
    request: Request<v1::SuspendPrincipalRequest>,
) -> Result<Response<v1::Suspension>, Status> {
    let peer = peer(&request)?;
    let mut wire = request.into_inner();
    let registrar = Arc::clone(&parts.registrar);
    let work = async move {
        let id = take_id!(wire);
        let organization = convert::name("parent", &wire.parent)?;
        let subject = subject(&organization, &wire)?;
        registrar.suspend_principal(&peer, organization, subject, wire.reason, id).await
    };
    Ok(Response::new(wire_suspension(uncancelled(work).await?)))
}

pub(super) async fn lift_suspension(
    parts: &Parts,
    request: Request<v1::LiftSuspensionRequest>,
) -> Result<Response<v1::Suspension>, Status> {
    let peer = peer(&request)?;
    let mut wire = request.into_inner();
    let registrar = Arc::clone(&parts.registrar);
    let work = async move {
        let id = take_id!(wire);
        let (organization, subject) = suspension_name(&wire.name)?;
        registrar.lift_suspension(&peer, organization, subject, id).await
    };
    Ok(Response::new(wire_suspension(uncancelled(work).await?)))
}

fn suspension_name(text: &str) -> Result<(OrganizationName, Suspended), Error> {
    let parse = || {
        let (organization, id) = text.split_once("/suspensions/")?;
        let organization: OrganizationName = organization.parse().ok()?;
        let subject = Suspended::from_id(&organization, id)?;
        Some((organization, subject))
    };
    parse().ok_or_else(|| Error::invalid("name", "no suspension's name (organizations/ORG/suspensions/SUSPENSION)"))
}

pub(super) async fn list_suspensions(
    parts: &Parts,
    request: Request<v1::ListSuspensionsRequest>,
) -> Result<Response<v1::ListSuspensionsResponse>, Status> {
    let peer = peer(&request)?;
    let wire = request.into_inner();
    let work = async {
        let listing = listing(&wire.parent, wire.page_size, wire.page_token)?;
        parts.registrar.suspensions(&peer, listing).await
    };
    let (found, next) = work.await.map_err(|error| status(&error))?;
    let suspensions = found.into_iter().map(wire_suspension).collect();
    Ok(Response::new(v1::ListSuspensionsResponse { suspensions, next_page_token: next.unwrap_or_default() }))
}

pub(super) async fn update_group(
    parts: &Parts,
    request: Request<v1::UpdateGroupRequest>,
) -> Result<Response<v1::Group>, Status> {
    let peer = peer(&request)?;
    let mut wire = request.into_inner();
    let registrar = Arc::clone(&parts.registrar);
    let work = async move {
        let request = take_id!(wire);
        let (organization, id) =
            OrganizationName::parse_group(&wire.name).map_err(|error| Error::invalid("name", error))?;
        let members = wire.members.iter().map(|name| convert::name("members", name)).collect::<Result<_, _>>()?;
        registrar.update_group(&peer, Group { organization, id, members }, request).await
    };
    Ok(Response::new(wire_group(uncancelled(work).await?)))
}

pub(super) async fn list_groups(
    parts: &Parts,
    request: Request<v1::ListGroupsRequest>,
) -> Result<Response<v1::ListGroupsResponse>, Status> {
    let peer = peer(&request)?;
    let wire = request.into_inner();
    let work = async {
        let listing = listing(&wire.parent, wire.page_size, wire.page_token)?;
        parts.registrar.groups(&peer, listing).await
    };
    let (found, next) = work.await.map_err(|error| status(&error))?;
    let groups = found.into_iter().map(wire_group).collect();
    Ok(Response::new(v1::ListGroupsResponse { groups, next_page_token: next.unwrap_or_default() }))
}

/// A principal to be registered.
pub(super) fn new_principal(wire: v1::NewPrincipal) -> Result<NewPrincipal, Error> {
    Ok(NewPrincipal { role: convert::name("principal.role", &wire.role)?, certificate: wire.certificate })
}

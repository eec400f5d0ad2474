//! ObjectService.

use super::{Parts, convert, peer, status::status, uncancelled};
use crate::{
    directory::{KeyEntry, KeyObject, Version},
    error::Error,
    keys::{Changed, Keys, ObjectEdit},
    model::{CertificateObject, Half, KeyStanding, KeyVersionName, ObjectName, OrganizationName, RequestId},
    objects::{After, CertificateObjectName, Listing, NewCertificateObject, Objects, Shown},
};
use chancery_api::v1::{self, object_service_server::ObjectService};
use prost::Message;
use std::sync::Arc;
use tonic::{Request, Response, Status};

pub(super) struct Service {
    keys: Arc<Keys>,
    objects: Arc<Objects>,
}

impl Service {
    pub(super) fn new(parts: &Parts) -> Self {
        Self { keys: Arc::clone(&parts.keys), objects: Arc::clone(&parts.objects) }
    }
}

/// The most objects on a page.
const PAGE: usize = 1000;

/// A request's id, and the hash of the rest, in which the id is cleared.
fn request_id<M: Message>(wire: &mut M, id: impl Fn(&mut M) -> &mut String) -> Result<RequestId, Error> {
    let text = std::mem::take(id(wire));
    Ok(RequestId { id: convert::request_id(&text)?, hash: convert::content_hash(wire) })
}

fn page_size(given: i32) -> Result<usize, Error> {
    match usize::try_from(given) {
        Ok(0) => Ok(PAGE),
        Ok(size) if size <= PAGE => Ok(size),
        _ => Err(Error::invalid("page_size", "at most 1000; 0 means 1000")),
    }
}

fn page_token(after: &After) -> String {
    match after {
        After::Key(key) => format!("k/{}", key.id()),
        After::Version(version) => format!("v/{}/{}", version.key().id(), version.number()),
        After::Certificate(id) => format!("c/{id}"),
    }
}

fn page_after(organization: &OrganizationName, token: &str) -> Result<Option<After>, Error> {
    let parse = || match token.split_once('/')? {
        ("k", key) => Some(After::Key(organization.key(key).ok()?)),
        ("v", version) => {
            let (key, number) = version.split_once('/')?;
            Some(After::Version(organization.key(key).ok()?.version(number.parse().ok()?)))
        }
        ("c", id) => Some(After::Certificate(id.to_owned())),
        _ => None,
    };
    match token {
        "" => Ok(None),
        _ => parse().map(Some).ok_or_else(|| Error::invalid("page_token", "not one that was given")),
    }
}

fn wire_standing(standing: KeyStanding) -> v1::Standing {
    match standing {
        KeyStanding::Named => v1::Standing::Named,
        KeyStanding::Provisional => v1::Standing::Provisional,
        KeyStanding::Session => v1::Standing::Session,
    }
}

fn wire_object(entry: &KeyEntry, version: &Version, object: &KeyObject) -> v1::Object {
    let (key, row) = (&entry.key, &version.row);
    v1::Object {
        name: object.name.to_string(),
        class: match object.name.object.half {
            Half::Public => v1::ObjectClass::PublicKeyObject,
            Half::Private => v1::ObjectClass::PrivateKeyObject,
            Half::Secret => v1::ObjectClass::SecretKeyObject,
        }
        .into(),
        id: object.id.clone(),
        label: object.label.clone(),
        modifiable: object.modifiable,
        version: row.name.to_string(),
        algorithm: convert::wire_algorithm(key.algorithm).into(),
        purpose: convert::wire_purpose(key.purpose).into(),
        protection: convert::wire_protection(key.protection).into(),
        state: convert::wire_state(row.state).into(),
        origin: convert::wire_origin(row.origin).into(),
        standing: wire_standing(entry.standing()).into(),
        public_key: row.public_key.clone(),
        certificate: Vec::new(),
        create_time: convert::wire_time(row.create_time),
    }
}

/// A bound certificate: as the version's private object, and read-only.
fn wire_bound(entry: &KeyEntry, version: &Version, object: &KeyObject) -> v1::Object {
    v1::Object {
        name: format!("{}/objects/certificate", version.row.name),
        class: v1::ObjectClass::CertificateObject.into(),
        modifiable: false,
        public_key: Vec::new(),
        certificate: version.row.certificate.clone().unwrap_or_default(),
        ..wire_object(entry, version, object)
    }
}

fn wire_certificate(certificate: CertificateObject) -> v1::Object {
    v1::Object {
        name: certificate.name(),
        class: v1::ObjectClass::CertificateObject.into(),
        version: certificate.version.as_ref().map(KeyVersionName::to_string).unwrap_or_default(),
        id: certificate.id,
        label: certificate.label,
        modifiable: true,
        certificate: certificate.certificate,
        ..v1::Object::default()
    }
}

fn wire_shown(shown: Shown) -> v1::Object {
    match shown {
        Shown::Key(entry, version, object) => wire_object(&entry, &version, &object),
        Shown::Bound(entry, version, object) => wire_bound(&entry, &version, &object),
        Shown::Certificate(certificate) => wire_certificate(certificate),
    }
}

/// The object that a change leaves.
fn changed((entry, name): &Changed) -> Result<Response<v1::Object>, Status> {
    let found = entry.version(Some(name.version.number())).and_then(|version| {
        let object = entry.object(version, name.object)?;
        Some(wire_object(entry, version, &object))
    });
    found.map(Response::new).ok_or_else(|| status(&Error::internal("a change left no object")))
}

#[tonic::async_trait]
impl ObjectService for Service {
    async fn list_objects(
        &self,
        request: Request<v1::ListObjectsRequest>,
    ) -> Result<Response<v1::ListObjectsResponse>, Status> {
        let peer = peer(&request)?;
        let wire = request.into_inner();
        let work = async {
            let organization: OrganizationName = convert::name("parent", &wire.parent)?;
            let after = page_after(&organization, &wire.page_token)?;
            let (limit, known_revision) = (page_size(wire.page_size)?, wire.known_revision);
            self.objects.list(&peer, Listing { organization, after, limit, known_revision }).await
        };
        let page = work.await.map_err(|error| status(&error))?;
        Ok(Response::new(v1::ListObjectsResponse {
            objects: page.objects.into_iter().map(wire_shown).collect(),
            next_page_token: page.next.as_ref().map(page_token).unwrap_or_default(),
            revision: page.revision,
            unchanged: page.unchanged,
        }))
    }

    async fn update_object(&self, request: Request<v1::UpdateObjectRequest>) -> Result<Response<v1::Object>, Status> {
        let peer = peer(&request)?;
        let mut wire = request.into_inner();
        let parse = || {
            let id = request_id(&mut wire, |wire| &mut wire.request_id)?;
            let name: ObjectName = convert::name("name", &wire.name)?;
            if wire.modifiable == Some(true) {
                return Err(Error::invalid("modifiable", "only false: what can't be changed stays so"));
            }
            let unmodifiable = wire.modifiable.is_some();
            Ok((name, ObjectEdit { id: wire.id.take(), label: wire.label.take(), unmodifiable }, id))
        };
        let (name, edit, id) = { parse }().map_err(|error: Error| status(&error))?;
        let keys = Arc::clone(&self.keys);
        changed(&uncancelled(async move { keys.update_object(peer, name, edit, id).await }).await?)
    }

    async fn copy_object(&self, request: Request<v1::CopyObjectRequest>) -> Result<Response<v1::Object>, Status> {
        let peer = peer(&request)?;
        let mut wire = request.into_inner();
        let parse = || {
            let id = request_id(&mut wire, |wire| &mut wire.request_id)?;
            let name: ObjectName = convert::name("name", &wire.name)?;
            // True where the original is false: it stays false.
            let unmodifiable = wire.modifiable == Some(false);
            Ok((name, ObjectEdit { id: wire.id.take(), label: wire.label.take(), unmodifiable }, wire.keep, id))
        };
        let (name, edit, keep, id) = { parse }().map_err(|error: Error| status(&error))?;
        let keys = Arc::clone(&self.keys);
        changed(&uncancelled(async move { keys.copy_object(peer, name, edit, keep, id).await }).await?)
    }

    async fn delete_object(
        &self,
        request: Request<v1::DeleteObjectRequest>,
    ) -> Result<Response<v1::DeleteObjectResponse>, Status> {
        let peer = peer(&request)?;
        let mut wire = request.into_inner();
        let parse = || {
            let id = request_id(&mut wire, |wire| &mut wire.request_id)?;
            Ok((convert::name::<ObjectName, _>("name", &wire.name)?, id))
        };
        let (name, id) = { parse }().map_err(|error: Error| status(&error))?;
        let keys = Arc::clone(&self.keys);
        let key_destroyed = uncancelled(async move { keys.delete_object(peer, name, id).await }).await?;
        Ok(Response::new(v1::DeleteObjectResponse { key_destroyed }))
    }

    async fn renew_session_objects(
        &self,
        request: Request<v1::RenewSessionObjectsRequest>,
    ) -> Result<Response<v1::RenewSessionObjectsResponse>, Status> {
        let peer = peer(&request)?;
        let wire = request.get_ref();
        let work = async {
            let organization: OrganizationName = convert::name("parent", &wire.parent)?;
            let process = convert::uuid("process", &wire.process)?;
            self.keys.renew_session(&peer, organization, &process).await
        };
        let lease = work.await.map_err(|error| status(&error))?;
        let lease_seconds = u32::try_from(lease.as_secs()).unwrap_or(u32::MAX);
        Ok(Response::new(v1::RenewSessionObjectsResponse { lease_seconds }))
    }

    async fn create_certificate_object(
        &self,
        request: Request<v1::CreateCertificateObjectRequest>,
    ) -> Result<Response<v1::Object>, Status> {
        let peer = peer(&request)?;
        let mut wire = request.into_inner();
        let parse = || {
            let id = request_id(&mut wire, |wire| &mut wire.request_id)?;
            let organization: OrganizationName = convert::name("parent", &wire.parent)?;
            let [certificate, own_id, label] =
                [&mut wire.certificate, &mut wire.id, &mut wire.label].map(std::mem::take);
            Ok((NewCertificateObject { organization, certificate, id: own_id, label }, id))
        };
        let (new, id) = { parse }().map_err(|error: Error| status(&error))?;
        let objects = Arc::clone(&self.objects);
        let kept = uncancelled(async move { objects.create_certificate(peer, new, id).await }).await?;
        Ok(Response::new(wire_certificate(kept)))
    }

    async fn update_certificate_object(
        &self,
        request: Request<v1::UpdateCertificateObjectRequest>,
    ) -> Result<Response<v1::Object>, Status> {
        let peer = peer(&request)?;
        let mut wire = request.into_inner();
        let parse = || {
            let id = request_id(&mut wire, |wire| &mut wire.request_id)?;
            let name: CertificateObjectName = convert::name("name", &wire.name)?;
            Ok((name, [wire.id.take(), wire.label.take()], id))
        };
        let (name, attributes, id) = { parse }().map_err(|error: Error| status(&error))?;
        let objects = Arc::clone(&self.objects);
        let kept = uncancelled(async move { objects.update_certificate(peer, name, attributes, id).await }).await?;
        Ok(Response::new(wire_certificate(kept)))
    }

    async fn delete_certificate_object(
        &self,
        request: Request<v1::DeleteCertificateObjectRequest>,
    ) -> Result<Response<v1::DeleteCertificateObjectResponse>, Status> {
        let peer = peer(&request)?;
        let mut wire = request.into_inner();
        let parse = || {
            let id = request_id(&mut wire, |wire| &mut wire.request_id)?;
            Ok((convert::name::<CertificateObjectName, _>("name", &wire.name)?, id))
        };
        let (name, id) = { parse }().map_err(|error: Error| status(&error))?;
        let objects = Arc::clone(&self.objects);
        uncancelled(async move { objects.delete_certificate(peer, name, id).await }).await?;
        Ok(Response::new(v1::DeleteCertificateObjectResponse {}))
    }
}

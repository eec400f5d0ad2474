//! KeyService.

use super::{Parts, convert, peer, status::status, uncancelled};
use crate::{
    error::Error,
    keys::{Keys, NewKey},
    model::{KeyName, OrganizationName, PrincipalName, RequestId},
};
use chancery_api::v1::{self, key_service_server::KeyService};
use std::sync::Arc;
use tonic::{Request, Response, Status};

pub(super) struct Service {
    keys: Arc<Keys>,
}

impl Service {
    pub(super) fn new(parts: &Parts) -> Self {
        Self { keys: Arc::clone(&parts.keys) }
    }
}

fn new_key(mut wire: v1::CreateKeyRequest) -> Result<(NewKey, RequestId), Error> {
    let id = convert::request_id(&wire.request_id)?;
    wire.request_id.clear();
    let hash = convert::content_hash(&wire);
    let organization: OrganizationName = convert::name("parent", &wire.parent)?;
    let key = wire.key.ok_or_else(|| Error::invalid("key", "required"))?;
    let owner = match key.owner.as_str() {
        "" => None,
        text => Some(convert::name::<PrincipalName, _>("key.owner", text)?),
    };
    if key.labels.len() > 32 || key.labels.iter().any(|(k, v)| k.is_empty() || k.len() > 63 || v.len() > 255) {
        let problem = "at most 32, keys of 1 to 63 and values of at most 255 bytes";
        return Err(Error::invalid("key.labels", problem));
    }
    let new = NewKey {
        name: organization.key(&wire.key_id).map_err(|error| Error::invalid("key_id", error))?,
        owner,
        purpose: convert::purpose(key.purpose)?,
        algorithm: convert::algorithm(key.algorithm)?,
        protection: convert::protection(key.protection)?,
        check: convert::check(key.check)?,
        labels: key.labels,
    };
    Ok((new, RequestId { id, hash }))
}

fn page_after(organization: &OrganizationName, token: &str) -> Result<Option<KeyName>, Error> {
    match token {
        "" => Ok(None),
        id => organization.key(id).map(Some).map_err(|_| Error::invalid("page_token", "not one that was given")),
    }
}

#[tonic::async_trait]
impl KeyService for Service {
    async fn create_key(&self, request: Request<v1::CreateKeyRequest>) -> Result<Response<v1::Key>, Status> {
        let peer = peer(&request)?;
        let (new, id) = new_key(request.into_inner()).map_err(|error| status(&error))?;
        let keys = Arc::clone(&self.keys);
        let entry = uncancelled(async move { keys.create(peer, new, id).await }).await?;
        Ok(Response::new(convert::wire_key(&entry, true)))
    }

    async fn get_key(&self, request: Request<v1::GetKeyRequest>) -> Result<Response<v1::Key>, Status> {
        let peer = peer(&request)?;
        let name: KeyName = convert::name("name", &request.get_ref().name).map_err(|error| status(&error))?;
        let entry = self.keys.key(&peer, &name).await.map_err(|error| status(&error))?;
        Ok(Response::new(convert::wire_key(&entry, true)))
    }

    async fn list_keys(&self, request: Request<v1::ListKeysRequest>) -> Result<Response<v1::ListKeysResponse>, Status> {
        let peer = peer(&request)?;
        let wire = request.into_inner();
        let work = async {
            let organization: OrganizationName = convert::name("parent", &wire.parent)?;
            let after = page_after(&organization, &wire.page_token)?;
            self.keys.list(&peer, &organization, after, convert::page_size(wire.page_size)?).await
        };
        let (entries, next) = work.await.map_err(|error| status(&error))?;
        Ok(Response::new(v1::ListKeysResponse {
            keys: entries.iter().map(|entry| convert::wire_key(entry, false)).collect(),
            next_page_token: next.map(|name| name.id().to_owned()).unwrap_or_default(),
        }))
    }

    async fn rotate_key(&self, request: Request<v1::RotateKeyRequest>) -> Result<Response<v1::Key>, Status> {
        let peer = peer(&request)?;
        let mut wire = request.into_inner();
        let parse = || {
            let id = convert::request_id(&wire.request_id)?;
            wire.request_id.clear();
            let request = RequestId { id, hash: convert::content_hash(&wire) };
            Ok((convert::name::<KeyName, _>("name", &wire.name)?, request))
        };
        let (name, id) = { parse }().map_err(|error: Error| status(&error))?;
        let keys = Arc::clone(&self.keys);
        let entry = uncancelled(async move { keys.rotate(peer, name, id).await }).await?;
        Ok(Response::new(convert::wire_key(&entry, true)))
    }
}

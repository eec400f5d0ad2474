//! KeyService.

use super::{Parts, backups, convert, key_terms, key_versions, peer, status::status, transfer, uncancelled};
use crate::{
    backups::Backups,
    error::Error,
    keys::{Filter, Keys, Listing},
    model::{KeyName, OrganizationName, RequestId},
};
use chancery_api::v1::{self, key_service_server::KeyService};
use std::sync::Arc;
use tonic::{Request, Response, Status};

pub(super) struct Service {
    keys: Arc<Keys>,
    backups: Arc<Backups>,
}

impl Service {
    pub(super) fn new(parts: &Parts) -> Self {
        Self { keys: Arc::clone(&parts.keys), backups: Arc::clone(&parts.backups) }
    }
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
        let (new, id) = key_terms::new_key(request.into_inner()).map_err(|error| status(&error))?;
        let keys = Arc::clone(&self.keys);
        let entry = uncancelled(async move { keys.create(peer, new, id).await }).await?;
        Ok(Response::new(convert::wire_key(&entry, true)))
    }

    async fn get_key(&self, request: Request<v1::GetKeyRequest>) -> Result<Response<v1::Key>, Status> {
        let peer = peer(&request)?;
        let name: KeyName = convert::name("name", &request.get_ref().name).map_err(|error| status(&error))?;
        let entry = self.keys.key(&peer, &name).await.map_err(|error| status(&error))?;
        let mut key = convert::wire_key(&entry, true);
        convert::name_revivers(&mut key, &entry, |version| self.keys.revivable_by(&entry.key, version));
        Ok(Response::new(key))
    }

    async fn list_keys(&self, request: Request<v1::ListKeysRequest>) -> Result<Response<v1::ListKeysResponse>, Status> {
        let peer = peer(&request)?;
        let wire = request.into_inner();
        let work = async {
            let organization: OrganizationName = convert::name("parent", &wire.parent)?;
            let filter: Filter = wire.filter.parse().map_err(|error| Error::invalid("filter", error))?;
            let after = page_after(&organization, &wire.page_token)?;
            let limit = convert::page_size(wire.page_size)?;
            self.keys.list(&peer, Listing { organization, filter, after, limit }).await
        };
        let (entries, next) = work.await.map_err(|error| status(&error))?;
        Ok(Response::new(v1::ListKeysResponse {
            keys: entries.iter().map(|entry| convert::wire_key(entry, false)).collect(),
            next_page_token: next.map(|name| name.id().to_owned()).unwrap_or_default(),
        }))
    }

    async fn update_key(&self, request: Request<v1::UpdateKeyRequest>) -> Result<Response<v1::Key>, Status> {
        let peer = peer(&request)?;
        let (update, id) = key_terms::update(request.into_inner()).map_err(|error| status(&error))?;
        let keys = Arc::clone(&self.keys);
        let entry = uncancelled(async move { keys.update(peer, update, id).await }).await?;
        Ok(Response::new(convert::wire_key(&entry, true)))
    }

    async fn rotate_key(&self, request: Request<v1::RotateKeyRequest>) -> Result<Response<v1::Key>, Status> {
        key_versions::rotate_key(Arc::clone(&self.keys), request).await
    }

    async fn activate_key_version(
        &self,
        request: Request<v1::ActivateKeyVersionRequest>,
    ) -> Result<Response<v1::Key>, Status> {
        key_versions::activate_key_version(Arc::clone(&self.keys), request).await
    }

    async fn suspend_key_version(
        &self,
        request: Request<v1::SuspendKeyVersionRequest>,
    ) -> Result<Response<v1::Key>, Status> {
        key_versions::suspend_key_version(Arc::clone(&self.keys), request).await
    }

    async fn deactivate_key_version(
        &self,
        request: Request<v1::DeactivateKeyVersionRequest>,
    ) -> Result<Response<v1::Key>, Status> {
        key_versions::deactivate_key_version(Arc::clone(&self.keys), request).await
    }

    async fn mark_key_version_compromised(
        &self,
        request: Request<v1::MarkKeyVersionCompromisedRequest>,
    ) -> Result<Response<v1::Key>, Status> {
        key_versions::mark_key_version_compromised(Arc::clone(&self.keys), request).await
    }

    async fn schedule_key_version_destruction(
        &self,
        request: Request<v1::ScheduleKeyVersionDestructionRequest>,
    ) -> Result<Response<v1::Key>, Status> {
        key_versions::schedule_destruction(Arc::clone(&self.keys), request).await
    }

    async fn restore_key_version(
        &self,
        request: Request<v1::RestoreKeyVersionRequest>,
    ) -> Result<Response<v1::Key>, Status> {
        key_versions::restore_key_version(Arc::clone(&self.keys), request).await
    }

    async fn attest_key_version(
        &self,
        request: Request<v1::AttestKeyVersionRequest>,
    ) -> Result<Response<v1::Attestation>, Status> {
        transfer::attest(&self.keys, request).await
    }

    async fn create_import_job(
        &self,
        request: Request<v1::CreateImportJobRequest>,
    ) -> Result<Response<v1::ImportJob>, Status> {
        transfer::create_import_job(&self.keys, request).await
    }

    async fn import_key(&self, request: Request<v1::ImportKeyRequest>) -> Result<Response<v1::Key>, Status> {
        transfer::import_key(Arc::clone(&self.keys), request).await
    }

    async fn list_backups(
        &self,
        request: Request<v1::ListBackupsRequest>,
    ) -> Result<Response<v1::ListBackupsResponse>, Status> {
        backups::list(&self.backups, request).await
    }

    async fn create_restore_job(
        &self,
        request: Request<v1::CreateRestoreJobRequest>,
    ) -> Result<Response<v1::ImportJob>, Status> {
        backups::create_restore_job(&self.backups, request).await
    }

    async fn confirm_clock(
        &self,
        request: Request<v1::ConfirmClockRequest>,
    ) -> Result<Response<v1::ConfirmClockResponse>, Status> {
        let peer = peer(&request)?;
        let mut wire = request.into_inner();
        let parse = || {
            let id = convert::request_id(&wire.request_id)?;
            wire.request_id.clear();
            let request = RequestId { id, hash: convert::content_hash(&wire) };
            Ok((convert::name::<OrganizationName, _>("parent", &wire.parent)?, request))
        };
        let (organization, id) = { parse }().map_err(|error: Error| status(&error))?;
        let keys = Arc::clone(&self.keys);
        let confirmed = uncancelled(async move { keys.confirm_clock(peer, organization, id).await }).await?;
        let time = convert::wire_time(confirmed.time);
        Ok(Response::new(v1::ConfirmClockResponse { frozen: confirmed.frozen.unwrap_or_default(), time }))
    }

    type RewrapKeysStream = transfer::Answers<v1::RewrapKeysResponse>;

    async fn rewrap_keys(
        &self,
        request: Request<v1::RewrapKeysRequest>,
    ) -> Result<Response<Self::RewrapKeysStream>, Status> {
        transfer::rewrap_keys(Arc::clone(&self.keys), request).await
    }

    type BackUpKeysStream = transfer::Answers<v1::BackUpKeysResponse>;

    async fn back_up_keys(
        &self,
        request: Request<v1::BackUpKeysRequest>,
    ) -> Result<Response<Self::BackUpKeysStream>, Status> {
        backups::back_up(Arc::clone(&self.backups), request).await
    }

    async fn restore_backup(
        &self,
        request: Request<tonic::Streaming<v1::RestoreBackupRequest>>,
    ) -> Result<Response<v1::RestoreBackupResponse>, Status> {
        backups::restore(Arc::clone(&self.backups), request).await
    }
}

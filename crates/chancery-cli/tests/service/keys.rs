//! Keys that are made, and a long list of others.

use super::{KEYS, PEER0, Service, refuse};
use chancery_api::v1::{
    ActivateKeyVersionRequest, Algorithm, AttestKeyVersionRequest, Attestation, BackUpKeysRequest, BackUpKeysResponse,
    ConfirmClockRequest, ConfirmClockResponse, CreateImportJobRequest, CreateKeyRequest, CreateRestoreJobRequest,
    DeactivateKeyVersionRequest, GetKeyRequest, ImportJob, ImportKeyRequest, Key, KeyState, KeyVersion,
    ListBackupsRequest, ListBackupsResponse, ListKeysRequest, ListKeysResponse, MarkKeyVersionCompromisedRequest,
    Protection, Purpose, RestoreBackupRequest, RestoreBackupResponse, RestoreKeyVersionRequest, RewrapKeysRequest,
    RewrapKeysResponse, RotateKeyRequest, ScheduleKeyVersionDestructionRequest, SuspendKeyVersionRequest,
    UpdateKeyRequest, key_service_server::KeyService,
};
use chancery_transfer::statement::TransportPurpose;
use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicI64, Ordering},
    },
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status, Streaming};

/// What the service keeps of keys.
pub(crate) struct Kept {
    /// By name, the request that made each.
    made: Mutex<BTreeMap<String, CreateKeyRequest>>,
    /// How many may still be made.
    room: AtomicI64,
    updates: Mutex<Vec<UpdateKeyRequest>>,
}

impl Default for Kept {
    fn default() -> Self {
        Self { made: Mutex::default(), room: AtomicI64::new(i64::MAX), updates: Mutex::default() }
    }
}

impl Service {
    /// Names of the keys that were made.
    pub(crate) fn made(&self) -> Vec<String> {
        self.0.keys.made.lock().unwrap().keys().cloned().collect()
    }

    /// Only so many keys can be made from now on; the rest is denied.
    pub(crate) fn make_room(&self, keys: i64) {
        self.0.keys.room.store(keys, Ordering::Relaxed);
    }

    /// What was asked to be changed.
    pub(crate) fn updates(&self) -> Vec<UpdateKeyRequest> {
        self.0.keys.updates.lock().unwrap().clone()
    }
}

fn key(name: String, of: Key) -> Key {
    let version =
        KeyVersion { name: format!("{name}/versions/1"), state: KeyState::Active.into(), ..KeyVersion::default() };
    Key { name, primary: Some(version), ..of }
}

fn p256() -> Key {
    Key { algorithm: Algorithm::EcP256.into(), purpose: Purpose::Sign.into(), ..Key::default() }
}

fn nothing<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("not in this test"))
}

#[tonic::async_trait]
impl KeyService for Service {
    type RewrapKeysStream = ReceiverStream<Result<RewrapKeysResponse, Status>>;
    type BackUpKeysStream = ReceiverStream<Result<BackUpKeysResponse, Status>>;

    async fn create_key(&self, request: Request<CreateKeyRequest>) -> Result<Response<Key>, Status> {
        let request = request.into_inner();
        let name = format!("{}/keys/{}", request.parent, request.key_id);
        let mut made = self.0.keys.made.lock().unwrap();
        match made.get(&name) {
            Some(first) if *first == request => {}
            _ if name == PEER0 => return Err(refuse(Code::AlreadyExists, "ALREADY_EXISTS", false)),
            Some(first) if first.request_id == request.request_id => {
                return Err(refuse(Code::InvalidArgument, "REQUEST_ID_REUSED", false));
            }
            Some(_) => return Err(refuse(Code::AlreadyExists, "ALREADY_EXISTS", false)),
            None if self.0.keys.room.fetch_sub(1, Ordering::Relaxed) <= 0 => {
                return Err(refuse(Code::PermissionDenied, "DENIED", false));
            }
            None => {
                made.insert(name.clone(), request.clone());
            }
        }
        Ok(Response::new(key(name, request.key.unwrap_or_default())))
    }

    async fn get_key(&self, request: Request<GetKeyRequest>) -> Result<Response<Key>, Status> {
        let name = request.into_inner().name;
        if name.ends_with("/new") {
            return Err(refuse(Code::NotFound, "NOT_FOUND", false));
        }
        let labels = [("site".to_owned(), "a".to_owned()), ("env".to_owned(), "test".to_owned())].into();
        Ok(Response::new(key(name, Key { labels, ..p256() })))
    }

    /// With a filter, the keys that were made; without one, the long list.
    async fn list_keys(&self, request: Request<ListKeysRequest>) -> Result<Response<ListKeysResponse>, Status> {
        let request = request.into_inner();
        let names: Vec<(String, Key)> = if request.filter.is_empty() {
            (0..KEYS).map(|n| (format!("{}/keys/k{n:04}", request.parent), p256())).collect()
        } else {
            let made = self.0.keys.made.lock().unwrap();
            made.iter().map(|(name, request)| (name.clone(), request.key.clone().unwrap())).collect()
        };
        let first: usize = request.page_token.parse().unwrap_or(0);
        let end = names.len().min(first + request.page_size as usize);
        Ok(Response::new(ListKeysResponse {
            next_page_token: if end < names.len() { end.to_string() } else { String::new() },
            keys: names.into_iter().take(end).skip(first).map(|(name, of)| key(name, of)).collect(),
        }))
    }

    async fn rotate_key(&self, _: Request<RotateKeyRequest>) -> Result<Response<Key>, Status> {
        Err(refuse(Code::FailedPrecondition, "WRONG_STATE", false))
    }

    async fn update_key(&self, request: Request<UpdateKeyRequest>) -> Result<Response<Key>, Status> {
        let request = request.into_inner();
        self.0.keys.updates.lock().unwrap().push(request.clone());
        let updated = request.key.unwrap_or_default();
        Ok(Response::new(key(updated.name.clone(), updated)))
    }

    async fn activate_key_version(&self, _: Request<ActivateKeyVersionRequest>) -> Result<Response<Key>, Status> {
        nothing()
    }

    async fn suspend_key_version(&self, _: Request<SuspendKeyVersionRequest>) -> Result<Response<Key>, Status> {
        nothing()
    }

    async fn deactivate_key_version(&self, _: Request<DeactivateKeyVersionRequest>) -> Result<Response<Key>, Status> {
        nothing()
    }

    async fn mark_key_version_compromised(
        &self,
        _: Request<MarkKeyVersionCompromisedRequest>,
    ) -> Result<Response<Key>, Status> {
        nothing()
    }

    async fn schedule_key_version_destruction(
        &self,
        _: Request<ScheduleKeyVersionDestructionRequest>,
    ) -> Result<Response<Key>, Status> {
        nothing()
    }

    async fn restore_key_version(&self, _: Request<RestoreKeyVersionRequest>) -> Result<Response<Key>, Status> {
        nothing()
    }

    async fn attest_key_version(&self, _: Request<AttestKeyVersionRequest>) -> Result<Response<Attestation>, Status> {
        nothing()
    }

    async fn create_import_job(&self, request: Request<CreateImportJobRequest>) -> Result<Response<ImportJob>, Status> {
        Ok(Response::new(self.0.transfer.job(&request.into_inner().parent, TransportPurpose::Import)))
    }

    /// As on a token that takes no keys in.
    async fn import_key(&self, request: Request<ImportKeyRequest>) -> Result<Response<Key>, Status> {
        let request = request.into_inner();
        let of = request.key.clone().unwrap_or_default();
        if of.protection() == Protection::Token {
            return Err(refuse(Code::FailedPrecondition, "UNSUPPORTED_ALGORITHM", false));
        }
        let name = format!("{}/keys/{}", request.parent, request.key_id);
        self.0.transfer.import(&format!("{name}/versions/{}", request.version), &request);
        Ok(Response::new(key(name, of)))
    }

    async fn rewrap_keys(&self, _: Request<RewrapKeysRequest>) -> Result<Response<Self::RewrapKeysStream>, Status> {
        nothing()
    }

    async fn back_up_keys(
        &self,
        request: Request<BackUpKeysRequest>,
    ) -> Result<Response<Self::BackUpKeysStream>, Status> {
        let (sender, answers) = mpsc::channel(64);
        for answer in self.0.transfer.back_up(&request.into_inner()) {
            sender.try_send(Ok(answer)).unwrap();
        }
        Ok(Response::new(ReceiverStream::new(answers)))
    }

    async fn list_backups(&self, _: Request<ListBackupsRequest>) -> Result<Response<ListBackupsResponse>, Status> {
        nothing()
    }

    async fn create_restore_job(
        &self,
        request: Request<CreateRestoreJobRequest>,
    ) -> Result<Response<ImportJob>, Status> {
        Ok(Response::new(self.0.transfer.job(&request.into_inner().parent, TransportPurpose::Restore)))
    }

    async fn restore_backup(
        &self,
        request: Request<Streaming<RestoreBackupRequest>>,
    ) -> Result<Response<RestoreBackupResponse>, Status> {
        let mut parts = Vec::new();
        let mut stream = request.into_inner();
        while let Some(part) = stream.message().await? {
            parts.push(part);
        }
        Ok(Response::new(self.0.transfer.restore(parts)))
    }

    async fn confirm_clock(&self, _: Request<ConfirmClockRequest>) -> Result<Response<ConfirmClockResponse>, Status> {
        nothing()
    }
}

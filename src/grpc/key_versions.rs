//! KeyService's methods about a key's versions: rotation, and a version's life.

use super::{convert, peer, status::status, uncancelled};
use crate::{
    error::Error,
    keys::{Destruction, Keys},
    model::RequestId,
};
use chancery_api::v1;
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// Methods whose requests name a key or a version and say nothing else.
macro_rules! named {
    ($($method:ident($request:ident) as $of_keys:ident),+ $(,)?) => {$(
        pub(super) async fn $method(
            keys: Arc<Keys>,
            request: Request<v1::$request>,
        ) -> Result<Response<v1::Key>, Status> {
            let peer = peer(&request)?;
            let mut wire = request.into_inner();
            let parse = || {
                let id = convert::request_id(&wire.request_id)?;
                wire.request_id.clear();
                Ok((convert::name("name", &wire.name)?, RequestId { id, hash: convert::content_hash(&wire) }))
            };
            let (name, id) = { parse }().map_err(|error: Error| status(&error))?;
            let entry = uncancelled(async move { keys.$of_keys(peer, name, id).await }).await?;
            Ok(Response::new(convert::wire_key(&entry, true)))
        }
    )+};
}

named! {
    rotate_key(RotateKeyRequest) as rotate,
    activate_key_version(ActivateKeyVersionRequest) as activate,
    suspend_key_version(SuspendKeyVersionRequest) as suspend,
    deactivate_key_version(DeactivateKeyVersionRequest) as deactivate,
    mark_key_version_compromised(MarkKeyVersionCompromisedRequest) as mark_compromised,
    restore_key_version(RestoreKeyVersionRequest) as restore,
}

pub(super) async fn schedule_destruction(
    keys: Arc<Keys>,
    request: Request<v1::ScheduleKeyVersionDestructionRequest>,
) -> Result<Response<v1::Key>, Status> {
    let peer = peer(&request)?;
    let mut wire = request.into_inner();
    let parse = || {
        let id = convert::request_id(&wire.request_id)?;
        wire.request_id.clear();
        let request = RequestId { id, hash: convert::content_hash(&wire) };
        let (version, wait) = (convert::name("name", &wire.name)?, convert::duration("wait", wire.wait)?);
        Ok((Destruction { version, wait, confirm: wire.confirm }, request))
    };
    let (destruction, id) = { parse }().map_err(|error: Error| status(&error))?;
    let entry = uncancelled(async move { keys.schedule_destruction(peer, destruction, id).await }).await?;
    Ok(Response::new(convert::wire_key(&entry, true)))
}

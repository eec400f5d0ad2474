//! KeyService's methods about backups.

use super::{
    convert, peer,
    status::status,
    transfer::{Answers, import_job},
};
use crate::{
    backups::{Backups, NewBackup, Progress, RestorePart, RestoreRequest},
    error::Error,
    model::{Backup, OrganizationName, PrincipalName, RequestId},
};
use chancery_api::v1::{self, restore_backup_request::Part};
use futures_util::{StreamExt, stream};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

/// Chunks of a backup that wait for a slow caller.
const CHUNKS: usize = 16;

fn wire_backup(backup: &Backup) -> v1::Backup {
    v1::Backup {
        name: backup.name.to_string(),
        create_time: convert::wire_time(backup.create_time),
        versions: backup.versions,
        token_versions: backup.token_versions,
        threshold: backup.threshold,
        custodians: backup.custodians.clone(),
        sha256: backup.sha256.map(Vec::from).unwrap_or_default(),
    }
}

pub(super) async fn list(
    backups: &Backups,
    request: Request<v1::ListBackupsRequest>,
) -> Result<Response<v1::ListBackupsResponse>, Status> {
    let peer = peer(&request)?;
    let work = async { backups.list(&peer, convert::name("parent", &request.get_ref().parent)?).await };
    let found = work.await.map_err(|error| status(&error))?;
    Ok(Response::new(v1::ListBackupsResponse { backups: found.iter().map(wire_backup).collect() }))
}

pub(super) async fn create_restore_job(
    backups: &Backups,
    request: Request<v1::CreateRestoreJobRequest>,
) -> Result<Response<v1::ImportJob>, Status> {
    let peer = peer(&request)?;
    let work = async { backups.create_restore_job(&peer, convert::name("parent", &request.get_ref().parent)?).await };
    let key = work.await.map_err(|error| status(&error))?;
    Ok(Response::new(import_job(key, backups.deployment())))
}

fn new_backup(mut wire: v1::BackUpKeysRequest) -> Result<(NewBackup, RequestId), Error> {
    let id = convert::request_id(&wire.request_id)?;
    wire.request_id.clear();
    let hash = convert::content_hash(&wire);
    let organization: OrganizationName = convert::name("parent", &wire.parent)?;
    let custodian = |of: v1::Custodian| {
        let principal: PrincipalName = convert::name("custodians.principal", &of.principal)?;
        Ok::<_, Error>((principal, of.public_key))
    };
    let custodians = wire.custodians.into_iter().map(custodian).collect::<Result<_, _>>()?;
    Ok((NewBackup { organization, threshold: wire.threshold, custodians }, RequestId { id, hash }))
}

pub(super) async fn back_up(
    backups: Arc<Backups>,
    request: Request<v1::BackUpKeysRequest>,
) -> Result<Response<Answers<v1::BackUpKeysResponse>>, Status> {
    let peer = peer(&request)?;
    let (new, id) = new_backup(request.into_inner()).map_err(|error| status(&error))?;
    let (chunks, progress) = mpsc::channel(CHUNKS);
    let work = tokio::spawn(async move { backups.back_up(peer, new, id, chunks).await });
    let answers = ReceiverStream::new(progress).map(|at: Progress| {
        let backup = at.complete.as_ref().map(wire_backup);
        Ok(v1::BackUpKeysResponse { chunk: at.chunk, done: at.done, total: at.total, backup })
    });
    // The stream of chunks ends with the work; how that ended is said last.
    let end = stream::once(async move {
        match work.await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(Err(status(&error))),
            Err(_) => Some(Err(status(&Error::stopped()))),
        }
    });
    Ok(Response::new(Box::pin(answers.chain(end.filter_map(|ended| async { ended })))))
}

pub(super) async fn restore(
    backups: Arc<Backups>,
    request: Request<Streaming<v1::RestoreBackupRequest>>,
) -> Result<Response<v1::RestoreBackupResponse>, Status> {
    let peer = peer(&request)?;
    let mut parts = request.into_inner();
    let Some(v1::RestoreBackupRequest { part: Some(Part::Header(header)) }) = parts.message().await? else {
        return Err(status(&Error::invalid("header", "the first message is the header")));
    };
    let (asked, id) = restore_request(header).map_err(|error| status(&error))?;
    let parts = parts.map(|received| match received.map(|message| message.part) {
        Ok(Some(Part::LoggedStates(states))) => Ok(RestorePart::States(states.states)),
        Ok(Some(Part::Chunk(chunk))) => Ok(RestorePart::Chunk(chunk)),
        Ok(_) => Err(Error::invalid("chunk", "after the header come states, and then chunks")),
        Err(_) => Err(Error::invalid("chunk", "the caller hung up; nothing was restored")),
    });
    let work = tokio::spawn(async move { backups.restore(peer, asked, parts, id).await });
    let restored = match work.await {
        Ok(result) => result.map_err(|error| status(&error))?,
        Err(_) => return Err(status(&Error::stopped())),
    };
    Ok(Response::new(v1::RestoreBackupResponse {
        restored: restored.restored,
        present: restored.present,
        destroyed: restored.destroyed,
        token_versions: restored.token_versions,
    }))
}

fn restore_request(mut wire: v1::RestoreHeader) -> Result<(RestoreRequest, RequestId), Error> {
    let id = convert::request_id(&wire.request_id)?;
    wire.request_id.clear();
    let hash = convert::content_hash(&wire);
    let organization: OrganizationName = convert::name("parent", &wire.parent)?;
    let (job, shares) = (std::mem::take(&mut wire.restore_job), std::mem::take(&mut wire.shares));
    let terms = convert::content_hash(&wire);
    let (checkpoint, without_log) = (wire.checkpoint, wire.without_log);
    let asked = RestoreRequest { organization, job, shares, checkpoint, without_log, terms };
    Ok((asked, RequestId { id, hash }))
}

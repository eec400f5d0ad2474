//! A backup and its way back, as officers and custodians go it.

use crate::{
    desk::{Desk, OFFICER},
    harness::Deployment,
};
use chancery_api::v1::{RestoreBackupRequest, RestoreBackupResponse, RestoreHeader, restore_backup_request::Part};
use chancery_client::{Client, ClientError};
use serde_json::Value;
use std::time::{Duration, Instant};
use tonic::Response;

/// Whoever keeps a share: registered, and with keys of P-256.
pub(crate) const CUSTODIANS: [&str; 4] = ["security", "auditor", "ca", "opssc"];

pub(crate) fn client_file(deployment: &Deployment, custodian: &str, file: &str) -> String {
    deployment.client_dir(&format!("org1-{custodian}")).join(file).to_str().unwrap().to_owned()
}

/// Backs org1 up for all [`CUSTODIANS`].
pub(crate) fn back_up(desk: &Desk<'_>, threshold: usize, file: &str) -> Value {
    desk.run(OFFICER, &backing_up(desk, threshold, file))
}

/// The command line that does.
pub(crate) fn backing_up(desk: &Desk<'_>, threshold: usize, file: &str) -> String {
    let certificate = |custodian| client_file(desk.at, custodian, "cert.pem");
    let custodians = CUSTODIANS.map(|custodian| format!("--custodian {custodian}={}", certificate(custodian)));
    let out = desk.path(file);
    format!("backup create org1 --threshold {threshold} --out {out} {}", custodians.join(" "))
}

/// A restore job of a deployment: its file.
pub(crate) fn job(desk: &Desk<'_>, file: &str) -> String {
    desk.run(OFFICER, &format!("backup job org1 --out {}", desk.path(file)));
    desk.path(file)
}

/// What a custodian of `source` types: the sealed share's file.
pub(crate) fn sharing(source: &Deployment, desk: &Desk<'_>, custodian: &str, backup: &str, job: &str) -> String {
    let key = client_file(source, custodian, "key.pem");
    let audit_key = desk.at.dir().join("audit.vkey");
    let out = desk.path(&format!("{custodian}.share"));
    let from = format!("--in {backup} --custodian {custodian} --key {key}");
    format!("backup share {from} --job {job} --audit-key {} --out {out}", audit_key.display())
}

/// Shares, sealed to the job: as options of `backup restore`.
pub(crate) fn shares(source: &Deployment, desk: &Desk<'_>, custodians: &[&str], backup: &str, job: &str) -> String {
    let share = |custodian: &&str| {
        desk.run(OFFICER, &sharing(source, desk, custodian, backup, job));
        format!("--share {} ", desk.path(&format!("{custodian}.share")))
    };
    custodians.iter().map(share).collect()
}

/// Restores a backup of `source` at `desk` with two custodians' shares; `options` say which log there is.
pub(crate) fn restore(source: &Deployment, desk: &Desk<'_>, backup: &str, options: &str) -> Value {
    let job = job(desk, "job.json");
    let shares = shares(source, desk, &["auditor", "opssc"], backup, &job);
    desk.run(OFFICER, &format!("backup restore org1 --in {backup} --job {job} {shares} {options}"))
}

/// The options that name a deployment's log.
pub(crate) fn log_of(deployment: &Deployment) -> String {
    let dir = deployment.dir();
    format!("--log {} --key {}", dir.join("audit").display(), dir.join("audit.vkey").display())
}

/// Restores as another client might, without looking at the file.
pub(crate) async fn send(
    client: &Client,
    header: RestoreHeader,
    file: &[u8],
) -> Result<RestoreBackupResponse, ClientError> {
    let header = RestoreHeader { request_id: crate::shared::id(), ..header };
    let chunks = file.chunks(700).map(|chunk| Part::Chunk(chunk.to_vec()));
    let parts: Vec<_> = [Part::Header(header)].into_iter().chain(chunks).collect();
    let parts = parts.into_iter().map(|part| RestoreBackupRequest { part: Some(part) });
    let answer = client.keys().restore_backup(tokio_stream::iter(parts)).await;
    answer.map(Response::into_inner).map_err(ClientError::from)
}

/// Destroys a version now, and waits until it is.
pub(crate) fn destroy(desk: &Desk<'_>, version: &str) -> Value {
    let (key, _) = version.split_once("/versions/").unwrap();
    let id = key.rsplit('/').next().unwrap();
    desk.run(OFFICER, &format!("keys destroy {version} --after 1s --confirm {id}"));
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let state = state(desk, version);
        if state["state"] == "DESTROYED" {
            return state;
        }
        assert!(Instant::now() < deadline, "{state}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What `keys show` says of a version.
pub(crate) fn state(desk: &Desk<'_>, version: &str) -> Value {
    let (key, _) = version.split_once("/versions/").unwrap();
    let shown = desk.run(OFFICER, &format!("keys show {key}"));
    let versions = shown["versions"].as_array().unwrap();
    versions.iter().find(|found| found["name"] == version).unwrap_or_else(|| panic!("{version}: {shown}")).clone()
}

//! Where a backup is made and where it is to restore, its file's parts, and requests as another client might send them.

use crate::{
    backups::send,
    desk::{Desk, OFFICER, OWNER},
    harness::Deployment,
    restore::job_id,
    shared::{ORG1, key},
    store::blobs,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_api::v1::RestoreHeader;
use chancery_client::Client;
use serde_json::Value;

pub(crate) const MAGIC: usize = b"chancery-backup/v1\n".len();

/// A backup's frames, each with its kind and length.
pub(crate) fn frames(file: &[u8]) -> Vec<Vec<u8>> {
    let (mut frames, mut rest) = (Vec::new(), &file[MAGIC..]);
    while !rest.is_empty() {
        let length = 5 + u32::from_be_bytes(rest[1..5].try_into().unwrap()) as usize;
        frames.push(rest[..length].to_vec());
        rest = &rest[length..];
    }
    frames
}

pub(crate) fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    [&[kind], &u32::try_from(payload.len()).unwrap().to_be_bytes()[..], payload].concat()
}

/// The file with other frames.
pub(crate) fn with_frames(file: &[u8], frames: &[Vec<u8>]) -> Vec<u8> {
    [&file[..MAGIC], &frames.concat()].concat()
}

/// A source with three keys, and another deployment that has none.
pub(crate) struct Places {
    pub(crate) source: Deployment,
    pub(crate) target: Deployment,
}

impl Places {
    pub(crate) fn new() -> Self {
        let places = Self { source: Deployment::start(), target: Deployment::start() };
        let desk = Desk::at(&places.source);
        for (id, algorithm) in [("a", "ec-p256"), ("b", "ec-p256"), ("c", "aes-256")] {
            let purpose = if id == "c" { "encrypt" } else { "sign" };
            let how = format!("--algorithm {algorithm} --purpose {purpose} --protection enclave --owner {OWNER}");
            desk.run(OFFICER, &format!("keys create {} {how}", key(id)));
        }
        places
    }

    /// That nothing of a restore stayed at the target.
    pub(crate) fn nothing_is_there(&self, what: &str) {
        assert_eq!(blobs(&self.target), [], "{what}");
        let keys = Desk::at(&self.target).run(OFFICER, "keys list");
        assert_eq!(keys, Value::Array(Vec::new()), "{what}");
    }
}

/// The sealed shares of a job, and the job, as a request has them.
pub(crate) fn header(desk: &Desk<'_>, custodians: &[&str]) -> RestoreHeader {
    let share = |custodian: &&str| {
        let file: Value = serde_json::from_slice(&desk.read(&format!("{custodian}.share"))).unwrap();
        STANDARD.decode(file["share"].as_str().unwrap()).unwrap()
    };
    RestoreHeader {
        parent: ORG1.into(),
        restore_job: job_id(desk),
        shares: custodians.iter().map(share).collect(),
        without_log: true,
        ..RestoreHeader::default()
    }
}

/// Refused for one of these reasons.
pub(crate) async fn refused(client: &Client, header: RestoreHeader, file: &[u8], what: &str, reasons: &[&str]) {
    let error = send(client, header, file).await.expect_err(what);
    let reason = error.reason.as_deref().unwrap_or_default();
    assert!(reasons.contains(&reason), "{what}: {error}");
}

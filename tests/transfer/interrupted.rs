//! Restores that end half way: nothing of them stays, and the next one is not in their way.

use crate::{
    backups::{back_up, job, send, shares},
    desk::{Desk, OFFICER, OWNER},
    foreign_keys::KINDS,
    harness::signal,
    places::{MAGIC, Places, frames, header},
    shared::{call, id, key},
    store::blobs,
};
use chancery_api::v1::{RestoreBackupRequest, RestoreHeader, restore_backup_request::Part};
use chancery_client::Client;
use std::{
    future::Future,
    time::{Duration, Instant},
};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_stream::wrappers::ReceiverStream;

/// A restore that waits for the rest of its file; a key is in the store already.
struct HalfWay {
    /// The reason why it failed, if it did.
    answer: JoinHandle<Option<String>>,
    parts: mpsc::Sender<RestoreBackupRequest>,
}

async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds().await {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

impl HalfWay {
    async fn begin(places: &Places, officer: &Client, header: RestoreHeader, file: &[u8]) -> Self {
        let (parts, outbound) = mpsc::channel(4);
        let mut keys = officer.keys();
        let answer = tokio::spawn(async move {
            let answer = call(keys.restore_backup(ReceiverStream::new(outbound))).await;
            answer.err().map(|error| error.reason.unwrap_or_default())
        });
        let header = RestoreHeader { request_id: id(), ..header };
        for part in [Part::Header(header), Part::Chunk(file[..first_key(file)].to_vec())] {
            parts.send(RestoreBackupRequest { part: Some(part) }).await.unwrap();
        }
        until("the first key is kept", async || blobs(&places.target).len() == 1).await;
        Self { answer, parts }
    }

    /// Sends the rest; the reason why it failed, if it did.
    async fn end(self, file: &[u8]) -> Option<String> {
        let rest = file[first_key(file)..].to_vec();
        self.parts.send(RestoreBackupRequest { part: Some(Part::Chunk(rest)) }).await.unwrap();
        drop(self.parts);
        self.answer.await.unwrap()
    }
}

/// Where the first entry ends.
fn first_key(file: &[u8]) -> usize {
    MAGIC + frames(file)[..4].iter().map(Vec::len).sum::<usize>()
}

/// A backup of the source, and shares for the target.
fn sealed(places: &Places) -> (Vec<u8>, RestoreHeader) {
    let (desk, there) = (Desk::at(&places.source), Desk::at(&places.target));
    back_up(&desk, 2, "backup");
    let job = job(&there, "job.json");
    shares(&places.source, &there, &["auditor", "ca"], &desk.path("backup"), &job);
    (desk.read("backup"), header(&there, &["auditor", "ca"]))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_an_enclave_or_a_service_that_goes_half_way_leaves_nothing() {
    let mut places = Places::new();
    let officer = places.target.client(OFFICER).await;
    let (file, header) = sealed(&places);
    let half = HalfWay::begin(&places, &officer, header, &file).await;
    half.answer.abort();
    drop(half);
    until("the caller's key is removed", async || blobs(&places.target).is_empty()).await;

    let (file, header) = sealed(&places);
    let half = HalfWay::begin(&places, &officer, header, &file).await;
    signal(places.target.enclave_pid().unwrap(), "KILL");
    until("another enclave serves", async || {
        Desk::at(&places.target).output(OFFICER, "keys list").status.success() && places.target.enclave_pid().is_some()
    })
    .await;
    // The rest comes to an enclave that knows nothing of it.
    assert!(half.end(&file).await.is_some(), "a restore whose enclave was killed succeeded");
    until("the lost restore's key is removed", async || blobs(&places.target).is_empty()).await;
    places.nothing_is_there("after the enclave was killed");

    until("jobs are made again", async || {
        Desk::at(&places.target).output(OFFICER, "backup job org1 --out -").status.success()
    })
    .await;
    let (file, header) = sealed(&places);
    let half = HalfWay::begin(&places, &officer, header, &file).await;
    places.target.kill();
    drop(half);
    places.target.serve();
    places.nothing_is_there("after the service was killed");

    let officer = places.target.client(OFFICER).await;
    let (file, header) = sealed(&places);
    assert_eq!(send(&officer, header, &file).await.unwrap().restored, 3);
    assert_eq!(blobs(&places.target).len(), 3);
}

/// While a key comes back, its name is taken; one that was made before its turn came is not written over.
#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_made_meanwhile_are_not_lost() {
    let places = Places::new();
    let there = Desk::at(&places.target);
    let officer = places.target.client(OFFICER).await;
    let create = |id: &str| format!("keys create {} --algorithm ec-p256 --protection enclave --owner {OWNER}", key(id));
    let (file, header) = sealed(&places);
    let half = HalfWay::begin(&places, &officer, header, &file).await;
    assert_eq!(there.refused(OFFICER, &create("a")).reason, "BUSY");
    there.run(OFFICER, &create("b"));
    assert_eq!(half.end(&file).await.as_deref(), Some("WRONG_STATE"));

    let kept: Vec<_> = blobs(&places.target).into_iter().map(|(version, _)| version).collect();
    assert_eq!(kept, [format!("{}/versions/1", key("b"))]);
    there.run(OFFICER, &create("a"));
    for id in ["a", "b"] {
        let public = there.file("public.pem", there.public(&key(id), "pem"));
        assert!(KINDS[0].verifies(&there, &key(id), &public), "{id}");
    }
}

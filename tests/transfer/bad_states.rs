//! States that come with a restore: nobody makes the service keep any who may not restore, nor more than are sound.

use crate::{
    desk::OFFICER,
    harness::Deployment,
    shared::{ORG1, id},
};
use chancery_api::{
    reasons,
    v1::{LoggedStates, RestoreBackupRequest, RestoreHeader, restore_backup_request::Part},
};
use chancery_audit::checkpoint::Checkpoint;
use chancery_client::{Client, ClientError};
use std::time::{Duration, Instant};
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::{Stream, StreamExt as _, wrappers::ReceiverStream};

/// Long enough for any answer that comes at all.
const PATIENCE: Duration = Duration::from_secs(60);

fn message(part: Part) -> RestoreBackupRequest {
    RestoreBackupRequest { part: Some(part) }
}

fn header() -> RestoreBackupRequest {
    let checkpoint = Checkpoint { origin: "example/audit".into(), size: 12, root: [7; 32] }.text();
    let header = RestoreHeader { parent: ORG1.into(), request_id: id(), checkpoint, ..RestoreHeader::default() };
    message(Part::Header(header))
}

fn empty_states(count: usize) -> RestoreBackupRequest {
    message(Part::LoggedStates(LoggedStates { states: vec![Vec::new(); count] }))
}

/// Why a restore is refused while its caller has not hung up.
async fn refused(client: &Client, parts: impl Stream<Item = RestoreBackupRequest> + Send + 'static) -> Option<String> {
    let mut keys = client.keys();
    let answer = timeout(PATIENCE, keys.restore_backup(parts)).await.expect("there is no answer");
    ClientError::from(answer.expect_err("it was restored")).reason
}

/// The service decides by the header: it needs nothing of what follows, and waits for none of it.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_restore_is_told_so_before_anything_else_is_read() {
    let deployment = Deployment::start();
    for stranger in ["org1-peer0", "org2-security"] {
        let client = deployment.client(stranger).await;
        let nothing_more = tokio_stream::once(header()).chain(tokio_stream::pending());
        assert_eq!(refused(&client, nothing_more).await.as_deref(), Some(reasons::DENIED), "{stranger}");
        let without_end =
            tokio_stream::once(header()).chain(tokio_stream::iter(std::iter::repeat_with(|| empty_states(1_000))));
        assert_eq!(refused(&client, without_end).await.as_deref(), Some(reasons::DENIED), "{stranger}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn states_without_bytes_are_not_taken_for_ever() {
    let deployment = Deployment::start();
    let officer = deployment.client(OFFICER).await;
    let without_end =
        tokio_stream::once(header()).chain(tokio_stream::iter(std::iter::repeat_with(|| empty_states(100_000))));
    assert_eq!(refused(&officer, without_end).await.as_deref(), Some(reasons::TOO_LARGE));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_has_one_restore_at_a_time() {
    let deployment = Deployment::start();
    let officer = deployment.client(OFFICER).await;
    let (parts, outbound) = mpsc::channel(1);
    parts.send(header()).await.unwrap();
    let first = tokio::spawn({
        let mut keys = officer.keys();
        async move { keys.restore_backup(ReceiverStream::new(outbound)).await.map(|_| ()) }
    });
    // One that ends at once, having sent no file.
    let until = async |reason: &str| {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let told = refused(&officer, tokio_stream::once(header())).await;
            if told.as_deref() == Some(reason) {
                return;
            }
            assert!(Instant::now() < deadline, "{told:?}, and never {reason}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    until(reasons::BUSY).await;
    assert!(!first.is_finished(), "it waits for its states yet");
    drop(parts);
    let ended = timeout(PATIENCE, first).await.unwrap().unwrap().unwrap_err();
    assert_eq!(ClientError::from(ended).reason.as_deref(), Some(reasons::INVALID_ARGUMENT));
    until(reasons::INVALID_ARGUMENT).await;
}

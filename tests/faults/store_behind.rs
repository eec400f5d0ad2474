//! A store that fell behind its log, as a crash leaves it: changes are brought forward, and their retries get the first
//! answer instead of a second change.

use crate::{harness::Deployment, load::create};
use chancery_api::v1::{
    ActivateKeyVersionRequest, Algorithm, CopyObjectRequest, DeactivateKeyVersionRequest, DeleteObjectRequest, Key,
    MarkKeyVersionCompromisedRequest, RestoreKeyVersionRequest, RotateKeyRequest, ScheduleKeyVersionDestructionRequest,
    SuspendKeyVersionRequest, UpdateKeyRequest,
};
use chancery_client::{Client, request_id};
use prost_types::FieldMask;
use rusqlite::Connection;
use std::path::Path;

/// One change of each kind, of a key of its own.
struct Changes {
    update: UpdateKeyRequest,
    rotate: RotateKeyRequest,
    suspend: SuspendKeyVersionRequest,
    activate: ActivateKeyVersionRequest,
    deactivate: DeactivateKeyVersionRequest,
    compromise: MarkKeyVersionCompromisedRequest,
    schedule: ScheduleKeyVersionDestructionRequest,
    restore: RestoreKeyVersionRequest,
}

fn key(id: &str) -> String {
    format!("organizations/org1/keys/{id}")
}

fn version(id: &str) -> String {
    format!("{}/versions/1", key(id))
}

impl Changes {
    fn new() -> Self {
        let labels = [("env".to_owned(), "test".to_owned())].into();
        let wait = Some(prost_types::Duration { seconds: 24 * 3600, nanos: 0 });
        Self {
            update: UpdateKeyRequest {
                key: Some(Key { name: key("update"), labels, ..Key::default() }),
                update_mask: Some(FieldMask { paths: vec!["labels".into()] }),
                request_id: request_id(),
            },
            rotate: RotateKeyRequest { name: key("rotate"), request_id: request_id() },
            suspend: SuspendKeyVersionRequest { name: version("suspend"), request_id: request_id() },
            activate: ActivateKeyVersionRequest { name: version("activate"), request_id: request_id() },
            deactivate: DeactivateKeyVersionRequest { name: version("deactivate"), request_id: request_id() },
            compromise: MarkKeyVersionCompromisedRequest { name: version("compromise"), request_id: request_id() },
            schedule: ScheduleKeyVersionDestructionRequest {
                name: version("schedule"),
                request_id: request_id(),
                wait,
                ..ScheduleKeyVersionDestructionRequest::default()
            },
            restore: RestoreKeyVersionRequest { name: version("restore"), request_id: request_id() },
        }
    }

    async fn make(&self, by: &Client) -> Vec<Key> {
        let mut keys = by.keys();
        let answers = [
            keys.update_key(self.update.clone()).await,
            keys.rotate_key(self.rotate.clone()).await,
            keys.suspend_key_version(self.suspend.clone()).await,
            keys.activate_key_version(self.activate.clone()).await,
            keys.deactivate_key_version(self.deactivate.clone()).await,
            keys.mark_key_version_compromised(self.compromise.clone()).await,
            keys.schedule_key_version_destruction(self.schedule.clone()).await,
            keys.restore_key_version(self.restore.clone()).await,
        ];
        answers.into_iter().map(|answer| answer.unwrap().into_inner()).collect()
    }
}

/// Takes back what a store was told since `old` was copied, but not which requests were begun.
fn fall_behind(store: &Path, old: &Path) {
    let store = Connection::open(store).unwrap();
    store.execute("ATTACH ?1 AS old", [old.to_str().unwrap()]).unwrap();
    store
        .execute_batch(
            "DELETE FROM resources;
             INSERT INTO resources SELECT * FROM old.resources;
             UPDATE deployment SET log_size = (SELECT log_size FROM old.deployment);
             UPDATE requests SET answer = NULL;",
        )
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_only_the_log_has_is_answered_as_it_was() {
    let mut deployment = Deployment::start();
    for id in ["update", "rotate", "suspend", "activate", "deactivate", "compromise", "schedule", "restore"] {
        create(&deployment, id, Algorithm::EcP256).await;
    }
    let officer = deployment.client("org1-security").await;
    let before = Changes::new();
    let suspend = SuspendKeyVersionRequest { name: version("activate"), ..before.suspend.clone() };
    officer.keys().suspend_key_version(suspend).await.unwrap();
    let schedule = ScheduleKeyVersionDestructionRequest { name: version("restore"), ..before.schedule.clone() };
    officer.keys().schedule_key_version_destruction(schedule).await.unwrap();
    deployment.stop();
    let (store, old) = (deployment.dir().join("data/store.sqlite"), deployment.dir().join("old.sqlite"));
    // Whole, with what its write-ahead log holds.
    Connection::open(&store).unwrap().execute("VACUUM INTO ?1", [old.to_str().unwrap()]).unwrap();

    deployment.serve();
    let changes = Changes::new();
    let first = changes.make(&deployment.client("org1-security").await).await;
    deployment.kill();
    fall_behind(&store, &old);

    deployment.serve();
    let again = changes.make(&deployment.client("org1-security").await).await;
    assert_eq!(again, first);
}

/// Fabric's `Immutable`, interrupted: which copy was made is told again, and the original is gone by the same request.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_objects_that_only_the_log_has_are_answered_as_they_were() {
    let mut deployment = Deployment::start();
    create(&deployment, "copied", Algorithm::EcP256).await;
    deployment.stop();
    let (store, old) = (deployment.dir().join("data/store.sqlite"), deployment.dir().join("old.sqlite"));
    Connection::open(&store).unwrap().execute("VACUUM INTO ?1", [old.to_str().unwrap()]).unwrap();

    deployment.serve();
    let name = format!("{}/objects/public", version("copied"));
    let copy = CopyObjectRequest { name: name.clone(), request_id: request_id(), ..CopyObjectRequest::default() };
    let drop = DeleteObjectRequest { name, request_id: request_id() };
    let make = async |peer: Client| {
        let mut objects = peer.objects();
        let copied = objects.copy_object(copy.clone()).await.unwrap().into_inner();
        (copied, objects.delete_object(drop.clone()).await.unwrap().into_inner())
    };
    let first = make(deployment.client("org1-peer0").await).await;
    assert_eq!(first.0.name, format!("{}/objects/public-2", version("copied")));
    deployment.kill();
    fall_behind(&store, &old);

    deployment.serve();
    assert_eq!(make(deployment.client("org1-peer0").await).await, first);
}

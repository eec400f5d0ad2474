//! Start-up with a store that is missing, damaged, another's, read-only or edited: refused, or the edited resource is.

use crate::{
    attempt::{Kept, attempt, copy, start},
    harness::{Deployment, chanceryd, expect_code},
    load::{create, create_with, creation, request, sign},
};
use chancery_api::{
    reasons, state,
    v1::{Algorithm, GetKeyRequest},
};
use chancery_client::Code;
use prost::Message;
use rusqlite::Connection;
use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, process::Command};

fn path(deployment: &Deployment) -> PathBuf {
    deployment.dir().join("data/store.sqlite")
}

fn execute(deployment: &Deployment, sql: &str) -> usize {
    Connection::open(path(deployment)).unwrap().execute(sql, []).unwrap()
}

/// One row's message, changed and written back: under its name, or as a new row under another.
fn edit<M: Message + Default>(
    deployment: &Deployment,
    name: &str,
    new_name: Option<&str>,
    change: impl FnOnce(&mut M),
) {
    let store = Connection::open(path(deployment)).unwrap();
    let read = "SELECT type, value FROM resources WHERE name = ?1";
    let (kind, value) = store
        .query_row(read, [name], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?)))
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut message = M::decode(value.as_slice()).unwrap();
    change(&mut message);
    let row = (new_name.unwrap_or(name), kind, message.encode_to_vec());
    store.execute("INSERT OR REPLACE INTO resources (name, type, value) VALUES (?1, ?2, ?3)", row).unwrap();
}

#[test]
fn a_store_that_is_missing_damaged_or_anothers_is_refused() {
    let (mut deployment, mut other) = (Deployment::start(), Deployment::start());
    deployment.stop();
    other.stop();
    let whole = Kept::new(deployment.dir());
    let path = path(&deployment);

    fs::remove_file(&path).unwrap();
    start(&deployment).refused(74, &["no store at", "store.sqlite"]);
    assert!(!path.exists(), "a store is never made by accident");
    whole.restore();

    let bytes = fs::read(&path).unwrap();
    for damaged in [b"no database, for sure, whatever it is".repeat(200), bytes[..bytes.len() / 2].to_vec(), {
        let mut bytes = bytes.clone();
        bytes[4096..6000].fill(0xff);
        bytes
    }] {
        fs::write(&path, damaged).unwrap();
        start(&deployment).refused(74, &["store", "damaged"]);
        whole.restore();
    }
    // SQLite takes an empty file for an empty database.
    fs::write(&path, []).unwrap();
    start(&deployment).refused(74, &["store"]);
    whole.restore();

    fs::remove_file(&path).unwrap();
    copy(&other.dir().join("data/store.sqlite"), &path);
    start(&deployment).refused(74, &["store", "deployment"]);
    whole.restore();

    execute(&deployment, "UPDATE deployment SET log_size = log_size + 1000");
    start(&deployment).refused(74, &["rolled back"]);
    whole.restore();
    start(&deployment).served();
}

/// Root writes where it likes, so the service runs without that capability.
#[test]
fn a_read_only_data_directory_is_refused() {
    let mut deployment = Deployment::start();
    deployment.stop();
    let data = deployment.dir().join("data");
    let serve = |expected: Option<&str>| {
        let mut command = Command::new("setpriv");
        command.args(["--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"]).arg(chanceryd());
        command.args(["serve", "--check", "--config"]).arg(deployment.dir().join("chancery.toml"));
        let output = command.output().unwrap();
        match expected {
            Some(word) => {
                expect_code(&output, 74);
                let text = String::from_utf8_lossy(&output.stderr);
                assert!(text.contains(word), "{word:?} is missing in: {text}");
            }
            None => expect_code(&output, 0),
        }
    };
    // Whoever may not give up capabilities has none to give up.
    let is_permitted = Command::new("setpriv").args(["--bounding-set=-all", "true"]).status().unwrap().success();
    if !is_permitted {
        eprintln!("SKIPPED: setpriv may not drop capabilities here");
        return;
    }
    serve(None);
    let (file, directory) = (fs::Permissions::from_mode(0o400), fs::Permissions::from_mode(0o500));
    fs::set_permissions(path(&deployment), file).unwrap();
    fs::set_permissions(&data, directory).unwrap();
    serve(Some("store"));
    fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).unwrap();
    fs::set_permissions(path(&deployment), fs::Permissions::from_mode(0o600)).unwrap();
    serve(None);
}

/// The log is the authority: what was edited in SQLite is refused and the reason told, what was added is nothing, and
/// everything else goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edited_store_takes_its_resource_out_of_use() {
    let mut deployment = Deployment::start();
    for id in ["state", "owner", "deleted", "primary", "untouched"] {
        create(&deployment, id, Algorithm::EcP256).await;
    }
    deployment.stop();
    let key = |id: &str| format!("organizations/org1/keys/{id}");
    let version = |id: &str| format!("{}/versions/1", key(id));
    edit(&deployment, &version("state"), None, |row: &mut state::KeyVersion| row.state = "SUSPENDED".into());
    let client = "organizations/org1/principals/client";
    edit(&deployment, &key("owner"), None, |row: &mut state::Key| row.owner = client.into());
    for sql in [
        format!("DELETE FROM resources WHERE name = '{}'", version("deleted")),
        format!("UPDATE resources SET value = x'ff' WHERE name = '{}'", key("primary")),
    ] {
        assert_eq!(execute(&deployment, &sql), 1, "{sql}");
    }
    let (ghost, ghosts) = (key("ghost"), version("ghost"));
    edit(&deployment, &key("untouched"), Some(&ghost), |row: &mut state::Key| row.name.clone_from(&ghost));
    let ghostly = |row: &mut state::KeyVersion| row.name.clone_from(&ghosts);
    edit(&deployment, &version("untouched"), Some(&ghosts), ghostly);
    // An auditor that makes itself an officer, and an organization that lets everybody enrol.
    let auditor = "organizations/org1/principals/auditor";
    edit(&deployment, auditor, None, |row: &mut state::Registration| row.role = "security-officer".into());
    let everybody = ["peer", "client", "ca"].map(str::to_owned).to_vec();
    let enrols = |row: &mut state::Organization| row.enrolling_roles = everybody;
    edit(&deployment, "organizations/org2", None, enrols);
    deployment.serve();
    let peer = deployment.client("org1-peer0").await;
    for (id, says) in [
        ("state", "the store says state SUSPENDED, the log says ACTIVE"),
        ("owner", "the store says owner organizations/org1/principals/client"),
        ("deleted", "the store has lost its row"),
        ("primary", "malformed"),
    ] {
        let error = sign(&peer, request(&key(id))).await.unwrap_err();
        assert_eq!(error.reason.as_deref(), Some(reasons::STATE_MISMATCH), "{id}: {error:?}");
        assert!(!error.retryable && error.message.contains(says), "{error:?}");
    }
    sign(&peer, request(&key("untouched"))).await.unwrap();
    let log = deployment.stderr();
    assert_eq!(log.matches("STATE_MISMATCH").count(), 8, "one line for each edit: {log}");

    // The new owner of the store owns nothing.
    let client = deployment.client("org1-client").await;
    let error = sign(&client, request(&key("owner"))).await.unwrap_err();
    assert_eq!(error.code, Code::PermissionDenied, "{error:?}");
    let officer = deployment.client("org1-security").await;
    let ghost = officer.keys().get_key(GetKeyRequest { name: key("ghost") }).await.unwrap_err();
    assert_eq!(ghost.code(), Code::NotFound, "{ghost:?}");
    assert!(sign(&peer, request(&key("ghost"))).await.is_err());
    let auditor = deployment.client("org1-auditor").await;
    assert!(create_with(&auditor, creation("mine", Algorithm::EcP256)).await.is_err());
    let stranger = deployment.client("org2-peer0").await;
    let mut wanted = creation("mine", Algorithm::EcP256);
    wanted.parent = "organizations/org2".into();
    wanted.key = wanted.key.map(|key| chancery_api::v1::Key { owner: String::new(), ..key });
    let error = create_with(&stranger, wanted).await.unwrap_err();
    assert_eq!(error.code, Code::PermissionDenied, "{error:?}");

    // What disagrees goes on disagreeing.
    deployment.stop();
    deployment.serve();
    let peer = deployment.client("org1-peer0").await;
    let error = sign(&peer, request(&key("state"))).await.unwrap_err();
    assert_eq!(error.reason.as_deref(), Some(reasons::STATE_MISMATCH), "{error:?}");
}

/// One service at a time has a data directory.
#[test]
fn two_services_do_not_share_a_data_directory() {
    let deployment = Deployment::start();
    start(&deployment).refused(74, &["another chanceryd runs on"]);
    let config = deployment.dir().join("chancery.toml");
    attempt(&["serve".as_ref(), "--config".as_ref(), config.as_os_str()]).refused(74, &["another chanceryd runs on"]);
    expect_code(&deployment.chancery("org1-peer0", &["status"]), 0);
}

//! A backup restored where it was not made: everything that can come back does, and nothing that was destroyed.

use crate::{
    backups::{CUSTODIANS, back_up, destroy, job, log_of, restore, send, shares, state},
    desk::{Desk, NODE, OFFICER, OWNER},
    foreign_keys::KINDS,
    harness::{Deployment, expect_code},
    shared::{ORG1, key},
    store::{blobs, wrapped_keys},
};
use chancery_api::v1::RestoreHeader;
use serde_json::Value;
use std::collections::HashMap;

/// Keys of the enclave that are made at the source: id, algorithm, purpose.
const MADE: [(&str, &str, &str); 6] = [
    ("p256", "ec-p256", "sign"),
    ("edwards", "ed25519", "sign"),
    ("shangmi", "sm2", "sign"),
    ("lattice", "ml-dsa-44", "sign"),
    ("agrees", "x25519", "agree"),
    ("aes", "aes-256", "encrypt"),
];

/// The source's keys, and what proves later that they are the same.
struct Source {
    deployment: Deployment,
    public: HashMap<String, String>,
}

impl Source {
    fn with_keys() -> Self {
        let deployment = Deployment::start();
        let desk = Desk::at(&deployment);
        let create = |id: &str, algorithm: &str, purpose: &str, protection: &str| {
            let how = format!("--algorithm {algorithm} --purpose {purpose} --protection {protection}");
            desk.run(OFFICER, &format!("keys create {} {how} --owner {OWNER}", key(id)));
        };
        for (id, algorithm, purpose) in MADE {
            create(id, algorithm, purpose, "enclave");
        }
        for id in ["gone-before", "gone-since", "sleeps", "retired"] {
            create(id, "ec-p256", "sign", "enclave");
        }
        create("in-token", "ec-p256", "sign", "token");
        desk.run(OFFICER, &format!("keys rotate {}", key("p256")));
        desk.run(OFFICER, &format!("keys suspend {}/versions/1", key("sleeps")));
        desk.run(OFFICER, &format!("keys deactivate {}/versions/1", key("retired")));
        desk.import(&key("imported"), &desk.generate("imported.key", KINDS[0].made_by), "--protection enclave");
        destroy(&desk, &version("gone-before"));
        let signing = ["p256", "edwards", "shangmi", "lattice", "agrees", "imported", "sleeps", "retired"];
        let public = signing.map(|id| (id.to_owned(), desk.public(&format!("{}/versions/1", key(id)), "pem")));
        drop(desk);
        Self { deployment, public: public.into() }
    }

    /// Something that only the source's AES key opens.
    fn encrypt(&self, desk: &Desk<'_>) -> String {
        let (plain, sealed) = (desk.file("plain", "for later"), desk.path("sealed"));
        let at = Desk::at(&self.deployment);
        at.run(NODE, &format!("encrypt {} --in {plain} --out {sealed}", key("aes")));
        sealed
    }

    /// The keys at `desk` are the source's, and do what they did there.
    fn is_at(&self, desk: &Desk<'_>, sealed: &str) {
        for (id, public) in &self.public {
            assert_eq!(&desk.public(&format!("{}/versions/1", key(id)), "pem"), public, "{id}");
        }
        for (id, algorithm) in
            [("p256", "ec-p256"), ("edwards", "ed25519"), ("shangmi", "sm2"), ("imported", "ec-p256")]
        {
            let version = version(id);
            let public = desk.file("source.pem", &self.public[id]);
            let kind = KINDS.iter().find(|kind| kind.algorithm == algorithm).unwrap();
            assert!(kind.verifies(desk, &version, &public), "{id}");
        }
        let opened = desk.path("opened");
        desk.run(NODE, &format!("decrypt {} --in {sealed} --out {opened}", key("aes")));
        assert_eq!(desk.read("opened"), b"for later");
        let message = desk.file("message", "a message");
        let signature = desk.path("signature");
        desk.run(NODE, &format!("sign {} --in {message} --out {signature}", key("lattice")));
        let verify = format!("verify {} --in {message} --signature {signature}", key("lattice"));
        expect_code(&Desk::at(&self.deployment).output(NODE, &verify), 0);
    }
}

fn version(id: &str) -> String {
    format!("{}/versions/1", key(id))
}

fn counts(answer: &Value) -> [u64; 4] {
    ["restored", "present", "destroyed", "token_versions"].map(|name| answer[name].as_u64().unwrap())
}

/// 6 made, 1 rotated, 1 imported, suspended, deactivated and gone-since.
const IN_BACKUP: u64 = 11;

#[test]
fn with_the_log_what_was_destroyed_stays_so_and_everything_else_comes_back() {
    let source = Source::with_keys();
    let desk = Desk::at(&source.deployment);
    let made = back_up(&desk, 2, "backup");
    assert_eq!((&made["versions"], &made["token_versions"]), (&IN_BACKUP.into(), &1.into()));
    let listed = desk.run(OFFICER, "backup list org1");
    assert_eq!(listed, Value::Array(vec![made.clone()]));
    let shown = desk.run(OFFICER, &format!("backup show {}", desk.path("backup")));
    assert_eq!((&shown["backup"], &shown["sha256"]), (&made["name"], &made["sha256"]));
    let custodians = CUSTODIANS.map(|name| format!("{ORG1}/principals/{name}"));
    assert_eq!(shown["custodians"], serde_json::json!(custodians));
    let gone = destroy(&desk, &version("gone-since"));
    let revivable = gone["revivable_by"].as_array().unwrap();
    assert!(revivable.contains(&made["name"]), "{gone}");

    let target = Deployment::start();
    let there = Desk::at(&target);
    let sealed = source.encrypt(&there);
    let backup = desk.path("backup");
    let answer = restore(&source.deployment, &there, &backup, &log_of(&source.deployment));
    assert_eq!(counts(&answer), [IN_BACKUP - 1, 0, 2, 1], "{answer}");
    source.is_at(&there, &sealed);

    let restored = state(&there, &version("p256"));
    assert_eq!((&restored["restored_from"], &restored["origin"]), (&made["name"], &"restored".into()));
    assert_eq!(state(&there, &version("imported"))["origin"], "imported");
    for (id, expected) in
        [("gone-before", "DESTROYED"), ("gone-since", "DESTROYED"), ("sleeps", "SUSPENDED"), ("retired", "DEACTIVATED")]
    {
        assert_eq!(state(&there, &version(id))["state"], expected, "{id}");
        let message = there.file("message", "a message");
        let refused =
            there.refused(NODE, &format!("sign {} --in {message} --out {}", version(id), there.path("signature")));
        assert_eq!(refused.reason, "WRONG_STATE", "{id}: {refused:?}");
    }
    there.run(OFFICER, &format!("keys activate {}", version("sleeps")));
    assert!(KINDS[0].verifies(&there, &version("sleeps"), &there.file("sleeps.pem", &source.public["sleeps"])));
    assert_eq!(there.refused(OFFICER, &format!("keys show {}", key("in-token"))).reason, "NOT_FOUND");
    for id in ["gone-before", "gone-since"] {
        assert_eq!(wrapped_keys(&target, &key(id)), [""; 0]);
    }

    // Known as destroyed here from now on, whatever is said of logs.
    let again = restore(&source.deployment, &there, &backup, "--without-log");
    assert_eq!(counts(&again), [0, IN_BACKUP - 1, 2, 1], "{again}");
    assert_eq!(state(&there, &version("gone-since"))["state"], "DESTROYED");
    // The records say with which log, and when without one.
    let records = there.run("org1-auditor", "audit list");
    let said = |name: &str| recorded(&records, name);
    let log: Value = said("log").into_iter().next().unwrap();
    let (origin, size) = log.as_str().unwrap().rsplit_once(' ').unwrap();
    let checkpoint = std::fs::read_to_string(source.deployment.dir().join("audit/checkpoint")).unwrap();
    assert_eq!(Some(origin), checkpoint.lines().next());
    assert!(size.parse::<u64>().unwrap() > 10, "{log}");
    let states: u64 = said("loggedStates")[0].as_str().unwrap().parse().unwrap();
    assert!(states > IN_BACKUP, "keys and versions: {states}");
    assert!(said("withoutLog").contains(&"true".into()), "{records}");
    expect_code(&target.verify_log(), 0);

    let mut target = target;
    target.stop();
    target.serve();
    let there = Desk::at(&target);
    source.is_at(&there, &there.file("sealed", std::fs::read(&sealed).unwrap_or_default()));
}

/// Also of an organization that never had an enclave key.
#[test]
fn a_backup_of_nothing_restores_nothing() {
    let source = Deployment::start();
    let desk = Desk::at(&source);
    let made = back_up(&desk, 2, "backup");
    assert_eq!((&made["versions"], &made["token_versions"]), (&0.into(), &0.into()));
    let answer = restore(&source, &desk, &desk.path("backup"), &log_of(&source));
    assert_eq!(counts(&answer), [0; 4], "{answer}");
}

/// That is what --without-log says, and why the record says it too.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_log_nobody_here_knows_what_was_destroyed_since() {
    let source = Source::with_keys();
    let desk = Desk::at(&source.deployment);
    back_up(&desk, 2, "backup");
    destroy(&desk, &version("gone-since"));
    let target = Deployment::start();
    let there = Desk::at(&target);
    let backup = desk.path("backup");

    let job = job(&there, "job.json");
    let shares = shares(&source.deployment, &there, &["security", "ca", "auditor"], &backup, &job);
    let line = format!("backup restore org1 --in {backup} --job {job} {shares}");
    expect_code(&there.output(OFFICER, &line), 64);
    let header = RestoreHeader { parent: ORG1.into(), restore_job: job_id(&there), ..RestoreHeader::default() };
    let refused = send(&target.client(OFFICER).await, header, &desk.read("backup")).await.unwrap_err();
    assert_eq!(refused.reason.as_deref(), Some("CONFIRMATION_NEEDED"), "{refused}");
    assert_eq!(blobs(&target), []);

    // One share more than is needed does no harm.
    let answer = there.run(OFFICER, &format!("{line} --without-log"));
    assert_eq!(counts(&answer), [IN_BACKUP, 0, 1, 1], "{answer}");
    assert_eq!(state(&there, &version("gone-since"))["state"], "ACTIVE");
    let records = there.run("org1-auditor", "audit list");
    let said = recorded(&records, "withoutLog");
    assert!(said.contains(&"true".into()) && said.contains(&"false".into()), "{said:?}");
}

/// What the records of restores say of a circumstance.
fn recorded(records: &Value, name: &str) -> Vec<Value> {
    let restores = records.as_array().unwrap().iter().filter(|record| record["action"] == "RestoreBackup");
    let said = |record: &Value| {
        let context = record["context"].as_array().unwrap();
        context.iter().find(|value| value["key"] == name).map(|value| value["value"].clone())
    };
    restores.filter_map(said).collect()
}

/// The id of the job in `job.json`.
pub(crate) fn job_id(desk: &Desk<'_>) -> Vec<u8> {
    let job: Value = serde_json::from_slice(&desk.read("job.json")).unwrap();
    hex::decode(job["id"].as_str().unwrap()).unwrap()
}

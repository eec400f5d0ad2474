//! Every operation that takes two officers does: keys that end, leave, come in or come back.

use crate::{
    harness::expect_code,
    place::{NODE, OFFICER, Place, SECOND},
    shared::key,
};
use std::{fs, process::Command};
use tempfile::TempDir;

#[tokio::test]
async fn what_ends_a_key() {
    let place = Place::new("waiting_period = \"0s\"").await;
    let name = place.key("one");
    let version = format!("{name}/versions/1");
    // What can be undone is done at once.
    place.run(OFFICER, &format!("keys suspend {version}"));
    place.run(OFFICER, &format!("keys activate {version}"));
    place.asked(&format!("keys deactivate {version}"));
    // Not the only ACTIVE version any more.
    place.run(OFFICER, &format!("keys rotate {name}"));
    place.run(OFFICER, &format!("keys deactivate {version}"));
    let last = format!("keys deactivate {name}/versions/2");
    place.asked(&last);
    assert_eq!(place.state(&name, 2), "ACTIVE");
    place.approved(&last);
    assert_eq!(place.state(&name, 2), "DEACTIVATED");
    place.approved(&format!("keys compromise {version}"));
    assert_eq!(place.state(&name, 1), "COMPROMISED");

    let rewrapped = place.approved("keys rewrap org1 --confirm org1");
    assert_eq!(rewrapped["generation"], 2, "{rewrapped}");
    place.asked("keys rewrap org1 --confirm org1");
}

#[tokio::test]
async fn what_leaves_comes_in_and_comes_back() {
    let place = Place::new("waiting_period = \"0s\"").await;
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let audit_key = place.0.dir().join("audit.vkey").to_str().unwrap().to_owned();

    // What is sealed is sealed anew each time: what was approved is where the key goes.
    let private = path("outside.pem");
    let made = Command::new("openssl")
        .args(["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", &private])
        .output()
        .unwrap();
    expect_code(&made, 0);
    let import = |id: &str| {
        let name = key(id);
        format!("keys import {name} --in {private} --protection enclave --owner peer0 --audit-key {audit_key}")
    };
    let approval = place.asked(&import("brought"));
    assert_ne!(place.asked(&import("other")), approval, "another name needs its own");
    place.run(SECOND, &format!("approvals approve {approval}"));
    place.run(OFFICER, &import("brought"));
    fs::write(path("m"), "m").unwrap();
    place.run(NODE, &format!("sign {} --in {} --out {}", key("brought"), path("m"), path("s")));

    let file = |custodian: &str, file: &str| place.0.client_dir(custodian).join(file).to_str().unwrap().to_owned();
    let out = path("backup");
    let create = format!(
        "backup create org1 --threshold 2 --out {out} --custodian security={} --custodian second={}",
        file(OFFICER, "cert.pem"),
        file(SECOND, "cert.pem")
    );
    let fewer = create.replace("--threshold 2", "--threshold 1");
    let approval = place.asked(&create);
    place.run(SECOND, &format!("approvals approve {approval}"));
    assert_eq!(place.refused(OFFICER, &fewer).reason, "DENIED", "other content is another request");
    place.run(OFFICER, &create);
    assert_eq!(place.run(OFFICER, "backup list org1").as_array().unwrap().len(), 1);

    // What custodians and an officer type: a job, shares sealed to it, and the restore.
    let restore = |attempt: &str| {
        let job = path(&format!("job-{attempt}"));
        place.run(OFFICER, &format!("backup job org1 --out {job}"));
        let share = |(custodian, name): (&str, &str)| {
            let (key, share) = (file(custodian, "key.pem"), path(&format!("{name}-{attempt}")));
            let how = format!("--in {out} --custodian {name} --key {key}");
            place.run(OFFICER, &format!("backup share {how} --job {job} --audit-key {audit_key} --out {share}"));
            format!("--share {share}")
        };
        let shares = [(OFFICER, "security"), (SECOND, "second")].map(share).join(" ");
        format!("backup restore org1 --in {out} --job {job} {shares} --without-log")
    };
    let approval = place.asked(&restore("first"));
    place.run(SECOND, &format!("approvals approve {approval}"));
    let restored = place.run(OFFICER, &restore("second"));
    assert_eq!(restored["present"], 1, "{restored}");
    let listed = place.approvals("");
    assert!(!listed.contains(&approval), "it was used: {listed:?}");
}

//! Disk, store and token put back together, as from a snapshot: the service itself can't tell.

use crate::{
    desk::{create, health, open, said, status, text, until, watched},
    harness::expect_code,
};
use chancery_audit::checkpoint::VerifierKey;
use std::fs;

#[test]
fn what_was_rolled_back_never_gets_ready_and_says_why() {
    let (mut deployment, witnesses) = watched();
    open(&deployment, &witnesses);
    deployment.stop();
    let mut snapshot = deployment.copy();

    deployment.serve();
    open(&deployment, &witnesses);
    for at in 0..20 {
        expect_code(&create(&deployment, &format!("key{at}")), 0);
    }
    let key: VerifierKey = text(&deployment.dir(), "audit.vkey").parse().unwrap();
    until("a cosigned checkpoint of them all", || {
        ["org1", "org2"].iter().for_each(|organization| witnesses.cosign(organization, &deployment));
        key.open_note(&text(&witnesses.state("org1"), "checkpoint")).unwrap().size > 40
    });
    // A client's own memory, which is not on the service's disk.
    expect_code(&deployment.chancery("org1-peer0", &["status"]), 0);
    let seen = |of: &crate::harness::Deployment| of.client_dir("org1-peer0").join("checkpoint.seen");
    let remembered = fs::read(seen(&deployment)).unwrap();
    deployment.stop();

    snapshot.serve();
    assert_eq!(health(&snapshot), "NOT_SERVING");
    // The client stops by itself, with both notes.
    fs::write(seen(&snapshot), &remembered).unwrap();
    let refused = snapshot.chancery("org1-peer0", &["status"]);
    expect_code(&refused, 1);
    assert!(said(&refused).contains("rolled back"), "{}", said(&refused));
    let evidence = fs::read_dir(snapshot.client_dir("org1-peer0")).unwrap().flatten();
    let evidence: Vec<_> =
        evidence.filter(|entry| entry.file_name().to_string_lossy().contains(".evidence-")).collect();
    assert_eq!(fs::read(evidence[0].path().join("kept.note")).unwrap(), remembered);
    assert_eq!(fs::read(seen(&snapshot)).unwrap(), remembered, "what was seen stays");

    let found = witnesses.once("org1", &snapshot);
    expect_code(&found, 1);
    assert!(said(&found).contains("rolled back"), "{}", said(&found));
    for _ in 0..2 {
        assert_eq!(health(&snapshot), "NOT_SERVING");
        let why = status(&snapshot)["witnessing"]["refused"].as_str().unwrap().to_owned();
        assert!(why.contains("rolled back"), "{why}");
        let refused = create(&snapshot, "too-late");
        expect_code(&refused, 65);
        assert!(said(&refused).contains("LOG_ROLLED_BACK"), "{}", said(&refused));
        expect_code(&snapshot.chancery("org1-auditor", &["audit", "list"]), 0);
        // The other witness can't help it.
        assert_ne!(witnesses.once("org2", &snapshot).status.code(), Some(0));
        // Nor a restart: what it was shown is kept.
        snapshot.stop();
        snapshot.serve();
    }
    assert!(snapshot.stderr().contains("Nothing is signed or changed any more"), "{}", snapshot.stderr());

    // What was there last is put back: all is well again.
    snapshot.stop();
    deployment.serve();
    witnesses.evidence("org1").iter().for_each(|path| fs::remove_dir_all(path).unwrap());
    witnesses.evidence("org2").iter().for_each(|path| fs::remove_dir_all(path).unwrap());
    open(&deployment, &witnesses);
    expect_code(&deployment.chancery("org1-peer0", &["status"]), 0);
}

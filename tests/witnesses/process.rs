//! The witness's process: its state, its lock, its clock, and outages of the service.

use crate::{
    desk::{Witnesses, create, health, open, said, text, until, watched, witnessing},
    harness::expect_code,
};
use chancery_audit::checkpoint::{VerifierKey, WitnessKey, WitnessSigner, with_line};
use std::{fs, os::unix::fs::PermissionsExt as _};

#[test]
fn a_witness_follows_through_restarts_of_the_service_and_of_its_own() {
    let (mut deployment, witnesses) = watched();
    let one = witnesses.run("org1", &deployment);
    let _two = witnesses.run("org2", &deployment);
    until("health", || health(&deployment) == "SERVING");
    let state = witnesses.state("org1");
    // One process at a time.
    let second = witnesses.once("org1", &deployment);
    expect_code(&second, 65);
    assert!(said(&second).contains("another process"), "{}", said(&second));

    // An outage; they come back by themselves.
    deployment.stop();
    deployment.serve();
    until("health", || health(&deployment) == "SERVING");
    drop(one);
    let before = text(&state, "checkpoint");
    let _one = witnesses.run("org1", &deployment);
    expect_code(&create(&deployment, "peer0"), 0);
    until("a newer cosigned checkpoint", || text(&state, "checkpoint") != before);
    assert!(witnesses.evidence("org1").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn time_does_not_go_backwards_and_a_lost_state_is_no_state() {
    let (deployment, witnesses) = watched();
    open(&deployment, &witnesses);
    let state = witnesses.state("org1");
    let key: VerifierKey = text(&deployment.dir(), "audit.vkey").parse().unwrap();
    let public: WitnessKey = text(&state, "witness.vkey").parse().unwrap();
    let note = text(&state, "checkpoint");

    // As if the clock had been years ahead when it cosigned last.
    let pem = text(witnesses.key("org1").parent().unwrap(), "org1.key");
    let signer = WitnessSigner::from_pkcs8(public.name(), &der(&pem)).unwrap();
    let checkpoint = key.open_note(&note).unwrap();
    let ahead = signer.cosign(&checkpoint, 4_000_000_000);
    let stripped: String = note.split_inclusive('\n').filter(|line| !line.contains(public.name())).collect();
    fs::write(state.join("checkpoint"), with_line(&stripped, &ahead.line)).unwrap();
    expect_code(&create(&deployment, "peer0"), 0);
    until("a checkpoint to cosign", || {
        witnesses.cosign("org1", &deployment);
        witnesses.cosign("org2", &deployment);
        key.open_note(&text(&state, "checkpoint")).unwrap().size > checkpoint.size
    });
    assert_eq!(public.find(&text(&state, "checkpoint")).unwrap().unwrap().time, 4_000_000_000);
    assert!(witnessing(&deployment).await.witnessed.contains(public.name()));

    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(witnesses.key("org1")), mode(state.clone())), (0o600, 0o700));
    // The state of another witness, of another log, or none.
    let (others, _) = Witnesses::new(&["org1"]);
    fs::copy(others.key("org1"), witnesses.key("org1")).unwrap();
    expect_code(&witnesses.once("org1", &deployment), 65);
    fs::remove_file(witnesses.state("org2").join("checkpoint")).unwrap();
    expect_code(&witnesses.once("org2", &deployment), 66);
}

/// The content of a PEM file, by openssl.
fn der(pem: &str) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.pem");
    fs::write(&path, pem).unwrap();
    let output = std::process::Command::new("openssl")
        .args(["pkcs8", "-topk8", "-nocrypt", "-outform", "DER", "-in"])
        .arg(path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

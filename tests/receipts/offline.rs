//! A receipt outlives the service: it is verified with nothing but itself and the log's public key.

use crate::{
    harness::{Deployment, expect_code, program},
    shared,
};
use chancery_api::v1::Algorithm;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

fn verify(receipt: &Path, key: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(program("chancery"));
    // No configuration, no credentials, no home.
    command.env_clear().args(["audit", "verify", "--receipt"]).arg(receipt).arg("--key").arg(key).args(more);
    command.output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_verifies_with_nothing_but_itself_and_the_key() {
    let mut deployment = Deployment::start();
    let officer = deployment.client("org1-security").await;
    let key = shared::key("offline");
    shared::make(&officer, shared::creation(&key, "peer0", Algorithm::EcP256)).await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    fs::write(file("block"), b"block 7").unwrap();
    let paths: Vec<_> = ["block", "sig", "receipt"].map(|name| file(name).to_string_lossy().into_owned()).to_vec();
    let signed = deployment
        .chancery("org1-peer0", &["sign", &key, "--in", &paths[0], "--out", &paths[1], "--receipt", &paths[2]]);
    expect_code(&signed, 0);
    fs::copy(deployment.dir().join("audit.vkey"), file("audit.vkey")).unwrap();
    drop(officer);
    deployment.stop();
    drop(deployment);

    let answer = verify(&file("receipt"), &file("audit.vkey"), &["--output", "json"]);
    expect_code(&answer, 0);
    let said: Value = serde_json::from_slice(&answer.stdout).unwrap();
    assert_eq!(said["verdict"], "logged");
    let record = &said["record"];
    assert_eq!(record["principal"]["organization"], "org1");
    assert_eq!(record["principal"]["name"], "peer0");
    assert_eq!((&record["action"], &record["outcome"]), (&"Sign".into(), &"SUCCEEDED".into()));
    assert_eq!(record["resource"], format!("{key}/versions/1"));
    assert_eq!(record["digest"], hex::encode(Sha256::digest(b"block 7")));
    assert_eq!(record["signature"], hex::encode(fs::read(file("sig")).unwrap()));

    let table = verify(&file("receipt"), &file("audit.vkey"), &["--out", &file("record.json").to_string_lossy()]);
    expect_code(&table, 0);
    let table = String::from_utf8(table.stdout).unwrap();
    for said in ["logged", "org1/peer0", "Sign", &key, &hex::encode(Sha256::digest(b"block 7"))] {
        assert!(table.contains(said), "{said} in:\n{table}");
    }
    assert_eq!(&serde_json::from_slice::<Value>(&fs::read(file("record.json")).unwrap()).unwrap(), record);

    // Another implementation, another language.
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/receipts/verify.py");
    let python =
        |receipt: &Path| Command::new("python3").arg(&script).arg(receipt).arg(file("audit.vkey")).output().unwrap();
    let independent = python(&file("receipt"));
    expect_code(&independent, 0);
    assert_eq!(String::from_utf8(independent.stdout).unwrap().split(' ').next(), Some(&*record["index"].to_string()));

    // Every byte is tried by chancery-audit's tests; here the command's word is what counts.
    let receipt = fs::read(file("receipt")).unwrap();
    for at in [0, 30, receipt.len() / 3, receipt.len() - 5] {
        let mut changed = receipt.clone();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        fs::write(file("changed"), &changed).unwrap();
        let refused = verify(&file("changed"), &file("audit.vkey"), &[]);
        expect_code(&refused, 1);
        assert!(refused.stdout.is_empty(), "nothing unproven is shown");
        assert!(!python(&file("changed")).status.success());
    }
    fs::write(file("longer"), [&receipt[..], b"\n"].concat()).unwrap();
    expect_code(&verify(&file("longer"), &file("audit.vkey"), &[]), 1);
}

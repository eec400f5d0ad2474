//! `chancery audit export`: the same records in every form, from the service and from the log's files.
//!
//! tests/foreign/test_export.py reads the forms with other programs' parsers.

use crate::{
    harness::expect_code,
    shared::{ORG1, client, create, deployment, key, sign, signing},
};
use chancery_api::v1::Algorithm;
use serde_json::Value;
use std::{fs, process::Command};

/// What an export wrote.
fn export(arguments: &[&str]) -> String {
    let output = deployment().chancery("org1-auditor", &[&["audit", "export"], arguments].concat());
    expect_code(&output, 0);
    String::from_utf8(output.stdout).unwrap()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_form_has_the_same_records_online_and_offline() {
    let name = key("exported");
    create(&name, "peer0", Algorithm::EcP256).await;
    let peer = client("org1-peer0").await;
    for _ in 0..5 {
        sign(&peer, signing(&name, b"x")).await.unwrap();
    }
    sign(&client("org2-peer0").await, signing(&name, b"x")).await.unwrap_err();

    let directory = tempfile::tempdir().unwrap();
    let (log, vkey) = (deployment().dir().join("audit"), deployment().dir().join("audit.vkey"));
    let (log, vkey) = (log.to_str().unwrap(), vkey.to_str().unwrap());
    let from_files = ["--log", log, "--audit-key", vkey, "--organization", "org1"];
    let mut forms = Vec::new();
    for format in ["jsonl", "cef", "otlp"] {
        let online = export(&["--key", &name, "--format", format]);
        let offline = export(&[&["--key", &name, "--format", format], from_files.as_slice()].concat());
        assert_eq!(online, offline, "{format}");
        let out = directory.path().join(format);
        let said = export(&["--key", &name, "--format", format, "--out", out.to_str().unwrap()]);
        assert_eq!(fs::read_to_string(&out).unwrap(), online, "{format}");
        assert!(said.contains("8 records"), "{said}");
        forms.push(online);
    }
    let records = lines(&forms[0]);
    assert_eq!(records.len(), 2 + 5 + 1);
    assert_eq!(forms[1].lines().count(), records.len());
    let logs = lines(&forms[2]);
    let of_otlp: Vec<_> = logs
        .iter()
        .flat_map(|data| data["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array().unwrap())
        .collect();
    assert_eq!(of_otlp.len(), records.len());
    for ((record, cef), otlp) in records.iter().zip(forms[1].lines()).zip(of_otlp) {
        let index = record["index"].to_string();
        assert!(cef.starts_with("CEF:0|Chancery|chancery|") && cef.contains(&format!(" externalId={index} ")), "{cef}");
        assert_eq!(otlp["attributes"][0]["value"]["intValue"], index.as_str());
        assert_eq!(otlp["timeUnixNano"], record["time_unix_nanos"].to_string().as_str());
    }
    // Filters hold in both.
    let denied = ["--key", &name, "--outcome", "denied", "--format", "jsonl"];
    let (online, offline) = (export(&denied), export(&[&denied, from_files.as_slice()].concat()));
    assert_eq!((lines(&online).len(), &online), (1, &offline));
    // The files have everyone's.
    let all = lines(&export(&["--format", "jsonl", "--log", log, "--audit-key", vkey]));
    assert_eq!(all[0]["kind"], "GENESIS");
    assert!(all.len() > lines(&export(&["--format", "jsonl", "--organization", ORG1])).len());
}

#[tokio::test]
async fn a_log_that_does_not_verify_leaves_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("audit");
    fs::create_dir(&copy).unwrap();
    for name in ["checkpoint", "00000000000000000000.seg"] {
        fs::copy(deployment().dir().join("audit").join(name), copy.join(name)).unwrap();
    }
    let segment = copy.join("00000000000000000000.seg");
    let mut bytes = fs::read(&segment).unwrap();
    bytes[200] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let out = directory.path().join("out");
    let output = Command::new(crate::harness::program("chancery"))
        .args(["audit", "export", "--format", "jsonl", "--log"])
        .arg(&copy)
        .arg("--audit-key")
        .arg(deployment().dir().join("audit.vkey"))
        .arg("--out")
        .arg(&out)
        .output()
        .unwrap();
    expect_code(&output, 1);
    assert!(!out.exists() && output.stdout.is_empty());
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "and nothing half written");
}

//! The index's files: written as segments close, made again where they are missing or damaged.

use crate::{
    harness::Deployment,
    shared::{ORG1, creation, make, records_in, sign, signing},
};
use chancery_api::v1::Algorithm;
use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

fn files(deployment: &Deployment, folder: &str, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(deployment.dir().join(folder)).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|found| found == extension));
    files.sort();
    files
}

fn wait_for_files(deployment: &Deployment) -> Vec<PathBuf> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let (segments, found) = (files(deployment, "audit", "seg"), files(deployment, "data/index", "idx"));
        if found.len() + 1 == segments.len() {
            return found;
        }
        assert!(Instant::now() < deadline, "{} index files of {} segments", found.len(), segments.len());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closed_segments_have_files_and_answers_do_not_need_them() {
    let mut deployment = Deployment::start();
    let config = deployment.dir().join("chancery.toml");
    let text = fs::read_to_string(&config).unwrap();
    assert!(!text.contains("[log]"), "{text}");
    deployment.stop();
    fs::write(&config, format!("{text}\n[log]\nsegment_mebibytes = 1\n")).unwrap();
    deployment.serve();

    let name = format!("{ORG1}/keys/indexed");
    make(&deployment.client("org1-security").await, creation(&name, "peer0", Algorithm::EcP256)).await;
    let (peer, auditor) = (deployment.client("org1-peer0").await, deployment.client("org1-auditor").await);
    let mut signed = Vec::new();
    while files(&deployment, "audit", "seg").len() < 4 {
        let requests = (0..64).map(|_| sign(&peer, signing(&name, b"x")));
        for answer in futures_util::future::join_all(requests).await {
            signed.push(answer.unwrap().record_index);
        }
    }
    signed.sort_unstable();
    let found = wait_for_files(&deployment);
    let listed = async || {
        let records = records_in(&auditor, ORG1, &format!("{name}/versions/1")).await;
        records.iter().filter(|record| record.action == "Sign").map(|record| record.index).collect::<Vec<_>>()
    };
    assert_eq!(listed().await, signed);

    let mut damaged = fs::read(&found[0]).unwrap();
    damaged.iter_mut().for_each(|byte| *byte ^= 1);
    fs::write(&found[0], &damaged).unwrap();
    fs::remove_file(&found[1]).unwrap();
    assert_eq!(listed().await, signed, "while it runs");
    assert_eq!(wait_for_files(&deployment), found, "a missing file is written again");

    deployment.stop();
    let index = deployment.dir().join("data/index");
    fs::remove_dir_all(&index).unwrap();
    deployment.serve();
    let auditor = deployment.client("org1-auditor").await;
    let records = records_in(&auditor, ORG1, &format!("{name}/versions/1")).await;
    assert_eq!(records.iter().filter(|record| record.action == "Sign").count(), signed.len());
    assert_eq!(wait_for_files(&deployment), found, "a start makes the folder again");
}

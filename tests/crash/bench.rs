//! What `chancery bench sign --signatures` writes is what an auditor finds, whatever happens to the enclave meanwhile.

use crate::{
    harness::{Deployment, expect_code, signal},
    load::{PATIENCE, create},
    log::Log,
};
use chancery_api::v1::Algorithm;
use std::{
    collections::HashMap,
    fs, thread,
    time::{Duration, Instant},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_of_the_enclave_loses_none_of_a_benchs_signatures() {
    let mut deployment = Deployment::start();
    let key = create(&deployment, "k", Algorithm::EcP256).await;
    let file = deployment.dir().join("signatures");
    let output = thread::scope(|scope| {
        let bench = scope.spawn(|| {
            let arguments = ["bench", "sign", "--key", &key, "--seconds", "8", "--in-flight", "16", "--signatures"];
            deployment.chancery("org1-peer0", &[&arguments[..], &[file.to_str().unwrap()]].concat())
        });
        let length = || fs::metadata(&file).map_or(0, |metadata| metadata.len());
        let mut crashed = 0;
        for _ in 0..2 {
            let start = Instant::now();
            let wait = || {
                assert!(start.elapsed() < PATIENCE && !bench.is_finished(), "{}", deployment.stderr());
                thread::sleep(Duration::from_millis(5));
            };
            while deployment.enclave_pid().is_none_or(|pid| pid == crashed) {
                wait();
            }
            // Each crash comes after signatures of the enclave that it hits: more than were in flight before.
            let before = length();
            while length() < before + 10_000 {
                wait();
            }
            crashed = deployment.enclave_pid().unwrap();
            signal(crashed, "KILL");
        }
        bench.join().unwrap()
    });
    expect_code(&output, 0);
    assert_eq!(deployment.stop(), Some(0));
    let log = Log::read(&deployment);
    assert!(log.report.enclaves.len() >= 2, "{}", deployment.stderr());
    let mut copies: HashMap<&[u8], usize> = HashMap::new();
    log.signatures().for_each(|record| *copies.entry(&record.signature).or_default() += 1);
    let text = fs::read_to_string(file).unwrap();
    for line in text.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let record = &log.records[usize::try_from(line["record_index"].as_u64().unwrap()).unwrap()];
        assert_eq!(line["request_id"], *record.request_id);
        assert_eq!(line["digest"], *hex::encode(&record.digest));
        assert_eq!(line["signature"], *hex::encode(&record.signature));
        assert_eq!(copies[&*record.signature], 1, "record {}", record.index);
    }
    assert!(text.lines().count() > 20, "{text}");
}

//! `chancery audit tail`: it goes on over a restart of the service, and ends at once when interrupted.

use crate::{
    harness::{Deployment, program, signal},
    shared::{ORG1, creation, make, sign, signing},
};
use chancery_api::v1::Algorithm;
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

const LONG: Duration = Duration::from_secs(60);

struct Following {
    child: Child,
    lines: Receiver<String>,
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn follow(deployment: &Deployment, arguments: &[&str]) -> Following {
    let mut child = Command::new(program("chancery"))
        .arg("--config")
        .arg(deployment.client_dir("org1-auditor").join("client.toml"))
        .args(["audit", "tail", "--output", "json"])
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let (sender, lines) = channel();
    std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    Following { child, lines }
}

impl Following {
    fn index(&self) -> u64 {
        let line = self.lines.recv_timeout(LONG).expect("a record comes");
        serde_json::from_str::<serde_json::Value>(&line).unwrap()["index"].as_u64().unwrap()
    }

    fn exit_code(&mut self) -> Option<i32> {
        let deadline = Instant::now() + LONG;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_record_is_left_out_over_a_restart_and_none_comes_twice() {
    let mut deployment = Deployment::start();
    let name = format!("{ORG1}/keys/followed");
    make(&deployment.client("org1-security").await, creation(&name, "peer0", Algorithm::EcP256)).await;
    let peer = deployment.client("org1-peer0").await;
    let mut following = follow(&deployment, &["--key", &name, "--action", "Sign", "--from", "0"]);
    for _ in 0..3 {
        let signed = sign(&peer, signing(&name, b"x")).await.unwrap().record_index;
        assert_eq!(tokio::task::block_in_place(|| following.index()), signed);
    }
    tokio::task::block_in_place(|| {
        deployment.kill();
        deployment.serve();
    });
    let peer = deployment.client("org1-peer0").await;
    for _ in 0..3 {
        let signed = sign(&peer, signing(&name, b"x")).await.unwrap().record_index;
        assert_eq!(tokio::task::block_in_place(|| following.index()), signed);
    }
    signal(following.child.id(), "INT");
    assert_eq!(following.exit_code(), Some(0), "an interrupt is how it ends");

    let mut since = follow(&deployment, &["--key", &name, "--since", "1h", "--action", "Sign", "--limit", "6"]);
    let seen: Vec<_> = (0..6).map(|_| since.index()).collect();
    assert!(seen.is_sorted(), "{seen:?}");
    assert_eq!(since.exit_code(), Some(0), "there were enough");
    let mut denied = follow(&deployment, &["--organization", "org2"]);
    assert_eq!(denied.exit_code(), Some(77), "asking again can't help");
}

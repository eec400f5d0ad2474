//! A deployment that archives every closed segment at its start.

use crate::{
    harness::{Deployment, program},
    shared::{sign, signing},
};
use chancery_client::Client;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

const PATIENCE: Duration = Duration::from_secs(60);

pub struct Keeper {
    pub deployment: Deployment,
}

/// Names of the files in a directory.
pub fn names(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn with_suffix(directory: &Path, suffix: &str) -> Vec<String> {
    names(directory).into_iter().filter(|name| name.ends_with(suffix)).collect()
}

impl Keeper {
    /// A fresh deployment with small segments, serving.
    pub fn start() -> Self {
        let mut keeper = Self { deployment: Deployment::start() };
        keeper.stop();
        fs::create_dir(keeper.archive()).unwrap();
        let path = keeper.deployment.dir().join("chancery.toml");
        let text = fs::read_to_string(&path).unwrap();
        let log = "[log]\nsegment_mebibytes = 1\narchive = \"archive\"\narchive_after = \"0s\"\n";
        fs::write(&path, format!("{text}\n{log}")).unwrap();
        keeper.deployment.serve();
        keeper
    }

    pub fn log(&self) -> PathBuf {
        self.deployment.dir().join("audit")
    }

    pub fn archive(&self) -> PathBuf {
        self.deployment.dir().join("archive")
    }

    /// Segments in the log's directory, oldest first.
    pub fn kept(&self) -> Vec<String> {
        with_suffix(&self.log(), ".seg")
    }

    /// Segments in the archive, oldest first.
    pub fn archived(&self) -> Vec<String> {
        with_suffix(&self.archive(), ".seg")
    }

    /// The snapshot that the log goes on after.
    pub fn snapshot(&self) -> PathBuf {
        let snapshots = with_suffix(&self.log(), ".snapshot");
        let [snapshot] = snapshots.as_slice() else { panic!("{snapshots:?}") };
        self.log().join(snapshot)
    }

    pub fn stop(&mut self) {
        assert_eq!(self.deployment.stop(), Some(0));
    }

    pub fn restart(&mut self) {
        self.stop();
        self.deployment.serve();
    }

    /// Signs with a key until the log has so many segments more.
    pub async fn fill(&self, peer: &Client, key: &str, segments: usize) {
        let until = self.kept().len() + segments;
        while self.kept().len() < until {
            let mut work = JoinSet::new();
            for _ in 0..200 {
                let (peer, request) = (peer.clone(), signing(key, b"a block"));
                work.spawn(async move { sign(&peer, request).await.unwrap() });
            }
            work.join_all().await;
        }
    }

    /// Waits until only the open segment is kept.
    pub fn until_archived(&self) {
        let start = Instant::now();
        while self.kept().len() > 1 || self.archived().is_empty() {
            assert!(start.elapsed() < PATIENCE, "nothing is archived: {}", self.deployment.stderr());
            std::thread::sleep(Duration::from_millis(50));
        }
        // The snapshot before it goes last.
        while with_suffix(&self.log(), ".snapshot").len() > 1 {
            assert!(start.elapsed() < PATIENCE, "{:?}", names(&self.log()));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Verifies what is kept.
    pub fn verify(&self) -> Output {
        self.verify_with(&[])
    }

    /// Verifies archive and log together.
    pub fn verify_whole(&self) -> Output {
        let archive = self.archive();
        self.verify_with(&["--archive", archive.to_str().unwrap()])
    }

    fn verify_with(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(program("chancery"));
        command.args(["--output", "json", "audit", "verify", "--log"]).arg(self.log());
        command.arg("--key").arg(self.deployment.dir().join("audit.vkey")).args(arguments).output().unwrap()
    }

    /// Tries to start the service, which must not start; what it says.
    pub fn refuses_to_start(&self) -> String {
        let mut command = Command::new(crate::harness::chanceryd());
        let address = self.deployment.address().to_string();
        let output = command.args(["dev", "--listen", &address, "--dir"]).arg(self.deployment.dir()).output().unwrap();
        crate::harness::expect_code(&output, 74);
        String::from_utf8(output.stderr).unwrap()
    }

    /// Puts all archived segments back beside those that are kept.
    pub fn put_back(&self) {
        for name in self.archived() {
            fs::copy(self.archive().join(&name), self.log().join(&name)).unwrap();
        }
    }
}

/// A field of what a verification printed.
pub fn field(output: &Output, name: &str) -> serde_json::Value {
    let printed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    printed[name].clone()
}

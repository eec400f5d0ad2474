//! Cycles of the whole service: clients sign and an officer changes keys over mutual TLS, on SoftHSM; the service is
//! killed, its disk loses what it may, and the next one recovers.

use crate::{
    disk::Disk,
    harness::{Deployment, chanceryd},
    load::{Load, Released, create, create_with, creation},
    plan::Plan,
    random::Random,
    recovered,
    shim::{Rule, Shim},
    table::Tally,
};
use chancery_api::v1::{Algorithm, GetKeyRequest, Key, UpdateKeyRequest};
use chancery_client::{Client, request_id};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;

/// What no start or stop takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// When the planned point is not reached by then, the service is killed at whatever it does.
const LONG_ENOUGH: Duration = Duration::from_secs(2);
const LABEL: &str = "turn";

/// What the officer was told, and may have brought about.
#[derive(Default)]
struct Changed {
    /// The label's last value that was answered for.
    label: u64,
    /// The last that was sent.
    sent: u64,
    keys: Vec<String>,
}

/// One deployment over many crashes.
pub struct Life {
    deployment: Deployment,
    shim: Shim,
    disk: Disk,
    random: Random,
    clients: Vec<Client>,
    officer: Client,
    key: String,
    released: Vec<Released>,
    changed: Changed,
    process: Option<Child>,
}

impl Drop for Life {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Life {
    pub async fn new(seed: u64) -> Self {
        let mut deployment = Deployment::start();
        let key = create(&deployment, "k", Algorithm::EcP256).await;
        let mut clients = Vec::new();
        for _ in 0..4 {
            clients.push(deployment.client("org1-peer0").await);
        }
        let officer = deployment.client("org1-security").await;
        deployment.stop();
        let path = deployment.dir().join("chancery.toml");
        let text = fs::read_to_string(&path).unwrap();
        let listen = format!("listen = \"{}\"", deployment.address());
        let text = text.replace("listen = \"127.0.0.1:0\"", &listen) + "\n[log]\nsegment_mebibytes = 1\n";
        assert!(text.contains(&listen));
        fs::write(path, text).unwrap();
        let disk = Disk::read(&Self::watched(&deployment));
        let shim = Shim::new(deployment.dir().parent().unwrap());
        let (random, released, changed, process) = (Random(seed), Vec::new(), Changed::default(), None);
        Self { deployment, shim, disk, random, clients, officer, key, released, changed, process }
    }

    fn watched(deployment: &Deployment) -> [PathBuf; 2] {
        ["audit", "data"].map(|name| deployment.dir().join(name))
    }

    fn log_of_service(&self) -> PathBuf {
        self.deployment.dir().with_file_name("service-log")
    }

    /// What the service said since its last start, for people.
    pub fn said(&self) -> String {
        fs::read_to_string(self.log_of_service()).unwrap_or_default()
    }

    /// Starts the service under these rules; whether it came to be ready.
    fn start(&mut self, rules: &[Rule]) -> bool {
        self.shim.set(rules);
        let mut process = Command::new(chanceryd())
            .args(["serve", "--config"])
            .arg(self.deployment.dir().join("chancery.toml"))
            .envs(self.shim.environment(&chanceryd(), &Self::watched(&self.deployment)))
            .stdout(Stdio::piped())
            .stderr(File::create(self.log_of_service()).unwrap())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let ready = lines.map_while(Result::ok).any(|line| line.starts_with("ready"));
        if !ready {
            use std::os::unix::process::ExitStatusExt;
            let status = process.wait().unwrap();
            assert_eq!(status.signal(), Some(9), "the service did not start: {}", self.said());
        }
        self.process = ready.then_some(process);
        ready
    }

    /// Everything that was answered for is there: signatures in the log, each once and where it was said, changes in
    /// force, no intent open.
    async fn check(&self) -> u64 {
        let (records, report) = {
            let dir = self.deployment.dir();
            recovered::read(&dir.join("audit"), &dir.join("audit.vkey"))
        };
        assert!(report.open_intents.is_empty(), "an intent is open after recovery");
        let mut count: BTreeMap<&[u8], usize> = BTreeMap::new();
        for record in records.iter().filter(|record| !record.signature.is_empty()) {
            *count.entry(&record.signature).or_default() += 1;
        }
        for released in &self.released {
            let record = records.get(usize::try_from(released.index).unwrap());
            let record = record.unwrap_or_else(|| panic!("record {} was released and is lost", released.index));
            assert_eq!(
                (&record.request_id, &record.digest, &record.signature, &record.resource),
                (&released.request_id, &released.digest, &released.signature, &released.version),
                "record {} is not that of the signature that was released",
                released.index
            );
            assert_eq!(count.get(&*released.signature), Some(&1), "the record of {} stands twice", released.index);
        }
        for name in self.changed.keys.iter().chain([&self.key]) {
            let key = self.officer.keys().get_key(GetKeyRequest { name: name.clone() }).await;
            let key = key.unwrap_or_else(|status| panic!("{name} was answered for: {status}")).into_inner();
            if *name == self.key && self.changed.label > 0 {
                let label: u64 = key.labels[LABEL].parse().unwrap();
                let Changed { label: answered, sent, .. } = self.changed;
                assert!((answered..=sent).contains(&label), "label {label}, {answered} was answered for, {sent} sent");
            }
        }
        self.released.len() as u64
    }

    /// An officer who changes a key's label again and again, and makes a key now and then.
    fn change(&mut self) -> JoinHandle<Changed> {
        let mut changed = std::mem::take(&mut self.changed);
        let (officer, name) = (self.officer.clone(), self.key.clone());
        tokio::spawn(async move {
            loop {
                changed.sent += 1;
                let labels = BTreeMap::from([(LABEL.to_owned(), changed.sent.to_string())]);
                let update = UpdateKeyRequest {
                    key: Some(Key { name: name.clone(), labels: labels.into_iter().collect(), ..Key::default() }),
                    update_mask: Some(prost_types::FieldMask { paths: vec!["labels".into()] }),
                    request_id: request_id(),
                };
                match officer.keys().update_key(update).await {
                    Ok(_) => changed.label = changed.sent,
                    Err(_) => return changed,
                }
                if changed.sent.is_multiple_of(8) {
                    let new = creation(&format!("k{}", changed.sent), Algorithm::EcP256);
                    match create_with(&officer, new).await {
                        Ok(key) => changed.keys.push(key.name),
                        Err(_) => return changed,
                    }
                }
            }
        })
    }

    /// Waits for the service to be killed; whether it was.
    async fn until_killed(&mut self, long_enough: Duration) -> bool {
        let process = self.process.as_mut().unwrap();
        let start = Instant::now();
        let reached = loop {
            if process.try_wait().unwrap().is_some() {
                break true;
            }
            if start.elapsed() > long_enough {
                process.kill().unwrap();
                process.wait().unwrap();
                break false;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        };
        self.process = None;
        reached
    }

    /// Starts, checks what recovered, serves, and dies as planned; what it found of the time before, and whether the point
    /// was reached.
    pub async fn cycle(&mut self, plan: &Plan) -> (Tally, bool) {
        let rules = plan.rules();
        let mut found = Tally::default();
        let mut reached = true;
        if self.start(if plan.at_start { &rules } else { &[] }) {
            found = self.found().await;
            self.shim.set(&rules);
            let (unary, streams) = self.clients.split_at(2);
            let load = Load::start(unary.to_vec(), streams.to_vec(), &self.key);
            let changing = self.change();
            // A fault takes a second to heal.
            let longer = if plan.fault.is_some() { Duration::from_secs(2) } else { Duration::ZERO };
            reached = self.until_killed(LONG_ENOUGH + longer).await;
            self.released.extend(load.stop().await.released);
            self.changed = tokio::time::timeout(PATIENCE, changing).await.expect("an answer is missing").unwrap();
        }
        self.disk.follow(self.shim.events(), &mut self.random);
        if let Some(loss) = plan.loss {
            self.disk.lose_power(loss, &mut self.random);
        }
        (found, reached)
    }

    async fn found(&self) -> Tally {
        let torn = u64::from(self.said().contains("torn record"));
        Tally { released: self.check().await, torn, ..Tally::default() }
    }

    /// The last start, on a sound disk.
    pub async fn end(&mut self) -> Tally {
        assert!(self.start(&[]), "nothing kills it");
        self.found().await
    }
}

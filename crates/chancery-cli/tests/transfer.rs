//! Keys on their way, as operators and custodians do it: import, backup, shares, restore.

#[path = "../../chancery-client/tests/deployment/mod.rs"]
mod deployment;
#[allow(dead_code, reason = "tests/audit_verify.rs uses the rest")]
mod log;
#[allow(dead_code, reason = "tests/commands.rs uses the rest")]
mod service;

use chancery_api::state::KeyVersion;
use chancery_audit::record::ResourceState;
use deployment::{Deployment, Running};
use prost::Message as _;
use serde_json::Value;
use service::{PEER0, Service, transfer::BACKED_UP};
use std::{
    fs,
    net::Ipv4Addr,
    path::PathBuf,
    process::{Command, Output},
    sync::LazyLock,
};
use tonic_health::ServingStatus;

static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| tokio::runtime::Runtime::new().unwrap());

struct Bench {
    service: Service,
    deployment: Deployment,
    config: PathBuf,
    _running: Running,
}

impl Bench {
    fn new() -> Self {
        let (service, deployment) = (Service::new(), Deployment::new());
        let running = RUNTIME.block_on(async {
            deployment.serve((Ipv4Addr::LOCALHOST, 0).into(), service.routes(ServingStatus::Serving).await).await
        });
        let config = deployment.write("peer0", &deployment.good(&running.addresses()));
        let bench = Self { service, deployment, config, _running: running };
        fs::write(bench.path("audit.vkey"), bench.service.vkey()).unwrap();
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.deployment.dir.path().join(name)
    }

    fn run(&self, line: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_chancery"))
            .current_dir(self.deployment.dir.path())
            .env("CHANCERY_CONFIG", &self.config)
            .args(line.split_whitespace())
            .output()
            .unwrap()
    }

    fn succeeds(&self, line: &str) -> Output {
        let output = self.run(line);
        assert!(output.status.success(), "{line}: {output:?}");
        output
    }

    fn json(&self, line: &str) -> Value {
        serde_json::from_slice(&self.succeeds(&format!("--output json {line}")).stdout).unwrap()
    }

    /// The exit code, and what was said.
    fn fails(&self, line: &str) -> (i32, String) {
        let output = self.run(line);
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }

    /// A private key of P-256 in `NAME.pem`, its public key in `NAME.pub`.
    fn key(&self, name: &str) {
        for line in [
            format!("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {name}.pem"),
            format!("pkey -in {name}.pem -pubout -out {name}.pub"),
        ] {
            let made = Command::new("openssl").current_dir(self.path("")).args(line.split(' ')).output().unwrap();
            assert!(made.status.success(), "{made:?}");
        }
    }

    /// A backup of two of three custodians.
    fn backup(&self) -> Value {
        for name in ["alice", "bob", "carol"] {
            self.key(name);
        }
        self.json(
            "backup create org1 --threshold 2 --custodian alice=alice.pub --custodian org1/bob=bob.pub \
             --custodian carol=carol.pub --out keys.backup",
        )
    }

    fn share(&self, name: &str) {
        self.succeeds(&format!(
            "backup share --in keys.backup --custodian {name} --key {name}.pem --job job.json --audit-key audit.vkey \
             --out {name}.json"
        ));
    }
}

/// The file is openssl's, the enclave opens the envelope by itself, and the token takes no keys in.
#[test]
fn a_key_reaches_the_enclave_and_nobody_else() {
    let bench = Bench::new();
    bench.key("old");
    let output = bench.succeeds("keys import organizations/org1/keys/new --in old.pem --audit-key audit.vkey");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("old.pem still holds the private key") && !said.contains("warning"), "{said}");
    let expected = Command::new("openssl")
        .current_dir(bench.path(""))
        .args("pkcs8 -topk8 -nocrypt -in old.pem -outform DER".split(' '))
        .output()
        .unwrap();
    assert_eq!(bench.service.imported(), [expected.stdout]);

    let line = format!("keys import {PEER0} --in old.pem --protection enclave");
    let (exit, said) = bench.fails(&line);
    assert_eq!((exit, said.contains("--audit-key")), (64, true), "{said}");
    assert_eq!(bench.service.imported().len(), 1);
    let output = bench.run(&format!("{line} --unattested"));
    assert!(String::from_utf8(output.stderr).unwrap().contains("warning: nothing but the connection"));
    assert_eq!(bench.service.imported().len(), 2);
}

#[test]
fn nothing_is_sealed_to_a_key_that_the_enclave_does_not_vouch_for() {
    let bench = Bench::new();
    bench.key("old");
    // Another deployment's audit key, of the same name.
    let other = log::Log::new();
    let line = format!("keys import organizations/org1/keys/new --in old.pem --audit-key {}", other.vkey.display());
    let (exit, said) = bench.fails(&line);
    assert_eq!((exit, said.contains("nothing was sealed")), (1, true), "{said}");
    assert_eq!(bench.service.imported().len(), 0);
}

#[test]
fn custodians_restore_a_backup_together() {
    let bench = Bench::new();
    let made = bench.backup();
    let shown = bench.json("backup show keys.backup");
    assert_eq!((&shown["sha256"], &shown["threshold"], &shown["versions"]), (&made["sha256"], &2.into(), &1.into()));
    assert_eq!(shown["custodians"][1], "organizations/org1/principals/bob");

    bench.succeeds("backup job org1 --out job.json");
    bench.share("alice");
    bench.share("carol");
    let restore = "backup restore org1 --in keys.backup --job job.json";
    let answer = bench.json(&format!("{restore} --share alice.json --share carol.json --without-log"));
    assert_eq!(answer["restored"], 1);
    let restored = &bench.service.restored()[0];
    assert!(restored.asked.without_log && restored.asked.checkpoint.is_empty() && restored.states.is_empty());

    for (shares, problem) in [
        ("--share alice.json", "1 shares are too few"),
        ("--share alice.json --share alice.json", "was given already"),
        ("--share alice.json --share job.json", "no file that"),
    ] {
        let (exit, said) = bench.fails(&format!("{restore} {shares} --without-log"));
        assert_eq!((exit, said.contains(problem)), (65, true), "{said}");
    }
}

#[test]
fn a_share_is_its_custodians_and_a_backup_is_whole() {
    let bench = Bench::new();
    bench.backup();
    bench.succeeds("backup job org1 --out job.json");
    let line = "backup share --in keys.backup --job job.json --out share.json";
    // A job is a file that anyone can write.
    let (exit, said) = bench.fails(&format!("{line} --custodian bob --key bob.pem"));
    assert_eq!((exit, said.contains("--audit-key")), (64, true), "{said}");
    let (exit, said) = bench.fails(&format!("{line} --custodian alice --key bob.pem --unattested"));
    assert_eq!((exit, said.contains("not the one of")), (65, true), "{said}");
    let other = log::Log::new();
    let (exit, _) = bench.fails(&format!("{line} --custodian bob --key bob.pem --audit-key {}", other.vkey.display()));
    assert_eq!(exit, 1);
    assert!(!bench.path("share.json").exists());

    let file = fs::read(bench.path("keys.backup")).unwrap();
    fs::write(bench.path("cut.backup"), &file[..file.len() - 1]).unwrap();
    let (exit, said) = bench.fails("backup show cut.backup");
    assert_eq!((exit, said.contains("it was cut")), (65, true), "{said}");
}

/// What the old log says goes with the backup, and only after the log verified.
#[test]
fn a_restore_tells_what_the_old_log_knows() {
    let bench = Bench::new();
    bench.backup();
    bench.succeeds("backup job org1 --out job.json");
    bench.share("alice");
    bench.share("bob");
    let mut log = log::Log::new();
    for (name, state) in
        [(BACKED_UP, "ACTIVE"), ("organizations/org1/keys/b/versions/1", "ACTIVE"), (BACKED_UP, "DESTROYED")]
    {
        let value = KeyVersion { name: name.into(), state: state.into(), ..KeyVersion::default() }.encode_to_vec();
        let state = ResourceState { name: name.into(), r#type: "chancery.state.v1.KeyVersion".into(), value };
        log.append_change(state);
    }
    log.sign();
    log.write();
    let (dir, vkey) = (log.dir.display(), log.vkey.display());
    let line = format!(
        "backup restore org1 --in keys.backup --job job.json --share alice.json --share bob.json --log {dir} --key {vkey}"
    );
    bench.succeeds(&line);
    let restored = &bench.service.restored()[0];
    let states: Vec<_> = restored.states.iter().map(|state| ResourceState::decode(state.as_slice()).unwrap()).collect();
    assert_eq!((states.len(), states[0].name.as_str()), (1, BACKED_UP));
    assert_eq!(KeyVersion::decode(states[0].value.as_slice()).unwrap().state, "DESTROYED");
    assert_eq!(restored.asked.checkpoint, fs::read_to_string(log.dir.join("checkpoint")).unwrap());

    let segment = &log.segments()[0];
    let mut bytes = fs::read(segment).unwrap();
    bytes[200] ^= 1;
    fs::write(segment, bytes).unwrap();
    assert_eq!(bench.fails(&line).0, 1);
    assert_eq!(bench.service.restored().len(), 1);
}

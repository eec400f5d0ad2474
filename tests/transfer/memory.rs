//! What the processes' memories show of keys whose bytes are known: chanceryd never a key, chancery-enclave a key while it
//! is open and no longer. Keys lie in ordinary locked memory here, so that there is something to see; by default
//! memfd_secret(2) hides them even while they are open.

use crate::{
    backups::{back_up, log_of, restore},
    desk::{Desk, NODE, OFFICER},
    foreign_keys::KINDS,
    harness::Deployment,
    known_keys::{Known, one_of_each},
    scan::{Memory, Secret, may_scan},
    shared::key,
};
use std::{
    collections::BTreeSet,
    fs,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

/// A deployment whose enclave keeps one key open, where it can be seen.
fn in_ordinary_memory() -> Deployment {
    let mut deployment = Deployment::start();
    deployment.stop();
    let path = deployment.dir().join("chancery.toml");
    let text = fs::read_to_string(&path).unwrap();
    let text = text
        .replace("[token.environment]\n", "[token.environment]\nCHANCERY_ENCLAVE_MEMORY = \"mlock\"\n")
        .replace("sessions = 2\n", "sessions = 2\nopen_keys = 1\n");
    fs::write(&path, text).unwrap();
    deployment.serve();
    let said = deployment.stderr();
    assert!(said.contains("locked memory (mlock)"), "{said}");
    deployment
}

/// Keys that the enclave itself keeps while they are open: docs/threat-model.md, U-12.
const HIDDEN: [&str; 5] = ["sm2", "ec-secp256k1", "aes-256", "sm4", "hmac-sha256"];

fn name(known: &Known) -> String {
    key(&format!("known-{}-{}", known.algorithm, known.purpose))
}

fn import(desk: &Desk<'_>, known: &Known) {
    let options = format!("--algorithm {} --purpose {} --protection enclave", known.algorithm, known.purpose);
    desk.import(&name(known), &known.file, &options);
}

/// Has the enclave use a key, several times at once on whichever of its threads, so that it is open.
fn uses(desk: &Desk<'_>, known: &Known) {
    let (input, out, key) = (desk.file("input", "some input"), desk.path("out"), name(known));
    let line = match known.purpose {
        "sign" => format!("sign {key} --in {input} --out {out}"),
        "mac" => format!("mac {key} --in {input} --out {out}"),
        "agree" => {
            let how = if known.algorithm == "x25519" { "genpkey -algorithm x25519" } else { KINDS[0].made_by };
            let peer = desk.file("peer.pem", desk.public_of(&desk.generate("peer.key", how)));
            format!("agree {key} --peer {peer} --out {out}")
        }
        _ => {
            let sealed = desk.path("sealed");
            desk.run(NODE, &format!("encrypt {key} --in {input} --out {sealed}"));
            format!("decrypt {key} --in {sealed} --out {out}")
        }
    };
    thread::scope(|scope| {
        for number in 0..4 {
            let line = line.replace(&out, &format!("{out}-{number}"));
            scope.spawn(move || desk.run(NODE, &line));
        }
    });
}

fn secrets(known: &[Known]) -> Vec<Secret> {
    known.iter().map(|known| known.secret.clone()).collect()
}

/// The PIN's 32 digits.
fn pin(deployment: &Deployment) -> Secret {
    Secret::new("PIN", &[fs::read(deployment.dir().join("pin")).unwrap().trim_ascii()])
}

/// Looks into chanceryd's memory over and over while `work` is done, and once more afterwards.
fn chanceryd_shows_none<T>(deployment: &Deployment, secrets: &[Secret], what: &str, work: impl FnOnce() -> T) -> T {
    let (pid, done) = (deployment.pid(), AtomicBool::new(false));
    thread::scope(|scope| {
        let looking = scope.spawn(|| {
            loop {
                // One more look after the work was done.
                let last = done.load(Ordering::Acquire);
                let found: Vec<String> = Memory::of(pid).find(secrets).iter().map(ToString::to_string).collect();
                if last || !found.is_empty() {
                    return found;
                }
            }
        });
        // Also when the work panics: the scope waits for the thread.
        struct Done<'a>(&'a AtomicBool);
        impl Drop for Done<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Release);
            }
        }
        let end = Done(&done);
        let result = work();
        drop(end);
        assert_eq!(looking.join().unwrap(), [""; 0], "chanceryd's memory while {what}");
        result
    })
}

#[test]
fn the_service_shows_no_key_and_the_enclave_only_the_open_one() {
    if !may_scan() {
        return;
    }
    let deployment = in_ordinary_memory();
    let desk = Desk::at(&deployment);
    let known = one_of_each(&desk);
    let secrets = secrets(&known);
    let pin = pin(&deployment);
    let enclave = deployment.enclave_pid().unwrap();
    let shown = |what: &str| {
        let memory = Memory::of(enclave);
        assert!(!memory.holds(&pin), "the PIN in the enclave {what}");
        memory.find(&secrets).into_iter().map(ToOwned::to_owned).collect::<Vec<_>>()
    };

    chanceryd_shows_none(&deployment, &secrets, "keys are imported", || {
        known.iter().for_each(|known| import(&desk, known));
    });
    assert_eq!(shown("after imports"), [""; 0], "the imports left keys in the enclave");

    let mut wrong = Vec::new();
    for known in &known {
        uses(&desk, known);
        let open = shown("while a key is open");
        if open.is_empty() {
            wrong.push(format!(
                "{}: the open key is not found, so not finding it later proves nothing",
                known.secret.what
            ));
        }
        if open.iter().any(|found| *found != known.secret.what) {
            wrong.push(format!("{}: it evicted others, of which there is left {open:?}", known.secret.what));
        }
    }
    // The last one is open yet.
    uses(&desk, &known[0]);
    let others = shown("after all but one were evicted");
    assert!(others.iter().all(|found| *found == known[0].secret.what), "{others:?}");
    for known in &known {
        uses(&desk, known);
        if shown("before a suspension").is_empty() {
            wrong.push(format!("{}: it was not open before its suspension", known.secret.what));
        }
        desk.run(OFFICER, &format!("keys suspend {}/versions/1", name(known)));
        let left = shown("after a suspension");
        if !left.is_empty() {
            wrong.push(format!("{}: after its suspension there is left {left:?}", known.secret.what));
        }
    }
    assert_eq!(wrong, [""; 0]);

    chanceryd_shows_none(&deployment, &secrets, "keys are backed up", || back_up(&desk, 2, "backup"));
    assert_eq!(shown("after a backup"), [""; 0], "the backup left keys in the enclave");
    desk.run(OFFICER, "keys rewrap org1 --confirm org1");
    assert_eq!(shown("after a rewrap"), [""; 0], "the rewrap left keys in the enclave");

    // What the service does know, the same search finds in it.
    let public = desk.at.chancery(OFFICER, &["keys", "public", &name(&known[0]), "--format", "raw"]).stdout;
    let memory = Memory::of(deployment.pid());
    assert!(memory.holds(&Secret::new("public key", &[&public])), "the search finds nothing in chanceryd");
    assert!(!memory.holds(&pin), "the PIN in chanceryd");

    let target = in_ordinary_memory();
    let there = Desk::at(&target);
    let answer = chanceryd_shows_none(&target, &secrets, "keys are restored", || {
        restore(&deployment, &there, &desk.path("backup"), &log_of(&deployment))
    });
    assert_eq!(answer["restored"], known.len());
    let enclave = Memory::of(target.enclave_pid().unwrap());
    assert_eq!(enclave.find(&secrets), BTreeSet::new(), "the restore left keys in the enclave");
    assert!(!enclave.holds(&self::pin(&target)));
}

/// The default: even an open key is not to be seen by root, where the key is not an object of AWS-LC, which lies on the C
/// heap.
#[test]
fn secret_memory_hides_the_open_key() {
    if !may_scan() {
        return;
    }
    let deployment = Deployment::start();
    if !deployment.stderr().contains("memfd_secret") {
        eprintln!("not tested: this kernel has no memfd_secret");
        return;
    }
    let desk = Desk::at(&deployment);
    let known: Vec<Known> = one_of_each(&desk).into_iter().filter(|known| HIDDEN.contains(&known.algorithm)).collect();
    known.iter().for_each(|known| import(&desk, known));
    known.iter().for_each(|known| uses(&desk, known));
    assert_eq!(Memory::of(deployment.enclave_pid().unwrap()).find(&secrets(&known)), BTreeSet::new());
}

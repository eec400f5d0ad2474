//! Where restored keys come from: whoever knows a key, and writes a backup of it, does not make a generated key of it.

use crate::{
    attestation::attested,
    backups::{back_up, client_file, job, log_of, restore, shares, state},
    desk::{Desk, NODE, OFFICER, OWNER},
    foreign_keys::KINDS,
    gcm::Gcm,
    harness::{Deployment, expect_code},
    places::{Places, frames},
    shared::{ORG1, key},
    store::lose_wrapped_keys,
};
use chancery_transfer::backup::{
    self, Backup, Entry, Header,
    file::{StatesHash, Writer},
};

/// What the officer knows.
const KNOWN: [u8; 32] = *b"known to whoever wrote a backup.";

/// The aes-256 key of [`Places`].
const AES: &str = "c";

/// A backup that no enclave made, of `states` whose key is the known one, as if `deployment` had made it.
fn written(desk: &Desk<'_>, deployment: &str, states: &[Vec<u8>]) -> String {
    let backup = format!("{ORG1}/backups/written");
    let public_key = |custodian: &str| {
        let certificate = client_file(desk.at, custodian, "cert.pem");
        let pem = desk.file("pem", desk.openssl.text(&format!("x509 -in {certificate} -noout -pubkey")));
        desk.openssl.text(&format!("pkey -pubin -in {pem} -outform DER -out {}", desk.path("der")));
        desk.read("der")
    };
    let custodians = ["auditor", "opssc"].map(|name| (format!("{ORG1}/principals/{name}"), public_key(name)));
    let custodians = custodians.each_ref().map(|(name, key)| (name.as_str(), key.as_slice()));
    let (header, mut sealer) = backup::begin(&Backup {
        deployment,
        organization: "org1",
        backup: &backup,
        time_unix_millis: 1_700_000_000_000,
        log_size: 1,
        threshold: 2,
        custodians: &custodians,
    })
    .unwrap();
    let entry = Entry {
        version: &format!("{}/versions/1", key(AES)),
        algorithm: "aes-256",
        purpose: "encrypt",
        origin: "generated",
        public_key_sha256: &<sha2::Sha256 as sha2::Digest>::digest([]).into(),
        secret: &KNOWN,
    };
    let mut hash = StatesHash::default();
    let mut file = Vec::new();
    let mut writer = Writer::begin(&header, &mut file).unwrap();
    for state in states {
        hash.add(state);
        writer.state(state, &mut file).unwrap();
    }
    writer.entry(&sealer.seal(&entry).unwrap(), &mut file).unwrap();
    writer.finish(&sealer.finish(&hash.finish()), &mut file).unwrap();
    desk.file("written", file)
}

#[test]
fn a_known_key_in_a_backup_that_its_knower_wrote_is_not_attested_as_generated() {
    let places = Places::new();
    let (desk, there) = (Desk::at(&places.source), Desk::at(&places.target));
    back_up(&desk, 2, "backup");
    // The last key, its version and entry, and the trailer.
    let states: Vec<_> = frames(&desk.read("backup"))[7..9].iter().map(|frame| frame[5..].to_vec()).collect();

    // As this deployment's own: it knows what it made.
    back_up(&there, 2, "own");
    let own = there.run(OFFICER, &format!("backup show {}", there.path("own")))["deployment"].clone();
    let posing = written(&there, own.as_str().unwrap(), &states);
    let job = job(&there, "job.json");
    let line = |file: &str| {
        let shares = shares(&places.target, &there, &["auditor", "opssc"], file, &job);
        format!("backup restore org1 --in {file} --job {job} {shares} --without-log")
    };
    assert_eq!(there.refused(OFFICER, &line(&posing)).reason, "TAMPERED");
    places.nothing_is_there("of a backup that was not made here");

    let elsewhere = written(&there, "elsewhere", &states);
    assert_eq!(there.run(OFFICER, &line(&elsewhere))["restored"], 1);
    // It is the known key, and no more is stated of it than that it was restored.
    let (plain, sealed) = (there.file("plain", "for those who know"), there.path("sealed"));
    there.run(NODE, &format!("encrypt {} --in {plain} --out {sealed}", key(AES)));
    let sealed = there.read("sealed");
    let nonce: [u8; 12] = sealed[..12].try_into().unwrap();
    let oracle = Gcm { desk: &there, cipher: "aes-256", key: KNOWN, length: 32 };
    assert_eq!(oracle.seal(nonce, &[], b"for those who know"), sealed);
    let version = format!("{}/versions/1", key(AES));
    assert_eq!(attested(&there, &version)["origin"], "restored");
    assert_eq!(state(&there, &version)["origin"], "restored");

    // What the service makes to follow it is its own.
    there.run(OFFICER, &format!("keys rotate {}", key(AES)));
    assert_eq!(attested(&there, &key(AES))["version"], format!("{}/versions/2", key(AES)));
    assert_eq!(attested(&there, &key(AES))["origin"], "generated");
    there.run(OFFICER, "keys rewrap org1 --confirm org1");
    assert_eq!(attested(&there, &version)["origin"], "restored");
    expect_code(&places.target.verify_log(), 0);
}

/// Also where it was made: its custodians could have written that backup.
#[test]
fn a_lost_key_comes_back_as_restored_while_it_is_open_and_an_imported_one_as_imported() {
    let mut deployment = Deployment::start();
    {
        let desk = Desk::at(&deployment);
        let how = "--algorithm ec-p256 --protection enclave";
        desk.run(OFFICER, &format!("keys create {} {how} --owner {OWNER}", key("made")));
        desk.import(&key("brought"), &desk.generate("brought.key", KINDS[0].made_by), "--protection enclave");
        back_up(&desk, 2, "backup");
        std::fs::copy(desk.path("backup"), deployment.dir().join("the-backup")).unwrap();
        assert_eq!(attested(&desk, &key("made"))["origin"], "generated");
        // Opened, and lost from under the running service.
        for id in ["made", "brought"] {
            desk.sign(&key(id), b"a message");
        }
        assert_eq!(lose_wrapped_keys(&deployment), 2);
        desk.sign(&key("made"), b"a message");
        let backup = deployment.dir().join("the-backup").display().to_string();
        let name = backup_name(&desk, &backup);
        assert_eq!(restore(&deployment, &desk, &backup, &log_of(&deployment))["restored"], 2);
        for (id, origin) in [("made", "restored"), ("brought", "imported")] {
            let state = state(&desk, &format!("{}/versions/1", key(id)));
            assert_eq!((&state["origin"], &state["restored_from"]), (&origin.into(), &name.as_str().into()), "{state}");
            assert_eq!(
                (&state["state"], attested(&desk, &key(id))["origin"].as_str()),
                (&"ACTIVE".into(), Some(origin))
            );
            assert!(KINDS[0].verifies(&desk, &key(id), &desk.file("public.pem", desk.public(&key(id), "pem"))), "{id}");
        }
    }
    deployment.stop();
    deployment.serve();
    let desk = Desk::at(&deployment);
    for (id, origin) in [("made", "restored"), ("brought", "imported")] {
        assert_eq!(attested(&desk, &key(id))["origin"], origin);
        desk.sign(&key(id), b"a message");
    }
    // A backup of it says so, and its own states fit.
    back_up(&desk, 2, "again");
    let other = Deployment::start();
    let there = Desk::at(&other);
    assert_eq!(restore(&deployment, &there, &desk.path("again"), &log_of(&deployment))["restored"], 2);
    assert_eq!(attested(&there, &key("made"))["origin"], "restored");
    // And one from before, whose log says by now that it was restored.
    let third = Deployment::start();
    let there = Desk::at(&third);
    let backup = deployment.dir().join("the-backup").display().to_string();
    assert_eq!(restore(&deployment, &there, &backup, &log_of(&deployment))["restored"], 2);
    assert_eq!(attested(&there, &key("made"))["origin"], "restored");
}

fn backup_name(desk: &Desk<'_>, file: &str) -> String {
    let name = Header::decode(&frames(&std::fs::read(file).unwrap())[0][5..]).unwrap().backup;
    assert_eq!(desk.run(OFFICER, &format!("backup show {file}"))["backup"], name);
    name
}

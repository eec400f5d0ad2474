//! Shares that must not open a backup, and custodians that get none.

use crate::{
    backups::{back_up, backing_up, job, send, shares, sharing},
    desk::{Desk, OFFICER},
    harness::Deployment,
    places::{Places, frames, header, refused},
};
use chancery_api::{reasons, v1::RestoreHeader};
use chancery_transfer::{
    backup::{Header, custody},
    envelope::PrivateKey,
};
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn shares_that_are_too_few_wrong_or_mixed() {
    let places = Places::new();
    let (desk, there) = (Desk::at(&places.source), Desk::at(&places.target));
    back_up(&desk, 3, "backup");
    back_up(&desk, 3, "other");
    let file = desk.read("backup");
    let job_file = job(&there, "job.json");
    let custodians = ["security", "auditor", "ca"];
    let options = shares(&places.source, &there, &custodians, &desk.path("backup"), &job_file);
    let officer = places.target.client(OFFICER).await;
    let good = header(&there, &custodians);
    let of = |shares: Vec<Vec<u8>>| RestoreHeader { shares, ..good.clone() };

    // The third share of the other backup, sealed as one of this.
    let parsed = |name: &str| Header::decode(&frames(&desk.read(name))[0][5..]).unwrap();
    let job_json: Value = serde_json::from_slice(&there.read("job.json")).unwrap();
    let public_key = hex::decode(job_json["public_key"].as_str().unwrap()).unwrap();
    let to = custody::Destination {
        deployment: job_json["deployment"].as_str().unwrap(),
        transport_key: &good.restore_job,
        public_key: &public_key,
    };
    let key_file = places.source.client_dir("org1-ca").join("key.pem");
    let ca_key = PrivateKey::from_pem(&std::fs::read_to_string(key_file).unwrap()).unwrap();
    let mixed = custody::open_share(&parsed("other"), &ca_key).unwrap();
    let mixed = custody::seal_share(&mixed, &parsed("backup").backup, &to).unwrap();

    let [first, second, third] = &good.shares[..] else { panic!() };
    let mut changed = third.clone();
    *changed.last_mut().unwrap() ^= 1;
    let list = |shares: &[&Vec<u8>]| of(shares.iter().map(|share| share.to_vec()).collect());
    for (what, header, reason) in [
        ("none", list(&[]), reasons::BAD_SHARES),
        ("too few", list(&[first, second]), reasons::BAD_SHARES),
        ("one twice", list(&[first, second, second]), reasons::BAD_SHARES),
        ("one more, twice", list(&[first, second, third, third]), reasons::BAD_SHARES),
        ("mixed", list(&[first, second, &mixed]), reasons::BAD_SHARES),
        ("one changed", list(&[first, second, &changed]), reasons::TAMPERED),
        ("one cut", list(&[first, second, &third[..20].to_vec()]), reasons::TAMPERED),
        ("too many", list(&[first; 17]), reasons::BAD_SHARES),
        ("an unknown job", RestoreHeader { restore_job: vec![1; 16], ..good.clone() }, reasons::JOB_EXPIRED),
    ] {
        refused(&officer, header, &file, what, &[reason]).await;
        places.nothing_is_there(what);
    }
    refused(&officer, good.clone(), &desk.read("other"), "the other backup", &[reasons::TAMPERED]).await;

    // What the command finds before it asks.
    let few = options.rsplit_once("--share").unwrap().0;
    let line = format!("backup restore org1 --in {} --job {job_file} --without-log", desk.path("backup"));
    let refused = there.refused(OFFICER, &format!("{line} {few}"));
    assert!(refused.exit_code == 65 && refused.message.contains("2 shares are too few"), "{refused:?}");
    let again = job(&there, "again.json");
    let line = format!("backup restore org1 --in {} --job {again} --without-log {options}", desk.path("backup"));
    assert!(there.refused(OFFICER, &line).message.contains("another job"));

    // Who has no share, or another's key, gives none; nor to a job that the enclave does not vouch for.
    let line = sharing(&places.source, &there, "ca", &desk.path("backup"), &job_file);
    for (from, to) in [
        ("--custodian ca", "--custodian auditor"),
        ("--custodian ca", "--custodian peer0"),
        ("org1-ca/key.pem", "org1-peer0/key.pem"),
    ] {
        assert_eq!(there.refused(OFFICER, &line.replace(from, to)).exit_code, 65, "{to}");
    }
    let (here, elsewhere) = (places.target.dir(), places.source.dir());
    let unattested =
        line.replace(here.join("audit.vkey").to_str().unwrap(), elsewhere.join("audit.vkey").to_str().unwrap());
    let refused = there.refused(OFFICER, &unattested);
    assert!(refused.exit_code == 1 && refused.message.contains("nothing was sealed"), "{refused:?}");
    assert_eq!(send(&officer, good, &file).await.unwrap().restored, 3);
}

#[test]
fn custodians_are_registered_with_the_key_that_is_named() {
    let source = Deployment::start();
    let desk = Desk::at(&source);
    let cert = |client: &str| source.client_dir(client).join("cert.pem").display().to_string();
    let out = desk.path("backup");
    let line = |custodian: &str, file: String| {
        let security = cert(OFFICER);
        format!(
            "backup create org1 --threshold 2 --out {out} --custodian security={security} --custodian {custodian}={file}"
        )
    };
    for (what, line) in [
        ("another's certificate", line("ca", cert("org1-auditor"))),
        ("nobody's name", line("nobody", cert("org1-ca"))),
        ("not registered", line("peer0", cert("org1-peer0"))),
    ] {
        let refused = desk.refused(OFFICER, &line);
        assert_eq!(
            (refused.exit_code, refused.reason.as_str()),
            (65, reasons::INVALID_ARGUMENT),
            "{what}: {refused:?}"
        );
    }
    // One custodian alone would be an officer who takes every key away.
    assert_eq!(desk.refused(OFFICER, &backing_up(&desk, 1, "backup")).reason, reasons::DENIED);
    assert_eq!(desk.refused("org1-peer0", &line("ca", cert("org1-ca"))).reason, reasons::DENIED);
    assert_eq!(desk.refused("org2-security", &line("ca", cert("org1-ca"))).reason, reasons::DENIED);
    assert!(!desk.openssl.path("backup").exists());
    assert_eq!(desk.run(OFFICER, "backup list org1"), Value::Array(Vec::new()));
}

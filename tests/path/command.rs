//! The main job by the `chancery` command alone, as its manual says.

use crate::{harness::expect_code, openssl::OpenSsl, shared::deployment};
use std::process::Output;

fn chancery(client: &str, line: &str) -> Output {
    deployment().chancery(client, &line.split_whitespace().collect::<Vec<_>>())
}

fn done(client: &str, line: &str) -> String {
    let output = chancery(client, line);
    expect_code(&output, 0);
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_main_job_by_the_command() {
    let openssl = OpenSsl::new();
    let path = |name: &str| openssl.path(name).to_str().unwrap().to_owned();
    let (ca, peer) = ("organizations/org1/keys/cli-ca", "organizations/org1/keys/cli-peer");

    done("org1-ca", &format!("keys create {ca} --algorithm ec-p256 --purpose certify"));
    let (csr, root) = (path("ca.csr"), path("root.pem"));
    done("org1-ca", &format!("csr {ca} --subject CN=ca.org1,O=Org1 --out {csr}"));
    done("org1-ca", &format!("certificates issue --ca {ca} --csr {csr} --profile root-ca --out {root}"));

    done("org1-security", &format!("keys create {peer} --algorithm ec-p256 --owner peer0 --label env=test"));
    let (csr, node) = (path("peer.csr"), path("peer.pem"));
    done("org1-peer0", &format!("csr {peer} --subject CN=peer0,OU=peer,O=Org1 --san dns:peer0.org1 --out {csr}"));
    assert!(openssl.text(&format!("req -verify -noout -in {csr}")).contains("verify OK"));
    done("org1-ca", &format!("certificates issue --ca {ca} --csr {csr} --profile peer --out {node}"));
    openssl.text(&format!("verify -x509_strict -CAfile {root} {node}"));

    let (file, signature, public) = (openssl.file("block", b"a block"), path("signature"), path("public.pem"));
    done("org1-peer0", &format!("sign {peer} --in {file} --out {signature}"));
    done("org1-peer0", &format!("keys public {peer} --out {public}"));
    openssl.text(&format!("dgst -sha256 -verify {public} -signature {signature} {file}"));
    assert!(done("org1-peer0", &format!("verify {peer} --in {file} --signature {signature}")).contains("valid"));
    let other = openssl.file("other", b"another block");
    expect_code(&chancery("org1-peer0", &format!("verify {peer} --in {other} --signature {signature}")), 1);
    for options in ["--hash sha512", "--format raw", "--low-s=false", "--format raw --low-s"] {
        done("org1-peer0", &format!("sign {peer} --in {file} --out {signature} {options}"));
    }

    let rotated = done("org1-peer0", &format!("--output json keys rotate {peer}"));
    assert!(rotated.contains("versions/2"), "{rotated}");
    let listed = done("org1-security", "keys list organizations/org1");
    assert!(listed.contains(ca) && listed.contains(peer), "{listed}");
    assert!(done("org1-auditor", &format!("keys show {peer}")).contains("peer0"));
    let records = done("org1-auditor", &format!("--output json audit list --key {peer}"));
    assert!(records.contains("RotateKey") && records.contains("Sign"), "{records}");
    let checkpoint = done("org1-auditor", "audit checkpoint");
    assert!(checkpoint.starts_with("chancery-dev/"), "{checkpoint}");
    expect_code(&deployment().verify_log(), 0);
}

/// Each kind of refusal ends in the exit code that scripts rely on.
#[test]
fn exit_codes_tell_refusals_apart() {
    let openssl = OpenSsl::new();
    let (file, out) = (openssl.file("digest", [7; 31]), openssl.path("out").to_str().unwrap().to_owned());
    let name = "organizations/org1/keys/cli-codes";
    done("org1-security", &format!("keys create {name} --algorithm ec-p256 --owner peer0"));
    for (client, line, code) in [
        ("org1-peer0", format!("sign {name} --in {file} --hash none --out {out}"), 0),
        ("org2-peer0", format!("sign {name} --in {file} --hash none --out {out}"), 77),
        ("org1-security", format!("sign {name} --in {file} --hash none --out {out}"), 77),
        ("org1-security", format!("keys create {name} --algorithm ec-p256 --owner peer0"), 65),
        ("org1-security", "keys show organizations/org1/keys/cli-missing".into(), 65),
        ("org1-peer0", "keys show organizations/org1/keys/cli-missing".into(), 77),
        ("org1-peer0", "sign Nonsense --in x --out y".into(), 64),
        ("org1-peer0", format!("sign {name} --in {file} --padding pss --out {out}"), 65),
    ] {
        expect_code(&chancery(client, &line), code);
    }
    let refused = chancery("org2-peer0", &format!("--output json sign {name} --in {file} --hash none --out {out}"));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("\"DENIED\""), "{said}");
}

//! What the enclave states of keys, and that nobody else can state it.

use crate::{
    desk::{Desk, NODE, OFFICER, OWNER},
    foreign_keys::KINDS,
    harness::Deployment,
    shared::{deployment, key},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

const NONCE: &str = "00112233445566778899aabbccddeeff";

/// The arguments to verify a statement's file with an audit key.
fn verifying(file: &str, deployment: &Deployment, nonce: &str) -> String {
    let audit_key = deployment.dir().join("audit.vkey");
    format!("attestation verify --in {file} --key {} --nonce {nonce}", audit_key.display())
}

/// What a genuine statement says.
pub(crate) fn attested(desk: &Desk<'_>, name: &str) -> Value {
    let file = desk.path("statement.json");
    desk.run(NODE, &format!("keys attest {name} --nonce {NONCE} --out {file}"));
    let verified = desk.run(NODE, &verifying(&file, desk.at, NONCE));
    assert_eq!(verified["verified"], true);
    verified["statement"].clone()
}

/// Whether a statement's file with this content is found wrong.
fn is_found_wrong(desk: &Desk<'_>, content: &Value, nonce: &str) -> bool {
    let file = desk.file("altered.json", content.to_string());
    let output = desk.output(NODE, &verifying(&file, desk.at, nonce));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    output.status.code() == Some(1) && answer["verified"] == false && answer["statement"].is_null()
}

#[test]
fn statements_tell_the_token_from_the_enclave_and_the_generated_from_the_imported() {
    let desk = Desk::at(deployment());
    for protection in ["token", "enclave"] {
        let made = key(&format!("attested-{protection}"));
        let how = format!("--algorithm ec-p256 --protection {protection}");
        desk.run(OFFICER, &format!("keys create {made} {how} --owner {OWNER}"));
        let imported = key(&format!("attested-imported-{protection}"));
        let original = desk.generate("original.key", KINDS[0].made_by);
        desk.import(&imported, &original, &format!("--protection {protection}"));
        for (name, origin) in [(made, "generated"), (imported, "imported")] {
            let statement = attested(&desk, &name);
            assert_eq!(statement["version"], format!("{name}/versions/1"), "{statement}");
            assert_eq!(
                (&statement["origin"], &statement["protection"]),
                (&origin.into(), &protection.into()),
                "{statement}"
            );
            assert_eq!(
                (&statement["algorithm"], &statement["nonce"]),
                (&"ec-p256".into(), &NONCE.into()),
                "{statement}"
            );
            let der = desk.at.chancery(OFFICER, &["keys", "public", &name, "--format", "der"]).stdout;
            let digest = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(der));
            assert_eq!(statement["public-key-sha256"], digest, "{statement}");
            let text = statement.to_string();
            assert!(text.contains("SoftHSM"), "the token is named: {text}");
            if protection == "token" {
                let local = statement["local"].as_str() == Some("yes");
                assert_eq!(local, origin == "generated", "{statement}");
                assert_eq!(statement["sensitive"], "yes", "{statement}");
                assert_eq!(statement["extractable"], "no", "{statement}");
            }
        }
    }
}

#[test]
fn altered_statements_signatures_and_nonces_are_refused() {
    let desk = Desk::at(deployment());
    let name = key("attested-and-altered");
    desk.run(OFFICER, &format!("keys create {name} --algorithm ed25519 --protection enclave --owner {OWNER}"));
    attested(&desk, &name);
    let genuine: Value = serde_json::from_slice(&desk.read("statement.json")).unwrap();
    let text = genuine["statement"].as_str().unwrap();
    let signature = STANDARD.decode(genuine["signature"].as_str().unwrap()).unwrap();

    // Every line, by one character.
    let mut at = 0;
    for line in text.lines() {
        let mut altered = text.as_bytes().to_vec();
        altered[at + line.len() - 1] ^= 1;
        let altered = json!({ "statement": String::from_utf8(altered).unwrap(), "signature": genuine["signature"] });
        assert!(is_found_wrong(&desk, &altered, NONCE), "{line}");
        at += line.len() + 1;
    }
    for (from, to) in [("enclave", "token"), ("generated", "imported"), ("\n", "\r\n")] {
        let altered = json!({ "statement": text.replace(from, to), "signature": genuine["signature"] });
        assert!(is_found_wrong(&desk, &altered, NONCE), "{from:?}");
    }
    for position in [0, signature.len() / 2, signature.len() - 1] {
        let mut altered = signature.clone();
        altered[position] ^= 1;
        let altered = json!({ "statement": text, "signature": STANDARD.encode(altered) });
        assert!(is_found_wrong(&desk, &altered, NONCE), "byte {position} of the signature");
    }
    for signature in ["", "no base64!"] {
        assert!(is_found_wrong(&desk, &json!({ "statement": text, "signature": signature }), NONCE));
    }
    assert!(is_found_wrong(&desk, &genuine, "00"));
    assert!(!is_found_wrong(&desk, &genuine, NONCE));
}

/// One key signs both, so each says first what it is.
#[test]
fn a_checkpoint_is_no_statement_and_a_statement_no_checkpoint() {
    let deployment = Deployment::start();
    let desk = Desk::at(&deployment);
    let name = key("attested");
    desk.run(OFFICER, &format!("keys create {name} --algorithm ed25519 --protection enclave --owner {OWNER}"));
    attested(&desk, &name);
    let statement: Value = serde_json::from_slice(&desk.read("statement.json")).unwrap();
    assert_eq!(deployment.verify_log().status.code(), Some(0));

    let log = desk.path("log");
    let audit = deployment.dir().join("audit");
    assert!(std::process::Command::new("cp").arg("-r").arg(&audit).arg(&log).status().unwrap().success());
    let note = std::fs::read_to_string(audit.join("checkpoint")).unwrap();
    // C2SP signed-note: text, empty line, "— name base64(key id ‖ signature)".
    let (body, line) = note.split_once("\n\n").unwrap();
    let (prefix, signed) = line.trim_end().rsplit_once(' ').unwrap();
    let signed = STANDARD.decode(signed).unwrap();
    for text in [format!("{body}\n"), body.to_owned(), note.clone()] {
        let posing = json!({ "statement": text, "signature": STANDARD.encode(&signed[4..]) });
        assert!(is_found_wrong(&desk, &posing, NONCE), "{text}");
    }

    let text = statement["statement"].as_str().unwrap();
    let signature = STANDARD.decode(statement["signature"].as_str().unwrap()).unwrap();
    let posing = format!("{text}\n{prefix} {}\n", STANDARD.encode([&signed[..4], &signature].concat()));
    let checkpoint = std::path::Path::new(&log).join("checkpoint");
    std::fs::write(&checkpoint, posing).unwrap();
    let verified = crate::harness::verify_log(log.as_ref(), &deployment.dir().join("audit.vkey"));
    assert_eq!(verified.status.code(), Some(1), "{verified:?}");
    std::fs::write(&checkpoint, &note).unwrap();
    let verified = crate::harness::verify_log(log.as_ref(), &deployment.dir().join("audit.vkey"));
    assert_eq!(verified.status.code(), Some(0), "{verified:?}");
}

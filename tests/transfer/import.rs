//! Key pairs that openssl made, imported: the same public key, the same identifiers, and what they do openssl accepts.

use crate::{
    desk::{Desk, OFFICER},
    foreign_keys::{KINDS, Kind},
    shared::{context, deployment, key, records_of},
};
use chancery_audit::record::{Kind as RecordKind, Outcome};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

fn import(desk: &Desk<'_>, kind: &Kind, name: &str, original: &str, protection: &str) -> Value {
    let Kind { algorithm, purpose, .. } = kind;
    desk.import(name, original, &format!("--purpose {purpose} --algorithm {algorithm} --protection {protection}"))
}

/// Everything that is known of the imported key is known of the original.
fn is_the_same(desk: &Desk<'_>, kind: &Kind, name: &str, original: &str) {
    let public = desk.public_of(original);
    assert_eq!(desk.public(name, "pem"), public, "{kind:?}");
    let der = desk.path("public.der");
    desk.openssl.text(&format!("pkey -in {original} -pubout -outform DER -out {der}"));
    let point_bytes = match kind.algorithm {
        "ec-p384" => 97,
        "ec-p521" => 133,
        "ed25519" | "x25519" => 32,
        _ => 65,
    };
    if !kind.algorithm.starts_with("rsa") {
        let der = desk.read("public.der");
        let point = &der[der.len() - point_bytes..];
        assert_eq!(desk.public(name, "fabric-ski").trim(), hex::encode(Sha256::digest(point)), "{kind:?}");
    }
    assert!(kind.is_proven(desk, name, original), "{kind:?}: what the imported key does is not the original's");
}

#[test]
fn pairs_of_openssl_become_enclave_keys_that_openssl_takes_for_the_originals() {
    let desk = Desk::at(deployment());
    for (number, kind) in KINDS.iter().enumerate() {
        let name = key(&format!("enclave-pair-{number}"));
        let original = desk.generate("original.key", kind.made_by);
        let imported = import(&desk, kind, &name, &original, "enclave");
        assert_eq!((&imported["algorithm"], &imported["purpose"]), (&kind.algorithm.into(), &kind.purpose.into()));
        assert_eq!((&imported["protection"], &imported["primary"]["origin"]), (&"enclave".into(), &"imported".into()));
        is_the_same(&desk, kind, &name, &original);
    }
}

#[test]
fn pairs_go_into_the_token_where_it_takes_them_and_else_the_error_names_the_enclave() {
    let desk = Desk::at(deployment());
    for (number, kind) in KINDS.iter().enumerate() {
        let name = key(&format!("token-pair-{number}"));
        let original = desk.generate("original.key", kind.made_by);
        if kind.token {
            let imported = import(&desk, kind, &name, &original, "token");
            assert_eq!(imported["protection"], "token", "{kind:?}");
            is_the_same(&desk, kind, &name, &original);
            continue;
        }
        let line = desk.importing(&name, &original, &format!("--purpose {} --protection token", kind.purpose));
        let refused = desk.refused(OFFICER, &line);
        assert_eq!(refused.reason, "UNSUPPORTED_ALGORITHM", "{kind:?}: {refused:?}");
        assert!(refused.message.contains("ENCLAVE"), "{refused:?}");
        assert_eq!(desk.refused(OFFICER, &format!("keys show {name}")).reason, "NOT_FOUND");

        // Without a protection it finds its place.
        let imported = desk.import(&name, &original, &format!("--purpose {}", kind.purpose));
        assert_eq!(imported["protection"], "enclave", "{kind:?}");
        is_the_same(&desk, kind, &name, &original);
    }
}

#[test]
fn larger_rsa_keys_too() {
    let desk = Desk::at(deployment());
    for bits in ["3072", "4096"] {
        let kind = Kind { algorithm: if bits == "3072" { "rsa-3072" } else { "rsa-4096" }, ..KINDS[5] };
        let original = desk.path("original.key");
        desk.openssl.text(&format!("genrsa -out {original} {bits}"));
        let name = key(&format!("rsa-{bits}"));
        import(&desk, &kind, &name, &original, "enclave");
        is_the_same(&desk, &kind, &name, &original);
    }
}

/// It certifies for its owner, and openssl finds the original key's signature on the certificate.
#[test]
fn an_authoritys_key_issues_what_the_original_signed() {
    let desk = Desk::at(deployment());
    let name = key("imported-authority");
    let original = desk.generate("original.key", KINDS[0].made_by);
    let line = desk.importing(&name, &original, "--purpose certify").replace("--owner peer0", "--owner ca");
    desk.run(OFFICER, &line);
    let (request, root) = (desk.path("root.csr"), desk.path("root.pem"));
    desk.run("org1-ca", &format!("csr {name} --subject CN=imported --out {request}"));
    desk.run("org1-ca", &format!("certificates issue --ca {name} --csr {request} --profile root-ca --out {root}"));
    assert_eq!(desk.openssl.text(&format!("x509 -in {root} -noout -pubkey")), desk.public_of(&original));
    desk.openssl.text(&format!("verify -CAfile {root} {root}"));
    let refused = desk.refused("org1-ca", &format!("sign {name} --in {root} --out {}", desk.path("signature")));
    assert_eq!(refused.reason, "WRONG_PURPOSE", "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn show_and_record_say_that_it_was_imported_and_it_is_not_rotated() {
    let desk = Desk::at(deployment());
    let name = key("imported-and-recorded");
    let original = desk.generate("original.key", KINDS[0].made_by);
    desk.import(&name, &original, "");

    let shown = desk.run(OFFICER, &format!("keys show {name}"));
    assert_eq!(shown["versions"][0]["origin"], "imported");
    let records = records_of(&name).await;
    let kinds: Vec<_> = records.iter().map(|record| (record.action.as_str(), record.kind())).collect();
    assert_eq!(kinds, [("ImportKey", RecordKind::Intent), ("ImportKey", RecordKind::Outcome)]);
    assert_eq!(records[1].outcome(), Outcome::Succeeded);
    assert_eq!(context(&records[1], "key"), Some("imported-and-recorded"));
    let states: Vec<_> = records[1].states.iter().map(|state| state.r#type.as_str()).collect();
    assert_eq!(states, ["chancery.state.v1.Key", "chancery.state.v1.KeyVersion"]);
    let state = <chancery_api::state::KeyVersion as prost::Message>::decode(&*records[1].states[1].value).unwrap();
    assert_eq!(state.origin, "imported");

    let refused = desk.refused(OFFICER, &format!("keys rotate {name}"));
    assert_eq!(refused.reason, "WRONG_STATE", "{refused:?}");
    assert!(refused.message.contains("imported"), "{refused:?}");
}

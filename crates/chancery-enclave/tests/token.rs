//! Setting a token up, the ceremony, opening, and everything that can be wrong with a token or its PIN.

mod harness;

use std::{fs, os::unix::fs::PermissionsExt};

use chancery_ipc::{
    CreateDeployment, FaultReason, KeyAlgorithm, Open, Probe, SignCheckpoint, SignDeploymentCertificate, request::Verb,
    response::Result as Reply,
};
use harness::*;
use sha2::{Digest, Sha256};

fn checkpoint(size: u64, root: u8) -> Verb {
    Verb::SignCheckpoint(SignCheckpoint { size, root: vec![root; 32], ..SignCheckpoint::default() })
}

#[test]
fn a_token_is_initialized_gets_a_deployment_and_is_opened_again() {
    let host = Host::with_token();
    let mut ceremony = host.start();
    let created = ceremony.create_deployment(&host);
    assert_eq!(created.token.label, LABEL);
    let tbs = b"any bytes stand for a TBSCertificate".to_vec();
    let signed =
        ceremony.call(Verb::SignDeploymentCertificate(SignDeploymentCertificate { tbs_certificate: tbs.clone() }));
    let Reply::DeploymentCertificateSigned(signed) = signed else { panic!("{signed:?}") };
    assert!(openssl_accepts(&created.ca_public_key, &tbs, &signed.signature, &["dgst", "-sha256"]));
    assert_eq!(ceremony.end().code(), Some(0));

    let (mut enclave, opened) = host.open(2);
    assert_eq!(opened.audit_public_key, created.audit_public_key);
    assert_eq!(opened.incarnation.len(), 16);
    assert_eq!(opened.algorithms, [1, 2, 3, 4, 5, 6, 7, 8, 14, 16]);
    assert_eq!(opened.enclave_algorithms, (1..=16).collect::<Vec<_>>());
    assert!(opened.library.contains("PKCS11 2.6"), "{}", opened.library);
    assert_eq!(opened.token.model, "SoftHSM v2");

    // Only the ceremony's own process signs certificates.
    enclave.refused(
        Verb::SignDeploymentCertificate(SignDeploymentCertificate { tbs_certificate: tbs }),
        FaultReason::BadRequest,
    );
    enclave.refused(Verb::Open(host.open_request(1)), FaultReason::BadRequest);
    assert_eq!(enclave.end().code(), Some(0));
    assert!(!host.log().contains("template"), "SoftHSM takes the whole template: {}", host.log());

    let (_, other) = host.open(1);
    assert_ne!(other.incarnation, opened.incarnation);
}

#[test]
fn opening_ends_the_ceremony() {
    let host = Host::with_token();
    let mut enclave = host.start();
    enclave.create_deployment(&host);
    assert!(matches!(enclave.call(Verb::Open(host.open_request(1))), Reply::Opened(_)));
    let request = SignDeploymentCertificate { tbs_certificate: vec![1] };
    enclave.refused(Verb::SignDeploymentCertificate(request), FaultReason::BadRequest);
}

#[test]
fn a_second_ceremony_is_refused_for_any_deployment() {
    let (host, _) = Host::with_deployment();
    for deployment in [DEPLOYMENT, "another"] {
        let request = CreateDeployment { token: host.access(), deployment: deployment.into() };
        host.start().refused(Verb::CreateDeployment(request), FaultReason::DeploymentExists);
    }
}

#[test]
fn open_tells_another_deployment_from_none() {
    let (host, _) = Host::with_deployment();
    let request = Open { deployment: "another".into(), ..host.open_request(1) };
    let message = host.start().refused(Verb::Open(request), FaultReason::DeploymentMissing);
    assert!(message.contains("another deployment"), "{message}");

    let empty = Host::with_token();
    let message = empty.start().refused(Verb::Open(empty.open_request(1)), FaultReason::DeploymentMissing);
    assert!(message.contains("no deployment at all"), "{message}");
}

#[test]
fn probe_needs_no_login_and_names_slots_and_mechanisms() {
    let host = Host::with_token();
    let mut enclave = host.start();
    let Reply::Probed(probed) = enclave.call(Verb::Probe(Probe { library: SOFTHSM.into() })) else { panic!() };
    assert!(probed.library.contains("PKCS11 2.6"), "{}", probed.library);
    assert_eq!(probed.slots.len(), 2);
    let slot = &probed.slots[0];
    assert!(slot.initialized && slot.user_pin_initialized && slot.token.label == LABEL);
    assert!(slot.mechanisms.contains(&"CKM_ECDSA".to_owned()), "{:?}", slot.mechanisms);
    assert!(slot.mechanisms.is_sorted());
    assert!(!probed.slots[1].initialized);
    // One process, one library.
    enclave.refused(Verb::Probe(Probe { library: "/usr/lib/other.so".into() }), FaultReason::BadRequest);
}

#[test]
fn a_missing_library_and_one_that_is_none_are_unusable() {
    let host = Host::new();
    for library in ["/nowhere/libnone.so", "libsofthsm2.so", "/lib/x86_64-linux-gnu/libm.so.6", "/etc/passwd"] {
        host.start().refused(Verb::Probe(Probe { library: library.into() }), FaultReason::LibraryUnusable);
    }
}

#[test]
fn a_token_that_is_missing_or_uninitialized_is_not_found() {
    let host = Host::new();
    host.start().refused(Verb::Open(host.open_request(1)), FaultReason::TokenNotFound);
    let host = Host::with_token();
    let mut request = host.open_request(1);
    request.token.label = "test".into(); // a prefix is another label
    host.start().refused(Verb::Open(request), FaultReason::TokenNotFound);
}

#[test]
fn a_token_without_a_user_pin_says_so() {
    // softhsm2-util always sets one; pkcs11-tool does not.
    let host = Host::new();
    let status = host
        .tool("pkcs11-tool")
        .args(["--module", SOFTHSM, "--slot-index", "0", "--init-token", "--label", LABEL, "--so-pin", "1234567"])
        .output()
        .unwrap();
    assert!(status.status.success(), "{status:?}");
    host.start().refused(Verb::Open(host.open_request(1)), FaultReason::TokenUninitialized);
}

#[test]
fn a_label_is_given_once() {
    let host = Host::with_token();
    host.start().refused(host.initialize(), FaultReason::TokenExists);
    // Two tokens of one label, made behind our back: neither is taken.
    let status = host
        .tool("softhsm2-util")
        .args(["--init-token", "--free", "--label", LABEL, "--so-pin", "1234567", "--pin", "7654321"])
        .output()
        .unwrap();
    assert!(status.status.success(), "{status:?}");
    host.start().refused(Verb::Open(host.open_request(1)), FaultReason::TokenNotFound);
}

#[test]
fn a_wrong_pin_is_tried_exactly_once() {
    let (mut host, _) = Host::with_deployment();
    assert!(exists(SPY), "pkcs11-spy counts the logins: apt-get install opensc");
    host.spy();
    host.write_secret("pin", "not-the-pin\n");
    let mut enclave = host.start();
    let message = enclave.refused(Verb::Open(host.open_request(1)), FaultReason::LoginFailed);
    assert!(message.contains("CKR_PIN_INCORRECT") && !message.contains("not-the-pin"), "{message}");
    // Not even with the right PIN: a new login is a new process.
    host.write_secret("pin", PIN);
    enclave.refused(Verb::Open(host.open_request(1)), FaultReason::LoginFailed);
    let request = CreateDeployment { token: host.access(), deployment: "d".into() };
    enclave.refused(Verb::CreateDeployment(request), FaultReason::LoginFailed);
    assert_eq!(enclave.end().code(), Some(0));
    assert_eq!(host.spied("C_Login"), 1);
    host.open(1);
    assert_eq!(host.spied("C_Login"), 2);
}

#[test]
fn a_pin_file_must_be_its_owners_alone() {
    let (host, _) = Host::with_deployment();
    let mut enclave = host.start();
    let mode = |mode| fs::set_permissions(host.path("pin"), fs::Permissions::from_mode(mode)).unwrap();
    for readable in [0o604, 0o640, 0o660, 0o602] {
        mode(readable);
        enclave.refused(Verb::Open(host.open_request(1)), FaultReason::PinUnreadable);
    }
    mode(0o600);
    for (name, content) in [("empty", ""), ("newline", "\n"), ("binary", "\u{0}")] {
        host.write_secret(name, content);
        if name == "binary" {
            fs::write(host.path(name), [0xff, 0xfe]).unwrap();
        }
        let mut request = host.open_request(1);
        request.token.pin_file = host.path(name).to_str().unwrap().into();
        enclave.refused(Verb::Open(request), FaultReason::PinUnreadable);
    }
    for path in ["/nowhere/pin", "/dev/zero", "/tmp"] {
        let mut request = host.open_request(1);
        request.token.pin_file = path.into();
        enclave.refused(Verb::Open(request), FaultReason::PinUnreadable);
    }
    // None of these was a login: the right file still opens the token.
    assert!(matches!(enclave.call(Verb::Open(host.open_request(1))), Reply::Opened(_)));
}

#[test]
fn a_pin_that_the_token_cannot_take_leaves_it_uninitialized() {
    let host = Host::new();
    host.write_secret("pin", "abc");
    let mut enclave = host.start();
    let message = enclave.refused(host.initialize(), FaultReason::LoginFailed);
    assert!(!message.contains("abc"), "{message}");
    host.write_secret("pin", PIN);
    assert!(matches!(enclave.call(host.initialize()), Reply::TokenInitialized(_)));
}

#[test]
fn a_token_without_eddsa_gets_a_p256_audit_key() {
    let host = Host::new();
    host.limit_mechanisms("-CKM_EDDSA,CKM_EC_EDWARDS_KEY_PAIR_GEN");
    let mut enclave = host.start();
    assert!(matches!(enclave.call(host.initialize()), Reply::TokenInitialized(_)));
    let created = enclave.create_deployment(&host);
    let Reply::Opened(opened) = enclave.call(Verb::Open(host.open_request(1))) else { panic!() };
    assert!(!opened.algorithms.contains(&KeyAlgorithm::Ed25519.into()));
    enclave.refused(generate(&version(1), KeyAlgorithm::Ed25519), FaultReason::Unsupported);
    let Reply::CheckpointSigned(signed) = enclave.call(checkpoint(7, 0)) else { panic!() };
    let text = format!("{ORIGIN}\n7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
    let arguments = ["dgst", "-sha256"];
    assert!(openssl_accepts(&created.audit_public_key, text.as_bytes(), &signed.signature, &arguments));
}

#[test]
fn requests_that_make_no_sense_are_refused() {
    let (host, _) = Host::with_deployment();
    let mut enclave = host.start();
    for request in [
        Open { sessions: 0, ..host.open_request(1) },
        Open { sessions: 100_000, ..host.open_request(1) },
        Open { origin: "two\nlines".into(), ..host.open_request(1) },
        Open { origin: String::new(), ..host.open_request(1) },
        Open { deployment: String::new(), ..host.open_request(1) },
        Open { deployment: "nul\0".into(), ..host.open_request(1) },
    ] {
        enclave.refused(Verb::Open(request), FaultReason::BadRequest);
    }
    enclave.refused(generate(&version(1), KeyAlgorithm::EcP256), FaultReason::BadRequest);
    let unknown = chancery_ipc::Request { id: 99, deadline_unix_millis: 0, verb: None };
    enclave.send(&[unknown]);
    let response = enclave.receive().unwrap();
    assert_eq!(response.id, 99);
    let Some(Reply::Fault(fault)) = response.result else { panic!() };
    assert_eq!(fault.reason(), FaultReason::BadRequest);
}

/// What the enclave made is found by its documented CKA_ID with another tool, and is what it should be.
#[test]
fn system_keys_stand_in_the_token_as_documented() {
    let (host, _) = Host::with_deployment();
    let id = hex::encode(Sha256::digest(format!("chancery object v1\0{DEPLOYMENT}\0system/ca")));
    let output = host
        .tool("pkcs11-tool")
        .args(["--module", SOFTHSM, "--token-label", LABEL, "--login", "--pin", PIN, "--list-objects", "--id", &id])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.matches("label:      chancery deployment ca").count(), 2, "{text}");
    assert!(text.contains("sensitive, always sensitive, never extractable, local"), "{text}");
    assert!(text.lines().any(|line| line.trim() == "Usage:      sign"), "{text}");
    assert!(text.lines().any(|line| line.trim() == "Usage:      verify"), "{text}");
}

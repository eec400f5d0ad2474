//! Searches: what they see of other processes, of other principals, of a rotation, and of a service that is not there.

use crate::{
    harness::{Deployment, expect_code},
    shared::{ORG1, create, deployment, key},
    token::{CERTIFICATE, PRIVATE, PUBLIC, SECRET, Token, template},
};
use chancery_api::v1::Algorithm;
use chancery_pkcs11::{
    module::{Module, config::Config},
    rv::Rv,
};
use cryptoki_sys::*;
use std::{
    fs,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

const PEER: &str = "org1-peer0";

/// What one process makes or names, another finds with its next search, though it found nothing just before.
#[test]
fn processes_see_each_others_objects() {
    let [one, other] = [(), ()].map(|()| Token::new(deployment(), PEER));
    assert_eq!(other.find(&[(CKA_CLASS, PRIVATE), (CKA_ID, b"seen")]), []);
    let (public, private) = one.named_pair("seen");
    let theirs = other.only(&[(CKA_CLASS, PRIVATE), (CKA_ID, b"seen")]);
    assert_eq!(other.find(&[(CKA_LABEL, b"seen")]).len(), 2);
    for kind in [CKA_EC_POINT, CKA_LABEL, CKA_UNIQUE_ID] {
        assert_eq!(other.bytes(theirs, kind), one.bytes(private, kind));
    }
    let signature = other.sign(theirs, &[7; 32]).unwrap();
    one.verify(public, &[7; 32], &signature).unwrap();
    assert_eq!(one.verify(public, &[8; 32], &signature), Err(Rv(CKR_SIGNATURE_INVALID)));
}

/// A principal finds what it may use: nobody else's key, and no certificate but its own.
#[test]
fn nobody_finds_anothers_objects() {
    let [peer, client] = [PEER, "org1-client"].map(|client| Token::new(deployment(), client));
    peer.named_pair("hidden");
    let x509 = (CKA_VALUE, crate::certificates::FIXTURE);
    let given = [(CKA_CLASS, CERTIFICATE), (CKA_TOKEN, &[1][..]), (CKA_LABEL, b"hidden"), x509];
    peer.create(&[&given[..], &[(CKA_CERTIFICATE_TYPE, &CKC_X_509.to_ne_bytes())]].concat()).unwrap();
    assert_eq!(peer.find(&[(CKA_LABEL, b"hidden")]).len(), 3);
    assert_eq!(client.find(&[(CKA_LABEL, b"hidden")]), []);
    assert_eq!(client.find(&[(CKA_CLASS, PRIVATE), (CKA_ID, b"hidden")]), []);
}

/// docs/pkcs11.md: objects name versions. The node that runs keeps its key, and who looks for the key finds both.
#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_moves_no_handle() {
    create(&key("rotated"), "peer0", Algorithm::EcP256).await;
    let token = Token::new(deployment(), PEER);
    let search: &[(_, &[u8])] = &[(CKA_CLASS, PRIVATE), (CKA_LABEL, b"rotated")];
    let private = token.only(search);
    let point = token.bytes(private, CKA_EC_POINT);
    let public = token.only(&[(CKA_CLASS, PUBLIC), (CKA_ID, &token.bytes(private, CKA_ID))]);
    expect_code(&deployment().chancery("org1-security", &["keys", "rotate", &key("rotated")]), 0);
    // A second process, whose search asks the service; then the first, which refreshes by looking for what is not there.
    assert_eq!(Token::new(deployment(), PEER).find(search).len(), 2);
    assert_eq!(token.find(&[(CKA_ID, b"there is no such id")]), []);
    let found = token.find(search);
    assert_eq!((found[0], found.len()), (private, 2));
    assert_ne!(token.bytes(found[1], CKA_EC_POINT), point);
    assert_ne!(token.bytes(found[1], CKA_ID), token.bytes(private, CKA_ID), "each is found by its own certificate");
    assert_eq!(token.bytes(private, CKA_EC_POINT), point);
    let signature = token.sign(private, &[1; 32]).unwrap();
    token.verify(public, &[1; 32], &signature).unwrap();
}

/// A key that was suspended and activated again: whoever cached its handle meets both.
#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_key_comes_back_to_its_handle() {
    create(&key("asleep"), "peer0", Algorithm::EcP256).await;
    let token = Token::new(deployment(), PEER);
    let private = token.only(&[(CKA_CLASS, PRIVATE), (CKA_LABEL, b"asleep")]);
    let version = format!("{}/versions/1", key("asleep"));
    token.sign(private, &[1; 32]).unwrap();
    expect_code(&deployment().chancery("org1-security", &["keys", "suspend", &version]), 0);
    assert_eq!(token.sign(private, &[1; 32]), Err(Rv(CKR_KEY_FUNCTION_NOT_PERMITTED)));
    // It hears of the suspension.
    assert_eq!(token.find(&[(CKA_ID, b"there is no such id")]), []);
    expect_code(&deployment().chancery("org1-security", &["keys", "activate", &version]), 0);
    let woken = (0..100).any(|_| {
        token.sign(private, &[1; 32]).is_ok() || {
            thread::sleep(Duration::from_millis(100));
            false
        }
    });
    assert!(woken, "no search was needed to hear of it");
}

/// pkcs11-tool --list-objects. What was made later comes later.
#[test]
fn empty_templates_find_everything_of_every_class() {
    let token = Token::new(deployment(), PEER);
    let (public, private) = token.named_pair("everything");
    let secret = format!("keys create {} --algorithm aes-256 --owner peer0", key("everything"));
    expect_code(&deployment().chancery("org1-security", &secret.split(' ').collect::<Vec<_>>()), 0);
    let secret = token.only(&[(CKA_CLASS, SECRET), (CKA_LABEL, b"everything")]);
    let all = token.find(&[]);
    let at = |handle| all.iter().position(|found| *found == handle);
    assert!(at(public) < at(secret) && at(private) < at(secret), "{all:?}");
    for (handle, class) in [(public, PUBLIC), (private, PRIVATE), (secret, SECRET)] {
        assert!(all.contains(&handle) && token.find(&[(CKA_CLASS, class)]).contains(&handle));
    }
    let other = Token::new(deployment(), PEER);
    assert_eq!(other.find(&[(CKA_LABEL, b"everything")]).len(), 3);
}

/// The deadline of a pkcs11.toml, shortened.
fn hurried(deployment: &Deployment) -> Config {
    let path = deployment.client_dir(PEER).join("pkcs11.toml");
    let text = fs::read_to_string(&path).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with("deadline"));
    let text = ["deadline = \"2s\""].into_iter().chain(lines).collect::<Vec<_>>().join("\n");
    let path = path.with_file_name("hurried.toml");
    fs::write(&path, text).unwrap();
    Config::load(&path).unwrap()
}

/// Fabric remembers for the process's life what it did not find (fabric.md §2.4): while the service is away, what is known
/// is found at once, what is not known is waited for, and only after the deadline the session is declared lost.
#[test]
fn nothing_is_not_found_while_the_service_is_away() {
    let mut deployment = Deployment::start();
    let token = Token::new(&deployment, PEER);
    let (_, private) = token.named_pair("known");
    let other = Token::new(&deployment, PEER);
    other.named_pair("unknown");
    deployment.stop();

    assert_eq!(token.only(&[(CKA_CLASS, PRIVATE), (CKA_ID, b"known")]), private);
    let config = hurried(&deployment);
    let impatient = Module::over(config, Arc::default());
    let session = impatient.open_session(1, CKF_SERIAL_SESSION).unwrap();
    let session = impatient.session(session).unwrap();
    impatient.login(&session, CKU_USER, b"1234").unwrap();
    let search = template(&[(CKA_CLASS, PRIVATE), (CKA_ID, b"known")]);
    let found = impatient.objects.find(&impatient, &session, &search);
    assert_eq!(found, Err(Rv(CKR_SESSION_HANDLE_INVALID)));

    let (answers, answer) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..8 {
            let (token, answers) = (&token, answers.clone());
            scope.spawn(move || answers.send(token.find(&[(CKA_CLASS, PRIVATE), (CKA_ID, b"unknown")])).unwrap());
        }
        assert!(answer.recv_timeout(Duration::from_millis(500)).is_err(), "nobody can know yet");
        deployment.serve();
        for _ in 0..8 {
            assert_eq!(answer.recv_timeout(Duration::from_secs(60)).unwrap().len(), 1);
        }
    });

    // The restart moved nothing.
    assert_eq!(token.only(&[(CKA_CLASS, PRIVATE), (CKA_ID, b"known")]), private);
    token.sign(private, &[1; 32]).unwrap();
    assert_eq!(token.find(&[(CKA_LABEL, format!("{ORG1}/none").as_bytes())]), []);
    assert_eq!(token.only(&[(CKA_CLASS, PRIVATE), (CKA_ID, b"known")]), private);
}

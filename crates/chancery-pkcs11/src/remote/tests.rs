//! What a call does when the thread fails under it, and what becomes of chores.

use super::*;
use crate::rv::Rv;
use chancery_client::ClientConfig;
use cryptoki_sys::{CKR_FUNCTION_FAILED, CKR_SESSION_HANDLE_INVALID};
use rcgen::{CertificateParams, KeyPair};
use std::{
    fs,
    net::TcpListener,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};

/// Of a service at this address, without slots.
pub(crate) fn config(directory: &Path, address: &str) -> Config {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["peer0".to_owned()]).unwrap().self_signed(&key).unwrap().pem();
    for (name, text) in [("cert.pem", &certificate), ("ca.pem", &certificate), ("key.pem", &key.serialize_pem())] {
        fs::write(directory.join(name), text).unwrap();
    }
    let path = directory.join("client.toml");
    let files = "ca = \"ca.pem\"\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n";
    fs::write(&path, format!("address = \"{address}\"\n{files}deadline = \"2s\"\n")).unwrap();
    let client = ClientConfig::load(&path).unwrap();
    Config { deadline: client.deadline(), client, slots: Vec::new() }
}

/// Signs at a service that says nothing, over threads of which the first `failing` fail; what comes of it.
fn sign_over(failing: usize) -> Rv {
    let directory = tempfile::tempdir().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let remote = Remote::new(Arc::new(config(directory.path(), &silent.local_addr().unwrap().to_string())));
    thread::scope(|scope| {
        let signing = scope.spawn(|| remote.sign(v1::SignRequest::default()).unwrap_err().rv(Doing::Using));
        let mut failed = 0;
        while failed < failing && !signing.is_finished() {
            // One that stands, and has the request.
            let line = remote.lock().line.clone().filter(|line| line.stands() && line.waits());
            match line {
                Some(line) => {
                    line.fail();
                    failed += 1;
                }
                None => thread::sleep(Duration::from_millis(1)),
            }
        }
        assert_eq!(failed, failing);
        signing.join().unwrap()
    })
}

#[test]
fn a_call_goes_on_over_another_thread_until_its_deadline() {
    assert_eq!(sign_over(MOST_LINES - 1), Rv(CKR_SESSION_HANDLE_INVALID));
}

#[test]
fn a_call_that_ends_every_thread_ends_itself() {
    assert_eq!(sign_over(MOST_LINES), Rv(CKR_FUNCTION_FAILED));
}

/// A session key that could not be dropped in an outage is dropped when the lease is renewed again, and that once.
#[test]
fn a_chore_is_repeated_until_the_service_has_answered() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path(), "127.0.0.1:1");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, patience) = (Client::lazy(&config.client).unwrap(), Duration::from_millis(1));
        let (chores, tries) = (Chores::default(), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&tries);
        let number =
            chores.add(
                "organizations/org1",
                chore(move |_, _| {
                    let earlier = counted.fetch_add(1, Ordering::SeqCst);
                    async move {
                        if earlier < 2 { Err(tonic::Status::unavailable("")) } else { Ok(tonic::Response::new(())) }
                    }
                }),
            );
        chores.attend(number, &client, patience).await;
        chores.attend_all("organizations/org2", &client, patience).await;
        assert_eq!(tries.load(Ordering::SeqCst), 1);
        for _ in 0..4 {
            chores.attend_all("organizations/org1", &client, patience).await;
        }
        assert_eq!(tries.load(Ordering::SeqCst), 3);
    });
}

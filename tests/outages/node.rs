//! A process of org1's peer0 that signs, with threads that block.

use crate::harness::Deployment;
use chancery_api::v1::{
    Algorithm, CreateKeyRequest, Digest, Hash, Key, SignRequest, SignResponse, SignatureFormat, sign_request::Input,
};
use chancery_client::{ClientConfig, request_id};
use chancery_pkcs11::{
    module::config::Config,
    remote::{Failure, Remote},
};
use std::{
    collections::HashMap,
    fmt::Display,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// The deadline of a call, unless a test is about it.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// peer0 of a deployment, at these addresses.
pub fn peer0(deployment: &Deployment, addresses: &[impl Display], deadline: Duration) -> Arc<Remote> {
    remote(deployment, "org1-peer0", addresses, deadline)
}

/// A client of a deployment, at these addresses.
pub fn remote(deployment: &Deployment, client: &str, addresses: &[impl Display], deadline: Duration) -> Arc<Remote> {
    let addresses: Vec<_> = addresses.iter().map(|address| format!("\"{address}\"")).collect();
    let text = format!(
        "addresses = [{}]\nca = \"ca.pem\"\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\ndeadline = \"{}ms\"\n",
        addresses.join(", "),
        deadline.as_millis()
    );
    // Tests run at once, and each may have several.
    let path = deployment.client_dir(client).join(format!("{}.toml", request_id()));
    std::fs::write(&path, text).unwrap();
    let client = ClientConfig::load(&path).unwrap();
    Arc::new(Remote::new(Arc::new(Config { client, deadline, slots: Vec::new() })))
}

/// Makes a key that peer0 owns.
pub async fn key(deployment: &Deployment, id: &str) -> String {
    let officer = deployment.client("org1-security").await;
    let owner = "organizations/org1/principals/peer0".into();
    let key = Key { owner, algorithm: Algorithm::EcP256.into(), ..Key::default() };
    let request = CreateKeyRequest {
        parent: "organizations/org1".into(),
        key_id: id.into(),
        key: Some(key),
        request_id: request_id(),
        ..CreateKeyRequest::default()
    };
    officer.keys().create_key(request).await.unwrap().into_inner().name
}

/// To sign a fresh digest, as C_Sign(CKM_ECDSA) does.
pub fn request(key: &str) -> SignRequest {
    let mut value = vec![0; 32];
    getrandom::fill(&mut value).unwrap();
    SignRequest {
        name: key.to_owned(),
        input: Some(Input::Digest(Digest { hash: Hash::Unspecified.into(), value })),
        format: SignatureFormat::Raw.into(),
        ..SignRequest::default()
    }
}

/// A signature that a thread received: its digest, and when.
pub struct Signed {
    pub digest: Vec<u8>,
    pub response: SignResponse,
    pub at: Instant,
}

/// Threads that sign until they are stopped; each failure is one of the test.
pub struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Result<Vec<Signed>, Failure>>>,
}

impl Load {
    pub fn start(remote: &Arc<Remote>, key: &str, threads: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let one = || {
            let (remote, key, stop) = (Arc::clone(remote), key.to_owned(), Arc::clone(&stop));
            move || {
                let mut signed = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let request = request(&key);
                    let Some(Input::Digest(Digest { value: digest, .. })) = request.input.clone() else { continue };
                    let response = remote.sign(request)?;
                    signed.push(Signed { digest, response, at: Instant::now() });
                    // A test needs requests in flight at all times, not many of them.
                    thread::sleep(Duration::from_millis(2));
                }
                Ok(signed)
            }
        };
        Self { threads: (0..threads).map(|_| thread::spawn(one())).collect(), stop }
    }

    /// What all of them received. Every request id came back once.
    pub fn stop(self) -> Vec<Signed> {
        self.stop.store(true, Ordering::Relaxed);
        let threads = self.threads.into_iter().map(|thread| thread.join().unwrap());
        let signed: Vec<_> =
            threads.flat_map(|signed| signed.unwrap_or_else(|failure| panic!("{failure:?}"))).collect();
        let ids: HashMap<_, _> = signed.iter().map(|signed| (&signed.response.request_id, ())).collect();
        assert_eq!(ids.len(), signed.len(), "an answer came to two requests");
        signed
    }
}

//! What waiting can't mend is told at once, and what can't be mended in time is told at the deadline.

use crate::{
    harness::Deployment,
    node::{DEADLINE, key, peer0, remote, request},
};
use chancery_api::v1::GetKeyRequest;
use chancery_pkcs11::{
    remote::{Doing, Failure, Remote},
    rv::Rv,
};
use cryptoki_sys::{
    CKR_CRYPTOKI_NOT_INITIALIZED, CKR_DATA_LEN_RANGE, CKR_FUNCTION_FAILED, CKR_FUNCTION_REJECTED,
    CKR_SESSION_HANDLE_INVALID,
};
use std::{
    fs,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

fn rv<T: std::fmt::Debug>(result: Result<T, Failure>) -> Rv {
    result.unwrap_err().rv(Doing::Using)
}

fn look(remote: &Remote, key: &str) -> Result<(), Failure> {
    let request = GetKeyRequest { name: key.to_owned() };
    let looked = remote.call(move |client, attempt| {
        let (mut keys, request) = (client.keys(), attempt.request(request.clone()));
        async move { keys.get_key(request).await }
    });
    looked.map(|_| ())
}

#[tokio::test]
async fn what_the_service_refuses_is_told_at_once() {
    let deployment = Deployment::start();
    let key = key(&deployment, "k").await;
    let address = [deployment.address()];
    let start = Instant::now();

    // Another's key.
    let orderer = remote(&deployment, "org1-orderer0", &address, DEADLINE);
    assert_eq!(rv(orderer.sign(request(&key))), Rv(CKR_FUNCTION_REJECTED));
    assert_eq!(rv(look(&orderer, "organizations/org2/keys/none")), Rv(CKR_FUNCTION_REJECTED));

    // A digest that is too long for what it is said to be: the stream goes on after it.
    let peer = peer0(&deployment, &address, DEADLINE);
    let mut long = request(&key);
    if let Some(chancery_api::v1::sign_request::Input::Digest(digest)) = &mut long.input {
        digest.value = vec![1; 65];
    }
    assert_eq!(rv(peer.sign(long)), Rv(CKR_DATA_LEN_RANGE));
    peer.sign(request(&key)).unwrap();

    // A certificate that is not known here.
    let foreign = Deployment::start();
    for name in ["cert.pem", "key.pem"] {
        let from = foreign.client_dir("org1-peer0").join(name);
        fs::copy(from, deployment.client_dir("org1-client").join(name)).unwrap();
    }
    let stranger = remote(&deployment, "org1-client", &address, DEADLINE);
    for _ in 0..3 {
        assert_eq!(rv(stranger.sign(request(&key))), Rv(CKR_FUNCTION_REJECTED));
        assert_eq!(rv(look(&stranger, &key)), Rv(CKR_FUNCTION_REJECTED));
    }

    // A service that can't show that it is ours.
    let misled = peer0(&deployment, &[foreign.address()], DEADLINE);
    assert_eq!(rv(misled.sign(request(&key))), Rv(CKR_SESSION_HANDLE_INVALID));
    assert_eq!(rv(look(&misled, &key)), Rv(CKR_SESSION_HANDLE_INVALID));
    assert!(start.elapsed() < DEADLINE, "each of them was told well before its deadline");
}

#[tokio::test]
async fn at_the_deadline_the_session_is_given_up() {
    let deadline = Duration::from_secs(1);
    let mut deployment = Deployment::start();
    let key = key(&deployment, "k").await;
    let address = [deployment.address()];
    let before = peer0(&deployment, &address, deadline);
    before.sign(request(&key)).unwrap();
    deployment.kill();
    let after = peer0(&deployment, &address, deadline);
    for remote in [before, after] {
        let start = Instant::now();
        let signing = {
            let (remote, key) = (Arc::clone(&remote), key.clone());
            thread::spawn(move || rv(remote.sign(request(&key))))
        };
        assert_eq!(rv(look(&remote, &key)), Rv(CKR_SESSION_HANDLE_INVALID));
        assert_eq!(signing.join().unwrap(), Rv(CKR_SESSION_HANDLE_INVALID));
        assert!(start.elapsed() < 10 * deadline, "{:?}", start.elapsed());
    }
}

/// The caller of what panics is told; who comes next is served.
#[tokio::test]
async fn a_panic_in_the_thread_is_an_error() {
    let deployment = Deployment::start();
    let key = key(&deployment, "k").await;
    let remote = peer0(&deployment, &[deployment.address()], DEADLINE);
    let result: Result<(), _> = remote.call(|_, _| async { panic!("of the test") });
    assert_eq!(rv(result), Rv(CKR_FUNCTION_FAILED));
    remote.sign(request(&key)).unwrap();
    look(&remote, &key).unwrap();
}

/// C_Finalize while the service is gone and threads wait: all come back, soon.
#[tokio::test]
async fn closing_answers_everyone() {
    let mut deployment = Deployment::start();
    let key = key(&deployment, "k").await;
    let remote = peer0(&deployment, &[deployment.address()], DEADLINE);
    remote.sign(request(&key)).unwrap();
    deployment.kill();
    let waiting: Vec<_> = (0..8)
        .map(|at| {
            let (remote, key) = (Arc::clone(&remote), key.clone());
            thread::spawn(move || if at % 2 == 0 { rv(remote.sign(request(&key))) } else { rv(look(&remote, &key)) })
        })
        .collect();
    remote.call_later("organizations/org1", |_, _| async {
        Err::<tonic::Response<()>, _>(tonic::Status::unavailable("for ever"))
    });
    thread::sleep(Duration::from_millis(300));
    let closing = Instant::now();
    remote.close();
    for waiting in waiting {
        let value = waiting.join().unwrap();
        assert_eq!(value, Rv(CKR_CRYPTOKI_NOT_INITIALIZED));
    }
    assert!(closing.elapsed() < DEADLINE / 2, "{:?}", closing.elapsed());
    assert_eq!(rv(remote.sign(request(&key))), Rv(CKR_CRYPTOKI_NOT_INITIALIZED));
}

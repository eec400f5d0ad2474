//! Wrapping anew: what was made before works after, a copy of the store from before does not, and a crash in the middle
//! loses nothing.

use crate::{
    harness::{Deployment, expect_code, signal},
    parties::{PATIENCE, Parties, refused, signer, version},
    shared::{ORG1, id, key, make},
    store,
};
use chancery_api::{
    reasons,
    v1::{KeyState, Protection, RewrapKeysRequest, RewrapKeysResponse},
};
use chancery_client::{ClientError, Code};
use futures_util::{StreamExt, stream};
use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

/// More keys than are wrapped anew at a time.
const MANY: usize = 300;

/// The last answer.
pub async fn rewrap(parties: &Parties) -> Result<RewrapKeysResponse, ClientError> {
    let request = RewrapKeysRequest { parent: ORG1.into(), request_id: id(), confirm: "org1".into() };
    let mut answers = parties.officer.keys().rewrap_keys(request).await?.into_inner();
    let mut last: Option<RewrapKeysResponse> = None;
    while let Some(answer) = answers.message().await? {
        if let Some(last) = &last {
            assert!(answer.done >= last.done && answer.generation == last.generation, "{answer:?} after {last:?}");
        }
        last = Some(answer);
    }
    Ok(last.unwrap())
}

/// Makes ENCLAVE keys, several at a time; their names.
pub async fn make_many(parties: &Parties, count: usize) -> Vec<String> {
    let names: Vec<_> = (0..count).map(|at| key(&format!("many-{at:03}"))).collect();
    let made = stream::iter(&names).map(|name| make(&parties.officer, signer(name, Protection::Enclave)));
    made.buffer_unordered(16).for_each(|_| async {}).await;
    names
}

pub async fn all_sign(parties: &Parties, names: &[String]) {
    let signed = stream::iter(names).map(async |name| {
        parties.sign(name, b"m").await.unwrap_or_else(|error| panic!("{name}: {error}"));
    });
    signed.buffer_unordered(16).for_each(|()| async {}).await;
}

fn copy(from: &Deployment, to: &Path) {
    for file in store::files(from).iter().filter(|file| file.exists()) {
        fs::copy(file, to.join(file.file_name().unwrap())).unwrap();
    }
}

/// A thief's copy of the store, put back: the key-encryption key that it was wrapped under is gone, and only what needed
/// it is.
#[tokio::test]
async fn a_copy_of_the_store_from_before_a_rewrap_is_useless() {
    let mut deployment = Deployment::start();
    let parties = Parties::of(&deployment).await;
    let [token, first, second, gone] = ["in-token", "first", "second", "gone"].map(key);
    parties.make(&token, Protection::Token).await;
    for name in [&first, &second, &gone] {
        parties.make(name, Protection::Enclave).await;
    }
    parties.rotate(&first).await.unwrap();
    parties.destroy(&version(&gone, 1)).await;
    deployment.stop();
    let copies = tempfile::tempdir().unwrap();
    copy(&deployment, copies.path());

    deployment.serve();
    let parties = Parties::of(&deployment).await;
    let before = store::wrapped(&deployment, &version(&first, 1)).unwrap();
    let done = rewrap(&parties).await.unwrap();
    assert_eq!((done.finished, done.done, done.total, done.generation), (true, 3, 3, 2), "{done:?}");
    assert_ne!(store::wrapped(&deployment, &version(&first, 1)).unwrap(), before);
    let living = [token.clone(), first.clone(), version(&first, 1), second.clone()];
    all_sign(&parties, &living).await;
    // Opened from what is wrapped anew, not from memory.
    deployment.stop();
    deployment.serve();
    let parties = Parties::of(&deployment).await;
    all_sign(&parties, &living).await;
    assert_eq!(rewrap(&parties).await.unwrap().generation, 3, "again, whenever wanted");
    all_sign(&parties, &living).await;
    parties.make(&key("later"), Protection::Enclave).await;

    deployment.stop();
    for file in store::files(&deployment) {
        let _ = fs::remove_file(file);
    }
    for file in fs::read_dir(copies.path()).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), deployment.dir().join("data").join(file.file_name())).unwrap();
    }
    deployment.serve();
    let parties = Parties::of(&deployment).await;
    let enclave = deployment.enclave_pid();
    for name in [&first, &version(&first, 1), &second, &key("later")] {
        refused(parties.sign(name, b"m").await, reasons::WRAPPED_KEY_INVALID);
    }
    parties.sign(&token, b"m").await.unwrap();
    assert_eq!(parties.version(&version(&gone, 1)).await.state(), KeyState::Destroyed, "the log says so");
    assert_eq!(deployment.enclave_pid(), enclave, "no token was blamed");
    // What is new works: it is wrapped under the present generation.
    let fresh = key("fresh");
    parties.make(&fresh, Protection::Enclave).await;
    parties.sign(&fresh, b"m").await.unwrap();
    expect_code(&deployment.verify_log(), 0);
}

/// One that can't be opened stops a rewrap, which names it; what was done stays done, and it ends once that one is gone.
#[tokio::test]
async fn a_damaged_key_is_named_and_a_rewrap_goes_on_without_it() {
    let deployment = Deployment::start();
    let parties = Parties::of(&deployment).await;
    let names = make_many(&parties, 5).await;
    let damaged = version(&names[2], 1);
    let mut wrapped = store::wrapped(&deployment, &damaged).unwrap();
    *wrapped.last_mut().unwrap() ^= 1;
    store::replace(&deployment, &damaged, &wrapped);
    let living = [&names[..2], &names[3..]].concat();
    for _ in 0..2 {
        let message = refused(rewrap(&parties).await, reasons::WRAPPED_KEY_INVALID);
        assert!(message.contains(&damaged) && message.contains("destroy this version"), "{message}");
        all_sign(&parties, &living).await;
    }
    parties.destroy(&damaged).await;
    let done = rewrap(&parties).await.unwrap();
    assert_eq!((done.finished, done.done, done.generation), (true, 4, 2), "{done:?}");
    all_sign(&parties, &living).await;
}

/// SIGKILL after the first part is wrapped anew: some keys need the old key-encryption key, some the new one. All sign
/// before and after the second run, which ends what the first began.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_in_the_middle_of_a_rewrap_loses_no_key() {
    let mut deployment = Deployment::start();
    let parties = Parties::of(&deployment).await;
    let names = make_many(&parties, MANY).await;
    let wrapped = |deployment: &Deployment| -> Vec<_> {
        names.iter().map(|name| store::wrapped(deployment, &version(name, 1)).unwrap()).collect()
    };
    let before = wrapped(&deployment);
    let request = RewrapKeysRequest { parent: ORG1.into(), request_id: id(), confirm: "org1".into() };
    let mut answers = parties.officer.keys().rewrap_keys(request).await.unwrap().into_inner();
    // Killed as soon as the store has a part: not all is done then.
    let start = Instant::now();
    while store::wrapped(&deployment, &version(&names[0], 1)).as_ref() == Some(&before[0]) {
        assert!(start.elapsed() < PATIENCE);
    }
    deployment.kill();
    while let Ok(Some(answer)) = answers.message().await {
        assert!(!answer.finished, "{answer:?}");
    }
    let middle = wrapped(&deployment);
    let done = middle.iter().zip(&before).filter(|(now, then)| now != then).count();
    assert!((1..MANY).contains(&done), "{done}");

    deployment.serve();
    let parties = Parties::of(&deployment).await;
    all_sign(&parties, &names).await;
    let done = rewrap(&parties).await.unwrap();
    assert_eq!((done.finished, done.generation), (true, 2), "the generation that the first run made: {done:?}");
    assert_eq!(done.done, MANY as u64);
    assert!(wrapped(&deployment).iter().zip(&before).all(|(now, then)| now != then));
    all_sign(&parties, &names).await;
    // Crashes at other moments, of the service and of the enclave alone.
    for (at, millis) in [3, 40, 90, 180, 350, 700].into_iter().enumerate() {
        let parties = Parties::of(&deployment).await;
        let (running, enclave) = (rewrap(&parties), deployment.enclave_pid());
        let crash = async {
            tokio::time::sleep(Duration::from_millis(millis)).await;
            match enclave {
                Some(enclave) if at % 2 == 0 => signal(enclave, "KILL"),
                _ => deployment.kill(),
            }
        };
        let (answer, ()) = tokio::join!(running, crash);
        if let Err(error) = answer {
            assert!(error.retryable || error.code == Code::Unavailable, "{error}");
        }
        if at % 2 == 1 {
            deployment.serve();
        }
        let parties = Parties::of(&deployment).await;
        let start = Instant::now();
        while parties.sign(&names[0], b"m").await.is_err() {
            assert!(start.elapsed() < PATIENCE, "no enclave comes back: {}", deployment.stderr());
        }
        all_sign(&parties, &names[..40]).await;
    }
    let parties = Parties::of(&deployment).await;
    assert!(rewrap(&parties).await.unwrap().finished);
    deployment.stop();
    deployment.serve();
    all_sign(&Parties::of(&deployment).await, &names).await;
    expect_code(&deployment.verify_log(), 0);
}

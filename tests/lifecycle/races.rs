//! Changes of state and rewraps beside the uses that they concern, and beside each other.

use crate::{
    harness::{Deployment, expect_code},
    parties::{Event, PATIENCE, Parties, signer, version},
    rewrap::{all_sign, make_many, rewrap},
    shared::{ORG1, deployment, id, key, make},
};
use chancery_api::{
    reasons,
    v1::{KeyState, Protection, RewrapKeysRequest},
};
use chancery_client::ClientError;
use futures_util::{StreamExt, future::join_all, stream};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

/// Whether a change was refused for what another one left, or is doing.
fn is_refusal(error: &ClientError) -> bool {
    [reasons::WRONG_STATE, reasons::BUSY].contains(&error.reason.as_deref().unwrap_or_default())
}

/// Callers that never stop asking: what is asked for after a suspension was answered is refused, each time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_signed_once_a_suspension_is_answered() {
    let parties = Parties::of(deployment()).await;
    for (id, protection) in [("race-token", Protection::Token), ("race-enclave", Protection::Enclave)] {
        let name = key(id);
        parties.make(&name, protection).await;
        let only = version(&name, 1);
        let (suspended, over) = (AtomicBool::new(false), AtomicBool::new(false));
        let signer = async |at: usize| {
            let mut counts = (0u32, 0u32);
            while !over.load(Ordering::Acquire) {
                // Read before and after: only what was asked for and answered within one suspension is judged.
                let before = suspended.load(Ordering::Acquire);
                let answer = parties.sign(&name, format!("{at} {counts:?}").as_bytes()).await;
                let after = suspended.load(Ordering::Acquire);
                match answer {
                    Ok(_) => {
                        assert!(!(before && after), "signed while it was suspended");
                        counts.0 += 1;
                    }
                    Err(error) => {
                        assert_eq!(error.reason.as_deref(), Some(reasons::WRONG_STATE), "{error}");
                        counts.1 += 1;
                    }
                }
            }
            counts
        };
        let officer = async {
            for _ in 0..12 {
                parties.cause(Event::Suspend, &only).await.unwrap();
                suspended.store(true, Ordering::Release);
                tokio::time::sleep(Duration::from_millis(40)).await;
                suspended.store(false, Ordering::Release);
                parties.cause(Event::Activate, &only).await.unwrap();
                tokio::time::sleep(Duration::from_millis(40)).await;
            }
            over.store(true, Ordering::Release);
        };
        let (counts, ()) = tokio::join!(join_all((0..8).map(signer)), officer);
        let (signed, refused) = counts.iter().fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
        assert!(signed > 0 && refused > 0, "{signed} {refused}");
    }
    // The log, in its order, says the same: the verifier forgives no use after the record that ended it.
    let verified = deployment().verify_log();
    expect_code(&verified, 0);
}

/// Of contradicting requests at one time each is done wholly or refused, and the key ends in a state that one of them made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contradicting_changes_at_one_time_leave_one_of_their_states() {
    let parties = Parties::of(deployment()).await;
    for round in 0..6 {
        let name = key(&format!("contradicted-{round}"));
        parties.make(&name, Protection::Enclave).await;
        let only = version(&name, 1);
        let events = [Event::Suspend, Event::Deactivate, Event::Compromise, Event::Destroy(0), Event::Activate];
        let answers = join_all(events.map(|event| parties.cause(event, &only))).await;
        for answer in &answers {
            if let Err(error) = answer {
                assert!(is_refusal(error), "{error}");
            }
        }
        assert!(answers.iter().any(Result::is_ok), "{answers:?}");
        // A mark of compromise stays, and a destruction that was asked for comes.
        if answers[3].is_ok() {
            parties.until_state(&only, KeyState::Destroyed).await;
        }
        let found = parties.version(&only).await;
        assert_eq!(found.compromised_time.is_some(), answers[2].is_ok(), "{found:?} {answers:?}");
        assert_eq!(found.state() == KeyState::Destroyed, answers[3].is_ok(), "{found:?} {answers:?}");
    }
}

/// Rotations at one time follow one another or are refused: no number is given twice, one version is primary.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotations_at_one_time_make_versions_of_their_own() {
    let parties = Parties::of(deployment()).await;
    let name = key("rotated-at-once");
    parties.make(&name, Protection::Enclave).await;
    let answers = join_all((0..6).map(|_| parties.rotate(&name))).await;
    let mut made: Vec<_> = answers.iter().flatten().map(|key| key.primary.clone().unwrap().name).collect();
    for error in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        assert!(is_refusal(error), "{error}");
    }
    made.sort();
    let found = parties.key(&name).await;
    let mut numbers: Vec<_> = found.versions[1..].iter().map(|version| version.name.clone()).collect();
    numbers.sort();
    assert_eq!(made, numbers, "each answer has a version of its own");
    assert_eq!(found.primary.unwrap().name, numbers.last().unwrap().as_str());
    let mut keys: Vec<_> = found.versions.iter().map(|version| &version.public_key).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), found.versions.len());
}

/// Keys are made, used, rotated and destroyed while others are wrapped anew, again and again: none is left behind under a
/// key-encryption key that is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_made_and_used_while_others_are_wrapped_anew() {
    let mut deployment = Deployment::start();
    let parties = Parties::of(&deployment).await;
    let mut names = make_many(&parties, 40).await;
    let stop = AtomicBool::new(false);
    let rounds = async {
        for generation in 2..14 {
            assert_eq!(rewrap(&parties).await.unwrap().generation, generation);
        }
        stop.store(true, Ordering::Release);
    };
    let maker = async {
        let mut made = Vec::new();
        while !stop.load(Ordering::Acquire) {
            let name = key(&format!("beside-{}", made.len()));
            make(&parties.officer, signer(&name, Protection::Enclave)).await;
            parties.sign(&name, b"m").await.unwrap();
            parties.rotate(&name).await.unwrap();
            parties.destroy(&version(&name, 1)).await;
            made.push(name);
        }
        made
    };
    // What was suspended is opened anew, from what the store has at that moment.
    let reopened = async |name: &String| {
        parties.cause(Event::Suspend, &version(name, 1)).await.unwrap();
        parties.cause(Event::Activate, &version(name, 1)).await.unwrap();
        parties.sign(name, b"m").await.unwrap_or_else(|error| panic!("{name}: {error}"));
    };
    let user = async {
        while !stop.load(Ordering::Acquire) {
            stream::iter(&names).map(reopened).buffer_unordered(8).for_each(|()| async {}).await;
        }
    };
    let ((), made, ()) = tokio::join!(rounds, maker, user);
    assert!(!made.is_empty());
    names.extend(made);
    deployment.stop();
    deployment.serve();
    all_sign(&Parties::of(&deployment).await, &names).await;
}

/// Of two at once one is told to wait; a caller that hangs up leaves nothing half done that the next can't end.
#[tokio::test]
async fn one_rewrap_at_a_time() {
    let deployment = Deployment::start();
    let parties = Parties::of(&deployment).await;
    let nothing = rewrap(&parties).await.unwrap();
    assert!(nothing.finished && nothing.total == 0, "an organization without ENCLAVE keys: {nothing:?}");
    let names = make_many(&parties, 60).await;
    let (one, other) = tokio::join!(rewrap(&parties), rewrap(&parties));
    for answer in [one, other] {
        match answer {
            Ok(done) => assert!(done.finished),
            Err(error) => assert_eq!(error.reason.as_deref(), Some(reasons::BUSY), "{error}"),
        }
    }
    let request = RewrapKeysRequest { parent: ORG1.into(), request_id: id(), confirm: "org1".into() };
    drop(parties.officer.keys().rewrap_keys(request).await.unwrap());
    let start = Instant::now();
    let done = loop {
        match rewrap(&parties).await {
            Ok(done) => break done,
            Err(error) => assert_eq!(error.reason.as_deref(), Some(reasons::BUSY), "{error}"),
        }
        assert!(start.elapsed() < PATIENCE);
    };
    assert!(done.finished && done.done == 60, "{done:?}");
    all_sign(&parties, &names).await;
}

//! How long an approval takes, and how long it is good for.

use crate::place::{OFFICER, Place, SECOND};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(120);

/// The time counts from the asking, and nothing is done before it is over.
#[tokio::test]
async fn the_waiting_period_is_waited_for() {
    let period = Duration::from_secs(8);
    let place = Place::new("waiting_period = \"8s\"").await;
    let key = place.key("waits");
    let line = format!("keys destroy {key}/versions/1 --after 20d --confirm waits");
    let begun = Instant::now();
    place.run(SECOND, &format!("approvals approve {}", place.asked(&line)));
    let words: Vec<_> = line.split_whitespace().collect();
    let mut refusals = 0;
    loop {
        let asked = begun.elapsed();
        let output = place.0.chancery(OFFICER, &words);
        if output.status.success() {
            break;
        }
        assert!(asked < PATIENCE, "the period does not end");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(65) && told.contains("waiting period ends at"), "{told}");
        assert_eq!(place.state(&key, 1), "ACTIVE");
        refusals += 1;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert!(begun.elapsed() >= period && refusals > 0, "{:?}, {refusals}", begun.elapsed());
}

/// It is approved by another officer all the same.
#[tokio::test]
async fn a_key_that_may_be_in_other_hands_does_not_wait() {
    let place = Place::new("waiting_period = \"1h\"").await;
    let key = place.key("lost");
    place.approved(&format!("keys compromise {key}/versions/1"));
    assert_eq!(place.state(&key, 1), "COMPROMISED");
    let destroy = format!("keys destroy {key}/versions/1 --confirm lost");
    place.run(SECOND, &format!("approvals approve {}", place.asked(&destroy)));
    assert_eq!(place.refused(OFFICER, &destroy).reason, "APPROVAL_WAITING");
}

#[tokio::test]
async fn an_approval_expires() {
    let place = Place::new("waiting_period = \"0s\"\napproval_lifetime = \"6s\"").await;
    let key = place.key("late");
    let line = format!("keys destroy {key}/versions/1 --after 20d --confirm late");
    let approval = place.asked(&line);
    let approved = place.0.chancery(SECOND, &["approvals", "approve", &approval]).status.success();
    let until = Instant::now() + PATIENCE;
    while !place.approvals("").is_empty() {
        assert!(Instant::now() < until, "it does not expire");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert_eq!(place.approvals("--all").join(" "), approval);
    let late = place.refused(SECOND, &format!("approvals approve {approval}"));
    assert!(late.reason == "WRONG_STATE" && late.message.contains("expired"), "{late:?}");
    assert_ne!(place.asked(&line), approval, "approved in time ({approved}) or not, it is worth nothing");
    assert_eq!(place.state(&key, 1), "ACTIVE");
}

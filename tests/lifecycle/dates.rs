//! A version's dates, which count at each use.
//!
//! **Not here**: changing them (src/keys/update.rs), an expiry's place in the table of states (`table`).

use crate::{
    parties::{Parties, from_now, signer},
    shared::{deployment, key, make},
};
use chancery_api::{
    reasons,
    v1::{KeyState, Protection},
};
use prost_types::Timestamp;
use std::time::Duration;

/// Not a signature more from the moment that a date names, whatever the state says: many calls, each judged by the clock
/// on both sides of it.
#[tokio::test]
async fn dates_hold_at_each_use() {
    let parties = Parties::of(deployment()).await;
    for protection in [Protection::Token, Protection::Enclave] {
        let name = key(&format!("dated-{}", protection.as_str_name().to_lowercase()));
        let mut request = signer(&name, protection);
        let (activate, expire) = (from_now(2), from_now(6));
        (request.activate_time, request.expire_time) = (Some(activate), Some(expire));
        let made = make(&parties.officer, request).await;
        assert_eq!(made.versions[0].state(), KeyState::PreActive);
        let nanos = |time: Timestamp| i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos);
        let (activate, expire) = (nanos(activate), nanos(expire));
        let (mut signed, mut late) = (0, 0);
        while late < 20 {
            let before = nanos(from_now(0));
            let answer = parties.sign(&name, b"m").await;
            let after = nanos(from_now(0));
            match answer {
                Ok(_) => {
                    signed += 1;
                    assert!(after >= activate, "before its first day");
                    assert!(before < expire, "after its last day");
                }
                Err(error) => {
                    assert_eq!(error.reason.as_deref(), Some(reasons::WRONG_STATE), "{error}");
                    late += u32::from(before >= expire);
                }
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(signed > 0, "it was activated between its dates");
        parties.until_state(&format!("{name}/versions/1"), KeyState::Deactivated).await;
    }
}

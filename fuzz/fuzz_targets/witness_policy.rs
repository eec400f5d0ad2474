//! Witness policies under hostile text: nothing panics, and what is accepted can be met by all of its witnesses, never by
//! fewer than it says.
#![no_main]

use chancery_audit::checkpoint::{WitnessKey, WitnessPolicy};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(key) = text.parse::<WitnessKey>() {
        assert_eq!(key.to_string(), text.trim_end_matches(['\r', '\n']));
    }
    let Ok(policy) = WitnessPolicy::parse(text) else {
        return;
    };
    let (all, least) = (policy.witnesses().len(), policy.least());
    assert!(least <= all);
    assert_eq!(least == 0, policy.is_none());
    assert!(policy.is_reached(&vec![true; all]));
    let mut some = vec![false; all];
    for place in some.iter_mut().take(least.saturating_sub(1)) {
        *place = true;
    }
    assert_eq!(policy.is_reached(&some), policy.is_none());
});

//! The filter of a list of keys: whatever it says, it is parsed within bounds or refused with a place and a reason.

#![no_main]

use chancery::keys::{Filter, FilterError};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match text.parse::<Filter>() {
        Ok(filter) => assert_eq!(filter.is_empty(), text.trim_matches(' ').is_empty(), "no term is lost"),
        Err(FilterError::Expected { at, .. } | FilterError::Field { at, .. } | FilterError::Word { at, .. }) => {
            assert!((1..=text.chars().count() + 1).contains(&at), "place {at} is not in the text");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});

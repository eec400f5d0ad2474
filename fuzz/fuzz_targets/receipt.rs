//! Receipts under hostile text: nothing panics, each has one form, and none but the golden receipt verifies under the golden
//! key.
#![no_main]

use std::sync::LazyLock;

use chancery_audit::{
    checkpoint::VerifierKey,
    receipt::{Receipt, verify},
};
use libfuzzer_sys::fuzz_target;

const VKEY: &str = include_str!("../../crates/chancery-audit/tests/golden/v1/audit.vkey");
const RECEIPT: &str = include_str!("../../crates/chancery-audit/tests/golden/v1/receipt");

static KEY: LazyLock<VerifierKey> = LazyLock::new(|| VKEY.parse().expect("the golden key"));

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(receipt) = Receipt::parse(text) {
        assert_eq!(receipt.to_string(), text);
    }
    // Nobody guesses a signature, so that a receipt that verifies is the golden one.
    if verify(text, &KEY).is_ok() {
        assert_eq!(text, RECEIPT);
    }
});

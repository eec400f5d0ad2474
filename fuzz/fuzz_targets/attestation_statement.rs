//! Attestation statements under hostile text: nothing panics, each has one form, and only the golden text has the golden
//! signature.
#![no_main]

use std::sync::LazyLock;

use chancery_audit::checkpoint::{Checkpoint, VerifierKey};
use chancery_transfer::statement::Statement;
use libfuzzer_sys::fuzz_target;

const TEXT: &str = include_str!("../../crates/chancery-transfer/tests/golden/v1/statement");
const SIGNATURE: &str = include_str!("../../crates/chancery-transfer/tests/golden/v1/statement.sig");
const VKEY: &str = include_str!("../../crates/chancery-transfer/tests/golden/v1/audit.vkey");

static KEY: LazyLock<VerifierKey> = LazyLock::new(|| VKEY.parse().expect("the golden key"));
static SIGNED: LazyLock<Vec<u8>> = LazyLock::new(|| hex::decode(SIGNATURE.trim()).expect("hex"));

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(statement) = Statement::parse(text) {
        assert_eq!(statement.text().as_deref(), Ok(text));
        // What the audit key signs as one thing is never the other.
        assert!(Checkpoint::parse(text).is_err());
    }
    if Statement::verify(text, &SIGNED, &KEY).is_ok() {
        assert_eq!(text, TEXT);
    }
    assert!(Statement::verify(TEXT, data, &KEY).is_err() || data == *SIGNED);
});

//! Notes, checkpoints and verifier keys under hostile text: nothing panics, each has one form, and only the golden note's
//! text opens with the golden key.
#![no_main]

use std::sync::LazyLock;

use chancery_audit::checkpoint::{Checkpoint, VerifierKey};
use libfuzzer_sys::fuzz_target;

const VKEY: &str = include_str!("../../crates/chancery-audit/tests/golden/v1/audit.vkey");
const NOTE: &str = include_str!("../../crates/chancery-audit/tests/golden/v1/checkpoint");

static KEY: LazyLock<VerifierKey> = LazyLock::new(|| VKEY.parse().expect("the golden key"));
static SIGNED: LazyLock<Checkpoint> = LazyLock::new(|| KEY.open_note(NOTE).expect("the golden note"));

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        // Extension lines are dropped; all before them has one form.
        assert!(text.starts_with(&checkpoint.text()));
    }
    if let Ok(key) = text.parse::<VerifierKey>() {
        assert_eq!(key.to_string(), text.trim_end_matches(['\r', '\n']));
    }
    // The signature covers all of the text but the lines after it: other signers may be added, nothing else.
    if let Ok(checkpoint) = KEY.open_note(text) {
        assert_eq!(checkpoint, *SIGNED);
        assert!(text.starts_with(&SIGNED.text()));
    }
    // The text followed by the golden signature: opens only if it is the golden text.
    let (golden_text, golden_signature) = NOTE.rsplit_once("\n\n").expect("an empty line");
    if KEY.open_note(&format!("{text}\n\n{golden_signature}")).is_ok() {
        assert_eq!(text, golden_text);
    }
});

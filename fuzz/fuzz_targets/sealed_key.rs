//! Envelopes and the keys around them under hostile bytes: nothing panics, only the golden envelope opens, and a key that
//! is read is written the same.
#![no_main]

use std::sync::LazyLock;

use chancery_transfer::envelope::{Context, PrivateKey, PublicKey, open};
use libfuzzer_sys::fuzz_target;

const CUSTODIAN: &str = include_str!("../../crates/chancery-transfer/tests/golden/v1/custodian1.pem");
const CONTEXT: Context<'_> = Context::Restore { deployment: "d", backup: "b", transport_key: &[7; 16] };

static KEY: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::from_pem(CUSTODIAN).expect("a key"));

fuzz_target!(|data: &[u8]| {
    // Nobody sealed anything for this context.
    assert!(open(&KEY, &CONTEXT, data).is_err());
    if let Ok(key) = PublicKey::from_bytes(data) {
        assert_eq!(key.to_bytes().as_slice(), data);
    }
    if let Ok(key) = PrivateKey::from_bytes(data) {
        assert_eq!(key.to_bytes().as_slice(), data);
    }
    let _ = PublicKey::from_spki(data);
    let _ = PrivateKey::from_der(data);
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = PrivateKey::from_pem(text);
    }
});

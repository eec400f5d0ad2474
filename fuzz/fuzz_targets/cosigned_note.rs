//! Cosigned notes under hostile text: nothing panics, and a witness's cosignature counts only on the text it was given for.
#![no_main]

use std::sync::LazyLock;

use chancery_audit::checkpoint::{Checkpoint, VerifierKey, WitnessPolicy, WitnessSigner, lines, with_line};
use libfuzzer_sys::fuzz_target;

const VKEY: &str = include_str!("../../crates/chancery-audit/tests/golden/v1/audit.vkey");
const NOTE: &str = include_str!("../../crates/chancery-audit/tests/golden/v1/checkpoint");

static KEY: LazyLock<VerifierKey> = LazyLock::new(|| VKEY.parse().expect("the golden key"));
static SIGNER: LazyLock<WitnessSigner> =
    LazyLock::new(|| WitnessSigner::from_seed("org1/witness", &[1; 32]).expect("a witness"));
static POLICY: LazyLock<WitnessPolicy> = LazyLock::new(|| {
    WitnessPolicy::parse(&format!("witness org1 {}\nquorum org1\n", SIGNER.public())).expect("a policy")
});
static CHECKPOINT: LazyLock<Checkpoint> = LazyLock::new(|| KEY.open_note(NOTE).expect("the golden note"));
static COSIGNED: LazyLock<String> = LazyLock::new(|| with_line(NOTE, &SIGNER.cosign(&CHECKPOINT, 1_700_000_000).line));

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(found) = POLICY.open_note(&KEY, text) {
        assert_eq!(found.checkpoint, *CHECKPOINT);
        for cosignature in found.cosignatures.iter().flatten() {
            assert!(COSIGNED.ends_with(&cosignature.line));
        }
    }
    let _ = SIGNER.public().find(text);
    if let Ok((body, signatures)) = lines(text) {
        let signatures: String = signatures.collect();
        assert_eq!(format!("{body}\n{signatures}"), text);
    }
    // The cosignature under any other text.
    let (_, signatures) = COSIGNED.rsplit_once("\n\n").expect("an empty line");
    if POLICY.open_note(&KEY, &format!("{text}\n\n{signatures}")).is_ok() {
        assert!(COSIGNED.starts_with(text));
    }
});

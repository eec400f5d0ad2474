//! Verifier keys and checkpoint notes, against vectors made by others.

use chancery_audit::checkpoint::{Checkpoint, CheckpointError, KeyError, VerifierKey};
use ed25519_dalek::{Signer, SigningKey};
use p256::pkcs8::EncodePublicKey;
use proptest::prelude::*;

use crate::sample::{self, ORIGIN, key, note};

/// Key and signature made with OpenSSL 3.0, the texts put together with Python, from signed-note's words alone.
struct Vector {
    spki: &'static str,
    vkey: &'static str,
    signature: &'static str,
    blob: &'static str,
}

const VECTORS: [Vector; 2] = [
    Vector {
        spki: "3059301306072a8648ce3d020106082a8648ce3d030107034200048349df989b03818c22b30489f2104dfbdb91f23f4971d31309c9\
               a44c3b0e1f98bcc0510131cba8d636753e11448e9fbe204b0c12ccbcd838ef7b74c1422c13c5",
        vkey: "audit.example.org/chancery-1+6cfeface+/2NoYW5jZXJ5L2VjZHNhLXAyNTYtc2hhMjU2L3YxCjBZMBMGByqGSM49AgEGCCqGSM49\
               AwEHA0IABINJ35ibA4GMIrMEifIQTfvbkfI/SXHTEwnJpEw7Dh+YvMBRATHLqNY2dT4RRI6fviBLDBLMvNg473t0wUIsE8U=",
        signature: "304502202beed755153c77c3a0f4012a08e5ec07f3f111d4d9dc84dc9fcd28086d102ea2022100e2b970ba1c1cd2951d14b067\
                    7c954990d6a21477fbe715cdab6c31cf50fb7856",
        blob: "bP76zjBFAiAr7tdVFTx3w6D0ASoI5ewH8/ER1NnchNyfzSgIbRAuogIhAOK5cLocHNKVHRSwZ3yVSZDWohR3++cVzatsMc9Q+3hW",
    },
    Vector {
        spki: "302a300506032b657003210017d94087fa2a625ea0c804ebef1c36d5faf4f1c3abffbdfa0df7cd17596dac8f",
        vkey: "audit.example.org/chancery-1+dccc6f77+ARfZQIf6KmJeoMgE6+8cNtX69PHDq/+9+g33zRdZbayP",
        signature: "73cd0686e4706c8a376401fb1105ed6169c8c8769a12f46284b58187c97a6502eec1678dace62b6ddd97df572db4d0d6fc70fc\
                    dffe807eb190726203e9672607",
        blob: "3Mxvd3PNBobkcGyKN2QB+xEF7WFpyMh2mhL0YoS1gYfJemUC7sFnjazmK23dl99XLbTQ1vxw/N/+gH6xkHJiA+lnJgc=",
    },
];

const TEXT: &str = "audit.example.org/chancery-1\n3\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";

#[test]
fn openssl_vectors() {
    let checkpoint = Checkpoint { origin: ORIGIN.into(), size: 3, root: [0; 32] };
    assert_eq!(checkpoint.text(), TEXT);
    assert_eq!(Checkpoint::parse(TEXT), Ok(checkpoint.clone()));
    for vector in VECTORS {
        let key = VerifierKey::from_spki(ORIGIN, &hex::decode(vector.spki).unwrap()).unwrap();
        assert_eq!(key.to_string(), vector.vkey);
        assert_eq!(vector.vkey.parse(), Ok(key.clone()));

        let signature = hex::decode(vector.signature).unwrap();
        assert!(key.verify(TEXT, &signature));
        assert!(!key.verify("else\n", &signature));

        let note = format!("{TEXT}\n— {ORIGIN} {}\n", vector.blob);
        assert_eq!(key.sign_note(&checkpoint, &signature), note);
        assert_eq!(key.open_note(&note), Ok(checkpoint.clone()));
    }
}

// golang.org/x/mod/sumdb/note: its signer key, opened, signs under the published name and id.
#[test]
fn go_key_round_trip() {
    let vkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    let seed = hex::decode("810a1402d5146c8d84f2443330f54080ebf98ee17d9c74f6252fc5d5c7283173").unwrap();
    let signer = SigningKey::from_bytes(&seed.try_into().unwrap());
    let key = sample::key_of(&signer, "PeterNeumann");
    assert_eq!(key.to_string(), vkey);
    assert_eq!(key.key_id(), [0xc7, 0x4f, 0x20, 0xa3]);

    // The published signature, which is deterministic, over a text that is not a checkpoint.
    let text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
    let blob = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=";
    let signature = signer.sign(text.as_bytes()).to_bytes();
    assert!(key.verify(text, &signature));
    let note = key.sign_note(&Checkpoint { origin: "PeterNeumann".into(), size: 1, root: [1; 32] }, &signature);
    assert!(note.ends_with(&format!("\n— PeterNeumann {blob}\n")));
}

#[test]
fn p256_round_trip() {
    let signer = p256::ecdsa::SigningKey::from_slice(&[9; 32]).unwrap();
    let spki = signer.verifying_key().to_public_key_der().unwrap();
    let key = VerifierKey::from_spki(ORIGIN, spki.as_bytes()).unwrap();
    let checkpoint = Checkpoint { origin: ORIGIN.into(), size: u64::MAX, root: [3; 32] };
    let signature: p256::ecdsa::DerSignature = signer.sign(checkpoint.text().as_bytes());
    let note = key.sign_note(&checkpoint, signature.as_bytes());
    assert_eq!(key.open_note(&note), Ok(checkpoint));
    every_changed_byte_is_noticed(&key, &note);
}

#[test]
fn no_byte_of_a_note_can_be_changed() {
    let (_, note) = sample::log();
    every_changed_byte_is_noticed(&key(), &note);
}

fn every_changed_byte_is_noticed(key: &VerifierKey, note: &str) {
    for at in 0..note.len() {
        for flip in [0x01, 0x02, 0x04, 0x20, 0x80] {
            let mut changed = note.as_bytes().to_vec();
            changed[at] ^= flip;
            if let Ok(changed) = String::from_utf8(changed) {
                assert!(key.open_note(&changed).is_err(), "byte {at} ^ {flip:#x}: {changed}");
            }
        }
    }
    for (at, dropped) in note.char_indices() {
        let shorter = format!("{}{}", &note[..at], &note[at + dropped.len_utf8()..]);
        assert!(key.open_note(&shorter).is_err(), "without byte {at}: {shorter}");
    }
}

#[test]
fn other_signatures_are_ignored_and_never_suffice() {
    let checkpoint = Checkpoint { origin: ORIGIN.into(), size: 7, root: [7; 32] };
    let ours = note(&checkpoint);
    let witness =
        "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZ\n";
    assert_eq!(key().open_note(&format!("{ours}{witness}")), Ok(checkpoint.clone()));

    let theirs_only = format!("{}\n{witness}", checkpoint.text());
    assert!(matches!(key().open_note(&theirs_only), Err(CheckpointError::NotSigned { .. })));

    // Another key under our name is unknown too; a wrong signature beside a right one is not forgiven.
    let stranger = sample::key_of(&SigningKey::from_bytes(&[8; 32]), ORIGIN);
    assert!(matches!(stranger.open_note(&ours), Err(CheckpointError::NotSigned { .. })));
    let forged = key().sign_note(&checkpoint, &[0; 64]);
    let forged_line = forged.lines().last().unwrap();
    assert!(matches!(key().open_note(&format!("{ours}{forged_line}\n")), Err(CheckpointError::BadSignature { .. })));
}

#[test]
fn the_origin_must_be_the_keys_name() {
    let other = Checkpoint { origin: "other.example.org/log".into(), size: 7, root: [7; 32] };
    assert!(matches!(key().open_note(&note(&other)), Err(CheckpointError::WrongOrigin { .. })));
}

#[test]
fn checkpoints_have_one_form() {
    let root = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    assert!(Checkpoint::parse(&format!("a\n0\n{root}\n")).is_ok());
    assert!(Checkpoint::parse(&format!("a\n18446744073709551615\n{root}\nextension\n")).is_ok());
    for bad in [
        String::new(),
        "\n".into(),
        format!("\n3\n{root}\n"),
        format!("a\n03\n{root}\n"),
        format!("a\n+3\n{root}\n"),
        format!("a\n-3\n{root}\n"),
        format!("a\n3 \n{root}\n"),
        format!("a\n18446744073709551616\n{root}\n"),
        format!("a\n3\n{root}"),
        format!("a\n3\r\n{root}\n"),
        format!("a\n3\n{}\n", &root[..43]),
        format!("a\n3\n{}B=\n", &root[..42]),
        format!("a\n3\nAAAA{root}\n"),
        format!("a\n3\n{root}\n\n"),
        format!("a\n3\n{root}\n\nextension\n"),
        "a\n3\n".into(),
    ] {
        assert!(Checkpoint::parse(&bad).is_err(), "{bad:?}");
    }
}

#[test]
fn keys_have_one_form() {
    let vkey = key().to_string();
    assert_eq!(format!("{vkey}\n").parse(), Ok(key()));
    let upper = vkey.replacen(&hex::encode(key().key_id()), &hex::encode_upper(key().key_id()), 1);
    for bad in
        [upper, vkey.replace("chancery-1", "chancery-2"), format!(" {vkey}"), format!("{vkey} "), vkey[1..].into()]
    {
        assert!(bad.parse::<VerifierKey>().is_err(), "{bad:?}");
    }
    for cut in 0..vkey.len() {
        assert!(vkey[..cut].parse::<VerifierKey>().is_err());
    }
    for name in ["", "a b", "a+b", "a\nb", "a\u{2003}b", "a\0b"] {
        let spki = hex::decode(VECTORS[1].spki).unwrap();
        assert!(matches!(VerifierKey::from_spki(name, &spki), Err(KeyError::Name(_))), "{name:?}");
    }
    // Small order: a key under which anything can be made to verify.
    let mut weak = hex::decode(VECTORS[1].spki).unwrap();
    weak[12..].fill(0);
    weak[12] = 1;
    assert_eq!(VerifierKey::from_spki("a", &weak), Err(KeyError::PublicKey));
    assert_eq!(VerifierKey::from_spki("a", b"no DER"), Err(KeyError::Algorithm));
}

proptest! {
    #[test]
    fn hostile_notes_do_not_panic(text in "(\\PC|\n|— |[A-Za-z0-9+/=]){0,200}") {
        prop_assert!(key().open_note(&text).is_err());
        let _ = Checkpoint::parse(&text);
        let _ = text.parse::<VerifierKey>();
    }
}

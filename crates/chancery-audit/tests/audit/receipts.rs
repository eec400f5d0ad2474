//! Receipts as their holder verifies them: from the text and the log's key.

use crate::sample;
use chancery_audit::{
    checkpoint::{Checkpoint, VerifierKey},
    merkle::{leaf_hash, proof},
    receipt::{Receipt, ReceiptError, encode, verify},
};
use ed25519_dalek::{Signer as _, SigningKey};
use p256::{ecdsa::DerSignature, elliptic_curve::ops::Neg as _, pkcs8::EncodePublicKey as _};

const INDEX: u64 = 3;

/// Signs a text.
type Sign = Box<dyn Fn(&str) -> Vec<u8>>;

/// A log's key, and what signs with it.
struct Log {
    key: VerifierKey,
    sign: Sign,
}

fn ed25519() -> Log {
    let signer = sample::signer();
    Log { key: sample::key(), sign: Box::new(move |text| signer.sign(text.as_bytes()).to_bytes().to_vec()) }
}

fn p256() -> Log {
    let signer = p256::ecdsa::SigningKey::from_slice(&[9; 32]).unwrap();
    let spki = signer.verifying_key().to_public_key_der().unwrap();
    let key = VerifierKey::from_spki(sample::ORIGIN, spki.as_bytes()).unwrap();
    let sign = move |text: &str| {
        let signature: DerSignature = signer.sign(text.as_bytes());
        signature.as_bytes().to_vec()
    };
    Log { key, sign: Box::new(sign) }
}

impl Log {
    fn note(&self, checkpoint: &Checkpoint) -> String {
        let note = self.key.sign_note(checkpoint, &(self.sign)(&checkpoint.text()));
        self.key.own_note(&note).unwrap()
    }

    /// The receipt of record 3 among the sample's eleven.
    fn receipt(&self) -> String {
        let records = sample::encode(&sample::records());
        let leaves: Vec<_> = records.iter().map(|record| leaf_hash(record)).collect();
        let size = records.len() as u64;
        let path = proof::inclusion(INDEX, size, &mut crate::proofs::Naive(&leaves)).unwrap();
        let note = self.note(&sample::checkpoint(&records));
        encode(Some(&records[INDEX as usize]), INDEX, &path, &note)
    }
}

#[test]
fn a_receipt_proves_its_record() {
    for log in [ed25519(), p256()] {
        let text = log.receipt();
        let logged = verify(&text, &log.key).unwrap();
        assert_eq!(logged.record, sample::records()[INDEX as usize]);
        assert_eq!(logged.stored, sample::encode(&sample::records())[INDEX as usize]);
        assert_eq!(logged.checkpoint.size, 11);
        assert_eq!(Receipt::parse(&text).unwrap().to_string(), text);
    }
    assert!(matches!(verify(&p256().receipt(), &sample::key()), Err(ReceiptError::Checkpoint(_))), "another log's");
}

#[test]
fn no_byte_of_a_receipt_can_be_changed_added_or_dropped() {
    for log in [ed25519(), p256()] {
        let text = log.receipt().into_bytes();
        let refused = |changed: Vec<u8>, what: &str, at: usize| {
            let opened = String::from_utf8(changed).ok().and_then(|text| verify(&text, &log.key).ok());
            assert!(opened.is_none(), "byte {at} {what}");
        };
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut changed = text.clone();
                changed[at] ^= 1 << bit;
                refused(changed, "changed", at);
            }
            let mut dropped = text.clone();
            dropped.remove(at);
            refused(dropped, "dropped", at);
            refused(text[..at].to_vec(), "and all after it dropped", at);
        }
        for at in 0..=text.len() {
            for byte in [b'\n', b' ', b'=', b'A', b'0', b'\r', 0] {
                let mut longer = text.clone();
                longer.insert(at, byte);
                refused(longer, "inserted", at);
            }
        }
    }
}

#[test]
fn the_other_ecdsa_signature_is_refused() {
    let log = p256();
    let text = log.receipt();
    let receipt = Receipt::parse(&text).unwrap();
    let checkpoint = log.key.open_note(&receipt.note).unwrap();
    let made = p256::ecdsa::Signature::from_der(&(log.sign)(&checkpoint.text())).unwrap();
    let (r, s) = made.normalize_s().split_scalars();
    let high = p256::ecdsa::Signature::from_scalars(r, s.neg()).unwrap();
    let note = log.key.sign_note(&checkpoint, high.to_der().as_bytes());
    assert_eq!(log.key.open_note(&note), Ok(checkpoint), "as good a signature");
    let other = Receipt { note, ..receipt }.to_string();
    assert_eq!(verify(&other, &log.key), Err(ReceiptError::NotCanonical));
}

#[test]
fn what_the_signature_does_not_cover_is_refused() {
    let log = ed25519();
    let receipt = Receipt::parse(&log.receipt()).unwrap();
    let with = |note: String| verify(&Receipt { note, ..receipt.clone() }.to_string(), &log.key);
    let note = &receipt.note;

    let witness =
        "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZ\n";
    assert_eq!(with(format!("{note}{witness}")), Err(ReceiptError::NotCanonical));
    let line = note.lines().last().unwrap();
    assert_eq!(with(format!("{note}{line}\n")), Err(ReceiptError::NotCanonical));

    // Signed by the log, and not what a log writes: an extension line.
    let checkpoint = log.key.open_note(note).unwrap();
    let text = format!("{}extension\n", checkpoint.text());
    let other = Checkpoint { origin: text.trim_end().into(), ..checkpoint.clone() };
    let extended = log.key.sign_note(&other, &(log.sign)(&text));
    let blob = extended.lines().last().unwrap();
    assert!(with(format!("{text}\n{blob}\n")).is_err());

    let bare = Receipt { record: None, ..receipt.clone() }.to_string();
    assert_eq!(verify(&bare, &log.key), Err(ReceiptError::Bare));
    let stranger = sample::key_of(&SigningKey::from_bytes(&[8; 32]), sample::ORIGIN);
    assert!(verify(&receipt.to_string(), &stranger).is_err());
}

#[test]
fn a_record_that_names_another_index_is_refused() {
    let log = ed25519();
    let mut records = sample::records();
    records[INDEX as usize].index = 4;
    let records = sample::encode(&records);
    let leaves: Vec<_> = records.iter().map(|record| leaf_hash(record)).collect();
    let path = proof::inclusion(INDEX, 11, &mut crate::proofs::Naive(&leaves)).unwrap();
    let text = encode(Some(&records[INDEX as usize]), INDEX, &path, &log.note(&sample::checkpoint(&records)));
    assert_eq!(verify(&text, &log.key), Err(ReceiptError::Record { index: INDEX }));
}

//! Signatures in records from before the enclave committed to them: only `signatures` tells them apart.

use super::world::{ALL, VERSION, World, key_row, version_row};
use chancery_audit::record::Record;
use chancery_verifier::{Contradiction, Options};

/// A log of two signatures without commitments: records 4 and 5.
fn uncommitted(format: &str) -> World {
    let mut world = World::new();
    for message in ["one", "two"] {
        let record = world.signed_as(message, format);
        world.push(record);
    }
    world.records.iter_mut().for_each(|record| record.enclave_commitment.clear());
    world
}

fn refused(change: impl FnOnce(&mut Record), why: Contradiction) {
    let mut world = uncommitted("der");
    change(&mut world.records[4]);
    world.refused(4, &why);
}

#[test]
fn each_verifies_under_the_recorded_key_and_digest() {
    for format in ["der", "raw"] {
        let findings = uncommitted(format).audit(ALL).unwrap();
        assert_eq!(findings.signatures.unwrap()["ec-p256"], 2);
        assert_eq!((findings.committed_signatures, findings.report.without_commitment), (0, 3));
    }
}

#[test]
fn one_that_does_not_verify_is_refused_where_it_stands() {
    let invalid = || Contradiction::Signature { version: VERSION.into() };
    let mut swapped = uncommitted("der");
    swapped.records[4].signature = swapped.records[5].signature.clone();
    swapped.refused(4, &invalid());
    swapped.audit(Options::default()).unwrap();
    refused(|r| r.digest[31] ^= 1, invalid());
    refused(|r| *r.signature.last_mut().unwrap() ^= 1, invalid());
    refused(|r| r.signature = vec![1, 2, 3], invalid());
    refused(|r| r.signature_format = "raw".into(), invalid());
}

#[test]
fn one_that_can_not_be_what_it_says_is_refused() {
    refused(|r| r.mechanism = "hmac".into(), Contradiction::Malformed("its mechanism is none that signs"));
    refused(|r| r.mechanism = "rsa-pss-sha512".into(), Contradiction::Malformed("its mechanism is none that signs"));
    refused(|r| r.digest_algorithm = "md5".into(), Contradiction::Malformed("its digest's hash is unknown"));
    refused(|r| r.signature_format = "pgp".into(), Contradiction::Malformed("its format is unknown"));
    refused(
        |r| r.signature_format = "ethereum".into(),
        Contradiction::Malformed("the key's algorithm has no such format"),
    );
}

#[test]
fn a_message_that_is_not_in_the_log_is_counted() {
    use ed25519_dalek::pkcs8::EncodePublicKey as _;
    let key = ed25519_dalek::SigningKey::from_bytes(&[3; 32]).verifying_key().to_public_key_der().unwrap();
    let mut world = uncommitted("der");
    // An ECDSA key has no such excuse.
    world.records[4].mechanism = "ed25519".into();
    world.refused(4, &Contradiction::Malformed("its mechanism is not of the key's algorithm"));
    world.records[3].states = vec![key_row("ed25519"), version_row(|row| row.public_key = key.into_vec())];
    world.records[4].algorithm = "ed25519".into();
    world.records[4].signature_format.clear();
    world.records.truncate(5);
    let findings = world.audit(ALL).unwrap();
    assert_eq!((findings.message_not_in_log, findings.signatures.unwrap().len()), (1, 0));
}

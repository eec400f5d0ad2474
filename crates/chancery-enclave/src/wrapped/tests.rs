//! The format's golden bytes, computed with Python's `cryptography`, and what a blob refuses without any token.

use super::*;

/// The example of docs/wrapped-keys.md, but for what the token encrypts: the data key.
const ASSOCIATED_DATA: &str = "170000006368616e636572792077726170706564206b65792076310c0000006465706c6f796d656e742d312900\
     00006f7267616e697a6174696f6e732f6f7267312f6b6579732f6f72646572732f76657273696f6e732f31040000000100000004000000010000\
     00200000000b7348fa038970c48ec07cd73b6257f39ec810f60f16ee73b62e3c6e2610abc60400000001000000";
const CIPHERTEXT: &str =
    "05c5cfc9f743b26a918a181f3a4a4852d98f9e8eaa08711e9604e800e46bfc5593761de333a2570e2574cd1b79695693";
const BLOB: &str = "080110071801220cc8c9cacbcccdcecfd0d1d2d32a3050963df0be2e7078c4b6be21a722a8e7d71f0c2d11431ad1e95618e73e\
     e70cc04b40f049d958dab8c227f5ce8861fb62323005c5cfc9f743b26a918a181f3a4a4852d98f9e8eaa08711e9604e800e46bfc5593761de333a2\
     570e2574cd1b79695693";

fn data_key() -> [u8; 32] {
    std::array::from_fn(|index| u8::try_from(index).unwrap())
}

fn secret() -> Vec<u8> {
    (100..132).collect()
}

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text.replace([' ', '\n'], "")).unwrap()
}

fn with_context<T>(work: impl FnOnce(&Context<'_>) -> T) -> T {
    use sha2::{Digest, Sha256};
    work(&Context {
        deployment: "deployment-1",
        version: "organizations/org1/keys/orders/versions/1",
        algorithm: KeyAlgorithm::EcP256,
        purpose: KeyPurpose::Sign,
        origin: KeyOrigin::Generated,
        public_key_sha256: &Sha256::digest("a public key"),
    })
}

#[test]
fn the_golden_key_is_wrapped_and_opened_as_specified() {
    let associated_data = with_context(|context| context.encode());
    assert_eq!(hex::encode(&associated_data), hex::encode(bytes(ASSOCIATED_DATA)));
    let sealed = seal(&data_key(), &associated_data, &secret()).unwrap();
    assert_eq!(hex::encode(&sealed), CIPHERTEXT);
    let mut opened = sealed;
    let length = open(&data_key(), &associated_data, &mut opened).unwrap();
    assert_eq!(opened[..length], secret());

    let blob = parse(&bytes(BLOB)).unwrap();
    assert_eq!((blob.format, blob.kek_generation, blob.kek_mechanism()), (1, 7, KekMechanism::AesGcm));
    assert_eq!((blob.nonce.len(), blob.data_key.len()), (NONCE, DATA_KEY + TAG));
    assert_eq!(hex::encode(blob.ciphertext), CIPHERTEXT);
}

/// Fields are told apart by their lengths: no two contexts have one encoding.
#[test]
fn no_two_contexts_have_one_encoding() {
    let encoded = |deployment, version| with_context(|context| Context { deployment, version, ..*context }.encode());
    assert_ne!(encoded("ab", "c"), encoded("a", "bc"));
    assert_ne!(encoded("", "abc"), encoded("abc", ""));
}

#[test]
fn another_encoding_of_the_same_blob_is_refused() {
    let blob = bytes(BLOB);
    let unknown_field = [&blob[..], &[0x38, 1]].concat();
    let padded_number = [&[0x08, 0x81, 0x00], &blob[2..]].concat();
    let repeated_field = [&[0x08, 0x01], &blob[..]].concat();
    let reordered = [&blob[2..4], &blob[..2], &blob[4..]].concat();
    for other in [unknown_field, padded_number, repeated_field, reordered] {
        assert!(Blob::decode(&other[..]).is_ok(), "protobuf takes it");
        assert!(parse(&other).is_err());
    }
    for length in 0..blob.len() {
        assert!(parse(&blob[..length]).is_err(), "cut to {length}");
    }
    assert!(parse(&vec![0; MAX_BLOB + 1]).is_err());
}

#[test]
fn every_flipped_bit_of_the_ciphertext_is_refused() {
    let associated_data = with_context(|context| context.encode());
    let sealed = seal(&data_key(), &associated_data, &secret()).unwrap();
    for bit in 0..8 * sealed.len() {
        let mut changed = sealed.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&data_key(), &associated_data, &mut changed).is_err(), "bit {bit}");
    }
}

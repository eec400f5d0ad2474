//! SM2 against the standard's examples and openssl; RSA encryption against openssl.

use crate::{
    crypto::tests::openssl::{Key, Openssl},
    crypto::{
        EncryptionError, Form, PublicKey, Signable, Sm2CiphertextError, encrypt_to, sm2_ciphertext_from,
        sm2_ciphertext_to_der,
    },
    model::{Algorithm, Hash, SignatureFormat},
};
use std::fs;

fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex.replace([' ', '\n'], "")).unwrap()
}

/// The key of GB/T 32918.5 annex A.
fn example() -> PublicKey {
    let point = "09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020
                 CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13";
    let prefix = bytes("3059301306072a8648ce3d020106082a811ccf5501822d034200 04");
    PublicKey::parse(Algorithm::Sm2, &[prefix, bytes(point)].concat()).unwrap()
}

#[test]
fn the_standards_signature_is_over_the_e_made_here() {
    // GB/T 32918.5 §A.2.
    let key = example();
    let message = b"message digest".to_vec();
    let e = bytes("F0B43E94BA45ACCAACE692ED534382EB17E6AB5A19CE7B31F4486FDFC0D28640");
    for user_id in [None, Some(b"1234567812345678".to_vec())] {
        let input = Signable::Message { hash: None, value: message.clone(), user_id }.fit(&key, None).unwrap();
        assert_eq!(input.value, e);
        let signature = bytes(
            "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3
             B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA",
        );
        assert!(key.verify(&input, &signature));
        // n - s is another signature's: SM2 has no low s.
        let form = Form::new(Algorithm::Sm2, SignatureFormat::Raw, Some(true)).unwrap();
        let written = form.write(&key, &input, signature.clone()).unwrap();
        assert_eq!((written.signature, written.recovery_id), (signature, None));
    }
    let digest = Signable::Digest { hash: Some(Hash::Sm3), value: e.clone() }.fit(&key, None).unwrap();
    assert_eq!(digest.value, e);
}

#[test]
fn user_ids_of_any_length_are_openssls() {
    // Which takes 8190 bytes at most.
    let openssl = Openssl::new();
    let signer = openssl.key(Algorithm::Sm2);
    let key = PublicKey::parse(Algorithm::Sm2, &signer.public).unwrap();
    let der = Form::new(Algorithm::Sm2, SignatureFormat::Der, None).unwrap();
    for id in ["a".to_owned(), "alice@example.org".to_owned(), "a".repeat(8190)] {
        let (message, signature) = (openssl.file(b"message"), openssl.path());
        let arguments = format!("dgst -sm3 -sigopt distid:{id} -sign @ -out @ @");
        openssl.run(&arguments, &[&signer.path, &signature, &message]);
        let signature = fs::read(signature).unwrap();
        let verifies = |user_id: Option<Vec<u8>>| {
            let message = Signable::Message { hash: Some(Hash::Sm3), value: b"message".to_vec(), user_id };
            let input = message.fit(&key, None).unwrap();
            der.read(&key, &input, &signature).is_some_and(|signature| key.verify(&input, &signature))
        };
        assert!(verifies(Some(id.clone().into_bytes())), "{} bytes", id.len());
        assert!(!verifies(None) && !verifies(Some(Vec::new())));
    }
}

fn decrypted(openssl: &Openssl, key: &Key, options: &str, ciphertext: &[u8]) -> Vec<u8> {
    let plain = openssl.path();
    let arguments = format!("pkeyutl -decrypt {options} -inkey @ -in @ -out @");
    openssl.run(&arguments, &[&key.path, &openssl.file(ciphertext), &plain]);
    fs::read(plain).unwrap()
}

#[test]
fn openssl_decrypts_what_is_encrypted_to_sm2_keys() {
    let openssl = Openssl::new();
    let holder = openssl.key(Algorithm::Sm2);
    let key = PublicKey::parse(Algorithm::Sm2, &holder.public).unwrap();
    for length in [1, 19, 32, 33, 4096] {
        let plain = vec![7; length];
        let ciphertext = encrypt_to(&key, &plain, b"").unwrap();
        assert_eq!(decrypted(&openssl, &holder, "", &ciphertext), plain);
        // And both forms are one ciphertext.
        let joined = sm2_ciphertext_from(&ciphertext).unwrap();
        assert_eq!((joined[0], joined.len()), (4, 97 + length));
        assert_eq!(sm2_ciphertext_from(&joined).as_ref(), Ok(&joined));
        assert_eq!(sm2_ciphertext_to_der(&joined), Some(ciphertext));
    }
    for (plain, label) in [(vec![], &b""[..]), (vec![1; 4097], b""), (vec![1], b"label")] {
        assert!(encrypt_to(&key, &plain, label).is_err());
    }
}

#[test]
fn ciphertexts_of_openssl_and_of_the_standard_are_taken_in_one_encoding_each() {
    // GB/T 32918.5 §A.3.
    let standard = bytes(
        "04 04EBFC718E8D1798620432268E77FEB6415E2EDE0E073C0F4F640ECD2E149A73
         E858F9D81E5430A57B36DAAB8F950A3C64E6EE6A63094D99283AFF767E124DF0
         59983C18F809E262923C53AEC295D30383B54E39D609D160AFCB1908D0BD8766
         21886CA989CA9C7D58087307CA93092D651EFA",
    );
    assert_eq!(sm2_ciphertext_from(&standard).as_ref(), Ok(&standard));
    let der = sm2_ciphertext_to_der(&standard).unwrap();
    assert_eq!(sm2_ciphertext_from(&der).as_ref(), Ok(&standard));

    let openssl = Openssl::new();
    let holder = openssl.key(Algorithm::Sm2);
    let (public, made) = (openssl.path(), openssl.path());
    openssl.run("pkey -in @ -pubout -out @", &[&holder.path, &public]);
    // Coordinates with leading zeros are one in 128: some of these have them.
    for _ in 0..64 {
        openssl.run("pkeyutl -encrypt -pubin -inkey @ -in @ -out @", &[&public, &openssl.file(b"x"), &made]);
        let theirs = fs::read(&made).unwrap();
        let joined = sm2_ciphertext_from(&theirs).unwrap();
        assert_eq!(sm2_ciphertext_to_der(&joined), Some(theirs));
    }

    let with = |at: usize, value: u8| {
        let mut changed = standard.clone();
        changed[at] = value;
        changed
    };
    let mut padded = der.clone();
    // A leading zero before x, whose length was 31 or 32 bytes.
    padded.insert(4, 0);
    padded[3] += 1;
    padded[1] += 1;
    let negative = {
        let mut der = der.clone();
        der[4] |= 0x80;
        der
    };
    for (what, input, expected) in [
        ("nothing", vec![], Sm2CiphertextError::Malformed),
        ("a point alone", standard[..65].to_vec(), Sm2CiphertextError::Malformed),
        ("no C2", standard[..97].to_vec(), Sm2CiphertextError::Length(0)),
        ("too long", [standard.as_slice(), &[0; 4096]].concat(), Sm2CiphertextError::Length(4096 + 19)),
        ("off the curve", with(64, 0xf1), Sm2CiphertextError::NotOnCurve),
        ("x over p", [&[4], [0xff; 32].as_slice(), &standard[33..]].concat(), Sm2CiphertextError::NotOnCurve),
        ("compressed", with(0, 2), Sm2CiphertextError::Malformed),
        ("the point at infinity", with(0, 0), Sm2CiphertextError::Malformed),
        ("trailing byte", [der.as_slice(), &[0]].concat(), Sm2CiphertextError::Malformed),
        ("padded integer", padded, Sm2CiphertextError::Malformed),
        ("negative integer", negative, Sm2CiphertextError::Malformed),
        ("truncated", der[..der.len() - 1].to_vec(), Sm2CiphertextError::Malformed),
    ] {
        assert_eq!(sm2_ciphertext_from(&input), Err(expected), "{what}");
    }
}

#[test]
fn openssl_decrypts_what_is_encrypted_to_rsa_keys() {
    let openssl = Openssl::new();
    let oaep = "-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256";
    for (algorithm, bytes) in [(Algorithm::Rsa2048, 256), (Algorithm::Rsa3072, 384), (Algorithm::Rsa4096, 512)] {
        let holder = openssl.key(algorithm);
        let key = PublicKey::parse(algorithm, &holder.public).unwrap();
        for length in [0, 1, bytes - 66] {
            let ciphertext = encrypt_to(&key, &vec![7; length], b"").unwrap();
            assert_eq!(ciphertext.len(), bytes);
            assert_eq!(decrypted(&openssl, &holder, oaep, &ciphertext), vec![7; length]);
        }
        let labelled = encrypt_to(&key, b"plain", b"label").unwrap();
        let options = format!("{oaep} -pkeyopt rsa_oaep_label:6c6162656c");
        assert_eq!(decrypted(&openssl, &holder, &options, &labelled), b"plain");
        let maximum = bytes - 66;
        assert_eq!(
            encrypt_to(&key, &vec![7; maximum + 1], b""),
            Err(EncryptionError::Length { algorithm, minimum: 0, maximum, given: maximum + 1 })
        );
    }
    for algorithm in [Algorithm::EcP256, Algorithm::Ed25519, Algorithm::X25519] {
        let key = PublicKey::parse(algorithm, &openssl.key(algorithm).public).unwrap();
        assert_eq!(encrypt_to(&key, b"plain", b""), Err(EncryptionError::NotForEncryption(algorithm)));
    }
}

//! Signatures as others take them.

use super::secp256k1 as registered;
use crate::{
    crypto::tests::openssl::{ALGORITHMS, Openssl},
    crypto::{Form, FormError, Input, PublicKey, Signable, from_der},
    model::{Algorithm, Hash, SignatureFormat},
};
use k256::ecdsa::{SigningKey, signature::hazmat::PrehashSigner};
use secp256k1::{
    Message,
    ecdsa::{RecoverableSignature, RecoveryId},
};

/// A digest, and r ‖ s by the key over it, with the lower or the higher s.
fn sign(key: &SigningKey, number: u32, high: bool) -> (Input, Vec<u8>) {
    let digest = crate::crypto::sha256(&number.to_be_bytes());
    let signature: k256::ecdsa::Signature = key.sign_prehash(&digest).unwrap();
    let mut raw = signature.normalize_s().to_bytes().to_vec();
    if high {
        let (_, s) = signature.normalize_s().split_scalars();
        raw[32..].copy_from_slice(&(-*s).to_bytes());
    }
    let hash = Some(Hash::Sha256);
    let input = Signable::Digest { hash, value: digest.to_vec() }.fit(&of(key), None).unwrap();
    (input, raw)
}

fn of(key: &SigningKey) -> PublicKey {
    registered(key.verifying_key().to_sec1_point(false).as_bytes())
}

/// The public key that libsecp256k1 recovers.
fn recovered(id: u8, signature: &[u8], input: &Input) -> Vec<u8> {
    let id = RecoveryId::try_from(i32::from(id)).unwrap();
    let signature = RecoverableSignature::from_compact(signature, id).unwrap();
    let message = Message::from_digest(input.value.as_slice().try_into().unwrap());
    signature.recover(message).unwrap().serialize_uncompressed().to_vec()
}

#[test]
fn libsecp256k1_recovers_the_key_from_every_form() {
    let forms: Vec<(SignatureFormat, Option<bool>)> = vec![
        (SignatureFormat::Der, None),
        (SignatureFormat::Raw, Some(false)),
        (SignatureFormat::Raw, Some(true)),
        (SignatureFormat::Ethereum, None),
    ];
    for seed in 1..=8_u8 {
        let signer = SigningKey::from_slice(&[seed; 32]).unwrap();
        let key = of(&signer);
        for number in 0..96 {
            let (input, raw) = sign(&signer, number, number % 2 == 0);
            for (format, low_s) in &forms {
                let form = Form::new(Algorithm::EcSecp256k1, *format, *low_s).unwrap();
                let written = form.write(&key, &input, raw.clone()).unwrap();
                let (id, signature) = match format {
                    SignatureFormat::Ethereum => (written.signature[64] - 27, written.signature[..64].to_vec()),
                    SignatureFormat::Der => {
                        (written.recovery_id.unwrap(), from_der(Algorithm::EcSecp256k1, &written.signature).unwrap())
                    }
                    _ => (written.recovery_id.unwrap(), written.signature.clone()),
                };
                assert_eq!(recovered(id, &signature, &input), key.bits(), "{seed} {number} {format} {low_s:?}");
                let high = signature[32] & 0x80 != 0;
                assert_eq!(high, *low_s == Some(false) && number % 2 == 0, "half the order begins with 7f");
                assert_eq!(form.read(&key, &input, &written.signature), Some(signature));
                assert_eq!(form.recovery_id(&key, &input, &written.signature), written.recovery_id);
            }
        }
    }
}

#[test]
fn eos_signatures_are_canonical_or_not_released() {
    let signer = SigningKey::from_slice(&[7; 32]).unwrap();
    let key = of(&signer);
    let form = Form::new(Algorithm::EcSecp256k1, SignatureFormat::Eos, None).unwrap();
    let mut released = 0;
    for number in 0..512 {
        let (input, raw) = sign(&signer, number, number % 2 == 0);
        // DER says it otherwise: 32 bytes for each integer, so 68 for both with their tags and lengths.
        let low = Form::new(Algorithm::EcSecp256k1, SignatureFormat::Der, None).unwrap();
        let der = low.write(&key, &input, raw.clone()).unwrap().signature;
        let canonical = (der[3], der[37]) == (32, 32);
        match form.write(&key, &input, raw) {
            Ok(written) => {
                assert!(canonical, "{number}");
                let [header, signature @ ..] = written.signature.as_slice() else { panic!("empty") };
                assert_eq!((signature.len(), written.recovery_id), (64, None));
                assert_eq!(recovered(header - 31, signature, &input), key.bits());
                assert_eq!(form.read(&key, &input, &written.signature), Some(signature.to_vec()));
                released += 1;
            }
            Err(error) => assert!(!canonical && error == FormError::NotCanonical, "{number}: {error}"),
        }
    }
    assert!((180..330).contains(&released), "about half: {released}");
}

/// libsecp256k1 has one curve; here the key is recovered from the header by the ecdsa crate, which decompresses r.
#[test]
fn eos_signatures_on_p256_name_their_point() {
    use p256::ecdsa::{RecoveryId, Signature, SigningKey, VerifyingKey};
    let signer = SigningKey::from_slice(&[5; 32]).unwrap();
    let point = signer.verifying_key().to_sec1_point(false);
    let prefix = hex::decode("3059301306072a8648ce3d020106082a8648ce3d030107034200").unwrap();
    let key = PublicKey::parse(Algorithm::EcP256, &[prefix.as_slice(), point.as_bytes()].concat()).unwrap();
    let form = Form::new(Algorithm::EcP256, SignatureFormat::Eos, None).unwrap();
    let mut released = 0;
    for number in 0..128_u8 {
        let signable = Signable::Message { hash: None, value: vec![number], user_id: None };
        let input = signable.fit(&key, None).unwrap();
        let signature: Signature = signer.sign_prehash(&input.value).unwrap();
        let Ok(written) = form.write(&key, &input, signature.to_bytes().to_vec()) else { continue };
        let id = RecoveryId::from_byte(written.signature[0] - 31).unwrap();
        let signature = Signature::from_slice(&written.signature[1..]).unwrap();
        let found = VerifyingKey::recover_from_prehash(&input.value, &signature, id).unwrap();
        assert_eq!(&found, signer.verifying_key(), "{number}");
        released += 1;
    }
    assert!((32..96).contains(&released), "about half: {released}");
}

#[test]
fn a_form_with_a_wrong_recovery_id_is_not_read() {
    let signer = SigningKey::from_slice(&[9; 32]).unwrap();
    let (key, (input, raw)) = (of(&signer), sign(&signer, 1, false));
    let form = Form::new(Algorithm::EcSecp256k1, SignatureFormat::Ethereum, None).unwrap();
    let written = form.write(&key, &input, raw.clone()).unwrap().signature;
    for change in 0..written.len() {
        let mut changed = written.clone();
        changed[change] ^= 1;
        assert_eq!(form.read(&key, &input, &changed), None, "{change}");
    }
    let (_, high) = sign(&signer, 1, true);
    let flipped = [high.as_slice(), &[written[64] ^ 7]].concat();
    assert_eq!(form.read(&key, &input, &flipped), None, "high s");
    for length in [0, 1, 63, 64, 66] {
        let mut other = written.clone();
        other.resize(length, 0);
        assert_eq!(form.read(&key, &input, &other), None, "{length}");
    }
    // Of another key or digest there is no recovery id, so nothing is released.
    let (other, _) = sign(&signer, 2, false);
    assert_eq!(form.write(&key, &other, raw.clone()), Err(FormError::Unrecoverable));
    let stranger = of(&SigningKey::from_slice(&[8; 32]).unwrap());
    assert_eq!(form.write(&stranger, &input, raw), Err(FormError::Unrecoverable));
}

#[test]
fn forms_that_an_algorithm_lacks_are_refused_with_those_it_has() {
    let refused = |algorithm, format| Form::new(algorithm, format, None).unwrap_err().to_string();
    assert_eq!(
        refused(Algorithm::EcP256, SignatureFormat::Ethereum),
        "ec-p256 signatures are not written as ethereum; they are as der, raw, eos"
    );
    for algorithm in Algorithm::ALL {
        let offered = |format| Form::new(*algorithm, format, None).is_ok();
        assert!(offered(SignatureFormat::Der) && offered(SignatureFormat::Raw), "{algorithm}");
        assert_eq!(offered(SignatureFormat::Ethereum), *algorithm == Algorithm::EcSecp256k1);
        let eos = [Algorithm::EcSecp256k1, Algorithm::EcP256].contains(algorithm);
        assert_eq!(offered(SignatureFormat::Eos), eos);
    }
}

#[test]
fn what_openssl_signs_is_read_verified_and_written_again() {
    let openssl = Openssl::new();
    for algorithm in ALGORITHMS {
        let signer = openssl.key(algorithm);
        let key = PublicKey::parse(algorithm, &signer.public).unwrap();
        let message = Signable::Message { hash: None, value: b"message".to_vec(), user_id: None };
        let input = message.fit(&key, None).unwrap();
        for _ in 0..4 {
            let signature = openssl.sign(&signer, b"message");
            let der = Form::new(algorithm, SignatureFormat::Der, Some(false)).unwrap();
            let read = der.read(&key, &input, &signature).unwrap();
            assert!(key.verify(&input, &read), "{algorithm}");
            assert_eq!(der.write(&key, &input, read.clone()).unwrap().signature, signature, "{algorithm}");
            let raw = Form::new(algorithm, SignatureFormat::Raw, None).unwrap();
            assert_eq!(raw.write(&key, &input, read.clone()).unwrap().signature, read);
            let mut changed = read;
            *changed.last_mut().unwrap() ^= 1;
            assert!(!key.verify(&input, &changed), "{algorithm}");
        }
    }
}

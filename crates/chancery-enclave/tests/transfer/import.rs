//! Keys that openssl made are imported, and sign as themselves; whatever is wrong with one is refused.

use chancery_ipc::{
    FaultReason, ImportKey, KeyAlgorithm as A, KeyProtection, KeyPurpose as P, Mechanism as M, TransportUse,
    request::Verb, response::Result as Reply,
};
use sha2::{Digest, Sha256};

use crate::{harness::*, parties::*};

#[test]
fn keys_of_openssl_are_imported_and_sign_as_themselves() {
    let (host, _) = Host::with_deployment();
    let (mut enclave, opened) = host.open(1);
    enclave.ensure_kek(1);
    let mut kept = Vec::new();
    for (number, (algorithm, name, kind)) in (0..).zip(PAIRS) {
        if algorithm == A::X25519 {
            continue;
        }
        let (pkcs8, public_key) = made_by_openssl(host.dir.path(), kind);
        let target = (algorithm, name);
        let made = import(&mut enclave, &version(number), target, P::Sign, KeyProtection::Enclave, &pkcs8);
        assert!(!made.wrapped.is_empty());
        assert_eq!(made.public_key, public_key, "{name}");
        works(&mut enclave, &made, &public_key);
        kept.push((made, public_key.clone()));

        let in_token = version(100 + number);
        // SoftHSM 2.6.1 does not unwrap keys of Edwards curves, though it makes them.
        if opened.algorithms.contains(&algorithm.into()) && algorithm != A::Ed25519 {
            let made = import(&mut enclave, &in_token, target, P::Sign, KeyProtection::Token, &pkcs8);
            assert!(made.wrapped.is_empty());
            assert_eq!(made.public_key, public_key, "{name}");
            works(&mut enclave, &made, &public_key);
            kept.push((made, public_key));
        } else {
            let transport = transport_key_of(&mut enclave);
            let to = SealedFor { deployment: DEPLOYMENT, version: &in_token, algorithm: name, purpose: "sign" };
            let sealed = seal_to(&transport, to, &pkcs8);
            let request = import_request(&transport, sealed, &in_token, algorithm, P::Sign, KeyProtection::Token);
            let message = enclave.refused(Verb::ImportKey(request), FaultReason::Unsupported);
            assert!(message.contains("ENCLAVE"), "{message}");
        }
    }
    assert_eq!(kept.len(), 9 + 7);
    enclave.kill();
    let (mut enclave, _) = host.open(1);
    for (made, public_key) in &kept {
        works(&mut enclave, made, public_key);
    }
}

#[test]
fn agreement_and_secret_keys_are_imported_too() {
    let (host, _) = Host::with_deployment();
    let (mut enclave, _) = host.open(1);
    enclave.ensure_kek(1);
    let dir = host.dir.path();
    let mut number = 0;
    let mut next = || {
        number += 1;
        version(number)
    };

    for (target, kind, protections) in [
        ((A::X25519, "x25519"), PAIRS[9].2, &[KeyProtection::Enclave][..]),
        ((A::EcP256, "ec-p256"), PAIRS[0].2, &[KeyProtection::Enclave, KeyProtection::Token]),
    ] {
        let (pkcs8, public_key) = made_by_openssl(dir, kind);
        std::fs::write(host.path("ours.der"), &public_key).unwrap();
        let path = |name: &str| host.path(name).to_str().unwrap().to_owned();
        openssl(&["pkey", "-pubin", "-inform", "DER", "-in", &path("ours.der"), "-pubout", "-out", &path("ours.pem")]);
        openssl(&[&["genpkey", "-out", &path("peer.pem"), "-algorithm"], kind].concat());
        let peer = openssl(&["pkey", "-in", &path("peer.pem"), "-pubout", "-outform", "DER"]);
        let expected = openssl(&["pkeyutl", "-derive", "-inkey", &path("peer.pem"), "-peerkey", &path("ours.pem")]);
        for protection in protections {
            let made = import(&mut enclave, &next(), target, P::Agree, *protection, &pkcs8);
            assert_eq!(made.public_key, public_key);
            assert_eq!(enclave.use_key(&made, M::Ecdh, &peer, &[]), expected, "{target:?} {protection:?}");
        }
    }

    let hmac_key: Vec<u8> = (0..32).collect();
    let hex_key = format!("hexkey:{}", hex::encode(&hmac_key));
    std::fs::write(host.path("message"), MESSAGE).unwrap();
    let message = host.path("message").to_str().unwrap().to_owned();
    let mac = ["dgst", "-sha256", "-mac", "HMAC", "-macopt", &hex_key, "-binary", &message];
    let expected = openssl(&mac);
    let hmac = (A::HmacSha256, "hmac-sha256");
    let made = import(&mut enclave, &next(), hmac, P::Mac, KeyProtection::Enclave, &hmac_key);
    assert!(made.public_key.is_empty());
    assert_eq!(enclave.use_key(&made, M::HmacSha256, MESSAGE, &[]), expected);
    let key: Vec<u8> = (100..132).collect();
    let aes = import(&mut enclave, &next(), (A::Aes256, "aes-256"), P::Encrypt, KeyProtection::Enclave, &key);
    let sealed = enclave.use_key(&aes, M::GcmEncrypt, MESSAGE, b"context");
    assert_eq!(enclave.use_key(&aes, M::GcmDecrypt, &sealed, b"context"), MESSAGE);
    let wrapping = import(&mut enclave, &next(), (A::Aes256, "aes-256"), P::Wrap, KeyProtection::Enclave, &KEY_5649);
    assert_eq!(enclave.use_key(&wrapping, M::KwpWrap, &[7; 16], &[]), wrapped_by_openssl(&host, &KEY_5649, &[7; 16]));

    // SoftHSM 2.6.1 unwraps a secret key and then does not know its length: what is not found again is destroyed.
    for (algorithm, word_of, purpose) in [(A::HmacSha256, "hmac-sha256", P::Mac), (A::Aes256, "aes-256", P::Encrypt)] {
        let (transport, name) = (transport_key_of(&mut enclave), next());
        let to = SealedFor { deployment: DEPLOYMENT, version: &name, algorithm: word_of, purpose: word(purpose) };
        let sealed = seal_to(&transport, to, &hmac_key);
        let request = import_request(&transport, sealed, &name, algorithm, purpose, KeyProtection::Token);
        for _ in 0..2 {
            let message = enclave.refused(Verb::ImportKey(request.clone()), FaultReason::Unsupported);
            assert!(message.contains("ENCLAVE"), "{message}");
        }
    }

    let sm4 = import(&mut enclave, &next(), (A::Sm4, "sm4"), P::Encrypt, KeyProtection::Enclave, &key[..16]);
    let sealed = enclave.use_key(&sm4, M::GcmEncrypt, MESSAGE, b"");
    assert_eq!(enclave.use_key(&sm4, M::GcmDecrypt, &sealed, b""), MESSAGE);
}

/// OpenSSL 3.0 has no ML-DSA: the PKCS#8 is RFC 9881's (§6, the choice `seed`), and another implementation than the
/// enclave's makes the public key of that seed and verifies.
fn import_ml_dsa<L: ml_dsa::MlDsaParams>(enclave: &mut Enclave, target: (A, &str), arc: u8, number: u32) {
    let seed: Vec<u8> = (0..32).map(|byte| byte + arc).collect();
    let header = "3034020100300b06096086480165030403";
    let pkcs8 = [&hex::decode(header).unwrap()[..], &[arc], &[0x04, 0x22, 0x80, 0x20], &seed].concat();
    let made = import(enclave, &version(number), target, P::Sign, KeyProtection::Enclave, &pkcs8);
    let other = ml_dsa::SigningKey::<L>::from_seed(&seed.as_slice().try_into().unwrap());
    let encoded = ml_dsa::Keypair::verifying_key(&other).encode();
    assert!(made.public_key.ends_with(&encoded), "{}", target.1);
    let signature = enclave.use_key(&made, M::MlDsa, MESSAGE, &[]);
    let signature = ml_dsa::Signature::<L>::try_from(&signature[..]).unwrap();
    assert!(ml_dsa::Keypair::verifying_key(&other).verify_with_context(MESSAGE, &[], &signature), "{}", target.1);
}

#[test]
fn ml_dsa_keys_are_imported_from_their_seeds() {
    let (host, _) = Host::with_deployment();
    let (mut enclave, _) = host.open(1);
    enclave.ensure_kek(1);
    import_ml_dsa::<ml_dsa::MlDsa44>(&mut enclave, (A::MlDsa44, "ml-dsa-44"), 17, 1);
    import_ml_dsa::<ml_dsa::MlDsa65>(&mut enclave, (A::MlDsa65, "ml-dsa-65"), 18, 2);
    import_ml_dsa::<ml_dsa::MlDsa87>(&mut enclave, (A::MlDsa87, "ml-dsa-87"), 19, 3);
}

/// A key of AES-256.
const KEY_5649: [u8; 32] = [
    0x58, 0x40, 0xdf, 0x6e, 0x29, 0xb0, 0x2a, 0xf1, 0xab, 0x49, 0x3b, 0x70, 0x5b, 0xf1, 0x6e, 0xa1, 0xae, 0x83, 0x38,
    0xf4, 0xdc, 0xc1, 0x76, 0xa8, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08,
];

/// RFC 5649 by openssl.
fn wrapped_by_openssl(host: &Host, key: &[u8], plain: &[u8]) -> Vec<u8> {
    std::fs::write(host.path("plain"), plain).unwrap();
    let input = host.path("plain").to_str().unwrap().to_owned();
    openssl(&["enc", "-id-aes256-wrap-pad", "-K", &hex::encode(key), "-iv", "A65959A6", "-in", &input])
}

/// Seen with another tool: an imported key is as confined as one that was made there, but not local.
#[test]
fn an_imported_key_cannot_be_read_out_of_the_token() {
    let (host, _) = Host::with_deployment();
    let (mut enclave, _) = host.open(1);
    let (pkcs8, _) = made_by_openssl(host.dir.path(), PAIRS[0].2);
    import(&mut enclave, &version(1), (A::EcP256, "ec-p256"), P::Sign, KeyProtection::Token, &pkcs8);
    let arguments =
        ["--module", SOFTHSM, "--token-label", LABEL, "--login", "--pin", PIN, "--list-objects", "--type", "privkey"];
    let output = host.tool("pkcs11-tool").args(arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let object = text.split("Private Key Object").find(|object| object.contains(&version(1))).unwrap();
    let access = object.lines().find(|line| line.trim().starts_with("Access:")).unwrap();
    assert_eq!(access.trim(), "Access:     sensitive", "{object}");
    assert!(object.lines().any(|line| line.trim() == "Usage:      sign"), "{object}");
    // Nothing is left of the key that it was unwrapped with.
    let arguments =
        ["--module", SOFTHSM, "--token-label", LABEL, "--login", "--pin", PIN, "--list-objects", "--type", "secrkey"];
    let output = host.tool("pkcs11-tool").args(arguments).output().unwrap();
    assert!(!String::from_utf8(output.stdout).unwrap().contains("Secret Key Object"));
}

#[test]
fn a_key_sealed_for_anything_else_does_not_open() {
    let (host, _) = Host::with_deployment();
    let (mut enclave, _) = host.open(1);
    enclave.ensure_kek(1);
    let (pkcs8, _) = made_by_openssl(host.dir.path(), PAIRS[0].2);
    let transport = transport_key(&mut enclave, "org1", TransportUse::Import);
    let name = version(1);
    let right = SealedFor { deployment: DEPLOYMENT, version: &name, algorithm: "ec-p256", purpose: "sign" };
    let request = |sealed| import_request(&transport, sealed, &name, A::EcP256, P::Sign, KeyProtection::Enclave);
    for wrong in [
        SealedFor { deployment: "deployment-2", ..right },
        SealedFor { version: &version(2), ..right },
        SealedFor { version: "organizations/org2/keys/key1/versions/1", ..right },
        SealedFor { algorithm: "ec-secp256k1", ..right },
        SealedFor { purpose: "agree", ..right },
    ] {
        let sealed = seal_to(&transport, wrong, &pkcs8);
        enclave.refused(Verb::ImportKey(request(sealed)), FaultReason::Tampered);
    }
    let sealed = seal_to(&transport, right, &pkcs8);
    for at in [0, 40, 64, 65, 100, sealed.len() - 1] {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        enclave.refused(Verb::ImportKey(request(changed)), FaultReason::Tampered);
    }
    enclave.refused(Verb::ImportKey(request(sealed[..sealed.len() - 1].to_vec())), FaultReason::Tampered);
    enclave.refused(Verb::ImportKey(request(Vec::new())), FaultReason::Tampered);

    // Another transport key, of this organization or another, or none at all.
    let other = transport_key(&mut enclave, "org1", TransportUse::Import);
    let by_other = ImportKey { transport_key: other.id, ..request(sealed.clone()) };
    enclave.refused(Verb::ImportKey(by_other), FaultReason::Tampered);
    let foreign = transport_key(&mut enclave, "org2", TransportUse::Import);
    let by_foreign = ImportKey { transport_key: foreign.id, ..request(sealed.clone()) };
    enclave.refused(Verb::ImportKey(by_foreign), FaultReason::BadInput);
    let restoring = transport_key(&mut enclave, "org1", TransportUse::Restore);
    let by_restoring = ImportKey { transport_key: restoring.id, ..request(sealed.clone()) };
    enclave.refused(Verb::ImportKey(by_restoring), FaultReason::BadInput);
    for unknown in [vec![0; 16], vec![0; 15], Vec::new()] {
        let by_nobody = ImportKey { transport_key: unknown, ..request(sealed.clone()) };
        enclave.refused(Verb::ImportKey(by_nobody), FaultReason::TransportKeyExpired);
    }
    let Reply::KeyImported(imported) = enclave.call(Verb::ImportKey(request(sealed.clone()))) else { panic!() };
    assert_eq!(imported.operation.number, 1, "what was refused was not counted");

    // Transport keys end with their process.
    enclave.kill();
    let (mut enclave, _) = host.open(1);
    enclave.refused(Verb::ImportKey(request(sealed)), FaultReason::TransportKeyExpired);
}

#[test]
fn weak_and_foreign_keys_are_refused_in_both_places() {
    let (host, _) = Host::with_deployment();
    let (mut enclave, _) = host.open(1);
    enclave.ensure_kek(1);
    let dir = host.dir.path();
    let (p256, _) = made_by_openssl(dir, PAIRS[0].2);
    let (p384, _) = made_by_openssl(dir, PAIRS[1].2);
    let (rsa_1024, _) = made_by_openssl(dir, &["RSA", "-pkeyopt", "rsa_keygen_bits:1024"]);
    let (exponent_3, _) =
        made_by_openssl(dir, &["RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-pkeyopt", "rsa_keygen_pubexp:3"]);
    let transport = transport_key(&mut enclave, "org1", TransportUse::Import);
    let name = version(1);
    for (algorithm, word_of, purpose, key) in [
        (A::EcP256, "ec-p256", P::Sign, p384),
        (A::EcP384, "ec-p384", P::Sign, p256.clone()),
        (A::EcP256, "ec-p256", P::Sign, p256[..p256.len() - 1].to_vec()),
        (A::EcP256, "ec-p256", P::Sign, Vec::new()),
        (A::Rsa2048, "rsa-2048", P::Sign, rsa_1024),
        (A::Rsa2048, "rsa-2048", P::Sign, exponent_3),
        (A::HmacSha256, "hmac-sha256", P::Mac, vec![0; 32]),
        (A::Aes256, "aes-256", P::Encrypt, vec![1; 16]),
    ] {
        for protection in [KeyProtection::Enclave, KeyProtection::Token] {
            let to = SealedFor { deployment: DEPLOYMENT, version: &name, algorithm: word_of, purpose: word(purpose) };
            let sealed = seal_to(&transport, to, &key);
            let request = import_request(&transport, sealed, &name, algorithm, purpose, protection);
            enclave.refused(Verb::ImportKey(request), FaultReason::BadKey);
        }
    }
}

#[test]
fn an_import_does_not_replace_a_key_of_the_token() {
    let (host, _) = Host::with_deployment();
    let (mut enclave, _) = host.open(1);
    let name = version(1);
    let generated = enclave.generate(&name, A::EcP256);
    let (pkcs8, _) = made_by_openssl(host.dir.path(), PAIRS[0].2);
    let transport = transport_key(&mut enclave, "org1", TransportUse::Import);
    let to = SealedFor { deployment: DEPLOYMENT, version: &name, algorithm: "ec-p256", purpose: "sign" };
    let sealed = seal_to(&transport, to, &pkcs8);
    let request = import_request(&transport, sealed, &name, A::EcP256, P::Sign, KeyProtection::Token);
    enclave.refused(Verb::ImportKey(request), FaultReason::KeyExists);
    enclave.sign(&name, &generated.public_key, M::Ecdsa, &Sha256::digest(MESSAGE));
}

#[test]
fn a_token_that_does_not_unwrap_says_where_imported_keys_go() {
    let (host, _) = Host::with_deployment();
    // SoftHSM 2.6.1 overlooks the first name of such a list.
    host.limit_mechanisms("-CKM_MD5,CKM_AES_KEY_WRAP_PAD");
    let (mut enclave, _) = host.open(1);
    let (pkcs8, _) = made_by_openssl(host.dir.path(), PAIRS[0].2);
    let transport = transport_key(&mut enclave, "org1", TransportUse::Import);
    let name = version(1);
    let to = SealedFor { deployment: DEPLOYMENT, version: &name, algorithm: "ec-p256", purpose: "sign" };
    let sealed = seal_to(&transport, to, &pkcs8);
    let request = import_request(&transport, sealed, &name, A::EcP256, P::Sign, KeyProtection::Token);
    let message = enclave.refused(Verb::ImportKey(request), FaultReason::Unsupported);
    assert!(message.contains("CKM_AES_KEY_WRAP_PAD") && message.contains("ENCLAVE"), "{message}");
}

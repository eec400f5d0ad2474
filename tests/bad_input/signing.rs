//! Sign, SignStream and Verify.

use crate::{
    MALFORMED, is_refused, is_rejected,
    shared::{call, client, create, key, sign, signing},
};
use chancery_api::v1::{
    Algorithm, Digest, GetPublicKeyRequest, Hash, RsaPadding, SignRequest, SignatureFormat, VerifyRequest,
    sign_request::Input, sign_stream_response::Result as Answer, verify_request,
};
use chancery_client::{ClientError, Code};
use futures_util::{StreamExt, stream};

fn digest(hash: i32, length: usize) -> Option<Input> {
    Some(Input::Digest(Digest { hash, value: vec![1; length] }))
}

fn message() -> Option<Input> {
    Some(Input::Message(b"m".to_vec()))
}

#[tokio::test]
async fn requests_to_sign_that_make_no_sense_are_rejected() {
    let (ec, ed, rsa) = (key("bad-ec"), key("bad-ed"), key("bad-rsa"));
    create(&ec, "peer0", Algorithm::EcP256).await;
    create(&ed, "peer0", Algorithm::Ed25519).await;
    create(&rsa, "peer0", Algorithm::Rsa2048).await;
    let client = client("org1-peer0").await;
    let (sha256, sha384, sha512) = (Hash::Sha256.into(), Hash::Sha384.into(), Hash::Sha512.into());
    let of = |name: &str, input| SignRequest { input, ..signing(name, b"") };
    let mut table = vec![
        // A digest whose length is not its hash's.
        (of(&ec, digest(sha256, 31)), "WRONG_DIGEST", "digest", "short"),
        (of(&ec, digest(sha256, 33)), "WRONG_DIGEST", "digest", "long"),
        (of(&ec, digest(sha256, 0)), "WRONG_DIGEST", "digest", "empty"),
        (of(&ec, digest(sha384, 32)), "WRONG_DIGEST", "digest", "SHA-384"),
        (of(&ec, digest(sha512, 48)), "WRONG_DIGEST", "digest", "SHA-512"),
        (of(&ec, digest(0, 0)), "WRONG_DIGEST", "digest", "raw and empty"),
        (of(&ec, digest(0, 65)), "WRONG_DIGEST", "digest", "raw and long"),
        // What the key's algorithm does not take.
        (of(&rsa, digest(0, 32)), "WRONG_DIGEST", "message_hash", "RSA without a hash"),
        (of(&ed, digest(sha512, 64)), "WRONG_DIGEST", "digest", "Ed25519 of a digest"),
        (SignRequest { message_hash: sha512, ..of(&ed, message()) }, "WRONG_DIGEST", "message_hash", "Ed25519, a hash"),
        (
            SignRequest { padding: RsaPadding::Pss.into(), ..of(&ec, message()) },
            "WRONG_DIGEST",
            "padding",
            "a padding for ECDSA",
        ),
        // What is missing, or there twice.
        (of(&ec, None), "INVALID_ARGUMENT", "input", "no input"),
        (
            SignRequest { message_hash: sha256, ..of(&ec, digest(sha256, 32)) },
            "INVALID_ARGUMENT",
            "message_hash",
            "a hash beside a digest",
        ),
        // Words of no enum.
        (of(&ec, digest(99, 32)), "INVALID_ARGUMENT", "digest.hash", "unknown hash"),
        (of(&ec, digest(-1, 32)), "INVALID_ARGUMENT", "digest.hash", "negative hash"),
        (SignRequest { message_hash: 99, ..of(&ec, message()) }, "INVALID_ARGUMENT", "message_hash", "unknown"),
        (SignRequest { format: 99, ..of(&ec, message()) }, "INVALID_ARGUMENT", "format", "unknown format"),
        (SignRequest { padding: i32::MAX, ..of(&rsa, message()) }, "INVALID_ARGUMENT", "padding", "unknown padding"),
        // A damaged input.
        (SignRequest { input_crc32c: Some(7), ..of(&ec, message()) }, "CHECKSUM_MISMATCH", "input_crc32c", "crc"),
    ];
    for given in ["", "1", "no-uuid", "6ba7b810-9dad-11d1-80b4-00c04fd430c", "6ba7b810-9dad-11d1-80b4-00c04fd430c8x"] {
        let request = SignRequest { request_id: given.into(), ..signing(&ec, b"x") };
        table.push((request, "INVALID_ARGUMENT", "request_id", given));
    }
    for name in MALFORMED {
        table.push((signing(name, b"x"), "INVALID_ARGUMENT", "name", name));
    }
    for (request, reason, field, what) in &table {
        is_rejected(sign(&client, request.clone()).await, reason, field, what);
    }
    // The stream says the same to each, under its id, and the good among them are signed.
    let good = signing(&ec, b"good");
    let requests: Vec<_> = table.iter().map(|row| row.0.clone()).chain([good.clone()]).collect();
    let mut answers = client.signing().sign_stream(stream::iter(requests)).await.unwrap().into_inner();
    let (mut refused, mut signed) = (0, 0);
    while let Some(answer) = answers.next().await {
        let answer = answer.unwrap();
        match answer.result.unwrap() {
            Answer::Response(response) => {
                assert_eq!(response.request_id, good.request_id);
                signed += 1;
            }
            Answer::Error(status) => {
                let same: Vec<_> = table.iter().filter(|row| row.0.request_id == answer.request_id).collect();
                let error = ClientError::from(status);
                assert!(same.iter().any(|row| error.reason.as_deref() == Some(row.1)), "{error}");
                refused += 1;
            }
        }
    }
    assert_eq!((refused, signed), (table.len(), 1));
}

/// A stranger can't tell which; the owner and the officer are told.
#[tokio::test]
async fn keys_that_cannot_sign_say_why_to_those_who_may_know() {
    let (name, officer) = (key("states"), client("org1-security").await);
    create(&name, "peer0", Algorithm::EcP256).await;
    let (owner, stranger) = (client("org1-peer0").await, client("org2-peer0").await);
    let unknown = key("unknown");
    for name in [&unknown, &name, &format!("{name}/versions/9"), &format!("{name}/versions/18446744073709551615")] {
        let answer = sign(&stranger, signing(name, b"x")).await;
        is_refused(answer, Code::PermissionDenied, "DENIED", name);
    }
    let denied = sign(&owner, signing(&unknown, b"x")).await;
    is_refused(denied, Code::PermissionDenied, "DENIED", "an owner of other keys may not look");
    for name in [unknown, format!("{name}/versions/9")] {
        let answer = call(officer.signing().get_public_key(GetPublicKeyRequest { name: name.clone() })).await;
        is_refused(answer, Code::NotFound, "NOT_FOUND", &format!("an officer may know of {name}"));
    }
}

#[tokio::test]
async fn requests_to_verify_that_make_no_sense_are_rejected() {
    let name = key("bad-verify");
    create(&name, "peer0", Algorithm::EcP256).await;
    let client = client("org1-peer0").await;
    let good = sign(&client, signing(&name, b"x")).await.unwrap();
    let Some(Input::Digest(value)) = signing(&name, b"x").input else { unreachable!() };
    let request = VerifyRequest {
        name: name.clone(),
        input: Some(verify_request::Input::Digest(value)),
        signature: good.signature.clone(),
        ..VerifyRequest::default()
    };
    let short = Digest { hash: Hash::Sha256.into(), value: vec![1; 20] };
    let pss = RsaPadding::Pss.into();
    for (request, reason, field) in [
        (VerifyRequest { input: None, ..request.clone() }, "INVALID_ARGUMENT", "input"),
        (VerifyRequest { format: 9, ..request.clone() }, "INVALID_ARGUMENT", "format"),
        (VerifyRequest { padding: pss, ..request.clone() }, "WRONG_DIGEST", "padding"),
        (
            VerifyRequest { input: Some(verify_request::Input::Digest(short)), ..request.clone() },
            "WRONG_DIGEST",
            "digest",
        ),
        (VerifyRequest { name: "peer0".into(), ..request.clone() }, "INVALID_ARGUMENT", "name"),
    ] {
        is_rejected(call(client.signing().verify(request)).await, reason, field, field);
    }
    // What is no signature is an invalid one: that is an answer.
    let mut forged = good.signature.clone();
    *forged.last_mut().unwrap() ^= 1;
    let raw = SignatureFormat::Raw.into();
    for (signature, format) in
        [(vec![], 0), (vec![0; 64], raw), (vec![0xff; 64], raw), (vec![0x30], 0), (forged, 0), (vec![7; 100_000], 0)]
    {
        let request = VerifyRequest { signature, format, ..request.clone() };
        assert!(!call(client.signing().verify(request)).await.unwrap().valid);
    }
    assert!(call(client.signing().verify(request)).await.unwrap().valid);
}

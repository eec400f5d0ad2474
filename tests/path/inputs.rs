//! Ed25519's messages, and the checksums that go with every input and signature.

use crate::{
    openssl::OpenSsl,
    shared::{call, client, create, id, key, sign, signing},
};
use chancery_api::v1::{Algorithm, GetPublicKeyRequest, SignRequest, VerifyRequest, sign_request, verify_request};

/// CRC-32C bit by bit (RFC 3720 appendix B.4).
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0x82f6_3b78 * (crc & 1)))
    })
}

#[tokio::test]
async fn ed25519_signs_messages_of_any_length() {
    let name = key("ed25519");
    create(&name, "client", Algorithm::Ed25519).await;
    let client = client("org1-client").await;
    let openssl = OpenSsl::new();
    let public = call(client.signing().get_public_key(GetPublicKeyRequest { name: name.clone() })).await.unwrap();
    for length in [1, 64, 65, 1000, 900_000] {
        let message = vec![0x5a; length];
        let input = Some(sign_request::Input::Message(message.clone()));
        let request = SignRequest { name: name.clone(), input, request_id: id(), ..SignRequest::default() };
        let signature = sign(&client, request.clone()).await.unwrap().signature;
        assert_eq!(signature.len(), 64);
        assert!(openssl.verifies_digest(&public.pem, &message, &signature, "-rawin"), "{length} bytes");
        // RFC 8032 signatures are deterministic.
        let again = sign(&client, SignRequest { request_id: id(), ..request }).await.unwrap();
        assert_eq!((again.signature.as_slice(), again.replayed), (signature.as_slice(), false));
        let verify = |message: Vec<u8>| {
            let input = Some(verify_request::Input::Message(message));
            let signature = signature.clone();
            let request = VerifyRequest { name: name.clone(), input, signature, ..VerifyRequest::default() };
            let mut signing = client.signing();
            async move { call(signing.verify(request)).await.unwrap().valid }
        };
        assert!(verify(message.clone()).await);
        assert!(!verify([message, vec![0]].concat()).await);
    }
}

#[tokio::test]
async fn the_empty_message_is_a_message() {
    let name = key("empty-message");
    create(&name, "client", Algorithm::EcP256).await;
    let client = client("org1-client").await;
    let input = Some(sign_request::Input::Message(Vec::new()));
    let request = SignRequest { name: name.clone(), input, request_id: id(), ..SignRequest::default() };
    let signature = sign(&client, request).await.unwrap().signature;
    let public = call(client.signing().get_public_key(GetPublicKeyRequest { name })).await.unwrap();
    assert!(OpenSsl::new().verifies_message(&public.pem, "sha256", b"", &signature));
}

#[tokio::test]
async fn checksums_are_checked_both_ways() {
    let name = key("checksums");
    create(&name, "client", Algorithm::EcP256).await;
    let client = client("org1-client").await;
    let request = signing(&name, b"a proposal");
    let Some(sign_request::Input::Digest(digest)) = &request.input else { unreachable!() };
    let right = crc32c(&digest.value);

    let answer = sign(&client, SignRequest { input_crc32c: Some(right), ..request.clone() }).await.unwrap();
    assert!(answer.verified_input_crc32c);
    assert_eq!(answer.signature_crc32c, crc32c(&answer.signature));
    let unasked = sign(&client, SignRequest { request_id: id(), ..request.clone() }).await.unwrap();
    assert!(!unasked.verified_input_crc32c, "there was none to check");

    // A message's is over the message.
    let message = b"a proposal".to_vec();
    let crc = crc32c(&message);
    let input = Some(sign_request::Input::Message(message));
    let whole = SignRequest { input, input_crc32c: Some(crc), request_id: id(), ..request.clone() };
    assert!(sign(&client, whole).await.unwrap().verified_input_crc32c);

    for wrong in [right ^ 1, 0, crc] {
        let request = SignRequest { input_crc32c: Some(wrong), request_id: id(), ..request.clone() };
        let error = sign(&client, request).await.unwrap_err();
        assert_eq!(error.reason.as_deref(), Some("CHECKSUM_MISMATCH"), "{error}");
        assert_eq!(error.violations[0].field, "input_crc32c");
    }
}

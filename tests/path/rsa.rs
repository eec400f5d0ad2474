//! RSA: PKCS #1 v1.5 and PSS with each hash, at every size.

use crate::{
    openssl::OpenSsl,
    shared::{call, client, create, id, key, sign},
};
use chancery_api::v1::{
    Algorithm, Digest, GetPublicKeyRequest, Hash, RsaPadding, SignRequest, VerifyRequest, sign_request, verify_request,
};
use sha2::Digest as _;

const MESSAGE: &[u8] = b"a configuration update";

/// pkeyutl's options for a padding.
fn options(padding: RsaPadding, hash: &str) -> String {
    match padding {
        RsaPadding::Pss => {
            format!("-pkeyopt digest:{hash} -pkeyopt rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:digest")
        }
        _ => format!("-pkeyopt digest:{hash} -pkeyopt rsa_padding_mode:pkcs1"),
    }
}

async fn judge(algorithm: Algorithm, key_id: &str, length: usize, hashes: &[Hash]) {
    let name = key(key_id);
    create(&name, "orderer0", algorithm).await;
    let client = client("org1-orderer0").await;
    let openssl = OpenSsl::new();
    let public = call(client.signing().get_public_key(GetPublicKeyRequest { name: name.clone() })).await.unwrap();
    assert_eq!(public.algorithm(), algorithm);
    for padding in [RsaPadding::Unspecified, RsaPadding::Pkcs1, RsaPadding::Pss] {
        for hash in hashes {
            let (word, value) = match hash {
                Hash::Sha384 => ("sha384", sha2::Sha384::digest(MESSAGE).to_vec()),
                Hash::Sha512 => ("sha512", sha2::Sha512::digest(MESSAGE).to_vec()),
                _ => ("sha256", sha2::Sha256::digest(MESSAGE).to_vec()),
            };
            let digest = Digest { hash: (*hash).into(), value: value.clone() };
            let request = SignRequest {
                name: name.clone(),
                input: Some(sign_request::Input::Digest(digest.clone())),
                padding: padding.into(),
                request_id: id(),
                ..SignRequest::default()
            };
            let signature = sign(&client, request).await.unwrap().signature;
            assert_eq!(signature.len(), length);
            let right = options(padding, word);
            assert!(openssl.verifies_digest(&public.pem, &value, &signature, &right), "{key_id} {right}");
            for (with, expected) in
                [(padding, true), (if padding == RsaPadding::Pss { RsaPadding::Pkcs1 } else { RsaPadding::Pss }, false)]
            {
                let request = VerifyRequest {
                    name: name.clone(),
                    input: Some(verify_request::Input::Digest(digest.clone())),
                    signature: signature.clone(),
                    padding: with.into(),
                    ..VerifyRequest::default()
                };
                assert_eq!(call(client.signing().verify(request)).await.unwrap().valid, expected, "{word} {with:?}");
            }
        }
        let request = SignRequest {
            name: name.clone(),
            input: Some(sign_request::Input::Message(MESSAGE.to_vec())),
            padding: padding.into(),
            request_id: id(),
            ..SignRequest::default()
        };
        let signature = sign(&client, request).await.unwrap().signature;
        let digest = sha2::Sha256::digest(MESSAGE);
        let right = options(padding, "sha256");
        assert!(openssl.verifies_digest(&public.pem, &digest, &signature, &right), "a message is hashed with SHA-256");
    }
}

#[tokio::test]
async fn rsa_2048_signs_with_each_padding_and_hash() {
    judge(Algorithm::Rsa2048, "rsa-2048", 256, &[Hash::Sha256, Hash::Sha384, Hash::Sha512]).await;
}

#[tokio::test]
async fn rsa_3072_signs() {
    judge(Algorithm::Rsa3072, "rsa-3072", 384, &[Hash::Sha384]).await;
}

#[tokio::test]
async fn rsa_4096_signs() {
    judge(Algorithm::Rsa4096, "rsa-4096", 512, &[Hash::Sha512]).await;
}

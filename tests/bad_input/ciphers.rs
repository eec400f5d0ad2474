//! Encrypt and Decrypt: what a request says beside its bytes fits the key's algorithm, or is refused by its field's name.

use crate::{
    is_rejected,
    shared::{call, client, creation, id, key, make},
};
use chancery_api::v1::{Algorithm, CipherMode, DecryptRequest, EncryptRequest, OaepHash, Protection, Purpose};
use chancery_client::Client;

async fn made(officer: &Client, algorithm: Algorithm) -> String {
    let name = key(&format!("bad-cipher-{}", algorithm.as_str_name().to_lowercase().replace('_', "-")));
    let mut request = creation(&name, "peer0", algorithm);
    let key = request.key.as_mut().unwrap();
    key.purpose = Purpose::Encrypt.into();
    key.protection = Protection::Enclave.into();
    make(officer, request).await;
    name
}

#[tokio::test]
async fn what_does_not_fit_the_key_is_named() {
    let (officer, peer) = (client("org1-security").await, client("org1-peer0").await);
    let aes = made(&officer, Algorithm::Aes256).await;
    let sm4 = made(&officer, Algorithm::Sm4).await;
    let rsa = made(&officer, Algorithm::Rsa2048).await;
    let sm2 = made(&officer, Algorithm::Sm2).await;
    let (gcm, cbc, pad) = (CipherMode::Gcm.into(), CipherMode::Cbc.into(), CipherMode::CbcPad.into());
    let (none, sha256): (i32, i32) = (0, OaepHash::OaepSha256.into());
    // Key, mode, iv's bytes, hash, associated data's bytes, input's bytes; the field that is wrong.
    for (name, mode, iv, hash, associated, length, field) in [
        (&aes, 4, 0, none, 0, 16, "mode"),
        (&aes, -1, 0, none, 0, 16, "mode"),
        (&aes, gcm, 0, 5, 0, 16, "oaep_hash"),
        (&aes, none, 0, sha256, 0, 16, "oaep_hash"),
        (&sm4, cbc, 16, sha256, 0, 16, "oaep_hash"),
        (&aes, none, 11, none, 0, 16, "iv"),
        (&aes, gcm, 16, none, 0, 16, "iv"),
        (&sm4, gcm, 13, none, 0, 16, "iv"),
        (&aes, cbc, 0, none, 0, 16, "iv"),
        (&aes, cbc, 12, none, 0, 16, "iv"),
        (&sm4, pad, 17, none, 0, 16, "iv"),
        (&aes, cbc, 16, none, 1, 16, "associated_data"),
        (&sm4, pad, 16, none, 1, 16, "associated_data"),
        (&rsa, gcm, 0, none, 0, 256, "mode"),
        (&rsa, cbc, 16, none, 0, 256, "mode"),
        (&rsa, none, 12, sha256, 0, 256, "iv"),
        (&sm2, gcm, 0, none, 0, 200, "mode"),
        (&sm2, none, 16, none, 0, 200, "iv"),
        (&sm2, none, 0, sha256, 0, 200, "oaep_hash"),
        (&sm2, none, 0, none, 1, 200, "associated_data"),
    ] {
        let what = format!("{name}: mode {mode}, iv of {iv} bytes, hash {hash}, {associated} bytes of data");
        let encrypt = EncryptRequest {
            name: name.clone(),
            plaintext: vec![1; length],
            associated_data: vec![2; associated],
            request_id: id(),
            mode,
            iv: vec![3; iv],
            oaep_hash: hash,
        };
        is_rejected(call(peer.crypto().encrypt(encrypt)).await, "INVALID_ARGUMENT", field, &what);
        let decrypt = DecryptRequest {
            name: name.clone(),
            ciphertext: vec![1; length],
            associated_data: vec![2; associated],
            request_id: id(),
            mode,
            iv: vec![3; iv],
            oaep_hash: hash,
        };
        is_rejected(call(peer.crypto().decrypt(decrypt)).await, "INVALID_ARGUMENT", field, &what);
    }
    // CBC takes whole blocks; with padding, of a ciphertext alone.
    for length in [0, 1, 15, 17, 31] {
        let iv = vec![3; 16];
        for mode in [cbc, pad] {
            let decrypt = DecryptRequest {
                name: aes.clone(),
                ciphertext: vec![1; length],
                request_id: id(),
                mode,
                iv: iv.clone(),
                ..Default::default()
            };
            let answer = call(peer.crypto().decrypt(decrypt)).await;
            is_rejected(answer, "INVALID_ARGUMENT", "ciphertext", &format!("{length} bytes, mode {mode}"));
        }
        let encrypt = EncryptRequest {
            name: aes.clone(),
            plaintext: vec![1; length],
            request_id: id(),
            mode: cbc,
            iv,
            ..Default::default()
        };
        let answer = call(peer.crypto().encrypt(encrypt)).await;
        is_rejected(answer, "INVALID_ARGUMENT", "plaintext", &format!("{length} bytes"));
    }
    // RFC 8017 §7.1.1: modulus - 2 · hash - 2.
    for (hash, most) in [(0, 190), (1, 214), (2, 190), (3, 158), (4, 126)] {
        let encrypt = |length| EncryptRequest {
            name: rsa.clone(),
            plaintext: vec![1; length],
            request_id: id(),
            oaep_hash: hash,
            ..Default::default()
        };
        assert_eq!(call(peer.crypto().encrypt(encrypt(most))).await.unwrap().record_index, None);
        let answer = call(peer.crypto().encrypt(encrypt(most + 1))).await;
        is_rejected(answer, "INVALID_ARGUMENT", "plaintext", &format!("{} bytes, hash {hash}", most + 1));
    }
}

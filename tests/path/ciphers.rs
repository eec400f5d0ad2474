//! Encryption in each mode that a request can name: it comes back, and its record says how it was done. That it is the
//! mode it is called is shown with known keys in tests/transfer, and here for the token's, whose keys nobody knows.

use crate::{
    harness::expect_code,
    openssl::OpenSsl,
    shared::{call, client, context, creation, deployment, id, key, make, records_of},
};
use chancery_api::v1::{
    Algorithm, CipherMode, DecryptRequest, EncryptRequest, EncryptResponse, GetPublicKeyRequest, OaepHash, Protection,
    Purpose,
};
use chancery_client::Client;

const PLAIN: [u8; 32] = [0x5a; 32];

async fn made(name: &str, algorithm: Algorithm, protection: Protection) {
    let mut request = creation(name, "peer0", algorithm);
    let key = request.key.as_mut().unwrap();
    (key.purpose, key.protection) = (Purpose::Encrypt.into(), protection.into());
    make(&client("org1-security").await, request).await;
}

async fn encrypted(peer: &Client, name: &str, mode: CipherMode, iv: &[u8], plain: &[u8]) -> EncryptResponse {
    let request = EncryptRequest {
        name: name.into(),
        plaintext: plain.into(),
        request_id: id(),
        mode: mode.into(),
        iv: iv.into(),
        ..Default::default()
    };
    call(peer.crypto().encrypt(request)).await.unwrap()
}

#[tokio::test]
async fn each_mode_comes_back_and_its_record_names_it() {
    let peer = client("org1-peer0").await;
    for (algorithm, protection, id_) in [
        (Algorithm::Aes256, Protection::Token, "modes-aes-token"),
        (Algorithm::Aes256, Protection::Enclave, "modes-aes"),
        (Algorithm::Sm4, Protection::Enclave, "modes-sm4"),
    ] {
        let name = key(id_);
        made(&name, algorithm, protection).await;
        // Mode, iv, length of the ciphertext; mechanism of both records, and what policies were told of encryption.
        for (mode, iv, length, mechanisms, told) in [
            (CipherMode::Unspecified, 0, 12 + 32 + 16, ["gcm", "gcm"], None),
            (CipherMode::Gcm, 0, 12 + 32 + 16, ["gcm", "gcm"], None),
            (CipherMode::Unspecified, 12, 32 + 16, ["gcm-given-nonce", "gcm"], Some("gcm-given-nonce")),
            (CipherMode::Gcm, 12, 32 + 16, ["gcm-given-nonce", "gcm"], Some("gcm-given-nonce")),
            (CipherMode::Cbc, 16, 32, ["cbc", "cbc"], Some("cbc")),
            (CipherMode::CbcPad, 16, 48, ["cbc-pad", "cbc-pad"], Some("cbc-pad")),
        ] {
            let iv = vec![9; iv];
            let sealed = encrypted(&peer, &name, mode, &iv, &PLAIN).await;
            assert_eq!(sealed.ciphertext.len(), length, "{id_} {mode:?}");
            let request = DecryptRequest {
                name: name.clone(),
                ciphertext: sealed.ciphertext,
                request_id: id(),
                mode: mode.into(),
                iv,
                ..Default::default()
            };
            let opened = call(peer.crypto().decrypt(request)).await.unwrap();
            assert_eq!(opened.plaintext, PLAIN, "{id_} {mode:?}");
            let records = records_of(&name).await;
            let recorded = |index| records.iter().find(|record| record.index == index).unwrap();
            let both = [recorded(sealed.record_index.unwrap()), recorded(opened.record_index)];
            assert_eq!(both.map(|record| record.mechanism.as_str()), mechanisms, "{id_} {mode:?}");
            assert_eq!(context(both[0], "mode"), told);
            assert_eq!(context(both[1], "mode"), told.filter(|told| told.starts_with("cbc")));
        }
        // A block is chained to the ciphertext before it, as if that were the vector (SP 800-38A §6.2).
        let chain = encrypted(&peer, &name, CipherMode::Cbc, &[9; 16], &PLAIN).await.ciphertext;
        let alone = encrypted(&peer, &name, CipherMode::Cbc, &chain[..16], &PLAIN[16..]).await.ciphertext;
        assert_eq!(chain[16..], alone);
        // The padding of PKCS #7.
        let padded = encrypted(&peer, &name, CipherMode::CbcPad, &[9; 16], &PLAIN[..20]).await.ciphertext;
        let by_hand = [&PLAIN[..20], &[12; 12]].concat();
        assert_eq!(padded, encrypted(&peer, &name, CipherMode::Cbc, &[9; 16], &by_hand).await.ciphertext);
    }
    expect_code(&deployment().verify_log(), 0);
}

#[tokio::test]
async fn openssl_encrypts_to_a_key_with_each_hash_of_oaep() {
    let (peer, name, openssl) = (client("org1-peer0").await, key("modes-oaep"), OpenSsl::new());
    made(&name, Algorithm::Rsa2048, Protection::Enclave).await;
    let public = call(peer.signing().get_public_key(GetPublicKeyRequest { name: name.clone() })).await.unwrap();
    let (public, plain) = (openssl.file("public.pem", public.pem), openssl.file("plain", PLAIN));
    for (word, hash, mechanism, told) in [
        ("sha1", OaepHash::OaepSha1, "rsa-oaep-sha1", Some("oaep-sha1")),
        ("sha256", OaepHash::OaepSha256, "rsa-oaep", None),
        ("sha256", OaepHash::Unspecified, "rsa-oaep", None),
        ("sha384", OaepHash::OaepSha384, "rsa-oaep-sha384", Some("oaep-sha384")),
        ("sha512", OaepHash::OaepSha512, "rsa-oaep-sha512", Some("oaep-sha512")),
    ] {
        let sealed = openssl.path("sealed");
        openssl.text(&format!(
            "pkeyutl -encrypt -pubin -inkey {public} -in {plain} -out {} -pkeyopt rsa_padding_mode:oaep \
             -pkeyopt rsa_oaep_md:{word} -pkeyopt rsa_mgf1_md:{word}",
            sealed.display()
        ));
        let request = DecryptRequest {
            name: name.clone(),
            ciphertext: std::fs::read(sealed).unwrap(),
            request_id: id(),
            oaep_hash: hash.into(),
            ..Default::default()
        };
        let opened = call(peer.crypto().decrypt(request)).await.unwrap();
        assert_eq!(opened.plaintext, PLAIN, "{word}");
        let records = records_of(&name).await;
        let record = records.iter().find(|record| record.index == opened.record_index).unwrap();
        assert_eq!((record.mechanism.as_str(), context(record, "mode")), (mechanism, told));
    }
}

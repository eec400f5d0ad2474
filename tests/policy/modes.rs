//! What an organization can say of the modes that its members encrypt in.

use crate::{
    desk::{Desk, is_denied},
    shared::{ORG1, call, creation, id, make},
};
use chancery_api::v1::{
    Algorithm, CipherMode, DecryptRequest, DecryptResponse, EncryptRequest, EncryptResponse, Protection, Purpose,
};
use chancery_client::ClientError;

/// Docs/policy.md has it.
const SOUND_MODES: &str = r#"
@id("sound-modes")
forbid (
  principal,
  action in [Chancery::Action::"Encrypt", Chancery::Action::"Decrypt"],
  resource
)
unless { context.mode == Chancery::Mode::"default" };
"#;

async fn encrypt(desk: &Desk, mode: CipherMode, iv: &[u8]) -> Result<EncryptResponse, ClientError> {
    let request = EncryptRequest {
        name: format!("{ORG1}/keys/box"),
        plaintext: vec![1; 32],
        request_id: id(),
        mode: mode.into(),
        iv: iv.into(),
        ..Default::default()
    };
    call(desk.peer.crypto().encrypt(request)).await
}

async fn decrypt(desk: &Desk, mode: CipherMode, iv: &[u8], text: Vec<u8>) -> Result<DecryptResponse, ClientError> {
    let request = DecryptRequest {
        name: format!("{ORG1}/keys/box"),
        ciphertext: text,
        request_id: id(),
        mode: mode.into(),
        iv: iv.into(),
        ..Default::default()
    };
    call(desk.peer.crypto().decrypt(request)).await
}

#[tokio::test]
async fn an_organization_forbids_given_nonces_and_cbc() {
    let desk = Desk::new(&[]).await;
    let mut creation = creation(&format!("{ORG1}/keys/box"), "peer0", Algorithm::Aes256);
    let key = creation.key.as_mut().unwrap();
    (key.purpose, key.protection) = (Purpose::Encrypt.into(), Protection::Enclave.into());
    make(&desk.officer, creation).await;

    let given = encrypt(&desk, CipherMode::Gcm, &[1; 12]).await.unwrap().ciphertext;
    let chained = encrypt(&desk, CipherMode::CbcPad, &[1; 16]).await.unwrap().ciphertext;
    desk.set(SOUND_MODES).await.unwrap();
    assert!(is_denied(&encrypt(&desk, CipherMode::Gcm, &[1; 12]).await));
    assert!(is_denied(&encrypt(&desk, CipherMode::Unspecified, &[1; 12]).await), "as if it were named");
    for mode in [CipherMode::Cbc, CipherMode::CbcPad] {
        assert!(is_denied(&encrypt(&desk, mode, &[1; 16]).await));
        assert!(is_denied(&decrypt(&desk, mode, &[1; 16], chained.clone()).await));
    }
    for mode in [CipherMode::Unspecified, CipherMode::Gcm] {
        let sealed = encrypt(&desk, mode, &[]).await.unwrap().ciphertext;
        assert_eq!(decrypt(&desk, mode, &[], sealed).await.unwrap().plaintext, [1; 32]);
    }
    // What is encrypted already can be read, whoever chose its nonce.
    assert_eq!(decrypt(&desk, CipherMode::Gcm, &[1; 12], given).await.unwrap().plaintext, [1; 32]);
    desk.set("").await.unwrap();
    assert_eq!(decrypt(&desk, CipherMode::CbcPad, &[1; 16], chained).await.unwrap().plaintext, [1; 32]);
}

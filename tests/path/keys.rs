//! Keys: made, looked up, listed page by page, rotated.

use crate::shared::{ORG1, call, client, create, creation, id, key, make, sign, signing};
use chancery_api::v1::{
    Algorithm, Check, CreateKeyRequest, GetKeyRequest, GetPublicKeyRequest, Key, KeyState, ListKeysRequest, Protection,
    Purpose, RotateKeyRequest,
};
use chancery_client::{Attempt, Client};
use std::collections::BTreeMap;

const ALL: [(&str, Algorithm); 6] = [
    ("every-ec-p256", Algorithm::EcP256),
    ("every-ec-p384", Algorithm::EcP384),
    ("every-ec-p521", Algorithm::EcP521),
    ("every-ec-secp256k1", Algorithm::EcSecp256k1),
    ("every-ed25519", Algorithm::Ed25519),
    ("every-rsa-2048", Algorithm::Rsa2048),
];

/// Rotates; an RSA key may take the token longer than one attempt lasts, so the same request is repeated.
async fn rotate(client: &Client, name: &str) -> Key {
    let request = RotateKeyRequest { name: name.into(), request_id: id() };
    let attempt = |attempt: Attempt| {
        let (mut keys, request) = (client.keys(), attempt.request(request.clone()));
        async move { keys.rotate_key(request).await }
    };
    client.retry(attempt).await.unwrap()
}

#[tokio::test]
async fn a_key_of_every_algorithm_is_made_looked_up_and_rotated() {
    let (officer, owner) = (client("org1-security").await, client("org1-peer0").await);
    for (id, algorithm) in ALL {
        let name = key(id);
        let made = create(&name, "peer0", algorithm).await;
        assert_eq!((made.name.as_str(), made.owner.as_str()), (name.as_str(), "organizations/org1/principals/peer0"));
        assert_eq!((made.algorithm(), made.purpose()), (algorithm, Purpose::Sign));
        assert_eq!((made.protection(), made.check()), (Protection::Token, Check::Sampled));
        let [version] = made.versions.as_slice() else { panic!("{} versions", made.versions.len()) };
        assert_eq!((version.name.clone(), version.state()), (format!("{name}/versions/1"), KeyState::Active));
        assert_eq!(made.primary.as_ref(), Some(version));
        for who in [&officer, &owner] {
            assert_eq!(call(who.keys().get_key(GetKeyRequest { name: name.clone() })).await.unwrap(), made);
        }

        let rotated = rotate(&officer, &name).await;
        let [first, second] = rotated.versions.as_slice() else { panic!("{} versions", rotated.versions.len()) };
        assert_eq!(first, version, "a rotation leaves the first version as it is");
        assert_eq!((second.name.clone(), second.state()), (format!("{name}/versions/2"), KeyState::Active));
        assert_ne!(second.public_key, first.public_key);
        assert_eq!(rotated.primary.as_ref(), Some(second), "no certificate is bound: the new version is primary");
        for (named, version) in [(name.clone(), second), (first.name.clone(), first), (second.name.clone(), second)] {
            let public = call(owner.signing().get_public_key(GetPublicKeyRequest { name: named })).await.unwrap();
            assert_eq!((&public.der, &public.name), (&version.public_key, &version.name));
        }
    }
}

#[tokio::test]
async fn both_versions_sign_after_a_rotation_and_the_key_means_the_newer() {
    let (name, owner) = (key("rotated-twice"), client("org1-peer0").await);
    create(&name, "peer0", Algorithm::EcP256).await;
    for expected in [2, 3] {
        let request = RotateKeyRequest { name: name.clone(), request_id: id() };
        let rotated = call(owner.keys().rotate_key(request)).await.unwrap();
        assert_eq!(rotated.versions.len(), expected, "its owner may enrol, so it may rotate");
    }
    for (named, expected) in [("", 3), ("/versions/1", 1), ("/versions/2", 2), ("/versions/3", 3)] {
        let answer = sign(&owner, signing(&format!("{name}{named}"), b"x")).await.unwrap();
        assert_eq!(answer.name, format!("{name}/versions/{expected}"));
    }
}

#[tokio::test]
async fn a_key_is_what_was_asked_for() {
    let officer = client("org1-security").await;
    let mut request = creation(&key("asked-for"), "orderer0", Algorithm::EcP384);
    let labels: BTreeMap<_, _> = (0..32).map(|n| (format!("{n:063}"), "v".repeat(255))).collect();
    let asked = request.key.as_mut().unwrap();
    asked.labels = labels.clone();
    asked.check = Check::Always.into();
    asked.purpose = Purpose::Certify.into();
    // Ignored: they are output only.
    asked.name = key("another");
    asked.primary = Some(chancery_api::v1::KeyVersion { public_key: vec![1], ..Default::default() });
    let made = make(&officer, request).await;
    assert_eq!((made.labels, made.name.as_str()), (labels, key("asked-for").as_str()));
    assert_eq!(made.purpose.try_into(), Ok(Purpose::Certify));
    assert_eq!(made.check.try_into(), Ok(Check::Always));
    assert_eq!(made.versions.len(), 1);
    assert_ne!(made.versions[0].public_key, [1]);
}

/// The caller owns what it makes, unless it says otherwise; certify keys are checked always.
#[tokio::test]
async fn defaults_are_those_of_the_api() {
    let ca = client("org1-ca").await;
    let key = Key { algorithm: Algorithm::EcP256.into(), purpose: Purpose::Certify.into(), ..Key::default() };
    let request = CreateKeyRequest {
        parent: ORG1.into(),
        key_id: "defaults".into(),
        key: Some(key),
        request_id: id(),
        ..CreateKeyRequest::default()
    };
    let made = make(&ca, request).await;
    assert_eq!(made.owner, "organizations/org1/principals/ca");
    assert_eq!((made.protection(), made.check()), (Protection::Token, Check::Always));
    assert!(made.create_time.is_some());
}

#[tokio::test]
async fn pages_hold_every_key_once_in_order() {
    let (officer, auditor) = (client("org2-security").await, client("org2-auditor").await);
    let mut expected: Vec<String> = (0..7).map(|n| format!("organizations/org2/keys/page-{n}")).collect();
    for name in expected.iter().rev() {
        make(&officer, creation(name, "peer0", Algorithm::EcP256)).await;
    }
    expected.sort();
    for (client, page_size) in [(&officer, 1), (&officer, 3), (&auditor, 7), (&auditor, 0), (&officer, 1000)] {
        let mut request = ListKeysRequest { parent: "organizations/org2".into(), page_size, ..Default::default() };
        let mut seen = Vec::new();
        loop {
            let page = call(client.keys().list_keys(request.clone())).await.unwrap();
            assert!(page_size == 0 || page.keys.len() <= usize::try_from(page_size).unwrap());
            assert!(page.keys.iter().all(|key| key.versions.is_empty() && key.primary.is_some()));
            seen.extend(page.keys.into_iter().map(|key| key.name));
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        assert_eq!(seen, expected, "pages of {page_size}");
    }
}

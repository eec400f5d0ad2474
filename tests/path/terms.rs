//! A key's terms: changed by UpdateKey, listed by filter; certificates bound to versions.

use crate::shared::{ORG2, call, client, create, creation, id, key, make, sign, signing};
use chancery_api::{
    reasons,
    v1::{
        ActivateKeyVersionRequest, Algorithm, BindCertificateRequest, CertificateProfile, Check,
        CreateCertificateSigningRequestRequest, IssueCertificateRequest, Key, KeyState, KeyVersion, ListKeysRequest,
        Purpose, RotateKeyRequest, RotationSchedule, UpdateKeyRequest, rotation_schedule::Schedule,
    },
};
use chancery_client::{Client, ClientError};
use prost_types::{Duration, FieldMask, Timestamp};

async fn update(by: &Client, key: Key, paths: &[&str]) -> Result<Key, ClientError> {
    let update_mask = Some(FieldMask { paths: paths.iter().map(ToString::to_string).collect() });
    call(by.keys().update_key(UpdateKeyRequest { key: Some(key), update_mask, request_id: id() })).await
}

#[tokio::test]
async fn an_update_changes_what_its_mask_names_and_nothing_else() {
    let officer = client("org1-security").await;
    let name = key("updated");
    let made = create(&name, "peer0", Algorithm::EcP256).await;
    let rotation = RotationSchedule { schedule: Some(Schedule::Cron("0 3 1 * *".into())), next_time: None };
    let wanted = Key {
        name: name.clone(),
        labels: [("env".to_owned(), "test".to_owned())].into(),
        check: Check::Always.into(),
        rotation: Some(rotation),
        overlap: Some(Duration { seconds: 3600, nanos: 0 }),
        ..Key::default()
    };
    let labelled = update(&officer, wanted.clone(), &["labels"]).await.unwrap();
    assert_eq!(labelled, Key { labels: wanted.labels.clone(), ..made.clone() });
    let updated = update(&officer, wanted.clone(), &["check", "rotation", "overlap"]).await.unwrap();
    assert_eq!((updated.check(), updated.overlap), (Check::Always, wanted.overlap));
    let schedule = updated.rotation.clone().unwrap();
    assert_eq!(schedule.schedule, wanted.rotation.as_ref().unwrap().schedule);
    assert!(schedule.next_time.is_some(), "output only, and there");
    let unscheduled = update(&officer, Key { name: name.clone(), ..Key::default() }, &["rotation"]).await.unwrap();
    assert_eq!((unscheduled.check(), unscheduled.rotation), (Check::Always, None));

    let expire_time = Some(Timestamp { seconds: 4_000_000_000, nanos: 0 });
    let dated = KeyVersion { name: format!("{name}/versions/1"), expire_time, ..KeyVersion::default() };
    let dates = Key { name: name.clone(), versions: vec![dated], ..Key::default() };
    let dated = update(&officer, dates.clone(), &["versions.expire_time"]).await.unwrap();
    assert_eq!(dated.versions[0].expire_time, expire_time);

    let bad = |change: &dyn Fn(&mut Key)| {
        let mut key = Key { name: name.clone(), ..Key::default() };
        change(&mut key);
        key
    };
    let cron = |text: &str| RotationSchedule { schedule: Some(Schedule::Cron(text.into())), next_time: None };
    for (key, path, says) in [
        (bad(&|_| {}), "owner", "`owner` is none of labels"),
        (bad(&|key| key.pool_size = 17), "pool_size", "0 to 16"),
        (bad(&|key| key.pool_size = -1), "pool_size", "pool_size"),
        (bad(&|key| key.overlap = Some(Duration { seconds: 400_000_000, nanos: 0 })), "overlap", "10 years"),
        (bad(&|key| key.rotation = Some(cron("every day"))), "rotation", "five fields"),
        (bad(&|key| key.rotation = Some(RotationSchedule::default())), "rotation", "`interval` or `cron`"),
        (bad(&|_| {}), "versions.expire_time", "one version"),
        (dates, "versions.activate_time", "not to be activated by a date"),
    ] {
        let error = update(&officer, key, &[path]).await.unwrap_err();
        assert!(error.message.contains(says), "{path}: {error:?}");
    }
    let error = update(&officer, Key { name, ..Key::default() }, &[]).await.unwrap_err();
    assert!(error.message.contains("update_mask"), "{error:?}");
}

#[tokio::test]
async fn a_filter_selects_keys_and_says_where_it_is_wrong() {
    let officer = client("org2-security").await;
    for (id, algorithm, env) in [("filter-a", Algorithm::EcP256, "test"), ("filter-b", Algorithm::Ed25519, "live")] {
        let mut request = creation(&format!("{ORG2}/keys/{id}"), "peer0", algorithm);
        request.key.as_mut().unwrap().labels = [("env".to_owned(), env.to_owned())].into();
        make(&officer, request).await;
    }
    for (filter, expected) in [
        ("name=filter-*", &["filter-a", "filter-b"][..]),
        ("name=filter-* AND algorithm=ed25519", &["filter-b"]),
        ("name=filter-* AND labels.env!=live AND owner=peer0 AND state=ACTIVE", &["filter-a"]),
        ("name=filter-* AND state!=ACTIVE", &[]),
    ] {
        let request = ListKeysRequest { parent: ORG2.into(), filter: filter.into(), ..ListKeysRequest::default() };
        let found = call(officer.keys().list_keys(request)).await.unwrap().keys;
        let ids: Vec<_> = found.iter().map(|key| key.name.rsplit('/').next().unwrap()).collect();
        assert_eq!(ids, expected, "{filter}");
    }
    let filter = "name=filter-* AND colour=red".into();
    let request = ListKeysRequest { parent: ORG2.into(), filter, ..ListKeysRequest::default() };
    let error = call(officer.keys().list_keys(request)).await.unwrap_err();
    assert_eq!(error.reason.as_deref(), Some(reasons::INVALID_ARGUMENT));
    assert!(error.message.contains("filter") && error.message.contains("character 19"), "{error:?}");
}

/// The way of a node's key through its rotation: no timer and no mistake takes it out of use.
#[tokio::test]
async fn a_certified_key_is_rotated_by_binding_a_certificate_and_activating() {
    let (owner, ca) = (client("org1-peer0").await, client("org1-ca").await);
    let (name, issuer) = (key("certified"), key("certified-ca"));
    create(&name, "peer0", Algorithm::EcP256).await;
    let mut request = creation(&issuer, "ca", Algorithm::EcP256);
    request.key.as_mut().unwrap().purpose = Purpose::Certify.into();
    make(&client("org1-security").await, request).await;
    let request_of = |by: &Client, key: &str, subject: &str| {
        let subject = subject.into();
        let request = CreateCertificateSigningRequestRequest {
            name: key.into(),
            subject,
            request_id: id(),
            ..CreateCertificateSigningRequestRequest::default()
        };
        let mut certificates = by.certificates();
        async move { call(certificates.create_certificate_signing_request(request)).await.unwrap().der }
    };
    let issue = |certificate_signing_request: Vec<u8>, profile: CertificateProfile| {
        let request = IssueCertificateRequest {
            issuer: issuer.clone(),
            certificate_signing_request,
            profile: profile.into(),
            request_id: id(),
        };
        let mut certificates = ca.certificates();
        async move { call(certificates.issue_certificate(request)).await.unwrap() }
    };
    issue(request_of(&ca, &issuer, "CN=ca.org1,O=org1").await, CertificateProfile::RootCa).await;
    let bind = |version: String, certificate: Vec<u8>| {
        let request = BindCertificateRequest { name: version, certificate, request_id: id() };
        let mut certificates = owner.certificates();
        async move { call(certificates.bind_certificate(request)).await }
    };

    let (first, second) = (format!("{name}/versions/1"), format!("{name}/versions/2"));
    let certificate = issue(request_of(&owner, &first, "CN=peer0,O=org1").await, CertificateProfile::Peer).await;
    let bound = bind(first.clone(), certificate.pem.clone().into_bytes()).await.unwrap();
    assert_eq!(bound.versions[0].certificate, certificate.der, "PEM is kept as DER");

    let rotated =
        call(owner.keys().rotate_key(RotateKeyRequest { name: name.clone(), request_id: id() })).await.unwrap();
    assert_eq!((rotated.versions[1].state(), rotated.primary), (KeyState::PreActive, Some(bound.versions[0].clone())));
    let activate = || {
        let request = ActivateKeyVersionRequest { name: second.clone(), request_id: id() };
        let mut keys = owner.keys();
        async move { call(keys.activate_key_version(request)).await }
    };
    let error = activate().await.unwrap_err();
    assert!(error.message.contains("BindCertificate"), "{error:?}");
    for (certificate, says) in [
        (certificate.der.clone(), "public key is not that of"),
        (b"no certificate".to_vec(), "malformed"),
        (certificate.pem.replace("CERTIFICATE", "X509 CRL").into_bytes(), "give a CERTIFICATE"),
    ] {
        let error = bind(second.clone(), certificate).await.unwrap_err();
        assert_eq!(error.reason.as_deref(), Some(reasons::INVALID_ARGUMENT), "{error:?}");
        assert!(error.message.contains(says), "{error:?}");
    }
    sign(&owner, signing(&name, b"the first version goes on")).await.unwrap();
    assert!(sign(&owner, signing(&second, b"the second one signs no message")).await.is_err());
    // It proves that its private key is here, and nothing else.
    let certificate = issue(request_of(&owner, &second, "CN=peer0,O=org1").await, CertificateProfile::Peer).await;
    bind(second.clone(), certificate.der.clone()).await.unwrap();
    let active = activate().await.unwrap();
    assert_eq!(active.primary.map(|primary| (primary.name, primary.certificate)), Some((second, certificate.der)));
    assert_eq!(sign(&owner, signing(&name, b"by the second")).await.unwrap().name, format!("{name}/versions/2"));
}

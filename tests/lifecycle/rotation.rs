//! Rotation: by request, by interval, by cron, from the pool; and what is refused a next version.
//!
//! **Not here**: the rotation of a key with a certificate, and a node's way through it (tests/path/terms.rs).

use crate::{
    parties::{PATIENCE, Parties, duration, refused, signer, version},
    shared::{call, client, creation, deployment, id, key, make},
};
use chancery_api::{
    reasons,
    v1::{
        Algorithm, BindCertificateRequest, CertificateProfile, CreateCertificateSigningRequestRequest,
        IssueCertificateRequest, Key, KeyState, Protection, Purpose, RotationSchedule, rotation_schedule::Schedule,
    },
};
use std::time::{Duration, Instant};

fn states(key: &Key) -> Vec<KeyState> {
    key.versions.iter().map(|version| version.state()).collect()
}

fn primary(key: &Key) -> &str {
    &key.primary.as_ref().unwrap().name
}

fn schedule(schedule: Schedule) -> Option<RotationSchedule> {
    Some(RotationSchedule { schedule: Some(schedule), next_time: None })
}

/// Without a certificate the next version is primary at once; the last one signs where it is named, for as long as the
/// overlap lasts, and then is out of use by itself.
#[tokio::test]
async fn the_last_version_signs_where_it_is_named_until_the_overlap_ends() {
    let parties = Parties::of(deployment()).await;
    for (id, protection) in [("overlap-token", Protection::Token), ("overlap-enclave", Protection::Enclave)] {
        let name = key(id);
        let (first, second, third) = (version(&name, 1), version(&name, 2), version(&name, 3));
        parties.make(&name, protection).await;
        let rotated = parties.rotate(&name).await.unwrap();
        assert_eq!(primary(&rotated), second);
        assert_eq!(states(&rotated), [KeyState::Active, KeyState::Active], "no overlap: it stays");
        assert_ne!(rotated.versions[0].public_key, rotated.versions[1].public_key);
        assert_eq!(parties.sign(&name, b"m").await.unwrap().name, second);
        assert_eq!(parties.sign(&first, b"m").await.unwrap().name, first);

        let overlap = Key { name: name.clone(), overlap: duration(3), ..Key::default() };
        parties.update(overlap, &["overlap"]).await.unwrap();
        let rotated = parties.rotate(&name).await.unwrap();
        let ends = rotated.versions[1].expire_time.unwrap();
        assert_eq!(rotated.versions[0].expire_time, None, "only the last primary version is overlapped");
        let signed = parties.sign(&second, b"m").await.unwrap();
        assert!(parties.verifies(&second, b"m", &signed.signature).await);
        parties.until_state(&second, KeyState::Deactivated).await;
        assert!(crate::parties::from_now(0).seconds >= ends.seconds, "not before its time");
        refused(parties.sign(&second, b"m").await, reasons::WRONG_STATE);
        assert!(parties.verifies(&second, b"m", &signed.signature).await);
        assert_eq!(parties.sign(&name, b"m").await.unwrap().name, third);

        let none = Key { name: name.clone(), overlap: duration(0), ..Key::default() };
        parties.update(none, &["overlap"]).await.unwrap();
        let rotated = parties.rotate(&name).await.unwrap();
        assert_eq!(states(&rotated)[2..], [KeyState::Deactivated, KeyState::Active], "an overlap of nothing");
        refused(parties.sign(&third, b"m").await, reasons::WRONG_STATE);
    }
}

/// The service rotates a key by itself, once per interval and not after the schedule is taken away.
#[tokio::test]
async fn a_schedule_of_an_interval_rotates() {
    let parties = Parties::of(deployment()).await;
    let name = key("by-interval");
    let mut request = signer(&name, Protection::Enclave);
    request.key.as_mut().unwrap().rotation = schedule(Schedule::Interval(duration(1).unwrap()));
    make(&parties.officer, request).await;
    let key = parties.until(&name, "it rotates twice", |key| key.versions.len() >= 3).await;
    for pair in key.versions.windows(2) {
        let nanos = |at: usize| {
            let time = pair[at].create_time.unwrap();
            i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos)
        };
        // The interval counts from the rotation, and a version is made a little later than that.
        assert!(nanos(1) - nanos(0) >= 500_000_000, "sooner than its interval: {pair:?}");
    }
    let none = Key { name: name.clone(), ..Key::default() };
    let key = parties.update(none, &["rotation"]).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(parties.key(&name).await.versions, key.versions, "nothing rotates it any more");
    assert_eq!(parties.sign(&name, b"m").await.unwrap().name, primary(&key));
}

/// Every minute is the most that five fields of cron can say: the next full minute, and not before.
#[tokio::test]
async fn a_schedule_of_cron_rotates() {
    let parties = Parties::of(deployment()).await;
    let name = key("by-cron");
    let mut request = signer(&name, Protection::Token);
    request.key.as_mut().unwrap().rotation = schedule(Schedule::Cron("* * * * *".into()));
    let made = make(&parties.officer, request).await;
    let due = made.rotation.unwrap().next_time.unwrap();
    assert_eq!((due.seconds % 60, due.nanos), (0, 0));
    let made = made.versions[0].create_time.unwrap();
    assert!((1..=61).contains(&(due.seconds - made.seconds)), "{due:?} after {made:?}");
    let rotated = parties.until(&name, "it rotates", |key| key.versions.len() == 2).await;
    assert!(rotated.versions[1].create_time.unwrap().seconds >= due.seconds, "not before its time");
    assert_eq!(primary(&rotated), version(&name, 2));
    assert_eq!(rotated.rotation.unwrap().next_time.unwrap().seconds % 60, 0);
}

/// Versions that were made ahead are taken in order, sign nothing before, and are made up for.
#[tokio::test]
async fn a_rotation_takes_from_the_pool() {
    let parties = Parties::of(deployment()).await;
    for (id, protection) in [("pool-token", Protection::Token), ("pool-enclave", Protection::Enclave)] {
        let name = key(id);
        let mut request = signer(&name, protection);
        request.key.as_mut().unwrap().pool_size = 2;
        make(&parties.officer, request).await;
        let pooled = |key: &Key| key.versions.iter().filter(|version| version.pooled).count();
        let full = parties.until(&name, "the pool fills", |key| pooled(key) == 2).await;
        assert_eq!(states(&full), [KeyState::Active, KeyState::PreActive, KeyState::PreActive]);
        assert_eq!(primary(&full), version(&name, 1));
        refused(parties.sign(&version(&name, 2), b"m").await, reasons::WRONG_STATE);

        let rotated = parties.rotate(&name).await.unwrap();
        assert_eq!(primary(&rotated), version(&name, 2));
        assert_eq!(rotated.versions[1].public_key, full.versions[1].public_key, "the one that was made ahead");
        assert!(!rotated.versions[1].pooled);
        assert_eq!(parties.sign(&name, b"m").await.unwrap().name, version(&name, 2));
        let again = parties.until(&name, "the pool fills again", |key| pooled(key) == 2).await;
        assert_eq!(again.versions.len(), 4);
        assert_eq!(primary(&parties.rotate(&name).await.unwrap()), version(&name, 3));

        let none = Key { name: name.clone(), ..Key::default() };
        parties.update(none, &["pool_size"]).await.unwrap();
    }
}

/// A root authority's way through a rotation: its next version asks for its own root certificate while it is PRE_ACTIVE,
/// issues nothing else before it is activated, and the present one goes on meanwhile.
#[tokio::test]
async fn an_authority_rotates_without_a_gap() {
    let (parties, ca) = (Parties::of(deployment()).await, client("org1-ca").await);
    let (name, node) = (key("rotating-ca"), key("rotating-ca-node"));
    let mut creation = creation(&name, "ca", Algorithm::EcP256);
    let made = creation.key.as_mut().unwrap();
    (made.purpose, made.protection) = (Purpose::Certify.into(), Protection::Enclave.into());
    make(&ca, creation).await;
    parties.make(&node, Protection::Enclave).await;
    let request = async |by: &chancery_client::Client, name: &str, subject: &str| {
        let request = CreateCertificateSigningRequestRequest {
            name: name.into(),
            subject: subject.into(),
            request_id: id(),
            ..CreateCertificateSigningRequestRequest::default()
        };
        call(by.certificates().create_certificate_signing_request(request)).await
    };
    let issue = async |issuer: &str, request: &[u8], profile: CertificateProfile| {
        let request = IssueCertificateRequest {
            issuer: issuer.into(),
            certificate_signing_request: request.to_vec(),
            profile: profile.into(),
            request_id: id(),
        };
        call(ca.certificates().issue_certificate(request)).await
    };
    let own = request(&ca, &name, "CN=ca,O=Org1").await.unwrap();
    issue(&name, &own.der, CertificateProfile::RootCa).await.unwrap();
    let nodes = request(&parties.peer, &node, "CN=peer0,OU=peer,O=Org1").await.unwrap();
    let (first, second) = (version(&name, 1), version(&name, 2));

    let rotated = parties.rotate(&name).await.unwrap();
    assert_eq!((primary(&rotated), rotated.versions[1].state()), (first.as_str(), KeyState::PreActive));
    let message = refused(parties.cause(crate::parties::Event::Activate, &second).await, reasons::WRONG_STATE);
    assert!(message.contains("BindCertificate"), "{message}");
    let own = request(&ca, &second, "CN=ca,O=Org1").await.unwrap();
    assert_eq!(own.name, second);
    refused(issue(&second, &nodes.der, CertificateProfile::Peer).await, reasons::WRONG_STATE);
    assert_eq!(issue(&name, &nodes.der, CertificateProfile::Peer).await.unwrap().issuer, first);
    let root = issue(&second, &own.der, CertificateProfile::RootCa).await.unwrap();
    // Bound already; another version's certificate is not taken.
    let bind = |to: &str| BindCertificateRequest { name: to.into(), certificate: root.der.clone(), request_id: id() };
    refused(call(ca.certificates().bind_certificate(bind(&first))).await, reasons::INVALID_ARGUMENT);
    refused(issue(&second, &nodes.der, CertificateProfile::Peer).await, reasons::WRONG_STATE);
    let active = parties.cause(crate::parties::Event::Activate, &second).await.unwrap();
    assert_eq!((primary(&active), &active.versions[1].certificate), (second.as_str(), &root.der));
    assert_eq!(issue(&name, &nodes.der, CertificateProfile::Peer).await.unwrap().issuer, second);
    assert_eq!(issue(&first, &nodes.der, CertificateProfile::Peer).await.unwrap().issuer, first);
}

/// Suspended: nobody rotates past it, neither by request nor by schedule.
#[tokio::test]
async fn a_suspended_key_is_not_rotated() {
    let parties = Parties::of(deployment()).await;
    let name = key("suspended-rotation");
    let mut request = signer(&name, Protection::Enclave);
    request.key.as_mut().unwrap().rotation = schedule(Schedule::Interval(duration(3600).unwrap()));
    make(&parties.officer, request).await;
    parties.cause(crate::parties::Event::Suspend, &version(&name, 1)).await.unwrap();
    let message = refused(parties.rotate(&name).await, reasons::WRONG_STATE);
    assert!(message.contains("activate or deactivate it"), "{message}");
    let sooner =
        Key { name: name.clone(), rotation: schedule(Schedule::Interval(duration(1).unwrap())), ..Key::default() };
    let next = parties.update(sooner, &["rotation"]).await.unwrap().rotation.unwrap().next_time.unwrap();
    let start = Instant::now();
    // Each time that it is left out, the next time moves on.
    let after = parties.until(&name, "it is left out", |key| {
        key.rotation.as_ref().is_some_and(|rotation| rotation.next_time.unwrap().seconds > next.seconds)
    });
    assert_eq!(after.await.versions.len(), 1);
    assert!(start.elapsed() < PATIENCE);
    parties.cause(crate::parties::Event::Activate, &version(&name, 1)).await.unwrap();
    parties.until(&name, "it rotates again", |key| key.versions.len() >= 2).await;
    parties.update(Key { name: name.clone(), ..Key::default() }, &["rotation"]).await.unwrap();
}

//! What the log holds of each operation, and of what it holds nothing.

use crate::{
    harness::expect_code,
    openssl::OpenSsl,
    shared::{ORG1, call, client, context, create, deployment, id, key, records, records_of, sha256, sign, signing},
};
use chancery_api::v1::{
    Algorithm, CreateCertificateSigningRequestRequest, Digest, GetCheckpointRequest, GetKeyRequest,
    GetPublicKeyRequest, Hash, ListKeysRequest, ListRecordsRequest, RotateKeyRequest, RsaPadding, SignRequest,
    SignatureFormat, VerifyRequest, sign_request::Input, verify_request,
};
use chancery_audit::record::{Kind, Outcome, Record, SignatureCheck};
use sha2::Digest as _;
use std::collections::HashSet;

fn find(records: &[Record], index: u64) -> &Record {
    records.iter().find(|record| record.index == index).expect("the answer names its record")
}

/// Field by field, against what the request and its answer said.
#[tokio::test]
async fn every_signature_has_its_record() {
    let (peer, name) = (client("org1-peer0").await, key("recorded-p256"));
    let made = create(&name, "peer0", Algorithm::EcP256).await;
    let ed25519 = key("recorded-ed25519");
    create(&ed25519, "peer0", Algorithm::Ed25519).await;
    let rsa = key("recorded-rsa");
    create(&rsa, "peer0", Algorithm::Rsa2048).await;

    let message = b"what was signed".to_vec();
    let hashed = sha2::Sha256::digest(&message).to_vec();
    let raw = Input::Digest(Digest { hash: Hash::Unspecified.into(), value: vec![9; 20] });
    let request = |name: &str, input: Input| SignRequest {
        name: name.into(),
        input: Some(input),
        request_id: id(),
        ..SignRequest::default()
    };
    let whole = || Input::Message(message.clone());
    let wide = SignRequest { format: SignatureFormat::Raw.into(), ..request(&name, sha256(&message)) };
    let pss = SignRequest { padding: RsaPadding::Pss.into(), ..request(&rsa, whole()) };
    let mut seen = HashSet::new();
    for (request, mechanism, algorithm, hash, digest, format, (input, context_hash, size)) in [
        (request(&name, sha256(&message)), "ecdsa", "ec-p256", "sha256", &hashed, "der", ("digest", "sha256", "32")),
        (request(&name, whole()), "ecdsa", "ec-p256", "sha256", &hashed, "der", ("message", "", "15")),
        (wide, "ecdsa", "ec-p256", "sha256", &hashed, "raw", ("digest", "sha256", "32")),
        (request(&name, raw), "ecdsa", "ec-p256", "", &vec![9; 20], "der", ("digest", "", "20")),
        // The message itself is never recorded.
        (request(&ed25519, whole()), "ed25519", "ed25519", "", &hashed, "", ("message", "", "15")),
        (request(&rsa, whole()), "rsa-pkcs1-sha256", "rsa-2048", "sha256", &hashed, "", ("message", "", "15")),
        (pss, "rsa-pss-sha256", "rsa-2048", "sha256", &hashed, "", ("message", "", "15")),
    ] {
        let answer = sign(&peer, request.clone()).await.unwrap();
        let records = records_of(&request.name).await;
        let record = find(&records, answer.record_index);
        assert_eq!((record.kind(), record.action.as_str()), (Kind::Outcome, "Sign"));
        assert_eq!((record.outcome(), record.reason.as_str()), (Outcome::Succeeded, ""));
        assert_eq!((&record.resource, &record.signature), (&answer.name, &answer.signature));
        assert_eq!((record.mechanism.as_str(), record.algorithm.as_str()), (mechanism, algorithm));
        assert_eq!((record.digest_algorithm.as_str(), &record.digest), (hash, digest));
        assert_eq!((record.signature_format.as_str(), record.protection.as_str()), (format, "token"));
        assert_eq!((&record.request_id, record.request_hash.len()), (&request.request_id, 32));
        for (name, value) in [("input", input), ("hash", context_hash), ("size", size)] {
            assert_eq!(context(record, name), Some(value), "{name}");
        }
        let by = record.principal.as_ref().unwrap();
        assert_eq!((by.organization.as_str(), by.name.as_str(), by.role.as_str()), ("org1", "peer0", "peer"));
        assert_eq!(record.policy_ids, ["node-signs-with-own-key"]);
        assert_eq!((record.policy_set_hash.len(), record.salt.len()), (32, 16));
        assert_eq!(record.enclave_incarnation.len(), 16);
        assert_ne!(record.signature_check(), SignatureCheck::Unspecified);
        assert!(record.enclave_operation > 0 && record.time_unix_nanos > 0);
        assert!(seen.insert((record.enclave_incarnation.clone(), record.enclave_operation)), "each counts once");
        assert!(!record.salt.iter().all(|byte| *byte == 0));
    }
    // The record by itself is enough to check the signature with the registered public key.
    let openssl = OpenSsl::new();
    let public = call(peer.signing().get_public_key(GetPublicKeyRequest { name: name.clone() })).await.unwrap();
    assert_eq!(public.der, made.versions[0].public_key);
    for record in records_of(&name).await.iter().filter(|record| record.signature_format == "der") {
        assert!(openssl.verifies_digest(&public.pem, &record.digest, &record.signature, ""));
    }
    // The caller's certificate, as DER, hashed.
    let pem = deployment().client_dir("org1-peer0").join("cert.pem");
    let text = openssl.text(&format!("x509 -noout -fingerprint -sha256 -in {}", pem.display()));
    let fingerprint = text.trim().rsplit('=').next().unwrap().replace(':', "").to_lowercase();
    let by = records_of(&name).await.pop().unwrap().principal.unwrap();
    assert_eq!(hex::encode(by.certificate_fingerprint), fingerprint);
}

#[tokio::test]
async fn changes_are_recorded_with_the_state_they_leave() {
    let (peer, name) = (client("org1-peer0").await, key("recorded-changes"));
    create(&name, "peer0", Algorithm::EcP256).await;
    call(peer.keys().rotate_key(RotateKeyRequest { name: name.clone(), request_id: id() })).await.unwrap();
    let request = CreateCertificateSigningRequestRequest {
        name: name.clone(),
        subject: "CN=peer0".into(),
        request_id: id(),
        ..Default::default()
    };
    let asked = call(peer.certificates().create_certificate_signing_request(request)).await.unwrap();
    let records = records_of(&name).await;
    let steps: Vec<_> = records.iter().map(|record| (record.kind(), record.action.as_str())).collect();
    let expected = [
        (Kind::Intent, "CreateKey"),
        (Kind::Outcome, "CreateKey"),
        (Kind::Intent, "RotateKey"),
        (Kind::Outcome, "RotateKey"),
        (Kind::Outcome, "CreateCertificateSigningRequest"),
    ];
    assert_eq!(steps, expected);
    assert_eq!((records[1].intent, records[3].intent), (records[0].index + 1, records[2].index + 1));
    let states = |record: &Record| record.states.iter().map(|state| state.name.clone()).collect::<Vec<_>>();
    assert_eq!(states(&records[1]), [name.clone(), format!("{name}/versions/1")]);
    assert_eq!(states(&records[3]), [name.clone(), format!("{name}/versions/2")]);
    assert_eq!(records[4].index, asked.record_index);
    assert_eq!((records[4].mechanism.as_str(), context(&records[4], "subject")), ("ecdsa", Some("CN=peer0")));
}

#[tokio::test]
async fn denials_are_recorded_and_reads_are_not() {
    let (owner, other, auditor) =
        (client("org1-peer0").await, client("org1-orderer0").await, client("org1-auditor").await);
    let name = key("recorded-denials");
    create(&name, "peer0", Algorithm::EcP256).await;
    let signed = sign(&owner, signing(&name, b"x")).await.unwrap();
    let before = records_of(&name).await.len();

    call(owner.signing().get_public_key(GetPublicKeyRequest { name: name.clone() })).await.unwrap();
    call(owner.keys().get_key(GetKeyRequest { name: name.clone() })).await.unwrap();
    call(auditor.keys().list_keys(ListKeysRequest { parent: ORG1.into(), ..Default::default() })).await.unwrap();
    call(auditor.audit().get_checkpoint(GetCheckpointRequest {})).await.unwrap();
    let Input::Digest(digest) = sha256(b"x") else { unreachable!() };
    let request = VerifyRequest {
        name: name.clone(),
        input: Some(verify_request::Input::Digest(digest)),
        signature: signed.signature,
        ..VerifyRequest::default()
    };
    assert!(call(owner.signing().verify(request)).await.unwrap().valid);
    let rejected = SignRequest { input: None, ..signing(&name, b"x") };
    sign(&owner, rejected).await.unwrap_err();
    assert_eq!(records_of(&name).await.len(), before, "reads, Verify and rejections leave no record");

    let request = signing(&name, b"not mine");
    assert_eq!(sign(&other, request.clone()).await.unwrap_err().reason.as_deref(), Some("DENIED"));
    let denied = call(other.keys().get_key(GetKeyRequest { name: name.clone() })).await.unwrap_err();
    assert_eq!(denied.reason.as_deref(), Some("DENIED"), "also a denied read is recorded");
    let records = records_of(&name).await;
    let [denial, read] = &records[before..] else { panic!("{} records more", records.len() - before) };
    assert_eq!((denial.kind(), denial.outcome()), (Kind::Denial, Outcome::Denied));
    assert_eq!((denial.action.as_str(), denial.reason.as_str()), ("Sign", "DENIED"));
    assert_eq!((&denial.resource, &denial.request_id), (&name, &request.request_id));
    assert_eq!(denial.principal.as_ref().unwrap().name, "orderer0");
    assert_eq!(context(denial, "size"), Some("32"));
    assert_eq!((denial.policy_set_hash.len(), denial.signature.len()), (32, 0));
    assert_eq!((read.action.as_str(), read.kind()), ("GetKey", Kind::Denial));
}

/// The whole log verifies offline while the service runs and other tests use it, with every record listed in it.
#[tokio::test]
async fn the_log_verifies_while_it_is_written() {
    let (peer, name) = (client("org1-peer0").await, key("recorded-live"));
    create(&name, "peer0", Algorithm::EcP256).await;
    sign(&peer, signing(&name, b"x")).await.unwrap();
    expect_code(&deployment().verify_log(), 0);
    let auditor = client("org1-auditor").await;
    let all = records(&auditor, ListRecordsRequest { parent: ORG1.into(), ..Default::default() }).await;
    assert!(all.windows(2).all(|pair| pair[0].index < pair[1].index), "oldest first, each once");
    assert!(all.windows(2).all(|pair| pair[0].salt != pair[1].salt));
}

//! Requests at and over the size limits: refused whole, recorded briefly, and nobody else is hurt.

use crate::{
    is_rejected,
    shared::{ORG1, call, client, create, id, key, records, sign, signing},
};
use chancery_api::v1::{
    Algorithm, CertificateProfile, CreateCertificateSigningRequestRequest, IssueCertificateRequest, ListRecordsRequest,
    SignRequest, VerifyRequest, sign_request::Input, sign_stream_response::Result as Answer, verify_request,
};
use chancery_client::Code;
use futures_util::{StreamExt, stream};
use prost::Message;

/// `limits.request_bytes` by default.
const LIMIT: usize = 1 << 20;

fn of_size(name: &str, size: usize) -> SignRequest {
    SignRequest { input: Some(Input::Message(vec![0x61; size])), ..signing(name, b"") }
}

#[tokio::test]
async fn a_request_over_the_limit_is_refused_and_one_at_it_is_served() {
    let name = key("sizes");
    create(&name, "peer0", Algorithm::EcP256).await;
    let client = client("org1-peer0").await;
    let around = 2 * LIMIT - of_size(&name, LIMIT).encoded_len();
    let most = of_size(&name, around);
    assert_eq!(most.encoded_len(), LIMIT);
    sign(&client, most).await.unwrap();
    for size in [around + 1, 2 * LIMIT, 3 * LIMIT] {
        let error = sign(&client, of_size(&name, size)).await.unwrap_err();
        assert_eq!(error.code, Code::OutOfRange, "{error}");
        assert!(error.message.contains(&LIMIT.to_string()) && !error.retryable, "it names the limit: {error}");
        let input = Some(verify_request::Input::Message(vec![0; size + 100]));
        let verify = VerifyRequest { name: name.clone(), input, ..VerifyRequest::default() };
        assert_eq!(call(client.signing().verify(verify)).await.unwrap_err().code, Code::OutOfRange);
    }
    // On a stream it is the end of the stream, after the answers to what came before.
    let good = signing(&name, b"before");
    let requests = vec![good.clone(), of_size(&name, 2 * LIMIT)];
    let mut answers = client.signing().sign_stream(stream::iter(requests)).await.unwrap().into_inner();
    let (mut signed, mut ended) = (0, None);
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(answer) => {
                assert!(matches!(answer.result, Some(Answer::Response(_))));
                signed += 1;
            }
            Err(status) => ended = Some(status.code()),
        }
    }
    assert_eq!(ended, Some(Code::OutOfRange));
    assert!(signed <= 1);
    // The same connection goes on.
    assert!(sign(&client, good).await.is_ok());
}

/// A denial holds what the caller sent for policies to read. That must stay short: the key's organization reads it too,
/// a page at a time, and whoever may not even see the key could otherwise fill its log or break its listing.
#[tokio::test]
async fn hostile_requests_leave_short_records() {
    let (name, owner) = (key("hostile"), client("org1-peer0").await);
    create(&name, "peer0", Algorithm::EcP256).await;
    let stranger = client("org2-peer0").await;
    for size in [100_000, LIMIT - 1000, LIMIT - 200] {
        let request = |name: &str| CreateCertificateSigningRequestRequest {
            name: name.into(),
            subject: format!("CN={}", "x".repeat(size)),
            request_id: id(),
            ..Default::default()
        };
        for client in [&stranger, &owner] {
            let answer = call(client.certificates().create_certificate_signing_request(request(&name))).await;
            is_rejected(answer, "INVALID_ARGUMENT", "subject", "too long to be a name");
        }
    }
    let names = (0..40_000).map(|n| format!("dns:peer{n}.org1")).collect::<Vec<_>>();
    let request = CreateCertificateSigningRequestRequest {
        name: name.clone(),
        subject: "CN=peer0".into(),
        subject_alternative_names: names,
        request_id: id(),
    };
    let answer = call(owner.certificates().create_certificate_signing_request(request)).await;
    is_rejected(answer, "INVALID_ARGUMENT", "subject_alternative_names", "more names than a request may have");
    // Requests for certificates are sound but for their length: policies read the common name.
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
    parameters.distinguished_name.push(rcgen::DnType::CommonName, "x".repeat(60_000));
    let csr = parameters.serialize_request(&rcgen::KeyPair::generate().unwrap()).unwrap();
    let request = IssueCertificateRequest {
        issuer: name.clone(),
        certificate_signing_request: csr.der().to_vec(),
        profile: CertificateProfile::Peer.into(),
        request_id: id(),
    };
    let error = call(stranger.certificates().issue_certificate(request)).await.unwrap_err();
    assert_eq!(error.reason.as_deref(), Some("DENIED"), "{error}");
    let auditor = client("org1-auditor").await;
    let request = ListRecordsRequest { parent: ORG1.into(), key: name, ..Default::default() };
    let denials = records(&auditor, request).await;
    assert_eq!(denials.last().unwrap().action, "IssueCertificate");
    for record in denials {
        assert!(record.encoded_len() < 8192, "{} bytes", record.encoded_len());
    }
}

/// Callers that hang up in the middle of their calls leave the log whole and the service serving.
#[tokio::test]
async fn callers_who_hang_up_harm_nothing() {
    let name = key("hung-up");
    create(&name, "peer0", Algorithm::EcP256).await;
    let client = client("org1-peer0").await;
    for round in 0..40_u64 {
        let calls = (0..4).map(|_| sign(&client, signing(&name, b"x")));
        let some =
            tokio::time::timeout(std::time::Duration::from_micros(200 * round), futures_util::future::join_all(calls));
        let _ = some.await;
    }
    // The same id after a hang-up is answered, once and for all.
    let request = signing(&name, b"again");
    let _ = tokio::time::timeout(std::time::Duration::from_micros(300), sign(&client, request.clone())).await;
    let first = sign(&client, request.clone()).await.unwrap();
    assert_eq!(sign(&client, request).await.unwrap().signature, first.signature);
    crate::harness::expect_code(&crate::shared::deployment().verify_log(), 0);
}

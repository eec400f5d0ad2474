//! Certificates out of their time, or of nobody's.

use crate::{
    authority::{Authority, Stranger, peer},
    shared::deployment,
};
use chancery_client::Code;
use rcgen::{DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, date_time_ymd};
use std::fs;

#[tokio::test]
async fn certificates_out_of_their_time_are_refused() {
    let ca = Authority::of("org1");
    for (from, to) in [((2020, 1, 1), (2021, 1, 1)), ((2090, 1, 1), (2091, 1, 1))] {
        let mut parameters = peer("peer0");
        parameters.not_before = date_time_ymd(from.0, from.1, from.2);
        parameters.not_after = date_time_ymd(to.0, to.1, to.2);
        let error = ca.admit(&parameters).knock().await.unwrap_err();
        let expected = (Code::Unauthenticated, Some("CERTIFICATE_EXPIRED"));
        assert_eq!((error.code, error.reason.as_deref()), expected, "{from:?}: {error}");
    }
}

#[tokio::test]
async fn an_unknown_authority_vouches_for_nobody() {
    let unknown = Authority::unknown(&[(DnType::CommonName, "somebody's CA")]);
    let error = unknown.admit(&peer("peer0")).knock().await.unwrap_err();
    assert_eq!((error.code, error.reason.as_deref()), (Code::Unauthenticated, Some("UNKNOWN_ANCHOR")), "{error}");
    assert!(!error.retryable, "waiting does not help");
    let key = KeyPair::generate().unwrap();
    let own = peer("peer0").self_signed(&key).unwrap();
    let error = Stranger::new(&own.pem(), &key.serialize_pem()).knock().await.unwrap_err();
    assert_eq!(error.reason.as_deref(), Some("UNKNOWN_ANCHOR"), "{error}");
    // The deployment's own CA certifies the server and no client.
    let server = |name: &str| fs::read_to_string(deployment().dir().join("data").join(name)).unwrap();
    let error = Stranger::new(&server("server.pem"), &server("server.key")).knock().await.unwrap_err();
    assert_eq!(error.code, Code::Unauthenticated, "{error}");
}

#[tokio::test]
async fn certificates_for_other_purposes_are_refused() {
    let ca = Authority::of("org1");
    let mut server = peer("peer0");
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let mut encryption = peer("peer0");
    encryption.key_usages = vec![KeyUsagePurpose::KeyEncipherment];
    for parameters in [server, encryption] {
        let error = ca.admit(&parameters).knock().await.unwrap_err();
        assert_eq!(error.code, Code::Unauthenticated, "{error}");
    }
    let mut both = peer("peer0");
    both.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    ca.admit(&both).knock().await.unwrap();
}

/// The certificate is public: only its key makes a client of its holder.
#[tokio::test]
async fn anothers_certificate_without_its_key_is_worth_nothing() {
    let pem = fs::read_to_string(deployment().client_dir("org1-security").join("cert.pem")).unwrap();
    let mut config = crate::connections::tls();
    crate::connections::present(&mut config, &pem, &KeyPair::generate().unwrap());
    let error = crate::connections::handshake(config).await.unwrap_err();
    assert!(error.to_string().contains("DecryptError"), "{error}");
}

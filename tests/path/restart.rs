//! What was answered before a restart is answered alike after it, however the service ended.

use crate::{
    harness::Deployment,
    retries::is_reused,
    shared::{call, creation, id, key, make, sign, signing},
};
use chancery_api::v1::{
    Algorithm, CertificateProfile, CreateCertificateSigningRequestRequest, GetKeyRequest, IssueCertificateRequest,
    Purpose, RotateKeyRequest, SignRequest,
};
use chancery_client::Client;

#[tokio::test]
async fn retries_across_restarts_are_answered_as_the_first_time() {
    let mut deployment = Deployment::start();
    let (signs, certifies) = (key("peer0"), key("ca"));
    let creation = creation(&signs, "peer0", Algorithm::EcP256);
    let mut authority = crate::shared::creation(&certifies, "ca", Algorithm::EcP384);
    authority.key.as_mut().unwrap().purpose = Purpose::Certify.into();
    let officer = deployment.client("org1-security").await;
    make(&officer, creation.clone()).await;
    make(&officer, authority).await;
    let rotation = RotateKeyRequest { name: signs.clone(), request_id: id() };
    call(officer.keys().rotate_key(rotation.clone())).await.unwrap();
    let key_now = call(officer.keys().get_key(GetKeyRequest { name: signs.clone() })).await.unwrap();

    let peer = deployment.client("org1-peer0").await;
    let signature = signing(&signs, b"before the restart");
    let signed = sign(&peer, signature.clone()).await.unwrap();
    let ca = deployment.client("org1-ca").await;
    let asking = CreateCertificateSigningRequestRequest {
        name: certifies.clone(),
        subject: "CN=ca.org1,O=Org1".into(),
        request_id: id(),
        ..Default::default()
    };
    let asked = call(ca.certificates().create_certificate_signing_request(asking.clone())).await.unwrap();
    let issuing = IssueCertificateRequest {
        issuer: certifies.clone(),
        certificate_signing_request: asked.der.clone(),
        profile: CertificateProfile::RootCa.into(),
        request_id: id(),
    };
    let issued = call(ca.certificates().issue_certificate(issuing.clone())).await.unwrap();

    for crash in [false, true] {
        if crash {
            deployment.kill();
        } else {
            assert_eq!(deployment.stop(), Some(0));
        }
        deployment.serve();
        let client = |name: &'static str| {
            let deployment = &deployment;
            async move { deployment.client(name).await }
        };
        let (officer, peer, ca): (Client, Client, Client) =
            (client("org1-security").await, client("org1-peer0").await, client("org1-ca").await);
        let again = sign(&peer, signature.clone()).await.unwrap();
        assert!(again.replayed);
        assert_eq!((&again.signature, again.record_index), (&signed.signature, signed.record_index));
        let other = SignRequest { request_id: signature.request_id.clone(), ..signing(&signs, b"other") };
        is_reused(&sign(&peer, other).await.unwrap_err());
        let again = call(ca.certificates().create_certificate_signing_request(asking.clone())).await.unwrap();
        assert_eq!(again, asked);
        assert_eq!(call(ca.certificates().issue_certificate(issuing.clone())).await.unwrap(), issued);
        assert_eq!(call(officer.keys().create_key(creation.clone())).await.unwrap().versions[0], key_now.versions[0]);
        assert_eq!(call(officer.keys().rotate_key(rotation.clone())).await.unwrap().versions.len(), 2);
        assert_eq!(call(officer.keys().get_key(GetKeyRequest { name: signs.clone() })).await.unwrap(), key_now);
        // And the keys are still there to be used.
        assert!(!sign(&peer, signing(&signs, b"after the restart")).await.unwrap().replayed);
    }
    assert_eq!(deployment.stop(), Some(0));
    crate::harness::expect_code(&deployment.verify_log(), 0);
}

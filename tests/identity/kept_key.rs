//! The attack that KEY_HELD_HERE is for: who may sign with a key that is kept here has a certificate issued for it, and
//! logs in with signatures that the service itself makes.

use crate::{
    authority::{Authority, client, peer},
    connections::{checkpoint, tls, tunnel},
    shared::{call, create, id, key, records},
};
use chancery_api::v1::{
    Algorithm, GetPublicKeyRequest, ListRecordsRequest, SignRequest, sign_request::Input,
    signing_service_client::SigningServiceClient,
};
use chancery_client::{Client, ClientError, Code, Transport};
use rcgen::{CertificateParams, DnType, SubjectPublicKeyInfo};
use rustls::{
    SignatureAlgorithm, SignatureScheme,
    client::ResolvesClientCert,
    sign::{CertifiedKey, Signer, SigningKey},
};
use std::sync::Arc;
use tokio::runtime::Handle;

/// A private key that its holder never had: it signs by SigningService.
#[derive(Clone)]
struct RemoteKey {
    signing: SigningServiceClient<Transport>,
    name: String,
    runtime: Handle,
}

impl std::fmt::Debug for RemoteKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RemoteKey({})", self.name)
    }
}

impl SigningKey for RemoteKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered.contains(&SignatureScheme::ECDSA_NISTP256_SHA256).then(|| Box::new(self.clone()) as Box<dyn Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

impl Signer for RemoteKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        let request = SignRequest {
            name: self.name.clone(),
            input: Some(Input::Message(message.to_vec())),
            request_id: id(),
            ..SignRequest::default()
        };
        let (mut signing, runtime) = (self.signing.clone(), self.runtime.clone());
        // rustls asks in the middle of the handshake, which another thread of the runtime goes on with.
        let answer = tokio::task::block_in_place(|| runtime.block_on(call(signing.sign(request))));
        answer.map(|answer| answer.signature).map_err(|error| rustls::Error::General(error.to_string()))
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ECDSA_NISTP256_SHA256
    }
}

#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesClientCert for Always {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Logs in with a certificate for the key named, by the organization's authority, and calls.
async fn log_in(owner: &Client, name: &str, parameters: &CertificateParams, ca: &Authority) -> Result<(), ClientError> {
    let public = GetPublicKeyRequest { name: name.to_owned() };
    let public = call(owner.signing().get_public_key(public)).await.unwrap().der;
    let certificate = ca.certify(parameters, &SubjectPublicKeyInfo::from_der(&public).unwrap());
    let remote = RemoteKey { signing: owner.signing(), name: name.to_owned(), runtime: Handle::current() };
    let certified = CertifiedKey::new(vec![certificate.der().clone()], Arc::new(remote));
    let mut config = tls();
    config.client_auth_cert_resolver = Arc::new(Always(Arc::new(certified)));
    checkpoint(tunnel(config).await).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn whoever_may_sign_with_a_key_cannot_log_in_with_it() {
    let (name, elsewhere) = (key("kept"), "organizations/org2/keys/kept");
    create(&name, "peer0", Algorithm::EcP256).await;
    create(elsewhere, "peer0", Algorithm::EcP256).await;
    let owner = crate::shared::client("org1-peer0").await;
    let other = crate::shared::client("org2-peer0").await;
    let (org1, org2) = (Authority::of("org1"), Authority::of("org2"));
    let officer = client(&[(DnType::CommonName, "security")]);
    for (owner, name, parameters, ca) in [
        (&owner, name.as_str(), peer("peer0"), &org1),
        (&owner, &name, peer("peer1"), &org1),
        (&owner, &name, officer, &org1),
        (&owner, &format!("{name}/versions/1"), peer("peer0"), &org1),
        // Nor across organizations, either way.
        (&owner, &name, peer("peer0"), &org2),
        (&other, elsewhere, peer("peer0"), &org1),
    ] {
        let error = log_in(owner, name, &parameters, ca).await.unwrap_err();
        assert_eq!((error.code, error.reason.as_deref()), (Code::Unauthenticated, Some("KEY_HELD_HERE")), "{error}");
    }
    // The handshake itself was sound: the service signed it, and says so in the log.
    let auditor = crate::shared::client("org1-auditor").await;
    let request = ListRecordsRequest { parent: "organizations/org1".into(), key: name, ..Default::default() };
    let signatures = records(&auditor, request).await.into_iter().filter(|record| !record.signature.is_empty()).count();
    assert_eq!(signatures, 5);
}

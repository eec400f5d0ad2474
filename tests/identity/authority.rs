//! An organization's identity CA in the attacker's hands.

use crate::{harness::Deployment, shared::deployment};
use chancery_api::v1::GetCheckpointRequest;
use chancery_client::{Client, ClientConfig, ClientError};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData,
};
use std::{fs, path::PathBuf};
use tempfile::TempDir;

/// id-at-commonName and id-at-organizationalUnitName (RFC 5280 appendix A.1), written out: rcgen takes each of its own
/// words once.
pub(crate) const SECOND_CN: &[u64] = &[2, 5, 4, 3];
pub(crate) const SECOND_OU: &[u64] = &[2, 5, 4, 11];

/// A distinguished name: attribute and value, in order.
pub(crate) fn name(parts: &[(DnType, &str)]) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    for (kind, value) in parts {
        name.push(kind.clone(), *value);
    }
    name
}

/// Parameters of a client certificate.
pub(crate) fn client(parts: &[(DnType, &str)]) -> CertificateParams {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.distinguished_name = name(parts);
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters
}

/// As a stock peer has it.
pub(crate) fn peer(common_name: &str) -> CertificateParams {
    client(&[(DnType::CommonName, common_name), (DnType::OrganizationalUnitName, "peer")])
}

/// A certificate authority.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    /// The organization's own, with its key.
    pub(crate) fn of(organization: &str) -> Self {
        Self::at(deployment(), organization)
    }

    /// The same, of another deployment than the suite's.
    pub(crate) fn at(deployment: &Deployment, organization: &str) -> Self {
        let file =
            |kind: &str| fs::read_to_string(deployment.dir().join(format!("identity/{organization}.{kind}"))).unwrap();
        let pem = file("pem");
        let key = KeyPair::from_pem(&file("key")).unwrap();
        Self { issuer: Issuer::from_ca_cert_pem(&pem, key).unwrap(), pem }
    }

    fn parameters(parts: &[(DnType, &str)]) -> CertificateParams {
        let mut parameters = client(parts);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        parameters
    }

    /// One that nobody registered, of this name.
    pub(crate) fn unknown(parts: &[(DnType, &str)]) -> Self {
        let (key, parameters) = (KeyPair::generate().unwrap(), Self::parameters(parts));
        let pem = parameters.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(parameters, key), pem }
    }

    /// An intermediate that this one issued.
    pub(crate) fn intermediate(&self, parts: &[(DnType, &str)]) -> Self {
        let (key, parameters) = (KeyPair::generate().unwrap(), Self::parameters(parts));
        let pem = parameters.signed_by(&key, &self.issuer).unwrap().pem();
        Self { issuer: Issuer::new(parameters, key), pem }
    }

    /// Its certificate, PEM.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for a public key.
    pub(crate) fn certify(&self, parameters: &CertificateParams, key: &impl PublicKeyData) -> Certificate {
        parameters.signed_by(key, &self.issuer).unwrap()
    }

    /// A client with a fresh key and such a certificate.
    pub(crate) fn admit(&self, parameters: &CertificateParams) -> Stranger {
        let key = KeyPair::generate().unwrap();
        Stranger::new(&self.certify(parameters, &key).pem(), &key.serialize_pem())
    }
}

/// Credentials, and nothing known of who they make of their holder.
pub(crate) struct Stranger(TempDir);

impl Stranger {
    /// From a certificate chain and its key, PEM.
    pub(crate) fn new(chain: &str, key: &str) -> Self {
        Self::at(deployment(), chain, key)
    }

    /// The same, of another deployment than the suite's.
    pub(crate) fn at(deployment: &Deployment, chain: &str, key: &str) -> Self {
        let home = TempDir::new().unwrap();
        let ca = fs::read_to_string(deployment.client_dir("org1-peer0").join("ca.pem")).unwrap();
        let address = deployment.address();
        let config = format!(
            "address = \"{address}\"\nca = \"ca.pem\"\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\ndeadline = \"20s\"\n"
        );
        for (name, text) in [("ca.pem", ca.as_str()), ("cert.pem", chain), ("key.pem", key), ("client.toml", &config)] {
            fs::write(home.path().join(name), text).unwrap();
        }
        Self(home)
    }

    /// Its client.toml.
    pub(crate) fn config(&self) -> PathBuf {
        self.0.path().join("client.toml")
    }

    /// Connects, which TLS 1.3 lets anybody do until the first answer.
    pub(crate) async fn connect(&self) -> Result<Client, ClientError> {
        Client::connect(&ClientConfig::load(&self.config()).unwrap()).await
    }

    /// What becomes of a call that every member of every organization may make.
    pub(crate) async fn knock(&self) -> Result<(), ClientError> {
        let client = self.connect().await?;
        let call = |attempt: chancery_client::Attempt| {
            let mut audit = client.audit();
            async move { audit.get_checkpoint(attempt.request(GetCheckpointRequest {})).await }
        };
        client.retry(call).await.map(|_| ())
    }
}

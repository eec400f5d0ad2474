//! Certificates, what openssl says of them, and the calls that officers make with them.

use crate::{
    authority::{Authority, Stranger},
    shared::{call, client, id},
};
use chancery_api::v1::{
    ApprovePrincipalKeyRequest, ListPrincipalsRequest, ListRecordsRequest, NewPrincipal, Principal,
    RegisterPrincipalRequest, SuspendPrincipalRequest, UnregisterPrincipalRequest,
};
use chancery_client::{Client, ClientError};
use rcgen::{CertificateParams, DnType, KeyPair};
use sha2::{Digest, Sha256};
use std::{
    io::Write,
    process::{Command, Stdio},
};

/// A key, a certificate for it, and who shows them.
pub(crate) struct Bearer {
    pub(crate) key: KeyPair,
    pub(crate) pem: String,
    pub(crate) stranger: Stranger,
}

impl Bearer {
    /// With a fresh key.
    pub(crate) fn new(ca: &Authority, parameters: &CertificateParams) -> Self {
        Self::with(ca, parameters, KeyPair::generate().unwrap())
    }

    /// With this key.
    pub(crate) fn with(ca: &Authority, parameters: &CertificateParams, key: KeyPair) -> Self {
        let pem = ca.certify(parameters, &key).pem();
        let stranger = Stranger::new(&pem, &key.serialize_pem());
        Self { key, pem, stranger }
    }

    /// Another certificate for the same key.
    pub(crate) fn again(&self, ca: &Authority, parameters: &CertificateParams) -> Self {
        Self::with(ca, parameters, KeyPair::from_pem(&self.key.serialize_pem()).unwrap())
    }

    pub(crate) async fn connect(&self) -> Client {
        self.stranger.connect().await.unwrap()
    }

    /// SHA-256 of the certificate.
    pub(crate) fn fingerprint(&self) -> Vec<u8> {
        sha256(&openssl(&["x509", "-outform", "DER"], self.pem.as_bytes()))
    }

    /// SHA-256 of the SubjectPublicKeyInfo.
    pub(crate) fn public_key(&self) -> Vec<u8> {
        public_key(&self.pem)
    }
}

/// SHA-256 of a certificate's SubjectPublicKeyInfo.
pub(crate) fn public_key(pem: &str) -> Vec<u8> {
    let key = openssl(&["x509", "-noout", "-pubkey"], pem.as_bytes());
    sha256(&openssl(&["pkey", "-pubin", "-outform", "DER"], &key))
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    Sha256::digest(bytes).to_vec()
}

/// What openssl makes of its input.
pub(crate) fn openssl(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut command = Command::new("openssl");
    let mut child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "openssl {arguments:?}");
    output.stdout
}

/// A certificate's parameters with a common name and no unit.
pub(crate) fn named(common_name: &str) -> CertificateParams {
    crate::authority::client(&[(DnType::CommonName, common_name)])
}

pub(crate) fn principal(organization: &str, name: &str) -> String {
    format!("{organization}/principals/{name}")
}

/// To register whom a certificate names.
pub(crate) fn registration(parent: &str, role: &str, name: &str, pem: &str) -> RegisterPrincipalRequest {
    RegisterPrincipalRequest {
        parent: parent.into(),
        principal: Some(NewPrincipal { role: role.into(), certificate: pem.into() }),
        request_id: id(),
        confirm: name.into(),
    }
}

pub(crate) async fn register(officer: &Client, request: RegisterPrincipalRequest) -> Result<Principal, ClientError> {
    call(officer.admin().register_principal(request)).await
}

/// To take away one public key, or all.
pub(crate) async fn unregister(officer: &Client, name: &str, key: Vec<u8>) -> Result<Principal, ClientError> {
    let confirm = name.rsplit('/').next().unwrap().into();
    let request = UnregisterPrincipalRequest { name: name.into(), public_key_sha256: key, request_id: id(), confirm };
    call(officer.admin().unregister_principal(request)).await
}

pub(crate) async fn approve(officer: &Client, name: &str, key: Vec<u8>) -> Result<Principal, ClientError> {
    let request = ApprovePrincipalKeyRequest { name: name.into(), public_key_sha256: key, request_id: id() };
    call(officer.admin().approve_principal_key(request)).await
}

/// To suspend one of three.
pub(crate) fn suspension(parent: &str, of: Suspend) -> SuspendPrincipalRequest {
    let mut request = SuspendPrincipalRequest {
        parent: parent.into(),
        reason: "a test".into(),
        request_id: id(),
        ..SuspendPrincipalRequest::default()
    };
    match of {
        Suspend::Principal(name) => request.principal = name,
        Suspend::Certificate(hash) => request.certificate_sha256 = hash,
        Suspend::PublicKey(hash) => request.public_key_sha256 = hash,
    }
    request
}

/// What to suspend.
#[derive(Clone)]
pub(crate) enum Suspend {
    Principal(String),
    Certificate(Vec<u8>),
    PublicKey(Vec<u8>),
}

/// Everyone in an organization whom an officer sees, page by page.
pub(crate) async fn principals(organization: &str, page_size: i32) -> Vec<Principal> {
    let officer = client(&format!("{}-security", organization.rsplit('/').next().unwrap())).await;
    let mut request = ListPrincipalsRequest { parent: organization.into(), page_size, ..Default::default() };
    let mut all = Vec::new();
    loop {
        let page = call(officer.admin().list_principals(request.clone())).await.unwrap();
        assert!(page_size == 0 || page.principals.len() <= usize::try_from(page_size).unwrap());
        all.extend(page.principals);
        if page.next_page_token.is_empty() {
            return all;
        }
        request.page_token = page.next_page_token;
    }
}

/// A call that every member may make.
pub(crate) async fn is_let_in(client: &Client) -> Result<(), ClientError> {
    call(client.audit().get_checkpoint(chancery_api::v1::GetCheckpointRequest {})).await.map(drop)
}

/// The reason why a call was refused.
pub(crate) fn reason<T: std::fmt::Debug>(answer: Result<T, ClientError>) -> String {
    answer.unwrap_err().reason.unwrap_or_default()
}

/// The records of the organization's members: what the service saw of them, and what officers said.
pub(crate) fn of_members(organization: &str) -> ListRecordsRequest {
    ListRecordsRequest { parent: organization.into(), ..ListRecordsRequest::default() }
}

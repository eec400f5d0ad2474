//! Organizations that the platform operator makes, one for each test, and the calls that their officers make.
#![allow(dead_code, reason = "another suite uses a part")]

use crate::{
    authority::{Authority, Member},
    shared::{call, client, deployment, id},
};
use chancery_api::v1::{
    AddTrustAnchorRequest, CreateOrganizationRequest, GetCheckpointRequest, ListTrustAnchorsRequest, NamePattern,
    NewPrincipal, NewTrustAnchor, TrustAnchor,
};
use chancery_client::{Attempt, Client, ClientError};

/// An organization with an authority, an officer and an auditor, and patterns for clients that begin with `client`.
pub(crate) struct Founded {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) authority: Authority,
    pub(crate) officer: Client,
    pub(crate) auditor: Client,
}

pub(crate) fn patterns(patterns: &[(&str, &str)]) -> Vec<NamePattern> {
    let pattern = |(role, pattern): &(&str, &str)| NamePattern { role: (*role).into(), pattern: (*pattern).into() };
    patterns.iter().map(pattern).collect()
}

pub(crate) fn new_anchor(authority: &Authority) -> NewTrustAnchor {
    NewTrustAnchor { certificate: authority.pem(), patterns: patterns(&[("client", "client*")]) }
}

pub(crate) fn new_principal(role: &str, certificate: &str) -> NewPrincipal {
    NewPrincipal { role: role.into(), certificate: certificate.into() }
}

/// To make an organization with one authority.
pub(crate) fn creation(id: &str, authority: &Authority, principals: Vec<NewPrincipal>) -> CreateOrganizationRequest {
    CreateOrganizationRequest {
        organization_id: id.into(),
        enrolling_roles: Vec::new(),
        anchors: vec![new_anchor(authority)],
        principals,
        request_id: crate::shared::id(),
    }
}

/// Makes an organization.
pub(crate) async fn found(id: &str) -> Founded {
    let authority = Authority::p256(&format!("/O={id}/CN=ca"));
    let officer = authority.member(deployment(), "security", "staff", 1001);
    let auditor = authority.member(deployment(), "auditor", "staff", 1002);
    let principals =
        vec![new_principal("security-officer", &officer.certificate), new_principal("auditor", &auditor.certificate)];
    let operator = client("platform-operator").await;
    call(operator.admin().create_organization(creation(id, &authority, principals))).await.unwrap();
    Founded {
        id: id.into(),
        name: format!("organizations/{id}"),
        authority,
        officer: officer.connect().await,
        auditor: auditor.connect().await,
    }
}

impl Founded {
    /// One of its clients, with this serial number.
    pub(crate) fn member(&self, name: &str, serial: u64) -> Member {
        self.authority.member(deployment(), name, "client", serial)
    }

    /// Its anchors, removed ones too.
    pub(crate) async fn anchors(&self) -> Vec<TrustAnchor> {
        let request = ListTrustAnchorsRequest { parent: self.name.clone(), ..Default::default() };
        call(self.auditor.admin().list_trust_anchors(request)).await.unwrap().trust_anchors
    }

    /// What a proof for it is over.
    pub(crate) async fn proof_text(&self) -> Vec<u8> {
        let request = ListTrustAnchorsRequest { parent: self.name.clone(), ..Default::default() };
        call(self.officer.admin().list_trust_anchors(request)).await.unwrap().proof_text
    }

    /// To add an authority without a proof, which `dev` accepts.
    pub(crate) fn addition(&self, authority: &Authority) -> AddTrustAnchorRequest {
        AddTrustAnchorRequest {
            parent: self.name.clone(),
            anchor: Some(new_anchor(authority)),
            proof: Vec::new(),
            request_id: id(),
            confirm: self.id.clone(),
        }
    }

    pub(crate) async fn add(&self, authority: &Authority) -> Result<TrustAnchor, ClientError> {
        call(self.officer.admin().add_trust_anchor(self.addition(authority))).await
    }
}

/// What becomes of a call that every member of every organization may make.
pub(crate) async fn knock(client: &Client) -> Result<(), ClientError> {
    // A handshake that failed shows only when the client connects once more.
    let knock = |attempt: Attempt| {
        let mut audit = client.audit();
        async move { audit.get_checkpoint(attempt.request(GetCheckpointRequest {})).await }
    };
    client.retry(knock).await.map(|_| ())
}

/// Fails unless the answer is a refusal for this reason; its message.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(answer: Result<T, ClientError>, reason: &str) -> String {
    let error = answer.unwrap_err();
    assert_eq!(error.reason.as_deref(), Some(reason), "{error}");
    error.message
}

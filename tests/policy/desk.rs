//! A deployment whose policies are changed, and the hands that change them.

use crate::{
    harness::Deployment,
    shared::{ORG1, call, creation, id, make, sign, signing},
};
use chancery_api::v1::{Algorithm, GetPoliciesRequest, Policies, SetPoliciesRequest, SignResponse};
use chancery_client::{Client, ClientError};
use std::{fs, path::PathBuf};

/// See the module.
pub(crate) struct Desk {
    pub(crate) deployment: Deployment,
    pub(crate) officer: Client,
    pub(crate) peer: Client,
}

/// To set an organization's own policies.
pub(crate) fn setting(organization: &str, text: &str) -> SetPoliciesRequest {
    SetPoliciesRequest {
        name: format!("{organization}/policies"),
        text: text.to_owned(),
        request_id: id(),
        confirm: organization.rsplit('/').next().unwrap_or_default().to_owned(),
        validate_only: false,
    }
}

/// Whether a call was denied by policy, and told nothing else.
pub(crate) fn is_denied<T: std::fmt::Debug>(answer: &Result<T, ClientError>) -> bool {
    matches!(answer, Err(error) if error.reason.as_deref() == Some("DENIED"))
}

impl Desk {
    /// A fresh deployment, whose org1 has these EC keys, of `peer0`.
    pub(crate) async fn new(keys: &[&str]) -> Self {
        let deployment = Deployment::start();
        let (officer, peer) = (deployment.client("org1-security").await, deployment.client("org1-peer0").await);
        for key in keys {
            make(&officer, creation(&format!("{ORG1}/keys/{key}"), "peer0", Algorithm::EcP256)).await;
        }
        Self { deployment, officer, peer }
    }

    pub(crate) async fn client(&self, name: &str) -> Client {
        self.deployment.client(name).await
    }

    /// Stops the service and starts it again.
    pub(crate) async fn restart(&mut self) {
        assert_eq!(self.deployment.stop(), Some(0));
        self.start().await;
    }

    /// Starts the service that was stopped.
    pub(crate) async fn start(&mut self) {
        self.deployment.serve();
        self.officer = self.client("org1-security").await;
        self.peer = self.client("org1-peer0").await;
    }

    /// Sets org1's own policies.
    pub(crate) async fn set(&self, text: &str) -> Result<Policies, ClientError> {
        call(self.officer.admin().set_policies(setting(ORG1, text))).await
    }

    /// org1's own policies, and the base set.
    pub(crate) async fn current(&self) -> Policies {
        let request = GetPoliciesRequest { name: format!("{ORG1}/policies") };
        call(self.officer.admin().get_policies(request)).await.unwrap()
    }

    /// peer0 signs with org1's key of this id.
    pub(crate) async fn sign(&self, key: &str) -> Result<SignResponse, ClientError> {
        sign(&self.peer, signing(&format!("{ORG1}/keys/{key}"), b"message")).await
    }

    /// A file of the test's own.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.deployment.dir().parent().unwrap().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// A file of the base set.
    pub(crate) fn base_file(&self, name: &str) -> PathBuf {
        self.deployment.dir().join("policies").join(name)
    }
}

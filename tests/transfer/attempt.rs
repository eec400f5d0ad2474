//! A sealed key and what is said of it, as a client might send it that does not look at keys first.

use crate::{
    desk::OWNER,
    shared::{ORG1, call, deployment, id},
    store::wrapped_keys,
};
use chancery_api::v1::{
    Algorithm, CreateImportJobRequest, GetKeyRequest, ImportJob, ImportKeyRequest, Key, Protection, Purpose,
};
use chancery_client::{Client, ClientError, Code};
use chancery_transfer::envelope::{Context, PublicKey, seal};

/// What is sealed, and what is said of it.
#[derive(Clone)]
pub(crate) struct Attempt {
    pub(crate) name: String,
    pub(crate) job: ImportJob,
    pub(crate) deployment: String,
    pub(crate) sealed_for: String,
    pub(crate) algorithm: &'static str,
    pub(crate) purpose: &'static str,
    pub(crate) key: Vec<u8>,
    pub(crate) of: (Algorithm, Purpose),
}

impl Attempt {
    pub(crate) async fn new(officer: &Client, name: &str, key: &[u8]) -> Self {
        let job = job(officer, ORG1).await;
        let deployment = job.deployment.clone();
        let name = crate::shared::key(name);
        let sealed_for = format!("{name}/versions/1");
        let of = (Algorithm::EcP256, Purpose::Sign);
        Self { name, job, deployment, sealed_for, algorithm: "ec-p256", purpose: "sign", key: key.to_vec(), of }
    }

    pub(crate) fn of(
        self,
        algorithm: Algorithm,
        word: &'static str,
        purpose: Purpose,
        purpose_word: &'static str,
    ) -> Self {
        Self { algorithm: word, purpose: purpose_word, of: (algorithm, purpose), ..self }
    }

    pub(crate) fn sealed(&self) -> Vec<u8> {
        let context = Context::Import {
            deployment: &self.deployment,
            version: &self.sealed_for,
            algorithm: self.algorithm,
            purpose: self.purpose,
            transport_key: &self.job.id,
        };
        seal(&PublicKey::from_bytes(&self.job.public_key).unwrap(), &context, &self.key).unwrap()
    }

    pub(crate) fn request(&self, protection: Protection) -> ImportKeyRequest {
        let (parent, key_id) = self.name.rsplit_once("/keys/").unwrap();
        let key = Key {
            owner: format!("{parent}/principals/{OWNER}"),
            algorithm: self.of.0.into(),
            purpose: self.of.1.into(),
            protection: protection.into(),
            ..Key::default()
        };
        ImportKeyRequest {
            parent: parent.into(),
            key_id: key_id.into(),
            key: Some(key),
            import_job: self.job.id.clone(),
            sealed_key: self.sealed(),
            request_id: id(),
            version: 1,
        }
    }

    /// Refused with this reason for whatever protection there is, and nothing of it is there.
    pub(crate) async fn is_refused(&self, officer: &Client, what: &str, reason: &str) -> String {
        let mut message = String::new();
        let in_token = self.algorithm.starts_with("ec-").then_some(Protection::Token);
        for protection in [Protection::Enclave].into_iter().chain(in_token) {
            message = refused(officer, self.request(protection), what, reason).await.message;
        }
        assert_eq!(wrapped_keys(deployment(), &self.name), [""; 0], "{what}");
        message
    }
}

/// A fresh import job.
pub(crate) async fn job(client: &Client, organization: &str) -> ImportJob {
    call(client.keys().create_import_job(CreateImportJobRequest { parent: organization.into() })).await.unwrap()
}

/// Refused for this reason, and there is no such key.
pub(crate) async fn refused(officer: &Client, request: ImportKeyRequest, what: &str, reason: &str) -> ClientError {
    let name = format!("{}/keys/{}", request.parent, request.key_id);
    let error = call(officer.keys().import_key(request)).await.expect_err(what);
    assert_eq!(error.reason.as_deref(), Some(reason), "{what}: {error}");
    assert!(!error.retryable && error.code != Code::Internal, "{what}: {error}");
    let shown = GetKeyRequest { name };
    assert_eq!(call(officer.keys().get_key(shown)).await.unwrap_err().code, Code::NotFound, "{what}");
    error
}

//! CertificateService.

use super::{Parts, convert, peer, status::status, uncancelled};
use crate::{
    certificates::{BoundCertificate, CertificateRequest, Profile},
    error::Error,
    issuing::{Binding, Issuing, NewCertificate, NewRequest, rejected},
    model::RequestId,
};
use chancery_api::v1::{self, CertificateProfile, certificate_service_server::CertificateService};
use der::pem::{LineEnding, encode_string};
use std::sync::Arc;
use tonic::{Request, Response, Status};

pub(super) struct Service {
    issuing: Arc<Issuing>,
}

impl Service {
    pub(super) fn new(parts: &Parts) -> Self {
        Self { issuing: Arc::clone(&parts.issuing) }
    }
}

fn pem(label: &str, der: &[u8]) -> Result<String, Status> {
    encode_string(label, LineEnding::LF, der).map_err(|error| status(&Error::internal(error)))
}

fn new_request(mut wire: v1::CreateCertificateSigningRequestRequest) -> Result<(NewRequest, RequestId), Error> {
    let id = convert::request_id(&wire.request_id)?;
    wire.request_id.clear();
    let request = RequestId { id, hash: convert::content_hash(&wire) };
    let key = convert::key_name(&wire.name)?;
    // What policies read is recorded, also on a denial: others' logs are not to be filled with it.
    if wire.subject.len() > 1024 {
        return Err(Error::invalid("subject", "at most 1024 bytes"));
    }
    let names = &wire.subject_alternative_names;
    if names.len() > 64 || names.iter().any(|name| name.len() > 255) {
        return Err(Error::invalid("subject_alternative_names", "at most 64, of at most 255 bytes each"));
    }
    let alternative_names = wire.subject_alternative_names;
    Ok((NewRequest { key, subject: wire.subject, alternative_names }, request))
}

fn new_certificate(mut wire: v1::IssueCertificateRequest) -> Result<(NewCertificate, RequestId), Error> {
    let id = convert::request_id(&wire.request_id)?;
    wire.request_id.clear();
    let hash = convert::content_hash(&wire);
    let profile = match CertificateProfile::try_from(wire.profile) {
        Ok(CertificateProfile::RootCa) => Profile::RootCa,
        Ok(CertificateProfile::Peer) => Profile::Peer,
        Ok(CertificateProfile::Orderer) => Profile::Orderer,
        Ok(CertificateProfile::Client) => Profile::Client,
        Ok(CertificateProfile::Admin) => Profile::Admin,
        Ok(CertificateProfile::Unspecified) => return Err(Error::invalid("profile", "required")),
        Err(_) => return Err(Error::invalid("profile", format!("unknown value {}", wire.profile))),
    };
    let request = CertificateRequest::parse(&wire.certificate_signing_request)
        .map_err(|error| rejected(&error, "certificate_signing_request"))?;
    let new = NewCertificate { issuer: convert::name("issuer", &wire.issuer)?, request, profile };
    Ok((new, RequestId { id, hash }))
}

fn binding(mut wire: v1::BindCertificateRequest) -> Result<(Binding, RequestId), Error> {
    let id = convert::request_id(&wire.request_id)?;
    wire.request_id.clear();
    let request = RequestId { id, hash: convert::content_hash(&wire) };
    let certificate = BoundCertificate::parse(&wire.certificate).map_err(|error| rejected(&error, "certificate"))?;
    Ok((Binding { version: convert::name("name", &wire.name)?, certificate }, request))
}

#[tonic::async_trait]
impl CertificateService for Service {
    async fn create_certificate_signing_request(
        &self,
        request: Request<v1::CreateCertificateSigningRequestRequest>,
    ) -> Result<Response<v1::CreateCertificateSigningRequestResponse>, Status> {
        let peer = peer(&request)?;
        let (new, id) = new_request(request.into_inner()).map_err(|error| status(&error))?;
        let issuing = Arc::clone(&self.issuing);
        let issued = uncancelled(async move { issuing.request(peer, new, id).await }).await?;
        Ok(Response::new(v1::CreateCertificateSigningRequestResponse {
            pem: pem("CERTIFICATE REQUEST", &issued.der)?,
            der: issued.der,
            name: issued.version,
            record_index: issued.index,
        }))
    }

    async fn issue_certificate(
        &self,
        request: Request<v1::IssueCertificateRequest>,
    ) -> Result<Response<v1::IssueCertificateResponse>, Status> {
        let peer = peer(&request)?;
        let (new, id) = new_certificate(request.into_inner()).map_err(|error| status(&error))?;
        let issuing = Arc::clone(&self.issuing);
        let issued = uncancelled(async move { issuing.issue(peer, new, id).await }).await?;
        Ok(Response::new(v1::IssueCertificateResponse {
            pem: pem("CERTIFICATE", &issued.der)?,
            issuer_pem: pem("CERTIFICATE", &issued.issuer)?,
            der: issued.der,
            issuer: issued.version,
            record_index: issued.index,
        }))
    }

    async fn bind_certificate(
        &self,
        request: Request<v1::BindCertificateRequest>,
    ) -> Result<Response<v1::Key>, Status> {
        let peer = peer(&request)?;
        let (binding, id) = binding(request.into_inner()).map_err(|error| status(&error))?;
        let issuing = Arc::clone(&self.issuing);
        let entry = uncancelled(async move { issuing.bind(peer, binding, id).await }).await?;
        Ok(Response::new(convert::wire_key(&entry, true)))
    }
}

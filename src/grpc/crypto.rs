//! CryptoService.

use super::{Parts, convert, peer, status::status};
use crate::{
    access::Peer,
    error::Error,
    model::RequestId,
    operations::{Operations, Output, Work},
};
use chancery_api::v1::{self, crypto_service_server::CryptoService};
use std::sync::Arc;
use tonic::{Request, Response, Status};
use zeroize::Zeroizing;

pub(super) struct Service {
    operations: Arc<Operations>,
}

/// Takes a request's id out of it and hashes the rest.
macro_rules! request_id {
    ($wire:ident) => {{
        let id = convert::request_id(&$wire.request_id)?;
        $wire.request_id.clear();
        RequestId { id, hash: convert::content_hash(&$wire) }
    }};
}

impl Service {
    pub(super) fn new(parts: &Parts) -> Self {
        Self { operations: Arc::clone(&parts.operations) }
    }

    async fn use_key(&self, peer: &Arc<Peer>, name: &str, work: Work, id: RequestId) -> Result<Output, Error> {
        self.operations.use_key(peer, convert::key_name(name)?, work, id).await
    }

    async fn derive(
        &self,
        peer: &Arc<Peer>,
        mut wire: v1::DeriveSharedSecretRequest,
    ) -> Result<v1::DeriveSharedSecretResponse, Error> {
        let id = request_id!(wire);
        let mut output = self.use_key(peer, &wire.name, Work::Derive { public_key: wire.public_key }, id).await?;
        Ok(v1::DeriveSharedSecretResponse {
            shared_secret: std::mem::take(&mut output.bytes),
            name: output.version,
            record_index: output.index.unwrap_or_default(),
        })
    }

    async fn encrypt_with(&self, peer: &Arc<Peer>, mut wire: v1::EncryptRequest) -> Result<v1::EncryptResponse, Error> {
        let id = request_id!(wire);
        let plaintext = Zeroizing::new(wire.plaintext);
        let cipher = convert::cipher(wire.mode, wire.iv, wire.oaep_hash)?;
        let work = Work::Encrypt { plaintext, associated_data: wire.associated_data, cipher };
        let mut output = self.use_key(peer, &wire.name, work, id).await?;
        Ok(v1::EncryptResponse {
            ciphertext: std::mem::take(&mut output.bytes),
            name: output.version,
            record_index: output.index,
        })
    }

    async fn decrypt_with(&self, peer: &Arc<Peer>, mut wire: v1::DecryptRequest) -> Result<v1::DecryptResponse, Error> {
        let id = request_id!(wire);
        let cipher = convert::cipher(wire.mode, wire.iv, wire.oaep_hash)?;
        let work = Work::Decrypt { ciphertext: wire.ciphertext, associated_data: wire.associated_data, cipher };
        let mut output = self.use_key(peer, &wire.name, work, id).await?;
        Ok(v1::DecryptResponse {
            plaintext: std::mem::take(&mut output.bytes),
            name: output.version,
            record_index: output.index.unwrap_or_default(),
        })
    }

    async fn mac(&self, peer: &Arc<Peer>, mut wire: v1::GenerateMacRequest) -> Result<v1::GenerateMacResponse, Error> {
        let id = request_id!(wire);
        let work = Work::Mac { message: Zeroizing::new(wire.message) };
        let mut output = self.use_key(peer, &wire.name, work, id).await?;
        Ok(v1::GenerateMacResponse {
            mac: std::mem::take(&mut output.bytes),
            name: output.version,
            record_index: output.index.unwrap_or_default(),
        })
    }

    async fn check_mac(
        &self,
        peer: &Arc<Peer>,
        mut wire: v1::VerifyMacRequest,
    ) -> Result<v1::VerifyMacResponse, Error> {
        let id = request_id!(wire);
        let message = Zeroizing::new(wire.message);
        let key = convert::key_name(&wire.name)?;
        let (valid, output) = self.operations.verify_mac(peer, key, message, &wire.mac, id).await?;
        Ok(v1::VerifyMacResponse { valid, name: output.version, record_index: output.index.unwrap_or_default() })
    }

    async fn random(
        &self,
        peer: &Arc<Peer>,
        mut wire: v1::GenerateRandomRequest,
    ) -> Result<v1::GenerateRandomResponse, Error> {
        let id = request_id!(wire);
        let organization = convert::name("parent", &wire.parent)?;
        let mut output = self.operations.random(peer, organization, wire.length, id).await?;
        Ok(v1::GenerateRandomResponse {
            data: std::mem::take(&mut output.bytes),
            record_index: output.index.unwrap_or_default(),
        })
    }

    async fn wrap(&self, peer: &Arc<Peer>, mut wire: v1::WrapKeyRequest) -> Result<v1::WrapKeyResponse, Error> {
        let id = request_id!(wire);
        let work = Work::Wrap { plaintext: Zeroizing::new(wire.plaintext) };
        let mut output = self.use_key(peer, &wire.name, work, id).await?;
        Ok(v1::WrapKeyResponse {
            wrapped_key: std::mem::take(&mut output.bytes),
            name: output.version,
            record_index: output.index.unwrap_or_default(),
        })
    }

    async fn unwrap_with(
        &self,
        peer: &Arc<Peer>,
        mut wire: v1::UnwrapKeyRequest,
    ) -> Result<v1::UnwrapKeyResponse, Error> {
        let id = request_id!(wire);
        let work = Work::Unwrap { wrapped: wire.wrapped_key };
        let mut output = self.use_key(peer, &wire.name, work, id).await?;
        Ok(v1::UnwrapKeyResponse {
            plaintext: std::mem::take(&mut output.bytes),
            name: output.version,
            record_index: output.index.unwrap_or_default(),
        })
    }
}

#[tonic::async_trait]
impl CryptoService for Service {
    async fn derive_shared_secret(
        &self,
        request: Request<v1::DeriveSharedSecretRequest>,
    ) -> Result<Response<v1::DeriveSharedSecretResponse>, Status> {
        let peer = peer(&request)?;
        let answer = self.derive(&peer, request.into_inner()).await;
        answer.map(Response::new).map_err(|error| status(&error))
    }

    async fn encrypt(&self, request: Request<v1::EncryptRequest>) -> Result<Response<v1::EncryptResponse>, Status> {
        let peer = peer(&request)?;
        let answer = self.encrypt_with(&peer, request.into_inner()).await;
        answer.map(Response::new).map_err(|error| status(&error))
    }

    async fn decrypt(&self, request: Request<v1::DecryptRequest>) -> Result<Response<v1::DecryptResponse>, Status> {
        let peer = peer(&request)?;
        let answer = self.decrypt_with(&peer, request.into_inner()).await;
        answer.map(Response::new).map_err(|error| status(&error))
    }

    async fn generate_mac(
        &self,
        request: Request<v1::GenerateMacRequest>,
    ) -> Result<Response<v1::GenerateMacResponse>, Status> {
        let peer = peer(&request)?;
        let answer = self.mac(&peer, request.into_inner()).await;
        answer.map(Response::new).map_err(|error| status(&error))
    }

    async fn verify_mac(
        &self,
        request: Request<v1::VerifyMacRequest>,
    ) -> Result<Response<v1::VerifyMacResponse>, Status> {
        let peer = peer(&request)?;
        let answer = self.check_mac(&peer, request.into_inner()).await;
        answer.map(Response::new).map_err(|error| status(&error))
    }

    async fn generate_random(
        &self,
        request: Request<v1::GenerateRandomRequest>,
    ) -> Result<Response<v1::GenerateRandomResponse>, Status> {
        let peer = peer(&request)?;
        let answer = self.random(&peer, request.into_inner()).await;
        answer.map(Response::new).map_err(|error| status(&error))
    }

    async fn wrap_key(&self, request: Request<v1::WrapKeyRequest>) -> Result<Response<v1::WrapKeyResponse>, Status> {
        let peer = peer(&request)?;
        let answer = self.wrap(&peer, request.into_inner()).await;
        answer.map(Response::new).map_err(|error| status(&error))
    }

    async fn unwrap_key(
        &self,
        request: Request<v1::UnwrapKeyRequest>,
    ) -> Result<Response<v1::UnwrapKeyResponse>, Status> {
        let peer = peer(&request)?;
        let answer = self.unwrap_with(&peer, request.into_inner()).await;
        answer.map(Response::new).map_err(|error| status(&error))
    }
}

//! Uses of keys that are no cryptography: enough to see what is sent and where answers go.

use super::Service;
use chancery_api::v1::{
    DecryptRequest, DecryptResponse, DeriveSharedSecretRequest, DeriveSharedSecretResponse, EncryptRequest,
    EncryptResponse, GenerateMacRequest, GenerateMacResponse, GenerateRandomRequest, GenerateRandomResponse,
    UnwrapKeyRequest, UnwrapKeyResponse, VerifyMacRequest, VerifyMacResponse, WrapKeyRequest, WrapKeyResponse,
    crypto_service_server::CryptoService,
};
use sha2::{Digest as _, Sha256};
use tonic::{Request, Response, Status};

/// Bytes backwards, so that what comes out is not what went in.
fn turned(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.reverse();
    bytes
}

#[tonic::async_trait]
impl CryptoService for Service {
    async fn derive_shared_secret(
        &self,
        request: Request<DeriveSharedSecretRequest>,
    ) -> Result<Response<DeriveSharedSecretResponse>, Status> {
        let DeriveSharedSecretRequest { name, public_key, .. } = request.into_inner();
        let shared_secret = Sha256::digest(public_key).to_vec();
        Ok(Response::new(DeriveSharedSecretResponse { shared_secret, name, record_index: 1 }))
    }

    async fn encrypt(&self, request: Request<EncryptRequest>) -> Result<Response<EncryptResponse>, Status> {
        let EncryptRequest { name, plaintext, associated_data, .. } = request.into_inner();
        let ciphertext = [associated_data, turned(plaintext)].concat();
        Ok(Response::new(EncryptResponse { ciphertext, name, record_index: None }))
    }

    async fn decrypt(&self, request: Request<DecryptRequest>) -> Result<Response<DecryptResponse>, Status> {
        let DecryptRequest { name, ciphertext, associated_data, .. } = request.into_inner();
        match ciphertext.strip_prefix(&associated_data[..]) {
            Some(rest) => {
                Ok(Response::new(DecryptResponse { plaintext: turned(rest.to_vec()), name, record_index: 1 }))
            }
            None => Err(super::refuse(tonic::Code::InvalidArgument, "BAD_INPUT", false)),
        }
    }

    async fn generate_mac(
        &self,
        request: Request<GenerateMacRequest>,
    ) -> Result<Response<GenerateMacResponse>, Status> {
        let GenerateMacRequest { name, message, .. } = request.into_inner();
        Ok(Response::new(GenerateMacResponse { mac: Sha256::digest(message).to_vec(), name, record_index: 1 }))
    }

    async fn verify_mac(&self, request: Request<VerifyMacRequest>) -> Result<Response<VerifyMacResponse>, Status> {
        let VerifyMacRequest { name, message, mac, .. } = request.into_inner();
        Ok(Response::new(VerifyMacResponse { valid: Sha256::digest(message)[..] == mac[..], name, record_index: 1 }))
    }

    async fn generate_random(
        &self,
        request: Request<GenerateRandomRequest>,
    ) -> Result<Response<GenerateRandomResponse>, Status> {
        let data = vec![0xa5; request.into_inner().length as usize];
        Ok(Response::new(GenerateRandomResponse { data, record_index: 1 }))
    }

    async fn wrap_key(&self, request: Request<WrapKeyRequest>) -> Result<Response<WrapKeyResponse>, Status> {
        let WrapKeyRequest { name, plaintext, .. } = request.into_inner();
        Ok(Response::new(WrapKeyResponse { wrapped_key: turned(plaintext), name, record_index: 1 }))
    }

    async fn unwrap_key(&self, request: Request<UnwrapKeyRequest>) -> Result<Response<UnwrapKeyResponse>, Status> {
        let UnwrapKeyRequest { name, wrapped_key, .. } = request.into_inner();
        Ok(Response::new(UnwrapKeyResponse { plaintext: turned(wrapped_key), name, record_index: 1 }))
    }
}

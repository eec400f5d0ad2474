//! The server's side of TLS 1.3.
//!
//! **Invariants**: client certificates are required; nothing is resumed and no early data is taken, for a resumed
//! session would carry an identity that was not judged again.

use crate::identity::{ClientVerifier, Registry};
use arc_swap::ArcSwap;
use rustls::{ServerConfig, server::NoServerSessionStorage, version::TLS13};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use std::{path::Path, sync::Arc};

/// The server's certificate or key can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read or holds no PEM of the kind.
    #[error("{path}: {problem}")]
    File {
        /// Which file.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// The pair does not fit.
    #[error("the server's certificate and key can't be used: {0}")]
    Rustls(#[from] rustls::Error),
}

/// From the server's certificate chain and key, PEM.
///
/// # Errors
/// [`TlsError`].
pub fn server_config(
    certificate: &Path,
    key: &Path,
    registry: &Arc<ArcSwap<Registry>>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let problem = |path: &Path| {
        let path = path.display().to_string();
        move |error: rustls_pki_types::pem::Error| TlsError::File { path, problem: error.to_string() }
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(problem(certificate))?;
    if chain.is_empty() {
        let problem = "no certificate, PEM".to_owned();
        return Err(TlsError::File { path: certificate.display().to_string(), problem });
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(problem(key))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(Arc::new(ClientVerifier::new(Arc::clone(registry))))
        .with_single_cert(chain, private)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Ok(Arc::new(config))
}

//! Certificates and key from PEM files to a TLS configuration.
//!
//! **Invariants**
//! * TLS 1.3 only, with aws-lc-rs whatever else the process installed, and without session resumption.
//! * An error names the file and never repeats a part of it: it may be a private key.
//!
//! **Not here**: the file's permissions, which are its owner's business.

use crate::ConfigError;
use rustls::{ClientConfig, RootCertStore, client::Resumption, crypto::aws_lc_rs, version::TLS13};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{self, PemObject},
};
use std::{path::Path, sync::Arc};

/// The TLS side of a client: the CA it trusts, and the certificate it shows.
pub(crate) fn tls(ca: &Path, certificate: &Path, key: &Path) -> Result<Arc<ClientConfig>, ConfigError> {
    let problem = |path: &Path, problem: String| ConfigError::Credentials { path: path.to_owned(), problem };

    let mut roots = RootCertStore::empty();
    for root in certificates(ca)? {
        roots.add(root).map_err(|error| problem(ca, format!("not usable as a CA certificate: {error}")))?;
    }
    let chain = certificates(certificate)?;
    let key_der = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, "private key", error))?;

    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .and_then(|builder| builder.with_root_certificates(roots).with_client_auth_cert(chain, key_der))
        .map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                problem(key, format!("does not belong to the certificate in {}", certificate.display()))
            }
            // rustls describes kinds of keys here, never their content.
            other => problem(key, format!("not usable with {}: {other}", certificate.display())),
        })?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let read = || CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>();
    match read() {
        Ok(found) if found.is_empty() => Err(unreadable(path, "certificate", pem::Error::NoItemsFound)),
        Ok(found) => Ok(found),
        Err(error) => Err(unreadable(path, "certificate", error)),
    }
}

/// Some PEM errors quote the file; those stay behind.
fn unreadable(path: &Path, what: &str, error: pem::Error) -> ConfigError {
    match error {
        pem::Error::Io(source) => ConfigError::Read { path: path.to_owned(), source },
        pem::Error::NoItemsFound => {
            ConfigError::Credentials { path: path.to_owned(), problem: format!("holds no PEM {what}") }
        }
        _ => ConfigError::Credentials { path: path.to_owned(), problem: "is damaged: not valid PEM".to_owned() },
    }
}

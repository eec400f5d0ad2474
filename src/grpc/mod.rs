//! The gRPC API: the only place that names tonic.
//!
//! **Invariants**: every connection is TLS 1.3 with a client certificate under a registered anchor; the identity comes
//! from that certificate alone. A request becomes typed here, or is rejected. Changes run to their end even when the
//! caller hangs up.
//!
//! **Not here**: any decision (`admission`, `signing`, `keys`, `issuing`).

mod admin;
mod audit;
mod backups;
mod certificates;
mod convert;
mod crypto;
mod key_terms;
mod key_versions;
mod keys;
mod listener;
mod objects;
mod signing;
mod stalled;
mod status;
mod tls;
mod transfer;

pub use tls::{TlsError, server_config};

use crate::{
    access::Peer,
    admission::{Admission, Floods},
    approvals::Approvals,
    audit::{Checkpoints, Receipts},
    backups::Backups,
    config::Limits,
    enclave::Enclave,
    error::Error,
    issuing::Issuing,
    keys::Keys,
    limiting::Limiting,
    objects::Objects,
    operations::Operations,
    policies::PolicyDesk,
    registry::Registrar,
    signing::Signing,
    witnesses::Witnesses,
};
use chancery_api::{
    DESCRIPTORS,
    v1::{
        admin_service_server::AdminServiceServer, audit_service_server::AuditServiceServer,
        certificate_service_server::CertificateServiceServer, crypto_service_server::CryptoServiceServer,
        key_service_server::KeyServiceServer, object_service_server::ObjectServiceServer,
        signing_service_server::SigningServiceServer,
    },
};
use stalled::Answered;
use std::{future::Future, sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tonic::{Request, Status, transport::Server};

/// What the services stand on.
#[derive(Clone)]
pub struct Parts {
    /// Signatures.
    pub signing: Arc<Signing>,
    /// Uses of keys that are not signatures.
    pub operations: Arc<Operations>,
    /// Keys.
    pub keys: Arc<Keys>,
    /// What waits for a second officer.
    pub approvals: Arc<Approvals>,
    /// Backups of keys.
    pub backups: Arc<Backups>,
    /// Organizations and their members.
    pub registrar: Arc<Registrar>,
    /// What policies say, and changing it.
    pub policies: Arc<PolicyDesk>,
    /// Certificates.
    pub issuing: Arc<Issuing>,
    /// What PKCS#11 tokens show.
    pub objects: Arc<Objects>,
    /// Limits.
    pub limiting: Arc<Limiting>,
    /// Reads.
    pub admission: Arc<Admission>,
    /// The newest checkpoint.
    pub checkpoints: Arc<Checkpoints>,
    /// Proofs of single records.
    pub receipts: Arc<Receipts>,
    /// Who cosigns them.
    pub witnesses: Arc<Witnesses>,
    /// Counts of failed handshakes.
    pub floods: Arc<Floods>,
    /// For health.
    pub enclave: Arc<Enclave>,
}

/// The server can't serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// tonic gave up.
    #[error("the gRPC server failed: {0}")]
    Transport(#[from] tonic::transport::Error),
    /// Reflection can't be built: a defect.
    #[error("reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// How long open calls may go on once the service stops.
const DRAIN: Duration = Duration::from_secs(5);

/// Serves until `stop` ends, then lets open calls end.
///
/// # Errors
/// [`ServeError`].
pub async fn serve(
    listener: TcpListener,
    tls: Arc<rustls::ServerConfig>,
    limits: &Limits,
    parts: Parts,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let (health, health_service) = tonic_health::server::health_reporter();
    let watcher = tokio::spawn(report_health(health, parts.clone()));
    let describe = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    // Older clients ask for v1alpha.
    let (reflection, older_reflection) = (describe().build_v1()?, describe().build_v1alpha()?);
    let incoming = listener::incoming(listener, tls, limits, Arc::clone(&parts.floods));
    let size = limits.request_bytes;
    let in_flight = limits.in_flight_per_connection;
    let log = Arc::clone(parts.admission.audit());
    let answered = tower::layer::layer_fn(move |inner| Answered { inner, audit: Arc::clone(&log) });
    let (stopping, stopped) = tokio::sync::oneshot::channel();
    // Streams without an end of their own end then.
    let (stop_streams, streams_stop) = tokio::sync::watch::channel(false);
    let server = Server::builder()
        .concurrency_limit_per_connection(in_flight)
        .max_concurrent_streams(u32::try_from(in_flight).ok())
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .http2_keepalive_timeout(Some(Duration::from_secs(20)))
        .tcp_nodelay(true)
        .layer(answered)
        .add_service(health_service)
        .add_service(reflection)
        .add_service(older_reflection)
        .add_service(SigningServiceServer::new(signing::Service::new(&parts)).max_decoding_message_size(size))
        .add_service(KeyServiceServer::new(keys::Service::new(&parts)).max_decoding_message_size(size))
        .add_service(CryptoServiceServer::new(crypto::Service::new(&parts)).max_decoding_message_size(size))
        .add_service(CertificateServiceServer::new(certificates::Service::new(&parts)).max_decoding_message_size(size))
        .add_service(ObjectServiceServer::new(objects::Service::new(&parts)).max_decoding_message_size(size))
        .add_service(AdminServiceServer::new(admin::Service::new(&parts)).max_decoding_message_size(size))
        .add_service(AuditServiceServer::new(audit::Service::new(&parts, streams_stop)).max_decoding_message_size(size))
        .serve_with_incoming_shutdown(incoming, async move {
            stop.await;
            stop_streams.send_replace(true);
            let _ = stopping.send(());
        });
    // A stream that a client holds open must not keep the service from stopping.
    let drained = async {
        let _ = stopped.await;
        tokio::time::sleep(DRAIN).await;
    };
    let result = tokio::select! {
        result = server => result,
        () = drained => Ok(()),
    };
    watcher.abort();
    Ok(result?)
}

/// Health services of their own, which say what is down.
const PARTS: [&str; 3] = ["chancery.audit-log", "chancery.token", "chancery.witnesses"];

/// NOT_SERVING when no signature could be released: token or log down, witnesses missing.
async fn report_health(health: tonic_health::server::HealthReporter, parts: Parts) {
    let services = [
        "",
        "chancery.v1.SigningService",
        "chancery.v1.KeyService",
        "chancery.v1.CryptoService",
        "chancery.v1.ObjectService",
        "chancery.v1.CertificateService",
        "chancery.v1.AuditService",
        "chancery.v1.AdminService",
    ];
    let mut tick = tokio::time::interval(Duration::from_millis(200));
    loop {
        tick.tick().await;
        let up =
            [parts.admission.audit().is_writable(), parts.enclave.opened().is_some(), parts.witnesses.gate().is_open()];
        let status = |serving: bool| match serving {
            true => tonic_health::ServingStatus::Serving,
            false => tonic_health::ServingStatus::NotServing,
        };
        for (part, up) in PARTS.into_iter().zip(up) {
            health.set_service_status(part, status(up)).await;
        }
        for service in services {
            health.set_service_status(service, status(up == [true; 3])).await;
        }
    }
}

/// Metadata by which a client says what it is; only the PKCS#11 module's word means anything.
const CLIENT: &str = "x-chancery-client";

/// Who is at the other end.
fn peer<T>(request: &Request<T>) -> Result<Arc<Peer>, Status> {
    let Some(peer) = request.extensions().get::<Arc<Peer>>() else {
        return Err(status::status(&Error::internal("a connection without a peer")));
    };
    if request.metadata().get(CLIENT).is_some_and(|client| client == "pkcs11") {
        peer.claims_shim();
    }
    Ok(Arc::clone(peer))
}

/// Runs a change to its end, whether its caller waits or not.
async fn uncancelled<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Status> {
    match tokio::spawn(work).await {
        Ok(result) => result.map_err(|error| status::status(&error)),
        Err(_) => Err(status::status(&Error::stopped())),
    }
}

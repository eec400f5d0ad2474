//! The log's tree over HTTPS, read-only, for mirrors and monitors (C2SP tlog-tiles).
//!
//! **Invariants**: what is served are hashes and signed checkpoints, never a byte of a record, and nothing beyond the newest
//! checkpoint. Strangers share a bounded number of connections, each with bounded time and memory, and take nothing from
//! the gRPC API.
//!
//! **Not here**: entry bundles (`/tile/entries/…` does not exist: records are their organizations' own), client
//! certificates (nobody is asked for one).

use crate::audit::{AuditLog, Checkpoints};
use chancery_audit::tiles::{self, Tile};
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::{ServerConfig, server::NoServerSessionStorage, version::TLS13};
use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

/// Connections at a time; more wait.
const CONNECTIONS: usize = 128;
/// A client that has not finished its TLS handshake, or its next request's headers, by then is dropped.
const PATIENCE: Duration = Duration::from_secs(10);
/// A connection ends then, whatever it is doing: the largest answer is a tile of 8 KiB.
const LIFETIME: Duration = Duration::from_secs(120);
/// Bytes of a request's headers at most.
const HEADERS: usize = 8 << 10;

/// What never changes.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const NOT_KEPT: HeaderValue = HeaderValue::from_static("no-cache");

/// See the module.
pub struct Mirror {
    log: Arc<AuditLog>,
    checkpoints: Arc<Checkpoints>,
}

/// TLS with the certificate of the gRPC API, and no question for the client's.
///
/// # Errors
/// The provider has no TLS 1.3.
pub fn tls(api: &ServerConfig) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::clone(api.crypto_provider()))
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::clone(&api.cert_resolver));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

impl Mirror {
    /// Of this log, as far as these checkpoints go.
    pub fn new(log: Arc<AuditLog>, checkpoints: Arc<Checkpoints>) -> Self {
        Self { log, checkpoints }
    }

    /// Serves for as long as it is polled; dropped, it ends every connection.
    pub async fn serve(self, listener: TcpListener, tls: Arc<ServerConfig>) {
        let (mirror, acceptor) = (Arc::new(self), TlsAcceptor::from(tls));
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let (stream, address) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "the mirror can't accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            while connections.try_join_next().is_some() {}
            let (mirror, acceptor) = (Arc::clone(&mirror), acceptor.clone());
            connections.spawn(async move {
                let _place = place;
                let _ = tokio::time::timeout(LIFETIME, mirror.connection(acceptor, stream, address)).await;
            });
        }
    }

    async fn connection(self: Arc<Self>, acceptor: TlsAcceptor, stream: TcpStream, address: SocketAddr) {
        let Ok(Ok(stream)) = tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await else {
            tracing::debug!(%address, "a TLS handshake with the mirror failed");
            return;
        };
        let answer = service_fn(async |request: Request<Incoming>| {
            Ok::<_, Infallible>(self.answer(request.method(), request.uri().path()).await)
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_buf_size(HEADERS).max_headers(64);
        if let Err(error) = http.serve_connection(TokioIo::new(stream), answer).await {
            tracing::debug!(%address, %error, "a connection to the mirror ended early");
        }
    }

    async fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        if !matches!(*method, Method::GET | Method::HEAD) {
            let mut refused = told(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
            refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refused;
        }
        let Some((checkpoint, note)) = self.checkpoints.current() else {
            return told(StatusCode::SERVICE_UNAVAILABLE, "no checkpoint was signed since the service started\n");
        };
        if path == "/checkpoint" {
            return response(StatusCode::OK, "text/plain; charset=utf-8", NOT_KEPT, note.into());
        }
        // Wider than the newest checkpoint has it, a tile does not exist yet.
        let tile = path.strip_prefix("/tile/").and_then(Tile::parse).filter(|tile| tile.end() <= checkpoint.size);
        let Some(tile) = tile else {
            return told(
                StatusCode::NOT_FOUND,
                "there is /checkpoint, and /tile/<L>/<N>[.p/<W>] as far as it covers\n",
            );
        };
        match self.log.tile(tile).await {
            Ok(hashes) => response(StatusCode::OK, "application/octet-stream", FOR_EVER, tiles::encode(&hashes).into()),
            Err(error) => {
                tracing::error!(%error, "the mirror can't serve a tile");
                told(StatusCode::SERVICE_UNAVAILABLE, "the tile can't be read right now\n")
            }
        }
    }
}

fn told(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    response(status, "text/plain; charset=utf-8", NOT_KEPT, Bytes::from_static(text.as_bytes()))
}

fn response(status: StatusCode, content: &'static str, cached: HeaderValue, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content));
    response.headers_mut().insert(CACHE_CONTROL, cached);
    response
}

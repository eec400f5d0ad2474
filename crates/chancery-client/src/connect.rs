//! From addresses to a TLS connection, and why there is none.
//!
//! **Invariants**
//! * The server's certificate is verified for the configured name, and it must agree on HTTP/2 (ALPN `h2`).
//! * In TLS 1.3 a client learns that its certificate was refused only after its own handshake is complete, on the first
//!   read (RFC 8446 §4.4.2.4, §6.2). [`Watched`] catches that alert, so that it is reported as what it is.
//!
//! **Not here**: HTTP/2 and when to connect again (tonic), repeating calls (`retry`).

use crate::{ClientConfig, config::Address};
use hyper_util::rt::TokioIo;
use rustls::AlertDescription;
use rustls_pki_types::ServerName;
use std::{
    error::Error,
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// How long one address may take at most, until TLS stands.
const PER_ADDRESS: Duration = Duration::from_secs(5);

/// Why there is no connection to the service.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ConnectError {
    /// No address answered. Trying again may help.
    #[error("can't reach the service: {0}")]
    Unreachable(String),
    /// What answered can't show that it is the service.
    #[error("{address} is not the service we trust: {problem}")]
    Untrusted {
        /// Who answered.
        address: String,
        /// What was wrong with its certificate or its TLS.
        problem: String,
    },
    /// The service refused our certificate.
    #[error("the service refused our certificate: {}", describe(*.0))]
    Refused(AlertDescription),
    /// The service's log does not extend the largest checkpoint that we saw.
    #[error("{problem}; nothing more is asked of this service, and {evidence}")]
    Contradicted {
        /// What is wrong.
        problem: String,
        /// Where the evidence is.
        evidence: String,
    },
}

/// TLS alerts about certificates, in words (RFC 8446 §6.2).
fn describe(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateExpired => "it has expired or is not valid yet".into(),
        AlertDescription::CertificateRevoked => "it was revoked".into(),
        AlertDescription::UnknownCA => "its issuer is no registered trust anchor".into(),
        AlertDescription::CertificateRequired => "none was shown".into(),
        AlertDescription::AccessDenied => "it gives no access".into(),
        other => format!("TLS alert {other:?}"),
    }
}

/// The alert, if it is about our certificate: other alerts say that TLS itself went wrong.
fn certificate_alert(error: &io::Error) -> Option<AlertDescription> {
    let Some(rustls::Error::AlertReceived(alert)) = tls_error(error) else { return None };
    matches!(
        alert,
        AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::CertificateRequired
    )
    .then_some(*alert)
}

/// Makes the connections of one client, and remembers how the last one went.
pub(crate) struct Connector {
    addresses: Vec<Address>,
    server_name: Option<ServerName<'static>>,
    tls: TlsConnector,
    /// How long one address may take: all of them come up before a call's deadline.
    patience: Duration,
    /// The address that answered last: it is tried first.
    preferred: AtomicUsize,
    made: AtomicU64,
    /// Connections up to this number are given up.
    abandoned: AtomicU64,
    /// Whoever reads the newest connection.
    reader: Mutex<Option<Waker>>,
    refusal: Mutex<Option<AlertDescription>>,
}

impl Connector {
    pub(crate) fn new(config: &ClientConfig) -> Self {
        Self {
            addresses: config.addresses.clone(),
            server_name: config.server_name.clone(),
            tls: TlsConnector::from(Arc::clone(&config.tls)),
            patience: PER_ADDRESS.min(config.deadline / u32::try_from(config.addresses.len() + 1).unwrap_or(u32::MAX)),
            preferred: AtomicUsize::new(0),
            made: AtomicU64::new(0),
            abandoned: AtomicU64::new(0),
            reader: Mutex::new(None),
            refusal: Mutex::new(None),
        }
    }

    /// Connections that were made so far.
    pub(crate) fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    /// Ends the connection that there is now. The next one begins with the address after its own.
    pub(crate) fn abandon(&self) {
        let made = self.made();
        if self.abandoned.swap(made, Ordering::Relaxed) == made {
            return;
        }
        let next = (self.preferred.load(Ordering::Relaxed) + 1) % self.addresses.len();
        self.preferred.store(next, Ordering::Relaxed);
        if let Some(reader) = self.reader_slot().take() {
            reader.wake();
        }
    }

    fn reader_slot(&self) -> MutexGuard<'_, Option<Waker>> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why the last connection ended, if the service refused our certificate on it.
    pub(crate) fn refusal(&self) -> Option<ConnectError> {
        self.refusal_slot().map(ConnectError::Refused)
    }

    fn refusal_slot(&self) -> MutexGuard<'_, Option<AlertDescription>> {
        // A plain value: it is whole whatever happened to a holder of the lock.
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tries each address once, beginning with the one that answered last.
    pub(crate) async fn connect(self: Arc<Self>) -> Result<TokioIo<Watched>, ConnectError> {
        *self.refusal_slot() = None;
        let first = self.preferred.load(Ordering::Relaxed);
        let mut failures = Vec::new();
        let mut permanent = Vec::new();
        for at in (0..self.addresses.len()).map(|n| (first + n) % self.addresses.len()) {
            let address = &self.addresses[at];
            match timeout(self.patience, self.open(address)).await {
                Ok(Ok(stream)) => {
                    self.preferred.store(at, Ordering::Relaxed);
                    let number = self.made.fetch_add(1, Ordering::Relaxed) + 1;
                    return Ok(TokioIo::new(Watched { stream, number, connector: Arc::clone(&self) }));
                }
                Ok(Err(ConnectError::Unreachable(problem))) => failures.push(format!("{address}: {problem}")),
                Ok(Err(error)) => {
                    failures.push(error.to_string());
                    permanent.push(error);
                }
                Err(_) => failures.push(format!("{address}: no answer within {:?}", self.patience)),
            }
        }
        // While one address is only down, waiting may help.
        if permanent.len() == failures.len() && !permanent.is_empty() {
            return Err(permanent.swap_remove(0));
        }
        Err(ConnectError::Unreachable(failures.join("; ")))
    }

    async fn open(&self, address: &Address) -> Result<TlsStream<TcpStream>, ConnectError> {
        let unreachable = |error: io::Error| ConnectError::Unreachable(error.to_string());
        let untrusted = |problem: String| ConnectError::Untrusted { address: address.to_string(), problem };
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => ServerName::try_from(address.host().to_owned()).map_err(|error| untrusted(error.to_string()))?,
        };
        let tcp = TcpStream::connect((address.host(), address.port())).await.map_err(unreachable)?;
        tcp.set_nodelay(true).map_err(unreachable)?;
        let stream = self.tls.connect(name, tcp).await.map_err(|error| {
            match (certificate_alert(&error), tls_error(&error)) {
                (Some(alert), _) => ConnectError::Refused(alert),
                (None, Some(tls)) => untrusted(tls.to_string()),
                (None, None) => unreachable(error),
            }
        })?;
        if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
            return Err(untrusted("it does not speak HTTP/2".into()));
        }
        Ok(stream)
    }
}

fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    let mut source: Option<&(dyn Error + 'static)> = error.get_ref().map(|inner| inner as _);
    while let Some(error) = source {
        if let Some(tls) = error.downcast_ref() {
            return Some(tls);
        }
        source = error.source();
    }
    None
}

/// A TLS stream that remembers a refusal of our certificate, and ends when it is given up.
pub(crate) struct Watched {
    stream: TlsStream<TcpStream>,
    number: u64,
    connector: Arc<Connector>,
}

impl Watched {
    fn note(&self, error: io::Error) -> io::Error {
        if let Some(alert) = certificate_alert(&error) {
            *self.connector.refusal_slot() = Some(alert);
        }
        error
    }

    /// The service may have hung up on us in the middle of a write: the alert that says why is still to be read.
    fn note_unread(&mut self, cx: &mut Context<'_>, error: io::Error) -> io::Error {
        let mut scratch = [0; 1024];
        loop {
            let mut buffer = ReadBuf::new(&mut scratch);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
                Poll::Ready(Err(read)) => return self.note(read),
                _ => return error,
            }
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let result = match Pin::new(&mut self.stream).poll_read(cx, buffer) {
            Poll::Ready(result) => result,
            Poll::Pending => {
                // Left before the number is read: whoever gives the connection up sees the one or is seen by the other.
                let mut reader = self.connector.reader_slot();
                if self.number <= self.connector.abandoned.load(Ordering::Relaxed) {
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, "it was given up")));
                }
                if !reader.as_ref().is_some_and(|reader| reader.will_wake(cx.waker())) {
                    *reader = Some(cx.waker().clone());
                }
                return Poll::Pending;
            }
        };
        Poll::Ready(result.map_err(|error| self.note(error)))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes));
        Poll::Ready(result.map_err(|error| self.note_unread(cx, error)))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = ready!(Pin::new(&mut self.stream).poll_flush(cx));
        Poll::Ready(result.map_err(|error| self.note_unread(cx, error)))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, slices));
        Poll::Ready(result.map_err(|error| self.note_unread(cx, error)))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

//! Accepts connections and gives those whose handshake ended well to tonic, with who is at the other end.
//!
//! **Invariants**: a slow or silent client holds a place only until the handshake's deadline, and after it as long again
//! until it has begun to speak HTTP/2; one that fails is counted.

use crate::{access::Peer, admission::Floods, config::Limits};
use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::Sleep,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

/// Bytes of HTTP/2's client preface (RFC 9113 §3.4).
const PREFACE: usize = 24;
/// Handshakes at a time.
const HANDSHAKES: usize = 512;

/// A connection whose client is known. Dropping it gives its place back.
pub(super) struct Connection {
    stream: TlsStream<TcpStream>,
    peer: Arc<Peer>,
    /// Until the client's preface came: how many bytes are missing, and when it is too late.
    preface: Option<(usize, Pin<Box<Sleep>>)>,
    _place: OwnedSemaphorePermit,
}

/// Accepts for as long as the result is polled.
pub(super) fn incoming(
    listener: TcpListener,
    tls: Arc<rustls::ServerConfig>,
    limits: &Limits,
    floods: Arc<Floods>,
) -> ReceiverStream<io::Result<Connection>> {
    let places = Arc::new(Semaphore::new(limits.connections));
    // Strangers wait for one another, not for those who are in.
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES));
    let deadline = limits.handshake;
    let acceptor = TlsAcceptor::from(tls);
    let (sender, receiver) = mpsc::channel(16);
    tokio::spawn(async move {
        loop {
            let Ok(waiting) = Arc::clone(&handshakes).acquire_owned().await else { return };
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = sender.closed() => return,
            };
            let (stream, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of descriptors, or a client that was gone at once.
                    tracing::warn!(%error, "accepting a connection failed");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let (acceptor, sender, floods) = (acceptor.clone(), sender.clone(), Arc::clone(&floods));
            let places = Arc::clone(&places);
            tokio::spawn(async move {
                let result =
                    tokio::time::timeout(deadline, handshake(acceptor, stream, address, places, deadline)).await;
                drop(waiting);
                match result {
                    Ok(Ok(Some(connection))) => drop(sender.send(Ok(connection)).await),
                    Ok(Ok(None)) => {
                        tracing::warn!(%address, "a connection was closed: there are enough");
                        floods.count("", "", "CONNECTIONS_EXHAUSTED");
                    }
                    Ok(Err(error)) => {
                        tracing::info!(%address, %error, "a TLS handshake failed");
                        floods.count("", "", "HANDSHAKE_FAILED");
                    }
                    Err(_) => {
                        tracing::info!(%address, "a client did not finish its TLS handshake");
                        floods.count("", "", "HANDSHAKE_TIMED_OUT");
                    }
                }
            });
        }
    });
    ReceiverStream::new(receiver)
}

async fn handshake(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    address: SocketAddr,
    places: Arc<Semaphore>,
    deadline: Duration,
) -> io::Result<Option<Connection>> {
    stream.set_nodelay(true)?;
    let stream = acceptor.accept(stream).await?;
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let chain = chain.iter().map(|certificate| certificate.clone().into_owned()).collect();
    let Ok(place) = places.try_acquire_owned() else { return Ok(None) };
    let preface = Some((PREFACE, Box::pin(tokio::time::sleep(deadline))));
    Ok(Some(Connection { stream, peer: Arc::new(Peer::new(chain, address)), preface, _place: place }))
}

impl Connected for Connection {
    type ConnectInfo = Arc<Peer>;

    fn connect_info(&self) -> Arc<Peer> {
        Arc::clone(&self.peer)
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if let Some((missing, late)) = &mut self.preface {
            *missing = missing.saturating_sub(buffer.filled().len() - before);
            if *missing == 0 {
                self.preface = None;
            } else if late.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        result
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

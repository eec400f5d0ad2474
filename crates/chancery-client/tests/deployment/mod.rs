//! A deployment on loopback: CAs, certificates, client.toml files, and a server that asks for client certificates.
//!
//! The server's TLS is rustls as a stock server has it, so that refusals and alerts are those of the wire.
#![allow(dead_code, reason = "each test file uses its part")]

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::{RootCertStore, ServerConfig, crypto::aws_lc_rs, server::WebPkiClientVerifier, version::TLS13};
use rustls_pki_types::PrivateKeyDer;
use std::{
    fs, io,
    net::SocketAddr,
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    service::Routes,
    transport::{Server, server::Connected},
};

/// A certificate authority that made itself.
pub(crate) struct Authority {
    pem: String,
    der: rustls_pki_types::CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let (pem, der) = (certificate.pem(), certificate.der().clone());
        Self { pem, der, issuer: Issuer::new(params, key) }
    }

    /// A certificate and its key, PEM; `expired` in 2001.
    fn issue(&self, name: &str, expired: bool) -> (String, KeyPair) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        if expired {
            params.not_before = date_time_ymd(2000, 1, 1);
            params.not_after = date_time_ymd(2001, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key)
    }
}

/// Two authorities, for servers and for clients, and a folder for the files.
pub(crate) struct Deployment {
    pub(crate) servers: Authority,
    pub(crate) clients: Authority,
    pub(crate) dir: tempfile::TempDir,
}

/// A client.toml to write.
pub(crate) struct ClientFiles<'a> {
    pub(crate) addresses: &'a [String],
    pub(crate) server_name: &'a str,
    pub(crate) ca: &'a Authority,
    pub(crate) issuer: &'a Authority,
    pub(crate) expired: bool,
    pub(crate) deadline: &'a str,
}

impl Deployment {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { servers: Authority::new("servers"), clients: Authority::new("clients"), dir }
    }

    /// A client that the server of this deployment accepts.
    pub(crate) fn good<'a>(&'a self, addresses: &'a [String]) -> ClientFiles<'a> {
        ClientFiles {
            addresses,
            server_name: "localhost",
            ca: &self.servers,
            issuer: &self.clients,
            expired: false,
            deadline: "10s",
        }
    }

    /// Writes a client's files; gives the path of its client.toml.
    pub(crate) fn write(&self, name: &str, files: &ClientFiles<'_>) -> PathBuf {
        let folder = self.dir.path().join(name);
        fs::create_dir(&folder).unwrap();
        let (certificate, key) = files.issuer.issue(name, files.expired);
        fs::write(folder.join("ca.pem"), &files.ca.pem).unwrap();
        fs::write(folder.join("cert.pem"), certificate).unwrap();
        fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
        let toml = format!(
            "addresses = {:?}\nserver_name = {:?}\nca = \"ca.pem\"\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n\
             deadline = {:?}\norganization = \"org1\"\n",
            files.addresses, files.server_name, files.deadline
        );
        let path = folder.join("client.toml");
        fs::write(&path, toml).unwrap();
        path
    }

    /// Serves on an address until dropped; port 0 takes a free one.
    pub(crate) async fn serve(&self, address: SocketAddr, routes: Routes) -> Running {
        let (pem, key) = self.servers.issue("localhost", false);
        let mut roots = RootCertStore::empty();
        roots.add(self.clients.der.clone()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
        let chain = {
            use rustls_pki_types::{CertificateDer, pem::PemObject};
            CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>().unwrap()
        };
        let mut tls = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, PrivateKeyDer::try_from(key.serialize_der()).unwrap())
            .unwrap();
        tls.alpn_protocols = vec![b"h2".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (accepted, incoming) = mpsc::channel(8);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut handshakes = JoinSet::new();
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                let (acceptor, accepted) = (acceptor.clone(), accepted.clone());
                handshakes.spawn(async move {
                    if let Ok(stream) = acceptor.accept(tcp).await {
                        let _ = accepted.send(Ok::<_, io::Error>(Accepted(stream))).await;
                    }
                });
            }
        });
        tasks.spawn(async move {
            Server::builder().add_routes(routes).serve_with_incoming(ReceiverStream::new(incoming)).await.unwrap();
        });
        Running { address, _tasks: tasks }
    }
}

/// A server; it stops accepting when dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Running {
    pub(crate) fn addresses(&self) -> Vec<String> {
        vec![self.address.to_string()]
    }
}

struct Accepted(TlsStream<TcpStream>);

impl Connected for Accepted {
    type ConnectInfo = ();
    fn connect_info(&self) {}
}

impl AsyncRead for Accepted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Accepted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

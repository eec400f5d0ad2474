//! The least that can be called a signing service: tonic over mutual TLS, one key in memory, no identity, no policy, no
//! token, no log. In a process of its own, as the service is.
//!
//! A request that names no key is answered without a signature; every other is signed in the handler.

use crate::{
    Result,
    child::{Child, end_with_stdin},
    deployment::Deployment,
};
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair},
};
use chancery_api::v1::{
    self, SignRequest, SignResponse, SignStreamResponse,
    sign_request::Input,
    sign_stream_response::Result as StreamResult,
    signing_service_server::{SigningService, SigningServiceServer},
};
use futures_util::{Stream, StreamExt};
use rustls::{RootCertStore, ServerConfig, server::WebPkiClientVerifier, version::TLS13};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use std::{
    io,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tonic::{
    Request, Response, Status, Streaming,
    transport::{Server, server::Connected},
};

/// The process that serves.
pub(crate) struct Bare {
    _process: Child,
    /// Where.
    pub(crate) address: String,
}

impl Bare {
    /// Starts it with the certificates of the deployment.
    pub(crate) fn start(deployment: &Deployment) -> Result<Self> {
        let files = ["data/server.pem", "data/server.key", "identity/org1.pem"].map(|name| deployment.file(name));
        let mut process = Child::spawn(Child::role()?.arg("bare-server").args(files))?;
        let address = process.wait_for("ready")?;
        Ok(Self { _process: process, address })
    }
}

/// The child.
pub(crate) fn serve(certificate: &Path, key: &Path, client_ca: &Path) -> Result<()> {
    end_with_stdin();
    let tls = tls(certificate, key, client_ca)?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("ready {}", listener.local_addr()?);
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let incoming = futures_util::stream::unfold((listener, acceptor), |(listener, acceptor)| async move {
            let accepted = accept(&listener, &acceptor).await;
            Some((accepted, (listener, acceptor)))
        });
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?;
        let signer = Signer(Arc::new((key, SystemRandom::new())));
        Server::builder().add_service(SigningServiceServer::new(signer)).serve_with_incoming(incoming).await?;
        Ok(())
    })
}

fn tls(certificate: &Path, key: &Path, client_ca: &Path) -> Result<ServerConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(client_ca)?)?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build()?;
    let chain = CertificateDer::pem_file_iter(certificate)?.collect::<std::result::Result<_, _>>()?;
    let mut tls = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(key)?)?;
    tls.alpn_protocols = vec![b"h2".to_vec()];
    Ok(tls)
}

async fn accept(listener: &TcpListener, acceptor: &TlsAcceptor) -> io::Result<Connection> {
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok(Connection(acceptor.accept(stream).await?))
}

#[derive(Clone)]
struct Signer(Arc<(EcdsaKeyPair, SystemRandom)>);

impl Signer {
    fn answer(&self, request: SignRequest) -> std::result::Result<SignResponse, Status> {
        let signature = match request.input {
            _ if request.name.is_empty() => Vec::new(),
            Some(Input::Digest(digest)) => {
                let (key, random) = &*self.0;
                let signature = key.sign(random, &digest.value).map_err(|_| Status::internal("not signed"))?;
                signature.as_ref().to_vec()
            }
            _ => return Err(Status::invalid_argument("no digest")),
        };
        Ok(SignResponse { name: request.name, signature, request_id: request.request_id, ..SignResponse::default() })
    }
}

#[tonic::async_trait]
impl SigningService for Signer {
    async fn sign(&self, request: Request<SignRequest>) -> std::result::Result<Response<SignResponse>, Status> {
        self.answer(request.into_inner()).map(Response::new)
    }

    type SignStreamStream = Pin<Box<dyn Stream<Item = std::result::Result<SignStreamResponse, Status>> + Send>>;

    async fn sign_stream(
        &self,
        request: Request<Streaming<SignRequest>>,
    ) -> std::result::Result<Response<Self::SignStreamStream>, Status> {
        let signer = self.clone();
        let answers = request.into_inner().map(move |received| {
            let response = signer.answer(received?)?;
            let request_id = response.request_id.clone();
            Ok(SignStreamResponse { request_id, result: Some(StreamResult::Response(response)) })
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn verify(&self, _: Request<v1::VerifyRequest>) -> std::result::Result<Response<v1::VerifyResponse>, Status> {
        Err(Status::unimplemented("this server only signs"))
    }

    async fn get_public_key(
        &self,
        _: Request<v1::GetPublicKeyRequest>,
    ) -> std::result::Result<Response<v1::PublicKey>, Status> {
        Err(Status::unimplemented("this server only signs"))
    }
}

/// tonic wants to be told who is at the other end; here it does not matter.
struct Connection(TlsStream<TcpStream>);

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}

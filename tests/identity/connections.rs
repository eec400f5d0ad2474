//! What comes to the port: other TLS, no TLS, nothing at all. And the tunnel that lets a test choose its own TLS.

use crate::{
    authority::{Authority, Stranger, peer},
    harness::Deployment,
    shared::{call, create, deployment, key, sign, signing},
};
use chancery_api::v1::{Algorithm, GetCheckpointRequest, audit_service_client::AuditServiceClient};
use chancery_client::ClientError;
use rcgen::KeyPair;
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, version::TLS13};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use std::{
    io,
    net::SocketAddr,
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::transport::{Channel, Endpoint};

/// Generous: the service's own deadline for a handshake is 10 s.
const PATIENCE: Duration = Duration::from_secs(40);

/// A client's TLS that trusts the deployment and shows no certificate.
pub(crate) fn tls() -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(deployment().dir().join("data/ca.pem")).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

/// Shows this certificate, and signs with this key whether it is the certificate's or not.
pub(crate) fn present(config: &mut ClientConfig, certificate: &str, key: &KeyPair) {
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let key = aws_lc_rs::sign::any_supported_type(&key).unwrap();
    let certified = rustls::sign::CertifiedKey::new(vec![certificate], key);
    config.client_auth_cert_resolver = Arc::new(rustls::sign::SingleCertAndKey::from(certified));
}

/// Completes the client's side of a handshake, and reads what the service says to it.
pub(crate) async fn handshake(config: ClientConfig) -> io::Result<()> {
    let mut stream = connect(config).await?;
    // In TLS 1.3 the client is done first: the refusal comes with the first read.
    let read = tokio::time::timeout(PATIENCE, stream.read(&mut [0; 64])).await;
    read.expect("the service says something").map(|_| ())
}

async fn connect(config: ClientConfig) -> io::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(deployment().address()).await?;
    TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), tcp).await
}

/// A channel through TLS of the test's choice: gRPC in the clear to a port here, TLS from there on.
pub(crate) async fn tunnel(config: ClientConfig) -> Channel {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut plain, _)) = listener.accept().await {
            if let Ok(mut stream) = connect(config.clone()).await {
                let _ = copy_bidirectional(&mut plain, &mut stream).await;
            }
        }
    });
    Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}

/// A call that every member may make.
pub(crate) async fn checkpoint(channel: Channel) -> Result<(), ClientError> {
    call(AuditServiceClient::new(channel).get_checkpoint(GetCheckpointRequest {})).await.map(|_| ())
}

#[tokio::test]
async fn tls_1_3_with_a_certificate_is_what_is_spoken() {
    let (ca, key) = (Authority::of("org1"), KeyPair::generate().unwrap());
    let certificate = ca.certify(&peer("peer0"), &key).pem();
    let mut config = tls();
    present(&mut config, &certificate, &key);
    checkpoint(tunnel(config).await).await.unwrap();

    let error = handshake(tls()).await.unwrap_err();
    assert!(error.to_string().contains("CertificateRequired"), "without a certificate: {error}");
    // rustls is built without TLS 1.2 here, so openssl speaks it; with 1.3 it gets through.
    for (version, accepted) in [("-tls1_3", true), ("-tls1_2", false), ("-tls1_1", false)] {
        let stranger = Stranger::new(&certificate, &key.serialize_pem());
        let file = |name| stranger.config().with_file_name(name);
        let mut openssl = Command::new("openssl");
        openssl.args(["s_client", "-alpn", "h2", version, "-connect", &deployment().address().to_string()]);
        openssl.arg("-cert").arg(file("cert.pem")).arg("-key").arg(file("key.pem")).arg("-CAfile").arg(file("ca.pem"));
        openssl.arg("-verify_return_error").stdin(Stdio::null());
        let output = tokio::task::spawn_blocking(move || openssl.output().unwrap()).await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.success(), accepted, "{version}: {said}");
    }
}

/// A session that could be resumed would carry an identity that was not judged again.
#[tokio::test]
async fn nothing_is_resumed() {
    let (ca, key) = (Authority::of("org1"), KeyPair::generate().unwrap());
    let mut config = tls();
    present(&mut config, &ca.certify(&peer("peer0"), &key).pem(), &key);
    for _ in 0..3 {
        let mut stream = connect(config.clone()).await.unwrap();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
        stream.read_exact(&mut [0; 9]).await.expect("the service's settings");
        assert_eq!(stream.get_ref().1.handshake_kind(), Some(rustls::HandshakeKind::Full));
        assert_eq!(stream.get_ref().1.tls13_tickets_received(), 0);
    }
}

#[tokio::test]
async fn garbage_is_dropped_and_hinders_nobody() {
    let mut kinds: Vec<Vec<u8>> = vec![
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        vec![0; 1 << 16],
        vec![0xff; 1 << 16],
        // A TLS record that promises more than it may hold.
        vec![22, 3, 1, 0xff, 0xff, 1],
    ];
    kinds.extend((0..20).map(|seed: u8| (0..600_u16).map(|n| seed.wrapping_mul(31) ^ n.to_le_bytes()[0]).collect()));
    for bytes in kinds {
        let mut stream = TcpStream::connect(deployment().address()).await.unwrap();
        // The service may hang up on the first byte.
        let _ = stream.write_all(&bytes).await;
        let _ = stream.shutdown().await;
        let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await;
        assert!(ended.is_ok(), "it is dropped");
    }
    // Garbage inside good TLS, too.
    let (ca, key) = (Authority::of("org1"), KeyPair::generate().unwrap());
    let mut config = tls();
    present(&mut config, &ca.certify(&peer("peer0"), &key).pem(), &key);
    for bytes in [
        &b"\0\0\0\0\0\0\0\0\0garbage that is no preface"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff",
    ] {
        let mut stream = connect(config.clone()).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await;
        assert!(ended.is_ok(), "it is dropped");
    }
    serves("after-garbage").await;
}

/// It signs.
async fn serves(id: &str) {
    let name = key(id);
    create(&name, "peer0", Algorithm::EcP256).await;
    sign(&crate::shared::client("org1-peer0").await, signing(&name, b"x")).await.unwrap();
}

/// Clients that connect and say nothing, or stop in the middle of a handshake, are dropped at the deadline; until then
/// others are served.
#[tokio::test]
async fn silent_clients_are_dropped_and_hinder_nobody() {
    let started = Instant::now();
    let mut silent = Vec::new();
    for number in 0..60 {
        let mut stream = TcpStream::connect(deployment().address()).await.unwrap();
        if number % 2 == 0 {
            // A ClientHello's record header, and nothing behind it.
            stream.write_all(&[22, 3, 1, 2, 0, 1]).await.unwrap();
        }
        silent.push(stream);
    }
    serves("among-the-silent").await;
    for mut stream in silent {
        let rest = PATIENCE.saturating_sub(started.elapsed());
        let ended = tokio::time::timeout(rest, stream.read_to_end(&mut Vec::new())).await;
        assert!(ended.is_ok(), "a silent client was not dropped within {PATIENCE:?}");
    }
    serves("after-the-silent").await;
}

/// With every place taken by silent clients, a client waits until their deadline and is then served.
#[tokio::test]
async fn places_come_back() {
    let mut own = Deployment::start();
    own.stop();
    let path = own.dir().join("chancery.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}\n[limits]\nconnections = 4\nhandshake_seconds = 1\n")).unwrap();
    own.serve();
    let mut silent = Vec::new();
    for _ in 0..12 {
        silent.push(TcpStream::connect(own.address()).await.unwrap());
    }
    let client = tokio::time::timeout(PATIENCE, own.client("org1-peer0")).await.expect("a place comes back");
    call(client.audit().get_checkpoint(GetCheckpointRequest {})).await.unwrap();
}

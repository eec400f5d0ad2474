//! The client verifier in TLS handshakes, in memory.

use super::{World, ders, later};
use crate::{
    crypto::tests::openssl::{Certificate, Key},
    identity::{ClientVerifier, Members, Registry},
    model::Algorithm,
};
use arc_swap::ArcSwap;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, Error, RootCertStore, ServerConfig,
    ServerConnection, SignatureScheme,
    client::ResolvesClientCert,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime},
    sign::CertifiedKey,
    time_provider::TimeProvider,
};
use std::{
    fs,
    sync::{Arc, Mutex},
};

#[derive(Debug)]
struct At(UnixTime);

impl TimeProvider for At {
    fn current_time(&self) -> Option<UnixTime> {
        Some(self.0)
    }
}

/// A client's certificate and key, and what the server asked for.
#[derive(Debug)]
struct Client {
    certified: Option<Arc<CertifiedKey>>,
    asked: Mutex<Option<(usize, Vec<SignatureScheme>)>>,
}

impl ResolvesClientCert for Client {
    fn resolve(&self, hints: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        *self.asked.lock().unwrap() = Some((hints.len(), schemes.to_vec()));
        self.certified.clone()
    }

    fn has_certs(&self) -> bool {
        true
    }
}

struct Service {
    registry: Arc<ArcSwap<Registry>>,
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Service {
    fn new(world: &World) -> Self {
        let server = rcgen::generate_simple_self_signed(["chancery.test".to_owned()]).unwrap();
        Self {
            registry: Arc::new(ArcSwap::from_pointee(world.registry())),
            certificate: server.cert.der().clone(),
            key: PrivatePkcs8KeyDer::from(server.signing_key.serialize_der()).into(),
        }
    }

    /// Runs a handshake; the server's verdict.
    fn handshake(&self, client: Arc<Client>, now: UnixTime) -> Result<(), Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let server = ServerConfig::builder_with_details(provider.clone(), Arc::new(At(now)))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(Arc::new(ClientVerifier::new(self.registry.clone())))
            .with_single_cert(vec![self.certificate.clone()], self.key.clone_key())?;
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone())?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(roots)
            .with_client_cert_resolver(client);
        let mut server = ServerConnection::new(Arc::new(server))?;
        let mut client = ClientConnection::new(Arc::new(config), ServerName::try_from("chancery.test").unwrap())?;
        while client.is_handshaking() || server.is_handshaking() {
            let mut bytes = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut bytes).unwrap();
            }
            server.read_tls(&mut bytes.as_slice()).unwrap();
            server.process_new_packets()?;
            let mut bytes = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut bytes).unwrap();
            }
            client.read_tls(&mut bytes.as_slice()).unwrap();
            client.process_new_packets()?;
        }
        Ok(())
    }
}

fn client(world: &World, chain: &[&Certificate], key: &Key) -> Arc<Client> {
    let der = world.openssl.path();
    world.openssl.run("pkcs8 -topk8 -nocrypt -in @ -outform DER -out @", &[&key.path, &der]);
    let key = PrivatePkcs8KeyDer::from(fs::read(der).unwrap()).into();
    let key = aws_lc_rs::sign::any_supported_type(&key).unwrap();
    let certified = Some(Arc::new(CertifiedKey::new(ders(chain), key)));
    Arc::new(Client { certified, asked: Mutex::default() })
}

#[test]
fn members_are_let_in_and_strangers_are_not() {
    let world = World::new();
    let service = Service::new(&world);
    let member = world.member("/CN=peer0/OU=peer");
    let roleless = world.member("/CN=x/OU=admin");
    let intermediate = world.intermediate("/O=Org1/CN=sub");
    let through = world.issuer(&intermediate, "/CN=peer0/OU=peer", "");
    let key = world.openssl.key(Algorithm::EcP256);
    let stranger = (world.openssl.authority(&key, "/O=Org3/CN=ca", 365), key);
    let of_stranger = world.issuer(&stranger, "/CN=peer0/OU=peer", "");
    let server_only = world.issuer(&world.one, "/CN=peer0/OU=peer", "extendedKeyUsage=serverAuth");

    let now = UnixTime::now();
    // What is finer than the organization is answered over the connection, with a reason.
    for chain in [&[&member][..], &[&member, &world.one.0], &[&roleless], &[&through, &intermediate.0]] {
        service.handshake(client(&world, chain, &world.key), now).unwrap();
    }
    for (what, chain, now, expected) in [
        ("unknown", &[&of_stranger, &stranger.0][..], now, CertificateError::UnknownIssuer),
        ("unregistered", &[&through], now, CertificateError::UnknownIssuer),
        ("no client's", &[&server_only], now, CertificateError::InvalidPurpose),
        ("expired", &[&member], later(366), CertificateError::Expired),
        (
            "not yet valid",
            &[&member],
            UnixTime::since_unix_epoch(std::time::Duration::ZERO),
            CertificateError::NotValidYet,
        ),
    ] {
        let error = service.handshake(client(&world, chain, &world.key), now).unwrap_err();
        // Compared by the alert that the client sees.
        let Error::InvalidCertificate(found) = &error else { panic!("{what}: {error}") };
        assert_eq!(AlertDescription::from(found.clone()), AlertDescription::from(expected), "{what}: {found:?}");
    }
}

#[test]
fn a_certificate_is_mandatory_and_its_key_must_be_there() {
    let world = World::new();
    let service = Service::new(&world);
    let none = Arc::new(Client { certified: None, asked: Mutex::default() });
    assert_eq!(service.handshake(none.clone(), UnixTime::now()), Err(Error::NoCertificatesPresented));
    // Nobody is told whose certificates are accepted, nor offered TLS 1.2's signatures alone.
    let (hints, schemes) = none.asked.lock().unwrap().take().unwrap();
    assert_eq!(hints, 0);
    assert!(schemes.contains(&SignatureScheme::ECDSA_NISTP256_SHA256), "{schemes:?}");

    let member = world.member("/CN=peer0/OU=peer");
    let other_key = client(&world, &[&member], &world.officer);
    assert_eq!(
        service.handshake(other_key, UnixTime::now()),
        Err(Error::InvalidCertificate(CertificateError::BadSignature))
    );
}

#[test]
fn a_changed_registry_counts_at_the_next_handshake() {
    let world = World::new();
    let service = Service::new(&world);
    let member = world.member("/CN=peer0/OU=peer");
    let attempt = || service.handshake(client(&world, &[&member], &world.key), UnixTime::now());
    attempt().unwrap();
    service.registry.store(Arc::new(Registry::new(Members::default()).unwrap()));
    assert_eq!(attempt(), Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)));
}

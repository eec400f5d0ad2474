//! Client certificates made by the openssl command line, good and bad, before registries.

mod attacks;
mod handshake;
mod registry;
mod suspensions;

use super::{Identity, IdentityError, Members, Registry};
use crate::{
    crypto::tests::openssl::{Certificate, Key, Openssl},
    model::{Algorithm, NamePattern, Organization, OrganizationName, Registration, Role, TrustAnchor},
};
use rustls_pki_types::{CertificateDer, UnixTime};
use sha2::{Digest, Sha256};
use std::time::Duration;

const DAY: u64 = 24 * 3600;

fn later(days: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(UnixTime::now().as_secs() + days * DAY))
}

fn organization(id: &str) -> Organization {
    let name = OrganizationName::from_id(id).unwrap();
    Organization::new(name, Vec::new(), 0)
}

fn anchor(organization: &str, certificate: &Certificate, patterns: &[(Role, &str)]) -> TrustAnchor {
    TrustAnchor {
        organization: OrganizationName::from_id(organization).unwrap(),
        certificate: certificate.der.clone(),
        patterns: patterns
            .iter()
            .map(|(role, pattern)| NamePattern { role: *role, pattern: (*pattern).into() })
            .collect(),
        removed: false,
    }
}

fn registration(organization: &str, name: &str, role: Role, key: &Key) -> Registration {
    let name = OrganizationName::from_id(organization).unwrap().principal(name).unwrap();
    Registration { name, role, public_keys_sha256: vec![Sha256::digest(&key.public).into()] }
}

/// Two organizations with an authority each; org1's may name peers, an orderer and clients.
struct World {
    openssl: Openssl,
    key: Key,
    one: (Certificate, Key),
    two: (Certificate, Key),
    officer: Key,
    anchors: Vec<TrustAnchor>,
    registrations: Vec<Registration>,
}

impl World {
    fn new() -> Self {
        let openssl = Openssl::new();
        let key = || openssl.key(Algorithm::EcP256);
        let (first, second, officer) = (key(), key(), key());
        let one = (openssl.authority(&first, "/O=Org1/CN=ca", 730), first);
        let two = (openssl.authority(&second, "/O=Org2/CN=ca", 730), second);
        let patterns = [(Role::Peer, "peer*"), (Role::Orderer, "orderer0"), (Role::Client, "*")];
        Self {
            anchors: vec![anchor("org1", &one.0, &patterns), anchor("org2", &two.0, &[(Role::Peer, "*")])],
            registrations: vec![registration("org1", "security", Role::SecurityOfficer, &officer)],
            key: key(),
            one,
            two,
            officer,
            openssl,
        }
    }

    fn registry(&self) -> Registry {
        let organizations = vec![organization("org1"), organization("org2")];
        Registry::new(Members {
            organizations,
            anchors: self.anchors.clone(),
            registrations: self.registrations.clone(),
            ..Members::default()
        })
        .unwrap()
    }

    fn issuer(&self, (certificate, key): &(Certificate, Key), subject: &str, extensions: &str) -> Certificate {
        self.openssl.issue((certificate, key), &self.key, subject, 365, extensions)
    }

    /// A certificate by org1's authority for the world's key.
    fn member(&self, subject: &str) -> Certificate {
        self.issuer(&self.one, subject, "")
    }

    /// An authority below org1's, and its key.
    fn intermediate(&self, subject: &str) -> (Certificate, Key) {
        let key = self.openssl.key(Algorithm::EcP256);
        let extensions = "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign";
        (self.openssl.issue((&self.one.0, &self.one.1), &key, subject, 365, extensions), key)
    }

    fn identify(&self, chain: &[&Certificate]) -> Result<Identity, IdentityError> {
        identify(&self.registry(), chain, UnixTime::now())
    }
}

fn identify(registry: &Registry, chain: &[&Certificate], now: UnixTime) -> Result<Identity, IdentityError> {
    registry.identify(&ders(chain), now, &|_| false)
}

fn ders(chain: &[&Certificate]) -> Vec<CertificateDer<'static>> {
    chain.iter().map(|one| CertificateDer::from(one.der.clone())).collect()
}

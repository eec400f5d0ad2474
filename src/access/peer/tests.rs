//! What becomes of a permit when its bearer is locked out, and of nodes whose keys are not known.

use super::Peer;
use crate::{
    access::{Access, Caller, Grant, Target},
    crypto::tests::openssl::{Certificate, Key, Openssl},
    directory::{Directory, LoggedStates, NODES_PER_ORGANIZATION},
    error::Error,
    identity::IdentityError,
    model::{
        self, Action, Algorithm, Check, KeyOrVersionName, KeyState, KeyVersion, KeyVersionName, NamePattern, Node,
        NodeKey, Organization, OrganizationName, PrincipalName, Protection, Purpose, Role, Suspended, Suspension,
        TrustAnchor,
    },
    policy::{Context, PolicySet},
    store::{Contents, Row},
};
use chancery_api::reasons;
use chancery_audit::record::{Genesis, Record};
use rustls_pki_types::CertificateDer;
use std::{collections::BTreeMap, sync::Arc};

fn org1() -> OrganizationName {
    OrganizationName::from_id("org1").unwrap()
}

fn peer0() -> PrincipalName {
    org1().principal("peer0").unwrap()
}

/// What exists once a log with these rows was read.
fn directory(rows: &[Row]) -> Arc<Directory> {
    let mut states = LoggedStates::default();
    let genesis = Some(Genesis { deployment: "d".into(), ..Genesis::default() });
    states.add(&Record { genesis, ..Record::default() });
    states.add(&Record { index: 1, states: rows.iter().map(Row::state).collect(), ..Record::default() });
    let contents = Contents { deployment: "d".into(), ..Contents::default() };
    Arc::new(states.reconcile(contents).unwrap().0)
}

/// org1 with an authority, the key `k` of peer0, and what decides.
struct World {
    openssl: Openssl,
    authority: (Certificate, Key),
    access: Access,
}

impl World {
    fn new() -> Self {
        let openssl = Openssl::new();
        let key = openssl.key(Algorithm::EcP256);
        let authority = (openssl.authority(&key, "/CN=ca", 30), key);
        let anchor = TrustAnchor {
            organization: org1(),
            certificate: authority.0.der.clone(),
            patterns: vec![NamePattern { role: Role::Peer, pattern: "peer*".into() }],
            removed: false,
        };
        let name = org1().key("k").unwrap();
        let signs = model::Key {
            name: name.clone(),
            owner: peer0(),
            purpose: Purpose::Sign,
            algorithm: Algorithm::EcP256,
            protection: Protection::Token,
            check: Check::Always,
            labels: BTreeMap::new(),
            primary_version: 1,
            create_time: 1,
            rotation: None,
            next_rotation: None,
            overlap: None,
            pool_size: 0,
        };
        let public = openssl.key(Algorithm::EcP256).public;
        let directory = directory(&[
            Row::Organization(Organization::new(org1(), Vec::new(), 1)),
            Row::Anchor(anchor),
            Row::Key(signs),
            Row::KeyVersion(KeyVersion::new(name.version(1), KeyState::Active, public, 1)),
        ]);
        let files = PolicySet::shipped().iter().map(|(name, text)| ((*name).into(), (*text).into())).collect();
        let access = Access::new(directory, PolicySet::from_files(files).unwrap()).unwrap();
        Self { openssl, authority, access }
    }

    fn directory(&self) -> &Directory {
        self.access.directory()
    }

    /// Someone with a certificate for a fresh key.
    fn peer(&self, name: &str) -> Arc<Peer> {
        let key = self.openssl.key(Algorithm::EcP256);
        let (certificate, authority_key) = &self.authority;
        let subject = format!("/CN={name}/OU=peer");
        let certificate = self.openssl.issue((certificate, authority_key), &key, &subject, 3, "");
        Arc::new(Peer::new(vec![CertificateDer::from(certificate.der)], ([127, 0, 0, 1], 1).into()))
    }

    /// Puts a node's key in force as the service does, and identifies it.
    fn known(&self, peer: &Arc<Peer>) -> Caller {
        let Err(IdentityError::KeyUnseen { principal, public_key_sha256 }) = self.access.identify(peer) else {
            panic!("the key is known already")
        };
        self.see(&principal.name, public_key_sha256, false);
        self.access.identify(peer).unwrap()
    }

    fn see(&self, name: &PrincipalName, public_key_sha256: [u8; 32], pending: bool) {
        let node = self.directory().member(name).node;
        let node = node.unwrap_or_else(|| Node { principal: name.clone(), keys: Vec::new() });
        let key = NodeKey { public_key_sha256, first_seen: 1, pending };
        self.directory().apply(vec![Row::Node(node.with(key))]).unwrap();
    }

    fn permitted(&self, caller: &Caller) -> (Grant, KeyVersionName) {
        let version = org1().key("k").unwrap().version(1);
        let target = Target::Key(KeyOrVersionName::Version(version.clone()));
        let context = Context::new().text("input", "digest").text("hash", "sha256").number("size", 32);
        (self.access.authorize(caller, Action::Sign, target, context).unwrap(), version)
    }

    fn suspend(&self, subject: &Suspended, lifted: bool) {
        let subject = subject.clone();
        let row = Suspension { organization: org1(), subject, reason: String::new(), create_time: 1, lifted };
        self.directory().apply(vec![Row::Suspension(row)]).unwrap();
    }
}

/// What performs a permit rechecks it, and so does what releases its outcome: see `enclave` and `audit`.
#[test]
fn a_suspension_between_permit_and_perform_is_caught() {
    let world = World::new();
    let caller = world.known(&world.peer("peer0"));
    let (grant, version) = world.permitted(&caller);
    world.access.recheck(&grant, Some(&version)).unwrap();
    for subject in [
        Suspended::Principal(peer0()),
        Suspended::Certificate(caller.principal().certificate_fingerprint),
        Suspended::PublicKey(*caller.public_key_sha256()),
    ] {
        world.suspend(&subject, false);
        let error = world.access.recheck(&grant, Some(&version)).unwrap_err();
        assert!(matches!(error, Error::Unidentified { reason: reasons::SUSPENDED, .. }), "{subject:?}: {error}");
        world.suspend(&subject, true);
        world.access.recheck(&grant, Some(&version)).unwrap();
    }
    // Another's suspension is none of its business.
    world.suspend(&Suspended::Principal(org1().principal("peer1").unwrap()), false);
    world.suspend(&Suspended::PublicKey([7; 32]), false);
    world.access.recheck(&grant, Some(&version)).unwrap();
}

#[test]
fn a_nodes_key_is_known_before_it_is_let_in_and_makes_no_epoch() {
    let world = World::new();
    let epoch = world.directory().identity_epoch();
    let (first, second) = (world.peer("peer0"), world.peer("peer0"));
    let caller = world.known(&first);
    let (grant, version) = world.permitted(&caller);
    // A key that waits is refused until it is approved, and displaces none.
    let Err(IdentityError::KeyUnseen { public_key_sha256, .. }) = world.access.identify(&second) else { panic!() };
    world.see(&peer0(), public_key_sha256, true);
    assert!(matches!(world.access.identify(&second), Err(IdentityError::KeyPending { .. })));
    world.access.identify(&first).unwrap();
    world.see(&peer0(), public_key_sha256, false);
    assert_eq!(world.access.identify(&second).unwrap().principal().name, peer0());
    assert_eq!(world.directory().identity_epoch(), epoch, "nobody else is judged anew");
    world.access.recheck(&grant, Some(&version)).unwrap();
}

/// Beyond so many names none is taken down: they are let in, or wait, as the organization has it.
#[test]
fn names_of_nodes_are_bounded() {
    let world = World::new();
    let nodes = (0..NODES_PER_ORGANIZATION).map(|number| {
        let principal = org1().principal(&format!("peer-{number}")).unwrap();
        Row::Node(Node { principal, keys: Vec::new() })
    });
    world.directory().apply(nodes.collect()).unwrap();
    let new = world.peer("peer0");
    world.access.identify(&new).unwrap();
    let organization = world.directory().organization(&org1()).unwrap();
    world.directory().apply(vec![Row::Organization(Organization { pin_strict: true, ..organization })]).unwrap();
    assert!(matches!(world.access.identify(&new), Err(IdentityError::KeyPending { .. })));
    // Those that are known go on.
    assert!(matches!(world.access.identify(&world.peer("peer-7")), Err(IdentityError::KeyUnseen { .. })));
}

//! Whom an organization has suspended.

use super::{World, identify, organization};
use crate::{
    crypto::tests::openssl::Certificate,
    identity::{IdentityError, Members, Registry},
    model::{OrganizationName, Suspended, Suspension},
};
use rustls_pki_types::UnixTime;
use sha2::{Digest, Sha256};

fn registry(world: &World, by: &str, subject: Suspended) -> Registry {
    let organization_name = OrganizationName::from_id(by).unwrap();
    let suspension =
        Suspension { organization: organization_name, subject, reason: String::new(), create_time: 1, lifted: false };
    Registry::new(Members {
        organizations: vec![organization("org1"), organization("org2")],
        anchors: world.anchors.clone(),
        registrations: world.registrations.clone(),
        suspensions: vec![suspension],
        ..Members::default()
    })
    .unwrap()
}

fn is_suspended(registry: &Registry, certificate: &Certificate) -> bool {
    match identify(registry, &[certificate], UnixTime::now()) {
        Ok(_) => false,
        Err(IdentityError::Suspended(_)) => true,
        Err(error) => panic!("{error}"),
    }
}

fn name(organization: &str, name: &str) -> Suspended {
    Suspended::Principal(OrganizationName::from_id(organization).unwrap().principal(name).unwrap())
}

#[test]
fn a_name_a_certificate_and_a_key_are_suspended_by_their_own_organization() {
    let world = World::new();
    let (node, renewed) = (world.member("/CN=peer0/OU=peer"), world.member("/CN=peer0/OU=peer"));
    let elsewhere = world.issuer(&world.two, "/CN=peer0/OU=peer", "");
    let officer = world.openssl.issue((&world.one.0, &world.one.1), &world.officer, "/CN=security", 3, "");
    let fingerprint = |certificate: &Certificate| Suspended::Certificate(Sha256::digest(&certificate.der).into());
    let public_key = Suspended::PublicKey(Sha256::digest(&world.key.public).into());
    for (by, subject, expected) in [
        // Of: the node's certificate, another one for its key, the same name and key in org2, an officer.
        ("org1", name("org1", "peer0"), [true, true, false, false]),
        ("org1", fingerprint(&node), [true, false, false, false]),
        ("org1", public_key.clone(), [true, true, false, false]),
        ("org1", name("org1", "security"), [false, false, false, true]),
        ("org1", Suspended::PublicKey(Sha256::digest(&world.officer.public).into()), [false, false, false, true]),
        ("org2", name("org2", "peer0"), [false, false, true, false]),
        ("org2", public_key, [false, false, true, false]),
        ("org2", fingerprint(&node), [false; 4]),
        ("org2", name("org1", "peer0"), [false; 4]),
    ] {
        let registry = registry(&world, by, subject.clone());
        let found = [&node, &renewed, &elsewhere, &officer].map(|certificate| is_suspended(&registry, certificate));
        assert_eq!(found, expected, "{by} {subject:?}");
    }
}

/// A certificate with s of its issuer's signature replaced by n - s: it takes no key to write that.
fn rewritten(world: &World, certificate: &Certificate) -> Certificate {
    let der = &certificate.der;
    // A certificate ends with the signature: BIT STRING { no unused bits, SEQUENCE { r, s } }.
    let at = (0..der.len() - 3).rfind(|at| {
        der[*at] == 3 && usize::from(der[at + 1]) == der.len() - at - 2 && der[at + 2] == 0 && der[at + 3] == 0x30
    });
    let at = at.unwrap();
    let signature = p256::ecdsa::Signature::from_der(&der[at + 3..]).unwrap();
    let (r, s) = signature.split_scalars();
    let other = p256::ecdsa::Signature::from_scalars(r, -s).unwrap().to_der();
    let signature = [&[3, u8::try_from(other.as_bytes().len()).unwrap() + 1, 0], other.as_bytes()].concat();
    let body = [&der[4..at], &signature].concat();
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    world.openssl.certificate_from(&[&[0x30, 0x82], length.as_slice(), &body].concat())
}

/// A thief writes the certificate anew, and it is let in where the first one is: it must be refused with it, too.
#[test]
fn a_suspended_certificate_is_suspended_however_it_is_written() {
    let world = World::new();
    let given = world.member("/CN=peer0/OU=peer");
    let written = rewritten(&world, &given);
    assert_ne!(written.der, given.der);
    let principal = |certificate| world.identify(&[certificate]).unwrap().principal.name;
    assert_eq!(principal(&written), principal(&given));
    for suspended in [&given, &written] {
        let registry = registry(&world, "org1", Suspended::Certificate(Sha256::digest(&suspended.der).into()));
        assert!(is_suspended(&registry, &given) && is_suspended(&registry, &written));
    }
}

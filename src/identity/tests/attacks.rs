//! Whom a certificate makes, and whom it does not.

use super::{DAY, World, anchor, identify, later, registration};
use crate::{
    crypto::tests::openssl::{ALGORITHMS, Certificate},
    identity::{Identity, IdentityError, Members, Registry, anchor::is_in_tls},
    model::{Algorithm, Hash, Role},
};
use chancery_api::reasons;
use proptest::prelude::*;
use rustls_pki_types::{CertificateDer, UnixTime};
use sha2::{Digest, Sha256};
use std::time::Duration;

fn as_text(result: &Result<Identity, IdentityError>) -> String {
    match result {
        Ok(identity) => format!("{} {}", identity.principal.name.short(), identity.principal.role),
        Err(error) => error.reason().to_owned(),
    }
}

/// Who holds org1's authority key can make peers, orderers and clients with the names allowed, and nobody else.
#[test]
fn a_certificate_by_itself_gives_no_more_than_its_anchor_may() {
    let world = World::new();
    let identity =
        |subject: &str, extensions: &str| as_text(&world.identify(&[&world.issuer(&world.one, subject, extensions)]));
    let uri = "subjectAltName=URI:spiffe://org1/security-officer";
    for (subject, extensions, expected) in [
        ("/CN=peer0/OU=peer", "", "org1/peer0 peer"),
        ("/CN=orderer0/OU=orderer", "", "org1/orderer0 orderer"),
        ("/CN=User1@org1/OU=client", "", "org1/User1@org1 client"),
        // As Fabric CA issues them: affiliations, an organization, alternative names, usages.
        (
            "/O=Hyperledger/OU=peer/OU=org1/OU=department1/CN=peer7",
            "keyUsage=critical,digitalSignature",
            "org1/peer7 peer",
        ),
        ("/CN=peer0/OU=peer", "extendedKeyUsage=clientAuth,serverAuth", "org1/peer0 peer"),
        ("/CN=peer0/OU=peer", "subjectAltName=DNS:orderer0", "org1/peer0 peer"),
        ("/O=org2/CN=peer0/OU=peer", "", "org1/peer0 peer"),
        // Nothing but OU=peer, orderer and client confers anything.
        ("/CN=x/OU=client", uri, "org1/x client"),
        ("/CN=x", uri, reasons::NO_ROLE),
        ("/CN=x/OU=admin", "", reasons::NO_ROLE),
        ("/CN=x/OU=security-officer", "", reasons::NO_ROLE),
        ("/CN=x/OU=auditor", "", reasons::NO_ROLE),
        ("/CN=x/OU=ca", "", reasons::NO_ROLE),
        ("/CN=x/OU=platform-operator", "", reasons::NO_ROLE),
        ("/CN=x/OU=opssc-agent", "", reasons::NO_ROLE),
        ("/CN=peer0/OU=Peer", "", reasons::NO_ROLE),
        ("/CN=peer0/OU=peers", "", reasons::NO_ROLE),
        ("/CN=peer0/O=peer", "", reasons::NO_ROLE),
        ("/CN=peer0/OU=admin/OU=client", "", "org1/peer0 client"),
        ("/CN=peer0/OU=security-officer/OU=peer", "", "org1/peer0 peer"),
        // Names that the anchor may not give the role.
        ("/CN=x/OU=peer", "", reasons::NAME_NOT_ALLOWED),
        ("/CN=orderer1/OU=orderer", "", reasons::NAME_NOT_ALLOWED),
        ("/CN=peer0/OU=orderer", "", reasons::NAME_NOT_ALLOWED),
        // A registered name is its key's.
        ("/CN=security/OU=client", "", reasons::NAME_NOT_ALLOWED),
        ("/CN=security/OU=security-officer", "", reasons::NAME_NOT_ALLOWED),
        ("/CN=security", "", reasons::NAME_NOT_ALLOWED),
        // No single name or role.
        ("/OU=peer", "", reasons::IDENTITY_AMBIGUOUS),
        ("/CN=peer0/CN=peer1/OU=peer", "", reasons::IDENTITY_AMBIGUOUS),
        ("/CN=peer0/CN=peer0/OU=peer", "", reasons::IDENTITY_AMBIGUOUS),
        ("/OU=peer/CN=peer0+CN=peer1", "", reasons::IDENTITY_AMBIGUOUS),
        ("/CN=peer0/OU=peer/OU=client", "", reasons::IDENTITY_AMBIGUOUS),
        ("/CN=peer0/OU=peer/OU=peer", "", reasons::IDENTITY_AMBIGUOUS),
        ("/CN=peer0/OU=peer+OU=orderer", "", reasons::IDENTITY_AMBIGUOUS),
        ("/CN=..\\/principals\\/security/OU=client", "", reasons::IDENTITY_AMBIGUOUS),
        ("/CN=sécurité/OU=client", "", reasons::IDENTITY_AMBIGUOUS),
        // No client's certificates.
        ("/CN=peer0/OU=peer", "basicConstraints=critical,CA:TRUE", reasons::NO_ROLE),
        ("/CN=peer0/OU=peer", "extendedKeyUsage=serverAuth", reasons::NO_ROLE),
        ("/CN=peer0/OU=peer", "keyUsage=keyEncipherment", reasons::NO_ROLE),
        ("/CN=peer0/OU=peer", "1.2.3.4=critical,DER:0500", reasons::IDENTITY_AMBIGUOUS),
    ] {
        assert_eq!(identity(subject, extensions), expected, "{subject} {extensions}");
    }
}

#[test]
fn the_organization_is_the_anchors_whatever_the_subject_says() {
    let world = World::new();
    let by_two = world.issuer(&world.two, "/O=Org1/O=org1/CN=peer0/OU=peer", "");
    assert_eq!(as_text(&world.identify(&[&by_two])), "org2/peer0 peer");
    // Nor does presenting the other's authority help, nor having it first.
    assert_eq!(as_text(&world.identify(&[&by_two, &world.one.0])), "org2/peer0 peer");
    assert_eq!(as_text(&world.identify(&[&world.one.0, &by_two])), reasons::NO_ROLE);
    // An authority of the same name as org1's, with a key of its own.
    let key = world.openssl.key(Algorithm::EcP256);
    let impostor = (world.openssl.authority(&key, "/O=Org1/CN=ca", 365), key);
    let certificate = world.issuer(&impostor, "/CN=peer0/OU=peer", "");
    assert_eq!(as_text(&world.identify(&[&certificate])), reasons::UNKNOWN_ANCHOR);
    assert_eq!(as_text(&world.identify(&[&certificate, &impostor.0])), reasons::UNKNOWN_ANCHOR);
    let error = world.identify(&[&certificate]).unwrap_err().to_string();
    assert!(error.contains("but not its key"), "{error}");
    // Self-signed, and an unknown authority.
    let own = world.openssl.self_signed(&world.key, "/CN=peer0/OU=peer", 1, "-addext basicConstraints=CA:FALSE");
    assert_eq!(as_text(&world.identify(&[&own])), reasons::UNKNOWN_ANCHOR);
    assert_eq!(as_text(&world.identify(&[])), reasons::IDENTITY_AMBIGUOUS);
}

#[test]
fn certificates_of_old_kinds_are_refused_with_what_to_do() {
    let world = World::new();
    let request = world.openssl.request(&world.key, Hash::Sha256, "/CN=peer0/OU=peer", "");
    let (request, extensions) = (world.openssl.file(&request), world.openssl.file(b"subjectKeyIdentifier=hash"));
    for (options, expected) in [("", "not of X.509 version 3"), ("-sha1 -extfile @", "signed with SHA-256 or longer")] {
        let path = world.openssl.path();
        let mut paths = vec![&*request, &*world.one.0.path, &*world.one.1.path, &*path];
        paths.extend(options.contains('@').then_some(&*extensions));
        let arguments = format!("x509 -req -inform DER -in @ -CA @ -CAkey @ -set_serial 1 -out @ {options}");
        world.openssl.run(&arguments, &paths);
        let error = world.identify(&[&world.openssl.certificate(path)]).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn an_intermediate_authority_must_be_registered_itself() {
    let mut world = World::new();
    let intermediate = world.intermediate("/O=Org1/CN=sub");
    let certificate = world.issuer(&intermediate, "/CN=peer0/OU=peer", "");
    let error = world.identify(&[&certificate, &intermediate.0]).unwrap_err();
    assert_eq!(error.reason(), reasons::UNKNOWN_ANCHOR);
    assert!(error.to_string().contains("register that authority itself"), "{error}");
    assert_eq!(as_text(&world.identify(&[&certificate])), reasons::UNKNOWN_ANCHOR);
    assert_eq!(as_text(&world.identify(&[&certificate, &intermediate.0, &world.one.0])), reasons::UNKNOWN_ANCHOR);

    // Registered, it names whom its own patterns say, not the root's.
    world.anchors.push(anchor("org1", &intermediate.0, &[(Role::Peer, "peer9")]));
    let peer9 = world.issuer(&intermediate, "/CN=peer9/OU=peer", "");
    for chain in [&[&peer9][..], &[&peer9, &intermediate.0], &[&peer9, &intermediate.0, &world.one.0]] {
        assert_eq!(as_text(&world.identify(chain)), "org1/peer9 peer");
    }
    assert_eq!(as_text(&world.identify(&[&certificate, &intermediate.0])), reasons::NAME_NOT_ALLOWED);

    // Another organization's cross-certificate, or its word for an authority further up, takes no member away and locks
    // none out: whoever issued the certificate itself decides.
    let cross = world.openssl.issue(
        (&world.two.0, &world.two.1),
        &intermediate.1,
        "/O=Org1/CN=sub",
        365,
        "basicConstraints=critical,CA:TRUE",
    );
    assert_eq!(as_text(&world.identify(&[&peer9, &cross])), "org1/peer9 peer");

    // Where none of them issued it itself, it is nobody's.
    world.anchors.pop();
    let both = world.identify(&[&peer9, &cross, &intermediate.0]).unwrap_err();
    assert_eq!(both, IdentityError::SeveralOrganizations);
}

#[test]
fn a_registration_gives_its_role_to_its_key_under_its_name_alone() {
    let mut world = World::new();
    let issue = |subject: &str| world.openssl.issue((&world.one.0, &world.one.1), &world.officer, subject, 365, "");
    let (plain, as_peer) = (issue("/CN=security"), issue("/CN=security/OU=peer/OU=client"));
    let (other_name, by_two) = (issue("/CN=peer0/OU=peer"), {
        world.openssl.issue((&world.two.0, &world.two.1), &world.officer, "/CN=security", 365, "")
    });
    assert_eq!(as_text(&world.identify(&[&plain])), "org1/security security-officer");
    assert_eq!(as_text(&world.identify(&[&as_peer])), "org1/security security-officer");
    let error = world.identify(&[&other_name]).unwrap_err();
    assert_eq!(error.reason(), reasons::NAME_NOT_ALLOWED);
    assert!(error.to_string().contains("registered for organizations/org1/principals/security"), "{error}");
    // In org1 only: org2's authority certified the same key, and it is nobody there.
    assert_eq!(as_text(&world.identify(&[&by_two])), reasons::NO_ROLE);

    let taken = world.identify(&[&world.member("/CN=security/OU=client")]).unwrap_err().to_string();
    assert!(taken.contains("registered with another public key"), "{taken}");
    // A second key for the name: both are the officer's while one follows the other.
    world.registrations.push(registration("org1", "security", Role::SecurityOfficer, &world.key));
    assert_eq!(as_text(&world.identify(&[&world.member("/CN=security")])), "org1/security security-officer");
    assert_eq!(as_text(&world.identify(&[&plain])), "org1/security security-officer");
}

#[test]
fn validity_counts_of_the_certificate_and_of_its_anchor() {
    let mut world = World::new();
    let key = world.openssl.key(Algorithm::EcP256);
    let short = (world.openssl.authority(&key, "/O=Org1/CN=short", 30), key);
    world.anchors.push(anchor("org1", &short.0, &[(Role::Peer, "*")]));
    let registry = world.registry();
    let (long, outliving) = (world.member("/CN=peer0/OU=peer"), world.issuer(&short, "/CN=peer0/OU=peer", ""));
    let yesterday = UnixTime::since_unix_epoch(Duration::from_secs(UnixTime::now().as_secs() - DAY));
    for (certificate, now, expected) in [
        (&long, later(0), "org1/peer0 peer"),
        (&long, later(364), "org1/peer0 peer"),
        (&long, later(366), "the client certificate expired"),
        (&long, yesterday, "the client certificate is valid from"),
        (&outliving, later(29), "org1/peer0 peer"),
        (&outliving, later(31), "the certificate of its trust anchor expired"),
    ] {
        let result = identify(&registry, &[certificate], now);
        match &result {
            Ok(_) => assert_eq!(as_text(&result), expected),
            Err(error) => {
                assert_eq!(error.reason(), reasons::CERTIFICATE_EXPIRED);
                assert!(error.to_string().contains(expected), "{error}");
            }
        }
        assert_eq!(result.is_ok(), expected.starts_with("org1"), "{expected}");
    }
    // The identity ends with whichever ends first.
    let ends = |certificate| identify(&registry, &[certificate], later(0)).unwrap().not_after;
    assert!(ends(&long).abs_diff(later(365).as_secs()) < 60);
    assert!(ends(&outliving).abs_diff(later(30).as_secs()) < 60);
}

#[test]
fn a_key_that_is_kept_here_does_not_log_in_however_it_is_encoded() {
    let world = World::new();
    let registry = world.registry();
    let kept: [u8; 32] = Sha256::digest(&world.key.public).into();
    let held_here = |key: &[u8; 32]| *key == kept;
    let identify = |certificate: &Certificate| {
        registry.identify(&[CertificateDer::from(certificate.der.clone())], UnixTime::now(), &held_here)
    };
    let certificate = world.member("/CN=peer0/OU=peer");
    assert_eq!(identify(&certificate).unwrap_err(), IdentityError::KeyHeldHere);
    assert_eq!(identify(&certificate).unwrap_err().reason(), reasons::KEY_HELD_HERE);

    let compressed = world.openssl.path();
    world.openssl.run("ec -in @ -conv_form compressed -out @", &[&world.key.path, &compressed]);
    let mut key = world.key.clone();
    key.path = compressed;
    let again = world.openssl.issue((&world.one.0, &world.one.1), &key, "/CN=peer0/OU=peer", 365, "");
    assert_ne!(again.der.len(), certificate.der.len(), "openssl compressed the point");
    let error = identify(&again).unwrap_err();
    assert!(error.to_string().contains("uncompressed form"), "{error}");

    let fresh = world.openssl.issue((&world.one.0, &world.one.1), &world.officer, "/CN=security", 365, "");
    let identity = identify(&fresh).unwrap();
    assert_eq!(identity.public_key_sha256, <[u8; 32]>::from(Sha256::digest(&world.officer.public)));
    assert_eq!(identity.principal.certificate_fingerprint, <[u8; 32]>::from(Sha256::digest(&fresh.der)));
}

#[test]
fn authorities_of_every_algorithm_that_tls_has_may_vouch() {
    let mut world = World::new();
    for algorithm in ALGORITHMS.into_iter().filter(|algorithm| is_in_tls(*algorithm)) {
        let key = world.openssl.key(algorithm);
        let authority = (world.openssl.authority(&key, "/O=Org1/CN=another", 365), key);
        world.anchors.push(anchor("org1", &authority.0, &[(Role::Peer, "*")]));
        let certificate = world.issuer(&authority, "/CN=node0/OU=peer", "");
        assert_eq!(as_text(&world.identify(&[&certificate])), "org1/node0 peer", "{algorithm}");
    }
}

#[test]
fn clients_with_keys_that_tls_lacks_are_told_so() {
    let world = World::new();
    let issuer = (&world.one.0, &world.one.1);
    for algorithm in [Algorithm::Sm2, Algorithm::EcSecp256k1] {
        let key = world.openssl.key(algorithm);
        let certificate = world.openssl.issue(issuer, &key, "/CN=peer0/OU=peer", 365, "");
        let error = world.identify(&[&certificate]).unwrap_err();
        assert_eq!(error.reason(), reasons::NO_ROLE);
        assert!(error.to_string().contains(&format!("TLS lacks {algorithm}; use a key of P-256")), "{error}");
    }
    // Under an authority that calls itself ours and signs with SM2.
    let key = world.openssl.key(Algorithm::Sm2);
    let authority = (world.openssl.authority(&key, "/O=Org1/CN=ca", 365), key);
    let result = world.identify(&[&world.issuer(&authority, "/CN=peer0/OU=peer", "")]);
    assert!(result.is_err(), "{result:?}");
}

#[test]
fn an_authority_may_renew_its_certificate_with_the_same_key() {
    let mut world = World::new();
    let renewed = world.openssl.authority(&world.one.1, "/O=Org1/CN=ca", 1000);
    world.anchors.push(anchor("org1", &renewed, &[(Role::Peer, "node*")]));
    assert_eq!(as_text(&world.identify(&[&world.member("/CN=peer0/OU=peer")])), "org1/peer0 peer");
    assert_eq!(as_text(&world.identify(&[&world.member("/CN=node0/OU=peer")])), "org1/node0 peer");
}

#[test]
fn names_of_strangers_are_shown_escaped_and_not_at_length() {
    let world = World::new();
    let key = world.openssl.key(Algorithm::EcP256);
    let stranger = (world.openssl.authority(&key, "/O=\u{1b}[31mOrg1\u{202e}/CN=ca", 365), key);
    let error = world.identify(&[&world.issuer(&stranger, "/CN=peer0/OU=peer", "")]).unwrap_err().to_string();
    assert!(error.contains("Org1") && !error.contains(char::is_control) && !error.contains('\u{202e}'), "{error:?}");
}

proptest! {
    #[test]
    fn garbage_identifies_nobody_and_nothing_panics(
        chain in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..600), 0..4),
    ) {
        let registry = Registry::new(Members::default()).unwrap();
        let chain: Vec<_> = chain.into_iter().map(CertificateDer::from).collect();
        prop_assert!(registry.identify(&chain, UnixTime::now(), &|_| false).is_err());
    }
}

#[test]
fn no_damaged_certificate_identifies_anyone() {
    let world = World::new();
    let registry = world.registry();
    let good = world.member("/CN=peer0/OU=peer").der;
    for at in 0..good.len() {
        for flip in [1, 0x20, 0x80, 0xff] {
            let mut der = good.clone();
            der[at] ^= flip;
            let result = registry.identify(&[CertificateDer::from(der)], UnixTime::now(), &|_| false);
            assert!(result.is_err(), "byte {at} ^ {flip:#x}");
        }
    }
}

//! What a registry may hold.

use super::{World, anchor, organization, registration};
use crate::{
    crypto::tests::openssl::Certificate,
    identity::{Members, Registry, RegistryError},
    model::{Algorithm, OrganizationName, Registration, Role, TrustAnchor},
};

fn with(anchors: Vec<TrustAnchor>, registrations: Vec<Registration>) -> Result<Registry, RegistryError> {
    let organizations = vec![organization("org1"), organization("org2")];
    Registry::new(Members { organizations, anchors, registrations, ..Members::default() })
}

#[test]
fn organizations_are_found_by_name_and_stand_there_once() {
    let registry = with(Vec::new(), Vec::new()).unwrap();
    let names: Vec<_> = registry.organizations().map(|one| one.name.id()).collect();
    assert_eq!(names, ["org1", "org2"]);
    let name = OrganizationName::from_id("org2").unwrap();
    assert_eq!(registry.organization(&name), Some(&organization("org2")));
    assert_eq!(registry.organization(&OrganizationName::from_id("org3").unwrap()), None);
    let twice = Registry::new(Members {
        organizations: vec![organization("org1"), organization("org1")],
        ..Members::default()
    });
    assert!(matches!(twice, Err(RegistryError::OrganizationTwice(_))));
}

#[test]
fn anchors_are_certificate_authorities_of_known_organizations() {
    let world = World::new();
    let openssl = &world.openssl;
    let key = openssl.key(Algorithm::EcP256);
    let plain = |extensions: &str| openssl.self_signed(&key, "/CN=ca", 365, extensions);
    let secp256k1 = openssl.authority(&openssl.key(Algorithm::EcSecp256k1), "/CN=ca", 365);
    let sm2 = openssl.authority(&openssl.key(Algorithm::Sm2), "/CN=ca", 365);
    let compressed = {
        let mut key = key.clone();
        key.path = openssl.path();
        openssl.run("ec -in @ -conv_form compressed -out @", &[&world.key.path, &key.path]);
        openssl.authority(&key, "/CN=ca", 365)
    };
    let mut garbage = world.one.0.clone();
    garbage.der.truncate(100);
    let without_usage = plain("-addext basicConstraints=critical,CA:TRUE");
    for (what, organization, certificate, patterns, expected) in [
        ("one with no key usage", "org1", &without_usage, &[(Role::Client, "*")][..], None),
        ("an unknown organization's", "org3", &world.one.0, &[], Some("does not exist; create it first")),
        (
            "CA:FALSE",
            "org1",
            &plain("-addext basicConstraints=critical,CA:FALSE"),
            &[],
            Some("no certificate authority's"),
        ),
        (
            "no keyCertSign",
            "org1",
            &plain("-addext basicConstraints=CA:TRUE -addext keyUsage=cRLSign"),
            &[],
            Some("no keyCertSign"),
        ),
        ("garbage", "org1", &garbage, &[], Some("malformed")),
        ("a second encoding", "org1", &compressed, &[], Some("uncompressed form")),
        ("secp256k1", "org1", &secp256k1, &[], Some("can't vouch for clients")),
        ("SM2", "org1", &sm2, &[], Some("can't vouch for clients")),
        ("a role of officers", "org1", &world.one.0, &[(Role::SecurityOfficer, "*")], Some("register the key instead")),
        (
            "a role of auditors",
            "org1",
            &world.one.0,
            &[(Role::Peer, "*"), (Role::Auditor, "*")],
            Some("register the key"),
        ),
    ] {
        let result = with(vec![anchor(organization, certificate, patterns)], Vec::new());
        match expected {
            None => assert!(result.is_ok(), "{what}: {result:?}"),
            Some(expected) => {
                let error = result.unwrap_err().to_string();
                assert!(error.contains(expected), "{what}: {error}");
            }
        }
    }
}

#[test]
fn an_anchor_is_of_one_organization() {
    let world = World::new();
    let openssl = &world.openssl;
    // The same certificate, another certificate of the same key, another name for the key.
    let renewed = openssl.authority(&world.one.1, "/O=Org1/CN=ca", 100);
    let renamed = openssl.authority(&world.one.1, "/O=Org2/CN=other", 100);
    for certificate in [&world.one.0, &renewed, &renamed] {
        let shared = with(vec![anchor("org1", &world.one.0, &[]), anchor("org2", certificate, &[])], Vec::new());
        assert!(matches!(shared, Err(RegistryError::AnchorShared { .. })), "{shared:?}");
    }
    // One that the other's issued, whichever is given first.
    let intermediate = world.intermediate("/O=Org2/CN=sub").0;
    let issued = |first: (&str, &Certificate), second: (&str, &Certificate)| {
        with(vec![anchor(first.0, first.1, &[]), anchor(second.0, second.1, &[])], Vec::new())
    };
    for result in [
        issued(("org1", &world.one.0), ("org2", &intermediate)),
        issued(("org2", &intermediate), ("org1", &world.one.0)),
    ] {
        let error = result.unwrap_err();
        assert!(matches!(error, RegistryError::AnchorIssuedByOther { .. }), "{error}");
        assert!(error.to_string().contains("of organizations/org2 was issued by an anchor of organizations/org1"));
    }
    // Within one organization both are its own to register.
    issued(("org1", &world.one.0), ("org1", &intermediate)).unwrap();
    issued(("org1", &world.one.0), ("org1", &renewed)).unwrap();
    // And names alone don't tie organizations together.
    let key = openssl.key(Algorithm::EcP256);
    issued(("org1", &world.one.0), ("org2", &openssl.authority(&key, "/O=Org1/CN=ca", 100))).unwrap();
}

#[test]
fn a_key_is_one_principals_and_a_principal_has_one_role() {
    let world = World::new();
    let register = |registrations: &[Registration]| with(Vec::new(), registrations.to_vec());
    let officer = registration("org1", "security", Role::SecurityOfficer, &world.officer);
    let other_name = registration("org1", "auditor", Role::Auditor, &world.officer);
    let other_organization = registration("org2", "security", Role::SecurityOfficer, &world.officer);
    let second_key = registration("org1", "security", Role::SecurityOfficer, &world.key);
    let second_role = registration("org1", "security", Role::Auditor, &world.key);
    let unknown = registration("org3", "security", Role::SecurityOfficer, &world.officer);
    register(&[officer.clone(), second_key]).unwrap();
    register(&[officer.clone(), officer.clone()]).unwrap();
    for second in [other_name, other_organization] {
        let result = register(&[officer.clone(), second]);
        assert!(matches!(result, Err(RegistryError::KeyOfTwo { .. })), "{result:?}");
    }
    assert!(matches!(register(&[officer, second_role]), Err(RegistryError::TwoRoles { .. })));
    assert!(matches!(register(&[unknown]), Err(RegistryError::UnknownOrganization(_))));
    let operator = |organization, key| registration(organization, "operator", Role::PlatformOperator, key);
    register(&[operator("org1", &world.officer)]).unwrap();
    let two = register(&[operator("org1", &world.officer), operator("org2", &world.key)]);
    assert!(matches!(two, Err(RegistryError::SeveralOperators { .. })), "{two:?}");
}

//! Registrations: a role is given to a public key and taken away, on open connections too.

use crate::{
    authority::{Authority, peer},
    given::{
        Bearer, Suspend, is_let_in, named, of_members, openssl, principal, public_key, reason, register, registration,
        suspension, unregister,
    },
    shared::{ORG1, ORG2, call, client, create, deployment, id, key, records},
};
use chancery_api::v1::{
    Algorithm, GetPublicKeyRequest, LiftSuspensionRequest, ListRecordsRequest, NewPrincipal, RegisterPrincipalRequest,
};
use chancery_audit::record::Outcome;
use chancery_client::Code;
use rcgen::{KeyPair, SubjectPublicKeyInfo};
use std::fs;

/// The public key of a dev client.
fn pem_of(client: &str) -> String {
    fs::read_to_string(deployment().client_dir(client).join("cert.pem")).unwrap()
}

#[tokio::test]
async fn a_registration_is_in_force_at_once_and_ends_at_once() {
    let (ca, officer) = (Authority::of("org1"), client("org1-security").await);
    let new = Bearer::new(&ca, &named("auditor-new"));
    let open = new.connect().await;
    let request = ListRecordsRequest { parent: ORG1.into(), ..Default::default() };
    let read = async || call(open.audit().list_records(request.clone())).await;
    assert_eq!(reason(read().await), "NO_ROLE");

    let first = registration(ORG1, "auditor", "auditor-new", &new.pem);
    let registered = register(&officer, first.clone()).await.unwrap();
    assert_eq!((registered.name.as_str(), registered.role.as_str()), (&*principal(ORG1, "auditor-new"), "auditor"));
    assert_eq!(registered.keys[0].public_key_sha256, new.public_key());
    read().await.expect("on the connection that was open before");
    // The same request again is answered as the first time, and makes no second record.
    assert_eq!(register(&officer, first).await.unwrap(), registered);

    // A second key of the same name and role, in DER and from an authority that nobody knows: it is the key that counts.
    let second = KeyPair::generate().unwrap();
    let unknown = Authority::unknown(&[(rcgen::DnType::CommonName, "someone's CA")]);
    let der = unknown.certify(&named("auditor-new"), &second).der().to_vec();
    let both = RegisterPrincipalRequest {
        principal: Some(NewPrincipal { role: "auditor".into(), certificate: der }),
        ..registration(ORG1, "auditor", "auditor-new", "")
    };
    assert_eq!(register(&officer, both).await.unwrap().keys.len(), 2);
    let second = Bearer::with(&ca, &named("auditor-new"), second);
    is_let_in(&second.connect().await).await.unwrap();
    read().await.unwrap();

    let left = unregister(&officer, &registered.name, new.public_key()).await.unwrap();
    assert_eq!(left.keys.len(), 1);
    assert_eq!(reason(read().await), "NAME_NOT_ALLOWED", "the connection is still open");
    assert_eq!(open.connections_made(), 1);
    is_let_in(&second.connect().await).await.unwrap();
    assert!(unregister(&officer, &registered.name, Vec::new()).await.unwrap().keys.is_empty());
    let error = is_let_in(&second.connect().await).await.unwrap_err();
    assert_eq!((error.code, error.reason.as_deref()), (Code::Unauthenticated, Some("NAME_NOT_ALLOWED")));
    // Nobody bears the name: not even a node that its authority may name so.
    assert_eq!(unregister(&officer, &registered.name, Vec::new()).await.unwrap_err().code, Code::NotFound);

    let log = records(&client("org1-auditor").await, of_members(ORG1)).await;
    let made: Vec<_> = (log.iter())
        .filter(|record| record.resource == registered.name && record.outcome() == Outcome::Succeeded)
        .map(|record| record.action.as_str())
        .collect();
    let [registered, unregistered] = ["RegisterPrincipal", "UnregisterPrincipal"];
    assert_eq!(made, [registered, registered, unregistered, unregistered], "each once");
}

/// A name that was registered is nobody's once its last key is gone, also where the authority's patterns would allow it.
#[tokio::test]
async fn a_name_whose_last_key_is_gone_is_nobodys() {
    let (ca, officer) = (Authority::of("org1"), client("org1-security").await);
    let node = Bearer::new(&ca, &peer("peer-kept"));
    register(&officer, registration(ORG1, "peer", "peer-kept", &node.pem)).await.unwrap();
    is_let_in(&node.connect().await).await.unwrap();
    unregister(&officer, &principal(ORG1, "peer-kept"), Vec::new()).await.unwrap();
    for bearer in [node, Bearer::new(&ca, &peer("peer-kept"))] {
        assert_eq!(reason(is_let_in(&bearer.connect().await).await), "NAME_NOT_ALLOWED");
    }
}

#[tokio::test]
async fn what_can_not_be_registered() {
    let (ca, officer) = (Authority::of("org1"), client("org1-security").await);
    let fresh = Bearer::new(&ca, &named("fresh"));
    let of_officer =
        KeyPair::from_pem(&fs::read_to_string(deployment().client_dir("org1-security").join("key.pem")).unwrap());
    let of_officer = ca.certify(&named("other-name"), &of_officer.unwrap()).pem();
    let foreign =
        KeyPair::from_pem(&fs::read_to_string(deployment().client_dir("org2-auditor").join("key.pem")).unwrap());
    let foreign = ca.certify(&named("foreign"), &foreign.unwrap()).pem();
    let kept = key("registered");
    create(&kept, "peer0", Algorithm::EcP256).await;
    let spki = call(client("org1-peer0").await.signing().get_public_key(GetPublicKeyRequest { name: kept })).await;
    let kept = ca.certify(&named("kept"), &SubjectPublicKeyInfo::from_der(&spki.unwrap().der).unwrap()).pem();
    let sm2 = openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"], b"");
    let off_tls = openssl(&["req", "-x509", "-key", "/dev/stdin", "-subj", "/CN=off-tls", "-days", "1"], &sm2);
    let off_tls = String::from_utf8(off_tls).unwrap();

    for (what, request, expected, message) in [
        ("no confirmation", registration(ORG1, "auditor", "", &fresh.pem), "CONFIRMATION_NEEDED", "repeat `fresh`"),
        (
            "another's",
            registration(ORG1, "auditor", "frehs", &fresh.pem),
            "INVALID_ARGUMENT",
            "`fresh` is to be changed",
        ),
        ("no role", registration(ORG1, "admin", "fresh", &fresh.pem), "INVALID_ARGUMENT", "none of: peer"),
        ("garbage", registration(ORG1, "auditor", "fresh", "garbage"), "INVALID_ARGUMENT", "certificate"),
        (
            "an operator elsewhere",
            registration(ORG1, "platform-operator", "fresh", &fresh.pem),
            "INVALID_ARGUMENT",
            "the organization that runs the service",
        ),
        (
            "another's key",
            registration(ORG1, "auditor", "other-name", &of_officer),
            "INVALID_ARGUMENT",
            "registered for organizations/org1/principals/security",
        ),
        (
            "another organization's key, which is not named",
            registration(ORG1, "auditor", "foreign", &foreign),
            "INVALID_ARGUMENT",
            "registered in another organization",
        ),
        ("a second role", registration(ORG1, "ca", "auditor", &pem_of("org1-auditor")), "INVALID_ARGUMENT", "one role"),
        ("a key kept here", registration(ORG1, "client", "kept", &kept), "KEY_HELD_HERE", "kept by this service"),
        ("a key that TLS lacks", registration(ORG1, "client", "off-tls", &off_tls), "INVALID_ARGUMENT", "TLS lacks"),
    ] {
        let error = register(&officer, request).await.expect_err(what);
        assert_eq!(error.reason.as_deref(), Some(expected), "{what}: {error}");
        assert!(error.message.contains(message), "{what}: {error}");
        assert!(!error.message.contains("org2"), "{what}: {error}");
    }
    for number in 0..5 {
        let pem = Bearer::new(&ca, &named("many-keys")).pem;
        let answer = register(&officer, registration(ORG1, "auditor", "many-keys", &pem)).await;
        assert_eq!(answer.is_ok(), number < 4, "{number}: {answer:?}");
    }
}

/// The last officer who could let others in stays.
#[tokio::test]
async fn the_last_officer_stays() {
    let (ca, first) = (Authority::of("org2"), client("org2-security").await);
    let own = principal(ORG2, "security");
    let error = unregister(&first, &own, Vec::new()).await.unwrap_err();
    assert!(error.message.contains("the last security officer"), "{error}");
    let error = unregister(&first, &own, public_key(&pem_of("org2-security"))).await.unwrap_err();
    assert!(error.message.contains("the last security officer"), "{error}");
    // One that is suspended does not count.
    let second = Bearer::new(&ca, &named("security2"));
    register(&first, registration(ORG2, "security-officer", "security2", &second.pem)).await.unwrap();
    let name = principal(ORG2, "security2");
    let suspended =
        call(first.admin().suspend_principal(suspension(ORG2, Suspend::Principal(name.clone())))).await.unwrap();
    assert!(unregister(&first, &own, Vec::new()).await.unwrap_err().message.contains("the last security officer"));
    let lift = LiftSuspensionRequest { name: suspended.name, request_id: id() };
    call(first.admin().lift_suspension(lift)).await.unwrap();
    // With two, either may go.
    let second = second.connect().await;
    unregister(&second, &name, Vec::new()).await.unwrap();
    assert_eq!(reason(is_let_in(&second).await), "NAME_NOT_ALLOWED");
}

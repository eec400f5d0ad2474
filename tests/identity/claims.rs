//! With an organization's CA key in hand: what certificates get, and what they do not get.

use crate::{
    authority::{Authority, SECOND_CN, SECOND_OU, Stranger, client, peer},
    shared::{ORG1, call, create, creation, deployment, id, key, records, sign, signing},
};
use chancery_api::v1::{Algorithm, CreateKeyRequest, GetKeyRequest, Key, ListRecordsRequest};
use chancery_audit::record::Kind;
use chancery_client::{Client, Code};
use rcgen::{DnType, KeyPair, SanType};
use std::process::Command;

const CN: DnType = DnType::CommonName;
const OU: DnType = DnType::OrganizationalUnitName;
const O: DnType = DnType::OrganizationName;

fn second_cn() -> DnType {
    DnType::CustomDnType(SECOND_CN.into())
}

fn second_ou() -> DnType {
    DnType::CustomDnType(SECOND_OU.into())
}

/// The whole line of "Done when": no role but peer, orderer or client, and none outside the names allowed.
#[tokio::test]
async fn a_stolen_ca_key_makes_no_officer() {
    let ca = Authority::of("org1");
    for (parts, reason) in [
        // A registered name with a fresh key, whatever unit it claims.
        (&[(CN, "security"), (OU, "client")][..], "NAME_NOT_ALLOWED"),
        (&[(CN, "security"), (OU, "peer")], "NAME_NOT_ALLOWED"),
        (&[(CN, "security"), (OU, "security-officer")], "NAME_NOT_ALLOWED"),
        (&[(CN, "security")], "NAME_NOT_ALLOWED"),
        (&[(CN, "auditor"), (OU, "client")], "NAME_NOT_ALLOWED"),
        (&[(CN, "ca"), (OU, "client")], "NAME_NOT_ALLOWED"),
        // Units that confer nothing.
        (&[(CN, "client9"), (OU, "admin")], "NO_ROLE"),
        (&[(CN, "client9"), (OU, "security-officer")], "NO_ROLE"),
        (&[(CN, "client9"), (OU, "auditor")], "NO_ROLE"),
        (&[(CN, "client9"), (OU, "platform-operator")], "NO_ROLE"),
        (&[(CN, "client9"), (OU, "PEER")], "NO_ROLE"),
        (&[(CN, "client9")], "NO_ROLE"),
        // Names outside the patterns, and roles that a name's pattern does not give.
        (&[(CN, "mallory"), (OU, "peer")], "NAME_NOT_ALLOWED"),
        (&[(CN, "mallory"), (OU, "client")], "NAME_NOT_ALLOWED"),
        (&[(CN, "peer0"), (OU, "orderer")], "NAME_NOT_ALLOWED"),
        (&[(CN, "orderer0"), (OU, "peer")], "NAME_NOT_ALLOWED"),
        (&[(CN, "PEER0"), (OU, "peer")], "NAME_NOT_ALLOWED"),
        // Two names, two roles, or no name that could be a principal's.
        (&[(CN, "peer0"), (second_cn(), "peer1"), (OU, "peer")], "IDENTITY_AMBIGUOUS"),
        (&[(CN, "peer0"), (second_cn(), "peer0"), (OU, "peer")], "IDENTITY_AMBIGUOUS"),
        (&[(second_cn(), "peer0"), (CN, "security"), (OU, "peer")], "IDENTITY_AMBIGUOUS"),
        (&[(CN, "peer0"), (OU, "peer"), (second_ou(), "orderer")], "IDENTITY_AMBIGUOUS"),
        (&[(CN, "peer0"), (OU, "client"), (second_ou(), "client")], "IDENTITY_AMBIGUOUS"),
        (&[(CN, "peer0/keys/x"), (OU, "peer")], "IDENTITY_AMBIGUOUS"),
        (&[(CN, "peer0\nsecurity"), (OU, "peer")], "IDENTITY_AMBIGUOUS"),
        (&[(CN, ""), (OU, "peer")], "IDENTITY_AMBIGUOUS"),
        (&[(OU, "peer")], "IDENTITY_AMBIGUOUS"),
    ] {
        let error = ca.admit(&client(parts)).knock().await.expect_err(&format!("{parts:?}"));
        assert_eq!((error.code, error.reason.as_deref()), (Code::Unauthenticated, Some(reason)), "{parts:?}: {error}");
        assert!(!error.retryable);
    }
}

/// The names and roles that certificates do give: a fresh key under an allowed name is that principal, and no more.
#[tokio::test]
async fn allowed_names_are_nodes_and_nothing_else() {
    let ca = Authority::of("org1");
    for (parts, allowed) in [
        (&[(CN, "peer7"), (OU, "peer")][..], true),
        (&[(CN, "orderer7"), (OU, "orderer")], true),
        (&[(CN, "client7"), (OU, "client")], true),
        // What Fabric CA adds changes nothing.
        (&[(CN, "peer8"), (OU, "admin"), (second_ou(), "peer")], true),
        (&[(CN, "peer9"), (OU, "security-officer"), (second_ou(), "peer")], true),
        (&[(O, "org2"), (CN, "peer6"), (OU, "peer")], true),
    ] {
        let node = ca.admit(&client(parts)).connect().await.unwrap();
        is_a_node_of_org1(&node, parts[if parts[0].0 == O { 1 } else { 0 }].1, allowed).await;
    }
    // Alternative names confer nothing, whatever they spell.
    for name in
        ["spiffe://org1/security-officer", "urn:org1:principals:security", "organizations/org1/principals/security"]
    {
        let mut parameters = peer("peer5");
        parameters.subject_alt_names = vec![SanType::URI(name.try_into().unwrap())];
        let node = ca.admit(&parameters).connect().await.unwrap();
        is_a_node_of_org1(&node, "peer5", true).await;
        let mut parameters = client(&[(CN, "client9")]);
        parameters.subject_alt_names = vec![SanType::URI(name.try_into().unwrap())];
        let error = ca.admit(&parameters).knock().await.unwrap_err();
        assert_eq!(error.reason.as_deref(), Some("NO_ROLE"), "{name}");
    }
}

async fn is_a_node_of_org1(node: &Client, name: &str, enrols: bool) {
    let own = |parent: &str| CreateKeyRequest {
        parent: parent.into(),
        key_id: format!("of-{name}-{}", id()),
        key: Some(Key { algorithm: Algorithm::EcP256.into(), ..Key::default() }),
        request_id: id(),
        ..CreateKeyRequest::default()
    };
    let made = call(node.keys().create_key(own(ORG1))).await;
    assert_eq!(made.as_ref().ok().map(|key| key.owner.clone()), enrols.then(|| format!("{ORG1}/principals/{name}")));
    for (what, denied) in [
        ("another's key", call(node.keys().create_key(creation(&key(&id()), "peer0", Algorithm::EcP256))).await.err()),
        ("org2", call(node.keys().create_key(own("organizations/org2"))).await.err()),
        ("a key unseen", call(node.keys().get_key(GetKeyRequest { name: key("unseen") })).await.err()),
        (
            "records",
            call(node.audit().list_records(ListRecordsRequest { parent: ORG1.into(), ..Default::default() }))
                .await
                .err(),
        ),
    ] {
        assert_eq!(denied.unwrap().reason.as_deref(), Some("DENIED"), "{what}");
    }
}

/// The organization is the anchor's: org2's CA makes members of org2 whatever it writes into the subject.
#[tokio::test]
async fn an_anchor_vouches_for_its_own_organization_only() {
    let (org1, org2) = (Authority::of("org1"), Authority::of("org2"));
    let name = key("org1s");
    create(&name, "peer0", Algorithm::EcP256).await;
    let parts = [(O, "org1"), (second_ou(), "org1"), (CN, "peer0"), (OU, "peer")];
    let (key, chain_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let certificate = org2.certify(&client(&parts), &key).pem();
    // With org1's own certificate in the chain it is org2's still.
    for chain in [certificate.clone(), format!("{certificate}{}", org1.pem()), format!("{certificate}{}", org2.pem())] {
        let impostor = Stranger::new(&chain, &key.serialize_pem()).connect().await.unwrap();
        let error = sign(&impostor, signing(&name, b"x")).await.unwrap_err();
        assert_eq!(error.reason.as_deref(), Some("DENIED"));
        let auditor = crate::shared::client("org2-auditor").await;
        let request =
            ListRecordsRequest { parent: "organizations/org2".into(), key: name.clone(), ..Default::default() };
        let denial = records(&auditor, request).await.pop().unwrap();
        assert_eq!((denial.kind(), denial.principal.unwrap().organization.as_str()), (Kind::Denial, "org2"));
    }
    // org1's authority by name, not by key.
    let impostor = Authority::unknown(&[(CN, "identity CA"), (O, "org1")]);
    let certificate = impostor.certify(&peer("peer0"), &chain_key).pem();
    for chain in
        [certificate.clone(), format!("{certificate}{}", impostor.pem()), format!("{certificate}{}", org1.pem())]
    {
        let error = Stranger::new(&chain, &chain_key.serialize_pem()).knock().await.unwrap_err();
        assert_eq!((error.code, error.reason.as_deref()), (Code::Unauthenticated, Some("UNKNOWN_ANCHOR")), "{error}");
    }
}

#[tokio::test]
async fn an_unregistered_intermediate_makes_nobody() {
    let ca = Authority::of("org1");
    let below = ca.intermediate(&[(CN, "department CA"), (O, "org1")]);
    let further = below.intermediate(&[(CN, "team CA"), (O, "org1")]);
    for (issuer, chain) in [(&below, vec![&below]), (&further, vec![&further, &below]), (&below, vec![&below, &ca])] {
        let key = KeyPair::generate().unwrap();
        let mut pem = issuer.certify(&peer("peer0"), &key).pem();
        chain.iter().for_each(|authority| pem.push_str(authority.pem()));
        let error = Stranger::new(&pem, &key.serialize_pem()).knock().await.unwrap_err();
        assert_eq!((error.code, error.reason.as_deref()), (Code::Unauthenticated, Some("UNKNOWN_ANCHOR")), "{error}");
    }
    // The authority's own certificate is no client's, though its key is at hand.
    let own = std::fs::read_to_string(deployment().dir().join("identity/org1.key")).unwrap();
    let error = Stranger::new(ca.pem(), &own).knock().await.unwrap_err();
    assert_eq!(error.code, Code::Unauthenticated, "{error}");
}

/// Who was refused after the handshake stands in the log, and the command says why.
#[tokio::test]
async fn a_refused_certificate_is_recorded_and_explained() {
    let stranger = Authority::of("org1").admit(&client(&[(CN, "mallory"), (OU, "peer")]));
    let mut chancery = Command::new(crate::harness::program("chancery"));
    chancery.arg("--config").arg(stranger.config()).args(["keys", "list", ORG1]);
    let output = tokio::task::spawn_blocking(move || chancery.output().unwrap()).await.unwrap();
    crate::harness::expect_code(&output, 77);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("NAME_NOT_ALLOWED") && said.contains("mallory"), "{said}");
    let auditor = crate::shared::client("org1-auditor").await;
    let all = records(&auditor, ListRecordsRequest { parent: ORG1.into(), ..Default::default() }).await;
    let refusal = all.iter().find(|record| record.reason == "NAME_NOT_ALLOWED" && record.action == "ListKeys");
    let by = refusal.expect("its organization's auditor sees it").principal.as_ref().unwrap();
    assert_eq!((by.organization.as_str(), by.name.as_str(), by.certificate_fingerprint.len()), ("org1", "", 32));
}

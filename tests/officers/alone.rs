//! One security officer, alone: it uses no key by whatever way, and gets nobody in who would for it.

use crate::{
    harness::expect_code,
    place::{OFFICER, Place, SECOND},
    shared::{ORG1, call, creation, id, key, signing},
};
use chancery_api::{
    reasons::{APPROVAL_NEEDED, DENIED, INVALID_ARGUMENT},
    v1::{
        AddTrustAnchorRequest, Algorithm, ApproveOperationRequest, BackUpKeysRequest,
        CreateCertificateSigningRequestRequest, Custodian, GetPoliciesRequest, ImportKeyRequest, ListApprovalsRequest,
        ListTrustAnchorsRequest, NamePattern, NewPrincipal, NewTrustAnchor, RegisterPrincipalRequest,
        SetPoliciesRequest,
    },
};
use chancery_client::{Client, ClientError};
use std::{fs, process::Command};

/// A permit for everybody and everything.
const PERMIT_ALL: &str = r#"@id("everything") permit (principal, action, resource);"#;

#[track_caller]
fn refused<T>(what: &str, answer: Result<T, ClientError>, reason: &str) -> String {
    let error = answer.err().unwrap_or_else(|| panic!("{what} was done"));
    assert_eq!(error.reason.as_deref(), Some(reason), "{what}: {error}");
    error.message
}

fn set(text: &str) -> SetPoliciesRequest {
    SetPoliciesRequest {
        name: format!("{ORG1}/policies"),
        text: text.into(),
        request_id: id(),
        confirm: "org1".into(),
        validate_only: false,
    }
}

fn openssl(place: &Place, arguments: &str) -> Vec<u8> {
    let output =
        Command::new("openssl").args(arguments.split_whitespace()).current_dir(place.0.dir()).output().unwrap();
    expect_code(&output, 0);
    output.stdout
}

/// To register the bearer of a client's certificate.
fn registration(place: &Place, client: &str, name: &str, role: &str) -> RegisterPrincipalRequest {
    let certificate = fs::read(place.0.client_dir(client).join("cert.pem")).unwrap();
    RegisterPrincipalRequest {
        parent: ORG1.into(),
        principal: Some(NewPrincipal { role: role.into(), certificate }),
        request_id: id(),
        confirm: name.into(),
    }
}

/// A certificate for the officer's own key, under any name, is a certificate that it may show to be registered.
fn puppet(place: &Place, name: &str) -> String {
    let client = format!("org1-{name}-puppet");
    place.issue(&client, name, Some(OFFICER));
    client
}

/// What the officer may not do with any key, and for itself.
async fn uses_no_key(officer: &Client, name: &str) {
    refused("Sign", crate::shared::sign(officer, signing(name, b"x")).await, DENIED);
    let request = CreateCertificateSigningRequestRequest {
        name: name.into(),
        subject: "CN=security".into(),
        request_id: id(),
        ..Default::default()
    };
    let asked = call(officer.certificates().create_certificate_signing_request(request)).await;
    refused("CreateCertificateSigningRequest", asked, DENIED);
    for owner in ["security", ""] {
        let mut own = creation(&key("own"), "security", Algorithm::EcP256);
        if owner.is_empty() {
            own.key.as_mut().unwrap().owner.clear();
        }
        let import = ImportKeyRequest {
            parent: own.parent.clone(),
            key_id: own.key_id.clone(),
            key: own.key.clone(),
            import_job: vec![1; 16],
            sealed_key: vec![2; 200],
            request_id: id(),
            version: 0,
        };
        refused("CreateKey", call(officer.keys().create_key(own)).await, DENIED);
        refused("ImportKey", call(officer.keys().import_key(import)).await, DENIED);
    }
}

#[tokio::test]
async fn an_officer_signs_by_no_policy_and_under_no_other_name() {
    let place = Place::new("waiting_period = \"0s\"").await;
    let officer = place.0.client(OFFICER).await;
    let name = place.key("nodes");
    uses_no_key(&officer, &name).await;

    // Its own policies: nobody sets them alone, and set by both, they outweigh no forbid.
    refused("SetPolicies", call(officer.admin().set_policies(set(PERMIT_ALL))).await, APPROVAL_NEEDED);
    let policies = async || {
        let request = GetPoliciesRequest { name: format!("{ORG1}/policies") };
        call(officer.admin().get_policies(request)).await.unwrap().text
    };
    assert_eq!(policies().await, "");
    let asked = place.approvals("");
    place.run(SECOND, &format!("approvals approve {}", asked[0]));
    call(officer.admin().set_policies(set(PERMIT_ALL))).await.unwrap();
    assert_eq!(policies().await, PERMIT_ALL);
    uses_no_key(&officer, &name).await;

    // Another owner's key is no more the other officer's.
    let theirs = key("of-the-second");
    crate::shared::make(&officer, creation(&theirs, "second", Algorithm::EcP256)).await;
    let second = place.0.client(SECOND).await;
    refused("the second's", crate::shared::sign(&second, signing(&theirs, b"x")).await, DENIED);

    // Its own public key is its own name's and role's, whoever asks.
    for (bearer, role) in [("client9", "client"), ("peer0", "peer"), ("security", "client")] {
        let client = if bearer == "security" { OFFICER.to_owned() } else { puppet(&place, bearer) };
        let request = registration(&place, &client, bearer, role);
        refused(bearer, call(officer.admin().register_principal(request)).await, INVALID_ARGUMENT);
    }
    // And a second key of its own name takes two, and would be an officer's.
    place.issue("org1-security-more", "security", None);
    let more = registration(&place, "org1-security-more", "security", "security-officer");
    refused("a second key", call(officer.admin().register_principal(more)).await, APPROVAL_NEEDED);
    let other_role = registration(&place, "org1-security-more", "security", "client");
    refused("a second role", call(officer.admin().register_principal(other_role)).await, INVALID_ARGUMENT);
    place.run("org1-peer0", &format!("keys show {name}"));
    expect_code(&place.0.verify_log(), 0);
}

#[tokio::test]
async fn nobody_gets_in_for_one_officer_alone() {
    let place = Place::new("waiting_period = \"0s\"").await;
    let officer = place.0.client(OFFICER).await;
    let before = (place.run(OFFICER, "principals list org1"), place.run(OFFICER, "anchors list org1"));

    place.issue("org1-mine", "mine", None);
    let request = registration(&place, "org1-mine", "mine", "client");
    refused("a client of its own", call(officer.admin().register_principal(request.clone())).await, APPROVAL_NEEDED);

    // An authority of its own: it can prove the key, and that is not enough.
    openssl(&place, "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out own.key");
    openssl(
        &place,
        "req -x509 -new -key own.key -out own.pem -days 7 -subj /O=org1/CN=own -addext keyUsage=keyCertSign",
    );
    let list = ListTrustAnchorsRequest { parent: ORG1.into(), ..Default::default() };
    let text = call(officer.admin().list_trust_anchors(list)).await.unwrap().proof_text;
    fs::write(place.0.dir().join("text"), text).unwrap();
    let proof = openssl(&place, "dgst -sha256 -sign own.key text");
    let pattern = NamePattern { role: "client".into(), pattern: "own*".into() };
    let certificate = fs::read(place.0.dir().join("own.pem")).unwrap();
    let anchor = |patterns| AddTrustAnchorRequest {
        parent: ORG1.into(),
        anchor: Some(NewTrustAnchor { certificate: certificate.clone(), patterns }),
        proof: proof.clone(),
        request_id: id(),
        confirm: "org1".into(),
    };
    let added = call(officer.admin().add_trust_anchor(anchor(vec![pattern]))).await;
    refused("an authority of its own", added, APPROVAL_NEEDED);

    // What it asked for it does not approve, and nothing of it is done.
    let waiting = ListApprovalsRequest { parent: ORG1.into(), ..Default::default() };
    let waiting = call(officer.admin().list_approvals(waiting)).await.unwrap().approvals;
    assert_eq!(waiting.len(), 2, "{waiting:?}");
    for approval in waiting {
        let approve = ApproveOperationRequest { name: approval.name, request_id: id() };
        refused("its own", call(officer.admin().approve_operation(approve)).await, APPROVAL_NEEDED);
    }
    let again = RegisterPrincipalRequest { request_id: id(), ..request };
    refused("once more", call(officer.admin().register_principal(again)).await, APPROVAL_NEEDED);
    assert_eq!((place.run(OFFICER, "principals list org1"), place.run(OFFICER, "anchors list org1")), before);
    assert_eq!(place.refused("org1-mine", "status").exit_code, 77);

    // The proof alone lets an authority in that names nobody: whom it certifies is nobody until two say otherwise.
    let added = call(officer.admin().add_trust_anchor(anchor(Vec::new()))).await.unwrap();
    let home = "clients/org1-mine";
    openssl(
        &place,
        &format!(
            "x509 -req -in {home}/csr.pem -CA own.pem -CAkey own.key -set_serial 7 -days 7 -extfile {home}/extensions \
             -out {home}/cert.pem"
        ),
    );
    let nobody = place.refused("org1-mine", "keys list org1");
    assert!(nobody.exit_code == 77 && nobody.reason != DENIED, "{nobody:?}");
    let patterns =
        format!("anchors update {} --client own* --confirm {}", added.name, added.name.rsplit('/').next().unwrap());
    place.asked(&patterns);
}

#[tokio::test]
async fn a_key_that_one_officer_knows_gets_into_no_nodes_hands() {
    let place = Place::new("waiting_period = \"0s\"").await;
    let officer = place.0.client(OFFICER).await;
    let name = place.key("nodes");
    let before = place.run(OFFICER, &format!("keys show {name}"));
    openssl(&place, "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out known.key");
    let path = |file: &str| place.0.dir().join(file).to_str().unwrap().to_owned();
    let (known, audit_key) = (path("known.key"), path("audit.vkey"));
    for into in [name.clone(), key("fresh")] {
        place.asked(&format!(
            "keys import {into} --in {known} --protection enclave --owner peer0 --audit-key {audit_key}"
        ));
    }
    assert_eq!(place.run(OFFICER, &format!("keys show {name}")), before);
    assert_eq!(place.refused(OFFICER, &format!("keys show {}", key("fresh"))).reason, "NOT_FOUND");

    // A backup that it could open alone: by one share, by its own share twice, or for somebody's name with its key.
    let public_key = place.public_key(OFFICER);
    let custodian =
        |name: &str| Custodian { principal: format!("{ORG1}/principals/{name}"), public_key: public_key.clone() };
    for (threshold, names, reason) in [
        (1, vec!["security"], DENIED),
        (1, vec!["security", "second"], DENIED),
        (2, vec!["security", "second"], INVALID_ARGUMENT),
        (2, vec!["security", "security"], INVALID_ARGUMENT),
    ] {
        let request = BackUpKeysRequest {
            parent: ORG1.into(),
            threshold,
            custodians: names.iter().map(|name| custodian(name)).collect(),
            request_id: id(),
        };
        let answer = match call(officer.keys().back_up_keys(request)).await {
            Ok(mut answers) => loop {
                match answers.message().await {
                    Ok(Some(_)) => {}
                    Ok(None) => break Ok(()),
                    Err(status) => break Err(status.into()),
                }
            },
            Err(error) => Err(error),
        };
        refused(&format!("{threshold} of {names:?}"), answer, reason);
    }
    assert_eq!(place.run(OFFICER, "backup list org1").as_array().unwrap().len(), 0);
    assert_eq!(place.approvals("").len(), 2, "no more than the two imports wait");
    expect_code(&place.0.verify_log(), 0);
}

//! Organizations: made whole or not at all, never touched again by whoever made them.

use crate::{
    authority::{Authority, Member},
    founding::{creation, found, knock, new_anchor, new_principal, refused},
    shared::{self, call, client, deployment, id, records, sign, signing},
};
use chancery_api::{
    reasons,
    v1::{
        Algorithm, CreateOrganizationRequest, EnrollingRoles, GetOrganizationRequest, ListOrganizationsRequest,
        ListRecordsRequest, Organization, UpdateOrganizationRequest,
    },
};
use chancery_client::{Client, ClientError};

async fn create(request: CreateOrganizationRequest) -> Result<Organization, ClientError> {
    call(client("platform-operator").await.admin().create_organization(request)).await
}

async fn read(client: &Client, name: &str) -> Result<Organization, ClientError> {
    call(client.admin().get_organization(GetOrganizationRequest { name: name.into() })).await
}

#[tokio::test]
async fn a_new_organizations_officer_makes_a_key_that_its_client_signs_with() {
    let new = found("founded").await;
    let member = new.member("client1", 7).connect().await;
    let key = format!("{}/keys/first", new.name);
    let made = shared::make(&new.officer, shared::creation(&key, "client1", Algorithm::EcP256)).await;
    assert_eq!(made.owner, format!("{}/principals/client1", new.name));
    sign(&member, signing(&key, b"first")).await.unwrap();
    refused(sign(&new.officer, signing(&key, b"second")).await, reasons::DENIED);

    let seen = read(&new.auditor, &new.name).await.unwrap();
    assert_eq!((seen.name.as_str(), seen.pin_strict, seen.accept_expired_crl), (new.name.as_str(), false, false));
    assert!(seen.create_time.is_some());
    // Its own log begins with how it came to be.
    let request = ListRecordsRequest { parent: new.name.clone(), ..Default::default() };
    let first = records(&new.auditor, request).await.into_iter().next().unwrap();
    assert_eq!((first.action.as_str(), first.resource.as_str()), ("CreateOrganization", new.name.as_str()));
    assert_eq!(first.principal.unwrap().name, "operator");
    assert_eq!(first.states.len(), 4, "the organization, its anchor, its officer and its auditor");
}

#[tokio::test]
async fn an_organization_is_made_once() {
    let authority = Authority::p256("/O=once/CN=ca");
    let (certificate, _) = authority.issue("security", "staff", 1, 3600);
    let request = creation("once", &authority, vec![new_principal("security-officer", &certificate)]);
    let made = create(request.clone()).await.unwrap();
    assert_eq!(create(request.clone()).await.unwrap(), made, "the same request again");
    let other = CreateOrganizationRequest { enrolling_roles: vec!["peer".into()], ..request.clone() };
    refused(create(other.clone()).await, reasons::REQUEST_ID_REUSED);
    refused(create(CreateOrganizationRequest { request_id: id(), ..other }).await, reasons::ALREADY_EXISTS);
    // An existing one is no more to be had by its own anchor.
    let org1 = CreateOrganizationRequest { organization_id: "org1".into(), request_id: id(), ..request };
    refused(create(org1).await, reasons::ALREADY_EXISTS);
}

#[tokio::test]
async fn what_could_not_run_is_not_made() {
    let authority = Authority::p256("/O=lame/CN=ca");
    let (officer, key) = authority.issue("security", "staff", 1, 3600);
    let sound = || creation("lame", &authority, vec![new_principal("security-officer", &officer)]);
    let with = |more: (&str, &str)| {
        let mut request = sound();
        request.principals.push(new_principal(more.0, more.1));
        request
    };
    let org1 = Authority::of(deployment(), "org1");
    let (elsewhere, _) = Authority::p256("/O=elsewhere/CN=ca").issue("security", "staff", 1, 3600);
    let (expired, _) = authority.issue("security", "staff", 2, -10);
    let (second, _) = authority.issue("auditor", "staff", 3, 3600);
    for (request, words) in [
        (CreateOrganizationRequest { principals: Vec::new(), ..sound() }, "security-officer"),
        (CreateOrganizationRequest { anchors: Vec::new(), ..sound() }, "anchors"),
        (CreateOrganizationRequest { organization_id: "No Id".into(), ..sound() }, "organization_id"),
        (CreateOrganizationRequest { enrolling_roles: vec!["king".into()], ..sound() }, "king"),
        (creation("lame", &authority, vec![new_principal("auditor", &second)]), "security-officer"),
        (creation("lame", &authority, vec![new_principal("security-officer", &elsewhere)]), "could not log in"),
        (creation("lame", &authority, vec![new_principal("security-officer", &expired)]), "could not log in"),
        (with(("platform-operator", &second)), "platform-operator"),
        (with(("auditor", &officer)), "two roles"),
        (with(("auditor", "no certificate")), "principals.certificate"),
        (CreateOrganizationRequest { anchors: vec![new_anchor(&org1)], ..sound() }, "another organization"),
    ] {
        let message = refused(create(request).await, reasons::INVALID_ARGUMENT);
        assert!(message.contains(words) && !message.contains("org1"), "{words}: {message}");
    }
    // Of all these nothing stayed: neither the name nor the authority is taken.
    let member = Member::new(deployment(), &officer, &key);
    refused(knock(&member.connect().await).await, reasons::UNKNOWN_ANCHOR);
    create(sound()).await.unwrap();
    knock(&member.connect().await).await.unwrap();
}

#[tokio::test]
async fn the_operator_sees_organizations_names_alone() {
    let new = found("listed").await;
    let operator = client("platform-operator").await;
    let (mut names, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListOrganizationsRequest { page_size: 1, page_token };
        let page = call(operator.admin().list_organizations(request)).await.unwrap();
        for found in page.organizations {
            assert_eq!(found, Organization { name: found.name.clone(), ..Default::default() });
            names.push(found.name);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert!(names.is_sorted() && names.contains(&new.name) && names.contains(&shared::ORG1.to_owned()), "{names:?}");
    refused(read(&operator, &new.name).await, reasons::DENIED);
    for client in [&new.officer, &new.auditor] {
        refused(call(client.admin().list_organizations(ListOrganizationsRequest::default())).await, reasons::DENIED);
        refused(
            call(client.admin().create_organization(creation("mine", &new.authority, Vec::new()))).await,
            reasons::DENIED,
        );
    }
}

#[tokio::test]
async fn officers_change_their_organization_and_confirm_it() {
    let new = found("changed").await;
    let request = |confirm: &str| UpdateOrganizationRequest {
        name: new.name.clone(),
        pin_strict: Some(true),
        request_id: id(),
        confirm: confirm.into(),
        ..Default::default()
    };
    let update = async |client: &Client, request| call(client.admin().update_organization(request)).await;
    refused(update(&new.officer, request("")).await, reasons::CONFIRMATION_NEEDED);
    refused(update(&new.officer, request("org1")).await, reasons::INVALID_ARGUMENT);
    let operator = client("platform-operator").await;
    for other in [&new.auditor, &operator] {
        refused(update(other, request("changed")).await, reasons::DENIED);
    }
    assert!(!read(&new.auditor, &new.name).await.unwrap().pin_strict);
    assert!(update(&new.officer, request("changed")).await.unwrap().pin_strict);

    let roles = vec!["peer".to_owned(), "client".to_owned(), "peer".to_owned()];
    let more = UpdateOrganizationRequest {
        pin_strict: None,
        enrolling_roles: Some(EnrollingRoles { roles }),
        ..request("changed")
    };
    let changed = update(&new.officer, more).await.unwrap();
    assert_eq!((changed.pin_strict, changed.enrolling_roles.len()), (true, 2), "what is absent stays");
    assert_eq!(read(&new.auditor, &new.name).await.unwrap(), changed);
}

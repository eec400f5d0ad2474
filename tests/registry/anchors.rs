//! Trust anchors: added, narrowed, removed, in force on open connections.

use crate::{
    authority::Authority,
    founding::{Founded, found, knock, new_anchor, patterns, refused},
    shared::{call, deployment, id},
};
use chancery_api::{
    reasons,
    v1::{
        AddTrustAnchorRequest, ListTrustAnchorsRequest, NewTrustAnchor, RemoveTrustAnchorRequest, TrustAnchor,
        UpdateTrustAnchorRequest,
    },
};
use chancery_client::ClientError;

fn last(name: &str) -> String {
    name.rsplit('/').next().unwrap().to_owned()
}

async fn remove(by: &Founded, name: &str) -> Result<TrustAnchor, ClientError> {
    let request = RemoveTrustAnchorRequest { name: name.into(), request_id: id(), confirm: last(name) };
    call(by.officer.admin().remove_trust_anchor(request)).await
}

#[tokio::test]
async fn an_anchors_members_come_and_go_with_it() {
    let new = found("anchored").await;
    let second = Authority::p256("/O=anchored/CN=second");
    let member = second.member(deployment(), "client5", "client", 5);
    refused(knock(&member.connect().await).await, reasons::UNKNOWN_ANCHOR);

    let added = new.add(&second).await.unwrap();
    assert_eq!((added.certificate.as_slice(), added.removed), (second.der().as_slice(), false));
    assert!(added.name.starts_with(&format!("{}/anchors/", new.name)) && added.expire_time.is_some());
    assert!(added.subject.contains("CN=second"), "{}", added.subject);
    refused(new.add(&second).await, reasons::ALREADY_EXISTS);
    let open = member.connect().await;
    knock(&open).await.unwrap();

    let removed = remove(&new, &added.name).await.unwrap();
    assert!(removed.removed);
    // On the open connection, and for whoever comes.
    refused(knock(&open).await, reasons::UNKNOWN_ANCHOR);
    refused(knock(&member.connect().await).await, reasons::UNKNOWN_ANCHOR);
    refused(remove(&new, &added.name).await, reasons::WRONG_STATE);
    assert_eq!(new.anchors().await.iter().filter(|anchor| anchor.removed).count(), 1, "it stays listed");

    assert_eq!(new.add(&second).await.unwrap().name, added.name, "the same certificate again");
    knock(&open).await.unwrap();
}

#[tokio::test]
async fn patterns_say_who_is_named_on_open_connections_too() {
    let new = found("patterned").await;
    let name = new.anchors().await.remove(0).name;
    let (client, other) = (new.member("client1", 1).connect().await, new.member("app1", 2).connect().await);
    knock(&client).await.unwrap();
    refused(knock(&other).await, reasons::NAME_NOT_ALLOWED);
    let request = |given: &[(&str, &str)], confirm: &str| UpdateTrustAnchorRequest {
        name: name.clone(),
        patterns: patterns(given),
        request_id: id(),
        confirm: confirm.into(),
    };
    let update = async |request| call(new.officer.admin().update_trust_anchor(request)).await;
    refused(update(request(&[("client", "app*")], "")).await, reasons::CONFIRMATION_NEEDED);
    refused(update(request(&[("client", "app*")], "patterned")).await, reasons::INVALID_ARGUMENT);
    for given in [("security-officer", "*"), ("king", "*"), ("client", ""), ("client", "a b")] {
        refused(update(request(&[given], &last(&name))).await, reasons::INVALID_ARGUMENT);
    }
    let updated = update(request(&[("client", "app*")], &last(&name))).await.unwrap();
    assert_eq!(updated.patterns, patterns(&[("client", "app*")]));
    refused(knock(&client).await, reasons::NAME_NOT_ALLOWED);
    knock(&other).await.unwrap();
}

#[tokio::test]
async fn nobody_removes_what_vouches_for_itself() {
    let new = found("rooted").await;
    let own = new.anchors().await.remove(0).name;
    refused(remove(&new, &own).await, reasons::WRONG_STATE);
    // A second authority does not vouch for this officer; a second certificate of its own one's key does.
    new.add(&Authority::p256("/O=rooted/CN=second")).await.unwrap();
    refused(remove(&new, &own).await, reasons::WRONG_STATE);
    new.add(&new.authority.renewed("/O=rooted/CN=ca")).await.unwrap();
    remove(&new, &own).await.unwrap();
    knock(&new.officer).await.unwrap();
    refused(remove(&new, &format!("{}/anchors/{}", new.name, "0".repeat(32))).await, reasons::NOT_FOUND);
}

#[tokio::test]
async fn what_is_no_authority_is_no_anchor() {
    let new = found("picky").await;
    let (client, _) = new.authority.issue("client1", "client", 9, 3600);
    let weak = Authority::new("-algorithm EC -pkeyopt ec_paramgen_curve:secp256k1", "/O=picky/CN=k1");
    let no_issuer = Authority::with(
        "-algorithm EC -pkeyopt ec_paramgen_curve:P-256",
        "/O=picky/CN=n",
        "keyUsage=critical,digitalSignature",
        9,
    );
    let sound = new.addition(&Authority::p256("/O=picky/CN=sound"));
    let with = |certificate: Vec<u8>| AddTrustAnchorRequest {
        anchor: Some(NewTrustAnchor { certificate, patterns: Vec::new() }),
        request_id: id(),
        ..sound.clone()
    };
    for request in [
        with(client.into_bytes()),
        with(weak.pem()),
        with(no_issuer.pem()),
        with(b"no certificate".to_vec()),
        with(Vec::new()),
        AddTrustAnchorRequest { anchor: None, ..sound.clone() },
        AddTrustAnchorRequest { confirm: "org1".into(), ..sound.clone() },
    ] {
        refused(call(new.officer.admin().add_trust_anchor(request)).await, reasons::INVALID_ARGUMENT);
    }
    let unconfirmed = AddTrustAnchorRequest { confirm: String::new(), ..sound.clone() };
    refused(call(new.officer.admin().add_trust_anchor(unconfirmed)).await, reasons::CONFIRMATION_NEEDED);
    refused(call(new.auditor.admin().add_trust_anchor(sound)).await, reasons::DENIED);
    assert_eq!(new.anchors().await.len(), 1);
}

#[tokio::test]
async fn anchors_are_listed_page_by_page_and_bounded() {
    let new = found("many").await;
    let mut refusal = None;
    for days in 0..40 {
        let authority = Authority::p256(&format!("/O=many/CN=ca{days}"));
        let anchor = Some(new_anchor(&authority));
        let request = AddTrustAnchorRequest { anchor, request_id: id(), ..new.addition(&authority) };
        if let Err(error) = call(new.officer.admin().add_trust_anchor(request)).await {
            refusal = Some((days, error));
            break;
        }
    }
    let (added, error) = refusal.unwrap();
    assert_eq!((added, error.reason.as_deref()), (31, Some(reasons::INVALID_ARGUMENT)), "{error}");
    let (mut names, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListTrustAnchorsRequest { parent: new.name.clone(), page_size: 5, page_token };
        let page = call(new.auditor.admin().list_trust_anchors(request)).await.unwrap();
        assert!(page.trust_anchors.len() <= 5);
        names.extend(page.trust_anchors.into_iter().map(|anchor| anchor.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(names.len(), 32);
    assert!(names.is_sorted(), "each once");
}

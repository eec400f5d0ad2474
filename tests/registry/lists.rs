//! Which revocation lists are taken: whole ones of a registered anchor, each newer than the one before.

use crate::{
    authority::{Authority, List},
    founding::{Founded, found, knock, refused},
    shared::{ORG1, call, id},
};
use chancery_api::{
    reasons,
    v1::{RemoveTrustAnchorRequest, TrustAnchor, UpdateOrganizationRequest, UpdateRevocationListRequest},
};
use chancery_client::ClientError;

async fn bring(by: &Founded, crl: Vec<u8>) -> Result<TrustAnchor, ClientError> {
    let request = UpdateRevocationListRequest { name: by.name.clone(), crl, request_id: id() };
    call(by.officer.admin().update_revocation_list(request)).await
}

#[tokio::test]
async fn numbers_only_grow() {
    let new = found("numbered").await;
    let list = |number, revoked| new.authority.list(&List { number: Some(number), revoked, ..List::default() });
    let member = new.member("client1", 0xabcd).connect().await;
    knock(&member).await.unwrap();
    let tenth = list(10, &[0xabcd, 3]);
    let anchor = bring(&new, tenth.clone()).await.unwrap();
    let summary = anchor.revocation_list.unwrap();
    assert_eq!((summary.number.as_str(), summary.entries, summary.expired), ("10", 2, false));
    refused(knock(&member).await, reasons::CERTIFICATE_REVOKED);
    // Neither an older one nor another of the same number lets it in again.
    for (number, shown) in [(9, "9"), (10, "10"), (1, "1")] {
        let message = refused(bring(&new, list(number, &[])).await, reasons::WRONG_STATE);
        assert!(message.contains(&format!("number is {shown},")) && message.contains("in force is 10"), "{message}");
    }
    refused(knock(&member).await, reasons::CERTIFICATE_REVOKED);
    bring(&new, tenth).await.expect("the same list again is no change");
    // A newer one does: that is the anchor's to say.
    bring(&new, list(258, &[3])).await.unwrap();
    knock(&member).await.unwrap();
    let listed = new.anchors().await.remove(0).revocation_list.unwrap();
    assert_eq!((listed.number.as_str(), listed.entries), ("258", 1));
}

#[tokio::test]
async fn what_is_not_a_whole_list_of_a_registered_anchor_is_refused() {
    let new = found("critical").await;
    let with = |extensions| new.authority.list(&List { number: Some(7), extensions, ..List::default() });
    let timed = |from, until| new.authority.list(&List { from, until, ..List::default() });
    let stranger = Authority::p256("/O=critical/CN=stranger").list(&List::default());
    let namesake = Authority::p256("/O=critical/CN=ca").list(&List::default());
    let mut damaged = with("");
    let at = damaged.len() - 60;
    damaged[at] = if damaged[at] == b'A' { b'B' } else { b'A' };
    for (crl, words) in [
        (Vec::new(), "crl"),
        (b"no list".to_vec(), "crl"),
        (new.authority.pem(), "X509 CRL"),
        (vec![0x30; 800_000], "bytes"),
        (stranger, "no trust anchor"),
        (namesake, "signature is not"),
        (damaged, "crl"),
        (new.authority.list(&List { number: None, ..List::default() }), "no CRL number"),
        (with("2.5.29.27=critical,DER:020101"), "delta"),
        (with("2.5.29.28=critical,DER:30038401FF"), "indirect"),
        (with("1.2.3.4=critical,DER:0500"), "1.2.3.4"),
        (timed(3600, 7200), "yet to come"),
    ] {
        let message = refused(bring(&new, crl).await, reasons::INVALID_ARGUMENT);
        assert!(message.contains(words), "{words}: {message}");
    }
    refused(bring(&new, timed(-60, -1)).await, reasons::CRL_EXPIRED);
    assert!(new.anchors().await.remove(0).revocation_list.is_none(), "none of them is in force");
    // An extension that is not critical says nothing of the certificates.
    bring(&new, with("1.2.3.4=DER:0500")).await.unwrap();
}

#[tokio::test]
async fn a_list_is_its_anchors_and_no_other_organizations() {
    let (new, other) = (found("listing").await, found("listing-too").await);
    let crl = other.authority.list(&List::default());
    refused(bring(&new, crl.clone()).await, reasons::INVALID_ARGUMENT);
    for name in [other.name.clone(), other.anchors().await.remove(0).name, ORG1.into()] {
        let request = UpdateRevocationListRequest { name, crl: crl.clone(), request_id: id() };
        refused(call(new.officer.admin().update_revocation_list(request)).await, reasons::DENIED);
    }
    // By the anchor's own name, in DER, and by no one but an officer.
    let name = other.anchors().await.remove(0).name;
    let der = pem(&crl);
    let request = UpdateRevocationListRequest { name, crl: der, request_id: id() };
    refused(call(other.auditor.admin().update_revocation_list(request.clone())).await, reasons::DENIED);
    call(other.officer.admin().update_revocation_list(request)).await.unwrap();
    bring(&other, crl).await.expect("the same list, now as PEM");
}

/// What a PEM holds.
fn pem(text: &[u8]) -> Vec<u8> {
    use rustls_pki_types::{CertificateRevocationListDer, pem::PemObject};
    CertificateRevocationListDer::from_pem_slice(text).unwrap().as_ref().to_vec()
}

#[tokio::test]
async fn a_keys_newest_list_counts_for_each_of_its_certificates() {
    let new = found("renewing").await;
    let first = new.anchors().await.remove(0).name;
    let member = new.member("client1", 50).connect().await;
    bring(&new, new.authority.list(&List { number: Some(5), revoked: &[50], ..List::default() })).await.unwrap();
    refused(knock(&member).await, reasons::CERTIFICATE_REVOKED);
    // The authority's new certificate does not forget what the old one revoked, nor does removing that.
    new.add(&new.authority.renewed("/O=renewing/CN=ca")).await.unwrap();
    refused(knock(&member).await, reasons::CERTIFICATE_REVOKED);
    let confirm = first.rsplit('/').next().unwrap().to_owned();
    let request = RemoveTrustAnchorRequest { name: first, request_id: id(), confirm };
    call(new.officer.admin().remove_trust_anchor(request)).await.unwrap();
    refused(knock(&member).await, reasons::CERTIFICATE_REVOKED);
    refused(bring(&new, new.authority.list(&List { number: Some(4), ..List::default() })).await, reasons::WRONG_STATE);
    bring(&new, new.authority.list(&List { number: Some(6), ..List::default() })).await.unwrap();
    knock(&member).await.unwrap();
}

/// Where an organization takes its chances, a list past its next update can be brought too.
#[tokio::test]
async fn an_expired_list_is_taken_where_it_locks_nobody_out() {
    let new = found("lenient").await;
    let request = UpdateOrganizationRequest {
        name: new.name.clone(),
        accept_expired_crl: Some(true),
        request_id: id(),
        confirm: new.id.clone(),
        ..Default::default()
    };
    call(new.officer.admin().update_organization(request.clone())).await.unwrap();
    let expired = new.authority.list(&List { revoked: &[8], from: -60, until: -1, ..List::default() });
    let anchor = bring(&new, expired).await.unwrap();
    assert!(anchor.revocation_list.unwrap().expired);
    knock(&new.member("client1", 7).connect().await).await.unwrap();
    refused(knock(&new.member("client2", 8).connect().await).await, reasons::CERTIFICATE_REVOKED);
    // To be strict now would lock everybody out, the officer first.
    let strict = UpdateOrganizationRequest { accept_expired_crl: Some(false), request_id: id(), ..request };
    refused(call(new.officer.admin().update_organization(strict)).await, reasons::WRONG_STATE);
}

/// As long as a list may be: it is taken, in force, and costs nobody else their connection.
#[tokio::test]
async fn a_list_of_twenty_thousand_certificates_is_taken() {
    let new = found("crowded").await;
    let revoked: Vec<u64> = (0x0100_0000..0x0100_0000 + 20_000).collect();
    let crl = pem(&new.authority.list(&List { revoked: &revoked, ..List::default() }));
    assert!((400_000..512 << 10).contains(&crl.len()), "{}", crl.len());
    let (last, next) = (new.member("client1", 0x0100_0000 + 19_999), new.member("client1", 0x0100_0000 + 20_000));
    let open = last.connect().await;
    knock(&open).await.unwrap();
    assert_eq!(bring(&new, crl).await.unwrap().revocation_list.unwrap().entries, 20_000);
    refused(knock(&open).await, reasons::CERTIFICATE_REVOKED);
    knock(&next.connect().await).await.unwrap();
    let more: Vec<u64> = (0x0100_0000..0x0100_0000 + 26_000).collect();
    let list = List { number: Some(2), revoked: &more, ..List::default() };
    refused(bring(&new, pem(&new.authority.list(&list))).await, reasons::INVALID_ARGUMENT);
}

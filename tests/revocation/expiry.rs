//! Certificates and revocation lists at their end, on connections that were open before.

use crate::{
    authority::{List, Member, seconds},
    founding::{Founded, found, knock, refused},
    shared::{call, create_as, deployment, id, records_in, sign, signing},
};
use chancery_api::{
    reasons,
    v1::{GetOrganizationRequest, TrustAnchor, UpdateOrganizationRequest, UpdateRevocationListRequest},
};
use chancery_client::{Client, ClientError};
use std::time::{Duration, Instant};

/// Knocks until it is refused; why.
async fn until_refused(client: &Client) -> String {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match knock(client).await {
            Ok(()) => assert!(Instant::now() < deadline, "it is still let in"),
            Err(error) => return error.reason.unwrap_or_default(),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn bring(by: &Founded, list: &List<'_>) -> Result<TrustAnchor, ClientError> {
    let request = UpdateRevocationListRequest { name: by.name.clone(), crl: by.authority.list(list), request_id: id() };
    call(by.officer.admin().update_revocation_list(request)).await
}

#[tokio::test]
async fn a_certificate_ends_with_its_last_second_on_an_open_connection() {
    let new = found("ending").await;
    let key = format!("{}/keys/ending", new.name);
    create_as(&new.officer, &key, "client1").await;
    let not_after = seconds() + 6;
    let (certificate, private) = new.authority.issue("client1", "client", 5, 6);
    let client = Member::new(deployment(), &certificate, &private).connect().await;
    sign(&client, signing(&key, b"in time")).await.unwrap();
    let connections = client.connections_made();
    let deadline = Instant::now() + Duration::from_secs(60);
    let error = loop {
        match sign(&client, signing(&key, b"in time")).await {
            Ok(_) => assert!(Instant::now() < deadline, "it still signs"),
            Err(error) => break error,
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(error.reason.as_deref(), Some(reasons::CERTIFICATE_EXPIRED), "{error}");
    assert_eq!(client.connections_made(), connections, "the connection was open all the time");
    let signed = records_in(&new.auditor, &new.name, &key).await;
    let signed: Vec<_> = signed.iter().filter(|record| !record.signature.is_empty()).collect();
    let last = signed.last().unwrap().time_unix_nanos / 1_000_000_000;
    // Issued a moment later than it was computed.
    assert!(signed.len() > 1 && last <= i64::try_from(not_after).unwrap() + 1, "{last} {not_after}");
}

#[tokio::test]
async fn a_list_past_its_next_update_refuses_until_there_is_a_newer_one() {
    let new = found("overdue").await;
    let member = new.member("client1", 11).connect().await;
    let revoked = new.member("client2", 12).connect().await;
    bring(&new, &List { number: Some(1), revoked: &[12], until: 4, ..List::default() }).await.unwrap();
    knock(&member).await.unwrap();
    refused(knock(&revoked).await, reasons::CERTIFICATE_REVOKED);
    assert_eq!(until_refused(&member).await, reasons::CRL_EXPIRED);
    refused(knock(&new.member("client3", 13).connect().await).await, reasons::CRL_EXPIRED);
    refused(knock(&revoked).await, reasons::CERTIFICATE_REVOKED);
    // The officer, too, is let in for nothing but a newer list, and an auditor not for that.
    let read = GetOrganizationRequest { name: new.name.clone() };
    refused(call(new.officer.admin().get_organization(read)).await, reasons::CRL_EXPIRED);
    let newer = List { number: Some(2), revoked: &[12], ..List::default() };
    let by_auditor =
        UpdateRevocationListRequest { name: new.name.clone(), crl: new.authority.list(&newer), request_id: id() };
    refused(call(new.auditor.admin().update_revocation_list(by_auditor)).await, reasons::DENIED);
    refused(bring(&new, &List { number: Some(1), ..List::default() }).await, reasons::WRONG_STATE);
    refused(knock(&member).await, reasons::CRL_EXPIRED);
    bring(&new, &newer).await.unwrap();
    knock(&member).await.unwrap();
    refused(knock(&revoked).await, reasons::CERTIFICATE_REVOKED);
}

#[tokio::test]
async fn an_organization_may_accept_lists_past_their_next_update() {
    let new = found("tolerant").await;
    let request = UpdateOrganizationRequest {
        name: new.name.clone(),
        accept_expired_crl: Some(true),
        request_id: id(),
        confirm: new.id.clone(),
        ..Default::default()
    };
    call(new.officer.admin().update_organization(request)).await.unwrap();
    let (member, revoked) = (new.member("client1", 21).connect().await, new.member("client2", 22).connect().await);
    bring(&new, &List { revoked: &[22], until: 2, ..List::default() }).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !new.anchors().await.remove(0).revocation_list.unwrap().expired {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    knock(&member).await.unwrap();
    refused(knock(&revoked).await, reasons::CERTIFICATE_REVOKED);
}

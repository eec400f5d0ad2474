//! A label that an organization's own policies read is not for a key's owner to set.

use crate::{
    desk::{Desk, is_denied},
    shared::{ORG1, call, id},
};
use chancery_api::v1::{Key, UpdateKeyRequest};
use prost_types::FieldMask;

fn labelled(key: &str, label: &str) -> UpdateKeyRequest {
    let key = Key {
        name: format!("{ORG1}/keys/{key}"),
        labels: [(label.to_owned(), "yes".to_owned())].into(),
        ..Key::default()
    };
    UpdateKeyRequest { key: Some(key), update_mask: Some(FieldMask { paths: vec!["labels".into()] }), request_id: id() }
}

#[tokio::test]
async fn an_officer_freezes_a_key_by_label_and_its_owner_sets_none_that_decides() {
    let desk = Desk::new(&["key"]).await;
    let own = r#"
        @id("frozen")
        forbid (principal, action == Chancery::Action::"Sign", resource)
        when { resource.hasTag("frozen") };
        @id("owners-label")
        permit (principal, action == Chancery::Action::"UpdateKey", resource)
        when { resource has owner && resource.owner == principal };
    "#;
    desk.set(own).await.unwrap();
    call(desk.peer.keys().update_key(labelled("key", "site"))).await.unwrap();
    let error = call(desk.peer.keys().update_key(labelled("key", "frozen"))).await.unwrap_err();
    assert_eq!(error.reason.as_deref(), Some("LABEL_RESERVED"), "{error}");
    desk.sign("key").await.unwrap();
    call(desk.officer.keys().update_key(labelled("key", "frozen"))).await.unwrap();
    assert!(is_denied(&desk.sign("key").await));
    let error = call(desk.peer.keys().update_key(labelled("key", "site"))).await.unwrap_err();
    assert_eq!(error.reason.as_deref(), Some("LABEL_RESERVED"), "nor takes it away: {error}");
}

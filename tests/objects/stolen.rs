//! What a stolen certificate of a node can't do through this path, to its own named keys and to others'.

use crate::{
    asked::{copy, deletion, generated, named, object, of_key, refused, update},
    shared::{ORG2, call, client, create, id, key, records_of, sign, signing},
};
use chancery_api::{
    reasons,
    v1::{Algorithm, CopyObjectRequest, SetPoliciesRequest, UpdateObjectRequest},
};
use std::time::Duration;

#[tokio::test]
async fn a_named_key_is_not_renamed_copied_away_or_destroyed() {
    let thief = client("org1-client").await;
    // Made by an officer, named through PKCS#11, named by use.
    let names = ["stolen-officers", "stolen-named", "stolen-used"].map(key);
    create(&names[0], "client", Algorithm::EcP256).await;
    named(&thief, &names[1], b"stolen").await;
    generated(&thief, &names[2]).await;
    sign(&thief, signing(&names[2], b"used")).await.unwrap();
    for name in &names {
        let before = of_key(&thief, name).await;
        for half in ["private", "public"] {
            // More in a second are counted instead of recorded one by one.
            tokio::time::sleep(Duration::from_millis(600)).await;
            let target = object(name, half);
            refused(call(thief.objects().update_object(update(&target, b"mine", b"mine"))).await, reasons::DENIED);
            let label = UpdateObjectRequest { id: None, ..update(&target, b"", b"mine") };
            refused(call(thief.objects().update_object(label)).await, reasons::DENIED);
            let away = CopyObjectRequest { id: Some(b"mine".to_vec()), ..copy(&target) };
            refused(call(thief.objects().copy_object(away)).await, reasons::DENIED);
            let labelled = CopyObjectRequest { label: Some(b"mine".to_vec()), ..copy(&target) };
            refused(call(thief.objects().copy_object(labelled)).await, reasons::DENIED);
            refused(call(thief.objects().delete_object(deletion(&target))).await, reasons::DENIED);
        }
        assert_eq!(of_key(&thief, name).await, before);
        sign(&thief, signing(name, b"as before")).await.unwrap();
        let denials = records_of(name).await.into_iter().filter(|record| record.reason == reasons::DENIED);
        assert_eq!(denials.count(), 10, "{name}");
    }
}

/// As Fabric's own tests need it.
#[tokio::test]
async fn an_organization_may_permit_renaming_and_still_keeps_last_objects() {
    let (officer, owner) = (client("org2-security").await, client("org2-peer0").await);
    let name = format!("{ORG2}/keys/own-policy");
    create(&name, "peer0", Algorithm::EcP256).await;
    let target = object(&name, "private");
    refused(call(owner.objects().update_object(update(&target, b"renamed", b"renamed"))).await, reasons::DENIED);
    let text = r#"@id("renames") permit (
        principal,
        action in [Chancery::Action::"UpdateObject", Chancery::Action::"DeleteObject"],
        resource
    ) when { resource has owner && resource.owner == principal };"#;
    let name = format!("{ORG2}/policies");
    let request =
        SetPoliciesRequest { name, text: text.into(), confirm: "org2".into(), request_id: id(), ..Default::default() };
    call(officer.admin().set_policies(request)).await.unwrap();
    let renamed = call(owner.objects().update_object(update(&target, b"renamed", b"renamed"))).await.unwrap();
    assert_eq!(renamed.id, b"renamed");
    refused(call(owner.objects().delete_object(deletion(&target))).await, reasons::LAST_OBJECT);
}

/// Denied alike, whether the key exists or not; and no record of the attempt says what the key is called.
#[tokio::test]
async fn keys_of_others_are_denied_and_nothing_is_said_of_them() {
    let (owner, thief) = (client("org1-peer0").await, client("org1-orderer0").await);
    let provisional = key("stolen-provisional");
    generated(&owner, &provisional).await;
    for name in [provisional.clone(), key("stolen-nowhere"), "organizations/org2/keys/stolen-nowhere".to_owned()] {
        let target = object(&name, "private");
        refused(call(thief.objects().update_object(update(&target, b"mine", b"mine"))).await, reasons::DENIED);
        refused(call(thief.objects().copy_object(copy(&target))).await, reasons::DENIED);
        refused(call(thief.objects().delete_object(deletion(&target))).await, reasons::DENIED);
    }
    let denials: Vec<_> = records_of(&provisional).await;
    let denials: Vec<_> = denials.iter().filter(|record| record.reason == reasons::DENIED).collect();
    assert_eq!(denials.len(), 3);
    for record in denials {
        assert_eq!(crate::shared::context(record, "ski"), Some(""), "{record:?}");
        assert_eq!(crate::shared::context(record, "standing"), Some("named"), "{record:?}");
    }
    assert_eq!(of_key(&owner, &provisional).await.len(), 2);
}

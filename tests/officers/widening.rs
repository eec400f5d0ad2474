//! What lets somebody do more takes two officers: members of groups, labels that policies read, lifted suspensions.

use crate::place::{OFFICER, Place, SECOND};

#[tokio::test]
async fn members_of_groups_and_labels_that_policies_read_take_two() {
    let place = Place::new("waiting_period = \"0s\"").await;
    let set = "groups set organizations/org1/groups/signers --member org1/client";
    place.asked(set);
    assert_eq!(place.run(OFFICER, "groups list org1").as_array().unwrap().len(), 0);
    place.approved(set);
    assert_eq!(place.run(OFFICER, "groups list org1").as_array().unwrap().len(), 1);
    place.run(OFFICER, set);

    // The base set reads external-ca, and nothing else.
    let key = place.key("widened");
    place.run(OFFICER, &format!("keys update {key} --label team=blue"));
    let label = format!("keys update {key} --label external-ca=true");
    place.asked(&label);
    let labels = || place.run(OFFICER, &format!("keys show {key}"))["labels"].clone();
    assert_eq!(labels(), serde_json::json!({ "team": "blue" }));
    place.approved(&label);
    assert_eq!(labels(), serde_json::json!({ "team": "blue", "external-ca": "true" }));
    place.asked(&format!("keys update {key} --remove-label external-ca"));
}

#[tokio::test]
async fn a_suspension_is_lifted_by_two_where_there_are_two() {
    let place = Place::new("waiting_period = \"0s\"").await;
    place.run(OFFICER, "suspensions add org1 --principal org1/client --reason lost");
    let lift = "suspensions lift organizations/org1/suspensions/principal-client";
    place.asked(lift);
    place.approved(lift);
    place.run(OFFICER, lift);

    // Whom the other suspended can't approve that it is let in again.
    place.run(OFFICER, "suspensions add org1 --principal org1/second --reason mistaken");
    let refusal = place.refused(SECOND, "keys list org1");
    assert_eq!(refusal.reason, "SUSPENDED");
    place.run(OFFICER, "suspensions lift organizations/org1/suspensions/principal-second");
    place.run(SECOND, "keys list org1");
}

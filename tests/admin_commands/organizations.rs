//! An organization, from its first officer to its second, and what its own officers alone change.

use crate::{
    desk::{Desk, operator, refusal, told},
    harness::expect_code,
    shared::deployment,
};
use serde_json::json;

#[test]
fn an_organization_and_its_second_officer() {
    let desk = Desk::new("cmd-founded");
    let listed = String::from_utf8(operator("organizations list").stdout).unwrap();
    assert!(listed.lines().any(|line| line == "cmd-founded"), "{listed}");
    // Its maker has no say in it.
    expect_code(&operator("organizations show cmd-founded"), 77);
    expect_code(&operator("organizations update cmd-founded --pin-strict true --confirm cmd-founded"), 77);
    let shown = desk.json("organizations show cmd-founded");
    assert_eq!((&shown["enrolling_roles"], &shown["pin_strict"]), (&json!(["peer"]), &false.into()));

    let bob = desk.ca.member(deployment(), "bob", "staff", 2);
    assert_eq!(refusal(&bob).as_deref(), Some("NO_ROLE"));
    let register = format!(
        "principals register cmd-founded --role security-officer --certificate {}",
        desk.file("bob.pem", &bob.certificate)
    );
    assert!(desk.told(&register, 64).contains("--confirm bob"));
    assert_eq!(refusal(&bob).as_deref(), Some("NO_ROLE"), "nothing was done");
    let table = desk.table(&format!("{register} --confirm bob"));
    assert!(table.contains("cmd-founded/bob  security-officer"), "{table}");
    assert_eq!(refusal(&bob), None);

    let table = desk.table("principals list cmd-founded");
    assert_eq!(table.matches("security-officer").count(), 2, "{table}");
    let listed = desk.json("principals list cmd-founded");
    assert_eq!(listed[1]["name"], "organizations/cmd-founded/principals/bob");
    let key = listed[1]["keys"][0]["public_key_sha256"].as_str().unwrap();
    let line = format!("principals unregister cmd-founded/bob --public-key {key} --confirm bob");
    assert!(told(&desk.officer, &line.replace("--confirm bob", "--confirm alice"), 64).contains("nothing was done"));
    desk.table(&line);
    assert!(refusal(&bob).is_some());
}

/// The token is the platform operator's matter.
#[test]
fn the_operator_alone_sees_the_token() {
    let desk = Desk::new("cmd-status");
    assert_eq!(desk.json("status")["token"], json!(null));
    told(&desk.officer, "status --token", 77);
    let shown = String::from_utf8(operator("status --token").stdout).unwrap();
    assert!(shown.lines().any(|line| line.starts_with("token       open: ")), "{shown}");
}

#[test]
fn a_new_key_of_a_node_waits_for_an_officer() {
    let desk = Desk::new("cmd-strict");
    let first = desk.peer("peer0", 2);
    assert_eq!(refusal(&first), None);
    let table =
        desk.table("organizations update cmd-strict --pin-strict true --no-enrolling-roles --confirm cmd-strict");
    assert!(table.contains("wait for an officer") && table.contains("enrolling roles    none"), "{table}");

    let second = desk.peer("peer0", 3);
    assert_eq!(refusal(&second).as_deref(), Some("KEY_PENDING"));
    let told = told(&second, "audit checkpoint", 77);
    assert!(told.contains("chancery principals approve-key"), "what to do next: {told}");
    let table = desk.table("principals list cmd-strict");
    let waits: Vec<&str> = table.lines().filter(|line| line.ends_with("waits for an officer")).collect();
    let key = waits[0].split_whitespace().find(|word| word.len() == 64).unwrap();
    assert_eq!((waits.len(), table.matches("cmd-strict/peer0").count()), (1, 2), "{table}");

    desk.table(&format!("principals approve-key cmd-strict/peer0 --public-key {key}"));
    assert_eq!((refusal(&first), refusal(&second)), (None, None));
}

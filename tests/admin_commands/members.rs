//! Suspensions and groups.

use crate::desk::{Desk, refusal};
use serde_json::json;

#[test]
fn a_suspension_holds_until_it_is_lifted() {
    let desk = Desk::new("cmd-suspended");
    let (peer, other) = (desk.peer("peer0", 2), desk.peer("peer1", 3));
    let certificate = desk.file("peer0.pem", &peer.certificate);
    for (who, id) in [
        ("--principal peer0".to_owned(), "principal-peer0"),
        (format!("--certificate {certificate}"), "certificate-"),
        (format!("--public-key {certificate}"), "public-key-"),
    ] {
        assert_eq!(refusal(&peer), None);
        let added = desk.json(&format!("suspensions add cmd-suspended {who} --reason stolen"));
        let name = added["name"].as_str().unwrap();
        assert!(name.rsplit('/').next().unwrap().starts_with(id), "{added}");
        assert_eq!((refusal(&peer).as_deref(), refusal(&other)), (Some("SUSPENDED"), None), "{who}");
        let table = desk.table("suspensions list cmd-suspended");
        assert!(table.lines().any(|line| line.contains(id) && line.contains("in force  stolen")), "{table}");
        let table = desk.table(&format!("suspensions lift {name}"));
        assert!(table.contains("lifted"), "{table}");
    }
    assert_eq!(refusal(&peer), None);
    assert_eq!(desk.json("suspensions list cmd-suspended").as_array().unwrap().len(), 3);
    let told = desk.told("suspensions add cmd-suspended --principal alice --reason oops", 65);
    assert!(told.contains("nobody suspends itself"), "{told}");
}

#[test]
fn a_group_is_who_was_named_last() {
    let desk = Desk::new("cmd-groups");
    desk.table("groups set cmd-groups/night --member peer1 --member cmd-groups/peer0");
    let table = desk.table("groups list cmd-groups");
    assert_eq!(table, "GROUP             MEMBERS\ncmd-groups/night  cmd-groups/peer0, cmd-groups/peer1\n");
    desk.table("groups set cmd-groups/night --member peer2");
    let members = json!(["organizations/cmd-groups/principals/peer2"]);
    assert_eq!(desk.json("groups list cmd-groups")[0]["members"], members);
    desk.table("groups set cmd-groups/night --none");
    assert_eq!(desk.json("groups list cmd-groups"), json!([]));
}

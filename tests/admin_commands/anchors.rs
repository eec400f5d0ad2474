//! Authorities: one that proves itself by the openssl command that `proof-text` prints, and its revocation list.

use crate::{
    authority::{Authority, List},
    desk::{Desk, refusal},
    shared::deployment,
};
use std::{
    fs,
    process::{Command, Stdio},
};

/// Types one of the printed commands where the authority's key is; the proof's path.
fn sign_as_told(desk: &Desk, ca: &Authority, told: &str, command: &str) -> String {
    let line = told.lines().find(|line| line.trim_start().starts_with(command)).unwrap_or_else(|| panic!("{told}"));
    let words = line.split_whitespace().map(|word| if word == "ca-key.pem" { ca.path("ca.key") } else { word.into() });
    let words: Vec<String> = words.map(|word| if word == "proof" { desk.path("proof") } else { word }).collect();
    let status = Command::new(&words[0]).args(&words[1..]).stderr(Stdio::null()).status().unwrap();
    assert!(status.success(), "{words:?}");
    desk.path("proof")
}

#[test]
fn an_authority_proves_itself_and_its_list_revokes() {
    let desk = Desk::new("cmd-anchors");
    for (key, command) in
        [("-algorithm EC -pkeyopt ec_paramgen_curve:P-256", "openssl dgst"), ("-algorithm ED25519", "openssl pkeyutl")]
    {
        let ca = Authority::new(key, "/O=cmd-anchors/CN=second");
        let told = desk.told(&format!("anchors proof-text cmd-anchors --out {}", desk.path("text")), 0);
        let text = fs::read_to_string(desk.path("text")).unwrap();
        assert!(text.ends_with("\norganizations/cmd-anchors\n"), "{text}");
        let proof = sign_as_told(&desk, &ca, &told, command);
        let add = format!("anchors add cmd-anchors --certificate {} --client guest*", ca.path("ca.pem"));
        let guest = ca.member(deployment(), "guest0", "client", 7);
        assert_eq!(refusal(&guest).as_deref(), Some("UNKNOWN_ANCHOR"));

        let another = desk.file("another", b"no signature");
        let refused = desk.told(&format!("{add} --proof {another} --confirm cmd-anchors"), 65);
        assert!(refused.contains("proof"), "{refused}");
        let asked = desk.told(&format!("{add} --proof {proof}"), 64);
        assert!(asked.contains("CN=second") && asked.contains("may name client: guest*"), "{asked}");
        let added = desk.json(&format!("{add} --proof {proof} --confirm cmd-anchors"));
        let (name, id) = (added["name"].as_str().unwrap(), added["name"].as_str().unwrap().rsplit('/').next().unwrap());
        assert_eq!(refusal(&guest), None);

        let newer = desk.file("newer", ca.list(&List { number: Some(2), revoked: &[7], ..List::default() }));
        let table = desk.table(&format!("anchors crl {name} --in {newer}"));
        assert!(table.contains("number 2, 1 entry, next "), "{table}");
        assert_eq!(refusal(&guest).as_deref(), Some("CERTIFICATE_REVOKED"));
        let older = desk.file("older", ca.list(&List::default()));
        let refused = desk.told(&format!("anchors crl cmd-anchors/{id} --in {older}"), 65);
        assert!(refused.contains("newer"), "{refused}");
        assert_eq!(refusal(&guest).as_deref(), Some("CERTIFICATE_REVOKED"), "an older list lets nobody in again");

        desk.table(&format!("anchors update cmd-anchors/{id} --none --confirm {id}"));
        let other = ca.member(deployment(), "guest1", "client", 8);
        assert_eq!(refusal(&other).as_deref(), Some("NAME_NOT_ALLOWED"));
        desk.table(&format!("anchors remove cmd-anchors/{id} --confirm {id}"));
        assert_eq!(refusal(&other).as_deref(), Some("UNKNOWN_ANCHOR"));
    }
    let table = desk.table("anchors list cmd-anchors");
    assert_eq!((table.lines().count(), table.matches("removed").count()), (4, 2), "{table}");
    let listed = desk.json("anchors list cmd-anchors");
    let lists: Vec<_> = listed.as_array().unwrap().iter().filter(|anchor| anchor["removed"] == true).collect();
    assert_eq!((lists.len(), &lists[0]["subject"]), (2, &lists[1]["subject"]));
}

/// Where one anchor fits, its organization's name is enough.
#[test]
fn an_organization_is_enough_to_name_its_only_authority() {
    let desk = Desk::new("cmd-crl");
    let peer = desk.peer("peer0", 9);
    assert_eq!(refusal(&peer), None);
    let list = desk.file("list", desk.ca.list(&List { revoked: &[9], ..List::default() }));
    desk.table(&format!("anchors crl cmd-crl --in {list}"));
    assert_eq!(refusal(&peer).as_deref(), Some("CERTIFICATE_REVOKED"));
    assert_eq!(desk.json("anchors list cmd-crl")[0]["revocation_list"]["entries"], 1);
}

//! An imported key that exists: its next version, and no key twice.

use crate::{
    desk::{Desk, OFFICER},
    foreign_keys::KINDS,
    shared::{deployment, key},
};

#[test]
fn the_second_version_waits_to_be_activated_and_then_signs() {
    let desk = Desk::at(deployment());
    let name = key("imported-twice");
    let first = desk.generate("first.key", KINDS[0].made_by);
    desk.import(&name, &first, "--protection enclave");
    let second = desk.generate("second.key", KINDS[0].made_by);
    desk.import(&name, &second, "");

    let shown = desk.run(OFFICER, &format!("keys show {name}"));
    let states: Vec<_> = shown["versions"].as_array().unwrap().iter().map(|version| &version["state"]).collect();
    assert_eq!(states, ["ACTIVE", "PRE_ACTIVE"]);
    assert_eq!(shown["primary"]["name"], format!("{name}/versions/1"));
    assert!(KINDS[0].is_proven(&desk, &name, &first));

    desk.run(OFFICER, &format!("keys activate {name}/versions/2"));
    assert!(KINDS[0].is_proven(&desk, &name, &second));
    assert_eq!(desk.public(&name, "pem"), desk.public_of(&second));
}

#[test]
fn the_next_version_is_of_the_same_algorithm_purpose_protection_and_number() {
    let desk = Desk::at(deployment());
    let name = key("imported-alike");
    desk.import(&name, &desk.generate("first.key", KINDS[0].made_by), "--protection enclave");
    let p256 = desk.generate("second.key", KINDS[0].made_by);
    let p384 = desk.generate("p384.key", KINDS[1].made_by);
    for (file, options, reason) in [
        (&p384, "", "WRONG_STATE"),
        (&p256, "--purpose certify", "WRONG_STATE"),
        (&p256, "--protection token", "WRONG_STATE"),
        (&p256, "--version 1", "INVALID_ARGUMENT"),
        (&p256, "--version 3", "INVALID_ARGUMENT"),
    ] {
        let refused = desk.refused(OFFICER, &desk.importing(&name, file, options));
        assert_eq!((refused.exit_code, refused.reason.as_str()), (65, reason), "{options}: {refused:?}");
    }
    let shown = desk.run(OFFICER, &format!("keys show {name}"));
    assert_eq!(shown["versions"].as_array().unwrap().len(), 1);
}

#[test]
fn a_key_that_is_kept_here_is_not_taken_in_again() {
    let desk = Desk::at(deployment());
    let original = desk.generate("original.key", KINDS[0].made_by);
    desk.import(&key("kept-once"), &original, "--protection enclave");
    for (name, options) in [("kept-twice", ""), ("kept-twice", "--protection enclave"), ("kept-once", "")] {
        let refused = desk.refused(OFFICER, &desk.importing(&key(name), &original, options));
        assert_eq!(refused.reason, "ALREADY_EXISTS", "{name}: {refused:?}");
        assert!(refused.message.contains("public key"), "{refused:?}");
    }
    assert_eq!(desk.refused(OFFICER, &format!("keys show {}", key("kept-twice"))).reason, "NOT_FOUND");
    // Nothing of the attempts is in the way of another key.
    desk.import(&key("kept-twice"), &desk.generate("other.key", KINDS[0].made_by), "");
}

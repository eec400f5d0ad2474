//! A configuration that can't be used: the reason stands on standard error, or in the log that the environment names.

use crate::place::{Place, errors};
use std::fs;

/// What C_Initialize says of a configuration that it refuses.
fn refusal(place: &Place) -> String {
    let output = place.probe("broken").output().unwrap();
    assert!(output.status.success(), "{}: {}", output.status, errors(&output));
    let text = errors(&output);
    // The probe tries twice.
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[0].contains("chancery-pkcs11["), "{text}");
    lines[0].split_once("]: ").unwrap().1.to_owned()
}

#[test]
fn the_reason_names_file_key_and_remedy() {
    let sound = Place::configuration();
    for (from, to, reason) in [
        ("[[slot]]", "[[slots]]", "line 7: unknown field `slots`"),
        ("quirks = []", "quirks = [\"fast\"]", "unknown variant `fast`"),
        ("label = \"second\"", "label = \"first\"", "`label` \"first\" is given to two slots"),
        ("label = \"second\"", "label = \"x x x x x x x x x x x x x x x x x\"", "`label` must be 1 to 32 bytes"),
        ("pin_file = \"pin\"", "pin_file = \"PIN\"", "PIN: No such file"),
        ("pin_file = \"pin\"", "pin_file = \"empty\"", "`pin_file` names an empty file"),
        ("pin_file = \"pin\"", "protection = \"hsm\"", "unknown variant `hsm`"),
        ("pin_file = \"pin\"", "sm2 = \"acme\"", "unknown variant `acme`"),
        ("organizations/org1", "org1", "`organization` is wrong: `org1` is no"),
        ("[\"127.0.0.1:1\"]", "[]", "is missing: say where the service listens"),
        ("deadline = \"1s\"", "deadline = \"soon\"", "`deadline` must be a duration"),
        ("key = \"key.pem\"", "key = \"cert.pem\"", "cert.pem"),
    ] {
        let place = Place::new();
        place.write("empty", "\n");
        let text = sound.replacen(from, to, 1);
        assert_ne!(text, sound, "{from}");
        place.write("pkcs11.toml", &text);
        let said = refusal(&place);
        assert!(said.starts_with("C_Initialize: ") && said.contains(reason), "{from} → {to}: {said}");
    }
}

#[test]
fn without_a_file_the_reason_names_the_one_that_was_looked_for() {
    let place = Place::new();
    fs::remove_file(place.path("pkcs11.toml")).unwrap();
    let said = refusal(&place);
    assert!(said.contains("can't read") && said.contains("pkcs11.toml"), "{said}");
}

#[test]
fn a_log_takes_it_instead() {
    let place = Place::new();
    place.write("pkcs11.toml", "addresses = 1");
    let log = place.path("log");
    let output = place.probe("broken").env("CHANCERY_PKCS11_LOG", &log).output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    assert_eq!(errors(&output), "");
    assert!(fs::read_to_string(&log).unwrap().contains("pkcs11.toml, line 1: "));
}

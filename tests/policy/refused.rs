//! Texts that are not what their author meant are refused, with the place and what was meant; what is in force stays.

use crate::{
    desk::{Desk, is_denied, setting},
    harness::expect_code,
    shared::{ORG1, call, id},
};
use chancery_client::Code;

const FREEZE: &str = r#"@id("freeze") forbid (principal, action == Chancery::Action::"Sign", resource);"#;

/// A text, the place of its fault, and a part of what is said of it.
const MISTYPED: [(&str, &str, &str); 8] = [
    ("forbid (principal, action, resource);", "1:1", "@id"),
    ("@id(\"a\")\nforbid (principal, action == Chancery::Action::\"Sing\", resource);", "2:", "Sign"),
    (
        "@id(\"a\")\nforbid (principal, action, resource)\nwhen { principal.role == Chancery::Role::\"orderrer\" };",
        "3:",
        "orderer",
    ),
    (
        "@id(\"a\")\nforbid (principal, action == Chancery::Action::\"Sign\", resource)\nwhen { resource.naem == \"x\" };",
        "3:",
        "name",
    ),
    (
        "@id(\"a\")\nforbid (principal, action == Chancery::Action::\"Sign\", resource)\nwhen { resource.owner == principal };",
        "3:",
        "owner",
    ),
    ("@id(\"a\")\nforbid (principal, action, resource\nwhen { true };", "3:", ""),
    (
        "@id(\"a\")\nforbid (principal, action, resource);\n@id(\"a\")\nforbid (principal, action, resource);",
        "3:",
        "twice",
    ),
    ("@id(\"a\")\nforbid (?principal, action, resource);", "2:", ""),
];

#[tokio::test]
async fn mistyped_policies_are_refused_with_the_place_and_the_old_ones_stay() {
    let desk = Desk::new(&["frozen"]).await;
    desk.set(FREEZE).await.unwrap();
    let before = desk.current().await;
    for (text, place, meant) in MISTYPED {
        let error = desk.set(text).await.unwrap_err();
        let told = format!("{text}\n{error:?}");
        assert_eq!((error.code, error.reason.as_deref()), (Code::InvalidArgument, Some("INVALID_POLICY")), "{told}");
        assert!(error.violations.iter().all(|violation| violation.field == "text"), "{told}");
        let mut told_of = error.violations.iter().map(|violation| violation.description.as_str());
        assert!(told_of.any(|of| of.starts_with(place) && of.contains(meant)), "{told}");
        assert_eq!(desk.current().await, before);
    }
    assert!(is_denied(&desk.sign("frozen").await), "the old ones are in force");
}

#[tokio::test]
async fn nothing_is_set_without_confirmation_nor_what_locks_its_officer_out() {
    let desk = Desk::new(&["key"]).await;
    let unconfirmed = chancery_api::v1::SetPoliciesRequest { confirm: String::new(), ..setting(ORG1, FREEZE) };
    let error = call(desk.officer.admin().set_policies(unconfirmed)).await.unwrap_err();
    assert_eq!(error.reason.as_deref(), Some("CONFIRMATION_NEEDED"), "{error}");
    let other = chancery_api::v1::SetPoliciesRequest { confirm: "org2".into(), ..setting(ORG1, FREEZE) };
    assert_eq!(call(desk.officer.admin().set_policies(other)).await.unwrap_err().code, Code::InvalidArgument);

    for text in [
        r#"@id("all") forbid (principal, action, resource);"#,
        r#"@id("no-policies") forbid (principal, action == Chancery::Action::"SetPolicies", resource);"#,
    ] {
        let error = desk.set(text).await.unwrap_err();
        assert_eq!(error.reason.as_deref(), Some("INVALID_POLICY"), "{error}");
        assert!(error.message.contains("again"), "{error}");
    }
    let checked = chancery_api::v1::SetPoliciesRequest { validate_only: true, ..setting(ORG1, FREEZE) };
    let checked = call(desk.officer.admin().set_policies(checked)).await.unwrap();
    assert_eq!((checked.text.as_str(), checked.update_time), (FREEZE, None));
    assert!(desk.current().await.text.is_empty(), "nothing was set by any of these");
    desk.sign("key").await.unwrap();
}

/// One request id, one change: a repeated request gets its first answer, and does not undo what came after it.
#[tokio::test]
async fn a_repeated_request_is_answered_and_changes_nothing() {
    let desk = Desk::new(&["key"]).await;
    let request = setting(ORG1, FREEZE);
    let first = call(desk.officer.admin().set_policies(request.clone())).await.unwrap();
    desk.set("").await.unwrap();
    let again = call(desk.officer.admin().set_policies(request.clone())).await.unwrap();
    assert_eq!((again.text, again.hash, again.update_time), (first.text, first.hash, first.update_time));
    assert!(desk.current().await.text.is_empty());
    desk.sign("key").await.unwrap();
    let other = chancery_api::v1::SetPoliciesRequest { text: String::new(), ..request };
    let error = call(desk.officer.admin().set_policies(other)).await.unwrap_err();
    assert_eq!(error.reason.as_deref(), Some("REQUEST_ID_REUSED"), "{}", id());
}

/// Where the deployment asks for a second officer, one alone sets nothing.
#[tokio::test]
async fn where_two_officers_are_needed_one_sets_nothing() {
    let mut desk = Desk::new(&["key"]).await;
    assert_eq!(desk.deployment.stop(), Some(0));
    let path = desk.deployment.dir().join("chancery.toml");
    let alone = std::fs::read_to_string(&path).unwrap();
    let together = alone.replace("second_officer = false", "second_officer = true");
    assert_ne!(alone, together);
    std::fs::write(&path, together).unwrap();
    desk.start().await;
    for _ in 0..2 {
        let error = desk.set(FREEZE).await.unwrap_err();
        assert_eq!(error.reason.as_deref(), Some("APPROVAL_NEEDED"), "{error}");
    }
    assert!(desk.current().await.text.is_empty());
    desk.sign("key").await.unwrap();
}

/// As an officer meets it: the same finding offline and from the service, with the file's name.
#[tokio::test]
async fn the_command_names_file_line_and_what_was_meant() {
    let desk = Desk::new(&[]).await;
    let text = "@id(\"a\")\nforbid (principal, action == Chancery::Action::\"Sing\", resource);\n";
    let path = desk.file("own.cedar", text);
    let file = path.to_str().unwrap();
    let offline = desk.deployment.chancery("org1-security", &["policy", "check", "--organization", file]);
    expect_code(&offline, 65);
    let set = ["policy", "set", "org1", "--in", file, "--confirm", "org1"];
    let online = desk.deployment.chancery("org1-security", &set);
    expect_code(&online, 65);
    for output in [offline, online] {
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(told.contains(&format!("{file}:2:")) && told.contains("Sign"), "{told}");
    }
    let line = ["--output", "json", "policy", "check", "--organization", file];
    let scripted = desk.deployment.chancery("org1-security", &line);
    expect_code(&scripted, 65);
    let error: serde_json::Value = serde_json::from_slice(&scripted.stderr).unwrap();
    let findings = error["error"]["findings"].as_array().unwrap();
    let meant = |of: &&serde_json::Value| of["help"].as_str().is_some_and(|help| help.contains("Sign"));
    let finding = findings.iter().find(meant).unwrap();
    assert_eq!((finding["file"].as_str(), finding["line"].as_u64()), (Some(file), Some(2)));

    let path = desk.file("own.cedar", FREEZE);
    let file = path.to_str().unwrap();
    expect_code(&desk.deployment.chancery("org1-security", &["policy", "check", "--organization", file]), 0);
    expect_code(&desk.deployment.chancery("org1-security", &["policy", "set", "org1", "--in", file]), 64);
    expect_code(
        &desk.deployment.chancery("org1-security", &["policy", "set", "org1", "--in", file, "--confirm", "org1"]),
        0,
    );
    let shown = desk.deployment.chancery("org1-auditor", &["policy", "get", "org1"]);
    expect_code(&shown, 0);
    assert_eq!(String::from_utf8_lossy(&shown.stdout).trim_end(), FREEZE);
}

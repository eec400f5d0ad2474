//! Why: an allow, a forbid, a default denial and a policy that can't be evaluated, by the command.

use crate::{desk::Desk, harness::expect_code, shared::ORG1};
use serde_json::Value;

const OWN: &str = r#"
@id("freeze")
forbid (principal, action == Chancery::Action::"Sign", resource)
when { resource.name == "frozen" };
@id("overflow")
forbid (principal, action == Chancery::Action::"Sign", resource)
when { resource.name == "odd" && context.size * 9223372036854775807 > 0 };
@id("at-night")
forbid (principal, action == Chancery::Action::"GetKey", resource)
when { resource.name == "night" && context.session.sourceAddress.isInRange(ip("10.0.0.0/8")) };
"#;

impl Desk {
    /// The command's answer, which is the same in both forms.
    fn explained(&self, who: &str, arguments: &[&str]) -> Value {
        let line = [&["policy", "explain"], arguments].concat();
        let shown = self.deployment.chancery(who, &line);
        expect_code(&shown, 0);
        let output = self.deployment.chancery(who, &[&["--output", "json"], line.as_slice()].concat());
        expect_code(&output, 0);
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
        assert!(shown.contains(json["why"].as_str().unwrap()), "{shown}");
        for policy in json["policies"].as_array().unwrap() {
            let (id, text) = (policy["id"].as_str().unwrap(), policy["text"].as_str().unwrap());
            assert!(shown.contains(id) && shown.contains(text), "{shown}");
        }
        json
    }
}

/// The ids that decided.
fn ids(explained: &Value) -> Vec<&str> {
    explained["policies"].as_array().unwrap().iter().map(|policy| policy["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn each_kind_of_decision_is_explained_by_the_policies_that_made_it() {
    let desk = Desk::new(&["free", "frozen", "odd", "night"]).await;
    desk.set(OWN).await.unwrap();
    let sign = |who: &str, key: &str| {
        let resource = format!("{ORG1}/keys/{key}");
        let line = ["--principal", who, "--role", "peer", "--action", "Sign", "--resource", &resource];
        desk.explained("org1-auditor", &[&line[..], &["--context", "input=digest", "hash=sha256", "size=32"]].concat())
    };
    for (who, key, permitted, why, policies) in [
        ("org1/peer0", "free", true, "permitted", vec!["node-signs-with-own-key"]),
        ("org1/peer0", "frozen", false, "forbidden", vec!["org1/freeze"]),
        ("org1/peer9", "free", false, "nothing permits it", vec![]),
        ("org1/peer0", "odd", false, "a policy can't be evaluated", vec!["org1/overflow"]),
    ] {
        let explained = sign(who, key);
        assert_eq!((explained["permitted"].as_bool(), explained["why"].as_str()), (Some(permitted), Some(why)));
        assert_eq!(ids(&explained), policies, "{who} {key}");
        let errors = explained["evaluation_errors"].as_array().unwrap();
        assert_eq!(!errors.is_empty(), key == "odd", "{errors:?}");
        assert!(explained["hash"].is_string() && explained["base_hash"].is_string());
    }
    // A stranger is forbidden by the base set, and own policies are not asked.
    let explained = sign("org2/peer0", "free");
    assert_eq!(ids(&explained), ["tenancy-organizations-stay-apart"]);
    assert_eq!(explained["hash"], Value::Null);
}

#[tokio::test]
async fn what_is_not_said_is_taken_from_the_registry_or_asked_for() {
    let desk = Desk::new(&["night"]).await;
    desk.set(OWN).await.unwrap();
    let key = format!("{ORG1}/keys/night");
    let read = |more: &[&str]| {
        let line = ["--principal", "org1/security", "--action", "GetKey", "--resource", &key];
        desk.explained("org1-security", &[&line[..], more].concat())
    };
    assert_eq!(ids(&read(&[])), ["security-officer-manages-keys"], "its role is registered");
    assert_eq!(ids(&read(&["--context", "session.sourceAddress=10.1.2.3"])), ["org1/at-night"]);

    let refused = |line: &[&str], told: &str| {
        let output = desk.deployment.chancery("org1-security", &[&["policy", "explain"], line].concat());
        expect_code(&output, 65);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(error.contains(told), "{error}");
    };
    let sign = ["--action", "Sign", "--resource", &key];
    refused(&[&["--principal", "org1/peer0", "--role", "peer"], &sign[..]].concat(), "context.input");
    refused(&[&["--principal", "org1/peer0"], &sign[..]].concat(), "role");
    let organization = ["--principal", "org1/security", "--action", "Sign", "--resource", ORG1];
    refused(&organization, "key");
    refused(&["--principal", "org1/security", "--action", "Sing", "--resource", &key], "Sing");
}

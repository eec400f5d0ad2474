//! What would have changed: recorded requests, decided once more by other policies.

use crate::{
    desk::{Desk, is_denied},
    harness::expect_code,
    shared::{ORG1, records, sign, signing},
};
use chancery_api::v1::ListRecordsRequest;
use serde_json::Value;

const NARROW: &str = r#"
@id("freeze")
forbid (principal, action == Chancery::Action::"Sign", resource)
when { resource.name == "frozen" };
@id("client-may")
permit (principal, action == Chancery::Action::"Sign", resource)
when { principal.name == "client" && context.size == 32 };
"#;

/// The lines of `--output json`: the changes, and the summary.
fn simulated(desk: &Desk, text: &str) -> (Vec<Value>, Value) {
    let path = desk.file("simulated.cedar", text);
    let line = ["--output", "json", "policy", "simulate", "org1", "--in", path.to_str().unwrap(), "--since", "7d"];
    let output = desk.deployment.chancery("org1-auditor", &line);
    expect_code(&output, 0);
    let lines = String::from_utf8(output.stdout).unwrap();
    let mut values: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let summary = values.pop().unwrap()["summary"].take();
    (values.into_iter().map(|mut value| value["change"].take()).collect(), summary)
}

#[tokio::test]
async fn what_would_change_is_shown_request_by_request() {
    let desk = Desk::new(&["frozen", "free"]).await;
    for _ in 0..3 {
        desk.sign("frozen").await.unwrap();
    }
    desk.sign("free").await.unwrap();
    let client = desk.client("org1-client").await;
    assert!(is_denied(&sign(&client, signing(&format!("{ORG1}/keys/free"), b"m")).await));
    // A stranger's request stays a stranger's.
    let stranger = desk.client("org2-client").await;
    assert!(is_denied(&sign(&stranger, signing(&format!("{ORG1}/keys/free"), b"m")).await));

    let (changes, summary) = simulated(&desk, NARROW);
    let seen: Vec<_> = changes
        .iter()
        .map(|of| {
            let text = |name: &str| of[name].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
            let key = of["resource"].as_str().unwrap().split('/').nth(3).unwrap().to_owned();
            (text("principal"), key, of["permitted_now"] == true, of["policies_then"][0].clone())
        })
        .collect();
    let frozen = ("peer0".to_owned(), "frozen".to_owned(), true, Value::from("org1/freeze"));
    let allowed = ("client".to_owned(), "free".to_owned(), false, Value::from("org1/client-may"));
    assert_eq!(seen, [frozen.clone(), frozen.clone(), frozen, allowed]);
    assert_eq!((&summary["changes"], &summary["decided_otherwise"]), (&Value::from(4), &Value::from(0)));
    // Two keys made, five signatures and denials of members, one of a stranger.
    assert_eq!(summary["requests"], 8, "{summary}");
    for change in &changes {
        assert_ne!(change["permitted_now"], change["permitted_then"]);
    }

    // Nothing was changed by it; once the policies are set, the records say otherwise and nothing would change.
    desk.sign("frozen").await.unwrap();
    desk.set(NARROW).await.unwrap();
    let (changes, summary) = simulated(&desk, NARROW);
    assert!(changes.is_empty(), "{changes:?}");
    assert_eq!(summary["decided_otherwise"], 5, "{summary}");
    let (changes, _) = simulated(&desk, "");
    assert_eq!(changes.len(), 5, "without own policies it would be as before");
}

/// Only the own organization's records are read, and only those since the time that was given.
#[tokio::test]
async fn a_simulation_is_of_the_organization_and_the_time_alone() {
    let desk = Desk::new(&["key"]).await;
    for _ in 0..5 {
        desk.sign("key").await.unwrap();
    }
    let everything = r#"@id("nothing-is-signed") forbid (principal, action == Chancery::Action::"Sign", resource);"#;
    let path = desk.file("simulated.cedar", everything);
    let file = path.to_str().unwrap();
    let own = desk.deployment.chancery("org1-security", &["policy", "simulate", "org1", "--in", file]);
    expect_code(&own, 0);
    let told = String::from_utf8_lossy(&own.stdout).into_owned();
    assert_eq!(told.lines().filter(|line| line.contains("deny org1/nothing-is-signed")).count(), 5, "{told}");
    assert!(String::from_utf8_lossy(&own.stderr).contains("5 of "), "the summary");

    let late = ["policy", "simulate", "org1", "--in", file, "--since", "2099-01-01T00:00:00Z"];
    let none = desk.deployment.chancery("org1-security", &late);
    expect_code(&none, 0);
    assert!(String::from_utf8_lossy(&none.stderr).contains("nothing would change"));
    let other = desk.deployment.chancery("org2-security", &["policy", "simulate", "org2", "--in", file]);
    expect_code(&other, 0);
    assert!(String::from_utf8_lossy(&other.stderr).contains("0 of 0 requests"));
    expect_code(&desk.deployment.chancery("org2-security", &["policy", "simulate", "org1", "--in", file]), 77);
    let broken = desk.file("broken.cedar", "forbid (principal, action, resource);");
    let broken = ["policy", "simulate", "org1", "--in", broken.to_str().unwrap()];
    let refused = desk.deployment.chancery("org1-security", &broken);
    expect_code(&refused, 65);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("broken.cedar:1:1"));
    // Whoever asks is in the log only where it was denied.
    let request = ListRecordsRequest { parent: ORG1.into(), ..ListRecordsRequest::default() };
    let asked = records(&desk.client("org1-auditor").await, request).await;
    let asked: Vec<_> = asked.iter().filter(|record| record.action == "SimulatePolicies").collect();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].principal.as_ref().unwrap().organization, "org2");
}

//! What a dry run says, before two officers end a key: who would stop working.

use crate::{
    place::{NODE, OFFICER, Place},
    shared::{ORG1, records},
};
use chancery_api::v1::ListRecordsRequest;
use serde_json::json;
use tempfile::TempDir;

#[tokio::test]
async fn it_names_who_signed_and_changes_nothing() {
    let mut place = Place::new("waiting_period = \"10m\"").await;
    let name = place.key("used");
    let version = format!("{name}/versions/1");
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("m"), "m").unwrap();
    for _ in 0..3 {
        place.run(NODE, &format!("sign {name} --in {} --out {} ", path("m"), path("s")));
        std::fs::remove_file(path("s")).unwrap();
    }
    let size = records_of_org1(&place).await;
    let said = place.run(OFFICER, &format!("keys destroy {version} --dry-run"));
    assert_eq!((&said["dry_run"], &said["state"]), (&true.into(), &"ACTIVE".into()));
    assert_eq!(said["then"], "DEACTIVATED with its destruction scheduled");
    assert_eq!((&said["only_active"], &said["second_officer"]), (&true.into(), &true.into()));
    assert_eq!(said["waiting_seconds"], 600);
    assert!(said["undo"].as_str().unwrap().contains(&format!("keys restore {version}")), "{said:#}");
    assert!(said["revivable_by"][0].as_str().unwrap().contains("copies of the store"), "{said:#}");
    let user = &said["users"][0];
    assert_eq!(user["principal"], format!("{ORG1}/principals/peer0"));
    assert_eq!((&user["uses"], &user["versions"]), (&3.into(), &json!([1])));
    for change in ["suspend", "deactivate", "compromise"] {
        let said = place.run(OFFICER, &format!("keys {change} {version} --dry-run"));
        assert_eq!((&said["command"], &said["users"][0]["uses"]), (&change.into(), &3.into()), "{said:#}");
    }
    let rotation = place.run(OFFICER, &format!("keys rotate {name} --dry-run"));
    assert!(rotation["effect"].as_str().unwrap().starts_with("version 2 is made and becomes primary"), "{rotation}");
    assert_eq!(place.state(&name, 1), "ACTIVE");
    assert_eq!(place.approvals("--all"), [""; 0], "nobody was asked");
    assert_eq!(records_of_org1(&place).await, size, "and nothing stands in the log");

    // Who only looked does not use it; a restart forgets nobody; people read it in a table.
    place.0.kill();
    place.0.serve();
    let output = place.0.chancery(OFFICER, &["keys", "suspend", &version, "--dry-run"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find(|line| line.contains("principals/peer0")).unwrap_or_else(|| panic!("{text}"));
    assert!(line.split_whitespace().nth(1) == Some("3"), "{text}");
    assert!(text.contains("ACTIVE -> SUSPENDED") && text.contains("nothing was done"), "{text}");
    assert!(!text.contains("principals/security"), "{text}");

    // What would be refused is refused; who may not know who uses it is told the rest.
    place.run(OFFICER, &format!("keys suspend {version}"));
    let again = place.refused(OFFICER, &format!("keys suspend {version} --dry-run"));
    assert!(again.exit_code == 65 && again.message.contains("is SUSPENDED: `suspend` is refused"), "{again:?}");
    let node = place.run(NODE, &format!("keys destroy {version} --dry-run"));
    assert_eq!((&node["users"], &node["then"]), (&json!(null), &"DEACTIVATED with its destruction scheduled".into()));
    assert_eq!(place.refused("org2-security", &format!("keys destroy {version} --dry-run")).reason, "DENIED");
}

async fn records_of_org1(place: &Place) -> usize {
    let auditor = place.0.client("org1-auditor").await;
    let request = ListRecordsRequest { parent: ORG1.into(), ..ListRecordsRequest::default() };
    records(&auditor, request).await.len()
}

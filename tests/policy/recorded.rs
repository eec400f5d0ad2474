//! What the log says of policies: their text before they decide, and which of them decided what.

use crate::{
    desk::{Desk, is_denied},
    shared::{ORG1, records},
};
use chancery_api::v1::ListRecordsRequest;
use chancery_audit::record::{Kind, Record};

const OWN: &str = r#"
@id("freeze")
forbid (principal, action == Chancery::Action::"Sign", resource)
when { resource.name == "frozen" };
@id("overflow")
forbid (principal, action == Chancery::Action::"Sign", resource)
when { resource.name == "odd" && context.size * 9223372036854775807 > 0 };
"#;

async fn all(desk: &Desk) -> Vec<Record> {
    let request = ListRecordsRequest { parent: ORG1.into(), ..ListRecordsRequest::default() };
    records(&desk.client("org1-auditor").await, request).await
}

fn of_key<'r>(records: &'r [Record], action: &str, key: &str) -> Vec<&'r Record> {
    let name = format!("{ORG1}/keys/{key}");
    let records = records.iter().filter(|record| record.action == action);
    records.filter(|record| record.resource.starts_with(&name)).collect()
}

#[tokio::test]
async fn records_name_the_policies_that_decided_and_both_hashes_also_after_a_restart() {
    let mut desk = Desk::new(&["frozen", "free", "odd"]).await;
    desk.sign("free").await.unwrap();
    let set = desk.set(OWN).await.unwrap();
    for _ in 0..2 {
        assert!(is_denied(&desk.sign("frozen").await));
        assert!(is_denied(&desk.sign("odd").await), "a policy that can't be evaluated denies");
        desk.sign("free").await.unwrap();
        desk.restart().await;
        assert_eq!(desk.current().await.hash, set.hash);
    }
    let records = all(&desk).await;
    let free = of_key(&records, "Sign", "free");
    assert_eq!(free.len(), 3);
    assert!(free[0].organization_policy_set_hash.is_empty(), "before there were own policies");
    for record in &free {
        assert_eq!((&record.policy_ids, &record.policy_set_hash), (&free[0].policy_ids, &set.base_hash));
    }
    for (key, id, reason) in [("frozen", "org1/freeze", "DENIED"), ("odd", "org1/overflow", "EVALUATION_ERROR")] {
        let denials = of_key(&records, "Sign", key);
        assert_eq!(denials.len(), 2, "{key}");
        for record in denials {
            assert_eq!((record.policy_ids.as_slice(), record.reason.as_str()), ([id.to_owned()].as_slice(), reason));
            assert_eq!((&record.policy_set_hash, &record.organization_policy_set_hash), (&set.base_hash, &set.hash));
        }
    }
    // The text stands in the log before anything was decided by it, once, and the change carries it as state.
    let texts: Vec<_> = records.iter().filter(|record| record.kind() == Kind::PolicySet).collect();
    let [text] = texts.as_slice() else { panic!("{} records of policies", texts.len()) };
    let recorded = text.policy_set.as_ref().unwrap();
    assert_eq!((&recorded.hash, recorded.files.len(), recorded.files[0].text.as_str()), (&set.hash, 1, OWN));
    let changes: Vec<_> = records.iter().filter(|record| record.action == "SetPolicies").collect();
    let [change] = changes.as_slice() else { panic!("{} changes", changes.len()) };
    assert_eq!(change.states[0].name, format!("{ORG1}/policies"));
    let first =
        records.iter().find(|record| record.organization_policy_set_hash == set.hash && record.policy_set.is_none());
    assert!(text.index < change.index && text.index < first.unwrap().index);
    let verified = desk.deployment.verify_log();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
}

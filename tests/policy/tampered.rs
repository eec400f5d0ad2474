//! The store's copy of an organization's policies, changed by other hands than the service's: the log is the authority.

use crate::desk::{Desk, is_denied};
use crate::own::PERMIT_ALL;
use rusqlite::{Connection, OpenFlags, params};

const OWN: &str = r#"
@id("freeze")
forbid (principal, action == Chancery::Action::"Sign", resource)
when { resource.name == "frozen" };
"#;

/// Runs one statement on the store, while the service is down; how many rows it changed.
fn edit(desk: &Desk, sql: &str, value: &[u8]) -> usize {
    let file = desk.deployment.dir().join("data/store.sqlite");
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    if value.is_empty() { connection.execute(sql, []) } else { connection.execute(sql, params![value]) }.unwrap()
}

fn other_text(text: &str) -> Vec<u8> {
    use prost::Message as _;
    let name = "organizations/org1/policies".to_owned();
    chancery_api::state::Policies { name, text: text.to_owned(), update_time_unix_nanos: 1 }.encode_to_vec()
}

#[tokio::test]
async fn who_edits_the_store_neither_lifts_a_forbid_nor_gains_a_permit() {
    let mut desk = Desk::new(&["frozen", "free"]).await;
    let set = desk.set(OWN).await.unwrap();
    let update = "UPDATE resources SET value = ?1 WHERE name = 'organizations/org1/policies'";
    for (what, sql, value) in [
        ("other policies", update, other_text(PERMIT_ALL)),
        ("none", update, other_text("")),
        ("nonsense", update, vec![0xff; 9]),
        ("no row", "DELETE FROM resources WHERE name = 'organizations/org1/policies'", Vec::new()),
    ] {
        assert_eq!(desk.deployment.stop(), Some(0));
        assert_eq!(edit(&desk, sql, &value), 1, "{what}");
        desk.start().await;
        assert!(is_denied(&desk.sign("frozen").await), "{what}: the forbid holds");
        desk.sign("free").await.unwrap();
        let orderer = desk.client("org1-orderer0").await;
        let free = crate::shared::signing("organizations/org1/keys/free", b"m");
        assert!(is_denied(&crate::shared::sign(&orderer, free).await), "{what}: nothing is gained");
        assert_eq!(desk.current().await.hash, set.hash, "{what}");
        assert!(desk.deployment.stderr().contains("STATE_MISMATCH"), "{what}: the operator is told");
    }
    // An officer who sets them again puts store and log in agreement.
    desk.set("").await.unwrap();
    desk.sign("frozen").await.unwrap();
    desk.restart().await;
    desk.sign("frozen").await.unwrap();
}

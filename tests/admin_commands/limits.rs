//! Limits: what was before, what is after, and what those who reach one are told.

use crate::desk::{Desk, told};
use serde_json::json;

#[test]
fn a_limit_takes_the_place_of_the_one_before() {
    let desk = Desk::new("cmd-limits");
    let table = desk.table("limits set cmd-limits --per-day 1000 --keys 1");
    assert_eq!(
        table,
        "LIMIT       BEFORE  AFTER\nper second  -       -\nper day     -       1000\ntotal       -       -\nkeys        -       1\n"
    );
    let (peer, key) = (desk.peer("peer0", 2), "organizations/cmd-limits/keys/first");
    told(&peer, &format!("keys create {key} --algorithm ec-p256"), 0);
    let refused = told(&peer, "keys create organizations/cmd-limits/keys/second --algorithm ec-p256", 69);
    assert!(refused.contains("TOO_MANY_KEYS") && refused.contains("chancery limits set --keys"), "{refused}");

    let (message, signature) = (desk.file("message", b"m"), desk.path("signature"));
    let sign = format!("sign {key} --in {message} --out {signature}");
    told(&peer, &sign, 0);
    let table = desk.table("limits list cmd-limits");
    assert_eq!(table, "SUBJECT     PER SECOND  PER DAY    TOTAL  KEYS\ncmd-limits  -           1 of 1000  -      1\n");

    // The whole limit is set each time: the quota of keys is gone.
    let set = desk.json("limits set cmd-limits --total 0");
    assert_eq!((&set["total"], &set["keys"], &set["before"]["keys"]), (&0.into(), &json!(null), &1.into()));
    let refused = told(&peer, &sign, 69);
    assert!(refused.contains("QUOTA_EXHAUSTED") && refused.contains("chancery limits list"), "{refused}");
    told(&peer, "keys create organizations/cmd-limits/keys/second --algorithm ec-p256", 0);

    desk.table("limits set cmd-limits --none");
    told(&peer, &sign, 0);
    for subject in ["cmd-limits/peer0", key] {
        desk.table(&format!("limits set {subject} --per-second 7"));
    }
    let subjects: Vec<_> =
        desk.json("limits list cmd-limits").as_array().unwrap().iter().map(|one| one["subject"].clone()).collect();
    assert_eq!(subjects, [json!("organizations/cmd-limits/principals/peer0"), json!(key)]);
}

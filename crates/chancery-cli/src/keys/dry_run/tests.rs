use super::{print::json, *};
use chancery_api::v1::{KeyUser, Origin};
use prost_types::Timestamp as Time;

const KEY: &str = "organizations/org1/keys/peer0";

fn version(number: u64, state: WireState) -> KeyVersion {
    KeyVersion { name: format!("{KEY}/versions/{number}"), state: state.into(), ..KeyVersion::default() }
}

fn key(versions: Vec<KeyVersion>) -> Key {
    Key { name: KEY.into(), primary: versions.last().cloned(), versions, ..Key::default() }
}

fn usage() -> KeyUsage {
    let duration = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
    KeyUsage {
        users: vec![KeyUser {
            principal: "organizations/org1/principals/peer0".into(),
            uses: 7,
            last_use: Some(Time { seconds: 60, nanos: 0 }),
            versions: vec![1],
        }],
        held_by: vec!["organizations/org1/backups/b".into()],
        default_destruction_wait: duration(30 * 86_400),
        minimum_destruction_wait: duration(86_400),
        waiting_period: duration(600),
        ..KeyUsage::default()
    }
}

fn of(versions: Vec<KeyVersion>, change: Change) -> Result<Outlook, String> {
    let name = format!("{KEY}/versions/1").parse().unwrap();
    outlook(&key(versions), &name, change, Some(usage()), Timestamp::UNIX_EPOCH).map_err(|error| error.to_string())
}

#[test]
fn a_destruction_says_when_until_when_who_and_what_could_bring_it_back() {
    let outlook = json(&of(vec![version(1, WireState::Active)], Change::Destroy(None)).unwrap());
    assert_eq!(outlook["state"], "ACTIVE");
    assert_eq!(outlook["then"], "DEACTIVATED with its destruction scheduled");
    assert_eq!(outlook["destroy_time"], "1970-01-31T00:00:00Z");
    let undo = outlook["undo"].as_str().unwrap();
    assert!(undo.contains("keys restore") && undo.contains("until 1970-01-31") && undo.ends_with("DEACTIVATED then"));
    assert_eq!((&outlook["only_active"], &outlook["second_officer"]), (&true.into(), &true.into()));
    assert_eq!(outlook["waiting_seconds"], 600);
    assert_eq!(outlook["revivable_by"][0], "organizations/org1/backups/b");
    assert_eq!(outlook["users"][0]["uses"], 7);
}

#[test]
fn what_is_undone_and_what_takes_two_officers() {
    let two = || vec![version(1, WireState::Active), version(2, WireState::Active)];
    let said = |versions, change| {
        let outlook = of(versions, change).unwrap();
        (outlook.then, outlook.undo.is_some(), outlook.only_active, outlook.approval.map(|wait| wait.as_secs()))
    };
    assert_eq!(said(two(), Change::Suspend), ("SUSPENDED".into(), true, false, None));
    assert_eq!(said(two(), Change::Deactivate), ("DEACTIVATED".into(), false, false, None));
    let one = vec![version(1, WireState::Active), version(2, WireState::Suspended)];
    assert_eq!(said(one, Change::Deactivate), ("DEACTIVATED".into(), false, true, Some(600)));
    assert_eq!(said(two(), Change::Compromise), ("COMPROMISED".into(), false, false, Some(0)));
}

/// As the service would, and in its words.
#[test]
fn what_would_be_refused_is_refused() {
    let gone = of(vec![version(1, WireState::Destroyed)], Change::Suspend).unwrap_err();
    assert!(gone.contains("is DESTROYED: `suspend` is refused"), "{gone}");
    let soon =
        of(vec![version(1, WireState::Active)], Change::Destroy(Some(SignedDuration::from_secs(5)))).unwrap_err();
    assert!(soon.contains("at least 1d"), "{soon}");
    let absent = of(vec![version(2, WireState::Active)], Change::Suspend).unwrap_err();
    assert!(absent.contains("does not exist"), "{absent}");
}

#[test]
fn a_rotation_says_which_version_follows_and_when_it_is_used() {
    let of = |key: Key| rotation::outlook(&key, None).map(|outlook| outlook.effect).map_err(|error| error.to_string());
    let plain = of(key(vec![version(1, WireState::Active)])).unwrap();
    assert!(plain.starts_with("version 2 is made and becomes primary at once"), "{plain}");
    let bound = KeyVersion { certificate: vec![1], ..version(1, WireState::Active) };
    let waits = of(key(vec![bound])).unwrap();
    assert!(waits.starts_with("version 2 is made and waits for a certificate"), "{waits}");
    let pooled = KeyVersion { pooled: true, ..version(3, WireState::PreActive) };
    let taken = of(key(vec![pooled, version(1, WireState::Active)])).unwrap();
    assert!(taken.starts_with("version 3 is taken from the pool"), "{taken}");
    let imported = KeyVersion { origin: Origin::Imported.into(), ..version(1, WireState::Active) };
    assert!(of(key(vec![imported])).unwrap_err().contains("was imported"));
    assert!(of(key(vec![version(1, WireState::Suspended)])).unwrap_err().contains("is SUSPENDED"));
}

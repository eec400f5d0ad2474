//! Agenda, lease and retries, without a token.

use super::{
    agenda::{Agenda, Item, Work},
    lease::Lease,
    retries::Retries,
};
use crate::{
    directory::KeyEntry,
    error::Error,
    model::{
        Algorithm, Check, Key, KeyName, KeyObjects, KeyStanding, KeyState, KeyVersion, OrganizationName, Origin,
        Protection, Purpose, Rotation,
    },
    store::{Row, SqliteStore, Store},
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

fn name(id: &str) -> KeyName {
    OrganizationName::from_id("org1").unwrap().key(id).unwrap()
}

fn key(id: &str) -> Key {
    Key {
        name: name(id),
        owner: "organizations/org1/principals/peer0".parse().unwrap(),
        purpose: Purpose::Encrypt,
        algorithm: Algorithm::Aes256,
        protection: Protection::Enclave,
        check: Check::Never,
        labels: BTreeMap::new(),
        primary_version: 1,
        create_time: 1,
        rotation: None,
        next_rotation: None,
        overlap: None,
        pool_size: 0,
    }
}

/// SubjectPublicKeyInfo of P-256's generator.
fn public_key() -> Vec<u8> {
    let point = concat!(
        "3059301306072a8648ce3d020106082a8648ce3d030107034200046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a1",
        "3945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
    );
    hex::decode(point).unwrap()
}

fn version(id: &str, number: u64, state: KeyState) -> KeyVersion {
    KeyVersion::new(name(id).version(number), state, Vec::new(), 1)
}

fn entry(key: Key, versions: Vec<KeyVersion>) -> KeyEntry {
    let rows: Vec<_> = [Row::Key(key)].into_iter().chain(versions.into_iter().map(Row::KeyVersion)).collect();
    KeyEntry::changed(None, &rows).unwrap()
}

/// All that is due at `now`, in the order in which it is done.
fn due(agenda: &mut Agenda, now: i64) -> Vec<(String, Work)> {
    let next = || {
        let item = agenda.next(now)?;
        agenda.move_to(&item, now + 1);
        Some((item.key.id().to_owned(), item.work))
    };
    std::iter::from_fn(next).collect()
}

#[test]
fn a_version_asks_for_what_its_state_allows() {
    let dated = |number, state| KeyVersion {
        activate_time: Some(10),
        expire_time: Some(20),
        destroy_time: Some(30),
        ..version("k", number, state)
    };
    let works = |row: KeyVersion| Work::of(&entry(key("k"), vec![row]));
    for state in KeyState::ALL {
        let expected = match state {
            KeyState::Active | KeyState::Suspended => vec![(20, Work::Expire(1))],
            KeyState::PreActive | KeyState::Deactivated | KeyState::Compromised => vec![(30, Work::Destroy(1))],
            KeyState::Destroyed => vec![],
        };
        assert_eq!(works(dated(1, *state)), expected, "{state}");
    }
    let waiting = KeyVersion { destroy_time: None, ..dated(1, KeyState::PreActive) };
    assert_eq!(works(waiting.clone()), [(10, Work::Activate(1))]);
    // A rotation takes it from the pool, not its date.
    assert_eq!(works(KeyVersion { pooled: true, ..waiting }), []);
    assert_eq!(works(version("k", 1, KeyState::Active)), []);
}

#[test]
fn what_does_not_stay_is_collected_once() {
    let with = |standing, collect_time, row: KeyVersion| {
        let objects = KeyObjects { standing, collect_time, ..KeyObjects::named(name("k")) };
        let rows = [Row::Key(key("k")), Row::KeyVersion(row), Row::KeyObjects(objects)];
        Work::of(&KeyEntry::changed(None, &rows).unwrap())
    };
    let active = || version("k", 1, KeyState::Active);
    assert_eq!(with(KeyStanding::Provisional, Some(40), active()), [(40, Work::Collect)]);
    // Its process says when.
    assert_eq!(with(KeyStanding::Session, None, active()), [(i64::MIN, Work::Collect)]);
    assert_eq!(with(KeyStanding::Named, None, active()), []);
    assert_eq!(with(KeyStanding::Provisional, Some(40), version("k", 1, KeyState::Destroyed)), []);
    let ending = KeyVersion { destroy_time: Some(30), ..version("k", 1, KeyState::Deactivated) };
    assert_eq!(with(KeyStanding::Provisional, Some(40), ending), [(30, Work::Destroy(1))]);
    // One that somebody took out of use is not used any more, either.
    let deactivated = version("k", 1, KeyState::Deactivated);
    assert_eq!(with(KeyStanding::Session, None, deactivated), [(i64::MIN, Work::Collect)]);
    let certified = KeyVersion { certificate: Some(vec![1]), ..active() };
    assert_eq!(with(KeyStanding::Provisional, Some(40), certified), []);
    // Who uses a public key is not known here: such keys wait until somebody destroys them.
    let agreement = |standing, collect_time| {
        let objects = KeyObjects { standing, collect_time, ..KeyObjects::named(name("k")) };
        let key = Key { algorithm: Algorithm::EcP256, purpose: Purpose::Agree, ..key("k") };
        let version = KeyVersion { public_key: public_key(), ..active() };
        let rows = [Row::Key(key), Row::KeyVersion(version), Row::KeyObjects(objects)];
        Work::of(&KeyEntry::changed(None, &rows).unwrap())
    };
    assert_eq!(agreement(KeyStanding::Provisional, Some(40)), []);
    assert_eq!(agreement(KeyStanding::Session, None), [(i64::MIN, Work::Collect)]);
}

#[test]
fn a_pool_is_filled_to_its_size_unless_the_key_is_imported() {
    let pooled = |number| KeyVersion { pooled: true, ..version("k", number, KeyState::PreActive) };
    let fills = |pool_size, mut versions: Vec<KeyVersion>, origin| {
        versions.insert(0, KeyVersion { origin, ..version("k", 1, KeyState::Active) });
        !Work::of(&entry(Key { pool_size, ..key("k") }, versions)).is_empty()
    };
    assert!(!fills(0, vec![], Origin::Generated));
    assert!(fills(2, vec![pooled(2)], Origin::Generated));
    assert!(!fills(2, vec![pooled(2), pooled(3)], Origin::Generated));
    // A pool that shrank keeps what it has.
    assert!(!fills(1, vec![pooled(2), pooled(3)], Origin::Generated));
    assert!(fills(1, vec![], Origin::Restored));
    assert!(!fills(2, vec![], Origin::Imported));
}

#[test]
fn the_most_pressing_comes_first_and_nothing_comes_early() {
    let mut agenda = Agenda::default();
    let rotation = Some(Rotation::Every(Duration::from_secs(1)));
    let rotated = Key { rotation, next_rotation: Some(5), pool_size: 1, ..key("a") };
    agenda.follow(&name("a"), Some(&entry(rotated, vec![version("a", 1, KeyState::Active)])));
    let expiring = KeyVersion { expire_time: Some(9), ..version("b", 1, KeyState::Active) };
    let ending = KeyVersion { destroy_time: Some(7), ..version("b", 2, KeyState::Deactivated) };
    let starting = KeyVersion { activate_time: Some(8), ..version("b", 3, KeyState::PreActive) };
    agenda.follow(&name("b"), Some(&entry(key("b"), vec![expiring, ending, starting])));
    assert_eq!(agenda.len(), 5);
    let of = |id: &str, work| (id.to_owned(), work);
    assert_eq!(due(&mut agenda, 4), [of("a", Work::Fill)]);
    let all = [
        of("b", Work::Expire(1)),
        of("b", Work::Activate(3)),
        of("b", Work::Destroy(2)),
        of("a", Work::Rotate),
        of("a", Work::Fill),
    ];
    assert_eq!(due(&mut agenda, 9), all);
    assert_eq!(due(&mut agenda, 9), [], "all of it was put off");
}

#[test]
fn what_is_move_to_comes_again_and_at_once_when_its_key_changes() {
    let mut agenda = Agenda::default();
    let ending = |at| {
        let row = KeyVersion { destroy_time: Some(at), ..version("k", 1, KeyState::Deactivated) };
        entry(key("k"), vec![row])
    };
    agenda.follow(&name("k"), Some(&ending(5)));
    let item = Item { key: name("k"), work: Work::Destroy(1) };
    assert_eq!(agenda.next(5), Some(item.clone()));
    agenda.move_to(&item, 100);
    assert_eq!((agenda.next(99), agenda.next(100)), (None, Some(item.clone())));
    agenda.follow(&name("k"), Some(&ending(6)));
    assert_eq!((agenda.next(5), agenda.next(6)), (None, Some(item.clone())));
    // It was called off.
    agenda.follow(&name("k"), Some(&entry(key("k"), vec![version("k", 1, KeyState::Deactivated)])));
    assert_eq!((agenda.next(i64::MAX), agenda.len()), (None, 0));
    agenda.move_to(&item, 1);
    assert_eq!(agenda.next(i64::MAX), None, "what is not on the agenda can't be put off");
    agenda.follow(&name("k"), Some(&ending(6)));
    agenda.follow(&name("k"), None);
    assert_eq!(agenda.len(), 0);
}

/// One second's look at what is due costs nothing to speak of, whatever is not due.
#[test]
fn a_hundred_thousand_keys_are_not_looked_at() {
    let mut agenda = Agenda::default();
    for number in 0..100_000 {
        let id = format!("k{number}");
        let key = Key { next_rotation: Some(1_000 + number), ..key(&id) };
        agenda.follow(&name(&id), Some(&entry(key, vec![])));
    }
    let began = std::time::Instant::now();
    for _ in 0..10_000 {
        assert_eq!(agenda.next(999), None);
    }
    // 10,000 scans of 100,000 keys would take minutes.
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(agenda.next(1_000).map(|item| item.key), Some(name("k0")));
}

#[test]
fn pauses_grow_to_a_limit_and_begin_anew() {
    let mut retries = Retries::default();
    let item = |work| Item { key: name("k"), work };
    let error = Error::internal("broken");
    let pauses: Vec<_> = (0..9).map(|_| retries.failed(&item(Work::Destroy(1)), &error)).collect();
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 64, 64]);
    // Each thing fails by itself.
    assert_eq!(retries.failed(&item(Work::Destroy(2)), &error), 1);
    retries.succeeded(&item(Work::Destroy(1)));
    assert_eq!(retries.failed(&item(Work::Destroy(1)), &error), 1);
    let longest = (0..80).map(|_| retries.failed(&item(Work::Rotate), &error)).max();
    assert_eq!(longest, Some(4096));
}

#[tokio::test]
async fn one_of_two_services_has_the_lease_until_it_gives_it_up() {
    let directory = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(SqliteStore::create(&directory.path().join("s"), "d").unwrap());
    let (one, other) = (Lease::new(Arc::clone(&store)), Lease::new(Arc::clone(&store)));
    assert!(!one.is_held());
    one.renew().await;
    other.renew().await;
    assert!(one.is_held() && !other.is_held());
    one.give_up().await;
    other.renew().await;
    assert!(other.is_held());
    // Whoever gave it up does not think that it has it.
    assert!(!one.is_held());
}

/// A clock that was set back must not keep everyone from a lease that was taken before.
#[tokio::test]
async fn a_lease_from_the_future_is_nobodys() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::create(&directory.path().join("s"), "d").unwrap();
    assert!(store.lease("key-schedules", "before".into(), 3600).await.unwrap());
    assert!(store.lease("key-schedules", "after".into(), 15).await.unwrap());
    assert!(!store.lease("key-schedules", "third".into(), 15).await.unwrap());
}

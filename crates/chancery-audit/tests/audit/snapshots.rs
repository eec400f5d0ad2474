//! Logs whose first records are archived.

use crate::sample::{self, File};
use chancery_audit::merkle::Frontier;
use chancery_audit::record::{ContextValue, Kind, Outcome, PolicySet, Record, ResourceState};
use chancery_audit::segment::parse_file_name;
use chancery_audit::snapshot::{self, Archived, Replay, Snapshot, first_record};
use chancery_audit::verify::{Fault, Report, Verifier, VerifyError};

/// Records 0 to 3 are archived.
const ARCHIVED: u64 = 4;

fn replay(mut replay: Replay, records: &[Vec<u8>]) -> Snapshot {
    for record in records {
        replay.add(record).unwrap();
    }
    replay.snapshot().unwrap()
}

fn archive_log(index: u64, snapshot: &Snapshot) -> Record {
    let said = Archived { records: snapshot.records(), snapshot: *snapshot.sha256() };
    let context = said.context().map(|(key, value)| ContextValue { key: key.into(), value }).into();
    Record { action: snapshot::ACTION.into(), context, ..sample::record(index, Kind::StateChange) }
}

/// Before the first cut, an intent is left open that is settled after it; the log ends with the record of the snapshot.
fn records() -> Vec<Vec<u8>> {
    let mut records = sample::records();
    let name = "organizations/org1/keys/peer0";
    let state = |value| ResourceState { name: name.into(), r#type: "chancery.state.v1.Key".into(), value };
    records[2] = Record { resource: name.into(), states: vec![state(vec![1])], ..sample::record(2, Kind::StateChange) };
    records[3] = Record { resource: name.into(), ..sample::record(3, Kind::Intent) };
    records[5] = Record {
        resource: name.into(),
        intent: 4,
        outcome: Outcome::Succeeded as i32,
        states: vec![state(vec![2])],
        ..sample::record(5, Kind::Outcome)
    };
    let snapshot = replay(Replay::default(), &sample::encode(&records[..ARCHIVED as usize]));
    records.push(archive_log(records.len() as u64, &snapshot));
    sample::encode(&records)
}

fn snapshot() -> Snapshot {
    replay(Replay::default(), &records()[..ARCHIVED as usize])
}

fn kept(records: &[Vec<u8>]) -> Vec<File> {
    let files = sample::files(records, &sample::CUTS, sample::TAIL);
    files.into_iter().filter(|(name, _)| parse_file_name(name).unwrap() >= ARCHIVED).collect()
}

fn verify(records: &[Vec<u8>], signed: usize, snapshot: &Snapshot) -> Result<Report, VerifyError> {
    let note = sample::note(&sample::checkpoint(&records[..signed]));
    sample::run(Verifier::after(sample::key(), &note, snapshot)?, &kept(records))
}

#[test]
fn what_is_kept_is_proved_with_the_snapshot() {
    let records = records();
    let note = sample::note(&sample::checkpoint(&records));
    let whole = sample::verify(&sample::files(&records, &sample::CUTS, sample::TAIL), &note).unwrap();
    let report = verify(&records, records.len(), &snapshot()).unwrap();
    assert_eq!((whole.archived, report.archived), (0, ARCHIVED));
    assert_eq!((report.records, &report.checkpoint), (whole.records, &whole.checkpoint));
    assert_eq!(report.deployment, whole.deployment);
    assert_eq!(report.open_intents, whole.open_intents, "the intent before the cut was settled after it");
    assert_eq!(report.segments + 1, whole.segments);
}

#[test]
fn a_snapshot_counts_only_if_a_signed_record_names_it() {
    let (records, snapshot) = (records(), snapshot());
    let fault = |result: Result<Report, VerifyError>| result.unwrap_err().fault;
    assert_eq!(fault(verify(&records, records.len() - 1, &snapshot)), Fault::SnapshotUnproven, "past the checkpoint");
    let unnamed = &records[..records.len() - 1];
    assert_eq!(fault(verify(unnamed, unnamed.len(), &snapshot)), Fault::SnapshotUnproven);
    // The newest record counts: here one that names another.
    let other = replay(Replay::after(&snapshot), &records[4..5]);
    let renamed = Archived { records: ARCHIVED, snapshot: *other.sha256() };
    let mut last = archive_log(records.len() as u64, &snapshot);
    last.context = renamed.context().map(|(key, value)| ContextValue { key: key.into(), value }).into();
    let longer = [records.clone(), sample::encode(&[last])].concat();
    assert_eq!(fault(verify(&longer, longer.len(), &snapshot)), Fault::SnapshotUnproven);
}

#[test]
fn a_changed_byte_of_a_snapshot_is_found() {
    let (records, bytes) = (records(), snapshot().encode());
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        if let Ok(snapshot) = Snapshot::decode(&changed) {
            assert!(verify(&records, records.len(), &snapshot).is_err(), "byte {at}");
        }
    }
    for length in 0..bytes.len() {
        if let Ok(snapshot) = Snapshot::decode(&bytes[..length]) {
            assert!(verify(&records, records.len(), &snapshot).is_err(), "{length} bytes");
        }
    }
}

#[test]
fn an_outcome_names_the_resource_of_its_archived_intent() {
    let mut records = records();
    let decoded = |bytes: &[u8]| <Record as prost::Message>::decode(bytes).unwrap();
    let outcome = Record { resource: "organizations/org1/keys/other".into(), ..decoded(&records[5]) };
    records[5] = sample::encode(&[outcome]).remove(0);
    let error = verify(&records, records.len(), &snapshot()).unwrap_err();
    assert_eq!((error.record, error.fault), (5, Fault::IntentResource { intent: 3 }));
}

/// Whoever has all records makes the snapshot that a service made from an earlier one.
#[test]
fn a_snapshot_follows_from_the_records_however_it_was_made() {
    let records = records();
    for end in 1..=records.len() {
        let whole = replay(Replay::default(), &records[..end]);
        assert_eq!(Snapshot::decode(&whole.encode()).unwrap().sha256(), whole.sha256());
        for middle in 1..end {
            let before = Snapshot::decode(&replay(Replay::default(), &records[..middle]).encode()).unwrap();
            let after = replay(Replay::after(&before), &records[middle..end]);
            assert_eq!(after.encode(), whole.encode(), "{middle}, then {end}");
        }
    }
}

#[test]
fn it_has_last_states_open_intents_and_the_tree() {
    let (records, snapshot) = (records(), snapshot());
    let state = |snapshot: &Snapshot| {
        let [last] = snapshot.states() else { panic!("{:?}", snapshot.states()) };
        (last.record, last.state.clone().unwrap().value)
    };
    assert_eq!(state(&snapshot), (2, vec![1]));
    assert_eq!(snapshot.open_intents().iter().map(|of| of.index).collect::<Vec<_>>(), [3]);
    let later = replay(Replay::after(&snapshot), &records[4..10]);
    assert_eq!((state(&later), later.open_intents().len()), ((5, vec![2]), 0));
    let mut tree = Frontier::default();
    records[..10].iter().for_each(|record| tree.push(chancery_audit::merkle::leaf_hash(record)));
    assert_eq!(later.tree().root(), tree.root());
}

/// What decides after the snapshot may be a set before the one that was recorded last: it is in force a moment longer.
#[test]
fn it_has_the_policy_sets_that_may_still_decide() {
    let set = |index: u64, hash: u8| Record {
        policy_set: Some(PolicySet { hash: vec![hash; 32], files: Vec::new() }),
        ..sample::record(index, Kind::PolicySet)
    };
    let decided =
        |index: u64, hash: u8| Record { policy_set_hash: vec![hash; 32], ..sample::record(index, Kind::Outcome) };
    let genesis = || Record { genesis: Some(sample::genesis()), ..sample::record(0, Kind::Genesis) };
    let hashes = |records: &[Record]| -> Vec<u8> {
        let snapshot = replay(Replay::default(), &sample::encode(records));
        snapshot.policy_sets().map(|set| set.hash[0]).collect()
    };
    assert_eq!(hashes(&[genesis(), set(1, 1), decided(2, 1)]), [1]);
    assert_eq!(hashes(&[genesis(), set(1, 1), set(2, 2), decided(3, 1)]), [2, 1]);
    assert_eq!(hashes(&[genesis(), set(1, 1), set(2, 2), decided(3, 2)]), [2]);
    // Whichever was in force between two others may have decided what is recorded only after the cut.
    assert_eq!(hashes(&[genesis(), set(1, 1), set(2, 2), set(3, 3)]), [3, 1, 2]);
    assert_eq!(hashes(&[genesis(), set(1, 1), set(2, 2), set(3, 3), decided(4, 1)]), [3, 1, 2]);
    assert_eq!(hashes(&[genesis(), set(1, 1), set(2, 2), set(3, 3), decided(4, 2)]), [3, 2]);
    assert_eq!(hashes(&[genesis(), set(1, 1), set(2, 2), set(3, 3), decided(4, 3)]), [3]);
    assert_eq!(hashes(&[genesis(), set(1, 1), set(2, 2), set(3, 1), decided(4, 2)]), [1, 2], "one came back");
    assert_eq!(hashes(&[genesis(), set(1, 1), set(2, 2), decided(3, 2), set(4, 3), decided(5, 1)]), [3, 2]);
}

#[test]
fn where_a_directory_begins() {
    assert_eq!(first_record(&[], &[]), None);
    assert_eq!(first_record(&[0, 4, 8], &[4]), Some(0), "whole, whatever snapshots are there");
    assert_eq!(first_record(&[4, 8], &[4]), Some(4));
    assert_eq!(first_record(&[4, 8], &[4, 8]), Some(4), "the next removal did not begin");
    assert_eq!(first_record(&[6, 8, 9], &[4, 8]), Some(8), "it did, and did not end");
    assert_eq!(first_record(&[4, 8], &[]), None);
    assert_eq!(first_record(&[4, 8], &[3, 9]), None);
}

#[test]
fn names_of_snapshots() {
    assert_eq!(snapshot::file_name(12), "00000000000000000012.snapshot");
    assert_eq!(snapshot::parse_file_name("00000000000000000012.snapshot"), Some(12));
    for name in
        ["12.snapshot", "00000000000000000012.seg", "+0000000000000000012.snapshot", "99999999999999999999.snapshot"]
    {
        assert_eq!(snapshot::parse_file_name(name), None, "{name}");
    }
}

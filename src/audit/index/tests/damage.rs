//! Files of the index that are missing, damaged, of other records or half written: answers stay what they were.

use super::{Log, pages, record};
use crate::audit::index::Query;
use std::fs;

fn queries() -> Vec<Query> {
    let of = |organization: &str, newest_first| Query {
        organization: organization.into(),
        limit: 50,
        newest_first,
        ..Query::default()
    };
    vec![
        of("org1", false),
        Query { key: Some("organizations/org1/keys/a".into()), ..of("org1", true) },
        Query { action: Some("Sign".into()), outcome: Some(1), ..of("org2", false) },
        Query { request_id: Some("id-6".into()), since: Some(1), ..of("org1", true) },
    ]
}

fn log() -> Log {
    Log::write((0..130).map(|seed| record(seed * 31)).collect(), vec![60, 100])
}

#[test]
fn a_changed_byte_anywhere_changes_no_answer_and_is_mended() {
    let log = log();
    let index = log.settled();
    let queries = queries();
    let expected: Vec<_> = queries.iter().map(|query| log.scan(query)).collect();
    assert!(expected.iter().all(|found| !found.is_empty()));
    let file = &log.files()[0];
    let sound = fs::read(file).unwrap();
    // Every byte of the entries and of what guards them; of the zeroes that fill a page, a few.
    let matters = |at: &usize| sound[*at] != 0 || at % 4096 >= 4080 || at.is_multiple_of(61);
    for at in (0..sound.len()).filter(matters) {
        let mut damaged = sound.clone();
        damaged[at] ^= 1 << (at % 8);
        // In one step: it may be written again at the same time.
        fs::write(file.with_extension("new"), &damaged).unwrap();
        fs::rename(file.with_extension("new"), file).unwrap();
        let of = at % queries.len();
        assert_eq!(pages(&index, &queries[of]), expected[of], "byte {at} of {}", file.display());
    }
    drop(index);
    // Whatever the last damage was, a start makes the files whole.
    log.files().iter().for_each(|file| fs::write(file, b"CHANCIDX").unwrap());
    let again = log.settled();
    for (query, expected) in queries.iter().zip(&expected) {
        assert_eq!(pages(&again, query), *expected);
    }
}

#[test]
fn missing_and_cut_files_are_made_again() {
    let log = log();
    let sound: Vec<_> = {
        let _index = log.settled();
        log.files().iter().map(|file| fs::read(file).unwrap()).collect()
    };
    let files = log.files();
    fs::remove_file(&files[0]).unwrap();
    fs::write(&files[1], &sound[1][..100]).unwrap();
    let index = log.settled();
    for (file, sound) in files.iter().zip(&sound) {
        assert_eq!(fs::read(file).unwrap(), *sound, "{}", file.display());
    }
    // While the service runs, whoever asks has it made again.
    fs::remove_file(&files[0]).unwrap();
    let query = &queries()[0];
    assert_eq!(pages(&index, query), log.scan(query));
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !files[0].exists() {
        assert!(std::time::Instant::now() < deadline, "it is not written again");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}

/// Another log's files under the same names, e.g. after a restore.
#[test]
fn files_of_other_records_are_not_used() {
    let (log, other) = (log(), Log::write((0..130).map(|seed| record(seed * 37)).collect(), vec![60, 100]));
    drop(log.settled());
    drop(other.settled());
    for (ours, theirs) in log.files().iter().zip(other.files()) {
        fs::copy(theirs, ours).unwrap();
    }
    let index = log.index();
    for query in queries() {
        assert_eq!(pages(&index, &query), log.scan(&query), "{query:?}");
    }
}

/// Without a place to write to, queries are slower, and right.
#[test]
fn a_folder_that_takes_no_files_costs_time_only() {
    let log = log();
    fs::write(log.folders().index, b"in the way").unwrap();
    let index = log.index();
    for query in queries() {
        assert_eq!(pages(&index, &query), log.scan(&query), "{query:?}");
    }
}

/// The log itself is never guessed at.
#[test]
fn a_damaged_segment_is_an_error_and_no_shorter_answer() {
    let log = log();
    let index = log.settled();
    let segment = log.folders().log.join(chancery_audit::segment::file_name(0));
    let mut bytes = fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let error = index.page(&queries()[0]).unwrap_err();
    assert!(error.contains("can't be read"), "{error}");
}

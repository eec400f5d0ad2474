//! What an attacker with the files, but without the audit key, can do to a log: nothing that goes unnoticed.

use chancery_audit::record::Record;
use chancery_audit::segment::{CHECKPOINT_FILE, Frames, Header, file_name};
use chancery_audit::verify::{Fault, Verifier, VerifyError};
use prost::Message;

use crate::sample::{self, CUTS, File, SIGNED, TAIL, encode, files, key, log, run, verify};

fn assert_names_a_record(error: &VerifyError) {
    assert!(error.to_string().starts_with(&format!("record {} (", error.record)), "{error}");
    assert!(error.record <= 11, "{error}");
}

#[test]
fn the_sample_verifies() {
    let (files, note) = log();
    let report = verify(&files, &note).unwrap();
    assert_eq!((report.records, report.past_checkpoint, report.segments), (11, 2, 3));
    assert_eq!(report.checkpoint.size, SIGNED as u64);
    assert_eq!(report.deployment, "example");
    assert_eq!(report.by_kind.values().sum::<u64>(), 11);
    assert_eq!(report.by_kind.len(), 8);
    assert_eq!(report.open_intents.iter().map(|intent| intent.index).collect::<Vec<_>>(), [10]);
    assert_eq!((report.enclaves.len(), report.operation_holes, report.without_commitment), (1, 1, 0));
    assert_eq!(report.times_backwards, 1);
    assert_eq!(report.first_time_unix_nanos, 1_790_000_000_000_000_000);
    assert_eq!(report.last_time_unix_nanos, 1_790_000_000_010_000_000);
}

#[test]
fn every_changed_byte_is_noticed() {
    let (sound, note) = log();
    let mut before = Verifier::new(key(), &note).unwrap();
    for (number, (name, bytes)) in sound.iter().enumerate() {
        let (header, frames) = Frames::new(bytes).unwrap();
        let frames: Vec<_> = frames.map(Result::unwrap).collect();
        for at in 0..bytes.len() {
            for flip in [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff] {
                let mut files = sound[number..].to_vec();
                files[0].1[at] ^= flip;
                let error = run(before.clone(), &files).expect_err(&format!("{name} byte {at} ^ {flip:#x}"));
                assert_names_a_record(&error);
                assert_eq!(error.segment, *name, "byte {at}: {error}");
                // The record whose bytes they are; the first of the segment for its header, the next one for the tail.
                let changed = frames.iter().rev().find(|frame| frame.offset <= at);
                let in_tail = frames.last().is_some_and(|f| at >= f.offset + 8 + f.record.len());
                let record = changed.map_or(header.first_index, |frame| frame.index + u64::from(in_tail));
                assert_eq!(error.record, record, "{name} byte {at} ^ {flip:#x}: {error}");
            }
        }
        before.segment(name, bytes).unwrap();
    }
}

#[test]
fn every_truncation_is_noticed_unless_it_leaves_a_sound_log() {
    let (sound, note) = log();
    let mut before = Verifier::new(key(), &note).unwrap();
    for (number, (name, bytes)) in sound.iter().enumerate() {
        let (_, mut frames) = Frames::new(bytes).unwrap();
        // Where the last segment may end: after a record that no checkpoint covers, or in the zeroes after the last.
        let mut ends: Vec<usize> =
            frames.by_ref().map(Result::unwrap).filter(|f| f.index as usize >= SIGNED).map(|f| f.offset).collect();
        ends.extend(frames.end_offset()..bytes.len());
        for length in 0..bytes.len() {
            let mut files = sound[number..].to_vec();
            files[0].1.truncate(length);
            let result = run(before.clone(), &files);
            let harmless = number + 1 == sound.len() && ends.contains(&length);
            assert_eq!(result.is_ok(), harmless, "{name} cut to {length}: {result:?}");
            result.err().iter().for_each(assert_names_a_record);
        }
        before.segment(name, bytes).unwrap();
    }
}

#[test]
fn a_removed_segment_is_noticed() {
    let (sound, note) = log();
    let without = |number: usize| {
        let mut files = sound.clone();
        files.remove(number);
        verify(&files, &note).unwrap_err()
    };
    assert_eq!((without(0).record, without(0).fault), (0, Fault::Missing { found: 4 }));
    assert_eq!((without(1).record, without(1).fault), (4, Fault::Missing { found: 8 }));
    assert_eq!((without(2).record, without(2).fault), (8, Fault::CutOff { size: 9 }));
    assert_eq!(verify(&[], &note).unwrap_err().fault, Fault::CutOff { size: 9 });
}

#[test]
fn reordered_doubled_and_renamed_segments_are_noticed() {
    let (sound, note) = log();
    let order = |numbers: &[usize]| {
        let files: Vec<File> = numbers.iter().map(|n| sound[*n].clone()).collect();
        verify(&files, &note).unwrap_err().fault
    };
    assert_eq!(order(&[0, 2, 1]), Fault::Missing { found: 8 });
    assert_eq!(order(&[0, 1, 1, 2]), Fault::Doubled { found: 4 });
    assert_eq!(order(&[0, 1, 2, 2]), Fault::Unsealed);

    let mut renamed = sound.clone();
    renamed[1].0 = file_name(5);
    assert_eq!(verify(&renamed, &note).unwrap_err().fault, Fault::Renamed { header: 4 });
    renamed[1].0 = "segment".into();
    assert_eq!(verify(&renamed, &note).unwrap_err().fault, Fault::FileName);
}

/// Record lists, framed anew: every header and checksum is sound, only the key was missing.
#[test]
fn records_changed_with_sound_checksums_are_noticed() {
    let (_, note) = log();
    let sound = encode(&sample::records());
    let forge = |records: &[Vec<u8>]| verify(&files(records, &CUTS, TAIL), &note).unwrap_err();

    for at in 0..SIGNED {
        let mut changed = sound.clone();
        let mut record = Record::decode(&changed[at][..]).unwrap();
        record.reason = "forged".into();
        changed[at] = record.encode_to_vec();
        let error = forge(&changed);
        assert_eq!((error.record, error.fault), (8, Fault::CheckpointRoot { size: 9 }));
    }
    for at in 0..SIGNED {
        let mut doubled = sound.clone();
        doubled.insert(at, sound[at].clone());
        assert_eq!(
            forge(&doubled).fault,
            if at == 0 { Fault::Index { found: 0 } } else { Fault::Index { found: at as u64 } }
        );
        let mut removed = sound.clone();
        removed.remove(at);
        assert_eq!((forge(&removed).record, forge(&removed).fault), (at as u64, Fault::Index { found: at as u64 + 1 }));
        let mut swapped = sound.clone();
        swapped.swap(at, at + 1);
        assert_eq!((forge(&swapped).record, forge(&swapped).fault), (at as u64, Fault::Index { found: at as u64 + 1 }));
    }
}

#[test]
fn a_record_forged_in_one_segment_alone_contradicts_the_next_header() {
    let (mut log, note) = log();
    let mut records = sample::records();
    records[2].action = "DestroyKey".into();
    log[0] = files(&encode(&records), &CUTS, TAIL).remove(0);
    let error = verify(&log, &note).unwrap_err();
    assert_eq!((error.record, error.segment, error.fault), (4, file_name(4), Fault::HeaderRoot { since: 0 }));
}

#[test]
fn a_rolled_back_log_is_noticed() {
    let (_, note) = log();
    let records = encode(&sample::records());
    for kept in 1..SIGNED {
        let error = verify(&files(&records[..kept], &CUTS, TAIL), &note).unwrap_err();
        assert_eq!((error.record, error.fault), (kept as u64, Fault::CutOff { size: 9 }));
    }
    assert_eq!(verify(&files(&records[..SIGNED], &CUTS, 0), &note).unwrap().past_checkpoint, 0);
}

#[test]
fn another_key_or_origin_is_noticed() {
    let (files, note) = log();
    let other_key = sample::key_of(&ed25519_dalek::SigningKey::from_bytes(&[8; 32]), sample::ORIGIN);
    let error = Verifier::new(other_key, &note).unwrap_err();
    assert!(matches!(error.fault, Fault::Checkpoint(_)));
    assert_eq!(error.segment, CHECKPOINT_FILE);

    // The right key under another name, with a checkpoint of that name.
    let name = "audit.example.org/chancery-2";
    let renamed = sample::key_of(&sample::signer(), name);
    assert!(matches!(Verifier::new(renamed.clone(), &note).unwrap_err().fault, Fault::Checkpoint(_)));
    let mut checkpoint = sample::checkpoint(&encode(&sample::records())[..SIGNED]);
    checkpoint.origin = name.into();
    let signature = ed25519_dalek::Signer::sign(&sample::signer(), checkpoint.text().as_bytes()).to_bytes();
    let verifier = Verifier::new(renamed.clone(), &renamed.sign_note(&checkpoint, &signature)).unwrap();
    let error = run(verifier.clone(), &files).unwrap_err();
    assert_eq!((error.record, error.fault), (0, Fault::SegmentOrigin { name: name.into() }));

    // Even with headers of that name: the GENESIS says whose log it is.
    let forged = sample::files_of(name, &encode(&sample::records()), &CUTS, TAIL);
    let error = run(verifier, &forged).unwrap_err();
    assert_eq!((error.record, error.fault), (0, Fault::GenesisKey { found: key().to_string() }));
}

#[test]
fn a_closed_segment_ends_at_its_last_record() {
    let (sound, note) = log();
    let mut grown = sound.clone();
    grown[0].1.push(0);
    let error = verify(&grown, &note).unwrap_err();
    assert_eq!((error.record, error.segment, error.fault), (4, file_name(0), Fault::Unsealed));

    let mut emptied = sound.clone();
    emptied[1].1.truncate(Header::LENGTH);
    let error = verify(&emptied, &note).unwrap_err();
    assert_eq!((error.record, error.fault), (4, Fault::NoFrames));

    // A last segment without records is a log that has just opened it.
    let (mut fresh, records) = (sound, encode(&sample::records()));
    fresh.pop();
    let tree_root = sample::checkpoint(&records[..8]).root;
    let header = Header { first_index: 8, origin_hash: Frames::new(&fresh[0].1).unwrap().0.origin_hash, tree_root };
    fresh.push((file_name(8), [&header.encode()[..], &[0; 32]].concat()));
    assert!(verify(&fresh, &sample::note(&sample::checkpoint(&records[..8]))).is_ok());
}

#[test]
fn the_first_error_is_final() {
    let (mut files, note) = log();
    let at = files[2].1.len() - 1;
    files[2].1[at] = 1;
    let mut verifier = Verifier::new(key(), &note).unwrap();
    verifier.segment(&files[0].0, &files[0].1).unwrap();
    verifier.segment(&files[1].0, &files[1].1).unwrap();
    let before = verifier.clone();
    let error = verifier.segment(&files[2].0, &files[2].1).unwrap_err();
    assert_eq!(verifier.segment(&files[2].0, &files[2].1), Err(error.clone()));
    assert_eq!(verifier.finish(), Err(error));

    // A clone from before reads the repaired file: how a live log's end is read again.
    files[2].1[at] = 0;
    assert!(run(before, &files[2..]).is_ok());
}

#[test]
fn a_checkpoint_of_nothing_needs_the_empty_root() {
    let (files, _) = log();
    let empty = sample::checkpoint(&[]);
    assert_eq!(verify(&files, &sample::note(&empty)).unwrap().past_checkpoint, 11);
    assert_eq!(verify(&[], &sample::note(&empty)).unwrap_err().fault, Fault::NoRecords);
    let wrong = chancery_audit::checkpoint::Checkpoint { root: [1; 32], ..empty };
    assert!(matches!(verify(&files, &sample::note(&wrong)).unwrap_err().fault, Fault::Checkpoint(_)));
}

//! The enclave's evidence against someone who holds the audit key's note for a rewritten log: records and tree are sound and
//! signed, only what the enclave stated can't be made anew.

use chancery_audit::record::{Kind, Outcome, Record, Statement};
use chancery_audit::segment::file_name;
use chancery_audit::verify::{Fault, Missing, Report, Verifier, VerifyError};

use crate::sample::{
    self, INCARNATION, MECHANISM, VERSION, checkpoint, commitment, encode, files, key, note, record, run, stated,
    statement,
};

/// The sample's process, in hex.
const PROCESS: &str = "e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1";

/// What stands in a log after its GENESIS.
#[derive(Clone)]
enum Event {
    /// An operation of the sample's process.
    Operation(u64),
    Statement(Statement),
}

use Event::Operation;

fn said(operations: u64) -> Event {
    Event::Statement(statement(operations))
}

fn operation(index: u64, number: u64) -> Record {
    Record {
        resource: VERSION.into(),
        mechanism: MECHANISM.into(),
        outcome: Outcome::Succeeded as i32,
        enclave_incarnation: INCARNATION.into(),
        enclave_operation: number,
        enclave_commitment: commitment(number).into(),
        ..record(index, Kind::Outcome)
    }
}

fn log(events: &[Event]) -> Vec<Record> {
    let genesis = Record { genesis: Some(sample::genesis()), ..record(0, Kind::Genesis) };
    let rest = (1..).zip(events).map(|(index, event)| match event {
        Event::Operation(number) => operation(index, *number),
        Event::Statement(statement) => Record { statement: Some(statement.clone()), ..record(index, Kind::Statement) },
    });
    [genesis].into_iter().chain(rest).collect()
}

fn verified(records: &[Record], strict: bool) -> Result<Report, VerifyError> {
    let records = encode(records);
    let verifier = Verifier::new(key(), &note(&checkpoint(&records))).unwrap();
    run(verifier.missing(if strict { Missing::Never } else { Missing::Explained }), &files(&records, &[2], 0))
}

fn verify(events: &[Event]) -> Result<Report, VerifyError> {
    verified(&log(events), false)
}

#[track_caller]
fn refused(events: &[Event], record: u64, fault: Fault) {
    let error = verify(events).unwrap_err();
    assert_eq!((error.record, error.fault), (record, fault));
    assert_eq!(error.segment, file_name(if record < 2 { 0 } else { 2 }));
}

fn missing(first: u64, last: u64, after_record: Option<u64>) -> Fault {
    Fault::OperationsMissing { incarnation: PROCESS.into(), first, last, after_record, holes: 1 }
}

#[test]
fn statements_hold_in_whatever_order_records_come() {
    let report = verify(&[Operation(2), said(3), Operation(3), Operation(1), Operation(4), said(4)]).unwrap();
    assert_eq!((report.operation_holes, report.without_commitment), (0, 0));
    let [process] = &report.enclaves[..] else { panic!("one process") };
    assert_eq!((process.operations, process.highest, process.stated), (4, 4, Some(4)));
    assert!(process.is_closed());
    // A statement may be late, and repeated.
    verify(&[Operation(1), Operation(2), Operation(3), said(2), said(2), said(3)]).unwrap();
    verify(&[said(0), Operation(1), said(1)]).unwrap();
}

#[test]
fn a_process_that_goes_on_without_a_closing_statement_is_named() {
    let report = verify(&[Operation(1), said(1), Operation(2)]).unwrap();
    assert!(!report.enclaves[0].is_closed());
    assert!(!verify(&[Operation(1)]).unwrap().enclaves[0].is_closed());
}

#[test]
fn an_operation_dropped_from_the_log_is_named_once_the_process_stated_more() {
    refused(&[Operation(1), Operation(3), said(3), Operation(4), said(4)], 2, missing(2, 2, Some(1)));
    refused(&[Operation(3), said(3), Operation(4), said(4)], 1, missing(1, 2, None));
    // Dropped from the end: the last of those that the last statement but one covers.
    refused(&[Operation(1), said(2), said(2)], 3, missing(2, 2, Some(1)));
    let two = [Operation(2), said(2), Operation(4), said(4), said(4)];
    let error = verify(&two).unwrap_err();
    let incarnation = PROCESS.into();
    assert_eq!(error.fault, Fault::OperationsMissing { incarnation, first: 1, last: 1, after_record: None, holes: 2 });
    assert!(error.to_string().contains("operations without a record: 1 to 1 of enclave process"), "{error}");
}

#[test]
fn an_operation_that_a_crash_explains_is_a_finding_and_an_error_where_every_hole_is() {
    let crashed = [Operation(1), said(1), Operation(3), said(3)];
    let report = verify(&crashed).unwrap();
    assert_eq!(report.operation_holes, 1);
    let [hole] = &report.holes[..] else { panic!("one hole") };
    assert_eq!((hole.incarnation, hole.first, hole.last), (INCARNATION, 2, 2));
    assert_eq!((hole.after_record, hole.before_record), (Some(1), Some(3)));
    let error = verified(&log(&crashed), true).unwrap_err();
    assert_eq!((error.record, error.fault), (3, missing(2, 2, Some(1))));
    verified(&log(&[Operation(1), said(1)]), true).unwrap();
}

#[test]
fn a_changed_operation_contradicts_the_next_statement() {
    type Change = fn(&mut Record);
    let changes: [Change; 3] =
        [|r| r.resource.push('0'), |r| r.mechanism = "sm2".into(), |r| r.enclave_commitment[31] ^= 1];
    for change in changes {
        let mut records = log(&[Operation(1), said(1), Operation(2), Operation(3), said(3)]);
        change(&mut records[3]);
        let error = verified(&records, false).unwrap_err();
        assert_eq!((error.record, error.fault), (5, Fault::StatementLink { operations: 3, since: 1 }));
    }
}

#[test]
fn two_operations_that_changed_their_numbers_contradict_the_next_statement() {
    let mut records = log(&[Operation(1), Operation(2), said(2)]);
    records[1].enclave_operation = 2;
    records[2].enclave_operation = 1;
    let error = verified(&records, false).unwrap_err();
    assert_eq!((error.record, error.fault), (3, Fault::StatementLink { operations: 2, since: 0 }));
}

#[test]
fn only_the_audit_key_makes_statements() {
    for change in [
        |s: &mut Statement| s.signature[0] ^= 1,
        |s: &mut Statement| s.operations += 1,
        |s: &mut Statement| s.running_hash[0] ^= 1,
        |s: &mut Statement| s.incarnation[0] ^= 1,
    ] {
        let mut changed = statement(1);
        change(&mut changed);
        refused(&[Operation(1), Event::Statement(changed)], 2, Fault::StatementSignature);
    }
}

#[test]
fn statements_of_one_process_grow() {
    refused(&[Operation(1), Operation(2), said(2), said(1)], 4, Fault::StatementBackwards { before: 2, now: 1 });
    let other = Event::Statement(stated(1, [9; 32]));
    refused(&[said(1), other.clone(), Operation(1)], 2, Fault::StatementLink { operations: 1, since: 0 });
    refused(&[other, Operation(1)], 1, Fault::StatementLink { operations: 1, since: 0 });
}

#[test]
fn after_a_hole_the_chain_goes_on_from_the_next_statement() {
    let mut records = log(&[Operation(1), said(1), Operation(3), said(3), Operation(4), said(4)]);
    // The hole is an error here; what else is wrong comes first.
    records[5].enclave_commitment[0] ^= 1;
    let error = verified(&records, false).unwrap_err();
    assert_eq!((error.record, error.fault), (6, Fault::StatementLink { operations: 4, since: 3 }));
}

#[test]
fn records_from_before_commitments_verify_and_are_counted() {
    let mut records = log(&[Operation(1), Operation(3)]);
    records[1..].iter_mut().for_each(|record| record.enclave_commitment.clear());
    let report = verified(&records, false).unwrap();
    assert_eq!((report.without_commitment, report.operation_holes), (2, 1));
    assert_eq!((report.enclaves[0].stated, report.enclaves[0].without_commitment), (None, 2));
}

#[test]
fn commitments_can_not_be_taken_out_again() {
    let mut records = log(&[Operation(1), Operation(2)]);
    records[2].enclave_commitment.clear();
    assert_eq!(verified(&records, false).unwrap_err().fault, Fault::NoCommitment { operation: 2 });
    let mut records = log(&[Operation(1), said(1)]);
    records[1].enclave_commitment.clear();
    let error = verified(&records, false).unwrap_err();
    assert_eq!((error.record, error.fault), (2, Fault::StatementWithoutCommitments));
}

#[test]
fn a_statement_that_an_enclave_must_have_been_shown_can_not_be_dropped() {
    let mut events: Vec<Event> = (1..=4096).map(Operation).collect();
    verify(&events).unwrap();
    events.extend([said(1), Operation(4097), said(4097), Operation(4098)]);
    verify(&events).unwrap();
    let mut without = events.clone();
    without.remove(4096);
    refused(&without, 4097, Fault::Unstated { operation: 4097, since: 0 });
    let only: Vec<Event> =
        events.iter().filter(|event| matches!(event, Event::Statement(_))).skip(1).cloned().collect();
    refused(&only, 1, Fault::Unstated { operation: 4097, since: 0 });
}

/// Batches are read while others are judged: the first error is the first in the order of records all the same.
#[test]
fn the_first_error_is_the_first_record_of_a_long_log() {
    let sound: Vec<Record> = log(&[]).into_iter().chain((1..=20_000).map(|at| record(at, Kind::StateChange))).collect();
    assert_eq!(verified(&sound, false).unwrap().records, 20_001);
    for (first, later) in [(4095, 4096), (4097, 12_000), (15_000, 19_999)] {
        let mut records = sound.clone();
        records[first].intent = first as u64 + 1;
        records[later].salt.clear();
        let error = verified(&records, false).unwrap_err();
        assert_eq!((error.record, error.fault), (first as u64, Fault::IntentNotEarlier { intent: first as u64 }));
    }
}

//! What someone can do who writes the whole log anew and has the audit key sign it.

use super::world::{ALL, INCARNATION, World, version_row};
use chancery_audit::verify::Fault;
use chancery_verifier::{Contradiction, Options};

/// Three signatures, stated, suspended: records 4, 5 (operations 2, 3), 6 states, 7 (operation 4), 8 states, 9 suspends.
fn world() -> World {
    let mut world = World::new();
    assert_eq!((world.sign("one"), world.sign("two"), world.state()), (4, 5, 6));
    assert_eq!((world.sign("three"), world.state()), (7, 8));
    assert_eq!(world.change("SuspendKeyVersion", vec![version_row(|row| row.state = "SUSPENDED".into())]), 9);
    world
}

fn missing(operation: u64, after_record: u64) -> Fault {
    let incarnation = INCARNATION.iter().map(|byte| format!("{byte:02x}")).collect();
    Fault::OperationsMissing {
        incarnation,
        first: operation,
        last: operation,
        after_record: Some(after_record),
        holes: 1,
    }
}

#[test]
fn an_honest_log_is_whole() {
    let findings = world().audit(Options { strict: true, ..ALL }).unwrap();
    assert_eq!((findings.uses, findings.committed_signatures, findings.message_not_in_log), (3, 3, 0));
    assert_eq!(findings.signatures.unwrap().into_iter().collect::<Vec<_>>(), [("ec-p256", 3)]);
    assert_eq!((findings.key_versions, findings.policy_sets, findings.decisions), (1, 1, 6));
    assert_eq!((findings.report.records, findings.report.holes.len()), (10, 0));
    assert!(findings.report.enclaves[0].is_closed());
    let unchecked = world().audit(Options::default()).unwrap();
    assert_eq!((unchecked.signatures, unchecked.committed_signatures), (None, 3));
}

#[test]
fn a_record_removed() {
    for (removed, operation, at) in [(4, 2, 4), (5, 3, 6)] {
        let mut world = world();
        world.records.remove(removed);
        world.refused(at, &missing(operation, removed as u64 - 1));
    }
    let mut without_its_making = world();
    without_its_making.records.remove(3);
    let resource = super::world::VERSION.into();
    without_its_making.refused(3, &Contradiction::UnknownVersion { resource });
}

#[test]
fn a_record_altered() {
    let altered = |change: fn(&mut chancery_audit::record::Record)| {
        let mut world = world();
        change(&mut world.records[4]);
        world
    };
    altered(|r| r.digest[0] ^= 1).refused(4, &Contradiction::Commitment);
    altered(|r| r.enclave_commitment[0] ^= 1).refused(4, &Contradiction::Commitment);
    altered(|r| r.principal.as_mut().unwrap().organization = "org2".into()).refused(
        4,
        &Contradiction::OtherOrganization { version: super::world::VERSION.into(), organization: "org2".into() },
    );
    altered(|r| r.algorithm = "ec-p384".into())
        .refused(4, &Contradiction::Algorithm { found: "ec-p384".into(), expected: "ec-p256".into() });
    // Whatever the record holds for it, the chain remembers which number it was.
    let mut renumbered = world();
    renumbered.records[4].enclave_operation = 3;
    renumbered.records[5].enclave_operation = 2;
    renumbered.refused(6, &Fault::StatementLink { operations: 3, since: 0 });
}

#[test]
fn records_reordered() {
    let mut past_the_suspension = world();
    let signature = past_the_suspension.records.remove(7);
    past_the_suspension.push(signature);
    let version = super::world::VERSION.into();
    past_the_suspension.refused(9, &Contradiction::StateForbids { version, stage: chancery_model::Stage::Suspended });
    let mut before_its_making = world();
    let signature = before_its_making.records.remove(4);
    before_its_making.records.insert(3, signature);
    before_its_making.refused(3, &Contradiction::UnknownVersion { resource: super::world::VERSION.into() });
    let mut statements = world();
    statements.records.swap(6, 8);
    statements.refused(8, &Fault::StatementBackwards { before: 4, now: 3 });
}

#[test]
fn a_record_appended_twice() {
    let mut world = world();
    let again = world.records[5].clone();
    world.records.insert(6, again);
    world.refused(6, &Fault::OperationRepeated { operation: 3 });
}

#[test]
fn a_log_rolled_back() {
    let world = world();
    let newest = world.note();
    for kept in 3..world.records.len() {
        let mut old = world.clone();
        old.records.truncate(kept);
        let error = old.audit_against(&newest, ALL).unwrap_err();
        assert_eq!((error.record, error.fault), (kept as u64, Fault::CutOff { size: 10 }));
    }
}

#[test]
fn signatures_swapped() {
    let mut world = world();
    let (one, two) = (world.records[4].signature.clone(), world.records[5].signature.clone());
    (world.records[4].signature, world.records[5].signature) = (two, one);
    world.refused(4, &Contradiction::Commitment);
}

#[test]
fn an_operations_number_dropped() {
    let mut world = world();
    world.records[5].enclave_operation = 0;
    world.refused(5, &Fault::CommitmentAlone);
    world.records[5].enclave_commitment.clear();
    world.refused(5, &Fault::ReleasedAlone);
    world.records[5].signature.clear();
    world.records[5].mechanism.clear();
    world.refused(7, &missing(3, 4));
}

#[test]
fn a_statement_dropped() {
    // The next one covers what it covered, so nothing is lost; without the last, the end is named.
    let mut world = world();
    world.records.remove(8);
    let findings = world.audit(ALL).unwrap();
    assert_eq!(findings.report.enclaves[0].stated, Some(3));
    assert!(!findings.report.enclaves[0].is_closed());
    // Not even together with an operation that it alone covers, where every hole is an error.
    let mut world = World::new();
    world.sign("one");
    world.state();
    world.records.remove(4);
    let error = world.audit(Options { strict: true, ..ALL }).unwrap_err();
    assert_eq!((error.record, error.fault), (4, missing(2, 3)));
}

#[test]
fn a_use_of_a_version_after_the_log_says_that_it_was_suspended() {
    let mut world = world();
    world.sign("four");
    let version = super::world::VERSION.into();
    world.refused(10, &Contradiction::StateForbids { version, stage: chancery_model::Stage::Suspended });
}

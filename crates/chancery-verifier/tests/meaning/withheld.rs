//! Uses whose signature the log does not have: left out of the record, or said to have failed.

use super::world::{ALL, KEY, VERSION, World, version_row};
use chancery_audit::record::{Kind, Outcome, Record};
use chancery_audit::verify::Fault;
use chancery_verifier::{Contradiction, Options};

/// A signature, changed before it was recorded as record 4, and stated.
fn with(change: impl FnOnce(&mut Record)) -> World {
    let mut world = World::new();
    let mut record = world.signed_as("one", "der");
    change(&mut record);
    world.push(record);
    world.state();
    world
}

/// The service's word that nothing came of an operation.
fn not_recorded(record: &mut Record) {
    *record = Record {
        kind: Kind::Outcome.into(),
        action: "Reconcile".into(),
        reason: "NOT_RECORDED".into(),
        outcome: Outcome::Unknown.into(),
        resource: record.resource.clone(),
        mechanism: record.mechanism.clone(),
        enclave_incarnation: record.enclave_incarnation.clone(),
        enclave_operation: record.enclave_operation,
        enclave_commitment: record.enclave_commitment.clone(),
        ..Record::default()
    };
}

#[test]
fn a_use_that_succeeded_has_its_signature() {
    with(|_| {}).audit(ALL).unwrap();
    with(|r| r.signature.clear()).refused(4, &Contradiction::NoSignature);
    // Whatever the record calls it: the mechanism stands in the enclave's chain.
    with(|r| (r.action, r.signature) = ("Decrypt".into(), Vec::new())).refused(4, &Contradiction::NoSignature);
    with(|r| (r.action, r.signature) = ("CreateKey".into(), Vec::new())).refused(4, &Contradiction::NoSignature);
}

#[test]
fn a_use_has_a_user() {
    with(|r| r.principal = None).refused(4, &Contradiction::Nobody { version: VERSION.into() });
}

#[test]
fn an_operation_stands_in_an_outcome_only() {
    for kind in [Kind::Denial, Kind::StateChange, Kind::Intent] {
        let hidden = with(|r| (r.kind, r.signature) = (kind.into(), Vec::new()));
        hidden.refused(4, &Fault::OperationOutsideOutcome);
    }
    let replayed = with(|r| (r.outcome, r.signature) = (Outcome::Replayed.into(), Vec::new()));
    replayed.refused(4, &Fault::OperationOutsideOutcome);
}

#[test]
fn a_signature_stands_with_its_operation() {
    let without = |r: &mut Record| {
        r.enclave_operation = 0;
        r.enclave_incarnation.clear();
        r.enclave_commitment.clear();
    };
    let mut world = World::new();
    let mut record = world.signed_as("made elsewhere", "der");
    without(&mut record);
    world.push(record.clone());
    world.refused(4, &Fault::ReleasedAlone);
    world.records[4].signature.clear();
    world.refused(4, &Fault::ReleasedAlone);
    world.records[4] = Record { outcome: Outcome::Replayed.into(), ..record };
    world.refused(4, &Fault::ReleasedAlone);
    with(|r| r.outcome = Outcome::Unknown.into()).refused(4, &Fault::SignatureOfFailure);
}

#[test]
fn uses_said_to_have_failed_are_counted() {
    for world in [
        with(|r| (r.outcome, r.signature) = (Outcome::Unknown.into(), Vec::new())),
        with(|r| (r.outcome, r.signature) = (Outcome::NotPerformed.into(), Vec::new())),
        with(not_recorded),
    ] {
        let findings = world.audit(ALL).unwrap();
        assert_eq!((findings.uses, findings.withheld.uses, findings.withheld.of_unusable.len()), (0, 1, 0));
        let error = world.audit(Options { strict: true, ..ALL }).unwrap_err();
        let why = Contradiction::Withheld { version: VERSION.into() };
        assert_eq!((error.record, error.fault.to_string()), (4, why.to_string()));
    }
    // A key whose making failed gave nobody anything.
    let mut world = World::new();
    let made = Record { outcome: Outcome::Unknown.into(), ..world.decided("CreateKey", &format!("{KEY}/versions/2")) };
    let record = world.operation(made, "generate", [2; 32]);
    world.push(record);
    world.state();
    assert_eq!(world.audit(Options { strict: true, ..ALL }).unwrap().withheld.uses, 0);
}

#[test]
fn those_of_versions_that_could_not_be_used_are_named() {
    let mut world = World::new();
    world.change("SuspendKeyVersion", vec![version_row(|row| row.state = "SUSPENDED".into())]);
    for message in ["one", "two"] {
        let mut record = world.signed_as(message, "der");
        not_recorded(&mut record);
        world.push(record);
    }
    world.state();
    let findings = world.audit(ALL).unwrap();
    assert_eq!(findings.withheld.uses, 2);
    assert_eq!(findings.withheld.of_unusable.into_iter().collect::<Vec<_>>(), [(VERSION.to_owned(), 2)]);
}

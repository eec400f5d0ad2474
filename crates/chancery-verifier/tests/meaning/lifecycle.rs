//! What states may follow one another, and what they allow.

use super::world::{ALL, KEY, VERSION, World, key_row, peer, row, version_row};
use chancery_api::state;
use chancery_model::Stage;
use chancery_verifier::Contradiction;
use prost::Message as _;

fn in_state(state: &'static str) -> Vec<chancery_audit::record::ResourceState> {
    vec![version_row(|row| row.state = state.into())]
}

#[test]
fn a_version_is_used_only_while_it_is_active() {
    for (state, stage) in
        [("SUSPENDED", Stage::Suspended), ("DEACTIVATED", Stage::Deactivated), ("COMPROMISED", Stage::Compromised)]
    {
        let mut world = World::new();
        world.change("Change", in_state(state));
        let used = world.sign("one");
        world.refused(used, &Contradiction::StateForbids { version: VERSION.into(), stage });
    }
    let mut back = World::new();
    back.change("SuspendKeyVersion", in_state("SUSPENDED"));
    back.change("ActivateKeyVersion", in_state("ACTIVE"));
    back.sign("one");
    back.audit(ALL).unwrap();
}

#[test]
fn a_version_that_is_not_active_yet_signs_only_for_its_certificate() {
    let mut world = World::new();
    world.records[3].states[1] = version_row(|row| row.state = "PRE_ACTIVE".into());
    let used = world.sign("one");
    world.refused(used, &Contradiction::StateForbids { version: VERSION.into(), stage: Stage::PreActive });
    world.records[used].action = "CreateCertificateSigningRequest".into();
    world.audit(ALL).unwrap();
}

#[test]
fn states_follow_the_table() {
    let mut world = World::new();
    let ending = version_row(|row| {
        row.state = "DEACTIVATED".into();
        row.destroy_time_unix_nanos = 9;
    });
    world.change("ScheduleKeyVersionDestruction", vec![ending]);
    world.change("Destroy", in_state("DESTROYED"));
    world.audit(ALL).unwrap();
    let at = world.change("RestoreKeyVersion", in_state("ACTIVE"));
    world.refused(at, &Contradiction::Step { version: VERSION.into(), from: Stage::Destroyed, to: Stage::Active });

    let mut unscheduled = World::new();
    let at = unscheduled.change("Destroy", in_state("DESTROYED"));
    unscheduled
        .refused(at, &Contradiction::Step { version: VERSION.into(), from: Stage::Active, to: Stage::Destroyed });
}

#[test]
fn what_a_key_is_made_of_never_changes() {
    let changed = |what, name: &str| Contradiction::Changed { name: name.into(), what };
    let mut world = World::new();
    let at = world.change("UpdateKey", vec![key_row("ec-p384")]);
    world.refused(at, &changed("algorithm, protection or purpose", KEY));
    let mut world = World::new();
    let at = world.change("UpdateKey", vec![version_row(|row| row.public_key.push(0))]);
    world.refused(at, &changed("public key", VERSION));
}

#[test]
fn states_are_whole_and_of_keys_that_were_made() {
    let mut world = World::new();
    let at = world.change("Change", vec![row(KEY, "Key", vec![0xff])]);
    let error = world.audit(ALL).unwrap_err();
    assert_eq!(error.record, at as u64);
    assert!(error.to_string().contains("can't be read"), "{error}");
    let mut world = World::new();
    world.records[3].states.remove(0);
    world.refused(3, &Contradiction::KeylessVersion { version: VERSION.into() });
    let mut newer = World::new();
    newer.change("Change", vec![row("organizations/org1/moons/1", "Moon", vec![0xff])]);
    newer.audit(ALL).unwrap();
}

#[test]
fn who_is_suspended_uses_no_key() {
    let principal = "organizations/org1/principals/peer0";
    let suspension = |lifted| {
        let name = "organizations/org1/suspensions/s1";
        let value = state::Suspension { name: name.into(), principal: principal.into(), lifted, ..Default::default() };
        vec![row(name, "Suspension", value.encode_to_vec())]
    };
    let mut world = World::new();
    world.change("SuspendPrincipal", suspension(false));
    let at = world.sign("one");
    let suspended = Contradiction::Suspended { principal: principal.into(), version: VERSION.into() };
    world.refused(at, &suspended);
    world.records.pop();
    world.change("LiftSuspension", suspension(true));
    let mut lifted = World::new();
    lifted.change("SuspendPrincipal", suspension(false));
    lifted.change("LiftSuspension", suspension(true));
    lifted.sign("one");
    lifted.audit(ALL).unwrap();

    let name = "organizations/org1/suspensions/s2";
    let certificate_sha256 = peer().certificate_fingerprint;
    let value = state::Suspension { name: name.into(), certificate_sha256, ..Default::default() };
    let mut by_certificate = World::new();
    by_certificate.change("SuspendPrincipal", vec![row(name, "Suspension", value.encode_to_vec())]);
    let at = by_certificate.sign("one");
    by_certificate.refused(at, &suspended);
}

/// Whoever could have a destroyed version forgotten could have it come again, under another public key.
#[test]
fn no_key_and_no_version_is_ever_gone() {
    for of in ["Key", "KeyVersion"] {
        let name = if of == "Key" { KEY } else { VERSION };
        let mut world = World::new();
        world.change("DestroyKeyVersion", vec![row(name, of, Vec::new())]);
        world.change("CreateKey", vec![key_row("ec-p256"), version_row(|_| {})]);
        world.refused(4, &Contradiction::Gone { name: name.into() });
    }
}

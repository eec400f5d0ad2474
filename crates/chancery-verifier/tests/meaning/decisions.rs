//! Decisions name policies that the log holds.

use super::world::{ALL, KEY, World, policy_set};
use chancery_audit::record::{Kind, Outcome, Record};
use chancery_verifier::Contradiction;

fn own() -> Record {
    let set = policy_set("organizations/org1/policies", "@id(\"night\") forbid(principal, action, resource);");
    Record { kind: Kind::PolicySet.into(), policy_set: Some(set), ..Record::default() }
}

fn denial(world: &World) -> Record {
    Record { kind: Kind::Denial.into(), outcome: Outcome::Denied.into(), ..world.decided("Sign", KEY) }
}

#[test]
fn a_decision_with_another_policy_hash() {
    let mut world = World::new();
    let at = world.sign("one");
    world.records[at].policy_set_hash = vec![9; 32];
    world.refused(at, &Contradiction::UnknownPolicySet { hash: "09".repeat(32) });
}

#[test]
fn a_policy_that_no_set_has() {
    let mut world = World::new();
    let at = world.sign("one");
    world.records[at].policy_ids.push("made-up".into());
    world.refused(at, &Contradiction::UnknownPolicy { id: "made-up".into() });
}

#[test]
fn a_use_that_nothing_permitted() {
    for change in [
        |r: &mut Record| r.policy_ids.clear(),
        |r: &mut Record| {
            r.policy_ids.clear();
            r.policy_set_hash.clear();
        },
    ] {
        let mut world = World::new();
        let at = world.sign("one");
        change(&mut world.records[at]);
        world.refused(at, &Contradiction::Undecided);
    }
}

#[test]
fn denials_are_explained_too() {
    let mut world = World::new();
    // None permits it.
    let default = Record { policy_ids: Vec::new(), ..denial(&world) };
    world.push(default);
    world.audit(ALL).unwrap();
    let made_up = Record { policy_ids: vec!["made-up".into()], ..denial(&world) };
    let at = world.push(made_up);
    world.refused(at, &Contradiction::UnknownPolicy { id: "made-up".into() });
}

#[test]
fn an_organizations_own_policies_decide_about_its_members_after_they_were_recorded() {
    let (mut world, own) = (World::new(), own());
    let hash = own.policy_set.as_ref().unwrap().hash.clone();
    world.push(own);
    let by_own =
        Record { policy_ids: vec!["org1/night".into()], organization_policy_set_hash: hash.clone(), ..denial(&world) };
    let at = world.push(by_own.clone());
    world.audit(ALL).unwrap();

    world.records[at].principal.as_mut().unwrap().organization = "org2".into();
    let found = "organizations/org1".into();
    world.refused(at, &Contradiction::OtherPolicies { found, organization: "org2".into() });
    let mut before = World::new();
    let at = before.push(by_own);
    before.refused(at, &Contradiction::UnknownPolicySet { hash: hash.iter().map(|b| format!("{b:02x}")).collect() });
}

#[test]
fn a_policy_set_is_its_text() {
    let mut world = World::new();
    world.records[1].policy_set.as_mut().unwrap().files[0].text.push(' ');
    world.refused(1, &Contradiction::PolicySetHash);
    let mut world = World::new();
    world.records[1].policy_set.as_mut().unwrap().files[0].text = "permit(".into();
    let error = world.audit(ALL).unwrap_err();
    assert!(error.record == 1 && error.to_string().contains("can't be read"), "{error}");
}

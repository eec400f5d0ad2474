//! Permits that are given again, against the policies themselves; and which are remembered at all.

mod policies;
mod world;

use super::{Access, Caller, Grant, Target, decisions};
use crate::{
    model::{Action, KeyOrVersionName, KeyState, Principal, Role},
    policy::{Context, Denial},
};
use policies::{BASES, OWN};
use proptest::{collection::vec, prelude::*, sample::select};
use world::{Answer, Change, Question, WAYS, World, context, organization};

#[derive(Debug, Clone)]
enum Step {
    Ask(Question),
    Change(Change),
}

/// Actions on keys but Sign, and on organizations.
const ON_KEYS: [Action; 5] =
    [Action::GetKey, Action::Encrypt, Action::UpdateKey, Action::SuspendKeyVersion, Action::ActivateKeyVersion];
const ON_ORGANIZATIONS: [Action; 4] =
    [Action::GenerateRandom, Action::ListKeys, Action::CreateKey, Action::UpdateOrganization];

/// What is done to a thing of this organization.
fn action(of: usize) -> impl Strategy<Value = (Action, Target)> {
    let id = prop_oneof![6 => Just("signs"), 1 => Just("encrypts"), 1 => Just("none")];
    let version = prop_oneof![3 => Just(None), 2 => (1..4_u64).prop_map(Some)];
    let key = (id, version).prop_map(move |(id, version)| {
        let key = organization(of).key(id).unwrap();
        Target::Key(match version {
            Some(number) => KeyOrVersionName::Version(key.version(number)),
            None => KeyOrVersionName::Key(key),
        })
    });
    prop_oneof![
        8 => (prop_oneof![Just(Action::Sign), select(&ON_KEYS[..])], key),
        3 => (select(&ON_ORGANIZATIONS[..]), Just(Target::Organization(organization(of)))),
        1 => Just((Action::ListRecords, Target::Log(organization(of)))),
        1 => Just((Action::GetTokenStatus, Target::Deployment)),
    ]
}

fn question() -> impl Strategy<Value = Question> {
    let principal = prop_oneof![3 => Just(0), 1 => Just(1), 1 => Just(2)];
    let what = (principal, prop::bool::weighted(0.9)).prop_flat_map(|(principal, at_home)| {
        let home = usize::from(principal == 2);
        (Just(principal), action(if at_home { home } else { 1 - home }))
    });
    (what, 0..WAYS, prop::bool::weighted(0.2), 0..3_u8).prop_map(
        |((principal, (action, target)), way, stale, circumstances)| Question {
            principal,
            way,
            stale,
            action,
            target,
            circumstances,
        },
    )
}

fn change() -> impl Strategy<Value = Change> {
    let roles = || select(&[Role::Peer, Role::Client, Role::Ca, Role::SecurityOfficer, Role::Auditor][..]);
    let labels = prop::sample::subsequence(vec![("env", "test"), ("open", "yes")], 0..=2);
    // The first organization, its first key and its owner have most of it.
    let key = || prop_oneof![2 => Just(0), 1 => 1..3_usize];
    let organization = || prop_oneof![2 => Just(0), 1 => Just(1)];
    prop_oneof![
        2 => (key(), labels).prop_map(|(key, labels)| Change::Labels { key, labels }),
        2 => (key(), 0..3_usize).prop_map(|(key, principal)| Change::Owner { key, principal }),
        1 => (key(), 1..3_u64, select(&[KeyState::Active, KeyState::Suspended, KeyState::PreActive][..]))
            .prop_map(|(key, version, state)| Change::State { key, version, state }),
        // Groups are of one organization's members.
        1 => prop::sample::subsequence(vec![0, 1], 0..=2)
            .prop_map(|members| Change::Group { organization: 0, members }),
        1 => prop::sample::subsequence(vec![2], 0..=1).prop_map(|members| Change::Group { organization: 1, members }),
        1 => (organization(), vec(roles(), 0..2))
            .prop_map(|(organization, roles)| Change::Enrolling { organization, roles }),
        1 => (0..3_usize, roles()).prop_map(|(principal, role)| Change::Role { principal, role }),
        4 => (organization(), 0..OWN[0].len()).prop_map(|(organization, text)| Change::Own { organization, text }),
        1 => (0..BASES.len()).prop_map(Change::Base),
        1 => (0..3_usize, 0..WAYS).prop_map(|(principal, way)| Change::Shim { principal, way }),
    ]
}

impl World {
    fn ask(&self, question: &Question) -> Result<Grant, Box<Denial>> {
        let caller = self.caller(question);
        let Question { action, ref target, circumstances, .. } = *question;
        let context = context(action, &caller.principal.name, circumstances);
        self.access.authorize(&caller, action, target.clone(), context)
    }

    /// What the policies say without anything remembered.
    fn decide(&self, caller: Caller, action: Action, target: &Target, context: Context) -> Answer {
        let session = caller.session();
        let request = self.access.describe(caller.principal, action, target, context, session);
        match self.access.policies().authorize(request) {
            Ok(permit) => Answer::of(true, &permit),
            Err(denial) => Answer::of(false, &denial),
        }
    }

    fn decided(&self, question: &Question) -> Answer {
        let caller = self.caller(question);
        let context = context(question.action, &caller.principal.name, question.circumstances);
        self.decide(caller, question.action, &question.target, context)
    }

    /// Asks, and has the policies say the same.
    fn agrees(&self, question: &Question) -> Result<Option<Grant>, TestCaseError> {
        let (answer, decided) = (self.ask(question), self.decided(question));
        prop_assert_eq!(Answer::given(&answer), decided, "{:?}", question);
        Ok(answer.ok())
    }

    /// Whether whoever has a grant would be permitted it now.
    fn still(&self, grant: &Grant) -> bool {
        let request = grant.permit().request();
        let caller = self.access.identify(&grant.caller.peer).unwrap();
        caller.principal == request.principal
            && self.decide(caller, request.action, grant.target(), request.context.clone()).permitted
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever changes in between: what is asked again is answered as the policies would, and what was permitted holds
    /// exactly as long as they would permit it.
    #[test]
    fn what_is_remembered_is_what_the_policies_say(
        steps in vec(prop_oneof![question().prop_map(Step::Ask), change().prop_map(Step::Change)], 1..40),
    ) {
        let world = World::new();
        let (mut questions, mut grants) = (Vec::new(), Vec::new());
        for step in steps {
            match step {
                Step::Ask(question) => {
                    world.agrees(&question)?;
                    // The same again, and under other circumstances, those that the schema does not know among them.
                    for circumstances in [question.circumstances, 2, 3] {
                        let again = Question { circumstances, ..question.clone() };
                        grants.extend(world.agrees(&again)?);
                    }
                    questions.push(question);
                }
                Step::Change(change) => world.change(&change),
            }
            for question in questions.iter().rev().take(4) {
                world.agrees(question)?;
            }
            for grant in grants.iter().rev().take(8) {
                let still = world.access.recheck(grant, None).is_ok();
                prop_assert_eq!(still, world.still(grant), "{:?} of {}", grant.permit().request(), grant.target());
            }
        }
    }
}

fn signing(principal: usize, way: usize) -> Question {
    let target = Target::Key(KeyOrVersionName::Key(organization(0).key("signs").unwrap()));
    Question { principal, way, stale: false, action: Action::Sign, target, circumstances: 0 }
}

/// Whether a permit was given again: then it shares its policies' ids with the one that was evaluated. While that one
/// lives, a new evaluation's ids lie elsewhere.
fn shares(one: &Grant, other: &Grant) -> bool {
    std::ptr::eq(one.permit().policy_ids(), other.permit().policy_ids())
}

#[test]
fn what_reads_nothing_of_the_request_is_not_evaluated_again() {
    let world = World::new();
    let first = world.ask(&signing(0, 0)).unwrap();
    assert_eq!(world.access.decisions.count(), 1);
    // Other circumstances and another session of the same certificate are the same question.
    let other = Question { circumstances: 2, ..signing(0, 0) };
    for question in [signing(0, 0), other, signing(0, 2)] {
        assert!(shares(&first, &world.ask(&question).unwrap()), "{question:?}");
    }
    assert!(!shares(&first, &world.ask(&signing(0, 1)).unwrap()), "another certificate");
    world.change(&Change::Labels { key: 0, labels: vec![] });
    let second = world.ask(&signing(0, 0)).unwrap();
    assert!(!shares(&first, &second), "another entry of the key");
    world.change(&Change::Labels { key: 2, labels: vec![] });
    world.change(&Change::Own { organization: 1, text: 2 });
    assert!(shares(&second, &world.ask(&signing(0, 0)).unwrap()), "another organization's change");
}

#[test]
fn what_reads_something_of_the_request_is_evaluated_each_time() {
    // Texts that read context.size, context.session.shim, .certificateAge and .sourceAddress.
    for text in [1, 2, 10] {
        let world = World::new();
        world.change(&Change::Own { organization: 0, text });
        let first = world.ask(&signing(0, 0)).unwrap();
        assert!(!shares(&first, &world.ask(&signing(0, 0)).unwrap()), "text {text}");
        assert_eq!(world.access.decisions.count(), 0, "text {text}");
    }
}

/// A grant outlives its session's state, unless it hangs on it.
#[test]
fn what_was_permitted_for_its_session_is_decided_again() {
    for (text, still) in [(0, true), (1, true), (2, false)] {
        let world = World::new();
        world.change(&Change::Own { organization: 0, text });
        let grant = world.ask(&signing(0, 0)).unwrap();
        world.access.recheck(&grant, None).unwrap();
        world.change(&Change::Shim { principal: 0, way: 0 });
        assert_eq!(world.access.recheck(&grant, None).is_ok(), still, "text {text}");
    }
}

#[test]
fn denials_are_not_remembered() {
    let world = World::new();
    for question in [signing(1, 0), signing(2, 0), Question { circumstances: 3, ..signing(0, 0) }] {
        assert!(world.ask(&question).is_err(), "{question:?}");
    }
    assert_eq!(world.access.decisions.count(), 0);
}

#[test]
fn memory_is_bounded_and_one_certificate_displaces_few_of_anothers() {
    let world = World::new();
    const CAPACITY: usize = decisions::PARTS * decisions::PART_CAPACITY;
    let Access { decisions, .. } = &world.access;
    let first = world.ask(&signing(0, 0)).unwrap();
    let fingerprint = first.caller().principal().certificate_fingerprint;
    let remember = |fingerprint: [u8; 32], target: Target| {
        let principal = Principal { certificate_fingerprint: fingerprint, ..first.caller().principal().clone() };
        let question = decisions::Question { principal: &principal, action: Action::Sign, target: &target };
        decisions.remember(question, &first.asked, first.entry.as_ref(), 1, first.permit());
    };
    let key = |number: u32| Target::Key(KeyOrVersionName::Key(organization(0).key(&format!("k{number}")).unwrap()));
    let another = fingerprint.map(|byte| byte.wrapping_add(1));
    for number in 0..10 * decisions::PART_CAPACITY as u32 {
        remember(another, key(number));
        assert!(decisions.count() <= decisions::PART_CAPACITY + 1);
    }
    assert!(shares(&first, &world.ask(&signing(0, 0)).unwrap()), "another's many questions displaced it");
    for number in 0..2 * CAPACITY as u32 {
        let mut fingerprint = [0; 32];
        fingerprint[..4].copy_from_slice(&number.to_le_bytes());
        remember(fingerprint, key(0));
    }
    assert!(decisions.count() <= CAPACITY, "{}", decisions.count());
}

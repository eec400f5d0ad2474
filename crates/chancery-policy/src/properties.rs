//! What holds for every request, not only for those of the tables.

use super::{
    AccessRequest, Context, KeyFacts, Policies, Resource, Session,
    circumstances::{Kind, circumstances},
    parse,
    tables::SHIPPED,
    translate::translate,
    vocabulary::{ResourceKind, Vocabulary, resource_kind},
};
use chancery_model::{
    Action, Algorithm, Hash, KeyState, OrganizationName, Principal, PrincipalName, Protection, Purpose, Role,
};
use proptest::{collection::vec, prelude::*, sample::select};
use std::sync::LazyLock;

const NAMES: [&str; 4] = ["peer0", "ca", "security", "x"];
const ORGANIZATIONS: [&str; 3] = ["org1", "org2", "org10"];

fn organization() -> impl Strategy<Value = OrganizationName> {
    select(&ORGANIZATIONS[..]).prop_map(|id| OrganizationName::from_id(id).unwrap())
}

fn principal_name() -> impl Strategy<Value = PrincipalName> {
    (organization(), select(&NAMES[..])).prop_map(|(organization, name)| organization.principal(name).unwrap())
}

fn principal() -> impl Strategy<Value = Principal> {
    (principal_name(), select(Role::ALL), any::<[u8; 32]>())
        .prop_map(|(name, role, certificate_fingerprint)| Principal { name, role, certificate_fingerprint })
}

fn facts() -> impl Strategy<Value = KeyFacts> {
    let labels = proptest::collection::btree_map("[a-z]{1,8}", ".{0,8}", 0..3);
    let words = (select(Purpose::ALL), select(Algorithm::ALL), select(Protection::ALL), select(KeyState::ALL));
    (principal_name(), words, labels).prop_map(|(owner, (purpose, algorithm, protection, state), labels)| KeyFacts {
        owner,
        purpose,
        algorithm,
        protection,
        state,
        labels,
    })
}

fn resource(action: Action) -> BoxedStrategy<Resource> {
    match resource_kind(action) {
        ResourceKind::Deployment => {
            organization().prop_map(|organization| Resource::Deployment { organization }).boxed()
        }
        ResourceKind::Log => organization().prop_map(|organization| Resource::Log { organization }).boxed(),
        ResourceKind::Organization => (organization(), vec(select(Role::ALL), 0..9))
            .prop_map(|(name, enrolling_roles)| Resource::Organization { name, enrolling_roles })
            .boxed(),
        ResourceKind::Key => (organization(), select(&NAMES[..]), proptest::option::of(facts()))
            .prop_map(|(organization, key, facts)| Resource::Key { name: organization.key(key).unwrap(), facts })
            .boxed(),
    }
}

/// Any context that the schema allows for the action.
fn context(action: Action) -> impl Strategy<Value = Context> {
    let values = (principal_name(), any::<u8>(), any::<i64>(), any::<bool>(), ".{0,16}");
    values.prop_map(move |(owner, word, number, flag, free)| {
        let pick = |words: &[&str]| words[usize::from(word) % words.len()].to_owned();
        circumstances(action).iter().fold(Context::new(), |context, &(name, kind)| match kind {
            kind if kind.may_be_left_out() && word == 0 => context,
            Kind::Text | Kind::OptionalText => context.text(name, free.clone()),
            Kind::Number | Kind::OptionalNumber => context.number(name, number),
            Kind::Flag | Kind::OptionalFlag => context.flag(name, flag),
            Kind::Principal { .. } => context.text(name, owner.to_string()),
            Kind::Word(list) => context.text(name, pick(list(Vocabulary::shared()).all())),
            Kind::Mode => context.text(name, pick(Vocabulary::shared().modes.all())),
            Kind::Hash => context.text(name, pick(&["", Hash::Sha256.as_str(), Hash::Sha512.as_str()])),
        })
    })
}

prop_compose! {
    fn session()(
        time in 0..4_000_000_000_i64, source_address in any::<std::net::IpAddr>(), certificate_age in any::<i64>(),
        shim in any::<bool>(),
    ) -> Session {
        Session { time, source_address, certificate_age, shim }
    }
}

prop_compose! {
    fn request()(action in select(Action::ALL))(
        principal in principal(), groups in vec("[a-z]{1,4}", 0..3), action in Just(action),
        resource in resource(action), context in context(action), session in session(),
    ) -> AccessRequest {
        let group = |id: &String| format!("{}/groups/{id}", principal.name.organization());
        AccessRequest { groups: groups.iter().map(group).collect(), principal, action, resource, context, session }
    }
}

fn foreign() -> impl Strategy<Value = AccessRequest> {
    request().prop_filter("at home", |request| request.principal.name.organization() != request.resource.organization())
}

/// The purpose of the keys that `action` uses; `None` where it uses none.
fn used_with(action: Action) -> Option<Purpose> {
    match action {
        Action::Sign => Some(Purpose::Sign),
        Action::IssueCertificate => Some(Purpose::Certify),
        Action::Encrypt | Action::Decrypt => Some(Purpose::Encrypt),
        Action::DeriveSharedSecret => Some(Purpose::Agree),
        Action::GenerateMac | Action::VerifyMac => Some(Purpose::Mac),
        Action::WrapKey | Action::UnwrapKey => Some(Purpose::Wrap),
        _ => None,
    }
}

/// What a decision consists of.
fn decide(set: &Policies, request: &AccessRequest) -> (bool, Vec<String>, Vec<String>) {
    match set.authorize(request.clone()) {
        Ok(permit) => (true, permit.policy_ids().to_vec(), vec![]),
        Err(denial) => (false, denial.policy_ids().to_vec(), denial.evaluation_errors().to_vec()),
    }
}

/// The shipped policies as one Cedar set.
static ALL: LazyLock<cedar_policy::PolicySet> =
    LazyLock::new(|| cedar_policy::PolicySet::from_policies(parse::policies(SHIPPED.base().files()).unwrap()).unwrap());

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_of_another_organization_is_ever_permitted(request in foreign()) {
        let (permitted, policies, errors) = decide(&SHIPPED, &request);
        prop_assert!(!permitted, "by {policies:?}");
        prop_assert!(policies.contains(&"tenancy-organizations-stay-apart".to_owned()), "{policies:?}");
        prop_assert!(errors.is_empty(), "{errors:?}");
    }

    #[test]
    fn a_stranger_cannot_tell_what_exists(request in foreign(), enrolling_roles in vec(select(Role::ALL), 0..9)) {
        let mut other = request.clone();
        match &mut other.resource {
            Resource::Key { facts, .. } => *facts = None,
            Resource::Organization { enrolling_roles: shown, .. } => *shown = enrolling_roles,
            Resource::Log { .. } | Resource::Deployment { .. } => {}
        }
        prop_assert_eq!(decide(&SHIPPED, &request), decide(&SHIPPED, &other));
    }

    #[test]
    fn a_key_is_used_by_its_owner_and_for_its_purpose_alone(mut request in request(), own in any::<bool>()) {
        let principal = request.principal.clone();
        if let (true, Resource::Key { facts: Some(facts), .. }) = (own, &mut request.resource) {
            facts.owner = principal.name;
        }
        if let Some(purpose) = used_with(request.action).filter(|_| decide(&SHIPPED, &request).0) {
            let Resource::Key { facts: Some(facts), .. } = &request.resource else { panic!("a use of no key") };
            prop_assert_eq!(&facts.owner, &request.principal.name);
            prop_assert_eq!(facts.purpose, purpose);
            let idle = [Role::SecurityOfficer, Role::Auditor, Role::PlatformOperator];
            prop_assert!(!idle.contains(&request.principal.role));
        }
    }

    #[test]
    fn nobody_but_an_officer_lifts_a_suspension(mut request in request()) {
        request.action = Action::ActivateKeyVersion;
        request.context = Context::new().flag("mayEnrol", true);
        let Resource::Key { facts: Some(facts), .. } = &mut request.resource else { return Ok(()) };
        facts.owner = request.principal.name.clone();
        facts.state = KeyState::Suspended;
        let officer = request.principal.role == Role::SecurityOfficer;
        prop_assert!(officer || !decide(&SHIPPED, &request).0);
    }

    /// Cedar given all policies, with the schema checked, answers as the set does with its policies sorted by action.
    #[test]
    fn sorting_policies_by_action_changes_no_decision(request in request()) {
        let (cedar_request, entities) = translate(&request).unwrap();
        let entities = cedar_policy::Entities::from_entities(entities, Some(parse::schema())).unwrap();
        let response = cedar_policy::Authorizer::new().is_authorized(&cedar_request, &ALL, &entities);
        let mut reasons = response.diagnostics().reason().map(ToString::to_string).collect::<Vec<_>>();
        reasons.sort();
        let permitted = response.decision() == cedar_policy::Decision::Allow;
        prop_assert_eq!(response.diagnostics().errors().count(), 0);
        prop_assert_eq!(decide(&SHIPPED, &request), (permitted, reasons, vec![]));
    }
}

//! What the tables are worth: a shipped policy that is changed in one place makes at least one row fail.

use super::{
    Policies, PolicySet, parse,
    tables::{ROWS, SHIPPED},
};
use cedar_policy::{ActionConstraint, EntityUid, Policy, PolicyId, ValidationMode, Validator};
use chancery_model::Action;
use serde_json::{Value, json};

/// One change to one policy, which it replaces; `None` drops it.
struct Mutation {
    policy: String,
    what: String,
    changed: Option<Policy>,
}

/// Every policy dropped, of the other effect, with a condition negated, with a term of a condition negated, dropped or
/// alone, without one of its actions, and for every action.
fn mutations(policy: &Policy) -> Vec<Mutation> {
    let id: &str = policy.id().as_ref();
    let json = policy.to_json().unwrap();
    let mutation = |what: String, changed: Option<Value>| Mutation {
        policy: id.to_owned(),
        what,
        changed: changed.map(|json| Policy::from_json(Some(PolicyId::new(id)), json).unwrap()),
    };
    let with = |pointer: &str, value: Value| {
        let mut changed = json.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        Some(changed)
    };
    let other = if json["effect"] == "permit" { "forbid" } else { "permit" };
    let mut mutations =
        vec![mutation("dropped".to_owned(), None), mutation(format!("made a {other}"), with("/effect", json!(other)))];
    for (index, condition) in json["conditions"].as_array().unwrap().iter().enumerate() {
        let kind = if condition["kind"] == "when" { "unless" } else { "when" };
        mutations.push(mutation(
            format!("condition {index} negated"),
            with(&format!("/conditions/{index}/kind"), json!(kind)),
        ));
        let body = format!("/conditions/{index}/body");
        mutations
            .push(mutation(format!("condition {index} dropped"), with(&body, literal(condition["kind"] == "when"))));
        let mut terms = Vec::new();
        conjuncts(&condition["body"], &body, &mut terms);
        for (pointer, term) in terms.iter().filter(|_| terms.len() > 1) {
            let negated = json!({ "!": { "arg": term } });
            mutations.push(mutation(format!("{pointer} negated"), with(pointer, negated)));
            mutations.push(mutation(format!("{pointer} dropped"), with(pointer, literal(true))));
        }
    }
    if let Some(actions) = json.pointer("/action/entities").and_then(Value::as_array) {
        for (index, action) in actions.iter().enumerate() {
            let mut fewer = actions.clone();
            fewer.remove(index);
            mutations.push(mutation(format!("without {}", action["id"]), with("/action/entities", json!(fewer))));
        }
    }
    if json["action"]["op"] != "All" {
        mutations.push(mutation("for every action".to_owned(), with("/action", json!({ "op": "All" }))));
    }
    mutations
}

fn literal(value: bool) -> Value {
    json!({ "Value": value })
}

/// The terms of `expression` that are joined by `&&`, with where they are.
fn conjuncts<'a>(expression: &'a Value, pointer: &str, terms: &mut Vec<(String, &'a Value)>) {
    match expression.get("&&") {
        Some(and) => {
            conjuncts(&and["left"], &format!("{pointer}/&&/left"), terms);
            conjuncts(&and["right"], &format!("{pointer}/&&/right"), terms);
        }
        None => terms.push((pointer.to_owned(), expression)),
    }
}

/// The validator refuses the policy at load, and with it the set.
fn is_refused(validator: &Validator, policy: &Policy) -> bool {
    let set = cedar_policy::PolicySet::from_policies([policy.clone()]).unwrap();
    !validator.validate(&set, ValidationMode::Strict).validation_passed_without_warnings()
}

/// Whether the policy is asked about `action`. Rows of other actions can't notice what becomes of it.
fn covers(policy: &Policy, action: Action) -> bool {
    let named = |uid: &EntityUid| uid.id().unescaped() == action.as_str();
    match policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(uid) => named(&uid),
        ActionConstraint::In(uids) => uids.iter().any(named),
    }
}

#[test]
fn every_mutation_of_a_shipped_policy_fails_a_row_or_is_refused_at_load() {
    let shipped = parse::policies(SHIPPED.base().files()).unwrap();
    let mutations = shipped.iter().flat_map(mutations).collect::<Vec<_>>();
    assert!(mutations.len() > 5 * shipped.len(), "{} mutations", mutations.len());
    let validator = Validator::new(parse::schema().clone());
    let survives = |mutation: &&Mutation| {
        if mutation.changed.as_ref().is_some_and(|changed| is_refused(&validator, changed)) {
            return false;
        }
        let (this, others): (Vec<_>, Vec<_>) =
            shipped.iter().partition(|policy| policy.id().as_ref() == mutation.policy);
        let versions = this.into_iter().chain(&mutation.changed).collect::<Vec<_>>();
        let asked = |action: &Action| versions.iter().any(|version| covers(version, *action));
        let asked = Action::ALL.iter().copied().filter(asked).collect::<Vec<_>>();
        let others = others.into_iter().filter(|policy| asked.iter().any(|action| covers(policy, *action)));
        let policies = others.chain(&mutation.changed).cloned().collect::<Vec<_>>();
        let set = Policies::new(PolicySet::assemble(SHIPPED.base().files().to_vec(), &policies));
        // The rows that the policy decides are the likeliest to notice.
        let rows = ROWS.iter().filter(|row| asked.contains(&row.request.action));
        let (near, far): (Vec<_>, Vec<_>) = rows.partition(|row| row.is_decided_by(&mutation.policy));
        near.iter().chain(&far).all(|row| row.failure(&set).is_none())
    };
    let survivors = mutations.iter().filter(survives).map(|mutation| format!("{}: {}", mutation.policy, mutation.what));
    assert_eq!(survivors.collect::<Vec<_>>(), [""; 0], "no row notices");
}

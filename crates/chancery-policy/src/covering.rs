//! Policies by the action they are asked about: Cedar evaluates all it is given, one after the other.

use super::{ContextRead, LabelsRead, vocabulary::Vocabulary};
use cedar_policy::{self as cedar, ActionConstraint, PolicyId};
use chancery_model::Action;

/// Policies sorted by the actions that their scopes name.
pub(super) struct Covering {
    /// By action, those that name it.
    named: Vec<Asked>,
    /// Those of every action: kept once, for an organization may have many of them.
    any: Asked,
    count: usize,
    labels_read: LabelsRead,
}

/// Policies that are asked together.
#[derive(Default)]
struct Asked {
    policies: cedar::PolicySet,
    reads: ContextRead,
}

impl Covering {
    pub(super) fn new(policies: &[cedar::Policy]) -> Self {
        let vocabulary = Vocabulary::shared();
        let named = |action: &Action| {
            let action = vocabulary.action(*action);
            // The schema has no action groups, so that a policy names each action it covers.
            Asked::new(policies.iter().filter(|policy| match policy.action_constraint() {
                ActionConstraint::Eq(named) => named == *action,
                ActionConstraint::In(named) => named.contains(action),
                ActionConstraint::Any => false,
            }))
        };
        let any = policies.iter().filter(|policy| matches!(policy.action_constraint(), ActionConstraint::Any));
        Self {
            named: Action::ALL.iter().map(named).collect(),
            any: Asked::new(any),
            count: policies.len(),
            labels_read: LabelsRead::of(policies),
        }
    }

    /// Those asked about `action`, in two parts.
    pub(super) fn of(&self, action: Action) -> [&cedar::PolicySet; 2] {
        [&self.named[action as usize].policies, &self.any.policies]
    }

    /// What those asked about `action` read of the context.
    pub(super) fn reads(&self, action: Action) -> ContextRead {
        self.named[action as usize].reads.and(self.any.reads)
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Labels that any of them reads.
    pub(super) fn labels_read(&self) -> &LabelsRead {
        &self.labels_read
    }

    /// The text of one of those asked about `action`, as it was written.
    pub(super) fn text(&self, action: Action, id: &str) -> Option<String> {
        let id = PolicyId::new(id);
        let policy = self.of(action).into_iter().find_map(|policies| policies.policy(&id))?;
        Some(policy.to_cedar().unwrap_or_else(|| policy.to_string()))
    }
}

impl Asked {
    fn new<'a>(policies: impl Iterator<Item = &'a cedar::Policy> + Clone) -> Self {
        let reads = policies.clone().map(ContextRead::of).fold(ContextRead::default(), ContextRead::and);
        let policies = cedar::PolicySet::from_policies(policies.cloned()).expect("parsed policies have unique ids");
        Self { policies, reads }
    }
}

//! What the service takes from its log's past, gathered while the log is read.

use crate::{
    directory::LoggedStates,
    keys::OpenIntent,
    model::{Action, KeyName, KeyVersionName, OrganizationName},
    signing::Replays,
    store::RequestKey,
};
use chancery_audit::record::{Kind, Outcome, Record};
use std::collections::{BTreeMap, HashSet};

/// What is gathered while the log is read.
#[derive(Default)]
pub(super) struct History {
    pub(super) states: LoggedStates,
    pub(super) intents: BTreeMap<u64, OpenIntent>,
    /// Changes made: the index of their outcome, their request and key.
    pub(super) answered: Vec<(u64, RequestKey, KeyName)>,
    pub(super) policy_sets: HashSet<Vec<u8>>,
    pub(super) replays: Replays,
}

impl History {
    /// Takes in the next record.
    pub(super) fn add(&mut self, record: &Record) -> Result<(), String> {
        self.states.add(record).map_err(|error| error.to_string())?;
        self.replays.remember(record);
        if let Some(settled) = record.intent.checked_sub(1) {
            self.intents.remove(&settled);
        }
        match record.kind() {
            Kind::Intent => drop(self.intents.insert(record.index, OpenIntent::new(record))),
            Kind::Outcome if record.outcome() == Outcome::Succeeded => {
                self.answered.extend(answered(record).map(|(request, key)| (record.index, request, key)));
            }
            Kind::PolicySet => drop(self.policy_sets.insert(record.policy_set_hash.clone())),
            _ => {}
        }
        Ok(())
    }
}

/// The request that a key's outcome answered, and the key.
fn answered(record: &Record) -> Option<(RequestKey, KeyName)> {
    let actions = [Action::CreateKey, Action::RotateKey];
    let method = actions.iter().find(|action| action.as_str() == record.action)?.as_str();
    let by = record.principal.as_ref()?;
    let principal = OrganizationName::from_id(&by.organization).ok()?.principal(&by.name).ok()?;
    let key = record.resource.parse::<KeyVersionName>().ok()?.key().clone();
    Some((RequestKey { principal, method, id: record.request_id.clone() }, key))
}

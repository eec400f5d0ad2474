//! What the service takes from its log's past, gathered while the log is read.

use crate::{
    audit::{Shares, Users},
    directory::LoggedStates,
    keys::OpenIntent,
    model::{Action, KeyName, KeyOrVersionName, ObjectId, OrganizationName},
    signing::Replays,
    store::{RequestKey, Row},
};
use chancery_audit::{
    record::{Kind, LastPolicies, Outcome, Record},
    snapshot::Snapshot,
};
use std::collections::{BTreeMap, HashMap};

/// What is gathered while the log is read.
#[derive(Default)]
pub(super) struct History {
    pub(super) states: LoggedStates,
    pub(super) intents: BTreeMap<u64, OpenIntent>,
    /// Changes made: the index of their outcome, their request, key, and which of its objects.
    pub(super) answered: Vec<(u64, RequestKey, KeyName, String)>,
    /// The hashes of the policy sets that were recorded last: of each organization's own, and under no name the base set's.
    pub(super) policy_sets: HashMap<String, Vec<u8>>,
    pub(super) replays: Replays,
    pub(super) shares: Shares,
    pub(super) users: Users,
    /// The time of the last record, nanoseconds since the Unix epoch.
    pub(super) last_time: i64,
}

impl History {
    /// Goes on after records that are archived. They are older than everything else that is gathered.
    pub(super) fn after(snapshot: &Snapshot) -> Self {
        let intents = snapshot.open_intents().iter();
        let hash = |last: &LastPolicies| Some((last.path.clone(), last.recorded.as_ref()?.hash.clone()));
        Self {
            states: LoggedStates::after(snapshot),
            intents: intents.map(|record| (record.index, OpenIntent::new(record))).collect(),
            policy_sets: snapshot.policies().iter().filter_map(hash).collect(),
            ..Self::default()
        }
    }

    /// Takes in the next record.
    pub(super) fn add(&mut self, record: &Record) {
        self.states.add(record);
        self.replays.remember(record);
        self.shares.remember(record);
        self.users.add(record);
        self.last_time = record.time_unix_nanos;
        if let Some(settled) = record.intent.checked_sub(1) {
            self.intents.remove(&settled);
        }
        match record.kind() {
            Kind::Intent => drop(self.intents.insert(record.index, OpenIntent::new(record))),
            Kind::Outcome if record.outcome() == Outcome::Succeeded => {
                let answered = answered(record).map(|(request, key, object)| (record.index, request, key, object));
                self.answered.extend(answered);
            }
            Kind::PolicySet => {
                let hash = record.policy_set.as_ref().map(|set| set.hash.clone());
                self.policy_sets.extend(hash.map(|hash| (record.resource.clone(), hash)));
            }
            _ => {}
        }
    }
}

/// Changes whose answer is the key as they left it.
const ANSWERED_WITH_THE_KEY: [Action; 14] = [
    Action::CreateKey,
    Action::ImportKey,
    Action::UpdateKey,
    Action::RotateKey,
    Action::ActivateKeyVersion,
    Action::SuspendKeyVersion,
    Action::DeactivateKeyVersion,
    Action::MarkKeyVersionCompromised,
    Action::ScheduleKeyVersionDestruction,
    Action::RestoreKeyVersion,
    Action::BindCertificate,
    Action::UpdateObject,
    Action::CopyObject,
    Action::DeleteObject,
];

/// The request that a key's outcome answered, the key, and which of its objects was asked for.
fn answered(record: &Record) -> Option<(RequestKey, KeyName, String)> {
    let method = ANSWERED_WITH_THE_KEY.iter().find(|action| action.as_str() == record.action)?.as_str();
    let by = record.principal.as_ref()?;
    let principal = OrganizationName::from_id(&by.organization).ok()?.principal(&by.name).ok()?;
    let key = record.resource.parse::<KeyOrVersionName>().ok()?.key().clone();
    let object = record.context.iter().find(|value| value.key == "object").map(|value| value.value.clone());
    let object = if method == Action::CopyObject.as_str() { Some(copied(record, &object?)?) } else { object };
    Some((RequestKey { principal, method, id: record.request_id.clone() }, key, object.unwrap_or_default()))
}

/// Which copy of an object was made: the last one of its key.
fn copied(record: &Record, original: &str) -> Option<String> {
    let half = original.parse::<ObjectId>().ok()?.half;
    let number = record.states.iter().find_map(|state| match Row::parse(state) {
        Ok(Row::KeyObjects(row)) => Some(row.last_copy),
        _ => None,
    })?;
    Some(ObjectId { half, number }.to_string())
}

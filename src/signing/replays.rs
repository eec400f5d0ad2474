//! Request ids of signatures: the same id and content gives the first answer again, for ten minutes.
//!
//! **Invariants**: memory is bounded; the audit record is the durable entry, from which this is rebuilt at start. A
//! request in flight under the same id is waited for. An id whose request failed is free again.

use crate::{
    audit::Released,
    model::{KeyVersionName, OrganizationName, PrincipalName, RequestId},
};
use chancery_audit::record::{Outcome, Record};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::sync::watch;

/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(600);
/// Answers kept at most; the oldest go first.
const CAPACITY: usize = 262_144;

type Id = (PrincipalName, String);

/// See the module.
#[derive(Default)]
pub struct Replays(Arc<Mutex<Table>>);

#[derive(Default)]
struct Table {
    entries: HashMap<Id, Entry>,
    /// Answers by age, each with its number: an id may come again after it was forgotten.
    order: VecDeque<(Instant, u64, Id)>,
    answers: u64,
}

struct Entry {
    hash: [u8; 32],
    state: State,
}

enum State {
    InFlight(watch::Receiver<()>),
    Answered(u64, Released),
}

/// What came of beginning a request.
pub enum Begun {
    /// It is new.
    New(Ticket),
    /// It was answered before.
    Answered(Released),
    /// The id came with other content before.
    Reused,
}

/// The right to answer a request id. Dropped without an answer, it frees the id.
#[must_use]
pub struct Ticket {
    table: Arc<Mutex<Table>>,
    id: Id,
    /// Dropping it wakes those who wait.
    _done: watch::Sender<()>,
}

fn lock(table: &Mutex<Table>) -> std::sync::MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Replays {
    /// Takes in a record of the log's tail.
    pub fn remember(&self, record: &Record) {
        let (Some(by), Ok(hash)) = (&record.principal, record.request_hash.as_slice().try_into()) else { return };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let then = Duration::from_nanos(u64::try_from(record.time_unix_nanos).unwrap_or(0));
        let age = now.saturating_sub(then);
        let signed = record.action == "Sign" && record.outcome() == Outcome::Succeeded;
        if !signed || record.request_id.is_empty() || age >= KEPT {
            return;
        }
        let parsed =
            OrganizationName::from_id(&by.organization).and_then(|organization| organization.principal(&by.name));
        let (Ok(principal), Ok(version)) = (parsed, record.resource.parse::<KeyVersionName>()) else { return };
        let released =
            Released { signature: record.signature.clone(), recovery_id: None, version, index: record.index };
        let id = (principal, record.request_id.clone());
        let at = Instant::now().checked_sub(age).unwrap_or_else(Instant::now);
        lock(&self.0).answer(id, hash, released, at);
    }

    /// Begins a request, or finds its first answer, waiting for it if it is in flight.
    pub async fn begin(&self, principal: &PrincipalName, request: &RequestId) -> Begun {
        let (id, hash) = ((principal.clone(), request.id.clone()), request.hash);
        loop {
            let mut in_flight = {
                let mut table = lock(&self.0);
                table.forget_old();
                match table.entries.get(&id) {
                    Some(entry) if entry.hash != hash => return Begun::Reused,
                    Some(Entry { state: State::Answered(_, released), .. }) => {
                        return Begun::Answered(released.clone());
                    }
                    Some(Entry { state: State::InFlight(done), .. }) => done.clone(),
                    None => {
                        let (done, waiting) = watch::channel(());
                        table.entries.insert(id.clone(), Entry { hash, state: State::InFlight(waiting) });
                        return Begun::New(Ticket { table: Arc::clone(&self.0), id, _done: done });
                    }
                }
            };
            // Ends when the ticket is dropped, answered or not; then look again.
            let _ = in_flight.changed().await;
        }
    }
}

impl Table {
    fn answer(&mut self, id: Id, hash: [u8; 32], released: Released, at: Instant) {
        self.answers += 1;
        self.entries.insert(id.clone(), Entry { hash, state: State::Answered(self.answers, released) });
        self.order.push_back((at, self.answers, id));
    }

    fn forget_old(&mut self) {
        while let Some((at, ..)) = self.order.front() {
            if self.order.len() <= CAPACITY && at.elapsed() < KEPT {
                return;
            }
            let Some((_, number, id)) = self.order.pop_front() else { return };
            let same = |entry: &Entry| matches!(entry.state, State::Answered(found, _) if found == number);
            if self.entries.get(&id).is_some_and(same) {
                self.entries.remove(&id);
            }
        }
    }
}

impl Ticket {
    /// Keeps the answer for whoever asks again.
    pub fn answered(self, released: &Released) {
        let mut table = lock(&self.table);
        if let Some(hash) = table.entries.get(&self.id).map(|entry| entry.hash) {
            table.answer(self.id.clone(), hash, released.clone(), Instant::now());
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut table = lock(&self.table);
        if matches!(table.entries.get(&self.id), Some(Entry { state: State::InFlight(_), .. })) {
            table.entries.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal() -> PrincipalName {
        OrganizationName::from_id("org1").unwrap().principal("peer0").unwrap()
    }

    fn released() -> Released {
        let key = OrganizationName::from_id("org1").unwrap().key("k").unwrap();
        Released { signature: vec![1], recovery_id: None, version: key.version(1), index: 7 }
    }

    fn request(content: u8) -> RequestId {
        RequestId { id: "a".into(), hash: [content; 32] }
    }

    #[tokio::test]
    async fn the_first_answer_is_given_again_and_other_content_is_refused() {
        let replays = Replays::default();
        let Begun::New(ticket) = replays.begin(&principal(), &request(1)).await else { panic!("not new") };
        ticket.answered(&released());
        let again = replays.begin(&principal(), &request(1)).await;
        assert!(matches!(again, Begun::Answered(again) if again == released()));
        assert!(matches!(replays.begin(&principal(), &request(2)).await, Begun::Reused));
        let other = OrganizationName::from_id("org2").unwrap().principal("peer0").unwrap();
        assert!(
            matches!(replays.begin(&other, &request(1)).await, Begun::New(_)),
            "another principal's id is another id"
        );
    }

    #[tokio::test]
    async fn a_failed_request_frees_its_id_for_those_who_wait() {
        let replays = Arc::new(Replays::default());
        let Begun::New(ticket) = replays.begin(&principal(), &request(1)).await else { panic!("not new") };
        let waiting = tokio::spawn({
            let replays = Arc::clone(&replays);
            async move { matches!(replays.begin(&principal(), &request(1)).await, Begun::New(_)) }
        });
        tokio::task::yield_now().await;
        drop(ticket);
        assert!(waiting.await.unwrap());
    }

    #[tokio::test]
    async fn forgetting_an_old_answer_leaves_a_younger_one_of_the_same_id() {
        let replays = Replays::default();
        let old = Instant::now().checked_sub(KEPT).unwrap();
        let id = (principal(), "a".to_owned());
        lock(&replays.0).answer(id.clone(), [1; 32], released(), old);
        lock(&replays.0).answer(id, [1; 32], released(), Instant::now());
        assert!(matches!(replays.begin(&principal(), &request(1)).await, Begun::Answered(_)));
    }
}

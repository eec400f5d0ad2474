//! The way to the enclave: so many at a time, and whoever waits is let in by class and, within a class, by organization.
//!
//! **Invariants**: one organization's requests delay another's of the same class by one turn each at most, however many
//! they are. Of eight turns one is for those of each lower class that waits. Whoever does not wait any more has left the
//! queue. While nobody waits, a turn costs two atomic operations.

use crate::model::Role;
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};
use tokio::sync::oneshot;

/// Who goes before whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Peers and orderers: blocks and endorsements.
    High,
    /// Everyone else.
    Normal,
    /// What says of itself that it can wait.
    Batch,
}

impl Class {
    /// What a holder of `role` asks for.
    pub(super) fn of(role: Role, batch: bool) -> Self {
        match role {
            _ if batch => Self::Batch,
            Role::Peer | Role::Orderer => Self::High,
            _ => Self::Normal,
        }
    }
}

/// The leave to have one request with the enclave; dropped, it is the next one's.
#[must_use]
pub struct Turn(Arc<Gate>);

/// See the module.
pub(super) struct Gate {
    places: usize,
    taken: AtomicUsize,
    /// Those who are in the queues, or about to be.
    waiting: AtomicUsize,
    queues: Mutex<Queues>,
}

#[derive(Default)]
struct Queues {
    lanes: [Lane; 3],
    /// Turns given to those who waited.
    turns: u64,
    /// The number of whoever comes next.
    next: u64,
}

/// Those of one class who wait.
#[derive(Default)]
struct Lane {
    /// Organizations, the next one first.
    order: VecDeque<String>,
    /// Each one's, by number: the oldest first.
    waiting: HashMap<String, BTreeMap<u64, oneshot::Sender<Turn>>>,
}

/// A place in a queue; dropped, it is given up.
struct Place<'g> {
    gate: &'g Gate,
    class: Class,
    organization: &'g str,
    number: u64,
    turn: oneshot::Receiver<Turn>,
}

impl Gate {
    pub(super) fn new(places: usize) -> Arc<Self> {
        let (taken, waiting, queues) = Default::default();
        Arc::new(Self { places, taken, waiting, queues })
    }

    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A turn, if nobody waits for one.
    pub(super) fn try_enter(self: &Arc<Self>) -> Option<Turn> {
        if self.waiting.load(SeqCst) == 0 { self.take() } else { None }
    }

    /// Waits for a turn. May be dropped.
    pub(super) async fn enter(self: &Arc<Self>, class: Class, organization: &str) -> Option<Turn> {
        match self.join(class, organization) {
            Ok(turn) => Some(turn),
            // Answered while its sender is in the queue, and it is as long as this place is.
            Err(mut place) => (&mut place.turn).await.ok(),
        }
    }

    fn join<'g>(self: &'g Arc<Self>, class: Class, organization: &'g str) -> Result<Turn, Place<'g>> {
        let mut queues = self.queues();
        // First this, then the look for a place: whoever leaves one does it the other way round, and so one sees the other.
        self.waiting.fetch_add(1, SeqCst);
        if queues.is_empty()
            && let Some(turn) = self.take()
        {
            self.waiting.fetch_sub(1, SeqCst);
            return Ok(turn);
        }
        let (sender, turn) = oneshot::channel();
        let number = queues.push(class, organization, sender);
        Err(Place { gate: self, class, organization, number, turn })
    }

    fn take(self: &Arc<Self>) -> Option<Turn> {
        let free = |taken| (taken < self.places).then_some(taken + 1);
        self.taken.fetch_update(SeqCst, SeqCst, free).ok().map(|_| Turn(Arc::clone(self)))
    }

    /// Gives free places to those who wait.
    fn admit(self: &Arc<Self>) {
        let mut spare = None;
        let mut queues = self.queues();
        while let Some(turn) = spare.take().or_else(|| self.take()) {
            let Some(sender) = queues.pop() else {
                spare = Some(turn);
                break;
            };
            self.waiting.fetch_sub(1, SeqCst);
            spare = sender.send(turn).err();
        }
        // A turn that is dropped looks for who waits: not while they are held.
        drop(queues);
        drop(spare);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, SeqCst);
        if self.0.waiting.load(SeqCst) > 0 {
            self.0.admit();
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        // A turn that was given meanwhile is dropped with its receiver, after this.
        if self.gate.queues().remove(self.class, self.organization, self.number) {
            self.gate.waiting.fetch_sub(1, SeqCst);
        }
    }
}

impl Queues {
    fn is_empty(&self) -> bool {
        self.lanes.iter().all(|lane| lane.order.is_empty())
    }

    fn push(&mut self, class: Class, organization: &str, sender: oneshot::Sender<Turn>) -> u64 {
        let number = self.next;
        self.next += 1;
        let lane = &mut self.lanes[class as usize];
        if !lane.waiting.contains_key(organization) {
            lane.order.push_back(organization.to_owned());
        }
        lane.waiting.entry(organization.to_owned()).or_default().insert(number, sender);
        number
    }

    /// Whose turn is next.
    fn pop(&mut self) -> Option<oneshot::Sender<Turn>> {
        use Class::{Batch, High, Normal};
        let order = match self.turns % 8 {
            3 => [Normal, High, Batch],
            7 => [Batch, High, Normal],
            _ => [High, Normal, Batch],
        };
        let next = order.into_iter().find_map(|class| self.lanes[class as usize].pop())?;
        self.turns += 1;
        Some(next)
    }

    fn remove(&mut self, class: Class, organization: &str, number: u64) -> bool {
        let lane = &mut self.lanes[class as usize];
        let Some(theirs) = lane.waiting.get_mut(organization) else { return false };
        let found = theirs.remove(&number).is_some();
        if theirs.is_empty() {
            lane.waiting.remove(organization);
            lane.order.retain(|name| name != organization);
        }
        found
    }
}

impl Lane {
    fn pop(&mut self) -> Option<oneshot::Sender<Turn>> {
        let organization = self.order.pop_front()?;
        let theirs = self.waiting.get_mut(&organization)?;
        let (_, oldest) = theirs.pop_first()?;
        if theirs.is_empty() {
            self.waiting.remove(&organization);
        } else {
            self.order.push_back(organization);
        }
        Some(oldest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use std::{future::Future, pin::Pin};

    type Waiting = Pin<Box<dyn Future<Output = Option<Turn>> + Send>>;

    /// Someone who asks for a turn and has to wait.
    fn waiting(gate: &Arc<Gate>, class: Class, id: &str) -> Waiting {
        let (gate, organization) = (Arc::clone(gate), id.to_owned());
        let mut asking: Waiting = Box::pin(async move { gate.enter(class, &organization).await });
        assert!((&mut asking).now_or_never().is_none(), "there was a place");
        asking
    }

    /// In which order a gate of one place lets these in, who ask one after another.
    fn order<'n>(gate: &Arc<Gate>, asking: &[(&'n str, Class, &str)]) -> Vec<&'n str> {
        let mut turn = gate.try_enter();
        let mut queue: Vec<_> = asking.iter().map(|(name, class, id)| (*name, waiting(gate, *class, id))).collect();
        let mut order = Vec::new();
        while !queue.is_empty() {
            drop(turn.take());
            assert_eq!(gate.taken.load(SeqCst), 1, "the place is given on at once");
            let let_in = |(_, asking): &mut (&str, Waiting)| {
                turn = asking.now_or_never().flatten();
                turn.is_some()
            };
            let at = queue.iter_mut().position(let_in).expect("nobody was let in");
            order.push(queue.remove(at).0);
        }
        drop(turn);
        assert_eq!((gate.taken.load(SeqCst), gate.waiting.load(SeqCst)), (0, 0));
        order
    }

    #[test]
    fn within_a_class_organizations_take_turns() {
        use Class::Normal;
        let mut asking = vec![("flood", Normal, "org2"); 50];
        asking.extend([("a", Normal, "org1"), ("b", Normal, "org1"), ("c", Normal, "org3")]);
        let order = order(&Gate::new(1), &asking);
        assert_eq!(order[..6], ["flood", "a", "c", "flood", "b", "flood"]);
        assert_eq!(order.len(), 53);
    }

    #[test]
    fn high_goes_first_and_no_class_starves() {
        use Class::{Batch, High, Normal};
        let mut asking = vec![("batch", Batch, "org1"); 100];
        asking.extend([("normal", Normal, "org1"); 100]);
        asking.extend([("high", High, "org2"); 100]);
        let order = order(&Gate::new(1), &asking);
        let count = |range: &[&str], name| range.iter().filter(|found| **found == name).count();
        for eight in order[..128].chunks(8) {
            assert_eq!((count(eight, "high"), count(eight, "normal"), count(eight, "batch")), (6, 1, 1), "{eight:?}");
        }
        let without_high = &order[136..200];
        assert_eq!(count(without_high, "high"), 0);
        assert_eq!(count(without_high, "batch"), 8, "one of eight, while others wait");
    }

    #[test]
    fn whoever_gives_up_has_left_the_queue() {
        let gate = Gate::new(1);
        let turn = gate.try_enter().unwrap();
        let (given_up, mut patient) = (waiting(&gate, Class::High, "org1"), waiting(&gate, Class::Normal, "org1"));
        drop(given_up);
        assert_eq!(gate.waiting.load(SeqCst), 1);
        assert!(gate.queues().lanes[Class::High as usize].waiting.is_empty());
        drop(turn);
        // It was given its turn, and never comes for it.
        let late = waiting(&gate, Class::Normal, "org2");
        assert!(gate.try_enter().is_none());
        let turn = (&mut patient).now_or_never().flatten().unwrap();
        drop(turn);
        drop(late);
        assert_eq!((gate.taken.load(SeqCst), gate.waiting.load(SeqCst)), (0, 0), "its turn came back");
        assert!(gate.try_enter().is_some());
    }

    /// Of many who come, wait, give up and leave at once, never more than the places are in, and all who stay get in.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn no_turn_is_lost_or_made_under_contention() {
        const PLACES: usize = 3;
        let gate = Gate::new(PLACES);
        let inside = Arc::new(AtomicUsize::new(0));
        let visits = (0..2_000_usize).map(|n| {
            let (gate, inside) = (Arc::clone(&gate), Arc::clone(&inside));
            tokio::spawn(async move {
                let class = [Class::High, Class::Normal, Class::Batch][n % 3];
                let organization = format!("org{}", n % 5);
                let entering = gate.enter(class, &organization);
                let turn = if n % 4 == 0 {
                    // Polled some times, then dropped.
                    tokio::time::timeout(std::time::Duration::from_micros(50), entering).await.ok().flatten()
                } else {
                    entering.await
                };
                assert!(turn.is_some() || n % 4 == 0);
                if let Some(turn) = turn {
                    assert!(inside.fetch_add(1, SeqCst) < PLACES);
                    tokio::task::yield_now().await;
                    inside.fetch_sub(1, SeqCst);
                    drop(turn);
                }
            })
        });
        let visits = futures_util::future::join_all(visits.collect::<Vec<_>>());
        let ended =
            tokio::time::timeout(std::time::Duration::from_secs(60), visits).await.expect("somebody waits for ever");
        ended.into_iter().for_each(|visit| visit.unwrap());
        assert_eq!((gate.taken.load(SeqCst), gate.waiting.load(SeqCst)), (0, 0));
    }
}

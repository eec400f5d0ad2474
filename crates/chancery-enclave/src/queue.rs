//! The queue between the reader and the threads that work.
//!
//! **Invariants**: bounded in items and in bytes (a full queue stops the reader, and so chanceryd); a thread takes no
//! more than an equal share, so that none waits behind another's backlog; [`Queue::close`] gives back all that was not
//! taken, and `busy` counts the threads that still hold something.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard},
};

/// The most bytes of input waiting in one queue.
const MAX_BYTES: usize = 64 << 20;

/// How a queue is bounded and shared out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Threads that take from it.
    pub(crate) threads: usize,
    /// The most items waiting.
    pub(crate) bound: usize,
    /// The most items taken at once.
    pub(crate) drain: usize,
}

/// A bounded queue of many producers and consumers.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    work: Condvar,
    room: Condvar,
    idle: Condvar,
    shape: Shape,
    weigh: fn(&T) -> usize,
}

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<T>,
    bytes: usize,
    busy: usize,
    closed: bool,
}

impl<T> Queue<T> {
    /// An empty queue; `weigh` gives an item's bytes.
    pub(crate) fn new(shape: Shape, weigh: fn(&T) -> usize) -> Self {
        let state = State { waiting: VecDeque::new(), bytes: 0, busy: 0, closed: false };
        Self {
            state: Mutex::new(state),
            work: Condvar::new(),
            room: Condvar::new(),
            idle: Condvar::new(),
            shape,
            weigh,
        }
    }

    /// Appends all items, waiting for room. Gives back those that a closed queue no longer takes.
    pub(crate) fn push_all(&self, items: impl IntoIterator<Item = T>) -> Vec<T> {
        let mut items = items.into_iter();
        let mut state = self.lock();
        while let Some(item) = items.next() {
            while !state.closed && (state.waiting.len() >= self.shape.bound || state.bytes >= MAX_BYTES) {
                self.work.notify_all();
                state = wait(&self.room, state);
            }
            if state.closed {
                return std::iter::once(item).chain(items).collect();
            }
            state.bytes += (self.weigh)(&item);
            state.waiting.push_back(item);
        }
        if state.waiting.len() > 1 {
            self.work.notify_all();
        } else {
            self.work.notify_one();
        }
        Vec::new()
    }

    /// Waits for work and moves a fair share of it into `batch`; `false` once the queue is closed. The thread counts as
    /// busy until it calls [`Queue::done`].
    pub(crate) fn take(&self, batch: &mut Vec<T>) -> bool {
        let mut state = self.lock();
        loop {
            if state.closed {
                return false;
            }
            if !state.waiting.is_empty() {
                break;
            }
            state = wait(&self.work, state);
        }
        let share = state.waiting.len().div_ceil(self.shape.threads).min(self.shape.drain);
        batch.extend(state.waiting.drain(..share));
        state.bytes -= batch.iter().map(self.weigh).sum::<usize>();
        state.busy += 1;
        self.room.notify_all();
        true
    }

    /// The batch of the last [`Queue::take`] is dealt with.
    pub(crate) fn done(&self) {
        self.lock().busy -= 1;
        self.idle.notify_all();
    }

    /// Ends the queue: threads stop taking. Gives back what was waiting.
    pub(crate) fn close(&self) -> Vec<T> {
        let mut state = self.lock();
        state.closed = true;
        self.work.notify_all();
        self.room.notify_all();
        state.waiting.drain(..).collect()
    }

    /// Waits until no thread is busy, at most for `patience`.
    pub(crate) fn wait_idle(&self, patience: std::time::Duration) {
        let waited = self.idle.wait_timeout_while(self.lock(), patience, |state| state.busy > 0);
        drop(waited.expect("a panic ends the process"));
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().expect("a panic ends the process")
    }
}

fn wait<'a, T>(condition: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    condition.wait(guard).expect("a panic ends the process")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn queue(threads: usize, bound: usize) -> Arc<Queue<u32>> {
        Arc::new(Queue::new(Shape { threads, bound, drain: 16 }, |_| 4))
    }

    #[test]
    fn a_thread_takes_its_share_and_no_more() {
        let queue = queue(4, 100);
        queue.push_all(0..20);
        let mut batch = Vec::new();
        assert!(queue.take(&mut batch));
        assert_eq!(batch, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_full_queue_stops_the_producer_until_there_is_room() {
        let queue = queue(1, 4);
        let producer = std::thread::spawn({
            let queue = Arc::clone(&queue);
            move || queue.push_all(0..100)
        });
        let mut seen = Vec::new();
        while seen.len() < 100 {
            let mut batch = Vec::new();
            assert!(queue.take(&mut batch));
            assert!(batch.len() <= 4);
            seen.extend(batch);
            queue.done();
        }
        assert!(producer.join().unwrap().is_empty());
        assert_eq!(seen, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn closing_gives_back_what_waits_and_refuses_what_comes() {
        let queue = queue(1, 100);
        queue.push_all(0..3);
        assert_eq!(queue.close(), [0, 1, 2]);
        assert_eq!(queue.push_all([7, 8]), [7, 8]);
        assert!(!queue.take(&mut Vec::new()));
    }
}

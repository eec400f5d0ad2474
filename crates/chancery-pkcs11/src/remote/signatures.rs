//! Signatures that callers wait for: what is still to be sent, and what is unanswered.
//!
//! **Invariants**
//! * A request is unanswered until its answer comes, its caller gives up, or the thread ends; then it is forgotten.
//! * Only the newest stream takes requests, until it ends; all that is unanswered goes over each new stream again.
//! * Who opens streams and who sends over one are woken each by their own waker: neither takes the other's.
//!
//! **Not here**: the stream (`stream`), repeating a request that the service answered with an error (`remote`).

use super::parking::Parking;
use chancery_api::v1::{self, sign_stream_response::Result as Answer};
use chancery_client::{ClientError, request_id};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

/// A request whose caller waits.
pub(super) struct Waiting {
    request: v1::SignRequest,
    /// Where its caller waits.
    pub(super) parking: Parking<Result<v1::SignResponse, ClientError>>,
}

impl Waiting {
    /// The request bears its id.
    pub(super) fn new(request: v1::SignRequest) -> Self {
        Self { request, parking: Parking::default() }
    }

    /// The same, as another request.
    pub(super) fn afresh(&self) -> Self {
        Self::new(v1::SignRequest { request_id: request_id(), ..self.request.clone() })
    }
}

/// See the module.
#[derive(Default)]
pub(super) struct Signatures(Mutex<State>);

#[derive(Default)]
struct State {
    /// By request id.
    unanswered: HashMap<String, Arc<Waiting>>,
    unsent: VecDeque<Arc<Waiting>>,
    /// The newest stream's number; once it has ended, that of none.
    stream: u64,
    /// Whoever opens a stream when something is unanswered.
    opener: Option<Waker>,
    /// Whoever sends what is unsent over the newest stream.
    sender: Option<Waker>,
    /// Why there is no stream just now.
    trouble: Option<ClientError>,
    ended: Option<ClientError>,
}

/// Waits, to be woken through `waker`.
fn wait<T>(waker: &mut Option<Waker>, cx: &Context<'_>) -> Poll<T> {
    if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
        *waker = Some(cx.waker().clone());
    }
    Poll::Pending
}

fn wake(wakers: impl IntoIterator<Item = Option<Waker>>) {
    wakers.into_iter().flatten().for_each(Waker::wake);
}

impl Signatures {
    /// Takes a request in.
    ///
    /// # Errors
    /// When the thread has ended.
    pub(super) fn submit(&self, waiting: &Arc<Waiting>) -> Result<(), ClientError> {
        let mut state = self.lock();
        if let Some(error) = &state.ended {
            return Err(error.clone());
        }
        state.unanswered.insert(waiting.request.request_id.clone(), Arc::clone(waiting));
        state.unsent.push_back(Arc::clone(waiting));
        let wakers = [state.opener.take(), state.sender.take()];
        drop(state);
        wake(wakers);
        Ok(())
    }

    /// The caller gives up; what it may be told.
    pub(super) fn forget(&self, waiting: &Waiting) -> ClientError {
        let mut state = self.lock();
        state.unanswered.remove(&waiting.request.request_id);
        state.trouble.clone().unwrap_or_else(ClientError::deadline_exceeded)
    }

    /// Whether there is a request to answer; otherwise the caller is woken when there is.
    pub(super) fn poll_wanted(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.unanswered.is_empty() { wait(&mut state.opener, cx) } else { Poll::Ready(()) }
    }

    /// Begins a stream: everything unanswered is to be sent over it. Its number.
    pub(super) fn begin(&self) -> u64 {
        let mut state = self.lock();
        state.stream += 1;
        state.unsent = state.unanswered.values().cloned().collect();
        state.stream
    }

    /// The newest stream has ended, and takes nothing more.
    pub(super) fn close_stream(&self) {
        let mut state = self.lock();
        state.stream += 1;
        let sender = state.sender.take();
        drop(state);
        wake([sender]);
    }

    /// The next request for a stream; `None` ends it.
    pub(super) fn poll_unsent(&self, stream: u64, cx: &Context<'_>) -> Poll<Option<v1::SignRequest>> {
        let mut state = self.lock();
        if state.stream != stream {
            return Poll::Ready(None);
        }
        while let Some(waiting) = state.unsent.pop_front() {
            if state.unanswered.contains_key(&waiting.request.request_id) {
                return Poll::Ready(Some(waiting.request.clone()));
            }
        }
        wait(&mut state.sender, cx)
    }

    /// Gives an answer to who waits for it.
    pub(super) fn answer(&self, answer: v1::SignStreamResponse) {
        let result = match answer.result {
            Some(Answer::Response(response)) => Ok(response),
            Some(Answer::Error(error)) => Err(error.into()),
            // Of a newer service: there may be an answer to the same request later.
            None => return,
        };
        let waiting = self.lock().unanswered.remove(&answer.request_id);
        if let Some(waiting) = waiting {
            waiting.parking.put(result);
        }
    }

    /// There is no stream, which may pass. Whether that is new.
    pub(super) fn interrupted(&self, trouble: ClientError) -> bool {
        self.lock().trouble.replace(trouble).is_none()
    }

    /// There is a stream. Whether that is new.
    pub(super) fn restored(&self) -> bool {
        self.lock().trouble.take().is_some()
    }

    /// There is no stream, and waiting does not help.
    pub(super) fn fail(&self, error: &ClientError) {
        let mut state = self.lock();
        state.unsent.clear();
        let unanswered = std::mem::take(&mut state.unanswered);
        drop(state);
        for waiting in unanswered.into_values() {
            waiting.parking.put(Err(error.clone()));
        }
    }

    /// The thread ends.
    pub(super) fn end(&self, error: ClientError) {
        self.lock().ended = Some(error.clone());
        self.fail(&error);
    }

    /// Whether somebody waits.
    #[cfg(test)]
    pub(super) fn has_unanswered(&self) -> bool {
        !self.lock().unanswered.is_empty()
    }

    /// Whether the thread has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.lock().ended.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics between two changes that belong together.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{task::Wake, time::Instant};

    struct Nobody;

    impl Wake for Nobody {
        fn wake(self: Arc<Self>) {}
    }

    fn waiting(id: &str) -> Arc<Waiting> {
        Arc::new(Waiting::new(v1::SignRequest { request_id: id.to_owned(), ..v1::SignRequest::default() }))
    }

    /// What a stream takes now; `None`: it ends.
    fn taken(signatures: &Signatures, stream: u64) -> Option<Vec<String>> {
        let waker = Waker::from(Arc::new(Nobody));
        let mut ids = Vec::new();
        loop {
            match signatures.poll_unsent(stream, &Context::from_waker(&waker)) {
                Poll::Ready(Some(request)) => ids.push(request.request_id),
                Poll::Ready(None) => return None,
                Poll::Pending => break,
            }
        }
        ids.sort();
        Some(ids)
    }

    fn answer(id: &str) -> v1::SignStreamResponse {
        let response = v1::SignResponse { request_id: id.to_owned(), ..v1::SignResponse::default() };
        v1::SignStreamResponse { request_id: id.to_owned(), result: Some(Answer::Response(response)) }
    }

    #[test]
    fn what_is_unanswered_goes_over_the_next_stream_and_only_that() {
        let signatures = Signatures::default();
        let [a, b, c] = ["a", "b", "c"].map(waiting);
        signatures.submit(&a).unwrap();
        signatures.submit(&b).unwrap();
        let first = signatures.begin();
        assert_eq!(taken(&signatures, first).unwrap(), ["a", "b"]);
        assert_eq!(taken(&signatures, first).unwrap(), [""; 0], "once");
        signatures.answer(answer("a"));
        signatures.submit(&c).unwrap();
        let second = signatures.begin();
        assert_eq!(taken(&signatures, first), None);
        assert_eq!(taken(&signatures, second).unwrap(), ["b", "c"]);
        assert_eq!(a.parking.wait_until(Instant::now()).unwrap().unwrap().request_id, "a");
        assert!(b.parking.wait_until(Instant::now()).is_none());
    }

    /// Counts how often it was woken.
    #[derive(Default)]
    struct Woken(std::sync::atomic::AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
    }

    impl Woken {
        fn times(&self) -> usize {
            self.0.load(std::sync::atomic::Ordering::SeqCst)
        }
    }

    #[test]
    fn the_sender_of_a_stream_takes_no_wakeup_from_who_opens_the_next() {
        let signatures = Signatures::default();
        let (opener, sender) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
        let wakers = [Waker::from(Arc::clone(&opener)), Waker::from(Arc::clone(&sender))];
        let [opens, sends] = [Context::from_waker(&wakers[0]), Context::from_waker(&wakers[1])];
        let stream = signatures.begin();
        assert!(signatures.poll_wanted(&opens).is_pending());
        assert!(signatures.poll_unsent(stream, &sends).is_pending());
        signatures.submit(&waiting("a")).unwrap();
        assert_eq!((opener.times(), sender.times()), (1, 1));
    }

    #[test]
    fn a_stream_that_has_ended_takes_nothing_more() {
        let signatures = Signatures::default();
        let sender = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&sender));
        let stream = signatures.begin();
        assert!(signatures.poll_unsent(stream, &Context::from_waker(&waker)).is_pending());
        signatures.close_stream();
        assert_eq!(sender.times(), 1, "its body ends");
        signatures.submit(&waiting("a")).unwrap();
        assert_eq!(taken(&signatures, stream), None);
        let next = signatures.begin();
        assert_eq!(taken(&signatures, next).unwrap(), ["a"]);
    }

    #[test]
    fn who_gave_up_is_not_sent_and_an_answer_that_comes_late_is_nobodys() {
        let signatures = Signatures::default();
        let [a, b] = ["a", "b"].map(waiting);
        signatures.submit(&a).unwrap();
        let stream = signatures.begin();
        signatures.submit(&b).unwrap();
        signatures.forget(&b);
        assert_eq!(taken(&signatures, stream).unwrap(), ["a"]);
        signatures.forget(&a);
        signatures.answer(answer("a"));
        assert!(a.parking.wait_until(Instant::now()).is_none());
        let waker = Waker::from(Arc::new(Nobody));
        assert!(signatures.poll_wanted(&Context::from_waker(&waker)).is_pending());
    }

    #[test]
    fn the_end_answers_who_waits_and_who_comes_later() {
        let signatures = Signatures::default();
        let a = waiting("a");
        signatures.submit(&a).unwrap();
        signatures.end(ClientError::deadline_exceeded());
        assert_eq!(a.parking.wait_until(Instant::now()), Some(Err(ClientError::deadline_exceeded())));
        assert_eq!(signatures.submit(&a), Err(ClientError::deadline_exceeded()));
        assert!(signatures.has_ended());
    }
}

//! The loop of every thread that answers requests: take a fair share, do it, write the replies together.
//!
//! **Invariants**: every request taken is answered exactly once; a request past its deadline is not begun; once the
//! token is lost, nothing more is begun.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chancery_ipc::{Fault, FaultReason, Request, Response, encode, request::Verb, response};

use zeroize::Zeroize;

use crate::{fault::Failure, queue::Queue, serve::Shared};

/// The longest a finished reply waits for those of the same batch.
const COALESCE: Duration = Duration::from_millis(1);

/// Answers the requests of `queue` with `perform` until the queue is closed.
pub(crate) fn work(
    shared: &Shared,
    queue: &Queue<Request>,
    mut perform: impl FnMut(Verb) -> Result<response::Result, Failure>,
) {
    let mut batch = Vec::new();
    let mut replies = Vec::new();
    while queue.take(&mut batch) {
        let mut lost = false;
        let mut oldest = None;
        for request in batch.drain(..) {
            let outcome =
                if lost { Err(not_begun()) } else { attempt(request.verb, request.deadline_unix_millis, &mut perform) };
            lost |= shared.is_open() && outcome.as_ref().is_err_and(|failure| failure.token_lost);
            append(&mut replies, request.id, outcome);
            if oldest.get_or_insert_with(Instant::now).elapsed() >= COALESCE {
                send(shared, &mut replies);
                oldest = None;
            }
        }
        send(shared, &mut replies);
        queue.done();
        if lost {
            shared.token_lost();
        }
    }
}

/// Sends replies and wipes them: some hold a plaintext or a shared secret.
fn send(shared: &Shared, replies: &mut Vec<u8>) {
    shared.reply(replies);
    replies[..].zeroize();
    replies.clear();
}

fn attempt(
    verb: Option<Verb>,
    deadline: u64,
    perform: &mut impl FnMut(Verb) -> Result<response::Result, Failure>,
) -> Result<response::Result, Failure> {
    if deadline != 0 && unix_millis() > deadline {
        return Err(Failure::new(FaultReason::Expired, "the deadline had passed before work began"));
    }
    perform(verb.ok_or_else(|| Failure::bad_request("the request has no verb that this enclave knows"))?)
}

/// Appends the reply to request `id`.
pub(crate) fn append(replies: &mut Vec<u8>, id: u64, outcome: Result<response::Result, Failure>) {
    let result = outcome.unwrap_or_else(|failure| response::Result::Fault(failure.into()));
    let mut response = Response { id, result: Some(result) };
    let encoded = encode(&response, replies);
    if let Some(response::Result::KeyUsed(used)) = &mut response.result {
        used.output.zeroize();
    }
    if encoded.is_err() {
        let fault = Fault {
            reason: FaultReason::TokenFault.into(),
            message: "the reply would be longer than a frame may be".into(),
            maybe_performed: true,
            operation: None,
        };
        let short = Response { id, result: Some(response::Result::Fault(fault)) };
        encode(&short, replies).expect("a short message fits into a frame");
    }
}

/// For requests that a lost token leaves undone.
pub(crate) fn not_begun() -> Failure {
    Failure::new(FaultReason::TokenFault, "the token was lost before this was begun")
}

fn unix_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

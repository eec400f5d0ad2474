//! The way to the service: one connection per process, many requests at once, blocking callers.
//!
//! Callers park; one background thread ([`line`]) does all input and output. Signatures share one stream
//! ([`signatures`]), everything else is a call of its own. docs/pkcs11.md, "Outages", says what callers notice.
//!
//! **Invariants**
//! * Nothing is started before it is needed: no thread and no socket until the first request.
//! * A request is tried again, with the same request id, on whichever address answers, until its deadline; also over
//!   another thread where one ended.
//! * A caller is back soon after its deadline, whatever the service, the network and the thread do.
//!
//! **Not here**: what requests say (`objects`, `operations`).

mod chores;
mod debts;
mod failure;
mod leases;
mod line;
mod parking;
mod signatures;
mod stream;
#[cfg(test)]
pub(crate) mod tests;

pub use failure::{Doing, Failure};

use crate::{log, module::config::Config};
use chancery_api::{reasons, v1};
use chancery_client::{Attempt, Backoff, Client, ClientError, request_id, retry_until};
use chores::{Chore, Chores};
use failure::has_thread_ended;
use line::Line;
use parking::{Parking, Promise};
use signatures::Waiting;
use std::{
    collections::BTreeSet,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// What a call may take beyond its deadline before the thread counts as stuck.
const GRACE: Duration = Duration::from_secs(1);
/// How long a quiet service is waited for before it is asked whether it is there.
const PATIENCE: Duration = Duration::from_secs(3);
/// How many threads a call may see end before it fails: one more would end of the same.
const MOST_LINES: usize = 3;

/// See the module.
pub struct Remote {
    config: Arc<Config>,
    process: String,
    /// The process that it belongs to: a forked child has no thread.
    pid: u32,
    state: Mutex<State>,
    chores: Arc<Chores>,
}

#[derive(Default)]
struct State {
    line: Option<Arc<Line>>,
    closed: bool,
    /// Organizations with session keys, whose lease every line renews.
    kept: BTreeSet<String>,
}

impl Remote {
    /// Over this configuration; connects when it is first used.
    pub fn new(config: Arc<Config>) -> Self {
        log::open();
        Self { config, process: request_id(), pid: std::process::id(), state: Mutex::default(), chores: Arc::default() }
    }

    /// Until when a call that begins now may take.
    pub fn deadline(&self) -> Instant {
        Instant::now() + self.config.deadline
    }

    /// Signs, over the one SignStream of the process. The request id is made here.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn sign(&self, mut request: v1::SignRequest) -> Result<v1::SignResponse, Failure> {
        request.request_id = request_id();
        self.sign_by(self.deadline(), request)
    }

    /// The same of a request that bears its id, as a part of something with a deadline of its own.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn sign_by(&self, deadline: Instant, request: v1::SignRequest) -> Result<v1::SignResponse, Failure> {
        let mut waiting = Arc::new(Waiting::new(request));
        let mut backoff = Backoff::default();
        let (mut quarantined, mut lines) = (false, 1);
        loop {
            let line = self.line()?;
            let error = match line.sign(&waiting, deadline) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if has_thread_ended(&error) && lines < MOST_LINES && Instant::now() < deadline {
                lines += 1;
                continue;
            }
            // Whose requests are many, one is in flight at two crashes that it did not cause. What does cause them ends here.
            if error.reason.as_deref() == Some(reasons::QUARANTINED) && !quarantined {
                quarantined = true;
                waiting = Arc::new(waiting.afresh());
                continue;
            }
            let now = Instant::now();
            let next = now + backoff.wait() + error.retry_after.unwrap_or_default();
            if !error.retryable || next >= deadline {
                return Err(Failure::reported(error));
            }
            // Another address may have a token that works.
            line.doubt();
            thread::sleep(next - now);
        }
    }

    /// Any other call, as [`Client::retry`] has it. The closure sends the same request each time, with one request id
    /// ([`chancery_client::request_id`]).
    ///
    /// # Errors
    /// [`Failure`].
    pub fn call<T, C, F>(&self, call: C) -> Result<T, Failure>
    where
        C: FnMut(Client, Attempt) -> F + Send + 'static,
        F: Future<Output = Result<tonic::Response<T>, tonic::Status>> + Send + 'static,
        T: Send + 'static,
    {
        self.call_by(self.deadline(), call)
    }

    /// The same, as a part of something with a deadline of its own.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn call_by<T, C, F>(&self, deadline: Instant, call: C) -> Result<T, Failure>
    where
        C: FnMut(Client, Attempt) -> F + Send + 'static,
        F: Future<Output = Result<tonic::Response<T>, tonic::Status>> + Send + 'static,
        T: Send + 'static,
    {
        // A thread that ends takes with it what it runs; the call must outlive it.
        let call = Arc::new(Mutex::new(call));
        let mut lines = 1;
        loop {
            let line = self.line()?;
            let parking = Arc::new(Parking::default());
            let promise = Promise::of(&parking);
            let (client, call) = (line.client().clone(), Arc::clone(&call));
            line.spawn(async move {
                let again = |attempt| (call.lock().unwrap_or_else(PoisonError::into_inner))(client.clone(), attempt);
                promise.keep(retry_until(deadline.into(), again).await);
            });
            let answer = line.patiently(&parking, deadline + GRACE);
            match answer.unwrap_or_else(|| Err(ClientError::deadline_exceeded())) {
                Ok(answer) => return Ok(answer),
                Err(_) if self.lock().closed => return Err(Failure::closed()),
                Err(error) if has_thread_ended(&error) && lines < MOST_LINES && Instant::now() < deadline => lines += 1,
                Err(error) => return Err(Failure::reported(error)),
            }
        }
    }

    /// Does `call` later: dropping session keys. While the service can't be asked, it is repeated with each renewal of the
    /// organization's lease.
    pub fn call_later<T, C, F>(&self, organization: &str, call: C)
    where
        C: Fn(Client, Attempt) -> F + Send + Sync + 'static,
        F: Future<Output = Result<tonic::Response<T>, tonic::Status>> + Send + 'static,
        T: Send + 'static,
    {
        let number = self.chores.add(organization, chore(call));
        let Ok(line) = self.line() else { return };
        let (client, owed) = (line.client().clone(), line.owe());
        let (chores, patience) = (Arc::clone(&self.chores), self.config.deadline);
        line.spawn(async move {
            chores.attend(number, &client, patience).await;
            drop(owed);
        });
    }

    /// The same, with the next renewal at first: the service can't be asked now.
    pub fn call_with_lease<T, C, F>(&self, organization: &str, call: C)
    where
        C: Fn(Client, Attempt) -> F + Send + Sync + 'static,
        F: Future<Output = Result<tonic::Response<T>, tonic::Status>> + Send + 'static,
        T: Send + 'static,
    {
        self.chores.add(organization, chore(call));
    }

    /// Renews the lease of this process's session keys, from now on. Asking again changes nothing.
    pub fn keep_session_keys(&self, organization: &str) {
        let mut state = self.lock();
        if state.kept.insert(organization.to_owned())
            && let Some(line) = &state.line
        {
            line.renew(organization, &self.process, &self.chores, self.config.deadline);
            return;
        }
        drop(state);
        // One that starts now renews by itself.
        let _ = self.line();
    }

    /// There are no more of them.
    pub fn drop_session_keys(&self, organization: &str) {
        let mut state = self.lock();
        state.kept.remove(organization);
        if let Some(line) = &state.line {
            line.renew_no_more(organization);
        }
    }

    /// UUID of this process at the service: whose session keys are whose.
    pub fn process(&self) -> &str {
        &self.process
    }

    /// Ends the thread and the connection (C_Finalize), after a bounded wait for what [`Remote::call_later`] owes. Who waits
    /// is answered, and nothing starts again.
    pub fn close(&self) {
        let line = {
            let mut state = self.lock();
            state.closed = true;
            state.line.take()
        };
        if let Some(line) = line {
            line.end();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Plain values: they are whole whatever happened to a holder of the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The line that stands, or a new one.
    fn line(&self) -> Result<Arc<Line>, Failure> {
        let mut state = self.lock();
        if state.closed {
            return Err(Failure::closed());
        }
        if let Some(line) = state.line.as_ref().filter(|line| line.stands()) {
            return Ok(Arc::clone(line));
        }
        let line = Arc::new(Line::start(&self.config).map_err(Failure::reported)?);
        for organization in &state.kept {
            line.renew(organization, &self.process, &self.chores, self.config.deadline);
        }
        state.line = Some(Arc::clone(&line));
        Ok(line)
    }
}

/// A call whose answer nobody reads.
fn chore<T, C, F>(call: C) -> Chore
where
    C: Fn(Client, Attempt) -> F + Send + Sync + 'static,
    F: Future<Output = Result<tonic::Response<T>, tonic::Status>> + Send + 'static,
    T: Send + 'static,
{
    Arc::new(move |client, attempt| {
        let answer = call(client, attempt);
        Box::pin(async move { answer.await.map(|answer| answer.map(|_| ())) })
    })
}

impl Drop for Remote {
    fn drop(&mut self) {
        if std::process::id() == self.pid {
            self.close();
        } else {
            // The thread stayed with the parent, in whatever state it was.
            std::mem::forget(self.lock().line.take());
        }
    }
}

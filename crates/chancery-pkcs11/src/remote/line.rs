//! The background thread with its runtime, its connection, and what is asked over it.
//!
//! **Invariants**
//! * The host's signal handlers never run in the thread, and SIGPIPE has no one to kill.
//! * When the thread ends, for whatever reason, everyone who waits is answered.
//! * Ending it takes a bounded time.
//!
//! **Not here**: starting a new one in its place (`remote`).

use super::{
    PATIENCE,
    chores::Chores,
    debts::{Debts, Owed},
    failure::{closed, thread_ended, unstartable},
    leases::Leases,
    parking::Parking,
    signatures::{Signatures, Waiting},
    stream,
};
use crate::{ffi, module::config::Config};
use chancery_api::v1;
use chancery_client::{Client, ClientError, Health};
use std::{
    future::Future,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::Notify,
    time::{sleep, timeout},
};

/// How long the end waits for what is owed to the service, and then for the thread.
const LAST_WORDS: Duration = Duration::from_secs(2);
const LAST_STEP: Duration = Duration::from_secs(1);
/// After a look at a service that does not serve.
const BETWEEN_DOUBTS: Duration = Duration::from_secs(1);

/// See the module.
pub(super) struct Line {
    handle: Handle,
    client: Client,
    signatures: Arc<Signatures>,
    leases: Leases,
    debts: Arc<Debts>,
    stop: Arc<Notify>,
    ended: Arc<Parking<()>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    patience: Duration,
    /// There is another address to go to.
    elsewhere: bool,
    doubted: Arc<AtomicBool>,
}

/// A runtime whose end waits for nothing: a thread of it may hang in a name's resolution.
struct Running(Option<Runtime>);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Says that the thread ends, and answers who waits for a signature.
struct Epitaph {
    signatures: Arc<Signatures>,
    stopped: bool,
}

impl Drop for Epitaph {
    fn drop(&mut self) {
        self.signatures.end(if self.stopped { closed() } else { thread_ended() });
    }
}

/// Says that nothing is left of the thread.
struct Grave(Arc<Parking<()>>);

impl Drop for Grave {
    fn drop(&mut self) {
        self.0.put(());
    }
}

impl Line {
    /// Starts the thread. It connects when the first request needs it.
    pub(super) fn start(config: &Config) -> Result<Self, ClientError> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(unstartable)?;
        let handle = runtime.handle().clone();
        let client = {
            let _within = handle.enter();
            Client::lazy(&config.client.clone().of_kind("pkcs11"))?
        };
        let line = Self {
            handle,
            client,
            signatures: Arc::default(),
            leases: Leases::default(),
            debts: Arc::default(),
            stop: Arc::default(),
            ended: Arc::default(),
            thread: Mutex::default(),
            patience: PATIENCE.min(config.deadline / 4),
            elsewhere: config.client.addresses().len() > 1,
            doubted: Arc::default(),
        };
        let grave = Grave(Arc::clone(&line.ended));
        let epitaph = Epitaph { signatures: Arc::clone(&line.signatures), stopped: false };
        let (client, debts, stop) = (line.client.clone(), Arc::clone(&line.debts), Arc::clone(&line.stop));
        let body = move || run(grave, Running(Some(runtime)), epitaph, &client, &debts, &stop);
        let thread = ffi::signals::blocked(|| thread::Builder::new().name("chancery-pkcs11".to_owned()).spawn(body));
        *line.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread.map_err(unstartable)?);
        Ok(line)
    }

    /// Whether the thread runs still.
    pub(super) fn stands(&self) -> bool {
        !self.signatures.has_ended()
    }

    /// The thread fails.
    #[cfg(test)]
    pub(super) fn fail(&self) {
        self.signatures.end(thread_ended());
        self.stop.notify_one();
    }

    /// Whether somebody waits for a signature.
    #[cfg(test)]
    pub(super) fn waits(&self) -> bool {
        self.signatures.has_unanswered()
    }

    /// What calls go through.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Runs `work` in the thread.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.handle.spawn(work);
    }

    /// The end waits for who holds it.
    pub(super) fn owe(&self) -> Owed {
        self.debts.owe()
    }

    /// One try of a signature.
    pub(super) fn sign(
        self: &Arc<Self>,
        waiting: &Arc<Waiting>,
        deadline: Instant,
    ) -> Result<v1::SignResponse, ClientError> {
        self.signatures.submit(waiting)?;
        self.patiently(&waiting.parking, deadline).unwrap_or_else(|| Err(self.signatures.forget(waiting)))
    }

    /// Waits until `deadline`, and looks after the service when it takes long.
    pub(super) fn patiently<T>(self: &Arc<Self>, parking: &Parking<T>, deadline: Instant) -> Option<T> {
        loop {
            let now = Instant::now();
            let until = deadline.min(now + self.patience);
            if let Some(value) = parking.wait_until(until) {
                return Some(value);
            }
            if until == deadline {
                return None;
            }
            self.doubt();
        }
    }

    /// Asks the service whether it is there. If it does not answer, the connection is given up, and what is under way goes
    /// over the next one; if it says that it does not serve, another address is tried.
    pub(super) fn doubt(self: &Arc<Self>) {
        if self.doubted.swap(true, Ordering::Relaxed) {
            return;
        }
        let line = Arc::clone(self);
        self.spawn(async move {
            let made = line.client.connections_made();
            let answer = timeout(line.patience, line.client.health()).await;
            let good = match answer {
                Ok(Ok(Health::Serving)) => true,
                Ok(Ok(Health::NotServing)) => !line.elsewhere,
                Ok(Err(_)) | Err(_) => false,
            };
            if !good {
                // Another one may have been made meanwhile.
                if line.client.connections_made() == made {
                    line.client.abandon();
                }
                sleep(BETWEEN_DOUBTS).await;
            }
            line.doubted.store(false, Ordering::Relaxed);
        });
    }

    /// Renews the lease of an organization's session keys.
    pub(super) fn renew(&self, organization: &str, process: &str, chores: &Arc<Chores>, deadline: Duration) {
        self.leases.renew(&self.handle, &self.client, chores, (organization, process), deadline);
    }

    /// There are none any more.
    pub(super) fn renew_no_more(&self, organization: &str) {
        self.leases.end(organization);
    }

    /// Ends the thread, in a bounded time.
    pub(super) fn end(&self) {
        self.stop.notify_one();
        let ended = self.ended.wait_until(Instant::now() + LAST_WORDS + LAST_STEP).is_some();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread.filter(|_| ended) {
            // It has nothing left to do. Its panic was everyone's answer.
            let _ = thread.join();
        }
    }
}

/// The thread's life. The epitaph goes first, so that who is answered by the end of what the runtime ran, which goes next,
/// finds that this line does not stand.
fn run(_grave: Grave, running: Running, mut epitaph: Epitaph, client: &Client, debts: &Debts, stop: &Notify) {
    let Some(runtime) = &running.0 else { return };
    let signatures = Arc::clone(&epitaph.signatures);
    runtime.block_on(async {
        tokio::select! {
            () = stream::drive(&signatures, client) => {}
            () = stop.notified() => {}
        }
        epitaph.stopped = true;
        let _ = timeout(LAST_WORDS, debts.settled()).await;
    });
}

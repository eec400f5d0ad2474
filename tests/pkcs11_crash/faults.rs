//! Kills and restarts of what stands between clients and their keys, one after the other.

use crate::{
    client::Client,
    forwarder::Forwarder,
    harness::{Deployment, signal},
};
use std::{
    ops::Range,
    thread,
    time::{Duration, Instant},
};

/// From one fault to the next, at the least and at the most.
const PAUSE: Range<Duration> = Duration::from_millis(1500)..Duration::from_secs(4);
/// What every client receives meanwhile, if it can.
const PROGRESS: usize = 3;

/// How often each happened.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// SIGKILL of chanceryd, and another start.
    pub(crate) service: usize,
    /// SIGKILL of chancery-enclave.
    pub(crate) enclave: usize,
    /// Connections dropped on the way.
    pub(crate) cuts: usize,
}

impl Faults {
    /// Goes on until the time is up, or nobody is left. At half of it, the clients that are to die do.
    pub(crate) fn play(
        deployment: &mut Deployment,
        forwarder: &Forwarder,
        clients: &mut [Client],
        time: Duration,
    ) -> Self {
        let mut faults = Self::default();
        let start = Instant::now();
        for step in 0.. {
            await_progress(clients);
            if start.elapsed() >= time || !clients.iter_mut().any(Client::is_running) {
                break;
            }
            if start.elapsed() >= time / 2 {
                let mortal = clients.iter_mut().filter(|client| client.job.dies);
                mortal.for_each(|client| {
                    if client.is_running() {
                        client.kill()
                    }
                });
            }
            match step % 4 {
                0 => {
                    deployment.kill();
                    deployment.serve();
                    faults.service += 1;
                }
                1 | 3 => {
                    if let Some(pid) = deployment.enclave_pid() {
                        signal(pid, "KILL");
                        faults.enclave += 1;
                    }
                }
                // One path closed: the other address has to do.
                _ => {
                    forwarder.cut(faults.cuts % 2 == 0);
                    faults.cuts += 1;
                }
            }
        }
        faults
    }
}

/// Waits until everybody has gone on, but not for ever.
fn await_progress(clients: &mut [Client]) {
    let start = Instant::now();
    let enough: Vec<_> = clients.iter().map(|client| client.count() + PROGRESS).collect();
    while start.elapsed() < PAUSE.end {
        let mut each = clients.iter_mut().zip(&enough);
        let all = each.all(|(client, enough)| client.count() >= *enough || client.is_silent() || !client.is_running());
        if all && start.elapsed() >= PAUSE.start {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

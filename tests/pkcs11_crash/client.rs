//! Client programs that sign, or make keys, until their time is up.
//!
//! A further one is a line in `scene`: a command that finds in its environment the token (`PKCS11_LIB`, `PKCS11_LABEL`,
//! `PKCS11_PIN`), the key's CKA_ID in hexadecimal (`PKCS11_KEY`; "ephemeral": a session key of its own, whose signatures it
//! checks; empty: it makes keys, at most `PKCS11_KEYS`), how long and in how many threads (`PKCS11_SECONDS`,
//! `PKCS11_THREADS`), prints what `lines` says, and ends with status 0 unless a call failed.
//!
//! **Invariants**: a client that is not to die ends by itself, with status 0, and by [`Client::finish`]'s deadline. None
//! outlives its [`Client`].

use crate::{
    harness::{Deployment, signal},
    lines::Received,
    pkcs11::{LABEL, PIN, module},
    stage::CONFIGURATION,
};
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// What a client does.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    /// For people.
    pub(crate) name: &'static str,
    /// E.g. `peer0`, of org1.
    pub(crate) principal: &'static str,
    /// The CKA_ID of the key to sign with, or "ephemeral"; empty: keys are made.
    pub(crate) key: String,
    /// 0: it decides itself what it does, and prints nothing of it.
    pub(crate) threads: usize,
    /// It is killed in the middle.
    pub(crate) dies: bool,
}

/// See the module.
pub(crate) struct Client {
    pub(crate) job: Job,
    process: Running,
    received: Arc<Mutex<Received>>,
    reader: JoinHandle<()>,
    errors: JoinHandle<String>,
}

impl Client {
    /// Starts a program on a configuration file that lies in its principal's directory.
    pub(crate) fn start(deployment: &Deployment, mut command: Command, job: Job, time: Duration) -> Self {
        let home = deployment.client_dir(&format!("org1-{}", job.principal));
        let mut process = command
            .env("CHANCERY_PKCS11_CONF", home.join(CONFIGURATION))
            .env("PKCS11_LIB", module())
            .env("PKCS11_LABEL", LABEL)
            .env("PKCS11_PIN", PIN)
            .env("PKCS11_KEY", &job.key)
            .env("PKCS11_KEYS", "400")
            .env("PKCS11_SECONDS", time.as_secs().to_string())
            .env("PKCS11_THREADS", job.threads.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let received = Arc::<Mutex<Received>>::default();
        let (mut lines, into) = (BufReader::new(process.stdout.take().unwrap()), Arc::clone(&received));
        let reader = thread::spawn(move || {
            let mut line = String::new();
            // A line without its end is one that a client did not come to write.
            while lines.read_line(&mut line).is_ok() && line.ends_with('\n') {
                into.lock().unwrap().line(&line);
                line.clear();
            }
        });
        let errors = process.stderr.take().unwrap();
        let errors = thread::spawn(move || std::io::read_to_string(errors).unwrap_or_default());
        Self { job, process: Running(process), received, reader, errors }
    }

    /// How much it received so far.
    pub(crate) fn count(&self) -> usize {
        self.received.lock().unwrap().count()
    }

    /// Whether it prints nothing of what it receives.
    pub(crate) fn is_silent(&self) -> bool {
        self.job.threads == 0
    }

    /// Whether it is at work still.
    pub(crate) fn is_running(&mut self) -> bool {
        self.process.0.try_wait().unwrap().is_none()
    }

    /// Ends it as a crash of its host does.
    pub(crate) fn kill(&mut self) {
        signal(self.process.0.id(), "KILL");
    }

    /// Waits for its end, and gives what it received.
    pub(crate) fn finish(mut self, deadline: Instant) -> (Job, Received) {
        let status = loop {
            if let Some(status) = self.process.0.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "{} does not end", self.job.name);
            thread::sleep(Duration::from_millis(20));
        };
        self.reader.join().unwrap();
        let errors = self.errors.join().unwrap();
        assert_eq!(status.success(), !self.job.dies, "{} ended with {status}: {errors}", self.job.name);
        let received = std::mem::take(&mut *self.received.lock().unwrap());
        (self.job, received)
    }
}

/// A process that ends with this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

//! A client that always has the same number of requests in flight, over one connection: the same code for the bare
//! server and for ours.
//!
//! **Invariants**: answers are counted between the warm-up's end and the measurement's; every request has an id and a
//! digest of its own; one that fails or is answered with an earlier signature ends the benchmark.

use crate::Result;
use chancery_api::v1::{
    Digest, Hash, SignRequest, SignResponse, sign_request::Input, sign_stream_response::Result as StreamResult,
};
use chancery_client::Client;
use hdrhistogram::Histogram;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{sync::mpsc, task::JoinSet};
use tokio_stream::wrappers::ReceiverStream;
use uuid::Uuid;

/// Load before anything is counted.
const WARM_UP: Duration = Duration::from_millis(300);

/// What a measurement came to.
pub(crate) struct Measured {
    /// Answers a second.
    pub(crate) per_second: f64,
    /// Of answers to unary calls, from the call to its answer, in nanoseconds; of a stream nothing.
    pub(crate) latencies: Histogram<u64>,
}

/// Where load goes, and what is asked for.
pub(crate) struct Load {
    client: Client,
    /// The key; empty for no signature, which only the bare server answers.
    key: String,
    /// What its digests are said to be made with.
    hash: Hash,
    ids: AtomicU64,
    run: u64,
}

/// What is counted.
#[derive(Clone, Copy)]
struct Window {
    begin: Instant,
    end: Instant,
}

impl Window {
    fn starting_now(length: Duration) -> Self {
        let begin = Instant::now() + WARM_UP;
        Self { begin, end: begin + length }
    }

    fn counts(&self, at: Instant) -> bool {
        (self.begin..self.end).contains(&at)
    }

    fn per_second(&self, count: u64) -> f64 {
        count as f64 / (self.end - self.begin).as_secs_f64()
    }
}

impl Load {
    /// Over this connection, with this key, over SHA-256 digests.
    pub(crate) fn new(client: Client, key: &str) -> Arc<Self> {
        Self::with_hash(client, key, Hash::Sha256)
    }

    /// The same over digests of another hash of 32 bytes.
    pub(crate) fn with_hash(client: Client, key: &str, hash: Hash) -> Arc<Self> {
        // Ids are random in the half that all requests of a run share: drawing each would cost more than the call.
        let run = Uuid::new_v4().as_u64_pair().0;
        Arc::new(Self { client, key: key.into(), hash, ids: AtomicU64::new(0), run })
    }

    /// Unary calls, so many at a time.
    pub(crate) async fn unary(self: &Arc<Self>, in_flight: usize, length: Duration) -> Result<Measured> {
        let window = Window::starting_now(length);
        let mut callers: JoinSet<Result<_>> = JoinSet::new();
        for _ in 0..in_flight {
            callers.spawn(Arc::clone(self).call(window));
        }
        let mut latencies = new_histogram()?;
        while let Some(caller) = callers.join_next().await {
            latencies.add(caller??)?;
        }
        Ok(Measured { per_second: window.per_second(latencies.len()), latencies })
    }

    /// One call after another.
    async fn call(self: Arc<Self>, window: Window) -> Result<Histogram<u64>> {
        let mut signing = self.client.signing();
        let mut latencies = new_histogram()?;
        loop {
            let sent = Instant::now();
            if sent >= window.end {
                return Ok(latencies);
            }
            self.check(&signing.sign(self.request()).await?.into_inner())?;
            let answered = Instant::now();
            if window.counts(answered) {
                latencies.record(u64::try_from((answered - sent).as_nanos())?)?;
            }
        }
    }

    /// One bidirectional stream with so many requests in flight.
    pub(crate) async fn stream(self: &Arc<Self>, in_flight: usize, length: Duration) -> Result<Measured> {
        // A task, so that it runs on the same threads as the connection.
        let driven = tokio::spawn(Arc::clone(self).drive(in_flight, length));
        driven.await?
    }

    async fn drive(self: Arc<Self>, in_flight: usize, length: Duration) -> Result<Measured> {
        let window = Window::starting_now(length);
        let (requests, outbound) = mpsc::channel(in_flight);
        for _ in 0..in_flight {
            requests.try_send(self.request())?;
        }
        let mut requests = Some(requests);
        let mut count = 0;
        let mut answers = self.client.signing().sign_stream(ReceiverStream::new(outbound)).await?.into_inner();
        while let Some(answer) = answers.message().await? {
            match answer.result {
                Some(StreamResult::Response(response)) => self.check(&response)?,
                other => return Err(format!("a request of the stream failed: {other:?}").into()),
            }
            let now = Instant::now();
            count += u64::from(window.counts(now));
            match &requests {
                Some(requests) if now < window.end => requests.try_send(self.request())?,
                // The server ends the stream when it has answered all.
                _ => requests = None,
            }
        }
        Ok(Measured { per_second: window.per_second(count), latencies: new_histogram()? })
    }

    /// Requests made so far.
    pub(crate) fn requests(&self) -> u64 {
        self.ids.load(Ordering::Relaxed)
    }

    fn request(&self) -> SignRequest {
        let id = Uuid::from_u64_pair(self.run, self.ids.fetch_add(1, Ordering::Relaxed));
        let value = id.as_bytes().repeat(2);
        SignRequest {
            name: self.key.clone(),
            input: Some(Input::Digest(Digest { hash: self.hash.into(), value })),
            request_id: id.to_string(),
            ..SignRequest::default()
        }
    }

    fn check(&self, response: &SignResponse) -> Result<()> {
        if response.replayed || response.signature.is_empty() != self.key.is_empty() {
            return Err(format!("an answer is not what was asked for: {response:?}").into());
        }
        Ok(())
    }
}

fn new_histogram() -> Result<Histogram<u64>> {
    // Three significant digits; it grows to what it has to hold.
    Ok(Histogram::new(3)?)
}

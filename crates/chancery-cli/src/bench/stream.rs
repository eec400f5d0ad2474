//! One connection with many requests in flight over one `SignStream`.
//!
//! **Invariant**: a request that was sent is counted once: answered, failed (also when its stream is lost), or unanswered
//! at the end.

use super::{Run, pace::measured_from, request::Draw};
use chancery_api::v1::{SignRequest, SignStreamResponse, sign_stream_response::Result as Answer};
use chancery_client::{Client, ClientError, Code};
use std::{collections::HashMap, pin::pin, sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};
use uuid::Uuid;

/// Before a stream that was lost is opened again.
const BEFORE_REOPEN: Duration = Duration::from_millis(20);

/// Streams until no more request is due, opening a new stream whenever one is lost.
pub(super) async fn drive(run: Arc<Run>, client: Client, limit: usize) {
    let mut pipeline = Pipeline { run: &run, limit, in_flight: HashMap::new(), due: None, waited: false };
    loop {
        match pipeline.stream(&client).await {
            Ok(()) => return run.tally().unanswered(pipeline.in_flight.len() as u64),
            Err(error) => {
                // All that was in flight is lost with its stream.
                for _ in 0..pipeline.in_flight.drain().count().max(1) {
                    run.failed(error.clone());
                }
                sleep(BEFORE_REOPEN).await;
                if Instant::now() >= run.pace.give_up() {
                    return;
                }
            }
        }
    }
}

struct Pipeline<'r> {
    run: &'r Run,
    limit: usize,
    in_flight: HashMap<Uuid, (Draw, Instant)>,
    /// When the next request is due.
    due: Option<Instant>,
    /// It was waited for.
    waited: bool,
}

impl Pipeline<'_> {
    /// Sends and receives over one stream; returns when all is done or the run is over.
    async fn stream(&mut self, client: &Client) -> Result<(), ClientError> {
        let mut signing = client.signing();
        let (outbound, requests) = mpsc::channel(self.limit);
        // Opened while requests are sent: a service may answer the call only with its first message.
        let mut opening = pin!(signing.sign_stream(ReceiverStream::new(requests)));
        let mut inbound = None;
        let mut over = pin!(sleep_until(self.run.pace.give_up()));
        loop {
            self.send_due(&outbound)?;
            if self.in_flight.is_empty() && self.due.is_none() {
                return Ok(());
            }
            let waiting = self.due.filter(|_| self.in_flight.len() < self.limit);
            tokio::select! {
                opened = &mut opening, if inbound.is_none() => inbound = Some(opened?.into_inner()),
                message = next(&mut inbound), if inbound.is_some() => self.receive(message?)?,
                () = sleep_until(waiting.unwrap_or_else(Instant::now)), if waiting.is_some() => {}
                () = &mut over => return Ok(()),
            }
        }
    }

    /// Sends what is due, as far as the limit goes.
    fn send_due(&mut self, outbound: &mpsc::Sender<SignRequest>) -> Result<(), ClientError> {
        while self.in_flight.len() < self.limit {
            self.due = self.due.or_else(|| self.run.pace.draw());
            let Some(due) = self.due else { break };
            if due > Instant::now() {
                self.waited = true;
                break;
            }
            let Ok(draw) = self.run.requests.draw() else {
                self.run.pace.stop();
                self.due = None;
                break;
            };
            // The channel holds as many as may be in flight, so it is never full; it is closed when the stream is lost.
            outbound.try_send(self.run.requests.message(&draw)).map_err(|_| lost())?;
            self.run.tally().started();
            self.in_flight.insert(draw.id, (draw, measured_from(due, self.waited)));
            (self.due, self.waited) = (None, false);
        }
        Ok(())
    }

    fn receive(&mut self, message: Option<SignStreamResponse>) -> Result<(), ClientError> {
        let message = message.ok_or_else(lost)?;
        let known = message.request_id.parse().ok().and_then(|id: Uuid| self.in_flight.remove(&id));
        let Some((draw, due)) = known else {
            return Err(ClientError { retryable: false, ..lost() });
        };
        match message.result {
            Some(Answer::Response(response)) => {
                self.run.tally().answered(&self.run.requests, &draw, due, &response);
            }
            Some(Answer::Error(status)) => self.run.failed(status.into()),
            None => self.run.failed(lost()),
        }
        Ok(())
    }
}

async fn next(inbound: &mut Option<Streaming<SignStreamResponse>>) -> Result<Option<SignStreamResponse>, Status> {
    match inbound {
        Some(inbound) => inbound.message().await,
        None => std::future::pending().await,
    }
}

fn lost() -> ClientError {
    ClientError {
        code: Code::Unavailable,
        reason: None,
        message: "the stream ended before everything was answered".into(),
        retryable: true,
        retry_after: None,
        performed: None,
        violations: Vec::new(),
    }
}

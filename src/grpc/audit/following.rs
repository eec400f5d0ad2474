//! One `TailRecords` call: records as they come.
//!
//! **Invariants**: before each answer it is asked again whether the caller may still read; whoever may not any more is
//! told so and gets nothing further. Nothing is read ahead of what the caller takes. Every answer says from where
//! another call goes on without a gap, also where nothing matched. It ends when the service stops.

use crate::{
    access::{Grant, Peer},
    admission::Admission,
    audit::Query,
    error::{Error, Performed},
    grpc::status::status,
};
use chancery_api::{reasons, v1};
use futures_util::{StreamExt, stream};
use prost::Message;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::{Instant, sleep, timeout},
};
use tonic::Status;

/// Records of one answer at most.
const MOST: usize = 500;
/// What comes within such a time goes out together, so that a busy log is not read for each record.
const GATHER: Duration = Duration::from_millis(50);
/// How often it is asked whether the caller may still read, and whether there is something to say, while nothing comes.
const TICK: Duration = Duration::from_secs(1);
/// How long a caller whose records don't come stays without a newer place to go on from.
const PLACE: Duration = Duration::from_secs(5);

/// See the module.
pub(super) struct Following {
    admission: Arc<Admission>,
    peer: Arc<Peer>,
    grant: Grant,
    /// Its `from` is the next record to look at.
    query: Query,
    growth: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
    /// From where the last answer said to go on, and when it did.
    said: Option<(u64, Instant)>,
    /// All that was durable has been looked at.
    waits: bool,
    /// What the last answer took of the connection's memory.
    share: Option<OwnedSemaphorePermit>,
}

fn stopped() -> Error {
    Error::Unavailable {
        reason: reasons::AUDIT_UNAVAILABLE,
        message: "the service is stopping; call again and go on from the last `next`".into(),
        performed: Performed::No,
    }
}

impl Following {
    pub(super) fn new(
        admission: Arc<Admission>,
        peer: Arc<Peer>,
        grant: Grant,
        query: Query,
        growth: watch::Receiver<u64>,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        let query = Query { limit: MOST, ..query };
        Self { admission, peer, grant, query, growth, stopping, said: None, waits: false, share: None }
    }

    /// The answers; `open` is the call's place among the connection's streams.
    pub(super) fn stream(self, open: OwnedSemaphorePermit) -> super::records::Tail {
        let answers = stream::unfold(Some(self), move |following| {
            let _open = &open;
            async move {
                let mut following = following?;
                match following.answer().await {
                    Ok(answer) => Some((Ok(answer), Some(following))),
                    Err(error) => Some((Err::<_, Status>(status(&error)), None)),
                }
            }
        });
        answers.boxed()
    }

    /// The next answer.
    async fn answer(&mut self) -> Result<v1::TailRecordsResponse, Error> {
        self.share = None;
        loop {
            if self.waits {
                self.wait().await;
            }
            if *self.stopping.borrow() {
                return Err(stopped());
            }
            // What comes after this read wakes the next wait.
            self.growth.borrow_and_update();
            let page = self.admission.audit().page(self.query.clone()).await.map_err(Error::internal)?;
            // After the reading: nobody is shown what came after they might not see it.
            self.admission.access().recheck(&self.grant, None)?;
            self.waits = page.next.is_none();
            self.query.from = page.next.unwrap_or(page.end).max(self.query.from);
            let next = self.query.from;
            let is_due = self.said.is_none_or(|(said, when)| said < next && when.elapsed() >= PLACE);
            if !page.records.is_empty() || is_due {
                self.said = Some((next, Instant::now()));
                let answer = v1::TailRecordsResponse { records: page.records, next };
                self.share = self.peer.share(answer.encoded_len()).await;
                return Ok(answer);
            }
        }
    }

    /// Until there is more to read, or it is time to look after the call.
    async fn wait(&mut self) {
        tokio::select! {
            // A log that is closed ends with the service.
            grown = timeout(TICK, self.growth.changed()) => match grown {
                Ok(Ok(())) => sleep(GATHER).await,
                Ok(Err(_)) => sleep(TICK).await,
                Err(_) => {}
            },
            () = async { let _stopping = self.stopping.wait_for(|stopping| *stopping).await.is_ok(); } => {}
        }
    }
}

//! The one SignStream of the process: opened when a signature is wanted, and again whenever it breaks.
//!
//! **Invariant**: requests that are ready together are written together, and nobody waits for anybody else's answer.
//!
//! **Not here**: who waits for what (`signatures`), which address answers (chancery-client).

use super::signatures::Signatures;
use crate::log;
use chancery_api::v1;
use chancery_client::{Backoff, Client, ClientError, Code};
use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::sleep;
use tokio_stream::Stream;
use tonic::Request;

/// A service that restarts is met soon after it is back.
const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// The requests of one stream.
struct Requests {
    signatures: Arc<Signatures>,
    stream: u64,
}

impl Stream for Requests {
    type Item = v1::SignRequest;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.signatures.poll_unsent(self.stream, cx)
    }
}

/// Keeps a stream while signatures are wanted. Never ends.
pub(super) async fn drive(signatures: &Arc<Signatures>, client: &Client) {
    let mut backoff = Backoff::default();
    loop {
        poll_fn(|cx| signatures.poll_wanted(cx)).await;
        let mut answered = false;
        let outcome = one(signatures, client, &mut answered).await;
        signatures.close_stream();
        let error = match outcome {
            Ok(()) => ended(),
            Err(status) => ClientError::from(status),
        };
        if answered {
            backoff = Backoff::default();
        }
        if is_final(&error) {
            signatures.fail(&error);
            continue;
        }
        if signatures.interrupted(error.clone()) {
            log::line(format_args!("no signatures for the moment: {error}"));
        }
        // One that worked is made again at once.
        if !answered {
            sleep(backoff.wait().min(LONGEST_WAIT)).await;
        }
    }
}

/// One stream, from its opening to its end.
async fn one(signatures: &Arc<Signatures>, client: &Client, answered: &mut bool) -> Result<(), tonic::Status> {
    let requests = Requests { signatures: Arc::clone(signatures), stream: signatures.begin() };
    let mut answers = client.signing().sign_stream(Request::new(requests)).await?.into_inner();
    while let Some(answer) = answers.message().await? {
        if !*answered && signatures.restored() {
            log::line(format_args!("signatures are made again"));
        }
        *answered = true;
        signatures.answer(answer);
    }
    Ok(())
}

/// The service let the stream end: it stops.
fn ended() -> ClientError {
    tonic::Status::unavailable("the service ended the stream").into()
}

/// Whether another try can't help: who we are, or who the service is, is not right.
fn is_final(error: &ClientError) -> bool {
    let wrong = matches!(
        error.code,
        Code::Unauthenticated | Code::PermissionDenied | Code::Unimplemented | Code::DataLoss | Code::Unavailable
    );
    wrong && !error.retryable
}

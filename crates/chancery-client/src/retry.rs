//! Repeating a call while that is safe, can help, and there is time.
//!
//! **Invariants**
//! * Only errors that say so are repeated; the caller's closure sends the same request, with the same request id, so that
//!   the service performs it once. Of uses that are no signatures the service keeps no result: there each try is a use of
//!   its own, which changes nothing and stands in the log.
//! * What the service says to wait for (`RetryInfo`) is waited for; where that is past the deadline, the error is given at
//!   once.
//! * Waits double from 50 ms to 2 s, each shortened at random by up to a half, so that clients of a service that
//!   restarted don't return in step (exponential backoff with jitter).
//!
//! **Not here**: other addresses, which every new connection tries by itself (`connect`).

use crate::{Client, ClientError};
use std::{future::Future, time::Duration};
use tokio::time::{Instant, sleep_until, timeout_at};
use tonic::{Code, Request, Response, Status};

const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// A fresh request id: UUID version 4 text. One per operation, kept across its retries.
pub fn request_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// One try of a call.
#[derive(Debug, Clone, Copy)]
pub struct Attempt {
    deadline: Instant,
}

impl Attempt {
    /// Wraps a message with the time that is left, which the service is told (`grpc-timeout`).
    pub fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(self.deadline.saturating_duration_since(Instant::now()));
        request
    }
}

impl Client {
    /// Calls until there is an answer, an error that repeating can't mend, or the configured deadline.
    ///
    /// ```no_run
    /// # async fn example(client: chancery_client::Client) -> Result<(), chancery_client::ClientError> {
    /// use chancery_api::v1::GetKeyRequest;
    ///
    /// let request = GetKeyRequest { name: "organizations/org1/keys/peer0".into() };
    /// let key = client
    ///     .retry(|attempt| {
    ///         let (mut keys, request) = (client.keys(), attempt.request(request.clone()));
    ///         async move { keys.get_key(request).await }
    ///     })
    ///     .await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The last error; DEADLINE_EXCEEDED when no try was answered in time.
    pub async fn retry<T, C, F>(&self, call: C) -> Result<T, ClientError>
    where
        C: FnMut(Attempt) -> F,
        F: Future<Output = Result<Response<T>, Status>>,
    {
        retry_until(Instant::now() + self.deadline(), call).await
    }
}

/// As [`Client::retry`], until a moment of the caller's own.
///
/// # Errors
/// As [`Client::retry`].
pub async fn retry_until<T, C, F>(deadline: Instant, mut call: C) -> Result<T, ClientError>
where
    C: FnMut(Attempt) -> F,
    F: Future<Output = Result<Response<T>, Status>>,
{
    let mut backoff = Backoff::default();
    let mut last: Option<ClientError> = None;
    loop {
        let error = match timeout_at(deadline, call(Attempt { deadline })).await {
            Ok(Ok(answer)) => return Ok(answer.into_inner()),
            // The service keeps the same time, and may notice first that it is up.
            Ok(Err(status)) if status.code() == Code::Cancelled && Instant::now() >= deadline => {
                return Err(last.unwrap_or_else(ClientError::deadline_exceeded));
            }
            Ok(Err(status)) => ClientError::from(status),
            // What happened on the tries before says more than that time is up.
            Err(_) => return Err(last.unwrap_or_else(ClientError::deadline_exceeded)),
        };
        if !error.retryable {
            return Err(error);
        }
        let next = Instant::now() + backoff.wait() + error.retry_after.unwrap_or_default();
        if next >= deadline {
            return Err(error);
        }
        last = Some(error);
        sleep_until(next).await;
    }
}

/// The waits between tries.
#[derive(Debug, Clone, Copy)]
pub struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(FIRST_WAIT)
    }
}

impl Backoff {
    /// How long to wait now; the next wait is longer.
    pub fn wait(&mut self) -> Duration {
        let whole = self.0;
        self.0 = (whole * 2).min(LONGEST_WAIT);
        // Without randomness the wait is only less spread.
        let part = getrandom::u32().map_or(1.0, |random| f64::from(random) / f64::from(u32::MAX));
        whole.mul_f64(0.5 + part / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_api::reasons;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tonic_types::{ErrorDetails, StatusExt};

    /// Answers with each status in turn, then with success; counts the tries.
    async fn run(deadline: Duration, answers: Vec<Status>) -> (Result<&'static str, ClientError>, usize) {
        let tries = AtomicUsize::new(0);
        let result = retry_until(Instant::now() + deadline, |_| {
            let answer = answers.get(tries.fetch_add(1, Ordering::Relaxed)).cloned();
            async move { answer.map_or(Ok(Response::new("done")), Err) }
        })
        .await;
        (result, tries.into_inner())
    }

    #[tokio::test(start_paused = true)]
    async fn unavailable_is_repeated_until_it_succeeds() {
        let answers = vec![Status::unavailable("restarting"), Status::unavailable("restarting")];
        assert_eq!(run(Duration::from_secs(30), answers).await, (Ok("done"), 3));
    }

    #[tokio::test(start_paused = true)]
    async fn what_repeating_cannot_mend_is_not_repeated() {
        for code in [Code::PermissionDenied, Code::InvalidArgument, Code::Internal, Code::DeadlineExceeded] {
            let (result, tries) = run(Duration::from_secs(30), vec![Status::new(code, "no")]).await;
            assert_eq!((result.unwrap_err().code, tries), (code, 1));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn tries_end_at_the_deadline_with_the_last_error() {
        let (start, deadline) = (Instant::now(), Duration::from_secs(10));
        let (result, tries) = run(deadline, vec![Status::unavailable("token is down"); 1000]).await;
        assert_eq!(result.unwrap_err().message, "token is down");
        assert!(start.elapsed() <= deadline, "{:?}", start.elapsed());
        // Between 10 s of whole waits (0.05 … 1.6, then 2 s each) and of halved ones.
        assert!((8..=20).contains(&tries), "{tries}");
    }

    fn exhausted(after: Duration) -> Status {
        let mut details = ErrorDetails::with_retry_info(Some(after));
        details.set_error_info("RATE_EXCEEDED", reasons::DOMAIN, [("retryable".to_owned(), "true".to_owned())]);
        Status::with_error_details(Code::ResourceExhausted, "slow down", details)
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_exhausted_is_waited_for_as_long_as_the_service_says() {
        let start = Instant::now();
        let (result, tries) = run(Duration::from_secs(30), vec![exhausted(Duration::from_secs(3))]).await;
        assert_eq!((result, tries), (Ok("done"), 2));
        assert!(start.elapsed() >= Duration::from_secs(3), "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_what_comes_after_the_deadline() {
        let start = Instant::now();
        let (result, tries) = run(Duration::from_secs(30), vec![exhausted(Duration::from_secs(3600))]).await;
        let error = result.unwrap_err();
        assert_eq!((error.code, error.retry_after), (Code::ResourceExhausted, Some(Duration::from_secs(3600))));
        assert_eq!((tries, start.elapsed()), (1, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_hangs_ends_at_the_deadline() {
        let start = Instant::now();
        let hang = |_| std::future::pending::<Result<Response<()>, Status>>();
        let error = retry_until(start + Duration::from_secs(5), hang).await.unwrap_err();
        assert_eq!((error.code, start.elapsed()), (Code::DeadlineExceeded, Duration::from_secs(5)));
    }
}

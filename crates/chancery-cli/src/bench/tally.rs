//! What happened so far: latencies, errors by reason, the longest gap, and the signatures that were released.

use super::request::{Draw, Requests};
use crate::{
    failure::{CliError, code_name},
    sign,
};
use chancery_api::v1::SignResponse;
use chancery_client::{ClientError, Code};
use hdrhistogram::Histogram;
use serde::Serialize;
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::Instant;

/// Latencies are kept to three digits up to this; none can be longer than a run.
const LONGEST_MICROS: u64 = 100_000 * 1_000_000;

/// Numbers of a run under way.
pub(super) struct Tally {
    /// Microseconds.
    latencies: Histogram<u64>,
    started: u64,
    unanswered: u64,
    errors: BTreeMap<String, u64>,
    last_error: Option<ClientError>,
    last_success: Instant,
    longest_gap: Duration,
    sink: Option<Sink>,
}

/// Where released signatures are written.
struct Sink {
    path: PathBuf,
    file: BufWriter<File>,
    /// The first failure; what follows it is not written.
    failed: Option<io::Error>,
}

#[derive(Serialize)]
struct Released<'a> {
    request_id: &'a str,
    digest: String,
    signature: String,
    record_index: u64,
    name: &'a str,
}

/// Whether the request itself was wrong or not allowed, rather than the service unable.
pub(super) fn is_callers_fault(code: Code) -> bool {
    matches!(
        code,
        Code::InvalidArgument
            | Code::FailedPrecondition
            | Code::NotFound
            | Code::OutOfRange
            | Code::PermissionDenied
            | Code::Unauthenticated
            | Code::Unimplemented
    )
}

impl Tally {
    pub(super) fn new(start: Instant, signatures: Option<&Path>) -> Result<Self, CliError> {
        let latencies = Histogram::new_with_bounds(1, LONGEST_MICROS, 3)
            .map_err(|error| CliError::Internal(format!("can't keep latencies: {error}")))?;
        let sink = match signatures {
            None => None,
            Some(path) => {
                let file = BufWriter::new(File::create(path).map_err(CliError::write(path))?);
                Some(Sink { path: path.to_owned(), file, failed: None })
            }
        };
        Ok(Self {
            latencies,
            started: 0,
            unanswered: 0,
            errors: BTreeMap::new(),
            last_error: None,
            last_success: start,
            longest_gap: Duration::ZERO,
            sink,
        })
    }

    /// A request was sent.
    pub(super) fn started(&mut self) {
        self.started += 1;
    }

    /// An answer came, for a request that was due at `due`.
    pub(super) fn answered(&mut self, requests: &Requests, draw: &Draw, due: Instant, response: &SignResponse) {
        if let Err(wrong) = sign::check(&draw.id.to_string(), response) {
            *self.errors.entry("WRONG_ANSWER".to_owned()).or_default() += 1;
            self.last_error = Some(ClientError { message: wrong.to_string(), ..unusable_answer() });
            return;
        }
        let now = Instant::now();
        self.latencies.saturating_record(now.saturating_duration_since(due).as_micros() as u64);
        self.end_gap(now);
        self.last_success = now;
        if let Some(sink) = &mut self.sink {
            sink.write(&Released {
                request_id: &response.request_id,
                digest: hex::encode(requests.recorded_digest(draw)),
                signature: hex::encode(&response.signature),
                record_index: response.record_index,
                name: &response.name,
            });
        }
    }

    /// A request failed.
    pub(super) fn failed(&mut self, error: ClientError) {
        let reason = error.reason.clone().unwrap_or_else(|| code_name(error.code).to_owned());
        *self.errors.entry(reason).or_default() += 1;
        self.last_error = Some(error);
    }

    /// The run ended before these were answered.
    pub(super) fn unanswered(&mut self, requests: u64) {
        self.unanswered += requests;
    }

    /// Ends the last gap and writes what is buffered.
    ///
    /// # Errors
    /// When a released signature could not be written.
    pub(super) fn close(&mut self, end: Instant) -> Result<(), CliError> {
        self.end_gap(end);
        let Some(sink) = &mut self.sink else { return Ok(()) };
        match sink.failed.take().map_or_else(|| sink.file.flush(), Err) {
            Ok(()) => Ok(()),
            Err(error) => Err(CliError::write(&sink.path)(error)),
        }
    }

    fn end_gap(&mut self, now: Instant) {
        self.longest_gap = self.longest_gap.max(now.saturating_duration_since(self.last_success));
    }

    /// How many signatures were released.
    pub(super) fn signatures(&self) -> u64 {
        self.latencies.len()
    }

    /// Latencies in microseconds.
    pub(super) fn latencies(&self) -> &Histogram<u64> {
        &self.latencies
    }

    /// How many requests were sent.
    pub(super) fn requests_started(&self) -> u64 {
        self.started
    }

    /// How many were not answered in time.
    pub(super) fn requests_unanswered(&self) -> u64 {
        self.unanswered
    }

    /// Failures by reason.
    pub(super) fn errors(&self) -> &BTreeMap<String, u64> {
        &self.errors
    }

    pub(super) fn last_error(&self) -> Option<ClientError> {
        self.last_error.clone()
    }

    /// The longest time without a signature.
    pub(super) fn longest_gap(&self) -> Duration {
        self.longest_gap
    }
}

fn unusable_answer() -> ClientError {
    ClientError {
        code: Code::Internal,
        reason: None,
        message: String::new(),
        retryable: false,
        retry_after: None,
        performed: None,
        violations: Vec::new(),
    }
}

impl Sink {
    fn write(&mut self, released: &Released<'_>) {
        if self.failed.is_none() {
            let written = serde_json::to_writer(&mut self.file, released).map_err(io::Error::from);
            self.failed = written.and_then(|()| self.file.write_all(b"\n")).err();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_api::v1::Algorithm;

    fn requests(algorithm: Algorithm) -> Requests {
        Requests::new(&"organizations/org1/keys/peer0".parse().unwrap(), algorithm, false)
    }

    fn response(draw: &Draw, signature: &[u8]) -> SignResponse {
        SignResponse {
            name: "organizations/org1/keys/peer0/versions/1".into(),
            signature: signature.to_vec(),
            signature_crc32c: crc32c::crc32c(signature),
            verified_input_crc32c: true,
            request_id: draw.id.to_string(),
            record_index: 9,
            replayed: false,
            ..SignResponse::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn latency_counts_from_when_a_request_was_due_and_gaps_from_the_last_success() {
        let start = Instant::now();
        let requests = requests(Algorithm::EcP256);
        let mut tally = Tally::new(start, None).unwrap();
        for (wait, due) in [(1_000, 0), (3_000, 1_000), (10, 4_005)] {
            tokio::time::advance(Duration::from_millis(wait)).await;
            let draw = requests.draw().unwrap();
            tally.answered(&requests, &draw, start + Duration::from_millis(due), &response(&draw, &[1]));
        }
        tally.close(Instant::now() + Duration::from_millis(500)).unwrap();
        assert_eq!(tally.signatures(), 3);
        assert_eq!(tally.longest_gap(), Duration::from_secs(3));
        let close = |quantile: f64, millis: f64| {
            let measured = tally.latencies().value_at_quantile(quantile) as f64 / 1_000.0;
            assert!((measured - millis).abs() <= millis / 500.0, "{measured} {millis}");
        };
        close(0.01, 5.0);
        close(0.5, 1_000.0);
        close(1.0, 3_000.0);
    }

    #[tokio::test]
    async fn a_damaged_signature_is_an_error_and_not_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("signatures");
        let (start, requests) = (Instant::now(), requests(Algorithm::Ed25519));
        let mut tally = Tally::new(start, Some(&path)).unwrap();
        let draw = requests.draw().unwrap();
        tally.answered(&requests, &draw, start, &SignResponse { signature_crc32c: 1, ..response(&draw, &[1]) });
        tally.answered(&requests, &draw, start, &response(&draw, &[0xab, 0xcd]));
        tally.close(Instant::now()).unwrap();
        assert_eq!((tally.signatures(), tally.errors()["WRONG_ANSWER"]), (1, 1));

        let text = std::fs::read_to_string(path).unwrap();
        assert_eq!(text.lines().count(), 1);
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["signature"], "abcd");
        assert_eq!(line["record_index"], 9);
        assert_eq!(line["digest"].as_str().map(str::len), Some(64));
        assert_eq!(line["request_id"], draw.id.to_string());
    }

    #[test]
    fn requests_are_distinct() {
        let requests = requests(Algorithm::EcP256);
        let draws: Vec<_> = (0..1_000).map(|_| requests.draw().unwrap()).collect();
        let ids: std::collections::HashSet<_> = draws.iter().map(|draw| draw.id).collect();
        let digests: std::collections::HashSet<_> = draws.iter().map(|draw| requests.recorded_digest(draw)).collect();
        assert_eq!((ids.len(), digests.len()), (1_000, 1_000));
    }
}

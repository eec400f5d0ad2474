//! Statuses as a service makes them, decoded. tonic-types, which encodes them, is the oracle.

use chancery_api::rpc;
use chancery_client::{ClientError, Code, FieldViolation, Performed};
use prost::Message as _;
use tonic::Status;
use tonic_types::{ErrorDetails, StatusExt as _};

fn details(reason: &str, metadata: &[(&str, &str)]) -> ErrorDetails {
    let metadata: Vec<_> = metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    ErrorDetails::with_error_info(reason, "chancery", metadata.into_iter().collect::<std::collections::HashMap<_, _>>())
}

#[test]
fn every_detail_is_read() {
    let mut details = details("INVALID_ARGUMENT", &[("retryable", "false")]);
    details.add_bad_request_violation("digest.value", "must have 32 bytes");
    let status = Status::with_error_details(Code::InvalidArgument, "the request is wrong", details);
    assert_eq!(
        ClientError::from(status),
        ClientError {
            code: Code::InvalidArgument,
            reason: Some("INVALID_ARGUMENT".into()),
            message: "the request is wrong".into(),
            retryable: false,
            retry_after: None,
            performed: None,
            violations: vec![FieldViolation { field: "digest.value".into(), description: "must have 32 bytes".into() }],
        }
    );
}

#[test]
fn a_failed_operation_says_whether_it_was_performed() {
    for (word, performed) in
        [("NOT_PERFORMED", Some(Performed::NotPerformed)), ("UNKNOWN", Some(Performed::Unknown)), ("PERHAPS", None)]
    {
        let details = details("TOKEN_UNAVAILABLE", &[("retryable", "true"), ("performed", word)]);
        let error = ClientError::from(Status::with_error_details(Code::Internal, "lost", details));
        assert_eq!((error.performed, error.retryable), (performed, true));
    }
}

#[test]
fn without_details_only_unavailable_is_retried() {
    for code in (0..=16).map(Code::from) {
        let error = ClientError::from(Status::new(code, "no"));
        assert_eq!((error.retryable, error.reason), (code == Code::Unavailable, None), "{code:?}");
    }
}

#[test]
fn details_decide_over_the_code_and_only_ours_count() {
    let permanent =
        Status::with_error_details(Code::Unavailable, "no", details("STORE_UNAVAILABLE", &[("retryable", "false")]));
    assert!(!ClientError::from(permanent).retryable);

    let foreign = ErrorDetails::with_error_info(
        "RATE_LIMITED",
        "proxy.example.com",
        [("retryable".to_owned(), "true".to_owned())],
    );
    let error = ClientError::from(Status::with_error_details(Code::Internal, "no", foreign));
    assert_eq!((error.retryable, error.reason), (false, None));

    let garbage = Status::with_details(Code::Internal, "no", b"\xff\xff\xff".to_vec().into());
    assert_eq!(ClientError::from(garbage).reason, None);
}

#[test]
fn a_streams_error_reads_as_a_calls() {
    let status =
        Status::with_error_details(Code::PermissionDenied, "not allowed", details("DENIED", &[("retryable", "false")]));
    // What a stream carries is the message that a call has in its trailers.
    let in_stream = rpc::Status::decode(status.details()).unwrap();
    assert_eq!(ClientError::from(in_stream), ClientError::from(status));
}

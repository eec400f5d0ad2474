use super::*;
use chancery_api::reasons;
use chancery_audit::verify::Fault;
use chancery_client::{FieldViolation, Performed};

/// The whole table: a code that moves to another exit code breaks scripts.
#[test]
fn every_code_has_its_exit_code() {
    let table: Vec<_> =
        (0..=16).map(Code::from).map(|code| format!("{} {}", code_name(code), exit_code(code))).collect();
    let expected = "\
OK 70
CANCELLED 70
UNKNOWN 70
INVALID_ARGUMENT 65
DEADLINE_EXCEEDED 69
NOT_FOUND 65
ALREADY_EXISTS 65
PERMISSION_DENIED 77
RESOURCE_EXHAUSTED 69
FAILED_PRECONDITION 65
ABORTED 70
OUT_OF_RANGE 65
UNIMPLEMENTED 70
INTERNAL 70
UNAVAILABLE 69
DATA_LOSS 1
UNAUTHENTICATED 77";
    assert_eq!(table.join("\n"), expected);
}

fn denied() -> CliError {
    let error = ClientError {
        code: Code::PermissionDenied,
        reason: Some("DENIED".into()),
        message: "not allowed".into(),
        retryable: false,
        retry_after: None,
        performed: None,
        violations: Vec::new(),
    };
    CliError::Call { doing: "sign with organizations/org1/keys/peer0".into(), error }
}

#[test]
fn people_read_what_failed_why_and_what_next() {
    let error = denied();
    assert_eq!(error.to_string(), "can't sign with organizations/org1/keys/peer0: not allowed (DENIED)");
    assert!(error.next().is_some_and(|next| next.contains("client.toml")));
    assert_eq!(error.exit_code(), 77);
}

#[test]
fn scripts_read_the_same_in_fields() {
    let CliError::Call { doing, error } = denied() else { unreachable!("made above") };
    let error = ClientError {
        performed: Some(Performed::Unknown),
        violations: vec![FieldViolation { field: "name".into(), description: "is empty".into() }],
        ..error
    };
    let json = CliError::Call { doing, error }.json();
    let error = &json["error"];
    assert_eq!(error["code"], "PERMISSION_DENIED");
    assert_eq!(error["reason"], "DENIED");
    assert_eq!(error["exit_code"], 77);
    assert_eq!(error["retryable"], false);
    assert_eq!(error["performed"], "UNKNOWN");
    assert_eq!(error["violations"], json!([{ "field": "name", "description": "is empty" }]));
    assert_eq!(error["message"], "can't sign with organizations/org1/keys/peer0: not allowed; name: is empty (DENIED)");
}

#[test]
fn a_log_that_does_not_verify_names_its_record() {
    let fault = Fault::Torn;
    let error = CliError::from(VerifyError { record: 17, segment: "00.seg".into(), offset: 99, fault });
    assert_eq!(error.exit_code(), 1);
    let json = error.json();
    assert_eq!((&json["error"]["record"], &json["error"]["offset"]), (&json!(17), &json!(99)));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let closed = CliError::write(Path::new("standard output"))(io::ErrorKind::BrokenPipe.into());
    assert_eq!(closed.exit_code(), 0);
    let full = CliError::write(Path::new("a"))(io::ErrorKind::StorageFull.into());
    assert_eq!(full.exit_code(), 73);
}

/// A new reason must either get advice or be listed here, where the message and the code say enough.
#[test]
fn reasons_without_advice_of_their_own_are_known() {
    let silent: Vec<&str> = (reasons::ALL.iter())
        .map(|(reason, _)| *reason)
        .filter(|reason| advice(&of_reason(reason)).is_none())
        .collect();
    assert_eq!(
        silent,
        [
            "INVALID_ARGUMENT",
            "TOO_LARGE",
            "NOT_FOUND",
            "ALREADY_EXISTS",
            "BAD_INPUT",
            "BAD_KEY",
            "QUARANTINED",
            // Of PKCS#11 objects, which no command changes.
            "TOO_MANY_PROVISIONAL_KEYS",
            "TOO_MANY_SESSION_KEYS",
            "TOO_MANY_OBJECTS",
            "ID_OF_ANOTHER_KEY",
            "OBJECT_UNMODIFIABLE",
            "LAST_OBJECT",
            "DEADLINE_EXCEEDED",
            "INTERNAL"
        ]
    );
}

/// Whoever types what the advice names finds it.
#[test]
fn advice_names_commands_and_options_that_exist() {
    use clap::CommandFactory as _;
    let root = crate::cli::Cli::command();
    let mut named = 0;
    for (reason, _) in reasons::ALL {
        let Some(advice) = advice(&of_reason(reason)) else { continue };
        for line in advice.split('`').skip(1).step_by(2).filter_map(|quoted| quoted.strip_prefix("chancery ")) {
            let mut command = &root;
            for word in line.split_whitespace() {
                match word.strip_prefix("--") {
                    Some(option) => {
                        assert!(
                            command.get_arguments().any(|given| given.get_long() == Some(option)),
                            "{reason}: {line}"
                        );
                    }
                    None => command = command.find_subcommand(word).unwrap_or_else(|| panic!("{reason}: {line}")),
                }
            }
            named += 1;
        }
    }
    assert!(named > 10, "{named}");
}

fn of_reason(reason: &str) -> ClientError {
    ClientError {
        code: Code::Internal,
        reason: Some(reason.to_owned()),
        message: String::new(),
        retryable: false,
        retry_after: None,
        performed: None,
        violations: Vec::new(),
    }
}

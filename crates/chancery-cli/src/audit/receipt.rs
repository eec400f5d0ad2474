//! `chancery audit verify --receipt`: that one record was logged, from its receipt and the log's key alone.
//!
//! **Invariant**: nothing of a receipt is shown before all of it was verified.
//!
//! **Not here**: the proof itself (chancery-audit).

use super::{cosignatures, record};
use crate::{
    attestation::audit_key,
    failure::CliError,
    files,
    output::{self, Output},
    time,
};
use chancery_audit::{
    checkpoint::Verdict,
    receipt::{Logged, MAX_RECEIPT, verify},
};
use serde_json::json;
use std::path::Path;

/// Verifies a receipt and says what its record says.
///
/// # Errors
/// [`CliError::Unreceipted`] when it proves nothing.
pub(super) fn run(
    form: Output,
    receipt: &Path,
    key: &Path,
    out: Option<&Path>,
    witnesses: &cosignatures::Demanded,
) -> Result<(), CliError> {
    let key = audit_key(key)?;
    let text = files::read(receipt, MAX_RECEIPT as u64)?;
    let text = String::from_utf8(text).map_err(|_| CliError::Unreceipted("it is no text".into()))?;
    let logged = verify(&text, &key).map_err(|error| CliError::Unreceipted(error.to_string()))?;
    // A receipt has the log's own signature alone.
    let verdict = witnesses.verdict(&key, &logged.checkpoint, "")?;
    if let Some(out) = out {
        files::write(out, format!("{:#}\n", record::json(&logged.record)).as_bytes())?;
    }
    print(form, &logged, verdict)
}

fn print(form: Output, logged: &Logged, verdict: Verdict) -> Result<(), CliError> {
    let Logged { record: logged_record, checkpoint, .. } = logged;
    if form == Output::Json {
        return output::json(&json!({
            "verdict": verdict.to_string(),
            "record": record::json(logged_record),
            "checkpoint": {
                "origin": checkpoint.origin,
                "size": checkpoint.size,
                "root": hex::encode(checkpoint.root),
            },
        }));
    }
    let by = logged_record.principal.as_ref();
    let said = [
        ("principal", by.map(|by| format!("{}/{} ({})", by.organization, by.name, by.role)).unwrap_or_default()),
        ("action", logged_record.action.clone()),
        ("resource", logged_record.resource.clone()),
        ("outcome", record::word(record::outcome(logged_record))),
        ("reason", logged_record.reason.clone()),
        ("algorithm", logged_record.algorithm.clone()),
        ("digest", named(&logged_record.digest_algorithm, &logged_record.digest)),
        ("signature", named(&logged_record.signature_format, &logged_record.signature)),
        ("request id", logged_record.request_id.clone()),
    ];
    let mut fields = vec![
        ("verdict", verdict.to_string()),
        (
            "log",
            format!(
                "record {} of {}, among {} that it signed",
                logged_record.index, checkpoint.origin, checkpoint.size
            ),
        ),
        ("time", time::rfc3339_nanos(logged_record.time_unix_nanos)),
    ];
    fields.extend(said.into_iter().filter(|(_, value)| !value.is_empty()));
    output::fields(&fields)
}

/// Bytes after what they are; nothing where there are none.
fn named(name: &str, bytes: &[u8]) -> String {
    if bytes.is_empty() { String::new() } else { format!("{name} {}", hex::encode(bytes)) }
}

//! `chancery policy …`: what policies say, and saying it otherwise.
//!
//! **Not here**: the language and the schema (chancery-policy, policies/), decisions (the service).

pub(crate) mod check;
pub(crate) mod explain;
pub(crate) mod get;
pub(crate) mod reload;
pub(crate) mod set;
pub(crate) mod simulate;

use crate::{
    failure::CliError,
    files,
    output::{self, Output},
};
use chancery_api::v1::admin_service_client::AdminServiceClient;
use chancery_client::Transport;
use clap::Subcommand;
use serde_json::{Value, json};
use std::path::Path;

/// What calls about policies go through.
type Admin = AdminServiceClient<Transport>;

/// The longest text of an organization's own policies that is read; the service takes less.
const MAX_TEXT: u64 = 4 << 20;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check policy files, offline: do they parse, fit the schema, and say what they seem to?
    Check(check::Args),
    /// Print an organization's own policies
    Get(get::Args),
    /// Put other policies in the place of an organization's own
    Set(set::Args),
    /// Say what the policies decide of a request, and which of them
    Explain(explain::Args),
    /// Say what other policies would have decided of the requests that the log has
    Simulate(simulate::Args),
    /// Have the service read the base set's files again; for the platform operator
    Reload,
}

/// Policy text from a file or stdin.
fn text(path: &Path) -> Result<String, CliError> {
    String::from_utf8(files::read(path, MAX_TEXT)?)
        .map_err(|_| CliError::Rejected(format!("{}: policies are UTF-8 text", path.display())))
}

/// Names the file in what the service found wrong with its text: people get a line each, as compilers write it.
fn explain_refusal(error: CliError, path: &Path, form: Output) -> CliError {
    let CliError::Call { error: call, .. } = &error else { return error };
    if form == Output::Json || call.violations.is_empty() || error.reason() != Some("INVALID_POLICY") {
        return error;
    }
    for violation in &call.violations {
        output::complain(&output::printable(&format!("{}:{}", path.display(), violation.description)));
    }
    CliError::Rejected(format!("{} is refused; the policies in force stay", path.display()))
}

/// A set's hash; nothing where there is none.
fn hash(bytes: &[u8]) -> Value {
    if bytes.is_empty() { Value::Null } else { json!(hex::encode(bytes)) }
}

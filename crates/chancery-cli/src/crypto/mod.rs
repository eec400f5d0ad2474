//! `chancery encrypt|decrypt|agree|mac|random|wrap|unwrap`: uses of keys that are not signatures.
//!
//! **Invariants**
//! * Secrets are wiped from memory after they were written, and their files are readable for their owner only.
//! * A repeated call is a new use of the key: the service keeps no results, and records each.
//!
//! **Not here**: algorithms and formats (the service's, see crypto.proto).

mod agree;
mod cipher;
mod mac;
mod random;
mod wrap;

pub(crate) use agree::{Args as AgreeArgs, run as agree};
pub(crate) use cipher::{Args as CipherArgs, decrypt, encrypt};
pub(crate) use mac::{Args as MacArgs, run as mac};
pub(crate) use random::{Args as RandomArgs, run as random};
pub(crate) use wrap::{Args as WrapArgs, unwrap, wrap};

use crate::{failure::CliError, files, output};
use chancery_api::v1::crypto_service_client::CryptoServiceClient;
use chancery_client::Transport;
use output::Output;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What calls about uses of keys go through.
type Crypto = CryptoServiceClient<Transport>;

/// The longest message or plaintext, in bytes; the service takes no more.
const MAX_INPUT: usize = 3 << 20;

/// Where a result goes.
#[derive(Debug, clap::Args)]
struct Destination {
    /// Where to write the result; - is standard output
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Write bytes that are no text to a terminal as well
    #[arg(long)]
    force: bool,
}

/// Who made a result.
struct Use<'u> {
    /// What was done, e.g. "encrypted".
    done: &'static str,
    /// The key version, or the organization.
    name: &'u str,
    /// Absent where only a public key was used.
    record_index: Option<u64>,
}

impl Destination {
    /// Refuses what would fail after the key was used.
    fn check(&self, form: Output) -> Result<(), CliError> {
        if output::is_dash(&self.out) && form == Output::Json {
            return Err(CliError::Usage("--out - and --output json would both write to standard output".into()));
        }
        files::check_binary(&self.out, self.force)
    }

    /// Writes bytes that anyone may see.
    fn write(&self, form: Output, bytes: &[u8], used: &Use) -> Result<(), CliError> {
        files::write(&self.out, bytes)?;
        report(form, &self.out, bytes.len(), used)
    }

    /// Writes bytes that only the file's owner may see.
    fn write_secret(&self, form: Output, bytes: &[u8], used: &Use) -> Result<(), CliError> {
        files::write_secret(&self.out, bytes)?;
        report(form, &self.out, bytes.len(), used)
    }
}

fn report(form: Output, out: &Path, length: usize, used: &Use) -> Result<(), CliError> {
    if form == Output::Json {
        return output::json(&described(length, used));
    }
    let record = used
        .record_index
        .map_or("no record: only the public key was used".to_owned(), |index| format!("audit record {index}"));
    output::summary(output::is_dash(out), &format!("{} by {}, {length} bytes, {record}", used.done, used.name))
}

/// The result itself is in the file only.
fn described(length: usize, used: &Use) -> Value {
    json!({ "name": used.name, "length": length, "record_index": used.record_index })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_described_and_not_shown() {
        let used = Use { done: "decrypted", name: "organizations/org1/keys/a/versions/1", record_index: Some(7) };
        let json = described(5, &used);
        assert_eq!(json, json!({ "name": used.name, "length": 5, "record_index": 7 }));
    }

    #[test]
    fn json_and_bytes_do_not_share_standard_output() {
        let destination = Destination { out: "-".into(), force: true };
        assert_eq!(destination.check(Output::Json).unwrap_err().exit_code(), 64);
        destination.check(Output::Table).unwrap();
    }
}

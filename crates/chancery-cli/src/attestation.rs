//! `chancery attestation …`: statements of the enclave, checked offline.
//!
//! **Invariant**: nothing of a statement is shown before its signature was verified.

use crate::{
    failure::{CliError, EXIT_UNVERIFIED},
    files,
    keys::attest::{Nonce, nonce},
    output::{self, Output},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_api::v1::Attestation;
use chancery_audit::checkpoint::VerifierKey;
use chancery_transfer::statement::{Statement as Said, StatementError, TransportPurpose};
use clap::Subcommand;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// No statement and no vkey is longer than this, in bytes.
const MAX_FILE: u64 = 64 << 10;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check a statement that `chancery keys attest` wrote, offline
    Verify(Args),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file; - is standard input
    #[arg(long = "in", value_name = "FILE")]
    input: PathBuf,
    /// The deployment's audit key, C2SP vkey text
    #[arg(long, value_name = "VKEY_FILE")]
    key: PathBuf,
    /// What the statement must repeat, as it was given to `keys attest`
    #[arg(long, value_name = "HEX", value_parser = nonce)]
    nonce: Option<Nonce>,
}

/// A statement and its signature, as a file holds them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Statement {
    statement: String,
    /// Base64 (RFC 4648 §4).
    signature: String,
}

impl From<Attestation> for Statement {
    fn from(attestation: Attestation) -> Self {
        Self { statement: attestation.statement, signature: STANDARD.encode(attestation.signature) }
    }
}

pub(crate) fn run(form: Output, args: &Args) -> Result<ExitCode, CliError> {
    let key = audit_key(&args.key)?;
    let file = files::read(&args.input, MAX_FILE)?;
    let file: Statement = serde_json::from_slice(&file).map_err(|_| {
        CliError::Rejected(format!("{} is no file that `chancery keys attest` writes", args.input.display()))
    })?;
    let signature = STANDARD.decode(&file.signature).unwrap_or_default();
    let problem = match verify(&file.statement, &signature, &key) {
        Ok(statement) => nonce_problem(&statement, args.nonce.as_ref()),
        Err(error) => Some(error.to_string()),
    };
    match form {
        Output::Json => output::json(&json!({
            "verified": problem.is_none(),
            "problem": problem,
            "audit_key": key.name(),
            "statement": problem.is_none().then(|| lines(&file.statement)),
        }))?,
        Output::Table => {
            let text = match &problem {
                None => format!("verified: signed by {}\n\n{}", key.name(), file.statement),
                Some(problem) => format!("not verified: {}\n", output::printable(problem)),
            };
            output::bytes(text.as_bytes())?;
        }
    }
    Ok(if problem.is_none() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_UNVERIFIED) })
}

/// Reads the deployment's audit key.
pub(crate) fn audit_key(path: &Path) -> Result<VerifierKey, CliError> {
    let text = String::from_utf8(files::read(path, MAX_FILE)?)
        .map_err(|_| CliError::Rejected(format!("{} is no vkey: it is no text", path.display())))?;
    text.parse().map_err(|error| CliError::Rejected(format!("{} is no vkey: {error}", path.display())))
}

fn verify(text: &str, signature: &[u8], key: &VerifierKey) -> Result<Said, StatementError> {
    Said::verify(text, signature, key)
}

/// Why the statement is not the answer to this nonce.
fn nonce_problem(statement: &Said, nonce: Option<&Nonce>) -> Option<String> {
    let nonce = nonce?;
    let repeated = matches!(statement, Said::Key(statement) if statement.nonce == nonce.0);
    (!repeated).then(|| "the statement does not repeat this nonce: it was made for someone else, or before".to_owned())
}

/// The statement's lines by their keys; the first one names its form.
fn lines(statement: &str) -> Map<String, Value> {
    statement.lines().filter_map(|line| line.split_once(": ")).map(|(key, value)| (key.into(), value.into())).collect()
}

/// What vouches for a key that shares or private keys are sealed to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TransportKey<'t> {
    pub(crate) organization: &'t str,
    pub(crate) deployment: &'t str,
    pub(crate) id: &'t [u8],
    pub(crate) public_key: &'t [u8],
    pub(crate) purpose: TransportPurpose,
}

impl TransportKey<'_> {
    /// Whether the enclave vouches for exactly this key.
    ///
    /// # Errors
    /// [`CliError::Unattested`].
    pub(crate) fn check(&self, statement: &str, signature: &[u8], key: &VerifierKey) -> Result<(), CliError> {
        let refuse = |why: String| CliError::Unattested(why);
        match verify(statement, signature, key).map_err(|error| refuse(error.to_string()))? {
            Said::TransportKey(said)
                if said.organization == self.organization
                    && said.deployment == self.deployment
                    && said.id == self.id
                    && said.public_key == self.public_key
                    && said.purpose == self.purpose =>
            {
                Ok(())
            }
            _ => Err(refuse("the enclave's statement is about something else".into())),
        }
    }
}

impl Statement {
    /// The file's bytes.
    pub(crate) fn to_file(&self) -> Result<Vec<u8>, CliError> {
        let mut text = serde_json::to_vec_pretty(self).map_err(|error| CliError::Internal(error.to_string()))?;
        text.push(b'\n');
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_transfer::statement::{TransportKeyStatement, Witness};
    use ed25519_dalek::{Signer as _, SigningKey, pkcs8::EncodePublicKey as _};

    fn signer() -> (SigningKey, VerifierKey) {
        let signing = SigningKey::from_bytes(&[7; 32]);
        let spki = signing.verifying_key().to_public_key_der().unwrap();
        (signing, VerifierKey::from_spki("log.example", spki.as_bytes()).unwrap())
    }

    fn said() -> TransportKeyStatement {
        let mut public_key = [1; 65];
        public_key[0] = 4;
        TransportKeyStatement {
            deployment: "d1".into(),
            organization: "org1".into(),
            purpose: TransportPurpose::Import,
            id: [2; 16],
            public_key,
            expires_unix_millis: 1,
            witness: Witness {
                manufacturer: "m".into(),
                model: "m".into(),
                serial: "s".into(),
                library: "l".into(),
                incarnation: [3; 16],
                time_unix_millis: 1,
            },
        }
    }

    #[test]
    fn a_transport_key_is_vouched_for_in_every_field() {
        let ((signing, key), said) = (signer(), said());
        let text = Said::TransportKey(said.clone()).text().unwrap();
        let signature = signing.sign(text.as_bytes()).to_bytes();
        let asked = TransportKey {
            organization: "org1",
            deployment: "d1",
            id: &said.id,
            public_key: &said.public_key,
            purpose: TransportPurpose::Import,
        };
        asked.check(&text, &signature, &key).unwrap();
        for other in [
            TransportKey { organization: "org2", ..asked },
            TransportKey { deployment: "d2", ..asked },
            TransportKey { id: &[0; 16], ..asked },
            TransportKey { public_key: &[4; 65], ..asked },
            TransportKey { purpose: TransportPurpose::Restore, ..asked },
        ] {
            assert_eq!(other.check(&text, &signature, &key).unwrap_err().exit_code(), 1, "{other:?}");
        }
        let changed = text.replace("org1", "org2");
        assert!(TransportKey { organization: "org2", ..asked }.check(&changed, &signature, &key).is_err());
    }

    #[test]
    fn a_file_is_read_as_it_was_written() {
        let attestation = Attestation { statement: "a\nb: c\n".into(), signature: vec![1, 2, 255] };
        let written = Statement::from(attestation.clone()).to_file().unwrap();
        let read: Statement = serde_json::from_slice(&written).unwrap();
        assert_eq!(read, Statement::from(attestation));
        assert_eq!(lines(&read.statement)["b"], "c");
    }
}

//! Attestation statements: what an enclave knows of a key, in lines of text, signed with the deployment's audit key.
//!
//! **Invariants**
//! * A statement has exactly one text, and parsing takes nothing else.
//! * The first line is [`FIRST_LINE`]. Checkpoints, which the same key signs, begin with their log's origin, and no
//!   origin may begin with [`RESERVED_PREFIX`]: neither signature is ever good for the other.
//!
//! **Not here**: signing (the enclave); what a verifier demands of the attributes; proof that the enclave and the token
//! are what they say they are, which no token of PKCS#11 gives.

mod lines;
mod text;

use chancery_audit::checkpoint::VerifierKey;
use thiserror::Error;

use text::{Lines, Reader};

/// The first line of every statement.
pub const FIRST_LINE: &str = "chancery-attestation/v1";

/// How no log's origin begins.
pub const RESERVED_PREFIX: &str = "chancery-attestation/";

/// The longest statement, in bytes.
pub const MAX_STATEMENT: usize = 16 << 10;

/// Why a text is no statement, or none that we may believe.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StatementError {
    /// A value can't stand in a statement.
    #[error("{key}: a value has 1 to 1024 bytes, no control characters and no blanks around it")]
    Value {
        /// The line's key.
        key: &'static str,
    },
    /// The text is not the one form of a statement.
    #[error("not an attestation statement: {0}")]
    Form(&'static str),
    /// A line is missing, out of place, or its value can't be read.
    #[error("not an attestation statement: the line {key:?} is missing, out of place or malformed")]
    Line {
        /// The line's key.
        key: &'static str,
    },
    /// The signature is not the audit key's over this text.
    #[error("the signature is not {name}'s: the statement was changed, or another deployment made it")]
    Signature {
        /// The audit key's name.
        name: String,
    },
}

/// A statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// About a key version.
    Key(KeyStatement),
    /// About a transport key.
    TransportKey(TransportKeyStatement),
}

/// What is known of a key version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyStatement {
    /// The deployment's id.
    pub deployment: String,
    /// Full resource name of the key version.
    pub version: String,
    /// Its algorithm, by its command-line name.
    pub algorithm: String,
    /// Its purpose.
    pub purpose: String,
    /// SHA-256 of its SubjectPublicKeyInfo, DER; of a secret key, of no bytes at all.
    pub public_key_sha256: [u8; 32],
    /// Where it comes from.
    pub origin: Origin,
    /// Where it lives.
    pub custody: Custody,
    /// Who says so.
    pub witness: Witness,
    /// The caller's, 0 to 64 bytes: shows that the statement was made after it was chosen.
    pub nonce: Vec<u8>,
}

/// What is known of a transport key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransportKeyStatement {
    /// The deployment's id.
    pub deployment: String,
    /// Resource id of the organization whose keys come in.
    pub organization: String,
    /// What it is for.
    pub purpose: TransportPurpose,
    /// Its id.
    pub id: [u8; 16],
    /// Its public key: an uncompressed point of P-256.
    pub public_key: [u8; 65],
    /// When it is forgotten, milliseconds since the Unix epoch.
    pub expires_unix_millis: u64,
    /// Who says so.
    pub witness: Witness,
}

/// Where a key comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Made in the token or the enclave.
    Generated,
    /// Brought from elsewhere.
    Imported,
    /// Brought back from a backup.
    Restored,
}

/// What a transport key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportPurpose {
    /// Importing keys.
    Import,
    /// Restoring a backup.
    Restore,
}

/// Where a key lives, and what vouches for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Custody {
    /// In the token: the private object's attributes, as the token gave them.
    Token(TokenAttributes),
    /// Wrapped at rest, opened in the enclave: the wrapped key was opened to make the statement, and what the statement
    /// says of it is its associated data.
    Enclave {
        /// The generation of the organization's key-encryption key that it is wrapped under.
        kek_generation: u64,
    },
}

/// Attributes of a private or secret key object (PKCS#11 v3.0 §4.9, §4.10); `None` where the token does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenAttributes {
    /// CKA_LOCAL: generated on the token.
    pub local: Option<bool>,
    /// CKA_SENSITIVE.
    pub sensitive: Option<bool>,
    /// CKA_ALWAYS_SENSITIVE.
    pub always_sensitive: Option<bool>,
    /// CKA_EXTRACTABLE.
    pub extractable: Option<bool>,
    /// CKA_NEVER_EXTRACTABLE.
    pub never_extractable: Option<bool>,
    /// CKA_MODIFIABLE.
    pub modifiable: Option<bool>,
    /// CKA_COPYABLE.
    pub copyable: Option<bool>,
}

/// The token, its library and the enclave process that make a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// `CK_TOKEN_INFO.manufacturerID`.
    pub manufacturer: String,
    /// `CK_TOKEN_INFO.model`.
    pub model: String,
    /// `CK_TOKEN_INFO.serialNumber`.
    pub serial: String,
    /// `CK_INFO.libraryDescription` and version.
    pub library: String,
    /// Names the enclave process.
    pub incarnation: [u8; 16],
    /// When the statement was made, milliseconds since the Unix epoch, by the signing host's clock.
    pub time_unix_millis: u64,
}

/// What a token calls itself, fit for a statement: control characters become U+FFFD, and nothing becomes "unknown".
pub fn printable(text: &str) -> String {
    let text: String = text.trim().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(128).collect();
    // What was cut may end in a blank.
    let text = text.trim_end();
    if text.is_empty() { "unknown".to_owned() } else { text.to_owned() }
}

impl Statement {
    /// The text that is signed.
    pub fn text(&self) -> Result<String, StatementError> {
        let mut lines = Lines::begin();
        match self {
            Self::Key(statement) => {
                lines.text("subject", "key")?;
                statement.write(&mut lines)?;
            }
            Self::TransportKey(statement) => {
                lines.text("subject", "transport-key")?;
                statement.write(&mut lines)?;
            }
        }
        lines.end()
    }

    /// Reads a text. It proves nothing: see [`Statement::verify`].
    pub fn parse(text: &str) -> Result<Self, StatementError> {
        let mut lines = Reader::begin(text)?;
        let statement = match lines.text("subject")? {
            "key" => Self::Key(KeyStatement::read(&mut lines)?),
            "transport-key" => Self::TransportKey(TransportKeyStatement::read(&mut lines)?),
            _ => return Err(StatementError::Line { key: "subject" }),
        };
        lines.end()?;
        // Whatever the reader let pass, there is one text only.
        if statement.text()? != text {
            return Err(StatementError::Form("it is not in its one form"));
        }
        Ok(statement)
    }

    /// Reads a text that the deployment's audit key signed: 64 bytes for Ed25519, ASN.1 DER for ECDSA.
    pub fn verify(text: &str, signature: &[u8], audit_key: &VerifierKey) -> Result<Self, StatementError> {
        let statement = Self::parse(text)?;
        if !audit_key.verify(text, signature) {
            return Err(StatementError::Signature { name: audit_key.name().to_owned() });
        }
        Ok(statement)
    }
}

impl Origin {
    /// As statements, wrapped keys and backups spell it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Generated => "generated",
            Self::Imported => "imported",
            Self::Restored => "restored",
        }
    }
}

impl TransportPurpose {
    /// As statements spell it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Restore => "restore",
        }
    }
}

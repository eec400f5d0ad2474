//! The lines of each kind of statement, in their order: docs/attestation.md §3.

use super::text::{Lines, Reader};
use super::{
    Custody, KeyStatement, Origin, StatementError, TokenAttributes, TransportKeyStatement, TransportPurpose, Witness,
};

impl KeyStatement {
    pub(super) fn write(&self, lines: &mut Lines) -> Result<(), StatementError> {
        lines.text("deployment", &self.deployment)?;
        lines.text("version", &self.version)?;
        lines.text("algorithm", &self.algorithm)?;
        lines.text("purpose", &self.purpose)?;
        lines.bytes("public-key-sha256", &self.public_key_sha256)?;
        lines.text("origin", self.origin.word())?;
        match &self.custody {
            Custody::Token(attributes) => {
                lines.text("protection", "token")?;
                for (key, value) in attributes.lines() {
                    lines.text(key, word_of(value))?;
                }
            }
            Custody::Enclave { kek_generation } => {
                lines.text("protection", "enclave")?;
                lines.number("kek-generation", *kek_generation)?;
            }
        }
        self.witness.write(lines)?;
        if self.nonce.len() > 64 {
            return Err(StatementError::Value { key: "nonce" });
        }
        lines.bytes("nonce", &self.nonce)
    }

    pub(super) fn read(lines: &mut Reader<'_>) -> Result<Self, StatementError> {
        Ok(Self {
            deployment: lines.text("deployment")?.to_owned(),
            version: lines.text("version")?.to_owned(),
            algorithm: lines.text("algorithm")?.to_owned(),
            purpose: lines.text("purpose")?.to_owned(),
            public_key_sha256: lines.array("public-key-sha256")?,
            origin: lines.word(
                "origin",
                &[Origin::Generated, Origin::Imported, Origin::Restored].map(|origin| (origin.word(), origin)),
            )?,
            custody: match lines.text("protection")? {
                "token" => Custody::Token(TokenAttributes::read(lines)?),
                "enclave" => Custody::Enclave { kek_generation: lines.number("kek-generation")? },
                _ => return Err(StatementError::Line { key: "protection" }),
            },
            witness: Witness::read(lines)?,
            nonce: lines.bytes("nonce")?,
        })
    }
}

impl TransportKeyStatement {
    pub(super) fn write(&self, lines: &mut Lines) -> Result<(), StatementError> {
        lines.text("deployment", &self.deployment)?;
        lines.text("organization", &self.organization)?;
        lines.text("use", self.purpose.word())?;
        lines.bytes("id", &self.id)?;
        lines.bytes("public-key", &self.public_key)?;
        lines.number("expires-unix-millis", self.expires_unix_millis)?;
        self.witness.write(lines)
    }

    pub(super) fn read(lines: &mut Reader<'_>) -> Result<Self, StatementError> {
        Ok(Self {
            deployment: lines.text("deployment")?.to_owned(),
            organization: lines.text("organization")?.to_owned(),
            purpose: lines
                .word("use", &[("import", TransportPurpose::Import), ("restore", TransportPurpose::Restore)])?,
            id: lines.array("id")?,
            public_key: lines.array("public-key")?,
            expires_unix_millis: lines.number("expires-unix-millis")?,
            witness: Witness::read(lines)?,
        })
    }
}

impl Witness {
    pub(super) fn write(&self, lines: &mut Lines) -> Result<(), StatementError> {
        lines.text("token-manufacturer", &self.manufacturer)?;
        lines.text("token-model", &self.model)?;
        lines.text("token-serial", &self.serial)?;
        lines.text("token-library", &self.library)?;
        lines.bytes("incarnation", &self.incarnation)?;
        lines.number("time-unix-millis", self.time_unix_millis)
    }

    pub(super) fn read(lines: &mut Reader<'_>) -> Result<Self, StatementError> {
        Ok(Self {
            manufacturer: lines.text("token-manufacturer")?.to_owned(),
            model: lines.text("token-model")?.to_owned(),
            serial: lines.text("token-serial")?.to_owned(),
            library: lines.text("token-library")?.to_owned(),
            incarnation: lines.array("incarnation")?,
            time_unix_millis: lines.number("time-unix-millis")?,
        })
    }
}

impl TokenAttributes {
    fn lines(&self) -> [(&'static str, Option<bool>); 7] {
        [
            ("local", self.local),
            ("sensitive", self.sensitive),
            ("always-sensitive", self.always_sensitive),
            ("extractable", self.extractable),
            ("never-extractable", self.never_extractable),
            ("modifiable", self.modifiable),
            ("copyable", self.copyable),
        ]
    }

    pub(super) fn read(lines: &mut Reader<'_>) -> Result<Self, StatementError> {
        let mut value = |key| lines.word(key, &[("yes", Some(true)), ("no", Some(false)), ("unknown", None::<bool>)]);
        Ok(Self {
            local: value("local")?,
            sensitive: value("sensitive")?,
            always_sensitive: value("always-sensitive")?,
            extractable: value("extractable")?,
            never_extractable: value("never-extractable")?,
            modifiable: value("modifiable")?,
            copyable: value("copyable")?,
        })
    }
}

fn word_of(value: Option<bool>) -> &'static str {
    match value {
        Some(true) => "yes",
        Some(false) => "no",
        None => "unknown",
    }
}

//! Lines `key: value` in a fixed order.
//!
//! **Invariants**
//! * A value is never empty, holds no control character, and no blank stands around it.
//! * Numbers are decimal without leading zeroes, bytes lower-case hex; no bytes are "none".
//!
//! **Not here**: which lines a statement has.

use super::{FIRST_LINE, MAX_STATEMENT, StatementError};

/// The longest value, in bytes.
const MAX_VALUE: usize = 1024;

/// How no bytes are written.
const NO_BYTES: &str = "none";

/// A statement being written.
pub(super) struct Lines(String);

impl Lines {
    pub(super) fn begin() -> Self {
        Self(format!("{FIRST_LINE}\n"))
    }

    pub(super) fn text(&mut self, key: &'static str, value: &str) -> Result<(), StatementError> {
        if !is_value(value) {
            return Err(StatementError::Value { key });
        }
        self.0.extend([key, ": ", value, "\n"]);
        Ok(())
    }

    pub(super) fn number(&mut self, key: &'static str, value: u64) -> Result<(), StatementError> {
        self.text(key, &value.to_string())
    }

    pub(super) fn bytes(&mut self, key: &'static str, value: &[u8]) -> Result<(), StatementError> {
        if value.is_empty() { self.text(key, NO_BYTES) } else { self.text(key, &hex::encode(value)) }
    }

    pub(super) fn end(self) -> Result<String, StatementError> {
        if self.0.len() > MAX_STATEMENT { Err(TOO_LONG) } else { Ok(self.0) }
    }
}

const TOO_LONG: StatementError = StatementError::Form("it is longer than 16 KiB");

/// A statement being read.
pub(super) struct Reader<'t>(std::str::Split<'t, char>);

impl<'t> Reader<'t> {
    pub(super) fn begin(text: &'t str) -> Result<Self, StatementError> {
        if text.len() > MAX_STATEMENT {
            return Err(TOO_LONG);
        }
        let body = text.strip_suffix('\n').ok_or(StatementError::Form("its last line must end in a newline"))?;
        let mut lines = body.split('\n');
        if lines.next() != Some(FIRST_LINE) {
            return Err(StatementError::Form("its first line must be chancery-attestation/v1"));
        }
        Ok(Self(lines))
    }

    /// The next line's value, if the line has that key.
    pub(super) fn text(&mut self, key: &'static str) -> Result<&'t str, StatementError> {
        let line = self.0.next().and_then(|line| line.strip_prefix(key)?.strip_prefix(": "));
        line.filter(|value| is_value(value)).ok_or(StatementError::Line { key })
    }

    pub(super) fn word<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)]) -> Result<T, StatementError> {
        let value = self.text(key)?;
        let found = words.iter().find(|(word, _)| *word == value);
        found.map(|(_, meaning)| *meaning).ok_or(StatementError::Line { key })
    }

    pub(super) fn number(&mut self, key: &'static str) -> Result<u64, StatementError> {
        self.text(key)?.parse().map_err(|_| StatementError::Line { key })
    }

    pub(super) fn bytes(&mut self, key: &'static str) -> Result<Vec<u8>, StatementError> {
        match self.text(key)? {
            NO_BYTES => Ok(Vec::new()),
            digits => hex::decode(digits).map_err(|_| StatementError::Line { key }),
        }
    }

    pub(super) fn array<const N: usize>(&mut self, key: &'static str) -> Result<[u8; N], StatementError> {
        self.bytes(key)?.try_into().map_err(|_| StatementError::Line { key })
    }

    pub(super) fn end(mut self) -> Result<(), StatementError> {
        match self.0.next() {
            None => Ok(()),
            Some(_) => Err(StatementError::Form("it has more lines than it should")),
        }
    }
}

fn is_value(value: &str) -> bool {
    !value.is_empty() && value.len() <= MAX_VALUE && value.trim() == value && !value.chars().any(char::is_control)
}

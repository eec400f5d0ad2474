//! One-line messages on stderr, which chanceryd reads and passes on.
//!
//! **Invariant**: no caller passes a PIN, an input or a signature; each message is one `write`.

use std::io::Write;

/// Writes `message` as one line; control characters become spaces.
pub(crate) fn line(message: &str) {
    let mut text = String::with_capacity(message.len() + 32);
    text.push_str("chancery-enclave: ");
    text.extend(message.chars().map(|c| if c.is_control() { ' ' } else { c }));
    text.push('\n');
    // Nobody is left to tell when stderr is gone.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

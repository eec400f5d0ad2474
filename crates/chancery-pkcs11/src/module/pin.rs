//! The PIN of a slot: a form to fill in for clients that insist on one. What counts is the client's certificate.

use aws_lc_rs::{
    constant_time::verify_slices_are_equal,
    digest::{SHA256, digest},
};
use chancery_client::ConfigError;
use std::{fs, path::Path};

/// The SHA-256 of the PIN that a slot's file holds: comparing these takes the same time whatever is given.
pub struct Pin([u8; 32]);

impl Pin {
    /// The file's text, less the white space at its end.
    ///
    /// # Errors
    /// [`ConfigError`] where it can't be read or is empty.
    pub(super) fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let text = zeroize::Zeroizing::new(text);
        let pin = text.trim_ascii_end();
        if pin.is_empty() {
            let problem = "names an empty file: write the PIN into it, or leave the key out to take any PIN".into();
            return Err(ConfigError::Value { path: path.to_owned(), key: "pin_file", problem });
        }
        Ok(Self(hash(pin)))
    }

    /// Whether that is the PIN.
    pub(super) fn is(&self, given: &[u8]) -> bool {
        verify_slices_are_equal(&self.0, &hash(given)).is_ok()
    }
}

fn hash(pin: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, pin).as_ref());
    hash
}

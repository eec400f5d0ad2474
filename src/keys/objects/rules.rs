//! What ids and labels may be.

use crate::{
    directory::Directory,
    error::Error,
    model::{KeyVersionName, LONGEST_ATTRIBUTE, OrganizationName},
};
use chancery_api::reasons;

/// Refuses an id or label that is too long.
///
/// # Errors
/// [`Error::Rejected`].
pub fn require_attribute(field: &'static str, value: &[u8]) -> Result<(), Error> {
    if value.len() > LONGEST_ATTRIBUTE {
        return Err(Error::invalid(field, format!("at most {LONGEST_ATTRIBUTE} bytes")));
    }
    Ok(())
}

/// Refuses an id by which clients find another version than `own`: its subject key identifier.
///
/// # Errors
/// [`reasons::ID_OF_ANOTHER_KEY`].
pub fn require_free_id(
    directory: &Directory,
    organization: &OrganizationName,
    own: Option<&KeyVersionName>,
    (field, id): (&'static str, &[u8]),
) -> Result<(), Error> {
    match directory.version_by_id(organization, id) {
        Some(version) if own != Some(&version) => Err(Error::Rejected {
            reason: reasons::ID_OF_ANOTHER_KEY,
            field,
            // Whose it is, is not the caller's to know.
            message: "it is the subject key identifier of another key: whoever looks for that key would find this one"
                .into(),
        }),
        _ => Ok(()),
    }
}

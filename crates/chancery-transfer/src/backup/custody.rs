//! What a custodian does: opens their share of a backup, and seals it to the deployment that restores it.
//!
//! **Invariant**: a share is verified against the header's commitments before it goes anywhere.
//!
//! **Not here**: whether the transport key is a real enclave's: verify its statement first ([`crate::statement`]).

use super::{BackupError, Header};
use crate::envelope::{self, Context, PrivateKey, PublicKey};
use crate::shares::{Share, SharesError};

/// Where a share goes: what the restoring deployment's statement about its transport key says.
#[derive(Clone, Copy, Debug)]
pub struct Destination<'a> {
    /// The deployment's id.
    pub deployment: &'a str,
    /// Id of the transport key.
    pub transport_key: &'a [u8],
    /// The transport key's public key: an uncompressed point.
    pub public_key: &'a [u8],
}

/// Opens the share that `header` holds for the custodian with this key.
pub fn open_share(header: &Header, key: &PrivateKey) -> Result<Share, BackupError> {
    let public_key = key.public_key();
    let custodian = (1..)
        .zip(&header.custodians)
        .find(|(_, custodian)| PublicKey::from_spki(&custodian.public_key).as_ref() == Ok(&public_key));
    let (number, custodian) =
        custodian.ok_or_else(|| BackupError::NotACustodian { custodian: "this private key".to_owned() })?;
    let context =
        Context::Custody { deployment: &header.deployment, backup: &header.backup, custodian: &custodian.principal };
    let wrong = || BackupError::WrongShare { custodian: custodian.principal.clone() };
    let share = Share::from_bytes(&envelope::open(key, &context, &custodian.sealed_share)?)?;
    if share.number() != number || header.commitments.verify(&share).is_err() {
        return Err(wrong());
    }
    Ok(share)
}

/// Seals a share for the deployment that restores `backup`.
pub fn seal_share(share: &Share, backup: &str, to: &Destination<'_>) -> Result<Vec<u8>, BackupError> {
    let context = Context::Restore { deployment: to.deployment, backup, transport_key: to.transport_key };
    Ok(envelope::seal(&PublicKey::from_bytes(to.public_key)?, &context, &share.to_bytes()[..])?)
}

/// Opens, in the restoring enclave, what [`seal_share`] gave for the same destination.
pub fn receive_share(
    key: &PrivateKey,
    deployment: &str,
    backup: &str,
    transport_key: &[u8],
    sealed: &[u8],
) -> Result<Share, BackupError> {
    let context = Context::Restore { deployment, backup, transport_key };
    let bytes = envelope::open(key, &context, sealed)?;
    Share::from_bytes(&bytes).map_err(|error: SharesError| error.into())
}

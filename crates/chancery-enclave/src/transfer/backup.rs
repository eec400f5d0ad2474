//! Making a backup: a key that only custodians can put together again, and every key under it.
//!
//! **Invariant**: an enclave key goes into a backup of its own organization only, after it opened as the key that was
//! registered.

use std::time::Instant;

use chancery_ipc::{
    BackUpKey, BackupBegun, BackupEnded, BeginBackup, EndBackup, FaultReason, KeyBackedUp, KeyProtection,
};
use chancery_transfer::{
    backup::{self, Backup, BackupError, Entry},
    statement::Origin,
};

use super::{Surroundings, Transfers, organization_of_backup, refused, unix_millis, words};
use crate::{
    fault::Failure,
    memory::{SecretBox, on_clean_stack},
    objects,
    opened::OpenKey,
    wrapped::{self, Context},
};

impl Transfers {
    pub(super) fn begin_backup(
        &mut self,
        around: &Surroundings<'_>,
        request: &BeginBackup,
    ) -> Result<BackupBegun, Failure> {
        let organization = organization_of_backup(&request.backup)?;
        self.backups.check_free(organization)?;
        let custodians: Vec<_> = request
            .custodians
            .iter()
            .map(|custodian| (custodian.principal.as_str(), custodian.public_key.as_slice()))
            .collect();
        let backup = Backup {
            deployment: around.running.directory.deployment(),
            organization,
            backup: &request.backup,
            time_unix_millis: unix_millis(),
            log_size: request.log_size,
            threshold: request.threshold as usize,
            custodians: &custodians,
        };
        let mut header = Vec::new();
        let sealer = SecretBox::new_with(|| {
            let (bytes, sealer) = backup::begin(&backup).map_err(|error| impossible(&error))?;
            header = bytes;
            Ok(sealer)
        })?;
        self.backups.begin(organization, &request.backup, Instant::now(), sealer)?;
        Ok(BackupBegun { header })
    }

    pub(super) fn back_up(&mut self, around: &Surroundings<'_>, request: BackUpKey) -> Result<KeyBackedUp, Failure> {
        let organization = organization_of_backup(&request.backup)?;
        let sealer = self.backups.held(organization, &request.backup, Instant::now())?;
        let key = request.key;
        if objects::organization_of(&key.version)? != organization {
            return Err(Failure::bad_request(format!("{} is no key of {organization}", key.version)));
        }
        if key.protection() != KeyProtection::Enclave {
            let message = format!("{} is a key of the token, which never leaves it", key.version);
            return Err(Failure::new(FaultReason::WrongUse, message));
        }
        if key.wrapped.is_empty() {
            let message = format!("a backup of {} takes its wrapped key: send it along", key.version);
            return Err(Failure::new(FaultReason::KeyNotOpen, message));
        }
        let (session, running) = (&around.logged_in.session, around.running);
        let context = Context::of(running.directory.deployment(), &key);
        let secret = wrapped::unwrap(&running.keks, session, &mut running.rng.on(session), &context, &key.wrapped)?;
        OpenKey::new(&key, &secret)?;
        let public_key_sha256 = key.public_key_sha256.as_slice().try_into();
        let entry = Entry {
            version: &key.version,
            algorithm: words::algorithm(key.algorithm())?,
            purpose: words::purpose(key.purpose())?,
            origin: words::origin(key.origin()).map(Origin::word)?,
            public_key_sha256: public_key_sha256.map_err(|_| Failure::bad_request("a SHA-256 has 32 bytes"))?,
            secret: &secret,
        };
        let entry = on_clean_stack(|| sealer.seal(&entry)).map_err(|error| impossible(&error))?;
        Ok(KeyBackedUp { version: key.version, entry })
    }

    pub(super) fn end_backup(&mut self, request: &EndBackup) -> Result<BackupEnded, Failure> {
        let organization = organization_of_backup(&request.backup)?;
        let mut trailer = Vec::new();
        if !request.abandoned {
            let sealer = self.backups.held(organization, &request.backup, Instant::now())?;
            let states = request.states_sha256.as_slice().try_into();
            let states = states.map_err(|_| Failure::bad_request("a SHA-256 has 32 bytes"))?;
            trailer = on_clean_stack(|| sealer.finish(states));
        }
        self.backups.end(organization, &request.backup);
        Ok(BackupEnded { trailer })
    }
}

/// A backup can't be made as asked: threshold, custodians and their keys are the caller's.
fn impossible(error: &BackupError) -> Failure {
    match error {
        BackupError::Shares(_) | BackupError::Header(_) | BackupError::Envelope(_) => {
            Failure::new(FaultReason::BadInput, format!("no backup can be made so: {error}"))
        }
        other => refused(other),
    }
}

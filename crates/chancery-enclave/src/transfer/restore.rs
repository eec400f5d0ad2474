//! Restoring a backup: its key from shares, and every key of it under this deployment's key-encryption key.
//!
//! **Invariants**: a backup restores into the organization that it is of; an entry becomes the version, algorithm,
//! purpose and public key that it was encrypted as, and nothing else. Of no restored key is it said, from then on, that it
//! was generated here, also where the backup was: see [`words::restored_origin`].

use std::time::Instant;

use chancery_ipc::{
    BeginRestore, EndRestore, FaultReason, KeyProtection, KeyRef, KeyRestored, RestoreBegun, RestoreEnded, RestoreKey,
};
use chancery_transfer::{
    backup::{BackupError, EntryHead, Header, Opener, custody},
    envelope::EnvelopeError,
    shares::{MAX_SHARES, Share},
    statement::TransportPurpose,
};

use super::{Surroundings, Transfers, organization_of_backup, refused, words};
use crate::{
    fault::Failure,
    memory::{SecretBox, SecretBytes, on_clean_stack},
    objects,
    opened::OpenKey,
    wrapped::{self, Context},
};

impl Transfers {
    pub(super) fn begin_restore(
        &mut self,
        around: &Surroundings<'_>,
        request: &BeginRestore,
    ) -> Result<RestoreBegun, Failure> {
        let header = Header::decode(&request.header).map_err(|error| refused(&error))?;
        let tampered = |why| Failure::new(FaultReason::Tampered, format!("not a backup's header: {why}"));
        let organization = organization_of_backup(&header.backup).map_err(|failure| tampered(failure.message))?;
        if organization != header.organization {
            return Err(tampered("its name and its organization differ".into()));
        }
        self.restores.check_free(organization)?;
        if request.shares.len() > MAX_SHARES {
            return Err(Failure::new(FaultReason::BadShares, format!("a backup has at most {MAX_SHARES} shares")));
        }
        let deployment = around.running.directory.deployment();
        let id = &request.transport_key;
        let opener = self.transport_keys.with(id, organization, TransportPurpose::Restore, |key| {
            let receive = |(number, sealed): (usize, &Vec<u8>)| {
                custody::receive_share(key, deployment, &header.backup, id, sealed)
                    .map_err(|error| unreadable(number, &error))
            };
            let shares = request.shares.iter().enumerate().map(receive).collect::<Result<Vec<Share>, _>>()?;
            SecretBox::new_with(|| {
                Opener::open(&request.header, &shares).map(|(_, opener)| opener).map_err(|error| refused(&error))
            })
        })?;
        self.restores.begin(organization, &header.backup, Instant::now(), opener)?;
        Ok(RestoreBegun { backup: header.backup })
    }

    pub(super) fn restore(&mut self, around: &Surroundings<'_>, request: RestoreKey) -> Result<KeyRestored, Failure> {
        let organization = organization_of_backup(&request.backup)?;
        let opener = self.restores.held(organization, &request.backup, Instant::now())?;
        let key = request.key;
        if objects::organization_of(&key.version)? != organization {
            return Err(Failure::bad_request(format!("{} is no key of {organization}", key.version)));
        }
        if key.protection() != KeyProtection::Enclave {
            return Err(Failure::bad_request("keys are restored with protection ENCLAVE"));
        }
        let (head, secret) = on_clean_stack(|| {
            let opened = opener.entry(&request.entry).map_err(|error| refused(&error))?;
            Ok::<_, Failure>((opened.head, SecretBytes::copy_of(&opened.secret)?))
        })?;
        check_same(&head, &key)?;
        OpenKey::new(&key, &secret)?;
        if request.kek_generation == 0 {
            return Ok(KeyRestored { version: key.version, wrapped: Vec::new() });
        }
        let (session, running) = (&around.logged_in.session, around.running);
        let context = Context::of(running.directory.deployment(), &key);
        let mut random = running.rng.on(session);
        let wrapped = wrapped::wrap(&running.keks, session, &mut random, request.kek_generation, &context, &secret)?;
        Ok(KeyRestored { version: key.version, wrapped })
    }

    /// The restore ends, whether the seal holds or not.
    pub(super) fn end_restore(&mut self, request: &EndRestore) -> Result<RestoreEnded, Failure> {
        let organization = organization_of_backup(&request.backup)?;
        let mut entries = Ok(0);
        if !request.trailer.is_empty() {
            let opener = self.restores.held(organization, &request.backup, Instant::now())?;
            let states = request.states_sha256.as_slice().try_into();
            let states = states.map_err(|_| Failure::bad_request("a SHA-256 has 32 bytes"))?;
            entries = on_clean_stack(|| opener.finish(&request.trailer, states)).map_err(|error| refused(&error));
        }
        self.restores.end(organization, &request.backup);
        Ok(RestoreEnded { entries: entries? })
    }
}

/// What the entry proves of itself must be what the service is about to register, as restored.
fn check_same(head: &EntryHead, key: &KeyRef) -> Result<(), Failure> {
    let same = head.version == key.version
        && head.algorithm == words::algorithm(key.algorithm())?
        && head.purpose == words::purpose(key.purpose())?
        && words::restored_origin(&head.origin) == Some(key.origin())
        && head.public_key_sha256 == key.public_key_sha256[..];
    if same {
        return Ok(());
    }
    let message = format!(
        "entry {} of the backup is {} ({}, {}, {}), not the key that is to be restored as {}",
        head.index, head.version, head.algorithm, head.purpose, head.origin, key.version
    );
    Err(Failure::new(FaultReason::KeyMismatch, message))
}

fn unreadable(number: usize, error: &BackupError) -> Failure {
    if *error == BackupError::Envelope(EnvelopeError::Opening) {
        let message = format!("sealed share {} does not open: {error}", number + 1);
        return Failure::new(FaultReason::Tampered, message);
    }
    refused(error)
}

//! Keys on their way, and statements about them: everything here is ciphertext or public.

use super::{
    Enclave, Generated, Material, NewMaterial, algorithm, confused, fault, key_ref, pending::Answer, protection,
    purpose,
};
use crate::{
    directory::{KeyEntry, Version},
    error::Error,
    model::{BackupName, KeyVersionName, OrganizationName},
};
use chancery_api::reasons;
use chancery_ipc::{self as ipc, FaultReason, TransportUse, request::Verb, response::Result as Reply};

/// A statement that the enclave signed with the audit key.
#[derive(Debug, Clone)]
pub struct Statement {
    /// Its text.
    pub text: String,
    /// Ed25519, or ECDSA in DER.
    pub signature: Vec<u8>,
}

/// A key of the enclave that others encrypt to.
#[derive(Debug, Clone)]
pub struct TransportKey {
    /// Names it.
    pub id: Vec<u8>,
    /// HPKE public key.
    pub public_key: Vec<u8>,
    /// Milliseconds since the Unix epoch.
    pub expires: u64,
    /// That it is the enclave's.
    pub statement: Statement,
}

/// Someone who keeps a share of a backup key.
#[derive(Debug, Clone)]
pub struct Custodian {
    /// Full principal name.
    pub principal: String,
    /// SubjectPublicKeyInfo, DER.
    pub public_key: Vec<u8>,
}

impl Enclave {
    /// As [`Enclave::call`]: what fails its check came from the caller, and not from the store.
    async fn carry(&self, verb: Verb, request_id: Option<&str>) -> Result<Answer, Error> {
        match self.exchange(verb, request_id).await? {
            (Reply::Fault(said), _) if said.reason() == FaultReason::Tampered => {
                Err(Error::Precondition { reason: reasons::TAMPERED, message: said.message })
            }
            (Reply::Fault(said), _) => Err(fault(said)),
            answered => Ok(answered),
        }
    }

    /// States what is known of a version's origin.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn attest(&self, entry: &KeyEntry, version: &Version, nonce: &[u8]) -> Result<Statement, Error> {
        let key = key_ref(entry, version);
        let attest = |key| Verb::Attest(ipc::Attest { key, nonce: nonce.to_vec() });
        let answer = if key.protection == i32::from(ipc::KeyProtection::Enclave) {
            let with_key = |wrapped| Ok(attest(ipc::KeyRef { wrapped, ..key.clone() }));
            self.call_with_wrapped(&key.version, None, with_key).await?
        } else {
            self.call(attest(key), None).await?
        };
        match answer {
            (Reply::Attested(said), _) => Ok(Statement { text: said.statement, signature: said.signature }),
            _ => Err(confused()),
        }
    }

    /// Makes a key to import keys with.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn create_import_key(&self, organization: &OrganizationName) -> Result<TransportKey, Error> {
        self.create_transport_key(organization, TransportUse::Import).await
    }

    /// Makes a key that custodians seal their shares to.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn create_restore_key(&self, organization: &OrganizationName) -> Result<TransportKey, Error> {
        self.create_transport_key(organization, TransportUse::Restore).await
    }

    async fn create_transport_key(
        &self,
        organization: &OrganizationName,
        r#use: TransportUse,
    ) -> Result<TransportKey, Error> {
        let request = ipc::CreateTransportKey { organization: organization.id().into(), r#use: r#use.into() };
        match self.call(Verb::CreateTransportKey(request), None).await? {
            (Reply::TransportKeyCreated(made), _) => Ok(TransportKey {
                id: made.id,
                public_key: made.public_key,
                expires: made.expires_unix_millis,
                statement: Statement { text: made.statement, signature: made.signature },
            }),
            _ => Err(confused()),
        }
    }

    /// Takes a sealed key in, for a version that is not registered and whose intent is recorded.
    ///
    /// # Errors
    /// [`Error`]; with `Performed::Unknown` the key may be there, and must be reconciled.
    pub async fn import_key(
        &self,
        transport_key: Vec<u8>,
        sealed: Vec<u8>,
        version: &KeyVersionName,
        material: Material,
    ) -> Result<Generated, Error> {
        let request = ipc::ImportKey {
            transport_key,
            sealed,
            version: version.to_string(),
            algorithm: algorithm(material.algorithm).into(),
            purpose: purpose(material.purpose).into(),
            protection: protection(material.protection).into(),
            kek_generation: material.kek_generation,
        };
        match self.carry(Verb::ImportKey(request), None).await? {
            (Reply::KeyImported(made), Some(witness)) if made.version == version.to_string() => {
                self.keep(version, NewMaterial::new(made.public_key, made.wrapped, witness)).await
            }
            _ => Err(confused()),
        }
    }

    /// A key wrapped anew, under another generation.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn rewrap(
        &self,
        entry: &KeyEntry,
        version: &Version,
        wrapped: Vec<u8>,
        generation: u64,
    ) -> Result<Vec<u8>, Error> {
        let key = ipc::KeyRef { wrapped, ..key_ref(entry, version) };
        match self.call(Verb::Rewrap(ipc::Rewrap { key, kek_generation: generation }), None).await? {
            (Reply::Rewrapped(done), _) if done.version == version.row.name.to_string() => Ok(done.wrapped),
            _ => Err(confused()),
        }
    }

    /// Draws a backup key and seals its shares: the backup's header.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn begin_backup(
        &self,
        backup: &BackupName,
        threshold: u32,
        custodians: &[Custodian],
        log_size: u64,
    ) -> Result<Vec<u8>, Error> {
        let custodian =
            |of: &Custodian| ipc::Custodian { principal: of.principal.clone(), public_key: of.public_key.clone() };
        let custodians = custodians.iter().map(custodian).collect();
        let request = ipc::BeginBackup { backup: backup.to_string(), threshold, custodians, log_size };
        match self.call(Verb::BeginBackup(request), None).await? {
            (Reply::BackupBegun(begun), _) => Ok(begun.header),
            _ => Err(confused()),
        }
    }

    /// One key as the backup's entry.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn back_up_key(
        &self,
        backup: &BackupName,
        entry: &KeyEntry,
        version: &Version,
    ) -> Result<Vec<u8>, Error> {
        let key = key_ref(entry, version);
        let with_key = |wrapped| {
            let key = ipc::KeyRef { wrapped, ..key.clone() };
            Ok(Verb::BackUpKey(ipc::BackUpKey { backup: backup.to_string(), key }))
        };
        match self.call_with_wrapped(&key.version, None, with_key).await? {
            (Reply::KeyBackedUp(done), _) if done.version == version.row.name.to_string() => Ok(done.entry),
            _ => Err(confused()),
        }
    }

    /// Closes a backup: its trailer, which is empty for one that is given up.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn end_backup(
        &self,
        backup: &BackupName,
        states_sha256: [u8; 32],
        abandoned: bool,
    ) -> Result<Vec<u8>, Error> {
        let states_sha256 = states_sha256.to_vec();
        let request = ipc::EndBackup { backup: backup.to_string(), states_sha256, abandoned };
        match self.call(Verb::EndBackup(request), None).await? {
            (Reply::BackupEnded(ended), _) => Ok(ended.trailer),
            _ => Err(confused()),
        }
    }

    /// Puts a backup key together: the backup's name, as its key confirms it.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn begin_restore(
        &self,
        transport_key: Vec<u8>,
        header: Vec<u8>,
        shares: Vec<Vec<u8>>,
    ) -> Result<String, Error> {
        match self.carry(Verb::BeginRestore(ipc::BeginRestore { transport_key, header, shares }), None).await? {
            (Reply::RestoreBegun(begun), _) => Ok(begun.backup),
            _ => Err(confused()),
        }
    }

    /// One key of a backup, wrapped for this deployment; with generation 0 only its entry is checked.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn restore_key(
        &self,
        backup: &str,
        backup_entry: Vec<u8>,
        entry: &KeyEntry,
        version: &Version,
        generation: u64,
    ) -> Result<Vec<u8>, Error> {
        let request = ipc::RestoreKey {
            backup: backup.to_owned(),
            entry: backup_entry,
            key: key_ref(entry, version),
            kek_generation: generation,
        };
        match self.carry(Verb::RestoreKey(request), None).await? {
            (Reply::KeyRestored(done), _) if done.version == version.row.name.to_string() => Ok(done.wrapped),
            _ => Err(confused()),
        }
    }

    /// Checks a backup's seal and forgets its key. Without a trailer the restore is given up.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn end_restore(&self, backup: &str, trailer: Vec<u8>, states_sha256: [u8; 32]) -> Result<u64, Error> {
        let states_sha256 = states_sha256.to_vec();
        let request = ipc::EndRestore { backup: backup.to_owned(), trailer, states_sha256 };
        match self.carry(Verb::EndRestore(request), None).await? {
            (Reply::RestoreEnded(ended), _) => Ok(ended.entries),
            _ => Err(confused()),
        }
    }
}

//! Taking keys in that were sealed to a transport key.
//!
//! **Invariants**: a key opens only for the deployment, version, algorithm and purpose that it was sealed for, and is
//! judged (`software::check_import`) before anything is done with it; what it becomes says that it was imported.

use chancery_audit::operations::IMPORT;
use chancery_ipc::{FaultReason, ImportKey, KeyImported, KeyOrigin, KeyProtection};
use chancery_transfer::{
    envelope::{self, Context as Sealed, EnvelopeError},
    statement::TransportPurpose,
};
use sha2::{Digest, Sha256};

use super::{Surroundings, Transfers, token_import, words};
use crate::{
    fault::Failure,
    memory::SecretBytes,
    objects, operations,
    software::{SoftwareKey, check_import},
    uses,
    wrapped::{self, Context},
};

impl Transfers {
    pub(super) fn import(&mut self, around: &Surroundings<'_>, request: ImportKey) -> Result<KeyImported, Failure> {
        let (algorithm, purpose) = (request.algorithm(), request.purpose());
        around.running.directory.version_id(&request.version)?;
        let sealed_for = Sealed::Import {
            deployment: around.running.directory.deployment(),
            version: &request.version,
            algorithm: words::algorithm(algorithm)?,
            purpose: words::purpose(purpose)?,
            transport_key: &request.transport_key,
        };
        if !uses::can_serve(algorithm, purpose) {
            return Err(Failure::bad_request(format!("keys of {algorithm:?} do not serve purpose {purpose:?}")));
        }
        let organization = objects::organization_of(&request.version)?;
        let purpose_of_key = TransportPurpose::Import;
        let plain = self.transport_keys.with(&request.transport_key, organization, purpose_of_key, |key| {
            let plain = envelope::open(key, &sealed_for, &request.sealed).map_err(|error| unopened(error, &request))?;
            SecretBytes::copy_of(&plain)
        })?;
        let secret = check_import(algorithm, &plain)?;
        drop(plain);
        let key = SoftwareKey::from_secret(algorithm, &secret)?;
        let begun = around.running.operations.begin()?;
        let wrapped = match request.protection() {
            KeyProtection::Enclave => wrap(around, &request, &key, &secret),
            KeyProtection::Token => {
                token_import::import(around, &mut self.importer, &request, &key, &secret).map(|()| Vec::new())
            }
            KeyProtection::Unspecified => Err(Failure::bad_request("no protection is named")),
        };
        let wrapped = match wrapped {
            Ok(wrapped) => wrapped,
            Err(failure) => return Err(begun.failed(&request.version, IMPORT, failure)),
        };
        self.transport_keys.used_up(&request.transport_key);
        Ok(KeyImported {
            operation: begun.done(&request.version, IMPORT, operations::random()),
            public_key: key.public_key_spki().to_vec(),
            version: request.version,
            wrapped,
        })
    }
}

fn wrap(around: &Surroundings<'_>, request: &ImportKey, key: &SoftwareKey, secret: &[u8]) -> Result<Vec<u8>, Failure> {
    let (session, running) = (&around.logged_in.session, around.running);
    let context = Context {
        deployment: running.directory.deployment(),
        version: &request.version,
        algorithm: request.algorithm(),
        purpose: request.purpose(),
        origin: KeyOrigin::Imported,
        public_key_sha256: &Sha256::digest(key.public_key_spki()),
    };
    let mut random = running.rng.on(session);
    wrapped::wrap(&running.keks, session, &mut random, request.kek_generation, &context, secret)
}

fn unopened(error: EnvelopeError, request: &ImportKey) -> Failure {
    let message = format!(
        "the sealed key does not open as the key of {}: {error}. Seal it to this transport key, for this deployment, \
         version, algorithm and purpose",
        request.version
    );
    Failure::new(FaultReason::Tampered, message)
}

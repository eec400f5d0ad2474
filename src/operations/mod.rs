//! Uses of keys that are not signatures: agreement, encryption, codes, wrapping; and random bytes.
//!
//! The steps are those of [`crate::signing`] but for the check, which nobody could make, and the replay: outputs are
//! secrets, kept nowhere, so a retry is a new use with a record of its own.
//!
//! **Invariant**: no record, no output. Of an output nothing is recorded, not even a hash.
//!
//! **Not here**: what fits which key ([`work`], [`cipher`]), secret keys (chancery-enclave), gRPC (`grpc`).

mod cipher;
mod work;

pub use cipher::Cipher;
pub use work::Work;

use crate::{
    access::{Peer, Target},
    admission::Admission,
    audit::{Draft, unavailable},
    crypto,
    enclave::{Enclave, Failed},
    error::Error,
    model::{Action, KeyOrVersionName, OrganizationName, RequestId},
    policy::Context,
};
use std::sync::Arc;
use work::Fitted;
use zeroize::Zeroizing;

/// What a use of a key gave.
pub struct Output {
    /// The result; wiped when dropped.
    pub bytes: Zeroizing<Vec<u8>>,
    /// The version that was used.
    pub version: String,
    /// Index of the record; none where no private or secret key was used.
    pub index: Option<u64>,
}

/// See the module.
pub struct Operations {
    admission: Arc<Admission>,
    enclave: Arc<Enclave>,
}

/// The most random bytes at a time.
const MOST_RANDOM: u32 = 1024;

impl Operations {
    /// Over the admitted and the enclave.
    pub fn new(admission: Arc<Admission>, enclave: Arc<Enclave>) -> Self {
        Self { admission, enclave }
    }

    /// Uses a key.
    ///
    /// # Errors
    /// [`Error`]. Denials and failures are recorded.
    pub async fn use_key(
        self: &Arc<Self>,
        peer: &Arc<Peer>,
        key: KeyOrVersionName,
        work: Work,
        request: RequestId,
    ) -> Result<Output, Error> {
        let action = work.action();
        // 1 Identify, 2 charge. (3, parsing, made the work.)
        let caller = self.admission.identify(peer, action).await?;
        // 4 Authorize.
        let grant = self.admission.authorize_use(&caller, action, &key, work.context(), &request).await?;
        let (entry, version) = (Arc::clone(grant.key()?), Arc::clone(grant.version()?));
        let work = match work.fit(&entry.key, version.public_key.as_ref()) {
            Err(error) => return Err(self.admission.rejected(&caller, error).await),
            Ok(Fitted::Public(bytes)) => {
                // What is encrypted to it needs it.
                self.admission.keep_used(&grant).await?;
                let bytes = Zeroizing::new(bytes);
                return Ok(Output { bytes, version: version.row.name.to_string(), index: None });
            }
            Ok(Fitted::Private(work)) => work,
        };
        // 5 Guard.
        self.admission.take_use(&grant).await?;
        let turn = self.enclave.turn(&grant, false).await?;
        // 6 to 9, to their end even if the caller hangs up: what the key did is recorded.
        let operations = Arc::clone(self);
        let work = async move {
            let access = operations.admission.access();
            let used = match operations.enclave.use_key(access, grant, work, &request.id, turn).await {
                Ok(used) => used,
                Err(failed) => return Err(operations.failed(*failed, &request).await),
            };
            let recorded =
                operations.admission.audit().append_use(operations.admission.access(), used, &request).await?;
            match recorded.release(access) {
                Ok(output) => Ok(output),
                Err(failed) => Err(operations.failed(*failed, &request).await),
            }
        };
        let released = tokio::spawn(work).await.map_err(|_| Error::stopped())??;
        Ok(Output { bytes: released.output, version: released.version.to_string(), index: Some(released.index) })
    }

    /// Whether `code` is the message's, compared in constant time.
    ///
    /// # Errors
    /// [`Error`], as [`Operations::use_key`].
    pub async fn verify_mac(
        self: &Arc<Self>,
        peer: &Arc<Peer>,
        key: KeyOrVersionName,
        message: Zeroizing<Vec<u8>>,
        code: &[u8],
        request: RequestId,
    ) -> Result<(bool, Output), Error> {
        let output = self.use_key(peer, key, Work::VerifyMac { message }, request).await?;
        Ok((crypto::equal(&output.bytes, code), output))
    }

    /// Random bytes: the token's mixed with the system's.
    ///
    /// # Errors
    /// [`Error`]. Denials and failures are recorded.
    pub async fn random(
        &self,
        peer: &Arc<Peer>,
        organization: OrganizationName,
        length: u32,
        request: RequestId,
    ) -> Result<Output, Error> {
        let action = Action::GenerateRandom;
        let caller = self.admission.identify(peer, action).await?;
        let context = Context::new().number("size", length.into());
        let target = Target::Organization(organization.clone());
        let grant = self.admission.authorize(&caller, action, target, context, &request).await?;
        if !(1..=MOST_RANDOM).contains(&length) {
            let error = Error::invalid("length", format!("1 to {MOST_RANDOM} bytes"));
            return Err(self.admission.rejected(&caller, error).await);
        }
        let bytes = match self.enclave.random(length).await {
            Ok(bytes) => bytes,
            Err(error) => return Err(self.failed(Failed { grant, error, witness: None }, &request).await),
        };
        let recorded = self.admission.audit().append(Draft::outcome(&grant, &request)).await;
        let index = recorded.map_err(|error| unavailable(&error))?;
        self.admission.access().recheck(&grant, None)?;
        Ok(Output { bytes, version: String::new(), index: Some(index) })
    }

    async fn failed(&self, failed: Failed, request: &RequestId) -> Error {
        let Failed { grant, error, witness } = failed;
        match self.admission.audit().append(Draft::failed(&grant, request, &error).witness(witness)).await {
            Ok(_) => error,
            Err(problem) => unavailable(&problem),
        }
    }
}

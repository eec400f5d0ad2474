//! READ FIRST: how a signature comes to be and leaves. One function, [`Signing::sign`], in nine steps.
//!
//! **Invariants**: the steps can't be reordered, for each needs what the one before gives: a [`Grant`] to perform, a
//! `Performed` to check, a `Checked` to record, a `Recorded` to release. No record, no signature.
//!
//! Nobody makes a proof but the step it proves, and nobody copies one:
//!
//! ```
//! use chancery::{access::Grant, audit::Recorded, enclave::{Checked, Performed}, policy::Permit};
//! fn all_have_a_name(_: Permit, _: Grant, _: Performed, _: Checked, _: Recorded) {}
//! ```
//! ```compile_fail,E0599
//! fn twice(proof: chancery::policy::Permit) -> [chancery::policy::Permit; 2] { [proof.clone(), proof] }
//! ```
//! ```compile_fail,E0599
//! fn twice(proof: chancery::access::Grant) -> [chancery::access::Grant; 2] { [proof.clone(), proof] }
//! ```
//! ```compile_fail,E0599
//! fn twice(proof: chancery::enclave::Checked) -> [chancery::enclave::Checked; 2] { [proof.clone(), proof] }
//! ```
//! ```compile_fail,E0423
//! let forge: fn(_) -> chancery::enclave::Checked = chancery::enclave::Checked;
//! ```
//! ```compile_fail,E0616
//! fn unrecorded(proof: chancery::enclave::Performed) -> Vec<u8> { proof.signature }
//! ```
//! ```compile_fail,E0616
//! fn unreleased(proof: chancery::audit::Recorded) -> Vec<u8> { proof.signature }
//! ```
//!
//! **Not here**: what makes a permit (`access`, `policy`), the private key (chancery-enclave), gRPC (`grpc`).

mod replays;

pub use replays::{Begun, Replays, Ticket};

use crate::{
    access::{Grant, Peer, require_active},
    admission::Admission,
    audit::{Draft, Released, unavailable},
    crypto::{Form, FormError, Input, InputError, PublicKey, Signable},
    directory::Version,
    enclave::{Enclave, Failed, Turn},
    error::Error,
    model::{Action, Hash, Key, KeyOrVersionName, Purpose, RequestId, RsaPadding, SignatureFormat},
    policy::Context,
};
use chancery_api::reasons;
use std::sync::Arc;

/// A request that is consistent in itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The key or version.
    pub key: KeyOrVersionName,
    /// What to sign.
    pub input: Signable,
    /// How to write it.
    pub format: SignatureFormat,
    /// The smaller of s and n - s; by default in all but r ‖ s.
    pub low_s: Option<bool>,
    /// For RSA.
    pub padding: Option<RsaPadding>,
    /// It can wait for others.
    pub batch: bool,
    /// Its id and content.
    pub id: RequestId,
}

/// What the caller gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The signature, its version and its record.
    pub released: Released,
    /// It was given before.
    pub replayed: bool,
}

/// See the module.
pub struct Signing {
    admission: Arc<Admission>,
    enclave: Arc<Enclave>,
    replays: Replays,
}

impl Signing {
    /// Over the admitted, the token, and the answers that the log's tail still holds.
    pub fn new(admission: Arc<Admission>, enclave: Arc<Enclave>, replays: Replays) -> Self {
        Self { admission, enclave, replays }
    }

    /// Signs.
    ///
    /// # Errors
    /// [`Error`]. Denials and failures are recorded.
    pub async fn sign(self: &Arc<Self>, peer: &Arc<Peer>, request: Request) -> Result<Answer, Error> {
        // 1 Identify, 2 charge. (3, parsing, made the request.)
        let caller = self.admission.identify(peer, Action::Sign).await?;
        // 4 Authorize.
        let context = context(&request.input);
        let grant = self.admission.authorize_use(&caller, Action::Sign, &request.key, context, &request.id).await?;
        let (input, form) = match prepare(&grant, &request) {
            Ok(prepared) => prepared,
            Err(error) => return Err(self.admission.rejected(&caller, error).await),
        };
        // 5 Guard.
        let ticket = match self.replays.begin(&caller.principal().name, &request.id).await {
            Begun::New(ticket) => ticket,
            Begun::Answered(released) => return self.replay(grant, &request.id, &input, form, released).await,
            Begun::Reused => return Err(self.admission.rejected(&caller, Error::reused()).await),
        };
        self.admission.take_use(&grant).await?;
        let turn = self.turn(&grant, request.batch).await?;
        // 6 to 9, to their end even if the caller hangs up: what the key did is recorded.
        let (signing, id) = (Arc::clone(self), request.id);
        let work = async move {
            let released = signing.sign_granted(grant, input, form, &id, turn).await?;
            ticket.answered(&released);
            Ok(Answer { released, replayed: false })
        };
        // A task ends early only with the service: a panic ends the process.
        tokio::spawn(work).await.map_err(|_| Error::stopped())?
    }

    /// Waits for the turn to sign. May be dropped.
    ///
    /// # Errors
    /// As [`Enclave::turn`].
    pub async fn turn(&self, grant: &Grant, batch: bool) -> Result<Turn, Error> {
        self.enclave.turn(grant, batch).await
    }

    /// Steps 6 to 9, for whatever signs with an organization's key. Must not be dropped before its end.
    ///
    /// # Errors
    /// [`Error`], recorded as the operation's outcome.
    pub async fn sign_granted(
        &self,
        grant: Grant,
        input: Input,
        form: Form,
        request: &RequestId,
        turn: Turn,
    ) -> Result<Released, Error> {
        let access = self.admission.access();
        // 6 Perform, 7 check.
        let performed = self.enclave.sign(access, grant, input, form, &request.id, turn).await;
        let checked = match performed.and_then(|performed| performed.check()) {
            Ok(checked) => checked,
            Err(failed) => return Err(self.failed(*failed, request).await),
        };
        // 8 Record.
        let recorded = self.admission.audit().append_signature(access, checked, form, request).await?;
        // 9 Release.
        match recorded.release(access) {
            Ok(released) => Ok(released),
            Err(failed) => Err(self.failed(*failed, request).await),
        }
    }

    async fn failed(&self, failed: Failed, request: &RequestId) -> Error {
        let Failed { grant, error, witness } = failed;
        match self.admission.audit().append(Draft::failed(&grant, request, &error).witness(witness)).await {
            Ok(_) => error,
            Err(problem) => unavailable(&problem),
        }
    }

    /// Gives the first answer again, if its version may still sign.
    async fn replay(
        &self,
        grant: Grant,
        request: &RequestId,
        input: &Input,
        form: Form,
        mut released: Released,
    ) -> Result<Answer, Error> {
        let access = self.admission.access();
        let usable = || {
            let version = grant.key()?.version(Some(released.version.number()));
            let version = version.ok_or_else(|| Error::NotFound(released.version.to_string()))?;
            require_active(version)?;
            access.recheck(&grant, Some(&released.version))?;
            // The record does not hold it. The input is the first one: an ECDSA input is the same for every version.
            let recovery_id = |key: &PublicKey| form.recovery_id(key, input, &released.signature);
            Ok(version.public_key.as_ref().and_then(recovery_id))
        };
        match usable() {
            Ok(recovery_id) => released.recovery_id = recovery_id,
            Err(error) => return Err(self.failed(Failed { grant, error, witness: None }, request).await),
        }
        let draft = Draft::replayed(&grant, request).resource(&released.version);
        self.admission.audit().append(draft).await.map_err(|error| unavailable(&error))?;
        Ok(Answer { released, replayed: true })
    }
}

/// What policies may read of a signing request.
pub fn context(input: &Signable) -> Context {
    let (kind, hash) = match input {
        Signable::Digest { hash, .. } => ("digest", hash),
        Signable::Message { hash, .. } => ("message", hash),
    };
    let size = i64::try_from(input.size()).unwrap_or(i64::MAX);
    Context::new().text("input", kind).text("hash", hash.map_or("", Hash::as_str)).number("size", size)
}

/// What must agree with the key, known only after the permit.
fn prepare(grant: &Grant, request: &Request) -> Result<(Input, Form), Error> {
    let entry = grant.key()?;
    if entry.key.purpose != Purpose::Sign && !is_external_ca(&entry.key) {
        return Err(Error::Precondition {
            reason: reasons::WRONG_PURPOSE,
            message: format!("{} is for {}, not for signing", entry.key.name, entry.key.purpose),
        });
    }
    let key = public_key(grant.version()?)?;
    let input = request.input.clone().fit(key, request.padding).map_err(|error| wrong_input(&error))?;
    let form = Form::new(key.algorithm(), request.format, request.low_s).map_err(|error| wrong_form(&error))?;
    Ok((input, form))
}

/// The label that declares a CERTIFY key to be used by a certificate authority outside, which composes certificates
/// itself. The shipped policies read it, so that its owner can't set it.
const EXTERNAL_CA: &str = "external-ca";

/// Whether a key signs what the service has not composed, though it signs certificates.
fn is_external_ca(key: &Key) -> bool {
    key.purpose == Purpose::Certify && key.labels.get(EXTERNAL_CA).is_some_and(|declared| declared == "true")
}

/// A version's public key.
///
/// # Errors
/// [`reasons::WRONG_PURPOSE`]: it is a secret key.
pub fn public_key(version: &Version) -> Result<&PublicKey, Error> {
    version.public_key.as_ref().ok_or_else(|| Error::Precondition {
        reason: reasons::WRONG_PURPOSE,
        message: format!(
            "{} is a secret key: it has no public key, signs nothing and verifies nothing",
            version.row.name
        ),
    })
}

/// A form that the key's algorithm has not, as the caller is told it.
pub fn wrong_form(error: &FormError) -> Error {
    match error {
        FormError::NotOffered { .. } => Error::invalid("format", error),
        _ => Error::internal(error),
    }
}

/// An input that does not fit its key, as the caller is told it.
pub fn wrong_input(error: &InputError) -> Error {
    let field = match error {
        InputError::NeedsNoHash(_) | InputError::NeedsHash | InputError::NeedsSha2 | InputError::NeedsSm3 => {
            "message_hash"
        }
        InputError::NeedsNoPadding => "padding",
        InputError::NeedsNoUserId | InputError::UserIdTooLong(_) => return Error::invalid("sm2_user_id", error),
        InputError::SignsNothing(_) => {
            return Error::Precondition { reason: reasons::WRONG_PURPOSE, message: error.to_string() };
        }
        _ => "digest",
    };
    Error::Rejected { reason: reasons::WRONG_DIGEST, field, message: error.to_string() }
}

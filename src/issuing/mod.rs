//! Certificate signing requests and certificates, with keys kept here.
//!
//! **Invariants**: a certificate is issued by a CERTIFY key under a profile; what is signed was built here, never by the
//! caller. A root certificate is bound to its version in the same request; another is bound to the version whose public key
//! it certifies, and to no other.
//!
//! **Not here**: the structures themselves (`certificates`), how a signature comes to be (`signing`).

mod binding;

pub use binding::Binding;

use crate::{
    access::{Caller, Grant, Peer, Target},
    admission::Admission,
    audit::{Draft, Released, unavailable},
    certificates::{CertificateDraft, CertificateError, CertificateRequest, Issuance, Profile, RequestDraft},
    changes::{Begun, Changes},
    crypto::{Form, Signable},
    error::Error,
    model::{Action, KeyOrVersionName, KeyVersion, Purpose, RequestId, SignatureFormat},
    policy::Context,
    signing::{Signing, public_key, wrong_form, wrong_input},
    store::Row,
};
use chancery_api::{reasons, state};
use prost::Message;
use std::sync::Arc;

/// See the module.
pub struct Issuing {
    admission: Arc<Admission>,
    signing: Arc<Signing>,
    changes: Arc<Changes>,
}

/// A signing request to make.
#[derive(Debug, Clone)]
pub struct NewRequest {
    /// The key or version.
    pub key: KeyOrVersionName,
    /// Distinguished name, RFC 4514.
    pub subject: String,
    /// `dns:` and `ip:` names.
    pub alternative_names: Vec<String>,
}

/// A certificate to issue.
#[derive(Debug)]
pub struct NewCertificate {
    /// The issuing key or version.
    pub issuer: KeyOrVersionName,
    /// Who asks, proved to hold the key.
    pub request: CertificateRequest,
    /// What it is for.
    pub profile: Profile,
}

/// What was signed, as the caller gets it.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The structure, DER.
    pub der: Vec<u8>,
    /// The version that signed.
    pub version: String,
    /// Its record.
    pub index: u64,
    /// The issuer's certificate, DER; the certificate itself for a root.
    pub issuer: Vec<u8>,
}

fn encode(issued: &Issued) -> Vec<u8> {
    state::Issued {
        der: issued.der.clone(),
        version: issued.version.clone(),
        record_index: issued.index,
        issuer: issued.issuer.clone(),
    }
    .encode_to_vec()
}

fn decode(answer: &[u8]) -> Result<Issued, Error> {
    let issued = state::Issued::decode(answer).map_err(Error::internal)?;
    Ok(Issued { der: issued.der, version: issued.version, index: issued.record_index, issuer: issued.issuer })
}

/// A request that can't be taken, as the caller is told it; `field` is where it stands.
pub fn rejected(error: &CertificateError, field: &'static str) -> Error {
    match error {
        // Of a request to be built, whose names stand in a field of their own.
        CertificateError::SubjectAlternativeName(_) if field == "subject" => {
            Error::invalid("subject_alternative_names", error)
        }
        CertificateError::Issuer(_) => Error::Precondition { reason: reasons::WRONG_STATE, message: error.to_string() },
        CertificateError::Encoding(_) => Error::internal(error),
        CertificateError::TooLarge { .. } => {
            Error::Rejected { reason: reasons::TOO_LARGE, field, message: error.to_string() }
        }
        _ => Error::invalid(field, error),
    }
}

impl Issuing {
    /// Over the admitted, the signing path and the changes.
    pub fn new(admission: Arc<Admission>, signing: Arc<Signing>, changes: Arc<Changes>) -> Self {
        Self { admission, signing, changes }
    }

    /// A certificate signing request for a key kept here.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn request(&self, peer: Arc<Peer>, new: NewRequest, request: RequestId) -> Result<Issued, Error> {
        let action = Action::CreateCertificateSigningRequest;
        let context = Context::new().text("subject", new.subject.clone());
        let caller = self.admission.identify(&peer, action).await?;
        let (grant, begun) = self.begin(&caller, action, &new.key, context, &request).await?;
        let change = match begun {
            Begun::New(change) => change,
            Begun::Answered(answer) => return self.replayed(&grant, &request, &answer).await,
        };
        let result = async {
            let public_key = requester(&grant)?;
            let draft = RequestDraft::new(&new.subject, &new.alternative_names, &public_key)
                .map_err(|error| rejected(&error, "subject"))?;
            let released = self.sign(grant, draft.to_be_signed(), &request).await?;
            let der = draft.finish(&released.signature);
            Ok(Issued { der, version: released.version.to_string(), index: released.index, issuer: Vec::new() })
        };
        match result.await {
            Ok(issued) => {
                self.changes.finish(change, None, Vec::new(), encode(&issued)).await?;
                Ok(issued)
            }
            Err(error) => {
                self.changes.abandon(change).await;
                Err(error)
            }
        }
    }

    /// Issues a certificate.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn issue(&self, peer: Arc<Peer>, new: NewCertificate, request: RequestId) -> Result<Issued, Error> {
        let common_name = new.request.subject().common_name().unwrap_or_default();
        let context = Context::new().text("profile", new.profile.as_str()).text("commonName", common_name);
        let action = Action::IssueCertificate;
        let caller = self.admission.identify(&peer, action).await?;
        let (grant, begun) = self.begin(&caller, action, &new.issuer, context.clone(), &request).await?;
        let change = match begun {
            Begun::New(change) => change,
            Begun::Answered(answer) => return self.replayed(&grant, &request, &answer).await,
        };
        let root = new.profile == Profile::RootCa;
        let result = async {
            self.admission.keep_used(&grant).await?;
            // The version is written back with its certificate: nobody else may change it meanwhile.
            let busy = if root { Some(self.changes.hold(new.issuer.key()).await?) } else { None };
            let issuer = issuer(&grant)?;
            let issued = self.issue_granted(grant, &issuer, &new, &request).await?;
            let binding = match busy {
                None => None,
                Some(busy) => {
                    // Recorded apart from the signature, under a decision of its own: that one was used up.
                    let target = Target::Key(new.issuer.clone());
                    let grant = self.admission.authorize(&caller, action, target, context, &request).await?;
                    // As it is now, which may be otherwise than when the request was permitted.
                    let (_, current) = self.current(&issuer.name)?;
                    let row = KeyVersion { certificate: Some(issued.der.clone()), ..current.row.clone() };
                    let rows = vec![Row::KeyVersion(row)];
                    let draft = Draft::outcome(&grant, &request).resource(&issued.version).states(&rows);
                    Some((draft, rows, busy))
                }
            };
            Ok((issued, binding))
        };
        match result.await {
            Ok((issued, None)) => {
                self.changes.finish(change, None, Vec::new(), encode(&issued)).await?;
                Ok(issued)
            }
            Ok((issued, Some((draft, rows, _busy)))) => {
                self.changes.finish(change, Some(draft), rows, encode(&issued)).await?;
                Ok(issued)
            }
            Err(error) => {
                self.changes.abandon(change).await;
                Err(error)
            }
        }
    }

    async fn issue_granted(
        &self,
        grant: Grant,
        issuer: &KeyVersion,
        new: &NewCertificate,
        request: &RequestId,
    ) -> Result<Issued, Error> {
        let mut serial = [0; 20];
        getrandom::fill(&mut serial).map_err(Error::internal)?;
        let now = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0);
        let draft = CertificateDraft::new(&Issuance {
            profile: new.profile,
            request: &new.request,
            issuer_key: &issuer.public_key,
            issuer_certificate: issuer.certificate.as_deref(),
            serial,
            now,
        })
        .map_err(|error| rejected(&error, "certificate_signing_request"))?;
        let released = self.sign(grant, draft.to_be_signed(), request).await?;
        let der = draft.finish(&released.signature);
        let root = new.profile == Profile::RootCa;
        let issuer = if root { der.clone() } else { issuer.certificate.clone().unwrap_or_default() };
        Ok(Issued { der, version: released.version.to_string(), index: released.index, issuer })
    }

    async fn begin(
        &self,
        caller: &Caller,
        action: Action,
        key: &KeyOrVersionName,
        context: Context,
        request: &RequestId,
    ) -> Result<(Grant, Begun), Error> {
        let grant = self.admission.authorize_use(caller, action, key, context, request).await?;
        grant.version()?;
        let begun = self.changes.begin(&caller.principal().name, action.as_str(), request).await?;
        Ok((grant, begun))
    }

    /// Signs what was built here, hashed as X.509 wants it, with low s as Fabric wants it.
    async fn sign(&self, grant: Grant, to_be_signed: &[u8], request: &RequestId) -> Result<Released, Error> {
        let key = public_key(grant.version()?)?;
        let message = Signable::Message { hash: None, value: to_be_signed.to_vec(), user_id: None };
        let input = message.fit(key, None).map_err(|error| wrong_input(&error))?;
        let form = Form::new(key.algorithm(), SignatureFormat::Der, Some(true)).map_err(|error| wrong_form(&error))?;
        self.admission.take_use(&grant).await?;
        let turn = self.signing.turn(&grant, false).await?;
        self.signing.sign_granted(grant, input, form, request, turn).await
    }

    async fn replayed(&self, grant: &Grant, request: &RequestId, answer: &[u8]) -> Result<Issued, Error> {
        let issued = decode(answer)?;
        let draft = Draft::replayed(grant, request).resource(&issued.version);
        self.admission.audit().append(draft).await.map_err(|error| unavailable(&error))?;
        Ok(issued)
    }
}

/// The public key that a request is made for.
fn requester(grant: &Grant) -> Result<Vec<u8>, Error> {
    let entry = grant.key()?;
    if !matches!(entry.key.purpose, Purpose::Sign | Purpose::Certify) {
        let (name, purpose) = (&entry.key.name, entry.key.purpose);
        return Err(Error::Precondition {
            reason: reasons::WRONG_PURPOSE,
            message: format!("{name} is for {purpose}; only sign and certify keys make certificate signing requests"),
        });
    }
    Ok(grant.version()?.row.public_key.clone())
}

fn issuer(grant: &Grant) -> Result<KeyVersion, Error> {
    let entry = grant.key()?;
    if entry.key.purpose != Purpose::Certify {
        return Err(Error::Precondition {
            reason: reasons::WRONG_PURPOSE,
            message: format!("{} is for {}; only a certify key issues certificates", entry.key.name, entry.key.purpose),
        });
    }
    Ok(grant.version()?.row.clone())
}

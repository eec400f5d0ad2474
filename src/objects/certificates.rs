//! Certificates that a principal keeps in its token.
//!
//! **Invariants**: a certificate is its owner's alone; whoever names another's is told that it does not exist. One that
//! certifies a version is bound to it only as BindCertificate would: its policies are asked, and it has a record of its
//! own.

use super::Objects;
use crate::{
    access::{Caller, Grant, Peer, Target},
    audit::{Draft, unavailable},
    certificates::BoundCertificate,
    changes::Begun,
    error::Error,
    issuing::{Binding, rejected},
    keys::{require_attribute, require_free_id},
    model::{Action, CertificateObject, KeyOrVersionName, KeyVersionName, OrganizationName, PrincipalName, RequestId},
    policy::Context,
    store::Row,
};
use chancery_api::reasons;
use chancery_audit::record::ResourceState;
use prost::Message;
use std::sync::Arc;

/// Certificates of one principal at most.
const CERTIFICATES: usize = 256;

/// A certificate to keep.
#[derive(Debug, Clone)]
pub struct NewCertificateObject {
    /// The caller's organization.
    pub organization: OrganizationName,
    /// X.509, DER.
    pub certificate: Vec<u8>,
    /// CKA_ID.
    pub id: Vec<u8>,
    /// CKA_LABEL.
    pub label: Vec<u8>,
}

/// A certificate's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateObjectName {
    /// Whose.
    pub principal: PrincipalName,
    /// The last part of the name.
    pub certificate_id: String,
}

impl std::str::FromStr for CertificateObjectName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (principal, id) = text.rsplit_once("/certificates/")?;
            Some(Self { principal: principal.parse().ok()?, certificate_id: id.to_owned() })
        };
        parse().ok_or("no certificate name (organizations/ORG/principals/NAME/certificates/CERTIFICATE)")
    }
}

impl Objects {
    /// Keeps a certificate for the caller, and binds it to the version that it certifies if the caller may. A certificate
    /// that can't be bound is kept all the same: it has expired, say.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn create_certificate(
        &self,
        peer: Arc<Peer>,
        new: NewCertificateObject,
        request: RequestId,
    ) -> Result<CertificateObject, Error> {
        let parsed = BoundCertificate::parse(&new.certificate).map_err(|error| rejected(&error, "certificate"))?;
        if parsed.der() != new.certificate {
            return Err(Error::invalid("certificate", "DER expected"));
        }
        let organization = new.organization.clone();
        let certified = self.certified(&organization, &parsed);
        let make = |caller: &Caller| {
            let seen = certified.clone().filter(|version| self.sees(caller, version));
            self.made(caller, &new, seen)
        };
        let (kept, caller) = self
            .change_certificate(&peer, Action::CreateCertificateObject, organization, request.clone(), make)
            .await?;
        if let Some(version) = certified {
            self.bind(&peer, &caller, version, parsed, request).await?;
        }
        Ok(kept)
    }

    /// Sets id or label; what is `None` stays.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn update_certificate(
        &self,
        peer: Arc<Peer>,
        name: CertificateObjectName,
        [id, label]: [Option<Vec<u8>>; 2],
        request: RequestId,
    ) -> Result<CertificateObject, Error> {
        let organization = name.principal.organization().clone();
        let make = |caller: &Caller| {
            let before = self.owned(caller, &name)?;
            let id = id.clone().unwrap_or_else(|| before.id.clone());
            let label = label.clone().unwrap_or_else(|| before.label.clone());
            let after = CertificateObject { id, label, ..before };
            self.require_attributes(&after)?;
            Ok(after)
        };
        let action = Action::UpdateCertificateObject;
        self.change_certificate(&peer, action, organization, request, make).await.map(|(kept, _)| kept)
    }

    /// Drops a certificate. Where it is bound to a version, it stays bound.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn delete_certificate(
        &self,
        peer: Arc<Peer>,
        name: CertificateObjectName,
        request: RequestId,
    ) -> Result<(), Error> {
        let organization = name.principal.organization().clone();
        let make = |caller: &Caller| {
            let before = self.owned(caller, &name)?;
            let (certificate, id, label) = Default::default();
            Ok(CertificateObject { certificate, id, label, version: None, ..before })
        };
        let action = Action::DeleteCertificateObject;
        self.change_certificate(&peer, action, organization, request, make).await.map(drop)
    }

    /// One change of the caller's certificates: `make` says what one is afterwards, while nobody else changes any.
    async fn change_certificate(
        &self,
        peer: &Arc<Peer>,
        action: Action,
        organization: OrganizationName,
        request: RequestId,
        make: impl Fn(&Caller) -> Result<CertificateObject, Error> + Send,
    ) -> Result<(CertificateObject, Caller), Error> {
        let caller = self.admission.identify(peer, action).await?;
        let target = Target::Organization(organization);
        let grant = self.admission.authorize(&caller, action, target, Context::new(), &request).await?;
        let change = match self.changes.begin(&caller.principal().name, action.as_str(), &request).await? {
            Begun::New(change) => change,
            Begun::Answered(answer) => return Ok((self.replay(&grant, &request, &answer).await?, caller)),
        };
        let _held = self.certificates.lock().await;
        let row = match self.admission.access().recheck(&grant, None).and_then(|()| make(&caller)) {
            Ok(row) => row,
            Err(error) => {
                self.changes.abandon(change).await;
                return Err(error);
            }
        };
        let rows = vec![Row::CertificateObject(row.clone())];
        let answer = rows[0].state().encode_to_vec();
        let draft = Draft::outcome(&grant, &request).resource(&row.name()).states(&rows);
        self.changes.finish(change, Some(draft), rows, answer).await?;
        Ok((row, caller))
    }

    async fn replay(&self, grant: &Grant, request: &RequestId, answer: &[u8]) -> Result<CertificateObject, Error> {
        let state = ResourceState::decode(answer).map_err(Error::internal)?;
        let Row::CertificateObject(row) = Row::parse(&state).map_err(Error::internal)? else {
            return Err(Error::internal("an answer that is no certificate's"));
        };
        let draft = Draft::replayed(grant, request).resource(&row.name());
        self.admission.audit().append(draft).await.map_err(|error| unavailable(&error))?;
        Ok(row)
    }

    /// A new certificate of the caller. The same once more, attributes and all, is the one that there is.
    fn made(
        &self,
        caller: &Caller,
        new: &NewCertificateObject,
        version: Option<KeyVersionName>,
    ) -> Result<CertificateObject, Error> {
        let directory = self.changes.directory();
        let principal = &caller.principal().name;
        let kept = directory.certificate_objects(principal, None, CERTIFICATES);
        let same = |kept: &&CertificateObject| {
            (&kept.certificate, &kept.id, &kept.label) == (&new.certificate, &new.id, &new.label)
        };
        if let Some(same) = kept.iter().find(same) {
            return Ok(same.clone());
        }
        if kept.len() >= CERTIFICATES {
            return Err(Error::Exhausted {
                reason: reasons::TOO_MANY_OBJECTS,
                message: format!("{principal} has {CERTIFICATES} certificates, as many as it may; destroy some"),
                retry_after: None,
            });
        }
        let digest = hex::encode(&crate::crypto::sha256(&new.certificate)[..16]);
        let names = (1..).map(|number| if number == 1 { digest.clone() } else { format!("{digest}-{number}") });
        let free = |id: &String| directory.certificate_object(principal, id).is_none();
        let row = CertificateObject {
            principal: principal.clone(),
            certificate_id: names.into_iter().find(free).unwrap_or_default(),
            certificate: new.certificate.clone(),
            id: new.id.clone(),
            label: new.label.clone(),
            version,
        };
        self.require_attributes(&row)?;
        Ok(row)
    }

    fn require_attributes(&self, row: &CertificateObject) -> Result<(), Error> {
        require_attribute("id", &row.id)?;
        require_attribute("label", &row.label)?;
        let (directory, organization) = (self.changes.directory(), row.principal.organization());
        require_free_id(directory, organization, row.version.as_ref(), ("id", &row.id))
    }

    /// One of the caller's own.
    fn owned(&self, caller: &Caller, name: &CertificateObjectName) -> Result<CertificateObject, Error> {
        let CertificateObjectName { principal, certificate_id } = name;
        let kept = (*principal == caller.principal().name)
            .then(|| self.changes.directory().certificate_object(principal, certificate_id));
        kept.flatten().ok_or_else(|| Error::NotFound(format!("{principal}/certificates/{certificate_id}")))
    }

    /// The version of the organization whose public key a certificate certifies.
    fn certified(&self, organization: &OrganizationName, certificate: &BoundCertificate) -> Option<KeyVersionName> {
        let directory = self.changes.directory();
        let version = directory.version_by_id(organization, &certificate.key_sha256())?;
        let entry = directory.key(version.key())?;
        let kept = entry.version(Some(version.number()))?;
        (kept.row.public_key == certificate.public_key()).then_some(version)
    }

    /// Whether the caller may see a version: which key a certificate is of is told to nobody else.
    fn sees(&self, caller: &Caller, version: &KeyVersionName) -> bool {
        let target = Target::Key(KeyOrVersionName::Version(version.clone()));
        self.admission.access().authorize(caller, Action::GetKey, target, Context::new()).is_ok()
    }

    /// Binds a certificate if the caller may. What only the certificate or its key is the reason of is no error.
    async fn bind(
        &self,
        peer: &Arc<Peer>,
        caller: &Caller,
        version: KeyVersionName,
        certificate: BoundCertificate,
        request: RequestId,
    ) -> Result<(), Error> {
        let access = self.admission.access();
        let target = Target::Key(KeyOrVersionName::Version(version.clone()));
        let Ok(grant) = access.authorize(caller, Action::BindCertificate, target, Context::new()) else {
            return Ok(());
        };
        if grant.version()?.row.certificate.as_deref() == Some(certificate.der()) {
            return Ok(());
        }
        match self.issuing.bind(Arc::clone(peer), Binding { version: version.clone(), certificate }, request).await {
            Err(error @ (Error::Unavailable { .. } | Error::Deadline(_) | Error::Internal { .. })) => Err(error),
            // What is sent again binds it.
            Err(error @ Error::Precondition { reason: reasons::BUSY, .. }) => Err(error),
            Err(error) => {
                tracing::debug!(%version, %error, "a certificate was kept and not bound to the key that it certifies");
                Ok(())
            }
            Ok(_) => Ok(()),
        }
    }
}

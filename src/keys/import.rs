//! Keys that were made elsewhere: they come sealed to a key of the enclave, and pass through here as ciphertext.
//!
//! **Invariants**: the record says that a key was imported. What is kept here already is not taken in a second time.

use super::{Cause, Fresh, Keys, Made, NewKey, first_answer, rotate::changed};
use crate::{
    access::{Grant, Peer, Target, now},
    audit::Draft,
    crypto::sha256,
    directory::KeyEntry,
    enclave::TransportKey,
    error::Error,
    keys::Begun,
    model::{
        Action, KeyOrVersionName, KeyState, KeyVersion, KeyVersionName, Organization, OrganizationName, Origin,
        PrincipalName, RequestId,
    },
    policy::Context,
    store::Row,
};
use chancery_api::reasons;
use std::{collections::BTreeMap, sync::Arc};

/// A key on its way in.
#[derive(Debug, Clone)]
pub struct Sealed {
    /// The import job that it is sealed to.
    pub job: Vec<u8>,
    /// The key, sealed.
    pub key: Vec<u8>,
    /// The number of the version that it is bound to.
    pub version: u64,
    /// SHA-256 of the request without job and key, which are others each time: what a second officer approves.
    pub terms: [u8; 32],
}

/// The most bytes of a sealed key: RSA 4096 as PKCS #8 takes less than 3 KiB.
const LARGEST_SEALED: usize = 16 << 10;

impl Keys {
    /// A key of the enclave to seal keys to.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn create_import_job(
        &self,
        peer: &Arc<Peer>,
        organization: OrganizationName,
    ) -> Result<TransportKey, Error> {
        let target = Target::Organization(organization.clone());
        let _granted = self.admission.admit(peer, Action::CreateImportJob, target).await?;
        self.known(&organization)?;
        self.pairs.enclave().create_import_key(&organization).await
    }

    /// Takes a sealed key in: as a new key, or as the next version of one that exists.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn import(
        &self,
        peer: Arc<Peer>,
        new: NewKey,
        sealed: Sealed,
        request: RequestId,
    ) -> Result<Arc<KeyEntry>, Error> {
        let action = Action::ImportKey;
        let caller = self.admission.identify(&peer, action).await?;
        let owner = new.owner.clone().unwrap_or_else(|| caller.principal().name.clone());
        let context = Context::new()
            .text("key", new.name.id())
            .text("owner", owner.to_string())
            .text("purpose", new.purpose.as_str())
            .text("algorithm", new.algorithm.as_str())
            .text("protection", new.protection.as_str());
        let target = Target::Organization(new.name.organization().clone());
        let grant = self.admission.authorize(&caller, action, target, context, &request).await?;
        if owner.organization() != new.name.organization() {
            return Err(Error::invalid("key.owner", "the owner must be a principal of the key's organization"));
        }
        if sealed.key.len() > LARGEST_SEALED {
            let message = format!("{} bytes; at most {LARGEST_SEALED}", sealed.key.len());
            return Err(Error::Rejected { reason: reasons::TOO_LARGE, field: "sealed_key", message });
        }
        let change = match self.changes.begin(&caller.principal().name, action.as_str(), &request).await? {
            Begun::New(change) => change,
            Begun::Answered(answer) => {
                let name = new.name.version(sealed.version.max(1));
                self.replayed(Draft::replayed(&grant, &request).resource(&name)).await?;
                return first_answer(&answer);
            }
        };
        let _one = self.importing.lock().await;
        let made = self.import_granted(&grant, &new, owner, sealed, &request).await;
        self.finish(change, &grant, &request, made).await
    }

    async fn import_granted(
        &self,
        grant: &Grant,
        new: &NewKey,
        owner: PrincipalName,
        sealed: Sealed,
        request: &RequestId,
    ) -> Result<Made, Error> {
        new.require_purpose()?;
        let busy = self.changes.hold(&new.name).await?;
        let before = self.admission.access().directory().key(&new.name);
        let name = next_version(new, &owner, before.as_deref(), sealed.version)?;
        let place = match before {
            Some(_) => None,
            None => {
                self.require_terms(new)?;
                self.require_settable(grant, &owner, &BTreeMap::new(), &new.labels)?;
                Some((self.place(grant, &owner).await?, None))
            }
        };
        let (algorithm, protection) = (new.algorithm, new.protection);
        let asked = RequestId { id: request.id.clone(), hash: sealed.terms };
        let summary =
            format!("a key from outside becomes {name} ({algorithm}, {protection}, for {}) of {owner}", new.purpose);
        let approval = self.approvals.require(grant, &asked, summary).await?;
        let (material, wrapping) = self.material(&new.name, algorithm, new.purpose, protection).await?;
        let draft = Draft::intent(grant, request).key(algorithm, protection);
        let work = async {
            let made = self.pairs.enclave().import_key(sealed.job, sealed.key, &name, material).await?;
            let held = self.admission.access().directory().holds(&sha256(&made.public_key));
            if held && !made.public_key.is_empty() {
                self.pairs.enclave().discard(&name).await?;
                return Err(Error::AlreadyExists("a key with this public key".into()));
            }
            Ok(made)
        };
        let (intent, generated) =
            self.pairs.make(Cause::Request(grant, request), &name, algorithm, draft, work).await?;
        let create_time = now();
        let state = if before.is_some() { KeyState::PreActive } else { KeyState::Active };
        let version = KeyVersion {
            origin: Origin::Imported,
            ..KeyVersion::new(name.clone(), state, generated.public_key, create_time)
        };
        let mut rows = vec![Row::KeyVersion(version)];
        if before.is_none() {
            rows.insert(0, Row::Key(new.key(owner, create_time)));
        }
        let material = Some(Fresh { intent, witness: Some(generated.witness), _wrapping: wrapping });
        let (mut rows, after) = self.or_undone(material.as_ref(), changed(before.as_deref(), rows)).await?;
        rows.extend(approval);
        let resource = KeyOrVersionName::Version(name);
        Ok(Made { resource, algorithm, protection, rows, before, after, object: String::new(), material, place, busy })
    }

    fn known(&self, organization: &OrganizationName) -> Result<Organization, Error> {
        let found = self.admission.access().directory().organization(organization);
        found.ok_or_else(|| Error::NotFound(organization.to_string()))
    }
}

/// The version that the key becomes, which must be the one that it is sealed for. Of a key that exists, the request must
/// say what the key is: it is what the policies were told.
fn next_version(
    new: &NewKey,
    owner: &PrincipalName,
    before: Option<&KeyEntry>,
    sealed_for: u64,
) -> Result<KeyVersionName, Error> {
    let next = before.map_or(1, KeyEntry::next_version);
    if let Some(KeyEntry { key, .. }) = before {
        let differs = |what: &str, is: &str| Error::Precondition {
            reason: reasons::WRONG_STATE,
            message: format!("{} has the {what} {is}", key.name),
        };
        if key.algorithm != new.algorithm {
            return Err(differs("algorithm", key.algorithm.as_str()));
        }
        if key.protection != new.protection {
            return Err(differs("protection", key.protection.as_str()));
        }
        if key.purpose != new.purpose {
            return Err(differs("purpose", key.purpose.as_str()));
        }
        if key.owner != *owner {
            return Err(differs("owner", key.owner.id()));
        }
    }
    if sealed_for != next {
        let problem = format!("the next version of {} is {next}; seal the key for that", new.name);
        return Err(Error::invalid("version", problem));
    }
    Ok(new.name.version(next))
}

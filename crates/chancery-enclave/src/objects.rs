//! Names and ids of token objects, and how they are found.
//!
//! **Invariants**: an object's `CKA_ID` is derived from the deployment and the name it stands for, so that an object
//! can't be passed off as another by renaming it. The names of system keys don't start with `organizations/`, and
//! [`version_id`] accepts no other start: generic verbs can't reach them. No object is made or destroyed while another
//! thread searches or does the same ([`Directory`]).

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use chancery_ipc::{FaultReason, KeyAlgorithm};
use cryptoki::{
    object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle},
    session::Session,
};
use sha2::{Digest, Sha256};

use crate::{
    fault::{Failure, while_doing},
    generate::SECRET_BYTES,
    spki::{self, PublicKey},
};

/// The longest deployment id and version name, in bytes.
const MAX_NAME: usize = 512;

/// The `CKA_ID` of an object.
pub(crate) type ObjectId = [u8; 32];

/// The keys of the deployment itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SystemKey {
    /// Signs checkpoints of the audit log.
    Audit,
    /// Signs the deployment's own certificates.
    DeploymentCa,
}

impl SystemKey {
    /// Both of them.
    pub(crate) const ALL: [Self; 2] = [Self::Audit, Self::DeploymentCa];

    /// `CKA_LABEL`: the same in every deployment, so that a foreign deployment's objects are recognized.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Audit => "chancery audit key",
            Self::DeploymentCa => "chancery deployment ca",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Audit => "system/audit",
            Self::DeploymentCa => "system/ca",
        }
    }

    /// The id of this key in `deployment`.
    pub(crate) fn id(self, deployment: &str) -> ObjectId {
        object_id(deployment, self.name())
    }
}

/// The objects of one deployment: how they are named, and who may change which are there.
///
/// SoftHSM 2.6.1 is known to crash under concurrency (softhsm/SoftHSMv2#688), and one enclave ended for no known reason
/// while keys were made and used. So, as a precaution (no test of ours brings the crash about without it), making and
/// destroying objects excludes searching for them and reading their attributes; session objects too, since they share
/// the table of handles. Using a key whose handle is known takes no part in this: it touches that one object, and a slow
/// key generation must not hold up signatures. What it costs: the first use of a key waits for a key that is being made.
#[derive(Debug)]
pub(crate) struct Directory {
    deployment: String,
    objects: RwLock<()>,
}

impl Directory {
    /// Of `deployment`.
    pub(crate) fn new(deployment: String) -> Self {
        Self { deployment, objects: RwLock::default() }
    }

    /// The deployment's id.
    pub(crate) fn deployment(&self) -> &str {
        &self.deployment
    }

    /// The id of a key version's objects: see [`version_id`].
    pub(crate) fn version_id(&self, version: &str) -> Result<ObjectId, Failure> {
        version_id(&self.deployment, version)
    }

    /// Held while objects are searched for or their attributes are read.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, ()> {
        self.objects.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Held while objects are made or destroyed. Taken before a key's own lock (`keys::Key::hold`), never after.
    pub(crate) fn change(&self) -> RwLockWriteGuard<'_, ()> {
        self.objects.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The organization whose key `version` is.
pub(crate) fn organization_of(version: &str) -> Result<&str, Failure> {
    let name = version.strip_prefix("organizations/").and_then(|rest| rest.split_once('/')).map(|(name, _)| name);
    name.filter(|name| !name.is_empty())
        .ok_or_else(|| Failure::bad_request("a key version's name starts with organizations/{organization}/"))
}

/// The id of an organization's key-encryption key of a generation.
pub(crate) fn kek_id(deployment: &str, organization: &str, generation: u64) -> Result<ObjectId, Failure> {
    check_organization(organization)?;
    if generation == 0 {
        return Err(Failure::bad_request("generations of a key-encryption key count from 1"));
    }
    Ok(object_id(deployment, &format!("system/kek/{organization}/{generation}")))
}

/// Checks an organization's id.
pub(crate) fn check_organization(organization: &str) -> Result<(), Failure> {
    check_name("organization", organization)?;
    if organization.contains('/') {
        return Err(Failure::bad_request("an organization's id has no slash"));
    }
    Ok(())
}

/// Checks a deployment's id.
pub(crate) fn check_deployment(deployment: &str) -> Result<(), Failure> {
    check_name("deployment", deployment)
}

/// The id of a key version's objects.
///
/// # Errors
/// `BadRequest` for a name that is no version's: among them every system key's.
pub(crate) fn version_id(deployment: &str, version: &str) -> Result<ObjectId, Failure> {
    check_name("version", version)?;
    if !version.starts_with("organizations/") {
        return Err(Failure::bad_request("a key version's name starts with organizations/"));
    }
    Ok(object_id(deployment, version))
}

fn check_name(what: &str, name: &str) -> Result<(), Failure> {
    // A NUL would make the hashed input ambiguous.
    if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(Failure::bad_request(format!("the {what} is empty, too long or has control characters")));
    }
    Ok(())
}

fn object_id(deployment: &str, name: &str) -> ObjectId {
    let mut hash = Sha256::new();
    for part in ["chancery object v1", "\0", deployment, "\0", name] {
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

/// Every object with this id, of one class or of all.
pub(crate) fn find(session: &Session, id: &ObjectId, class: Option<ObjectClass>) -> Result<Vec<ObjectHandle>, Failure> {
    let mut template = vec![Attribute::Token(true), Attribute::Id(id.to_vec())];
    template.extend(class.map(Attribute::Class));
    session.find_objects(&template).map_err(while_doing("looking for a key"))
}

/// Whether the token holds a system key of any deployment.
pub(crate) fn any_system_key(session: &Session) -> Result<bool, Failure> {
    for key in SystemKey::ALL {
        let template = [Attribute::Token(true), Attribute::Label(key.label().into())];
        if !session.find_objects(&template).map_err(while_doing("looking for a deployment"))?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A key pair as it stands in the token.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) private: ObjectHandle,
    pub(crate) public: PublicKey,
}

/// The one pair with this id. `None` when there is nothing of it.
///
/// # Errors
/// `KeyMismatch` when the token holds half a pair, several, or a private key that can be read out.
pub(crate) fn find_pair(session: &Session, id: &ObjectId) -> Result<Option<Pair>, Failure> {
    let private = find(session, id, Some(ObjectClass::PRIVATE_KEY))?;
    let public = find(session, id, Some(ObjectClass::PUBLIC_KEY))?;
    let (private, public) = match (private.as_slice(), public.as_slice()) {
        ([], []) => return Ok(None),
        ([private], [public]) => (*private, *public),
        (private, public) => {
            return Err(Failure::new(
                FaultReason::KeyMismatch,
                format!(
                    "the token holds {} private and {} public objects of one key; exactly one of each is expected",
                    private.len(),
                    public.len()
                ),
            ));
        }
    };
    if !is_confined(session, private)? {
        return Err(Failure::new(
            FaultReason::KeyMismatch,
            "the private key in the token is not sensitive or is extractable: it is not one that Chancery made",
        ));
    }
    Ok(Some(Pair { private, public: spki::read(session, public)? }))
}

/// The one secret key with this id. `None` when there is none.
///
/// # Errors
/// `KeyMismatch` when there are several, when it can be read out, or when it is no key of `algorithm`.
pub(crate) fn find_secret(
    session: &Session,
    id: &ObjectId,
    algorithm: KeyAlgorithm,
) -> Result<Option<ObjectHandle>, Failure> {
    let mismatch = |why: String| Err(Failure::new(FaultReason::KeyMismatch, why));
    let key = match find(session, id, Some(ObjectClass::SECRET_KEY))?[..] {
        [] => return Ok(None),
        [key] => key,
        ref several => return mismatch(format!("the token holds {} objects of one secret key", several.len())),
    };
    if !is_confined(session, key)? {
        return mismatch(
            "the secret key in the token is not sensitive or is extractable: it is not one that Chancery made".into(),
        );
    }
    let key_types: &[KeyType] = match algorithm {
        KeyAlgorithm::Aes256 => &[KeyType::AES],
        KeyAlgorithm::HmacSha256 => &[KeyType::GENERIC_SECRET, KeyType::SHA256_HMAC],
        _ => &[],
    };
    let found = session
        .get_attributes(key, &[AttributeType::KeyType, AttributeType::ValueLen])
        .map_err(while_doing("reading a key"))?;
    let fits = key_types.iter().any(|key_type| found.contains(&Attribute::KeyType(*key_type)))
        && found.contains(&Attribute::ValueLen(SECRET_BYTES.into()));
    if fits { Ok(Some(key)) } else { mismatch(format!("the secret key in the token is none of {algorithm:?}")) }
}

fn is_confined(session: &Session, private: ObjectHandle) -> Result<bool, Failure> {
    use AttributeType as T;
    let attributes =
        session.get_attributes(private, &[T::Sensitive, T::Extractable]).map_err(while_doing("reading a key"))?;
    Ok(attributes.contains(&Attribute::Sensitive(true)) && attributes.contains(&Attribute::Extractable(false)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with `printf 'chancery object v1\0d1\0organizations/org1/keys/k/versions/1' | sha256sum`.
    #[test]
    fn the_id_is_the_documented_hash() {
        let id = version_id("d1", "organizations/org1/keys/k/versions/1").unwrap();
        assert_eq!(hex::encode(id), "0727d7d8c1e79cb42035b52d693ee0a3299209a149cb2e0ffee85cff63c0c59b");
    }

    #[test]
    fn no_version_is_named_like_a_system_key() {
        for key in SystemKey::ALL {
            assert_eq!(version_id("d1", key.name()).unwrap_err().reason, FaultReason::BadRequest);
        }
        for name in ["", "organizations", "organizations/\0", "/organizations/a", "Organizations/a"] {
            assert!(version_id("d1", name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_name_in_one_deployment_is_another_object_in_the_next() {
        let name = "organizations/a/keys/b/versions/1";
        assert_ne!(version_id("d1", name).unwrap(), version_id("d2", name).unwrap());
    }
}

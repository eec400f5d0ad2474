//! Objects, page by page.
//!
//! **Invariants**: what a revision names is all that a listing depends on but the time and the caller's address, which
//! policies may read: what is listed too long is refused when it is used. A page asks the policies about no more
//! than about [`EXAMINED`] keys, and about none that are gone.

use super::Objects;
use crate::{
    access::{Access, Caller, Grant, Peer, Target},
    crypto::sha256,
    directory::{KeyEntry, KeyObject, Version},
    error::Error,
    model::{
        Action, CertificateObject, Hash, KeyName, KeyOrVersionName, KeyState, KeyVersionName, OrganizationName, Purpose,
    },
    policy::Context,
};
use std::sync::Arc;

/// Keys that one page looks at.
const EXAMINED: usize = 20_000;
/// Keys taken from the directory at a time; then others have their turn.
const BATCH: usize = 256;

/// What is to be listed.
#[derive(Debug, Clone)]
pub struct Listing {
    /// Whose keys.
    pub organization: OrganizationName,
    /// What follows this one.
    pub after: Option<After>,
    /// The most on a page, unless one version has more.
    pub limit: usize,
    /// The revision of an earlier listing.
    pub known_revision: Vec<u8>,
}

/// Where a page ends. Keys come before certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    /// All versions of this key are listed.
    Key(KeyName),
    /// This version of its key, and those before it.
    Version(KeyVersionName),
    /// All keys, and the caller's certificates up to this one.
    Certificate(String),
}

/// One object.
#[derive(Debug, Clone)]
pub enum Shown {
    /// Of a key version.
    Key(Arc<KeyEntry>, Arc<Version>, KeyObject),
    /// The certificate bound to a version, with the attributes of this object of it.
    Bound(Arc<KeyEntry>, Arc<Version>, KeyObject),
    /// A certificate that was given.
    Certificate(CertificateObject),
}

/// A page of objects.
#[derive(Debug, Default)]
pub struct Page {
    /// What is on it.
    pub objects: Vec<Shown>,
    /// Where to go on.
    pub next: Option<After>,
    /// The state that this is of.
    pub revision: Vec<u8>,
    /// Nothing changed since the known revision: nothing is listed.
    pub unchanged: bool,
}

/// What using a key is, as its policies are asked: of a signature, with a SHA-256 digest.
fn typical_use(purpose: Purpose) -> (Action, Context) {
    let of_32_bytes = || Context::new().number("size", 32);
    match purpose {
        Purpose::Sign | Purpose::Certify => {
            let hash = Hash::Sha256.as_str();
            (Action::Sign, of_32_bytes().text("input", "digest").text("hash", hash))
        }
        Purpose::Encrypt => (Action::Decrypt, of_32_bytes()),
        Purpose::Agree => (Action::DeriveSharedSecret, Context::new()),
        Purpose::Mac => (Action::GenerateMac, of_32_bytes()),
        Purpose::Wrap => (Action::WrapKey, of_32_bytes()),
    }
}

/// Whether the caller sees a key's objects: it may use the key, or owns it and may see it. An owner whom a policy keeps from
/// using its key finds it, so that its attempts are denied, and recorded.
fn shows(access: &Access, caller: &Caller, entry: &KeyEntry) -> bool {
    let may = |action, context| {
        let target = Target::Key(KeyOrVersionName::Key(entry.key.name.clone()));
        access.would_permit(caller, action, target, context)
    };
    let (action, context) = typical_use(entry.key.purpose);
    let owns = entry.key.owner == caller.principal().name;
    entry.mismatch.is_none() && (owns && may(Action::GetKey, Context::new()) || may(action, context))
}

/// Whether a version is one that clients were ever to use, and is not gone.
fn is_shown(version: &Version) -> bool {
    version.mismatch.is_none() && !matches!(version.row.state, KeyState::PreActive | KeyState::Destroyed)
}

impl Objects {
    /// The next objects that the caller may see.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn list(&self, peer: &Arc<Peer>, listing: Listing) -> Result<Page, Error> {
        let Listing { organization, after, limit, known_revision } = listing;
        let target = Target::Organization(organization.clone());
        let grant = self.admission.admit(peer, Action::ListObjects, target).await?;
        // Read first: what comes later makes the listing newer than its revision, never older.
        let revision = self.revision(&grant, &organization);
        if after.is_none() && known_revision == revision {
            return Ok(Page { revision, unchanged: true, ..Page::default() });
        }
        let mut page = Page { revision, ..Page::default() };
        let after = match after {
            Some(After::Certificate(id)) => Some(id),
            keys => {
                self.list_keys(grant.caller(), &organization, keys, limit, &mut page).await;
                if page.next.is_some() {
                    return Ok(page);
                }
                None
            }
        };
        self.list_certificates(&grant, after, limit, &mut page);
        Ok(page)
    }

    fn revision(&self, grant: &Grant, organization: &OrganizationName) -> Vec<u8> {
        let principal = grant.caller().principal();
        let number = self.admission.access().directory().objects_revision(organization);
        let own = grant.permit().organization_policy_set_hash().copied().unwrap_or_default();
        let asks = format!("{organization}\0{}\0{}", principal.name, principal.role);
        let parts = [&self.process[..], &number.to_be_bytes(), grant.permit().policy_set_hash(), &own, asks.as_bytes()];
        sha256(&parts.concat()).to_vec()
    }

    /// Objects of keys, as many as the page takes.
    async fn list_keys(
        &self,
        caller: &Caller,
        organization: &OrganizationName,
        after: Option<After>,
        limit: usize,
        page: &mut Page,
    ) {
        let access = self.admission.access();
        let mut examined = 0;
        let mut last = match after {
            Some(After::Version(version)) => {
                let key = version.key().clone();
                if let Some(entry) = access.directory().key(&key).filter(|entry| shows(access, caller, entry))
                    && !self.list_versions(caller, &entry, version.number(), limit, page)
                {
                    return;
                }
                Some(key)
            }
            Some(After::Key(key)) => Some(key),
            _ => None,
        };
        loop {
            let batch = access.directory().keys(organization, last.as_ref(), BATCH);
            if batch.is_empty() {
                return;
            }
            for entry in batch {
                last = Some(entry.key.name.clone());
                // Keys that are gone are not asked about, however many there were.
                if !entry.versions.values().any(|version| is_shown(version)) {
                    continue;
                }
                examined += 1;
                if shows(access, caller, &entry) && !self.list_versions(caller, &entry, 0, limit, page) {
                    return;
                }
            }
            tokio::task::yield_now().await;
            if examined >= EXAMINED {
                page.next = last.map(After::Key);
                return;
            }
        }
    }

    /// A key's versions after that number; false: the page is full.
    fn list_versions(&self, caller: &Caller, entry: &Arc<KeyEntry>, after: u64, limit: usize, page: &mut Page) -> bool {
        let mut listed = entry.key.name.version(after);
        for (number, version) in entry.versions.range(after + 1..) {
            let objects = self.objects_of(caller, entry, version);
            if !page.objects.is_empty() && page.objects.len() + objects.len() > limit {
                page.next = Some(After::Version(listed));
                return false;
            }
            page.objects.extend(objects);
            listed = entry.key.name.version(*number);
        }
        true
    }

    fn objects_of(&self, caller: &Caller, entry: &Arc<KeyEntry>, version: &Arc<Version>) -> Vec<Shown> {
        if !is_shown(version) {
            return Vec::new();
        }
        let objects = entry.objects_of(version);
        // The private one comes first.
        let bound = objects.first().cloned().filter(|_| self.shows_bound(caller, version));
        let shown = |object| Shown::Key(Arc::clone(entry), Arc::clone(version), object);
        let bound = bound.map(|object| Shown::Bound(Arc::clone(entry), Arc::clone(version), object));
        objects.into_iter().map(shown).chain(bound).collect()
    }

    /// Whether a version has a certificate that the caller's own do not stand for.
    fn shows_bound(&self, caller: &Caller, version: &Version) -> bool {
        let directory = self.admission.access().directory();
        let Some(certificate) = &version.row.certificate else { return false };
        !directory.has_certificate_object(&caller.principal().name, certificate)
    }

    fn list_certificates(&self, grant: &Grant, after: Option<String>, limit: usize, page: &mut Page) {
        let directory = self.admission.access().directory();
        let room = limit.saturating_sub(page.objects.len());
        let principal = &grant.caller().principal().name;
        let mut last = after;
        for (at, certificate) in
            directory.certificate_objects(principal, last.as_deref(), room + 1).into_iter().enumerate()
        {
            if at == room {
                page.next = Some(After::Certificate(last.unwrap_or_default()));
                return;
            }
            last = Some(certificate.certificate_id.clone());
            page.objects.push(Shown::Certificate(certificate));
        }
    }
}

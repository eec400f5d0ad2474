//! The registry: organizations, their trust anchors, and the keys they gave roles.

use super::{RegistryError, anchor::Anchor};
use crate::model::{Organization, OrganizationName, PrincipalName, Registration, Role, TrustAnchor};
use rustls::crypto::{WebPkiSupportedAlgorithms, aws_lc_rs};
use std::collections::{BTreeMap, HashMap, btree_map::Entry};

/// An immutable snapshot of the registry, checked as a whole and built anew on each change.
#[derive(Debug)]
pub struct Registry {
    organizations: BTreeMap<OrganizationName, Organization>,
    pub(super) anchors: Vec<Anchor>,
    registrations: HashMap<[u8; 32], Registration>,
    registered_roles: HashMap<PrincipalName, Role>,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl Registry {
    /// Checks that every part is sound and that they agree: an anchor, by its public key, belongs to one organization
    /// and was not issued by another's; a registered key is one principal's, and a registered principal has one role.
    /// A principal may have several keys, so that one can follow another.
    ///
    /// # Errors
    /// [`RegistryError`] for the first part that does not fit.
    pub fn new(
        organizations: Vec<Organization>,
        anchors: Vec<TrustAnchor>,
        registrations: Vec<Registration>,
    ) -> Result<Self, RegistryError> {
        let mut registry = Self {
            organizations: BTreeMap::new(),
            anchors: Vec::with_capacity(anchors.len()),
            registrations: HashMap::with_capacity(registrations.len()),
            registered_roles: HashMap::with_capacity(registrations.len()),
            algorithms: aws_lc_rs::default_provider().signature_verification_algorithms,
        };
        for organization in organizations {
            match registry.organizations.entry(organization.name.clone()) {
                Entry::Vacant(entry) => entry.insert(organization),
                Entry::Occupied(entry) => return Err(RegistryError::OrganizationTwice(entry.key().clone())),
            };
        }
        for anchor in anchors {
            registry.known(&anchor.organization)?;
            registry.anchors.push(Anchor::parse(anchor)?);
        }
        registry.separate_anchors()?;
        for registration in registrations {
            registry.known(registration.name.organization())?;
            registry.register(registration)?;
        }
        Ok(registry)
    }

    /// An organization by name.
    pub fn organization(&self, name: &OrganizationName) -> Option<&Organization> {
        self.organizations.get(name)
    }

    /// All organizations, by name.
    pub fn organizations(&self) -> impl Iterator<Item = &Organization> {
        self.organizations.values()
    }

    /// The registration of a public key in an organization.
    pub(super) fn registration(&self, organization: &OrganizationName, key: &[u8; 32]) -> Option<&Registration> {
        self.registrations.get(key).filter(|registration| registration.name.organization() == organization)
    }

    /// Whether a principal is registered, with whatever key.
    pub(super) fn is_registered(&self, name: &PrincipalName) -> bool {
        self.registered_roles.contains_key(name)
    }

    fn known(&self, organization: &OrganizationName) -> Result<(), RegistryError> {
        match self.organization(organization) {
            Some(_) => Ok(()),
            None => Err(RegistryError::UnknownOrganization(organization.clone())),
        }
    }

    fn separate_anchors(&self) -> Result<(), RegistryError> {
        for (index, one) in self.anchors.iter().enumerate() {
            for other in self.anchors[index + 1..].iter().filter(|other| other.organization() != one.organization()) {
                if one.public_key_sha256() == other.public_key_sha256() {
                    return Err(RegistryError::AnchorShared {
                        anchor: one.name(),
                        first: one.organization().clone(),
                        second: other.organization().clone(),
                    });
                }
                for (issued, issuer) in [(one, other), (other, one)] {
                    if issued.was_issued_by(issuer, self.algorithms.all) {
                        return Err(RegistryError::AnchorIssuedByOther {
                            anchor: issued.name(),
                            organization: issued.organization().clone(),
                            issuer: issuer.organization().clone(),
                        });
                    }
                }
            }
        }
        Ok(())
    }

    fn register(&mut self, registration: Registration) -> Result<(), RegistryError> {
        let Registration { name, role, public_key_sha256 } = registration.clone();
        if let Some(first) = self.registered_roles.insert(name.clone(), role).filter(|first| *first != role) {
            return Err(RegistryError::TwoRoles { name, first, second: role });
        }
        match self.registrations.insert(public_key_sha256, registration) {
            Some(first) if first.name != name => Err(RegistryError::KeyOfTwo { first: first.name, second: name }),
            _ => Ok(()),
        }
    }
}

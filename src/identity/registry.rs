//! The registry: organizations, their trust anchors, and the keys they gave roles.

use super::{IdentityError, RegistryError, Revocations, anchor::Anchor, revocation::newest};
use crate::{
    certificates::CertificateList,
    model::{Organization, OrganizationName, PrincipalName, Registration, Role, Suspended, Suspension, TrustAnchor},
};
use rustls::crypto::{WebPkiSupportedAlgorithms, aws_lc_rs};
use std::{
    collections::{BTreeMap, HashMap, HashSet, btree_map::Entry},
    sync::Arc,
};

/// An immutable snapshot of the registry, checked as a whole and built anew on each change.
#[derive(Debug)]
pub struct Registry {
    organizations: BTreeMap<OrganizationName, Organization>,
    pub(super) anchors: Vec<Anchor>,
    /// By SHA-256 of the SubjectPublicKeyInfo.
    registrations: HashMap<[u8; 32], (PrincipalName, Role)>,
    registered_roles: HashMap<PrincipalName, Role>,
    /// Whose platform operators there are.
    operator: Option<OrganizationName>,
    suspended: HashSet<(OrganizationName, Suspended)>,
    /// The newest list of each anchor key, by SHA-256 of the SubjectPublicKeyInfo.
    pub(super) lists: HashMap<[u8; 32], Arc<CertificateList>>,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

/// What a registry is made of.
#[derive(Debug, Clone, Default)]
pub struct Members {
    /// Organizations.
    pub organizations: Vec<Organization>,
    /// Their trust anchors, those removed too.
    pub anchors: Vec<TrustAnchor>,
    /// Principals whose keys are registered.
    pub registrations: Vec<Registration>,
    /// Suspensions in force.
    pub suspensions: Vec<Suspension>,
    /// The newest revocation list of each anchor that has one, removed or not.
    pub revocation_lists: Vec<Revocations>,
}

impl Registry {
    /// Checks that every part is sound and that they agree: an anchor, by its public key, belongs to one organization
    /// and was not issued by another's; a registered key is one principal's, and a registered principal has one role.
    /// One organization has platform operators. A principal may have several keys, so that one can follow another.
    ///
    /// # Errors
    /// [`RegistryError`] for the first part that does not fit.
    pub fn new(members: Members) -> Result<Self, RegistryError> {
        let Members { organizations, anchors, registrations, suspensions, revocation_lists } = members;
        let mut registry = Self {
            organizations: BTreeMap::new(),
            anchors: Vec::with_capacity(anchors.len()),
            registrations: HashMap::with_capacity(registrations.len()),
            registered_roles: HashMap::with_capacity(registrations.len()),
            operator: None,
            suspended: suspensions.into_iter().map(|row| (row.organization, row.subject)).collect(),
            lists: newest(&anchors, revocation_lists),
            algorithms: aws_lc_rs::default_provider().signature_verification_algorithms,
        };
        for organization in organizations {
            match registry.organizations.entry(organization.name.clone()) {
                Entry::Vacant(entry) => entry.insert(organization),
                Entry::Occupied(entry) => return Err(RegistryError::OrganizationTwice(entry.key().clone())),
            };
        }
        for anchor in anchors.into_iter().filter(|anchor| !anchor.removed) {
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
    pub(super) fn registration(
        &self,
        organization: &OrganizationName,
        key: &[u8; 32],
    ) -> Option<&(PrincipalName, Role)> {
        self.registrations.get(key).filter(|(name, _)| name.organization() == organization)
    }

    /// Whether a principal is registered, with whatever key.
    pub(super) fn is_registered(&self, name: &PrincipalName) -> bool {
        self.registered_roles.contains_key(name)
    }

    /// Refuses what the organization has suspended.
    ///
    /// # Errors
    /// [`IdentityError::Suspended`].
    pub(super) fn require_not_suspended(
        &self,
        organization: &OrganizationName,
        subject: Suspended,
    ) -> Result<(), IdentityError> {
        let said = (organization.clone(), subject);
        if !self.suspended.contains(&said) {
            return Ok(());
        }
        Err(IdentityError::Suspended(match said.1 {
            Suspended::Principal(name) => name.to_string(),
            Suspended::Certificate(_) => "this certificate".into(),
            Suspended::PublicKey(_) => "this certificate's public key".into(),
        }))
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
        let Registration { name, role, public_keys_sha256 } = registration;
        if role == Role::PlatformOperator {
            let operator = self.operator.get_or_insert_with(|| name.organization().clone());
            if operator != name.organization() {
                let (first, second) = (operator.clone(), name.organization().clone());
                return Err(RegistryError::SeveralOperators { first, second });
            }
        }
        if let Some(first) = self.registered_roles.insert(name.clone(), role).filter(|first| *first != role) {
            return Err(RegistryError::TwoRoles { name, first, second: role });
        }
        for key in public_keys_sha256 {
            if let Some((first, _)) =
                self.registrations.insert(key, (name.clone(), role)).filter(|(first, _)| *first != name)
            {
                return Err(RegistryError::KeyOfTwo { first, second: name });
            }
        }
        Ok(())
    }
}

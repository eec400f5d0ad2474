//! [`Policies`]: all that are in force, and which of them are asked.

use super::{
    AccessRequest, Denial, Explanation, LabelsRead, OrganizationSet, Permit, PolicySet, Verdict,
    decision::Decision,
    evaluate::{Answer, evaluate},
};
use chancery_model::OrganizationName;
use std::{collections::HashMap, sync::Arc};

/// The base set and organizations' own policies. A change makes another of these, which shares what stays.
#[derive(Debug, Clone)]
pub struct Policies {
    base: Arc<PolicySet>,
    organizations: HashMap<OrganizationName, Arc<OrganizationSet>>,
}

/// The policies that are asked about a request: the base set, and an organization's own where it is at home there.
#[derive(Debug, Clone)]
pub struct Asked {
    base: Arc<PolicySet>,
    own: Option<Arc<OrganizationSet>>,
}

impl Policies {
    /// The base set alone.
    pub fn new(base: impl Into<Arc<PolicySet>>) -> Self {
        Self { base: base.into(), organizations: HashMap::new() }
    }

    /// With another base set.
    #[must_use]
    pub fn with_base(&self, base: impl Into<Arc<PolicySet>>) -> Self {
        Self { base: base.into(), organizations: self.organizations.clone() }
    }

    /// With this set in the place of the one its organization had; an empty text is none.
    #[must_use]
    pub fn with_organization(&self, set: impl Into<Arc<OrganizationSet>>) -> Self {
        let (mut with, set) = (self.clone(), set.into());
        if set.text().is_empty() {
            with.organizations.remove(set.organization());
        } else {
            with.organizations.insert(set.organization().clone(), set);
        }
        with
    }

    /// The base set.
    pub fn base(&self) -> &Arc<PolicySet> {
        &self.base
    }

    /// An organization's own policies, if it has any.
    pub fn organization(&self, name: &OrganizationName) -> Option<&Arc<OrganizationSet>> {
        self.organizations.get(name)
    }

    /// Every organization's own policies.
    pub fn organizations(&self) -> impl Iterator<Item = &Arc<OrganizationSet>> {
        self.organizations.values()
    }

    /// Labels that policies read which are asked about this organization's keys: a key's owner does not set them, for
    /// it would choose what it is permitted.
    pub fn labels_read(&self, organization: &OrganizationName) -> LabelsRead {
        let base = self.base.covering.labels_read();
        match self.organization(organization) {
            Some(own) => base.and(own.covering.labels_read()),
            None => base.clone(),
        }
    }

    /// Those asked about a request whose home ([`AccessRequest::home`]) this is.
    pub fn asked(&self, home: Option<&OrganizationName>) -> Asked {
        let own = home.and_then(|name| self.organizations.get(name)).cloned();
        Asked { base: Arc::clone(&self.base), own }
    }

    /// Decides.
    ///
    /// # Errors
    /// As [`Asked::authorize`].
    pub fn authorize(&self, request: AccessRequest) -> Result<Permit, Denial> {
        self.asked(request.home()).authorize(request)
    }

    /// Decides, and says why. Nothing can be done with the answer.
    pub fn explain(&self, request: &AccessRequest) -> Explanation {
        self.asked(request.home()).explain(request)
    }
}

impl Asked {
    /// Whether these are the very same.
    pub fn are(&self, others: &Self) -> bool {
        let own = match (&self.own, &others.own) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            _ => false,
        };
        own && Arc::ptr_eq(&self.base, &others.base)
    }

    /// Decides. The same steps are taken whether a key exists or not.
    ///
    /// # Errors
    /// [`Denial`] when nothing permits the request, when anything forbids it, and when any policy could not be
    /// evaluated.
    pub fn authorize(&self, request: AccessRequest) -> Result<Permit, Denial> {
        let Answer { verdict, policy_ids, evaluation_errors } = self.answer(&request);
        let own = self.own.as_ref();
        let reads = self.base.covering.reads(request.action);
        let reads = own.map_or(reads, |own| reads.and(own.covering.reads(request.action)));
        let decision = Decision {
            policy_ids: policy_ids.into(),
            base_hash: self.base.hash(),
            organization_hash: own.map(|own| own.hash()),
            evaluation_errors,
            reads,
            request,
        };
        if verdict == Verdict::Permitted { Ok(Permit::new(decision)) } else { Err(Denial::new(decision)) }
    }

    /// Decides, and says why.
    pub fn explain(&self, request: &AccessRequest) -> Explanation {
        let Answer { verdict, policy_ids, evaluation_errors } = self.answer(request);
        let text = |id: &String| self.covering().find_map(|covering| covering.text(request.action, id));
        let policies = policy_ids.into_iter().map(|id| (text(&id).unwrap_or_default(), id));
        Explanation {
            verdict,
            policies: policies.map(|(text, id)| (id, text)).collect(),
            evaluation_errors,
            policy_set_hash: self.base.hash(),
            organization_policy_set_hash: self.own.as_ref().map(|own| own.hash()),
        }
    }

    fn answer(&self, request: &AccessRequest) -> Answer {
        // Whoever asked for these need not have known the request.
        let own = self.own.iter().filter(|own| request.home() == Some(own.organization()));
        evaluate(request, std::iter::once(&self.base.covering).chain(own.map(|own| &own.covering)))
    }

    fn covering(&self) -> impl Iterator<Item = &super::covering::Covering> {
        std::iter::once(&self.base.covering).chain(self.own.iter().map(|own| &own.covering))
    }
}

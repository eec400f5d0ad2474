//! Records in the making: everything but index, time and salt, which the writer sets.
//!
//! **Invariants**: no message body, PIN or key material goes in; a signature only through [`Draft::signature`]. Whatever the
//! enclave did stands in it as the enclave said it, or is owed to the log (`enclave::Witness`).

use crate::{
    access::{Grant, Target},
    crypto::{Input, sha256},
    enclave::Witness,
    error::{Error, Performed},
    model::{Action, Key, Mechanism, Principal, RequestId, Scheduled},
    policy::{Decision, Denial, OrganizationSet, PolicySet, Resource},
    store::Row,
};
use chancery_audit::{
    record::{
        ContextValue, Count, Genesis, Kind, Outcome, PolicyFile, PolicySet as RecordedPolicies,
        Principal as RecordedPrincipal, Record, SignatureCheck, Statement,
    },
    snapshot::{self, Archived},
};

/// See the module.
#[derive(Debug)]
pub struct Draft(Box<Record>, Option<Witness>);

fn principal(of: &Principal) -> RecordedPrincipal {
    RecordedPrincipal {
        organization: of.name.organization().id().into(),
        name: of.name.id().into(),
        role: of.role.to_string(),
        certificate_fingerprint: of.certificate_fingerprint.to_vec(),
    }
}

fn resource(of: &Resource) -> String {
    match of {
        Resource::Organization { name, .. } => name.to_string(),
        Resource::Key { name, .. } => name.to_string(),
        Resource::Log { organization } => organization.to_string(),
        Resource::Deployment { .. } => "deployment".to_owned(),
    }
}

impl Draft {
    fn of(kind: Kind, action: &str) -> Self {
        Self(Box::new(Record { kind: kind.into(), action: action.into(), ..Record::default() }), None)
    }

    fn decided(kind: Kind, decision: &Decision, of: &RequestId) -> Self {
        let request = decision.request();
        let mut draft = Self::of(kind, request.action.as_str());
        draft.0.principal = Some(principal(&request.principal));
        draft.0.resource = resource(&request.resource);
        // A stranger must not learn from its own records that another organization's key exists.
        let own = request.principal.name.organization() == request.resource.organization();
        if let Resource::Key { facts: Some(key), .. } = &request.resource
            && own
        {
            draft.0.algorithm = key.algorithm.to_string();
            draft.0.protection = key.protection.to_string();
        }
        let context = decision.recorded_context();
        draft.0.context = context.map(|(key, value)| ContextValue { key: key.to_owned(), value }).collect();
        draft.0.policy_ids = decision.policy_ids().to_vec();
        draft.0.policy_set_hash = decision.policy_set_hash().to_vec();
        draft.0.organization_policy_set_hash =
            decision.organization_policy_set_hash().map(|hash| hash.to_vec()).unwrap_or_default();
        draft.0.request_id = of.id.clone();
        draft.0.request_hash = of.hash.to_vec();
        draft
    }

    fn granted(kind: Kind, grant: &Grant, of: &RequestId) -> Self {
        let draft = Self::decided(kind, grant.permit(), of);
        match grant.target() {
            Target::Key(name) => draft.resource(name),
            _ => draft,
        }
    }

    /// An operation that a crash could leave half done is about to start.
    pub fn intent(grant: &Grant, of: &RequestId) -> Self {
        Self::granted(Kind::Intent, grant, of)
    }

    /// An operation succeeded.
    pub fn outcome(grant: &Grant, of: &RequestId) -> Self {
        let mut draft = Self::granted(Kind::Outcome, grant, of);
        draft.0.outcome = Outcome::Succeeded.into();
        draft
    }

    /// The first answer to a request was given again.
    pub fn replayed(grant: &Grant, of: &RequestId) -> Self {
        let mut draft = Self::outcome(grant, of);
        draft.0.outcome = Outcome::Replayed.into();
        draft
    }

    /// The same, where the caller was asked for less than the request's own action, which was decided before.
    pub fn replayed_as(action: Action, grant: &Grant, of: &RequestId) -> Self {
        let mut draft = Self::replayed(grant, of);
        draft.0.action = action.as_str().into();
        draft
    }

    /// An operation failed after it was permitted.
    pub fn failed(grant: &Grant, of: &RequestId, error: &Error) -> Self {
        Self::outcome(grant, of).because(error)
    }

    fn because(mut self, error: &Error) -> Self {
        let outcome = match error.performed() {
            Some(Performed::Unknown) => Outcome::Unknown,
            Some(Performed::No) | None => Outcome::NotPerformed,
        };
        self.0.outcome = outcome.into();
        self.0.reason = error.reason().into();
        self
    }

    fn scheduled(kind: Kind, what: Scheduled, key: &Key) -> Self {
        Self::of(kind, what.as_str()).resource(&key.name).key(key.algorithm, key.protection)
    }

    /// The service is about to do by itself what a crash could leave half done.
    pub fn scheduled_intent(what: Scheduled, key: &Key) -> Self {
        Self::scheduled(Kind::Intent, what, key)
    }

    /// The service did by itself what a key's schedule says.
    pub fn scheduled_outcome(what: Scheduled, key: &Key) -> Self {
        let mut draft = Self::scheduled(Kind::Outcome, what, key);
        draft.0.outcome = Outcome::Succeeded.into();
        draft
    }

    /// What a key's schedule says can't be done.
    pub fn scheduled_failed(what: Scheduled, key: &Key, error: &Error) -> Self {
        Self::scheduled(Kind::Outcome, what, key).because(error)
    }

    /// Policy said no.
    pub fn denial(denial: &Denial, target: &Target, of: &RequestId) -> Self {
        let mut draft = Self::decided(Kind::Denial, denial, of);
        draft.0.outcome = Outcome::Denied.into();
        draft.0.reason = if denial.evaluation_errors().is_empty() { "DENIED" } else { "EVALUATION_ERROR" }.into();
        draft.resource(target)
    }

    /// A certificate made nobody of the caller.
    pub fn unidentified(organization: &str, fingerprint: [u8; 32], action: &str, reason: &str) -> Self {
        let mut draft = Self::of(Kind::Denial, action);
        draft.0.principal = Some(RecordedPrincipal {
            organization: organization.into(),
            certificate_fingerprint: fingerprint.to_vec(),
            ..RecordedPrincipal::default()
        });
        draft.0.outcome = Outcome::Denied.into();
        draft.0.reason = reason.into();
        draft
    }

    /// Events that were not recorded one by one.
    pub fn count(count: Count) -> Self {
        let mut draft = Self::of(Kind::Count, "");
        draft.0.count = Some(count);
        draft
    }

    /// Record 0.
    pub fn genesis(genesis: Genesis) -> Self {
        let mut draft = Self::of(Kind::Genesis, "Genesis");
        draft.0.genesis = Some(genesis);
        draft
    }

    /// The service's own change, e.g. of the registry at `init`.
    pub fn state_change(action: &str, rows: &[Row]) -> Self {
        let mut draft = Self::of(Kind::StateChange, action);
        if let [row] = rows {
            draft.0.resource = row.name();
        }
        draft.states(rows)
    }

    /// Records are archived, and may be removed.
    pub(super) fn archive(archived: &Archived) -> Self {
        let mut draft = Self::of(Kind::StateChange, snapshot::ACTION);
        let context = archived.context().into_iter();
        draft.0.context = context.map(|(key, value)| ContextValue { key: key.to_owned(), value }).collect();
        draft
    }

    /// A dangerous operation was permitted, and waits for a second officer.
    pub fn approval_requested(grant: &Grant, of: &RequestId, row: &Row) -> Self {
        let mut draft = Self::granted(Kind::StateChange, grant, of);
        draft.0.action = "RequestApproval".into();
        draft.resource(&row.name()).states(std::slice::from_ref(row))
    }

    /// The text of the base policies.
    pub fn policy_set(set: &PolicySet) -> Self {
        let file = |(path, text): &(String, String)| PolicyFile { path: path.clone(), text: text.clone() };
        let mut draft = Self::of(Kind::PolicySet, "LoadPolicies");
        draft.0.policy_set_hash = set.hash().to_vec();
        let files = set.files().iter().map(file).collect();
        draft.0.policy_set = Some(RecordedPolicies { hash: set.hash().to_vec(), files });
        draft
    }

    /// The text of an organization's own policies.
    pub fn organization_policy_set(set: &OrganizationSet) -> Self {
        let path = set.path();
        let mut draft = Self::of(Kind::PolicySet, "LoadPolicies").resource(&path);
        draft.0.organization_policy_set_hash = set.hash().to_vec();
        let files = vec![PolicyFile { path, text: set.text().to_owned() }];
        draft.0.policy_set = Some(RecordedPolicies { hash: set.hash().to_vec(), files });
        draft
    }

    /// An intent that was left without an outcome was settled.
    pub fn reconciled(intent: u64, resource: &str, request_id: &str, outcome: Outcome) -> Self {
        let mut draft = Self::of(Kind::Outcome, "Reconcile");
        draft.0.resource = resource.into();
        draft.0.request_id = request_id.into();
        draft.0.outcome = outcome.into();
        draft.after(intent)
    }

    /// On whose account the service does it.
    pub fn of_principal(mut self, of: &Principal) -> Self {
        self.0.principal = Some(principal(of));
        self
    }

    /// Why, as a word for programs.
    pub fn reason(mut self, reason: &'static str) -> Self {
        self.0.reason = reason.into();
        self
    }

    /// The resource, where it is more than the decision's.
    pub fn resource(mut self, name: &impl ToString) -> Self {
        self.0.resource = name.to_string();
        self
    }

    /// Key material that the decision did not know yet.
    pub fn key(mut self, algorithm: crate::model::Algorithm, protection: crate::model::Protection) -> Self {
        self.0.algorithm = algorithm.to_string();
        self.0.protection = protection.to_string();
        self
    }

    /// Rows as they are afterwards.
    pub fn states(mut self, rows: &[Row]) -> Self {
        self.0.states = rows.iter().map(Row::state).collect();
        self
    }

    /// How a key was used, other than for a signature.
    pub(super) fn mechanism(mut self, mechanism: Mechanism) -> Self {
        self.0.mechanism = mechanism.to_string();
        self
    }

    /// The intent that this settles.
    pub fn after(mut self, intent: u64) -> Self {
        self.0.intent = intent + 1;
        self
    }

    /// What the enclave did: with its link's resource and mechanism, from which its chain is computed again.
    pub fn witness(mut self, witness: impl Into<Option<Witness>>) -> Self {
        if let Some(witness) = witness.into() {
            let operation = witness.operation();
            self.0.resource.clone_from(&operation.version);
            self.0.mechanism.clone_from(&operation.mechanism);
            self.0.enclave_incarnation.clone_from(&operation.incarnation);
            self.0.enclave_operation = operation.number;
            self.0.enclave_commitment.clone_from(&operation.commitment);
            self.1 = Some(witness);
        }
        self
    }

    /// An operation of the enclave that has no other record: its own could not be written, or its answer came too late.
    pub fn unrecorded(witness: Witness) -> Self {
        let mut draft = Self::of(Kind::Outcome, "Reconcile").reason("NOT_RECORDED").witness(witness);
        draft.0.outcome = Outcome::Unknown.into();
        draft
    }

    /// What the enclave says it did.
    pub(super) fn statement(signed: Statement) -> Self {
        let mut draft = Self::of(Kind::Statement, "Statement");
        draft.0.statement = Some(signed);
        draft
    }

    pub(super) fn signature(mut self, input: &Input, signature: &[u8], format: &str, verified: bool) -> Self {
        self.0.mechanism = match (input.mechanism, input.hash) {
            (mechanism @ (Mechanism::RsaPkcs1 | Mechanism::RsaPss), Some(hash)) => format!("{mechanism}-{hash}"),
            (mechanism, _) => mechanism.to_string(),
        };
        self.0.digest_algorithm = input.hash.map(|hash| hash.to_string()).unwrap_or_default();
        self.0.digest = match input.mechanism {
            // Never a message body.
            Mechanism::Ed25519 | Mechanism::MlDsa => sha256(&input.value).to_vec(),
            _ => input.value.clone(),
        };
        self.0.signature = signature.to_vec();
        self.0.signature_format = format.into();
        self.0.signature_check = if verified { SignatureCheck::Checked } else { SignatureCheck::NotChecked }.into();
        self
    }

    /// The record, and what must not be forgotten if it isn't written.
    pub(super) fn into_parts(self) -> (Box<Record>, Option<Witness>) {
        (self.0, self.1)
    }
}

//! [`PolicySet`]: loading and the decision.

use super::{
    AccessRequest, Denial, LabelsRead, Permit, PolicyError, decision::Decided, memo::Permits, parse, source,
    translate::translate, vocabulary::Vocabulary,
};
use crate::model::Action;
use cedar_policy::{self as cedar, ActionConstraint, AuthorizationError, Decision};
use std::{fmt, path::Path, sync::Arc};

/// Policies that were parsed and validated, and do not change.
pub struct PolicySet {
    files: Vec<(String, String)>,
    hash: [u8; 32],
    /// By action, those policies whose scope may cover it: Cedar evaluates all it is given, one after the other.
    by_action: Vec<cedar::PolicySet>,
    labels_read: LabelsRead,
    vocabulary: Vocabulary,
    authorizer: cedar::Authorizer,
    permits: Permits,
}

impl PolicySet {
    /// Reads `schema.cedarschema` and every `*.cedar` file of `directory`; not its subdirectories.
    ///
    /// # Errors
    /// [`PolicyError`] when anything in it can't be used: then nothing is.
    pub fn load(directory: &Path) -> Result<Self, PolicyError> {
        Self::from_files(source::read(directory)?)
    }

    /// From (file name, text), in any order: `schema.cedarschema` and `*.cedar`.
    ///
    /// # Errors
    /// As [`PolicySet::load`].
    pub fn from_files(mut files: Vec<(String, String)>) -> Result<Self, PolicyError> {
        files.sort();
        files.iter().try_for_each(|(name, _)| source::check_name(name))?;
        if let Some(twice) = files.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(PolicyError::DuplicateFile { name: twice[0].0.clone() });
        }
        match files.iter().find(|(name, _)| name == source::SCHEMA_FILE) {
            None => return Err(PolicyError::MissingSchema),
            Some((_, text)) if text != source::SCHEMA => return Err(PolicyError::SchemaMismatch),
            Some(_) => {}
        }
        let policies = parse::policies(&files)?;
        Ok(Self::assemble(files, &policies))
    }

    /// The schema and base set of this version, as (file name, text).
    pub fn shipped() -> &'static [(&'static str, &'static str)] {
        source::SHIPPED
    }

    /// What decided, for records: SHA-256 over `chancery policy set v1\n` and, for each file by name, its name and its
    /// text, each preceded by its length in bytes as a 64-bit big-endian number.
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// (file name, text), by name.
    pub fn files(&self) -> &[(String, String)] {
        &self.files
    }

    /// Labels that the policies read, which a key's owner does not set: it would choose what it is permitted.
    pub fn labels_read(&self) -> &LabelsRead {
        &self.labels_read
    }

    /// Decides. The same steps are taken whether a key exists or not.
    ///
    /// # Errors
    /// [`Denial`] when nothing permits the request, when anything forbids it, and when any policy could not be
    /// evaluated: Cedar skips such a policy, so that a forbid which errs would allow.
    pub fn authorize(&self, request: AccessRequest) -> Result<Permit, Denial> {
        let policy_set_hash = self.hash;
        if let Some(policy_ids) = self.permits.find(&request) {
            return Ok(Permit::new(Decided { request, policy_ids, policy_set_hash, evaluation_errors: vec![] }));
        }
        let Answer { permitted, policy_ids, evaluation_errors } = self.answer(&request);
        let policy_ids: Arc<[String]> = policy_ids.into();
        if permitted {
            self.permits.remember(request.clone(), Arc::clone(&policy_ids));
        }
        let decided = Decided { request, policy_ids, policy_set_hash, evaluation_errors };
        if permitted { Ok(Permit::new(decided)) } else { Err(Denial::new(decided)) }
    }

    fn answer(&self, request: &AccessRequest) -> Answer {
        let (cedar_request, entities) = match translate(&self.vocabulary, request) {
            Ok(translated) => translated,
            Err(error) => {
                return Answer { permitted: false, policy_ids: vec![], evaluation_errors: vec![error.to_string()] };
            }
        };
        let policies = &self.by_action[request.action as usize];
        let response = self.authorizer.is_authorized(&cedar_request, policies, &entities);
        let (mut policy_ids, evaluation_errors): (Vec<_>, Vec<_>) = (response.diagnostics().errors())
            .map(|error| match error {
                AuthorizationError::PolicyEvaluationError(inner) => (inner.policy_id().to_string(), error.to_string()),
            })
            .unzip();
        let permitted = response.decision() == Decision::Allow && evaluation_errors.is_empty();
        // Where errors turned a permission into a denial, the permits did not decide.
        if permitted || response.decision() == Decision::Deny {
            policy_ids.extend(response.diagnostics().reason().map(ToString::to_string));
        }
        policy_ids.sort_unstable();
        Answer { permitted, policy_ids, evaluation_errors }
    }

    pub(super) fn assemble(files: Vec<(String, String)>, policies: &[cedar::Policy]) -> Self {
        let vocabulary = Vocabulary::new();
        let covering = |action: &Action| {
            let action = vocabulary.action(*action);
            let covers = |policy: &&cedar::Policy| match policy.action_constraint() {
                // The schema has no action groups, so that a policy names each action it covers.
                ActionConstraint::Eq(named) => named == *action,
                ActionConstraint::In(named) => named.contains(action),
                ActionConstraint::Any => true,
            };
            let covering = policies.iter().filter(covers).cloned();
            cedar::PolicySet::from_policies(covering).expect("parsed policies have unique ids")
        };
        let by_action = Action::ALL.iter().map(covering).collect();
        let (hash, labels_read) = (source::hash(&files), LabelsRead::of(policies));
        let (authorizer, permits) = (cedar::Authorizer::new(), Permits::default());
        Self { hash, files, by_action, labels_read, vocabulary, authorizer, permits }
    }

    #[cfg(test)]
    pub(super) fn permits(&self) -> &Permits {
        &self.permits
    }

    #[cfg(test)]
    pub(super) fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }
}

/// An answer before it is bound to its request.
struct Answer {
    permitted: bool,
    policy_ids: Vec<String>,
    evaluation_errors: Vec<String>,
}

/// The files and the hash; not the texts.
impl fmt::Debug for PolicySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.files.iter().map(|(name, _)| name).collect::<Vec<_>>();
        f.debug_struct("PolicySet").field("files", &names).field("hash", &self.hash).finish_non_exhaustive()
    }
}

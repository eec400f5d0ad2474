//! Policy text → validated Cedar policies, each known by its `@id`.

use super::{Finding, OrganizationSet, PolicyError, nesting, source};
use cedar_policy::{self as cedar, PolicyId, ffi::DetailedError};
use chancery_model::OrganizationName;
use std::{collections::HashMap, sync::LazyLock};

/// How far policies may follow attributes: a request brings its principal and its resource, no third entity.
const DEREFERENCES: u32 = 1;

/// Parses and validates every `*.cedar` file of `files`, which are sorted and hold the schema.
pub(super) fn policies(files: &[(String, String)]) -> Result<Vec<cedar::Policy>, PolicyError> {
    let mut parsed = Parsed::default();
    for (index, (name, text)) in files.iter().enumerate() {
        if name != source::SCHEMA_FILE {
            parsed.file(index, name, text);
        }
    }
    let policies = parsed.validated(files)?;
    if policies.is_empty() { Err(PolicyError::Empty) } else { Ok(policies) }
}

/// Parses and validates an organization's own policies; they may be none. Each is known by `{organization id}/{@id}`.
pub(super) fn organization(name: &OrganizationName, text: &str) -> Result<Vec<cedar::Policy>, PolicyError> {
    if text.len() > OrganizationSet::MAX_BYTES {
        return Err(PolicyError::TooLong(text.len()));
    }
    let mut parsed = Parsed { prefix: format!("{}/", name.id()), ..Parsed::default() };
    let files = [("policies".to_owned(), text.to_owned())];
    parsed.file(0, &files[0].0, text);
    if parsed.policies.len() > OrganizationSet::MAX_POLICIES {
        return Err(PolicyError::TooMany(parsed.policies.len()));
    }
    parsed.validated(&files)
}

/// The schema of this version.
pub(super) fn schema() -> &'static cedar::Schema {
    static SCHEMA: LazyLock<cedar::Schema> =
        LazyLock::new(|| cedar::Schema::from_cedarschema_str(source::SCHEMA).expect("the shipped schema parses").0);
    &SCHEMA
}

/// What was read so far.
#[derive(Default)]
struct Parsed {
    /// What stands before each `@id` in the policy's own.
    prefix: String,
    policies: Vec<cedar::Policy>,
    /// Where each `@id` was given: index of the file, and `FILE:LINE`.
    places: HashMap<String, (usize, String)>,
    findings: Vec<Finding>,
}

impl Parsed {
    fn file(&mut self, index: usize, name: &str, text: &str) {
        if let Some((offset, help)) = nesting::too_deep(text) {
            let message = "this lies too deep to be read safely";
            return self.findings.push(Finding::at(name, text, offset, message, Some(help)));
        }
        let set: cedar::PolicySet = match text.parse() {
            Ok(set) => set,
            Err(error) => return self.findings.extend(findings(name, text, &DetailedError::from(&error))),
        };
        for template in set.templates() {
            let offset = text.find(&template.to_cedar()).unwrap_or_default();
            let help = "write the principal or resource in place of ?principal or ?resource".to_owned();
            self.findings.push(Finding::at(name, text, offset, "templates are not supported", Some(help)));
        }
        // Cedar numbers the policies of a text; in that order each one's text is found behind the one before.
        let mut end = 0;
        for number in 0..set.num_of_policies() + set.num_of_templates() {
            let Some(policy) = set.policy(&PolicyId::new(format!("policy{number}"))) else { continue };
            let policy_text = policy.to_cedar().unwrap_or_default();
            let start = text[end..].find(&policy_text).map_or(end, |found| end + found);
            end = start + policy_text.len();
            self.policy(index, policy, |message, help| Finding::at(name, text, start, message, help));
        }
    }

    fn policy(&mut self, file: usize, policy: &cedar::Policy, at: impl Fn(String, Option<String>) -> Finding) {
        let Some(id) = policy.annotation("id") else {
            let help = "write @id(\"…\") before it; decisions and records name policies by it".to_owned();
            return self.findings.push(at("the policy has no @id".to_owned(), Some(help)));
        };
        if !(1..=80).contains(&id.len())
            || !id.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
        {
            let help = "1 to 80 of a-z, 0-9 and '-'".to_owned();
            return self.findings.push(at(format!("@id({id:?}) is no policy id"), Some(help)));
        }
        let here = at(String::new(), None);
        if let Some((_, place)) = self.places.get(id) {
            let help = format!("the other is at {place}");
            return self.findings.push(at(format!("@id(\"{id}\") is used twice"), Some(help)));
        }
        self.places.insert(id.to_owned(), (file, format!("{}:{}", here.file, here.line)));
        self.policies.push(policy.new_id(PolicyId::new(format!("{}{id}", self.prefix))));
    }

    /// What was read, if nothing is wrong with it.
    fn validated(mut self, files: &[(String, String)]) -> Result<Vec<cedar::Policy>, PolicyError> {
        if self.findings.is_empty() {
            self.validate(files);
        }
        if self.findings.is_empty() {
            return Ok(self.policies);
        }
        self.findings.sort();
        Err(PolicyError::Invalid(self.findings))
    }

    fn validate(&mut self, files: &[(String, String)]) {
        let set = cedar::PolicySet::from_policies(self.policies.iter().cloned()).expect("ids are unique by now");
        let result = cedar::Validator::new(schema().clone()).validate_with_level(
            &set,
            cedar::ValidationMode::Strict,
            DEREFERENCES,
        );
        let errors = result.validation_errors().map(|error| (error.policy_id(), DetailedError::from(error)));
        // A policy that can never apply, or that hides characters, is not what its author meant.
        let warnings = result.validation_warnings().map(|warning| (warning.policy_id(), DetailedError::from(warning)));
        for (id, detail) in errors.chain(warnings) {
            let id = AsRef::<str>::as_ref(id).strip_prefix(&*self.prefix).unwrap_or_default();
            let Some((file, _)) = self.places.get(id) else { continue };
            let (name, text) = &files[*file];
            self.findings.extend(findings(name, text, &detail));
        }
    }
}

/// A Cedar diagnostic, with those it comes with.
fn findings(name: &str, text: &str, detail: &DetailedError) -> Vec<Finding> {
    let label = detail.source_locations.first();
    let offset = label.map_or(0, |label| label.loc.start);
    let hints = [label.and_then(|label| label.label.clone()), detail.help.clone()];
    let help = hints.into_iter().flatten().collect::<Vec<_>>().join("; ");
    let first = Finding::at(name, text, offset, &*detail.message, (!help.is_empty()).then_some(help));
    std::iter::once(first).chain(detail.related.iter().flat_map(|related| findings(name, text, related))).collect()
}

//! Policy text → validated Cedar policies, each known by its `@id`.

use super::{Finding, PolicyError, source};
use cedar_policy::{self as cedar, PolicyId, ffi::DetailedError};
use std::collections::HashMap;

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
    if parsed.findings.is_empty() {
        parsed.validate(files);
    }
    if !parsed.findings.is_empty() {
        parsed.findings.sort();
        return Err(PolicyError::Invalid(parsed.findings));
    }
    if parsed.policies.is_empty() {
        return Err(PolicyError::Empty);
    }
    Ok(parsed.policies)
}

/// The schema of this version.
pub(super) fn schema() -> cedar::Schema {
    cedar::Schema::from_cedarschema_str(source::SCHEMA).expect("the shipped schema parses").0
}

/// What was read so far.
#[derive(Default)]
struct Parsed {
    policies: Vec<cedar::Policy>,
    /// Where each `@id` was given: index of the file, and `FILE:LINE`.
    places: HashMap<String, (usize, String)>,
    findings: Vec<Finding>,
}

impl Parsed {
    fn file(&mut self, index: usize, name: &str, text: &str) {
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
        self.policies.push(policy.new_id(PolicyId::new(id)));
    }

    fn validate(&mut self, files: &[(String, String)]) {
        let set = cedar::PolicySet::from_policies(self.policies.iter().cloned()).expect("ids are unique by now");
        let result =
            cedar::Validator::new(schema()).validate_with_level(&set, cedar::ValidationMode::Strict, DEREFERENCES);
        let errors = result.validation_errors().map(|error| (error.policy_id(), DetailedError::from(error)));
        // A policy that can never apply, or that hides characters, is not what its author meant.
        let warnings = result.validation_warnings().map(|warning| (warning.policy_id(), DetailedError::from(warning)));
        for (id, detail) in errors.chain(warnings) {
            let Some((file, _)) = self.places.get::<str>(id.as_ref()) else { continue };
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

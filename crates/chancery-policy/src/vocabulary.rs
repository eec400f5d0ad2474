//! The schema's words as Cedar values, made once; on what each action is asked.
//!
//! **Invariant**: agrees with policies/schema.cedarschema; tests compare every list and every kind of request with it.
//!
//! **Not here**: what an action's context consists of (`circumstances`).

use cedar_policy::{EntityId, EntityTypeName, EntityUid, RestrictedExpression};
use chancery_model::{Action, Algorithm, Hash, KeyStanding, KeyState, Mode, Protection, Purpose, Role};
use std::sync::LazyLock;

/// Cedar values used in every request.
pub(super) struct Vocabulary {
    pub(super) principal: EntityTypeName,
    pub(super) group: EntityTypeName,
    pub(super) organization: EntityTypeName,
    pub(super) key: EntityTypeName,
    pub(super) log: EntityTypeName,
    pub(super) deployment: EntityTypeName,
    actions: Vec<EntityUid>,
    pub(super) roles: Words,
    pub(super) purposes: Words,
    pub(super) algorithms: Words,
    pub(super) protections: Words,
    pub(super) states: Words,
    pub(super) inputs: Words,
    pub(super) hashes: Words,
    pub(super) profiles: Words,
    pub(super) standings: Words,
    pub(super) modes: Words,
}

impl Vocabulary {
    /// The one there is.
    pub(super) fn shared() -> &'static Self {
        static SHARED: LazyLock<Vocabulary> = LazyLock::new(Vocabulary::new);
        &SHARED
    }

    fn new() -> Self {
        let action = entity_type("Action");
        let action = |word: &str| EntityUid::from_type_name_and_id(action.clone(), EntityId::new(word));
        // "none" is for no hash: raw bytes, or a message that is signed as it is.
        let hashes = ["none"].into_iter().chain(Hash::ALL.iter().map(|hash| hash.as_str()));
        Self {
            principal: entity_type("Principal"),
            group: entity_type("Group"),
            organization: entity_type("Organization"),
            key: entity_type("Key"),
            log: entity_type("Log"),
            deployment: entity_type("Deployment"),
            actions: Action::ALL.iter().map(|word| action(word.as_str())).collect(),
            roles: Words::new("Role", Role::ALL.iter().map(|word| word.as_str())),
            purposes: Words::new("Purpose", Purpose::ALL.iter().map(|word| word.as_str())),
            algorithms: Words::new("Algorithm", Algorithm::ALL.iter().map(|word| word.as_str())),
            protections: Words::new("Protection", Protection::ALL.iter().map(|word| word.as_str())),
            states: Words::new("KeyState", KeyState::ALL.iter().map(|word| word.as_str())),
            inputs: Words::new("Input", ["digest", "message"].into_iter()),
            hashes: Words::new("Hash", hashes),
            profiles: Words::new("Profile", ["root-ca", "peer", "orderer", "client", "admin"].into_iter()),
            standings: Words::new("Standing", KeyStanding::ALL.iter().map(|word| word.as_str())),
            modes: Words::new("Mode", Mode::ALL.iter().map(|word| word.as_str())),
        }
    }

    pub(super) fn action(&self, action: Action) -> &EntityUid {
        &self.actions[action as usize]
    }
}

/// A closed list of words, an enumerated entity type of the schema.
pub(super) struct Words {
    words: Vec<&'static str>,
    values: Vec<RestrictedExpression>,
}

impl Words {
    fn new(list: &str, words: impl Iterator<Item = &'static str>) -> Self {
        let list = entity_type(list);
        let words = words.collect::<Vec<_>>();
        let value = |word: &&str| {
            let uid = EntityUid::from_type_name_and_id(list.clone(), EntityId::new(word));
            RestrictedExpression::new_entity_uid(uid)
        };
        Self { values: words.iter().map(value).collect(), words }
    }

    /// The word at `index`: for a list made from a model enum, its value as a number.
    pub(super) fn at(&self, index: usize) -> RestrictedExpression {
        self.values[index].clone()
    }

    /// Where the word written as `text` is.
    pub(super) fn position(&self, text: &str) -> Option<usize> {
        self.words.iter().position(|word| *word == text)
    }

    pub(super) fn all(&self) -> &[&'static str] {
        &self.words
    }
}

fn entity_type(name: &str) -> EntityTypeName {
    format!("Chancery::{name}").parse().expect("a constant of this module")
}

/// What an action is asked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResourceKind {
    /// An organization.
    Organization,
    /// A key.
    Key,
    /// An organization's records.
    Log,
    /// The service itself.
    Deployment,
}

impl ResourceKind {
    /// The kind that `action` is asked on.
    pub fn of(action: Action) -> Self {
        resource_kind(action)
    }
}

/// The kind of resource that `action` is asked on.
pub(super) fn resource_kind(action: Action) -> ResourceKind {
    match action {
        Action::CreateKey
        | Action::CreateImportJob
        | Action::ImportKey
        | Action::RewrapKeys
        | Action::BackUpKeys
        | Action::ListBackups
        | Action::CreateRestoreJob
        | Action::RestoreBackup
        | Action::ConfirmClock
        | Action::GenerateRandom
        | Action::ListKeys
        | Action::GetCheckpoint
        | Action::GetInclusionProof
        | Action::GetConsistencyProof
        | Action::AddCosignature
        | Action::GetOrganization
        | Action::UpdateOrganization
        | Action::AddTrustAnchor
        | Action::ListTrustAnchors
        | Action::UpdateTrustAnchor
        | Action::RemoveTrustAnchor
        | Action::UpdateRevocationList
        | Action::RegisterPrincipal
        | Action::ListPrincipals
        | Action::UnregisterPrincipal
        | Action::ApprovePrincipalKey
        | Action::SuspendPrincipal
        | Action::LiftSuspension
        | Action::ListSuspensions
        | Action::UpdateGroup
        | Action::ListGroups
        | Action::GetPolicies
        | Action::SetPolicies
        | Action::ExplainDecision
        | Action::SimulatePolicies
        | Action::SetLimit
        | Action::ListLimits
        | Action::ListApprovals
        | Action::ApproveOperation
        | Action::CancelApproval
        | Action::ListObjects
        | Action::RenewSessionObjects
        | Action::CreateCertificateObject
        | Action::UpdateCertificateObject
        | Action::DeleteCertificateObject => ResourceKind::Organization,
        Action::CreateOrganization | Action::ListOrganizations | Action::ReloadPolicies | Action::GetTokenStatus => {
            ResourceKind::Deployment
        }
        Action::ListRecords | Action::TailRecords => ResourceKind::Log,
        Action::Sign
        | Action::Verify
        | Action::GetPublicKey
        | Action::GetKey
        | Action::GetKeyUsage
        | Action::RotateKey
        | Action::UpdateKey
        | Action::ActivateKeyVersion
        | Action::SuspendKeyVersion
        | Action::DeactivateKeyVersion
        | Action::MarkKeyVersionCompromised
        | Action::ScheduleKeyVersionDestruction
        | Action::RestoreKeyVersion
        | Action::AttestKeyVersion
        | Action::DeriveSharedSecret
        | Action::Encrypt
        | Action::Decrypt
        | Action::GenerateMac
        | Action::VerifyMac
        | Action::WrapKey
        | Action::UnwrapKey
        | Action::BindCertificate
        | Action::CreateCertificateSigningRequest
        | Action::IssueCertificate
        | Action::UpdateObject
        | Action::CopyObject
        | Action::DeleteObject => ResourceKind::Key,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        circumstances::{Kind, circumstances},
        session::Attribute,
        source,
    };
    use super::*;

    #[test]
    fn the_schema_has_the_words_of_the_model() {
        let (fragment, _) = cedar_policy::SchemaFragment::from_cedarschema_str(source::SCHEMA).unwrap();
        let schema = fragment.to_json_value().unwrap();
        let words = |list: &str| {
            let words = schema["Chancery"]["entityTypes"][list]["enum"].as_array().unwrap();
            words.iter().map(|word| word.as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let vocabulary = Vocabulary::shared();
        for (list, known) in [
            ("Role", &vocabulary.roles),
            ("Purpose", &vocabulary.purposes),
            ("Algorithm", &vocabulary.algorithms),
            ("Protection", &vocabulary.protections),
            ("KeyState", &vocabulary.states),
            ("Input", &vocabulary.inputs),
            ("Hash", &vocabulary.hashes),
            ("Profile", &vocabulary.profiles),
            ("Standing", &vocabulary.standings),
            ("Mode", &vocabulary.modes),
        ] {
            assert_eq!(words(list), known.all(), "{list}");
        }
        let mut actions = schema["Chancery"]["actions"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, action)| {
                // Policies are sorted by the actions they name, so that a group would hide some.
                assert!(action["memberOf"].as_array().is_none_or(Vec::is_empty), "{name} is in a group");
                name.clone()
            })
            .collect::<Vec<_>>();
        let mut known = Action::ALL.iter().map(ToString::to_string).collect::<Vec<_>>();
        actions.sort();
        known.sort();
        assert_eq!(actions, known);
    }

    #[test]
    fn the_schema_has_the_attributes_of_a_session() {
        let (fragment, _) = cedar_policy::SchemaFragment::from_cedarschema_str(source::SCHEMA).unwrap();
        let schema = fragment.to_json_value().unwrap();
        let said = schema["Chancery"]["commonTypes"]["Session"]["attributes"].as_object().unwrap();
        let mut known = Attribute::ALL.map(Attribute::as_str);
        known.sort_unstable();
        assert_eq!(said.keys().collect::<Vec<_>>(), known);
    }

    #[test]
    fn the_schema_asks_each_action_on_its_kind_of_resource_and_with_its_circumstances() {
        let (fragment, _) = cedar_policy::SchemaFragment::from_cedarschema_str(source::SCHEMA).unwrap();
        let schema = fragment.to_json_value().unwrap();
        for action in Action::ALL {
            let applies = &schema["Chancery"]["actions"][action.as_str()]["appliesTo"];
            assert_eq!(
                applies["resourceTypes"],
                serde_json::json!([format!("{:?}", resource_kind(*action))]),
                "{action}"
            );
            let attributes = applies["context"]["attributes"].as_object().cloned().unwrap_or_default();
            let mut expected = std::collections::BTreeMap::from([("session".to_owned(), true)]);
            for &(name, kind) in circumstances(*action) {
                expected.insert(name.to_owned(), !kind.is_optional());
                if let Kind::Principal { organization } = kind {
                    expected.insert(organization.to_owned(), true);
                }
            }
            let required = |value: &serde_json::Value| value["required"].as_bool().unwrap_or(true);
            let said = attributes.iter().map(|(name, value)| (name.clone(), required(value))).collect();
            assert_eq!(expected, said, "{action}");
            assert_eq!(attributes["session"]["name"], "Session", "{action}");
        }
    }
}

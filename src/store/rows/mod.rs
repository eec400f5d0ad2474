//! Rows, and their form in the log's administrative records.
//!
//! **Invariant**: a row and its [`ResourceState`] say the same; `Row::parse(&row.state()) == row`.

mod keys;
mod objects;
mod registry;

use crate::{
    certificates::authority_id,
    model::{
        Approval, Backup, CertificateObject, Group, Key, KeyObjects, KeyVersion, Limit, NameError, Node,
        ObjectNameError, Organization, OrganizationPolicies, Registration, RevocationList, Suspension, TrustAnchor,
        UnknownWord, Usage,
    },
};
use chancery_audit::record::ResourceState;
use prost::Message;

/// One resource's whole state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// An organization.
    Organization(Organization),
    /// A trust anchor.
    Anchor(TrustAnchor),
    /// A registration.
    Registration(Registration),
    /// A node that showed a certificate.
    Node(Node),
    /// A suspension.
    Suspension(Suspension),
    /// A group of principals.
    Group(Group),
    /// A trust anchor's revocation list.
    RevocationList(RevocationList),
    /// An organization's own policies.
    Policies(OrganizationPolicies),
    /// A limit.
    Limit(Limit),
    /// What a limit's subject has reserved.
    Usage(Usage),
    /// An operation that waits for a second officer.
    Approval(Approval),
    /// A key.
    Key(Key),
    /// A key version.
    KeyVersion(KeyVersion),
    /// A backup that was begun.
    Backup(Backup),
    /// A key's standing, and what was set of its objects.
    KeyObjects(KeyObjects),
    /// A certificate in a principal's token.
    CertificateObject(CertificateObject),
}

/// A row or an administrative record's state that does not parse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// A message of another type or a damaged one.
    #[error("its state is no {0}")]
    Malformed(&'static str),
    /// A type that this version does not know.
    #[error("its state is of the unknown type `{0}`: it was written by a newer version")]
    UnknownType(String),
    /// A word that is none of those expected.
    #[error("{0}")]
    Word(#[from] UnknownWord),
    /// A name that does not parse.
    #[error("{0}")]
    Name(#[from] NameError),
    /// An object's name that does not parse.
    #[error("{0}")]
    ObjectName(#[from] ObjectNameError),
    /// The state's own name is not the resource's.
    #[error("its state names `{0}`")]
    OtherName(String),
    /// A hash is not 32 bytes.
    #[error("its hash is not 32 bytes")]
    HashLength,
    /// It is of nothing.
    #[error("it has no {0}")]
    Lacks(&'static str),
}

const ORGANIZATION: &str = "chancery.state.v1.Organization";
const ANCHOR: &str = "chancery.state.v1.TrustAnchor";
const REGISTRATION: &str = "chancery.state.v1.Registration";
const NODE: &str = "chancery.state.v1.Node";
const SUSPENSION: &str = "chancery.state.v1.Suspension";
const GROUP: &str = "chancery.state.v1.Group";
const REVOCATION_LIST: &str = "chancery.state.v1.RevocationList";
const POLICIES: &str = "chancery.state.v1.Policies";
const LIMIT: &str = "chancery.state.v1.Limit";
const USAGE: &str = "chancery.state.v1.Usage";
const APPROVAL: &str = "chancery.state.v1.Approval";
const KEY: &str = "chancery.state.v1.Key";
const KEY_VERSION: &str = "chancery.state.v1.KeyVersion";
const BACKUP: &str = "chancery.state.v1.Backup";
const KEY_OBJECTS: &str = "chancery.state.v1.KeyObjects";
const CERTIFICATE_OBJECT: &str = "chancery.state.v1.CertificateObject";

/// `organizations/{organization}/anchors/{anchor}`, the last part from the certificate's SHA-256.
pub fn anchor_name(anchor: &TrustAnchor) -> String {
    format!("{}/anchors/{}", anchor.organization, authority_id(&anchor.certificate))
}

fn decode<M: Message + Default>(bytes: &[u8], type_name: &'static str) -> Result<M, RowError> {
    M::decode(bytes).map_err(|_| RowError::Malformed(type_name))
}

impl Row {
    /// The resource's full name.
    pub fn name(&self) -> String {
        match self {
            Self::Organization(row) => row.name.to_string(),
            Self::Anchor(row) => anchor_name(row),
            Self::Registration(row) => row.name.to_string(),
            Self::Node(row) => row.name(),
            Self::Suspension(row) => row.name(),
            Self::Group(row) => row.name(),
            Self::RevocationList(row) => row.name(),
            Self::Policies(row) => row.name(),
            Self::Limit(row) => row.name(),
            Self::Usage(row) => row.name(),
            Self::Approval(row) => row.name(),
            Self::Key(row) => row.name.to_string(),
            Self::KeyVersion(row) => row.name.to_string(),
            Self::Backup(row) => row.name.to_string(),
            Self::KeyObjects(row) => row.name(),
            Self::CertificateObject(row) => row.name(),
        }
    }

    /// As an administrative record carries it.
    pub fn state(&self) -> ResourceState {
        let (type_name, value) = match self {
            Self::Organization(row) => (ORGANIZATION, registry::organization_state(row).encode_to_vec()),
            Self::Anchor(row) => (ANCHOR, registry::anchor_state(row).encode_to_vec()),
            Self::Registration(row) => (REGISTRATION, registry::registration_state(row).encode_to_vec()),
            Self::Node(row) => (NODE, registry::node_state(row).encode_to_vec()),
            Self::Suspension(row) => (SUSPENSION, registry::suspension_state(row).encode_to_vec()),
            Self::Group(row) => (GROUP, registry::group_state(row).encode_to_vec()),
            Self::RevocationList(row) => (REVOCATION_LIST, registry::revocation_list_state(row).encode_to_vec()),
            Self::Policies(row) => (POLICIES, registry::policies_state(row).encode_to_vec()),
            Self::Limit(row) => (LIMIT, registry::limit_state(row).encode_to_vec()),
            Self::Usage(row) => (USAGE, registry::usage_state(row).encode_to_vec()),
            Self::Approval(row) => (APPROVAL, registry::approval_state(row).encode_to_vec()),
            Self::Key(row) => (KEY, keys::key_state(row).encode_to_vec()),
            Self::KeyVersion(row) => (KEY_VERSION, keys::version_state(row).encode_to_vec()),
            Self::Backup(row) => (BACKUP, keys::backup_state(row).encode_to_vec()),
            Self::KeyObjects(row) => (KEY_OBJECTS, objects::key_objects_state(row).encode_to_vec()),
            Self::CertificateObject(row) => {
                (CERTIFICATE_OBJECT, objects::certificate_object_state(row).encode_to_vec())
            }
        };
        ResourceState { name: self.name(), r#type: type_name.into(), value }
    }

    /// From an administrative record.
    ///
    /// # Errors
    /// [`RowError`] when the state does not parse or is another resource's.
    pub fn parse(from: &ResourceState) -> Result<Self, RowError> {
        let value = from.value.as_slice();
        let row = match from.r#type.as_str() {
            ORGANIZATION => Self::Organization(registry::parse_organization(decode(value, ORGANIZATION)?)?),
            ANCHOR => Self::Anchor(registry::parse_anchor(decode(value, ANCHOR)?)?),
            REGISTRATION => Self::Registration(registry::parse_registration(decode(value, REGISTRATION)?)?),
            NODE => Self::Node(registry::parse_node(decode(value, NODE)?)?),
            SUSPENSION => Self::Suspension(registry::parse_suspension(decode(value, SUSPENSION)?)?),
            GROUP => Self::Group(registry::parse_group(decode(value, GROUP)?)?),
            REVOCATION_LIST => Self::RevocationList(registry::parse_revocation_list(decode(value, REVOCATION_LIST)?)?),
            POLICIES => Self::Policies(registry::parse_policies(decode(value, POLICIES)?)?),
            LIMIT => Self::Limit(registry::parse_limit(decode(value, LIMIT)?)?),
            USAGE => Self::Usage(registry::parse_usage(decode(value, USAGE)?)?),
            APPROVAL => Self::Approval(registry::parse_approval(decode(value, APPROVAL)?)?),
            KEY => Self::Key(keys::parse_key(decode(value, KEY)?)?),
            KEY_VERSION => Self::KeyVersion(keys::parse_version(decode(value, KEY_VERSION)?)?),
            BACKUP => Self::Backup(keys::parse_backup(decode(value, BACKUP)?)?),
            KEY_OBJECTS => Self::KeyObjects(objects::parse_key_objects(decode(value, KEY_OBJECTS)?)?),
            CERTIFICATE_OBJECT => {
                Self::CertificateObject(objects::parse_certificate_object(decode(value, CERTIFICATE_OBJECT)?)?)
            }
            other => return Err(RowError::UnknownType(other.chars().take(80).collect())),
        };
        if row.name() == from.name { Ok(row) } else { Err(RowError::OtherName(row.name())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        Algorithm, Check, Half, KeyStanding, KeyState, LimitSubject, NamePattern, NodeKey, ObjectId, OrganizationName,
        Origin, Protection, Purpose, Role, Rotation, SetObject, Suspended,
    };
    use std::time::Duration;

    fn suspension(subject: Suspended) -> Row {
        let organization = OrganizationName::from_id("org1").unwrap();
        Row::Suspension(Suspension { organization, subject, reason: "lost".into(), create_time: 3, lifted: true })
    }

    fn limit(subject: LimitSubject) -> Row {
        Row::Limit(Limit { subject, per_second: Some(1), per_day: None, total: Some(0), keys: Some(3) })
    }

    fn rows() -> Vec<Row> {
        let organization = OrganizationName::from_id("org1").unwrap();
        let key = organization.key("peer0").unwrap();
        let owner = organization.principal("peer0").unwrap();
        let version = key.version(2);
        let set = |number, id: Option<&[u8]>, dropped| SetObject {
            version: 2,
            object: ObjectId { half: Half::Private, number },
            id: id.map(<[u8]>::to_vec),
            label: None,
            modifiable: false,
            dropped,
        };
        vec![
            Row::KeyObjects(KeyObjects {
                standing: KeyStanding::Session,
                process: "3f1e".into(),
                collect_time: Some(7),
                objects: vec![set(1, Some(b"id"), true), set(2, Some(b""), false), set(3, None, false)],
                last_copy: 3,
                ..KeyObjects::named(key.clone())
            }),
            Row::CertificateObject(CertificateObject {
                principal: owner.clone(),
                certificate_id: "00ff".into(),
                certificate: vec![1, 2],
                id: b"id".to_vec(),
                label: b"label".to_vec(),
                version: Some(version),
            }),
            Row::Organization(Organization {
                name: organization.clone(),
                enrolling_roles: vec![Role::Peer, Role::Ca],
                create_time: 7,
                kek_generation: 3,
                oldest_kek_generation: 2,
                destruction_frozen: Some("the clock jumped".into()),
                pin_strict: true,
                accept_expired_crl: true,
            }),
            Row::Backup(Backup {
                name: organization.backup("b1").unwrap(),
                create_time: 5,
                versions: 2,
                token_versions: 1,
                threshold: 2,
                custodians: vec![owner.to_string()],
                sha256: Some([3; 32]),
            }),
            Row::Backup(Backup {
                name: organization.backup("b2").unwrap(),
                create_time: 6,
                versions: 0,
                token_versions: 0,
                threshold: 2,
                custodians: vec![owner.to_string()],
                sha256: None,
            }),
            Row::Anchor(TrustAnchor {
                organization: organization.clone(),
                certificate: vec![1, 2, 3],
                patterns: vec![NamePattern { role: Role::Peer, pattern: "peer*".into() }],
                removed: true,
            }),
            Row::Registration(Registration {
                name: owner.clone(),
                role: Role::Auditor,
                public_keys_sha256: vec![[9; 32], [8; 32]],
            }),
            Row::Node(Node {
                principal: owner.clone(),
                keys: vec![NodeKey { public_key_sha256: [7; 32], first_seen: 4, pending: true }],
            }),
            suspension(Suspended::Principal(owner.clone())),
            suspension(Suspended::Certificate([1; 32])),
            suspension(Suspended::PublicKey([2; 32])),
            Row::Group(Group { organization: organization.clone(), id: "g".into(), members: vec![owner.clone()] }),
            Row::RevocationList(RevocationList {
                organization: organization.clone(),
                anchor: "a".into(),
                crl: vec![1],
            }),
            Row::Policies(OrganizationPolicies {
                organization: organization.clone(),
                text: "permit(principal, action, resource);".into(),
                update_time: 3,
            }),
            limit(LimitSubject::Organization(organization.clone())),
            limit(LimitSubject::Principal(owner.clone())),
            limit(LimitSubject::Key(key.clone())),
            Row::Usage(Usage { subject: LimitSubject::Key(key.clone()), day: 9, day_reserved: 8, total_reserved: 7 }),
            Row::Approval(Approval {
                organization,
                id: "1".into(),
                action: "RemoveTrustAnchor".into(),
                resource: "organizations/org1/anchors/a".into(),
                request_hash: [6; 32],
                summary: "removes it".into(),
                requester: owner.clone(),
                requester_key: [7; 32],
                create_time: 1,
                expire_time: 2,
                approved: Some((owner.clone(), 3)),
                closed: true,
            }),
            Row::Key(Key {
                name: key.clone(),
                owner,
                purpose: Purpose::Sign,
                algorithm: Algorithm::EcP256,
                protection: Protection::Token,
                check: Check::Sampled,
                labels: [("a".to_owned(), "b".to_owned())].into(),
                primary_version: 2,
                create_time: -1,
                rotation: Some(Rotation::Every(Duration::from_secs(3600))),
                next_rotation: Some(9),
                overlap: Some(Duration::ZERO),
                pool_size: 2,
            }),
            Row::KeyVersion(KeyVersion {
                certificate: Some(vec![5]),
                origin: Origin::Imported,
                activate_time: Some(1),
                expire_time: Some(2),
                destroy_time: Some(3),
                destroyed_time: Some(4),
                compromised_time: Some(5),
                pooled: true,
                destroyed_under_kek: 1,
                restored_from: Some("organizations/org1/backups/b1".into()),
                ..KeyVersion::new(key.version(2), KeyState::Active, vec![4; 91], 1)
            }),
        ]
    }

    #[test]
    fn a_row_is_what_its_record_says() {
        for row in rows() {
            assert_eq!(Row::parse(&row.state()).unwrap(), row);
        }
    }

    #[test]
    fn a_state_under_another_resources_name_is_refused() {
        for row in rows() {
            let mut state = row.state();
            state.name.push('x');
            assert!(matches!(Row::parse(&state), Err(RowError::OtherName(_))), "{row:?}");
        }
    }
}

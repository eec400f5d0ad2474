//! Organizations and what their officers say of their members, as administrative records carry them.

use super::{RowError, anchor_name};
use crate::model::{
    Approval, Group, Limit, NamePattern, Node, NodeKey, Organization, OrganizationName, OrganizationPolicies,
    Registration, RevocationList, Suspended, Suspension, TrustAnchor, UnknownWord, Usage,
};
use chancery_api::state;

fn words<T: std::str::FromStr<Err = UnknownWord>>(words: &[String]) -> Result<Vec<T>, UnknownWord> {
    words.iter().map(|word| word.parse()).collect()
}

fn hash(bytes: Vec<u8>) -> Result<[u8; 32], RowError> {
    bytes.try_into().map_err(|_| RowError::HashLength)
}

/// The organization and the last part of `organizations/{organization}/{collection}/{id}`.
fn split(name: &str, collection: &'static str) -> Result<(OrganizationName, String), RowError> {
    let (organization, id) = name.split_once(&format!("/{collection}/")).ok_or(RowError::Lacks(collection))?;
    Ok((organization.parse()?, id.to_owned()))
}

pub(super) fn organization_state(row: &Organization) -> state::Organization {
    state::Organization {
        name: row.name.to_string(),
        create_time_unix_nanos: row.create_time,
        enrolling_roles: row.enrolling_roles.iter().map(ToString::to_string).collect(),
        kek_generation: row.kek_generation,
        oldest_kek_generation: row.oldest_kek_generation,
        destruction_frozen: row.destruction_frozen.clone().unwrap_or_default(),
        pin_strict: row.pin_strict,
        accept_expired_crl: row.accept_expired_crl,
    }
}

pub(super) fn parse_organization(state: state::Organization) -> Result<Organization, RowError> {
    Ok(Organization {
        name: state.name.parse()?,
        enrolling_roles: words(&state.enrolling_roles)?,
        create_time: state.create_time_unix_nanos,
        kek_generation: state.kek_generation,
        oldest_kek_generation: state.oldest_kek_generation,
        destruction_frozen: Some(state.destruction_frozen).filter(|why| !why.is_empty()),
        pin_strict: state.pin_strict,
        accept_expired_crl: state.accept_expired_crl,
    })
}

pub(super) fn anchor_state(row: &TrustAnchor) -> state::TrustAnchor {
    let pattern = |p: &NamePattern| state::NamePattern { role: p.role.to_string(), pattern: p.pattern.clone() };
    state::TrustAnchor {
        name: anchor_name(row),
        certificate: row.certificate.clone(),
        patterns: row.patterns.iter().map(pattern).collect(),
        removed: row.removed,
    }
}

pub(super) fn parse_anchor(state: state::TrustAnchor) -> Result<TrustAnchor, RowError> {
    let pattern = |p: state::NamePattern| Ok::<_, RowError>(NamePattern { role: p.role.parse()?, pattern: p.pattern });
    Ok(TrustAnchor {
        organization: split(&state.name, "anchors")?.0,
        certificate: state.certificate,
        patterns: state.patterns.into_iter().map(pattern).collect::<Result<_, _>>()?,
        removed: state.removed,
    })
}

pub(super) fn registration_state(row: &Registration) -> state::Registration {
    state::Registration {
        name: row.name.to_string(),
        role: row.role.to_string(),
        public_keys_sha256: row.public_keys_sha256.iter().map(|hash| hash.to_vec()).collect(),
    }
}

pub(super) fn parse_registration(state: state::Registration) -> Result<Registration, RowError> {
    Ok(Registration {
        name: state.name.parse()?,
        role: state.role.parse()?,
        public_keys_sha256: state.public_keys_sha256.into_iter().map(hash).collect::<Result<_, _>>()?,
    })
}

pub(super) fn node_state(row: &Node) -> state::Node {
    let key = |key: &NodeKey| state::NodeKey {
        public_key_sha256: key.public_key_sha256.to_vec(),
        first_seen_unix_nanos: key.first_seen,
        pending: key.pending,
    };
    state::Node { name: row.name(), keys: row.keys.iter().map(key).collect() }
}

pub(super) fn parse_node(state: state::Node) -> Result<Node, RowError> {
    let key = |key: state::NodeKey| {
        let public_key_sha256 = hash(key.public_key_sha256)?;
        Ok::<_, RowError>(NodeKey { public_key_sha256, first_seen: key.first_seen_unix_nanos, pending: key.pending })
    };
    let (organization, name) = split(&state.name, "nodes")?;
    Ok(Node {
        principal: organization.principal(&name)?,
        keys: state.keys.into_iter().map(key).collect::<Result<_, _>>()?,
    })
}

pub(super) fn suspension_state(row: &Suspension) -> state::Suspension {
    let mut state = state::Suspension {
        name: row.name(),
        reason: row.reason.clone(),
        create_time_unix_nanos: row.create_time,
        lifted: row.lifted,
        ..state::Suspension::default()
    };
    match &row.subject {
        Suspended::Principal(name) => state.principal = name.to_string(),
        Suspended::Certificate(hash) => state.certificate_sha256 = hash.to_vec(),
        Suspended::PublicKey(hash) => state.public_key_sha256 = hash.to_vec(),
    }
    state
}

pub(super) fn parse_suspension(state: state::Suspension) -> Result<Suspension, RowError> {
    let subject = if !state.principal.is_empty() {
        Suspended::Principal(state.principal.parse()?)
    } else if !state.certificate_sha256.is_empty() {
        Suspended::Certificate(hash(state.certificate_sha256)?)
    } else {
        Suspended::PublicKey(hash(state.public_key_sha256)?)
    };
    Ok(Suspension {
        organization: split(&state.name, "suspensions")?.0,
        subject,
        reason: state.reason,
        create_time: state.create_time_unix_nanos,
        lifted: state.lifted,
    })
}

pub(super) fn group_state(row: &Group) -> state::Group {
    state::Group { name: row.name(), members: row.members.iter().map(ToString::to_string).collect() }
}

pub(super) fn parse_group(state: state::Group) -> Result<Group, RowError> {
    let (organization, id) = split(&state.name, "groups")?;
    let members = state.members.iter().map(|name| name.parse()).collect::<Result<_, _>>()?;
    Ok(Group { organization, id, members })
}

pub(super) fn revocation_list_state(row: &RevocationList) -> state::RevocationList {
    state::RevocationList { name: row.name(), crl: row.crl.clone() }
}

pub(super) fn parse_revocation_list(state: state::RevocationList) -> Result<RevocationList, RowError> {
    let (organization, rest) = split(&state.name, "anchors")?;
    let anchor = rest.strip_suffix("/revocations").ok_or(RowError::Lacks("revocations"))?;
    Ok(RevocationList { organization, anchor: anchor.to_owned(), crl: state.crl })
}

pub(super) fn policies_state(row: &OrganizationPolicies) -> state::Policies {
    state::Policies { name: row.name(), text: row.text.clone(), update_time_unix_nanos: row.update_time }
}

pub(super) fn parse_policies(state: state::Policies) -> Result<OrganizationPolicies, RowError> {
    let organization = state.name.strip_suffix("/policies").ok_or(RowError::Lacks("organization"))?.parse()?;
    Ok(OrganizationPolicies { organization, text: state.text, update_time: state.update_time_unix_nanos })
}

pub(super) fn limit_state(row: &Limit) -> state::Limit {
    state::Limit {
        name: row.name(),
        subject: row.subject.to_string(),
        per_second: row.per_second,
        per_day: row.per_day,
        total: row.total,
        keys: row.keys,
    }
}

pub(super) fn parse_limit(state: state::Limit) -> Result<Limit, RowError> {
    let state::Limit { subject: of, per_second, per_day, total, keys, .. } = state;
    Ok(Limit { subject: of.parse()?, per_second, per_day, total, keys })
}

pub(super) fn usage_state(row: &Usage) -> state::Usage {
    state::Usage {
        name: row.name(),
        subject: row.subject.to_string(),
        day: row.day,
        day_reserved: row.day_reserved,
        total_reserved: row.total_reserved,
    }
}

pub(super) fn parse_usage(state: state::Usage) -> Result<Usage, RowError> {
    let state::Usage { subject: of, day, day_reserved, total_reserved, .. } = state;
    Ok(Usage { subject: of.parse()?, day, day_reserved, total_reserved })
}

pub(super) fn approval_state(row: &Approval) -> state::Approval {
    let (approver, approve_time) = match &row.approved {
        Some((name, time)) => (name.to_string(), *time),
        None => Default::default(),
    };
    state::Approval {
        name: row.name(),
        action: row.action.clone(),
        resource: row.resource.clone(),
        request_hash: row.request_hash.to_vec(),
        summary: row.summary.clone(),
        requester: row.requester.to_string(),
        create_time_unix_nanos: row.create_time,
        expire_time_unix_nanos: row.expire_time,
        approver,
        approve_time_unix_nanos: approve_time,
        closed: row.closed,
        requester_public_key_sha256: row.requester_key.to_vec(),
    }
}

pub(super) fn parse_approval(state: state::Approval) -> Result<Approval, RowError> {
    let (organization, id) = split(&state.name, "approvals")?;
    let approved = match state.approver.as_str() {
        "" => None,
        name => Some((name.parse()?, state.approve_time_unix_nanos)),
    };
    Ok(Approval {
        organization,
        id,
        action: state.action,
        resource: state.resource,
        request_hash: hash(state.request_hash)?,
        summary: state.summary,
        requester: state.requester.parse()?,
        requester_key: hash(state.requester_public_key_sha256)?,
        create_time: state.create_time_unix_nanos,
        expire_time: state.expire_time_unix_nanos,
        approved,
        closed: state.closed,
    })
}

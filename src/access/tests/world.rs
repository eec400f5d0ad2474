//! Two organizations, three principals and three keys, and what may change about them.

use super::policies::{BASES, OWN};
use crate::{
    access::{Access, Caller, Grant, Peer, Target},
    directory::{Directory, LoggedStates},
    model::{
        Action, Algorithm, Check, Group, Key, KeyState, KeyVersion, NamePattern, Organization, OrganizationName,
        PrincipalName, Protection, Purpose, Registration, Role, TrustAnchor,
    },
    policy::{Context, Decision, Denial},
    store::{Contents, Row},
};
use chancery_audit::record::{Genesis, Record};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, date_time_ymd,
};
use rustls_pki_types::CertificateDer;
use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

/// Of each organization, its id, and of the principals, whose and how they begin.
const ORGANIZATIONS: [&str; 2] = ["org1", "org2"];
const PRINCIPALS: [(usize, &str, Role); 3] =
    [(0, "peer0", Role::Peer), (0, "officer", Role::SecurityOfficer), (1, "peer0", Role::Peer)];
/// Whose key, its id, and what it is for.
const KEYS: [(usize, &str, Purpose, Algorithm); 3] = [
    (0, "signs", Purpose::Sign, Algorithm::EcP256),
    (0, "encrypts", Purpose::Encrypt, Algorithm::Aes256),
    (1, "signs", Purpose::Sign, Algorithm::EcP256),
];
/// Ways in which a principal connects.
pub(super) const WAYS: usize = 3;

pub(super) fn organization(index: usize) -> OrganizationName {
    OrganizationName::from_id(ORGANIZATIONS[index]).unwrap()
}

pub(super) fn principal(index: usize) -> PrincipalName {
    let (of, id, _) = PRINCIPALS[index];
    organization(of).principal(id).unwrap()
}

/// Trust anchors, each principal's public key and its two certificates, an old and a new one; and a key to sign with.
struct Certificates {
    anchors: Vec<TrustAnchor>,
    principals: Vec<([u8; 32], [CertificateDer<'static>; 2])>,
    public: Vec<u8>,
}

static CERTIFICATES: LazyLock<Certificates> = LazyLock::new(|| {
    let parameters = |name: &str, usage| {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.key_usages = vec![usage];
        parameters
    };
    let issuers = ORGANIZATIONS.map(|id| {
        let mut parameters = parameters(&format!("ca.{id}"), KeyUsagePurpose::KeyCertSign);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap().der().to_vec();
        let organization = OrganizationName::from_id(id).unwrap();
        let patterns = vec![NamePattern { role: Role::Peer, pattern: "*".into() }];
        (TrustAnchor { organization, certificate, patterns, removed: false }, Issuer::new(parameters, key))
    });
    let principals = PRINCIPALS.map(|(of, id, _)| {
        let key = KeyPair::generate().unwrap();
        let certificates = [date_time_ymd(2020, 1, 1), date_time_ymd(2026, 1, 1)].map(|not_before| {
            let mut parameters = parameters(id, KeyUsagePurpose::DigitalSignature);
            parameters.not_before = not_before;
            parameters.signed_by(&key, &issuers[of].1).unwrap().der().clone()
        });
        (crate::crypto::sha256(&key.subject_public_key_info()), certificates)
    });
    let public = KeyPair::generate().unwrap().subject_public_key_info();
    let anchors = issuers.into_iter().map(|(anchor, _)| anchor).collect();
    Certificates { anchors, principals: principals.into(), public }
});

/// What may change. Principals, keys and organizations go by their index.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Labels {
        key: usize,
        labels: Vec<(&'static str, &'static str)>,
    },
    Owner {
        key: usize,
        principal: usize,
    },
    State {
        key: usize,
        version: u64,
        state: KeyState,
    },
    Group {
        organization: usize,
        members: Vec<usize>,
    },
    Enrolling {
        organization: usize,
        roles: Vec<Role>,
    },
    Role {
        principal: usize,
        role: Role,
    },
    Own {
        organization: usize,
        text: usize,
    },
    Base(usize),
    /// From now on its client says that it is the PKCS#11 module.
    Shim {
        principal: usize,
        way: usize,
    },
}

/// What can be asked: an action with a target and circumstances, those of a number.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) principal: usize,
    /// The address, the certificate, and whether it is the PKCS#11 module.
    pub(super) way: usize,
    /// As whoever it was in the beginning: a stream keeps its caller.
    pub(super) stale: bool,
    pub(super) action: Action,
    pub(super) target: Target,
    pub(super) circumstances: u8,
}

/// See the module.
pub(super) struct World {
    pub(super) access: Access,
    peers: Vec<[Arc<Peer>; WAYS]>,
    /// As they were identified in the beginning.
    callers: Vec<[Caller; WAYS]>,
}

impl World {
    pub(super) fn new() -> Self {
        let mut rows = vec![];
        rows.extend([0, 1].map(|index| Row::Organization(Organization::new(organization(index), vec![], 1))));
        rows.extend(CERTIFICATES.anchors.iter().cloned().map(Row::Anchor));
        rows.extend((0..PRINCIPALS.len()).map(|index| registration(index, PRINCIPALS[index].2)));
        for (of, id, purpose, algorithm) in KEYS {
            let name = organization(of).key(id).unwrap();
            let owner = organization(of).principal("peer0").unwrap();
            rows.push(Row::Key(Key {
                name: name.clone(),
                owner,
                purpose,
                algorithm,
                protection: Protection::Enclave,
                check: Check::Never,
                labels: BTreeMap::new(),
                primary_version: 1,
                create_time: 1,
                rotation: None,
                next_rotation: None,
                overlap: None,
                pool_size: 0,
            }));
        }
        rows.extend((0..KEYS.len()).flat_map(|key| [1, 2].map(|number| version(key, number, KeyState::Active))));
        let mut states = LoggedStates::default();
        let genesis = Some(Genesis { deployment: "d".into(), ..Genesis::default() });
        states.add(&Record { genesis, states: rows.iter().map(Row::state).collect(), ..Record::default() });
        let contents = Contents { deployment: "d".into(), ..Contents::default() };
        let directory = Arc::new(states.reconcile(contents).unwrap().0);
        let access = Access::new(directory, Arc::clone(&BASES[0])).unwrap();
        let peers: Vec<_> = (CERTIFICATES.principals.iter()).map(|(_, certificates)| peers(certificates)).collect();
        let identify = |peer: &Arc<Peer>| access.identify(peer).unwrap();
        let callers = peers.iter().map(|ways| ways.each_ref().map(identify)).collect();
        Self { access, peers, callers }
    }

    fn directory(&self) -> &Directory {
        self.access.directory()
    }

    pub(super) fn caller(&self, question: &Question) -> Caller {
        let Question { principal, way, stale, .. } = *question;
        if stale {
            self.callers[principal][way].clone()
        } else {
            self.access.identify(&self.peers[principal][way]).unwrap()
        }
    }

    pub(super) fn change(&self, change: &Change) {
        let row = match change {
            Change::Labels { key, labels } => {
                let labels = labels.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
                Row::Key(Key { labels, ..self.key(*key) })
            }
            Change::Owner { key, principal: index } => Row::Key(Key { owner: principal(*index), ..self.key(*key) }),
            Change::State { key, version: number, state } => version(*key, *number, *state),
            Change::Group { organization: of, members } => {
                let members = members.iter().map(|index| principal(*index)).collect();
                Row::Group(Group { organization: organization(*of), id: "ops".into(), members })
            }
            Change::Enrolling { organization: of, roles } => {
                let before = self.directory().organization(&organization(*of)).unwrap();
                Row::Organization(Organization { enrolling_roles: roles.clone(), ..before })
            }
            Change::Role { principal, role } => registration(*principal, *role),
            Change::Own { organization, text } => {
                return self.access.set_organization(Arc::clone(&OWN[*organization][*text]));
            }
            Change::Shim { principal, way } => return self.peers[*principal][*way].claims_shim(),
            Change::Base(index) => return self.access.set_base(Arc::clone(&BASES[*index])),
        };
        self.directory().apply(vec![row]).unwrap();
    }

    fn key(&self, index: usize) -> Key {
        let (of, id, ..) = KEYS[index];
        self.directory().key(&organization(of).key(id).unwrap()).unwrap().key.clone()
    }
}

fn peers([old, new]: &[CertificateDer<'static>; 2]) -> [Arc<Peer>; WAYS] {
    let peer = |certificate: &CertificateDer<'static>, address: [u8; 4]| {
        Arc::new(Peer::new(vec![certificate.clone()], (address, 1).into()))
    };
    let shim = peer(old, [10, 0, 0, 1]);
    shim.claims_shim();
    [peer(old, [127, 0, 0, 1]), peer(new, [127, 0, 0, 1]), shim]
}

fn registration(index: usize, role: Role) -> Row {
    let public_keys_sha256 = vec![CERTIFICATES.principals[index].0];
    Row::Registration(Registration { name: principal(index), role, public_keys_sha256 })
}

fn version(key: usize, number: u64, state: KeyState) -> Row {
    let (of, id, _, algorithm) = KEYS[key];
    let public = if algorithm.is_secret() { vec![] } else { CERTIFICATES.public.clone() };
    let name = organization(of).key(id).unwrap().version(number);
    Row::KeyVersion(KeyVersion::new(name, state, public, 1))
}

/// Circumstances of an action, by number: two that are usual, one that is not, and one that the schema does not know.
pub(super) fn context(action: Action, owner: &PrincipalName, number: u8) -> Context {
    let context = Context::new();
    match (action, number) {
        (Action::Sign | Action::Encrypt | Action::GenerateRandom | Action::CreateKey, 3) => context,
        (_, 3) => context.number("size", 1),
        (Action::Sign, 2) => context.text("input", "message").text("hash", "").number("size", 1000),
        (Action::Sign, _) => context.text("input", "digest").text("hash", "sha256").number("size", 32),
        (Action::Encrypt | Action::GenerateRandom, 2) => context.number("size", 1000),
        (Action::Encrypt | Action::GenerateRandom, _) => context.number("size", 32),
        (Action::ActivateKeyVersion, 2) => context,
        (Action::ActivateKeyVersion, _) => context.flag("mayEnrol", number == 0),
        (Action::CreateKey, _) => {
            let purpose = if number == 2 { "encrypt" } else { "sign" };
            let context = context.text("key", "new").text("owner", owner.to_string()).text("purpose", purpose);
            context.text("algorithm", "ec-p256").text("protection", "enclave")
        }
        _ => context,
    }
}

/// What was decided; nothing that the clock moves.
#[derive(Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) permitted: bool,
    policy_ids: Vec<String>,
    policy_set_hash: [u8; 32],
    organization_policy_set_hash: Option<[u8; 32]>,
    evaluation_errors: Vec<String>,
    recorded: Vec<&'static str>,
    reads_session: bool,
    asked: (crate::model::Principal, Vec<String>, Action, crate::policy::Resource, Context),
}

impl Answer {
    pub(super) fn of(permitted: bool, decision: &Decision) -> Self {
        let request = decision.request().clone();
        let mut evaluation_errors = decision.evaluation_errors().to_vec();
        evaluation_errors.sort();
        Self {
            permitted,
            policy_ids: decision.policy_ids().to_vec(),
            policy_set_hash: *decision.policy_set_hash(),
            organization_policy_set_hash: decision.organization_policy_set_hash().copied(),
            evaluation_errors,
            recorded: decision.recorded_context().map(|(name, _)| name).collect(),
            reads_session: decision.reads_session(),
            asked: (request.principal, request.groups, request.action, request.resource, request.context),
        }
    }

    pub(super) fn given(answer: &Result<Grant, Box<Denial>>) -> Self {
        match answer {
            Ok(grant) => Self::of(true, grant.permit()),
            Err(denial) => Self::of(false, denial),
        }
    }
}

//! Who uses which key in the log: a hundred organizations, a thousand keys.
//!
//! **Invariant**: what a record is of follows from its place among the records that were put in.

use crate::Result;
use chancery::{
    access::Target,
    audit::{Draft, Query},
    model::{Action, KeyOrVersionName, OrganizationName, Principal, RequestId, Role},
    policy::{AccessRequest, Context, Denial, Policies, PolicySet, Resource, Session},
};
use std::net::{IpAddr, Ipv4Addr};

const ORGANIZATIONS: u64 = 100;
const KEYS: u64 = 1000;
/// Of ten records, so many are of the hot key.
const HOT_OF_TEN: u64 = 3;

/// A key's record before it has a request id.
struct Template {
    denial: Box<Denial>,
    target: Target,
}

/// See the module.
pub(crate) struct World {
    templates: Vec<Template>,
    /// Every so many records, one is of the rare key.
    rare_every: u64,
}

/// The hot key's and the rare one's places among the keys.
const HOT: u64 = 0;
const RARE: u64 = 1;

fn organization(key: u64) -> Result<OrganizationName> {
    Ok(OrganizationName::from_id(&format!("org{}", key % ORGANIZATIONS))?)
}

fn key_name(key: u64) -> Result<String> {
    Ok(organization(key)?.key(&format!("key{key}"))?.to_string())
}

impl World {
    /// For a log of so many records, five hundred of which are of the rare key.
    pub(crate) fn new(records: u64) -> Result<Self> {
        let base = PolicySet::shipped().iter().map(|(name, text)| ((*name).into(), (*text).into())).collect();
        let policies = Policies::new(PolicySet::from_files(base)?);
        let template = |key: u64| -> Result<Template> {
            let organization = organization(key)?;
            let name = organization.key(&format!("key{key}"))?;
            let request = AccessRequest {
                principal: Principal {
                    name: organization.principal(&format!("peer{}", key / ORGANIZATIONS))?,
                    role: Role::Peer,
                    certificate_fingerprint: [7; 32],
                },
                groups: Vec::new(),
                action: Action::Sign,
                resource: Resource::Key { name: name.clone(), facts: None },
                context: Context::new(),
                session: Session {
                    time: 1,
                    source_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
                    certificate_age: 1,
                    shim: false,
                },
            };
            // A denial has all that a record is found by, and needs no enclave.
            let denial = policies.authorize(request).err().ok_or("the base policies permit a key that is not there")?;
            let target = Target::Key(KeyOrVersionName::Version(name.version(1)));
            Ok(Template { denial: Box::new(denial), target })
        };
        let templates = (0..KEYS).map(template).collect::<Result<_>>()?;
        Ok(Self { templates, rare_every: (records / 500).max(2) })
    }

    /// The key of the nth record.
    fn key_of(&self, n: u64) -> u64 {
        if n % self.rare_every == self.rare_every / 2 {
            return RARE;
        }
        // Multiplied by 2^64 divided by the golden ratio, numbers scatter.
        let scattered = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        if scattered % 10 < HOT_OF_TEN { HOT } else { 2 + scattered % (KEYS - 2) }
    }

    /// The nth record to put in.
    pub(crate) fn draft(&self, n: u64) -> Draft {
        let Template { denial, target } = &self.templates[self.key_of(n) as usize];
        Draft::denial(denial, target, &RequestId { id: request_id(n), hash: [9; 32] })
    }

    /// Queries by name, and how many of the first `records` each finds, at most a page's worth.
    pub(crate) fn queries(&self, records: u64) -> Result<Vec<(&'static str, Query, usize)>> {
        let of = |key: u64| -> Result<Query> {
            Ok(Query {
                organization: organization(key)?.id().to_owned(),
                from: u64::MAX,
                limit: PAGE,
                newest_first: true,
                ..Query::default()
            })
        };
        let count = |key: u64| (0..records).rev().filter(|n| self.key_of(*n) == key).take(PAGE).count();
        let other = 77;
        let principal = Some((organization(other)?.id().to_owned(), format!("peer{}", other / ORGANIZATIONS)));
        let one = records / 3;
        Ok(vec![
            ("last 100 of the hot key", Query { key: Some(key_name(HOT)?), ..of(HOT)? }, count(HOT)),
            ("last 100 of the rare key", Query { key: Some(key_name(RARE)?), ..of(RARE)? }, count(RARE)),
            ("last 100 of one principal", Query { principal, ..of(other)? }, count(other)),
            (
                "last 100 of an action and outcome",
                self.busy(of(other)?),
                PAGE.min(self.of_organization(other, records)),
            ),
            ("one request id", Query { request_id: Some(request_id(one)), ..of(self.key_of(one))? }, 1),
            ("a request id that is none", Query { request_id: Some(request_id(u64::MAX)), ..of(other)? }, 0),
        ])
    }

    fn busy(&self, of: Query) -> Query {
        let denied = chancery_audit::record::Outcome::Denied.into();
        Query { action: Some("Sign".into()), outcome: Some(denied), ..of }
    }

    fn of_organization(&self, key: u64, records: u64) -> usize {
        let is_of = |n: &u64| self.key_of(*n) % ORGANIZATIONS == key % ORGANIZATIONS;
        (0..records).rev().filter(is_of).take(PAGE).count()
    }
}

/// Records asked for.
const PAGE: usize = 100;

fn request_id(n: u64) -> String {
    format!("{:08x}-0000-4000-8000-{:012x}", n >> 48, n & 0xffff_ffff_ffff)
}

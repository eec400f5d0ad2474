//! The decision tables of policies/tables, each row against the shipped set.

use super::{
    AccessRequest, Context, KeyFacts, Policies, PolicySet, Resource, Session, parse_context,
    translate::translate,
    vocabulary::{ResourceKind, resource_kind},
};
use chancery_model::{Action, OrganizationName, Principal, PrincipalName, Role};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    sync::LazyLock,
};

/// One row: a question and the answer it must have.
pub(super) struct Row {
    pub(super) place: String,
    pub(super) request: AccessRequest,
    permitted: bool,
    policy_ids: Vec<String>,
}

impl Row {
    pub(super) fn is_decided_by(&self, policy: &str) -> bool {
        self.policy_ids.iter().any(|id| id == policy)
    }

    /// How `set` fails this row, if it does.
    pub(super) fn failure(&self, policies: &Policies) -> Option<String> {
        let (permitted, policy_ids, errors) = match policies.authorize(self.request.clone()) {
            Ok(permit) => (true, permit.policy_ids().to_vec(), vec![]),
            Err(denial) => (false, denial.policy_ids().to_vec(), denial.evaluation_errors().to_vec()),
        };
        let holds = permitted == self.permitted && policy_ids == self.policy_ids && errors.is_empty();
        (!holds).then(|| format!("{}: permitted {permitted} by {policy_ids:?} {errors:?}", self.place))
    }
}

/// The base set as shipped.
pub(super) static SHIPPED: LazyLock<Policies> =
    LazyLock::new(|| Policies::new(PolicySet::from_files(shipped_files()).unwrap()));

/// Every row of every table.
pub(super) static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let world = World::read();
    Role::ALL.iter().flat_map(|role| world.table(*role)).collect()
});

pub(super) fn shipped_files() -> Vec<(String, String)> {
    PolicySet::shipped().iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

/// What exists, as policies/tables/world says.
struct World {
    enrolling: BTreeMap<String, Vec<Role>>,
    roles: BTreeMap<String, Role>,
    groups: BTreeMap<String, Vec<String>>,
    keys: BTreeMap<String, KeyFacts>,
}

impl World {
    fn read() -> Self {
        let organization = |fields: Vec<String>| (fields[0].clone(), words(&fields[1]));
        let principal = |fields: Vec<String>| (fields[0].clone(), fields[1].parse().unwrap());
        let groups = |fields: Vec<String>| {
            let organization = fields[0].split_once('/').unwrap().0;
            let group = |id: String| format!("organizations/{organization}/groups/{id}");
            (fields[0].clone(), words(&fields[2]).into_iter().map(group).collect())
        };
        let key = |fields: Vec<String>| {
            let labels = fields[6].split_whitespace().map(|label| label.split_once('=').unwrap());
            let facts = KeyFacts {
                owner: PrincipalName::parse_lenient(&fields[1]).unwrap(),
                purpose: fields[2].parse().unwrap(),
                algorithm: fields[3].parse().unwrap(),
                protection: fields[4].parse().unwrap(),
                state: fields[5].parse().unwrap(),
                labels: labels.map(|(label, value)| (label.to_owned(), value.to_owned())).collect(),
            };
            (fields[0].clone(), facts)
        };
        Self {
            enrolling: lines("world/organizations.csv", 2).map(|(_, fields)| organization(fields)).collect(),
            roles: lines("world/principals.csv", 3).map(|(_, fields)| principal(fields)).collect(),
            groups: lines("world/principals.csv", 3).map(|(_, fields)| groups(fields)).collect(),
            keys: lines("world/keys.csv", 7).map(|(_, fields)| key(fields)).collect(),
        }
    }

    fn table(&self, role: Role) -> Vec<Row> {
        let row = |(place, fields): (String, Vec<String>)| {
            let [principal, action, resource, context, decision, policies] = fields.try_into().unwrap();
            assert_eq!(self.roles.get(&principal), Some(&role), "{place}: whose row is it?");
            let action: Action = action.parse().unwrap();
            let (context, session) = circumstances(&place, action, &context);
            Row {
                request: AccessRequest {
                    principal: Principal {
                        name: PrincipalName::parse_lenient(&principal).unwrap(),
                        role,
                        certificate_fingerprint: [0; 32],
                    },
                    groups: self.groups.get(&principal).cloned().unwrap_or_default(),
                    action,
                    resource: self.resource(action, &resource),
                    context,
                    session,
                },
                permitted: match decision.as_str() {
                    "permit" => true,
                    "deny" => false,
                    other => panic!("{place}: {other} is no decision"),
                },
                policy_ids: words(&policies),
                place,
            }
        };
        lines(&format!("{role}.csv"), 6).map(row).collect()
    }

    fn resource(&self, action: Action, name: &str) -> Resource {
        match name.parse::<OrganizationName>() {
            Ok(organization) if resource_kind(action) == ResourceKind::Deployment => {
                Resource::Deployment { organization }
            }
            Ok(organization) if [Action::ListRecords, Action::TailRecords].contains(&action) => {
                Resource::Log { organization }
            }
            Ok(organization) => Resource::Organization {
                name: organization,
                enrolling_roles: self.enrolling.get(name).cloned().unwrap_or_default(),
            },
            Err(_) => Resource::Key { name: name.parse().unwrap(), facts: self.keys.get(name).cloned() },
        }
    }
}

/// Of a row that does not say otherwise.
const SESSION: Session = Session {
    time: 1_800_000_000,
    source_address: std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
    certificate_age: 86_400,
    shim: false,
};

/// `name=value;…`
fn circumstances(place: &str, action: Action, text: &str) -> (Context, Session) {
    let pairs = text.split(';').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap());
    parse_context(action, pairs, SESSION).unwrap_or_else(|error| panic!("{place}: {error}"))
}

fn words<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> Vec<T> {
    text.split_whitespace().map(|word| word.parse().unwrap()).collect()
}

/// Place and fields of each line but comments and the heading.
fn lines(file: &str, columns: usize) -> impl Iterator<Item = (String, Vec<String>)> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../policies/tables").join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let fields = |(number, line): (usize, &str)| {
        let place = format!("{file}:{}", number + 1);
        let fields = line.split(',').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(fields.len(), columns, "{place}: columns");
        (place, fields)
    };
    let used = text.lines().enumerate().filter(|(_, line)| !line.starts_with('#')).skip(1);
    used.map(fields).collect::<Vec<_>>().into_iter()
}

#[test]
fn the_shipped_policies_decide_as_the_tables_say() {
    let failures = ROWS.iter().filter_map(|row| row.failure(&SHIPPED)).collect::<Vec<_>>();
    assert!(failures.is_empty(), "{} rows fail:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn the_tables_ask_every_role_every_action_at_home_and_abroad_and_use_every_policy() {
    let asked = |row: &Row| {
        let home = row.request.principal.name.organization() == row.request.resource.organization();
        (row.request.principal.role, row.request.action, home)
    };
    let asked = ROWS.iter().map(asked).collect::<BTreeSet<_>>();
    for role in Role::ALL {
        for action in Action::ALL {
            for home in [true, false] {
                assert!(asked.contains(&(*role, *action, home)), "{role} {action}, at home: {home}");
            }
        }
    }
    let used = ROWS.iter().flat_map(|row| &row.policy_ids).map(String::as_str).collect::<BTreeSet<_>>();
    let shipped = super::parse::policies(SHIPPED.base().files()).unwrap();
    let shipped = shipped.iter().map(|policy| policy.id().as_ref()).collect::<BTreeSet<&str>>();
    assert_eq!(used, shipped);
}

#[test]
fn requests_fit_the_schema_as_cedar_itself_checks_it() {
    let schema = super::parse::schema();
    for row in ROWS.iter() {
        let (request, entities) = translate(&row.request).unwrap();
        let [principal, action, resource] =
            [request.principal(), request.action(), request.resource()].map(|uid| uid.unwrap().clone());
        let context = request.context().unwrap().clone();
        cedar_policy::Request::new(principal, action, resource, context, Some(schema))
            .unwrap_or_else(|error| panic!("{}: {error}", row.place));
        cedar_policy::Entities::from_entities(entities, Some(schema))
            .unwrap_or_else(|error| panic!("{}: {error}", row.place));
    }
}

//! Who used which key lately, counted from the log: who would stop working without it.
//!
//! **Invariants**: it counts what is in the log, of every start: the log fills it when it is read and whenever it grows.
//! It never grows past [`MOST_USERS`] of one organization, whoever uses how many keys: those that used a key longest ago
//! are forgotten first. A question reads no log.
//!
//! **Not here**: who may ask (`keys`), the records themselves (`query`).

use crate::{
    access::now,
    model::{Action, KeyName, KeyOrVersionName},
};
use chancery_audit::record::{Kind, Outcome, Record};
use std::collections::{BTreeSet, HashMap};

/// Days that are counted, today with them.
pub const DAYS: u32 = 30;

/// The most users of key versions that are kept of an organization: some 10 MiB.
const MOST_USERS: usize = 1 << 15;

const DAY: i64 = 24 * 3600 * 1_000_000_000;

/// What uses a private or secret key.
const USES: [Action; 10] = [
    Action::Sign,
    Action::Encrypt,
    Action::Decrypt,
    Action::DeriveSharedSecret,
    Action::GenerateMac,
    Action::VerifyMac,
    Action::WrapKey,
    Action::UnwrapKey,
    Action::CreateCertificateSigningRequest,
    Action::IssueCertificate,
];

/// See the module.
#[derive(Debug)]
pub struct Users {
    /// By organization's id.
    organizations: HashMap<String, OrganizationUsers>,
    /// Uses before then are not counted, nanoseconds since the Unix epoch.
    from: i64,
}

#[derive(Debug, Default)]
struct OrganizationUsers {
    /// By key's full name, version's number and the last part of the principal's name.
    keys: HashMap<String, HashMap<u64, HashMap<String, Uses>>>,
    count: usize,
}

/// One principal's uses of one version.
#[derive(Debug, Default)]
struct Uses {
    last: i64,
    /// Days since the Unix epoch with a use, and how many it were; oldest first but for a clock that was set back.
    days: Vec<(i64, u64)>,
}

/// Someone who used a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Full principal name.
    pub principal: String,
    /// How often.
    pub uses: u64,
    /// Nanoseconds since the Unix epoch.
    pub last_use: i64,
    /// Numbers of the versions that were used.
    pub versions: BTreeSet<u64>,
}

impl Default for Users {
    fn default() -> Self {
        Self { organizations: HashMap::new(), from: now().saturating_sub(i64::from(DAYS) * DAY) }
    }
}

impl Users {
    /// Counts the log's next record, if a key was used.
    pub fn add(&mut self, record: &Record) {
        let used = record.kind == Kind::Outcome as i32
            && [Outcome::Succeeded as i32, Outcome::Replayed as i32].contains(&record.outcome)
            && record.time_unix_nanos >= self.from
            && USES.iter().any(|action| action.as_str() == record.action);
        let Some(by) = record.principal.as_ref().filter(|_| used) else { return };
        let Some((key, version)) = record.resource.rsplit_once("/versions/") else { return };
        let Some((organization, _)) = key.strip_prefix("organizations/").and_then(|rest| rest.split_once('/')) else {
            return;
        };
        let Ok(version) = version.parse() else { return };
        // Nobody uses another organization's key.
        if by.organization != organization {
            return;
        }
        let kept = match self.organizations.get_mut(organization) {
            Some(kept) => kept,
            None => self.organizations.entry(organization.to_owned()).or_default(),
        };
        kept.add(key, version, &by.name, record.time_unix_nanos);
    }

    /// Who used a key, or one version of it, on one of the last `days`: who used it most first.
    pub fn of(&self, name: &KeyOrVersionName, days: u32) -> Vec<User> {
        let (key, wanted): (&KeyName, _) = match name {
            KeyOrVersionName::Key(key) => (key, None),
            KeyOrVersionName::Version(version) => (version.key(), Some(version.number())),
        };
        let since = now().div_euclid(DAY) - i64::from(days) + 1;
        let kept = self.organizations.get(key.organization().id()).and_then(|kept| kept.keys.get(&key.to_string()));
        let mut users: HashMap<&str, User> = HashMap::new();
        for (version, by) in kept.into_iter().flatten() {
            if wanted.is_some_and(|wanted| wanted != *version) {
                continue;
            }
            for (principal, found) in by {
                let uses: u64 = found.days.iter().filter(|(day, _)| *day >= since).map(|(_, uses)| uses).sum();
                if uses == 0 {
                    continue;
                }
                let user = users.entry(principal).or_insert_with(|| User {
                    principal: format!("{}/principals/{principal}", key.organization()),
                    uses: 0,
                    last_use: 0,
                    versions: BTreeSet::new(),
                });
                user.uses += uses;
                user.last_use = user.last_use.max(found.last);
                user.versions.insert(*version);
            }
        }
        let mut users: Vec<_> = users.into_values().collect();
        users.sort_by(|a, b| b.uses.cmp(&a.uses).then_with(|| a.principal.cmp(&b.principal)));
        users
    }
}

impl OrganizationUsers {
    fn add(&mut self, key: &str, version: u64, by: &str, time: i64) {
        // Nothing is allocated for a user who is known: this runs for every signature.
        if !self.keys.contains_key(key) {
            self.keys.insert(key.to_owned(), HashMap::new());
        }
        let Some(versions) = self.keys.get_mut(key) else { return };
        let principals = versions.entry(version).or_default();
        match principals.get_mut(by) {
            Some(uses) => uses.add(time),
            None => {
                let mut uses = Uses::default();
                uses.add(time);
                principals.insert(by.to_owned(), uses);
                self.count += 1;
            }
        }
        if self.count > MOST_USERS {
            self.forget();
        }
    }

    /// Forgets the quarter that used a key longest ago.
    fn forget(&mut self) {
        let all = || self.keys.values().flat_map(HashMap::values).flat_map(HashMap::values);
        let mut times: Vec<i64> = all().map(|uses| uses.last).collect();
        let (_, oldest_kept, _) = times.select_nth_unstable(MOST_USERS / 4);
        let oldest_kept = *oldest_kept;
        for versions in self.keys.values_mut() {
            versions.values_mut().for_each(|by| by.retain(|_, uses| uses.last > oldest_kept));
            versions.retain(|_, by| !by.is_empty());
        }
        self.keys.retain(|_, versions| !versions.is_empty());
        self.count = self.keys.values().flat_map(HashMap::values).map(HashMap::len).sum();
    }
}

impl Uses {
    fn add(&mut self, time: i64) {
        let day = time.div_euclid(DAY);
        self.last = self.last.max(time);
        match self.days.iter_mut().rfind(|(counted, _)| *counted == day) {
            Some((_, uses)) => *uses += 1,
            None => {
                if self.days.len() == DAYS as usize {
                    self.days.remove(0);
                }
                self.days.push((day, 1));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_audit::record::Principal;

    const KEY: &str = "organizations/org1/keys/k";

    fn record(action: Action, by: &str, resource: &str, time: i64) -> Record {
        let organization = resource.split('/').nth(1).unwrap();
        Record {
            kind: Kind::Outcome.into(),
            outcome: Outcome::Succeeded.into(),
            action: action.as_str().into(),
            principal: Some(Principal { organization: organization.into(), name: by.into(), ..Principal::default() }),
            resource: resource.into(),
            time_unix_nanos: time,
            ..Record::default()
        }
    }

    fn of(users: &Users, name: &str, days: u32) -> Vec<(String, u64)> {
        let short = |user: User| (user.principal.rsplit('/').next().unwrap().to_owned(), user.uses);
        users.of(&name.parse().unwrap(), days).into_iter().map(short).collect()
    }

    #[test]
    fn uses_of_the_last_days_by_whom_and_of_which_version() {
        let (mut users, now) = (Users::default(), now());
        let (one, two) = (format!("{KEY}/versions/1"), format!("{KEY}/versions/2"));
        for _ in 0..3 {
            users.add(&record(Action::Sign, "peer0", &one, now));
        }
        users.add(&record(Action::Sign, "peer0", &two, now - DAY));
        users.add(&record(Action::Decrypt, "peer1", &two, now - 5 * DAY));
        users.add(&record(Action::Sign, "peer2", &one, now - 31 * DAY));
        assert_eq!(of(&users, KEY, 30), [("peer0".into(), 4), ("peer1".into(), 1)]);
        assert_eq!(of(&users, KEY, 5), [("peer0".into(), 4)]);
        assert_eq!(of(&users, KEY, 1), [("peer0".into(), 3)]);
        assert_eq!(of(&users, &two, 30), [("peer0".into(), 1), ("peer1".into(), 1)]);
        let peer0 = &users.of(&KEY.parse().unwrap(), 30)[0];
        assert_eq!((peer0.last_use, peer0.versions.clone()), (now, BTreeSet::from([1, 2])));
        assert_eq!(of(&users, "organizations/org2/keys/k", 30), []);
    }

    /// Otherwise who only looks at a key, or is refused, would seem to need it.
    #[test]
    fn nothing_else_counts() {
        let (mut users, now) = (Users::default(), now());
        let version = format!("{KEY}/versions/1");
        for action in [Action::GetKey, Action::RotateKey, Action::Verify, Action::SuspendKeyVersion] {
            users.add(&record(action, "a", &version, now));
        }
        let sign = record(Action::Sign, "a", &version, now);
        users.add(&Record { outcome: Outcome::NotPerformed.into(), ..sign.clone() });
        users.add(&Record { kind: Kind::Denial.into(), ..sign.clone() });
        users.add(&Record { principal: None, ..sign.clone() });
        users.add(&Record { resource: KEY.into(), ..sign.clone() });
        users.add(&Record { resource: "organizations/org2/keys/k/versions/1".into(), ..sign.clone() });
        assert_eq!(of(&users, KEY, 30), []);
        assert_eq!(of(&users, "organizations/org2/keys/k", 30), []);
        users.add(&Record { outcome: Outcome::Replayed.into(), ..sign });
        assert_eq!(of(&users, KEY, 30), [("a".into(), 1)]);
    }

    #[test]
    fn who_used_a_key_longest_ago_is_forgotten_first_and_nobody_elses() {
        let (mut users, now) = (Users::default(), now());
        users.add(&record(Action::Sign, "theirs", "organizations/org2/keys/k/versions/1", now - DAY));
        for n in 0..=MOST_USERS {
            let time = now - DAY + i64::try_from(n).unwrap();
            users.add(&record(Action::Sign, "peer0", &format!("organizations/org1/keys/k{n}/versions/1"), time));
        }
        let count = users.organizations["org1"].count;
        assert!((MOST_USERS / 2..MOST_USERS).contains(&count), "{count}");
        assert_eq!(of(&users, "organizations/org1/keys/k0", 30), []);
        assert_eq!(of(&users, &format!("organizations/org1/keys/k{MOST_USERS}"), 30), [("peer0".into(), 1)]);
        assert_eq!(of(&users, "organizations/org2/keys/k", 30), [("theirs".into(), 1)]);
    }

    #[test]
    fn a_use_on_every_day_of_a_year_takes_the_room_of_the_days_counted() {
        let mut uses = Uses::default();
        (0..365).for_each(|day| uses.add(day * DAY));
        assert_eq!((uses.days.len(), uses.days[0].0, uses.last), (DAYS as usize, 335, 364 * DAY));
    }
}

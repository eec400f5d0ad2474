//! The registry as it would be: to check a change before it is made, and to lock out before that is recorded.
//!
//! **Invariant**: what is anticipated is what locks out. Where a newer revocation list lets someone in again, that is its
//! anchor's word, which needs no record to be true.

use super::Directory;
use crate::{
    certificates::authority_id,
    identity::{Registry, RegistryError, Revocations},
    model::TrustAnchor,
    store::{Row, anchor_name},
};
use std::sync::{Arc, atomic::Ordering};

/// Puts `row` in the place of the one of the same name.
fn replace<T>(rows: &mut Vec<T>, row: &T, same: impl Fn(&T) -> bool)
where
    T: Clone,
{
    rows.retain(|before| !same(before));
    rows.push(row.clone());
}

impl Directory {
    /// The registry with these rows in force. Nothing changes.
    ///
    /// # Errors
    /// [`RegistryError`] when it would not be consistent.
    pub fn with(&self, rows: &[Row]) -> Result<Registry, RegistryError> {
        let mut members = self.read().members();
        for row in rows {
            match row {
                Row::Organization(row) => replace(&mut members.organizations, row, |before| before.name == row.name),
                Row::Anchor(row) => {
                    let same = |before: &TrustAnchor| anchor_name(before) == anchor_name(row);
                    replace(&mut members.anchors, row, same);
                }
                Row::Registration(row) => replace(&mut members.registrations, row, |before| before.name == row.name),
                Row::Suspension(row) => {
                    replace(&mut members.suspensions, row, |before| before.name() == row.name());
                    members.suspensions.retain(|row| !row.lifted);
                }
                Row::RevocationList(row) => {
                    let same =
                        |before: &Revocations| before.organization == row.organization && before.anchor == row.anchor;
                    replace(&mut members.revocation_lists, &Revocations::parse(row)?, same);
                }
                _ => {}
            }
        }
        Registry::new(members)
    }

    /// Puts in force whatever of these rows locks members out, before their record is durable: a signature that is
    /// released after that was recorded before it. Whether anything was; if it is not recorded after all,
    /// [`Directory::take_back`] lets them in again.
    ///
    /// # Errors
    /// [`RegistryError`] when the registry would not be consistent.
    pub fn anticipate(&self, rows: &[Row]) -> Result<bool, RegistryError> {
        let locking: Vec<_> = rows.iter().filter(|row| self.locks_out(row)).cloned().collect();
        if locking.is_empty() {
            return Ok(false);
        }
        self.put_in_force(self.with(&locking)?);
        Ok(true)
    }

    /// Puts the registry in force again as it is recorded.
    pub fn take_back(&self) {
        match self.with(&[]) {
            Ok(registry) => self.put_in_force(registry),
            Err(error) => tracing::error!(%error, "members stay locked out until the next change of the registry"),
        }
    }

    fn put_in_force(&self, registry: Registry) {
        self.registry.store(Arc::new(registry));
        self.identity_epoch.fetch_add(1, Ordering::AcqRel);
    }

    fn locks_out(&self, row: &Row) -> bool {
        match row {
            Row::RevocationList(_) => true,
            Row::Anchor(row) => {
                let before = self.anchor(&row.organization, &authority_id(&row.certificate));
                let narrower = |before: &TrustAnchor| row.patterns.iter().all(|one| before.patterns.contains(one));
                row.removed || before.is_some_and(|before| !before.removed && narrower(&before))
            }
            Row::Suspension(row) => !row.lifted,
            Row::Registration(row) => self.registration(&row.name).is_some_and(|before| {
                before.role == row.role
                    && row.public_keys_sha256.iter().all(|key| before.public_keys_sha256.contains(key))
            }),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        crypto::tests::openssl::Openssl,
        identity::{CertificateDer, UnixTime},
        model::{Algorithm, NamePattern, Organization, OrganizationName, Role, Suspended, Suspension, TrustAnchor},
    };
    use std::collections::HashMap;

    #[test]
    fn who_is_to_be_locked_out_is_so_until_that_is_taken_back() {
        let openssl = Openssl::new();
        let (key, member) = (openssl.key(Algorithm::EcP256), openssl.key(Algorithm::EcP256));
        let authority = openssl.authority(&key, "/CN=ca", 30);
        let chain = [CertificateDer::from(openssl.issue((&authority, &key), &member, "/CN=client1", 30, "").der)];
        let name = OrganizationName::from_id("org1").unwrap();
        let organization = Organization::new(name.clone(), Vec::new(), 0);
        let anchor = TrustAnchor {
            organization: name.clone(),
            certificate: authority.der,
            patterns: Vec::new(),
            removed: false,
        };
        let rows = [Row::Organization(organization.clone()), Row::Anchor(anchor.clone())];
        let directory = Directory::new("d".into(), rows.clone(), &HashMap::new()).unwrap();
        let let_in = || directory.registry().load().vouching(&chain, UnixTime::now()).is_some();
        let epoch = directory.identity_epoch();
        assert!(let_in());

        let lifted = Suspension {
            organization: name.clone(),
            subject: Suspended::PublicKey([1; 32]),
            reason: String::new(),
            create_time: 0,
            lifted: true,
        };
        let patterns = vec![NamePattern { role: Role::Client, pattern: "*".into() }];
        let wider = Row::Anchor(TrustAnchor { patterns, ..anchor.clone() });
        let letting_in = [Row::Organization(organization.clone()), Row::Suspension(lifted), wider];
        assert!(!directory.anticipate(&letting_in).unwrap(), "nothing of this locks anybody out");
        assert_eq!(directory.identity_epoch(), epoch);

        let removed = Row::Anchor(TrustAnchor { removed: true, ..anchor });
        assert!(directory.anticipate(&[Row::Organization(organization), removed]).unwrap());
        assert!(!let_in() && directory.identity_epoch() > epoch, "open connections are judged anew");
        assert!(directory.anchors(&name, "", 9).iter().all(|anchor| !anchor.removed), "it is not recorded yet");
        let epoch = directory.identity_epoch();
        directory.take_back();
        assert!(let_in() && directory.identity_epoch() > epoch);
    }
}

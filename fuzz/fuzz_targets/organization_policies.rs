//! An organization's own policies: whole, or refused with places that the text has. Whatever they say, what the base set
//! forbids stays forbidden.

#![no_main]

use chancery::{
    model::{Action, OrganizationName, Principal, Role},
    policy::{AccessRequest, Context, OrganizationSet, Policies, PolicyError, PolicySet, Resource, Session},
};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static BASE: LazyLock<Policies> = LazyLock::new(|| {
    let shipped = PolicySet::shipped().iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    Policies::new(PolicySet::from_files(shipped.collect()).expect("the shipped set is valid"))
});

/// An officer signs.
fn forbidden(organization: &OrganizationName) -> AccessRequest {
    AccessRequest {
        principal: Principal {
            name: organization.principal("security").expect("a name"),
            role: Role::SecurityOfficer,
            certificate_fingerprint: [0; 32],
        },
        groups: Vec::new(),
        action: Action::Sign,
        resource: Resource::Key { name: organization.key("key").expect("an id"), facts: None },
        context: Context::new().text("input", "digest").text("hash", "sha256").number("size", 32),
        session: Session { time: 0, source_address: [127, 0, 0, 1].into(), certificate_age: 0, shim: false },
    }
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let organization = OrganizationName::from_id("org1").expect("an id");
    match OrganizationSet::parse(organization.clone(), text.to_owned()) {
        Ok(set) => {
            assert_eq!((set.text(), set.organization()), (text, &organization));
            let explained = BASE.with_organization(set).explain(&forbidden(&organization));
            assert!(!explained.permitted());
            let known = |id: &str| id.starts_with("org1/") || id == "security-officer-uses-no-key";
            assert!(explained.policies.iter().all(|(id, text)| known(id) && !text.is_empty()));
        }
        Err(PolicyError::Invalid(findings)) => {
            let lines = text.matches('\n').count() + 1;
            assert!(!findings.is_empty());
            assert!(findings.iter().all(|of| (1..=lines).contains(&of.line) && of.column > 0));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});

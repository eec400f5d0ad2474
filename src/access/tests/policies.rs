//! Policies to put in force: of organizations, and in the place of the base set.

use super::world::organization;
use crate::policy::{OrganizationSet, PolicySet};
use std::sync::{Arc, LazyLock};

/// Texts of an organization's own policies, parsed: none, and some that read labels, groups, state, roles, the
/// circumstances or the session; one can't be evaluated where much is signed.
pub(super) static OWN: LazyLock<[Vec<Arc<OrganizationSet>>; 2]> = LazyLock::new(|| {
    [0, 1].map(|index| {
        let organization = organization(index);
        let ops = format!("Chancery::Group::\"{organization}/groups/ops\"");
        let on = |action: &str| format!("action == Chancery::Action::\"{action}\", resource");
        let (sign, any) = (on("Sign"), "action, resource");
        let texts = [
            String::new(),
            format!("permit (principal, {sign}) when {{ context.size < 100 }};"),
            format!("forbid (principal, {any}) when {{ context.session.shim }};"),
            format!("forbid (principal, {any}) when {{ context.session.certificateAge > 100000000 }};"),
            format!(
                r#"forbid (principal, {sign})
                when {{ resource.hasTag("env") && resource.getTag("env") == "test" }};"#
            ),
            format!("permit (principal in {ops}, {sign});"),
            format!("forbid (principal in {ops}, {any});"),
            format!(
                r#"forbid (principal, {})
                when {{ resource has state && resource.state == Chancery::KeyState::"SUSPENDED" }};"#,
                on("GetKey")
            ),
            format!(
                "permit (principal, {}) when {{ resource.enrollingRoles.contains(principal.role) }};",
                on("ListKeys")
            ),
            format!("forbid (principal, {sign}) when {{ context.size + 9223372036854775700 < 0 }};"),
            format!(
                r#"forbid (principal, {sign}) when {{ context.session.sourceAddress.isInRange(ip("10.0.0.0/8")) }};
                @id("old") permit (principal, {any})
                when {{ context.session.time > datetime("2020-01-01") && resource.hasTag("open") }};"#
            ),
        ];
        let sets = texts.map(|text| {
            let text = if text.is_empty() { text } else { format!("@id(\"own\") {text}") };
            Arc::new(OrganizationSet::parse(organization.clone(), text).unwrap())
        });
        sets.into()
    })
});

/// The shipped base set, and variations of it: with more, and with less.
pub(super) static BASES: LazyLock<Vec<Arc<PolicySet>>> = LazyLock::new(|| {
    let shipped = || PolicySet::shipped().iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let with = |text: &str| shipped().chain([("more.cedar".to_owned(), format!("@id(\"more\") {text}"))]).collect();
    let sets = [
        shipped().collect(),
        with("forbid (principal, action == Chancery::Action::\"Sign\", resource);"),
        with("forbid (principal, action, resource) when { context.session.shim };"),
        with(
            "permit (principal, action == Chancery::Action::\"GetKey\", resource) when { resource.hasTag(\"open\") };",
        ),
        shipped().filter(|(name, _)| name != "node.cedar").collect::<Vec<_>>(),
    ];
    sets.into_iter().map(|files| Arc::new(PolicySet::from_files(files).unwrap())).collect()
});

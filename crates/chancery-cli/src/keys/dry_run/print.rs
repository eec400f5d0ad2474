//! How an outlook is printed.

use super::Outlook;
use crate::{
    failure::CliError,
    output::{self, Listing, Output},
    time::{self, rfc3339},
};
use chancery_api::v1::KeyUser;
use serde_json::{Value, json as object};

pub(super) fn outlook(form: Output, of: &Outlook) -> Result<(), CliError> {
    if form == Output::Json {
        return output::json(&json(of));
    }
    output::fields(&fields(of))?;
    let Some(usage) = &of.usage else { return Ok(()) };
    output::bytes(b"\n")?;
    let mut listing = Listing::new(form, ["who used it", "uses in 30 days", "last use", "versions"]);
    listing.page(usage.users.iter().map(|user| (Value::Null, row(user))))?;
    listing.finish("nobody used it in the last 30 days")
}

fn row(user: &KeyUser) -> [String; 4] {
    let versions: Vec<_> = user.versions.iter().map(u64::to_string).collect();
    [user.principal.clone(), user.uses.to_string(), rfc3339(user.last_use), versions.join(" ")]
}

fn fields(of: &Outlook) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("dry run", format!("nothing was done; `keys {}` would do this", of.command)),
        ("version", of.name.clone()),
        ("state", format!("{} -> {}", of.state, of.then)),
        ("effect", of.effect.clone()),
        ("undone by", of.undo.clone().unwrap_or_else(|| "nothing: it is for good".to_owned())),
    ];
    if of.only_active {
        fields.push(("only one", "no other version of the key is ACTIVE".to_owned()));
    }
    if let Some((subject, end)) = &of.certificate {
        fields.push(("certificate", format!("{subject}, valid until {end}")));
    }
    if of.destroy_time.is_some() {
        let by = of.usage.as_ref().map(|usage| usage.held_by.join("; "));
        let by = match by.as_deref() {
            None => "you may not know".to_owned(),
            Some("") => "nothing".to_owned(),
            Some(by) => by.to_owned(),
        };
        fields.push(("revived by", by));
    }
    if let Some(waiting) = of.approval {
        let waits = match waiting.is_zero() {
            true => String::new(),
            false => format!(", and {} from asking for it", time::duration(&time::duration_to_proto(waiting))),
        };
        fields.push(("needs", format!("another security officer's approval{waits}")));
    }
    if of.usage.is_none() {
        fields.push(("users", "you may not know; ask a security officer".to_owned()));
    }
    fields
}

pub(super) fn json(of: &Outlook) -> Value {
    let user = |user: &KeyUser| {
        object!({
            "principal": user.principal,
            "uses": user.uses,
            "last_use": rfc3339(user.last_use),
            "versions": user.versions,
        })
    };
    let certificate = |(subject, end): &(String, String)| object!({ "subject": subject, "not_after": end });
    object!({
        "dry_run": true,
        "command": of.command,
        "name": of.name,
        "state": of.state,
        "then": of.then,
        "effect": of.effect,
        "undo": of.undo,
        "destroy_time": of.destroy_time.map(|time| format!("{time:.0}")),
        "only_active": of.only_active,
        "certificate": of.certificate.as_ref().map(certificate),
        "revivable_by": of.usage.as_ref().filter(|_| of.destroy_time.is_some()).map(|usage| &usage.held_by),
        "second_officer": of.approval.is_some(),
        "waiting_seconds": of.approval.map(|waiting| waiting.as_secs()),
        "users": of.usage.as_ref().map(|usage| usage.users.iter().map(user).collect::<Vec<_>>()),
    })
}

//! `chancery policy get`.

use super::{Admin, hash};
use crate::{
    call::call,
    cli::{Global, connect, organization_or_default},
    failure::CliError,
    keys::organization,
    output::{self, Output},
    time,
};
use chancery_api::{
    names::OrganizationName,
    v1::{GetPoliciesRequest, Policies, PolicyText},
};
use serde_json::{Value, json};
use std::{fmt::Write as _, process::ExitCode};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// organizations/ORG or ORG [default: `organization` in the client's configuration]
    #[arg(value_parser = organization)]
    organization: Option<OrganizationName>,
    /// Print the base set that they add to instead
    #[arg(long)]
    base: bool,
}

pub(crate) async fn run(global: &Global, args: &Args) -> Result<ExitCode, CliError> {
    let config = global.config()?;
    let organization = organization_or_default(&config, args.organization.as_ref())?;
    let client = connect(&config).await?;
    let request = GetPoliciesRequest { name: format!("{organization}/policies") };
    let get = |mut admin: Admin, request| async move { admin.get_policies(request).await };
    let doing = format!("read the policies of {organization}");
    let found = call(&client, client.admin(), &request, get, doing).await?;
    match global.output {
        Output::Json => output::json(&json(&found, args.base))?,
        Output::Table => {
            output::bytes(printed(&found, args.base).as_bytes())?;
            output::complain(&output::printable(&summary(&found, args.base)));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The text, as it would be given to `policy set`; each file of the base set under its name.
fn printed(found: &Policies, base: bool) -> String {
    let mut text = String::new();
    if base {
        for PolicyText { path, text: file } in &found.base {
            let _ = writeln!(text, "// ---- {path}\n{}", visible(file).trim_end());
        }
    } else if !found.text.is_empty() {
        let _ = writeln!(text, "{}", visible(&found.text).trim_end());
    }
    text
}

/// Lines stay lines; nothing else that a terminal would obey.
fn visible(text: &str) -> String {
    text.lines().map(|line| output::printable(line) + "\n").collect()
}

fn summary(found: &Policies, base: bool) -> String {
    if base {
        return format!("the base set, hash {}", hex::encode(&found.base_hash));
    }
    if found.text.is_empty() {
        return format!("{} has no policies of its own; the base set decides alone", parent(found));
    }
    let set = time::rfc3339(found.update_time);
    format!("own policies of {}, set {set}, hash {}", parent(found), hex::encode(&found.hash))
}

fn parent(found: &Policies) -> &str {
    found.name.strip_suffix("/policies").unwrap_or(&found.name)
}

/// As scripts read them.
pub(super) fn json(found: &Policies, base: bool) -> Value {
    let mut value = json!({
        "name": found.name,
        "text": found.text,
        "hash": hash(&found.hash),
        "base_hash": hash(&found.base_hash),
        "update_time": found.update_time.map(|at| time::rfc3339(Some(at))),
    });
    if base {
        let file = |of: &PolicyText| json!({ "path": of.path, "text": of.text });
        value["base"] = found.base.iter().map(file).collect();
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_can_be_set_again_and_moves_no_cursor() {
        let text = "// why\n@id(\"a\")\nforbid (principal, action, resource);\n";
        let found = Policies { text: text.to_owned(), ..Policies::default() };
        assert_eq!(printed(&found, false), text);
        let found = Policies { text: "// \u{1b}[2J\tx".to_owned(), ..Policies::default() };
        assert_eq!(printed(&found, false), "// \\u{1b}[2J\\tx\n");
        assert_eq!(printed(&Policies::default(), false), "");
    }
}

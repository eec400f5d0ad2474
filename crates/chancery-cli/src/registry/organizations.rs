//! `chancery organizations …`.

use super::{Admin, OfOrganization, PAGE, certificate, names::short, new_anchors::NewAnchors, roles, table::Table};
use crate::{
    call::call,
    cli::Global,
    confirm::Confirm,
    failure::CliError,
    keys::organization,
    output::{self, Output},
    time::rfc3339,
};
use chancery_api::{
    names::OrganizationName,
    v1::{
        CreateOrganizationRequest, EnrollingRoles, GetOrganizationRequest, ListOrganizationsRequest, NewPrincipal,
        Organization, UpdateOrganizationRequest,
    },
};
use chancery_client::request_id;
use clap::{ArgAction, Subcommand};
use serde_json::{Value, json};
use std::{path::PathBuf, process::ExitCode};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make an organization with its first anchors and officers; for the platform operator
    ///
    /// From then on its officers alone change it. Compare the fingerprints of all certificates with the organization
    /// over another channel first.
    Create(CreateArgs),
    /// Show an organization
    Show(OfOrganization),
    /// List the organizations' names; for the platform operator
    List,
    /// Change which roles may enrol, how new keys of known nodes are met, and whether an expired revocation list refuses
    Update(UpdateArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct CreateArgs {
    /// Its id: 1 to 63 of a-z, 0-9, - . _
    #[arg(value_name = "ID", value_parser = organization)]
    organization: OrganizationName,
    #[command(flatten)]
    anchors: NewAnchors,
    /// A security officer's certificate, which gives name and public key, PEM or DER; may be given again
    #[arg(long = "officer", value_name = "FILE", required = true)]
    officers: Vec<PathBuf>,
    /// Another principal with a role, by its certificate; may be given again
    #[arg(long = "principal", value_name = "ROLE=FILE", value_parser = roles::with_file)]
    principals: Vec<(String, PathBuf)>,
    /// Roles whose holders may create signing keys that they own
    #[arg(long, value_name = "ROLE,…", value_delimiter = ',', value_parser = roles::parser())]
    enrolling_roles: Vec<String>,
}

#[derive(Debug, clap::Args)]
#[command(mut_arg("confirm", |confirm| confirm.value_name("ORG")))]
pub(crate) struct UpdateArgs {
    /// organizations/ORG or ORG
    #[arg(value_parser = organization)]
    organization: OrganizationName,
    /// Whether a new public key under a known node's name waits for an officer
    #[arg(long, value_name = "true|false", action = ArgAction::Set, hide_possible_values = true)]
    pin_strict: Option<bool>,
    /// Whether a CA's members are let in although its revocation list is past its next update
    #[arg(long, value_name = "true|false", action = ArgAction::Set, hide_possible_values = true)]
    accept_expired_crl: Option<bool>,
    /// Roles whose holders may create signing keys that they own; others may not any more
    #[arg(long, value_name = "ROLE,…", value_delimiter = ',', value_parser = roles::parser())]
    enrolling_roles: Vec<String>,
    /// Nobody but officers creates keys
    #[arg(long, conflicts_with = "enrolling_roles")]
    no_enrolling_roles: bool,
    #[command(flatten)]
    confirm: Confirm,
}

/// A list has names alone: the rest is for an organization's own members.
const NAMES: Table<Organization, 1> = Table {
    columns: ["organization"],
    rows: |organization| vec![[short(&organization.name)]],
    json: |organization| json!({ "name": organization.name }),
};

pub(crate) async fn run(global: &Global, command: &Command) -> Result<ExitCode, CliError> {
    match command {
        Command::Create(args) => create(global, args).await?,
        Command::Show(args) => show(global, args).await?,
        Command::List => list(global).await?,
        Command::Update(args) => update(global, args).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn create(global: &Global, args: &CreateArgs) -> Result<(), CliError> {
    let officers = args.officers.iter().map(|file| ("security-officer", file));
    let others = args.principals.iter().map(|(role, file)| (role.as_str(), file));
    let principal = |(role, file): (&str, &PathBuf)| {
        Ok(NewPrincipal { role: role.to_owned(), certificate: certificate::read(file)?.der })
    };
    let request = CreateOrganizationRequest {
        organization_id: args.organization.id().to_owned(),
        enrolling_roles: args.enrolling_roles.clone(),
        anchors: args.anchors.read()?,
        principals: officers.chain(others).map(principal).collect::<Result<_, CliError>>()?,
        request_id: request_id(),
    };
    let client = global.connect().await?;
    let create = |mut admin: Admin, request| async move { admin.create_organization(request).await };
    let doing = format!("create {}", args.organization);
    print(global.output, &call(&client, client.admin(), &request, create, doing).await?)
}

async fn show(global: &Global, args: &OfOrganization) -> Result<(), CliError> {
    let (client, organization) = args.open(global).await?;
    let request = GetOrganizationRequest { name: organization.to_string() };
    let read = |mut admin: Admin, request| async move { admin.get_organization(request).await };
    print(global.output, &call(&client, client.admin(), &request, read, format!("look up {organization}")).await?)
}

async fn list(global: &Global) -> Result<(), CliError> {
    let client = global.connect().await?;
    let page = async |page_token| {
        let request = ListOrganizationsRequest { page_size: PAGE, page_token };
        let list = |mut admin: Admin, request| async move { admin.list_organizations(request).await };
        let page = call(&client, client.admin(), &request, list, "list the organizations").await?;
        Ok((page.organizations, page.next_page_token))
    };
    NAMES.list(global.output, page, "there are no organizations").await
}

impl UpdateArgs {
    /// What would change.
    ///
    /// # Errors
    /// [`CliError::Usage`] when nothing would.
    fn consequence(&self) -> Result<String, CliError> {
        let mut changes = Vec::new();
        match self.pin_strict {
            Some(true) => {
                changes.push("a new public key under a known node's name would wait for an officer".to_owned())
            }
            Some(false) => changes.push("a new public key under a known node's name would be let in".to_owned()),
            None => {}
        }
        match self.accept_expired_crl {
            Some(true) => changes.push("members would be let in although a revocation list has expired".to_owned()),
            Some(false) => changes.push("a CA whose revocation list has expired would let nobody in".to_owned()),
            None => {}
        }
        if self.no_enrolling_roles {
            changes.push("nobody but officers would create keys".to_owned());
        } else if !self.enrolling_roles.is_empty() {
            changes
                .push(format!("{} alone would create signing keys beside officers", self.enrolling_roles.join(", ")));
        }
        if changes.is_empty() {
            return Err(CliError::Usage("name what to change, e.g. --pin-strict true".into()));
        }
        Ok(format!("In {}, {}.", self.organization, changes.join("; ")))
    }
}

async fn update(global: &Global, args: &UpdateArgs) -> Result<(), CliError> {
    let (id, name) = (args.organization.id(), args.organization.to_string());
    args.confirm.check(&[id, &name], &args.consequence()?)?;
    let changes_roles = args.no_enrolling_roles || !args.enrolling_roles.is_empty();
    let request = UpdateOrganizationRequest {
        name,
        pin_strict: args.pin_strict,
        accept_expired_crl: args.accept_expired_crl,
        enrolling_roles: changes_roles.then(|| EnrollingRoles { roles: args.enrolling_roles.clone() }),
        request_id: request_id(),
        confirm: id.to_owned(),
    };
    let client = global.connect().await?;
    let update = |mut admin: Admin, request| async move { admin.update_organization(request).await };
    let doing = format!("update {}", args.organization);
    print(global.output, &call(&client, client.admin(), &request, update, doing).await?)
}

fn print(form: Output, organization: &Organization) -> Result<(), CliError> {
    if form == Output::Json {
        return output::json(&json(organization));
    }
    let choose = |whether, yes: &str, no: &str| if whether { yes.to_owned() } else { no.to_owned() };
    output::fields(&[
        ("name", organization.name.clone()),
        ("created", rfc3339(organization.create_time)),
        (
            "enrolling roles",
            match organization.enrolling_roles.as_slice() {
                [] => "none".to_owned(),
                roles => roles.join(", "),
            },
        ),
        ("new keys of nodes", choose(organization.pin_strict, "wait for an officer", "are let in")),
        (
            "an expired CRL",
            choose(organization.accept_expired_crl, "lets its CA's members in", "refuses its CA's members"),
        ),
        (
            "destruction",
            match organization.destruction_frozen.as_str() {
                "" => "not frozen".to_owned(),
                why => format!("frozen until an officer confirms the clock: {why}"),
            },
        ),
    ])
}

fn json(organization: &Organization) -> Value {
    json!({
        "name": organization.name,
        "create_time": rfc3339(organization.create_time),
        "enrolling_roles": organization.enrolling_roles,
        "pin_strict": organization.pin_strict,
        "accept_expired_crl": organization.accept_expired_crl,
        "destruction_frozen": organization.destruction_frozen,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: UpdateArgs,
    }

    #[test]
    fn what_would_change_is_said_and_something_must() {
        let consequence = |line: &str| Line::try_parse_from(line.split(' ')).unwrap().args.consequence();
        assert_eq!(
            consequence("update org1 --pin-strict true --enrolling-roles peer,ca").unwrap(),
            "In organizations/org1, a new public key under a known node's name would wait for an officer; peer, ca alone \
             would create signing keys beside officers."
        );
        assert!(consequence("update org1 --no-enrolling-roles").unwrap().contains("nobody but officers"));
        assert_eq!(consequence("update org1").unwrap_err().exit_code(), 64);
    }
}

//! `chancery suspensions …`.

use super::{
    Admin, OfOrganization, PAGE,
    fingerprint::Fingerprint,
    names::{ResourceName, principal, short, suspension},
    table::Table,
};
use crate::{
    call::call,
    cli::Global,
    failure::CliError,
    keys::organization,
    time::{rfc3339, short_time},
};
use chancery_api::{
    names::OrganizationName,
    v1::{LiftSuspensionRequest, ListSuspensionsRequest, SuspendPrincipalRequest, Suspension},
};
use chancery_client::request_id;
use clap::{ArgGroup, Subcommand};
use serde_json::{Value, json};
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Let nobody in any more by a name, a certificate or a public key; in force on open connections at once
    Add(AddArgs),
    /// Let them in again
    Lift(LiftArgs),
    /// List an organization's suspensions, those that were lifted too
    List(OfOrganization),
}

#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("who").required(true))]
pub(crate) struct AddArgs {
    /// organizations/ORG or ORG
    #[arg(value_parser = organization)]
    organization: OrganizationName,
    /// Whoever bears this name: NAME, ORG/NAME or the full name
    #[arg(long, value_name = "PRINCIPAL", group = "who")]
    principal: Option<String>,
    /// Whoever shows this certificate: a file with it, or the SHA-256 of its DER
    #[arg(long, value_name = "HEX|FILE", group = "who")]
    certificate: Option<Fingerprint>,
    /// Whoever holds this key: a file with the public key or a certificate of it, or the SHA-256 of its
    /// SubjectPublicKeyInfo
    #[arg(long, value_name = "HEX|FILE", group = "who")]
    public_key: Option<Fingerprint>,
    /// Why, for people; at most 200 characters
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct LiftArgs {
    /// ORG/SUSPENSION, as in `suspensions list`
    #[arg(value_parser = suspension)]
    suspension: ResourceName,
}

const TABLE: Table<Suspension, 4> =
    Table { columns: ["suspension", "since", "state", "reason"], rows: |one| vec![row(one)], json: |one| object(one) };

pub(crate) async fn run(global: &Global, command: &Command) -> Result<ExitCode, CliError> {
    match command {
        Command::Add(args) => add(global, args).await?,
        Command::Lift(args) => lift(global, args).await?,
        Command::List(args) => list(global, args).await?,
    }
    Ok(ExitCode::SUCCESS)
}

impl AddArgs {
    fn request(&self) -> Result<SuspendPrincipalRequest, CliError> {
        let principal = self.principal.as_deref().map(|name| principal(&self.organization, name)).transpose()?;
        let certificate = self.certificate.as_ref().map(Fingerprint::of_certificate).transpose()?;
        let public_key = self.public_key.as_ref().map(Fingerprint::of_public_key).transpose()?;
        Ok(SuspendPrincipalRequest {
            parent: self.organization.to_string(),
            principal: principal.map(|name| name.to_string()).unwrap_or_default(),
            certificate_sha256: certificate.map(Vec::from).unwrap_or_default(),
            public_key_sha256: public_key.map(Vec::from).unwrap_or_default(),
            reason: self.reason.clone(),
            request_id: request_id(),
        })
    }
}

async fn add(global: &Global, args: &AddArgs) -> Result<(), CliError> {
    let request = args.request()?;
    let client = global.connect().await?;
    let suspend = |mut admin: Admin, request| async move { admin.suspend_principal(request).await };
    let doing = format!("suspend in {}", args.organization);
    TABLE.print(global.output, &call(&client, client.admin(), &request, suspend, doing).await?)
}

async fn lift(global: &Global, args: &LiftArgs) -> Result<(), CliError> {
    let request = LiftSuspensionRequest { name: args.suspension.to_string(), request_id: request_id() };
    let client = global.connect().await?;
    let lift = |mut admin: Admin, request| async move { admin.lift_suspension(request).await };
    let doing = format!("lift {}", args.suspension);
    TABLE.print(global.output, &call(&client, client.admin(), &request, lift, doing).await?)
}

async fn list(global: &Global, args: &OfOrganization) -> Result<(), CliError> {
    let (client, organization) = args.open(global).await?;
    let page = async |page_token| {
        let request = ListSuspensionsRequest { parent: organization.to_string(), page_size: PAGE, page_token };
        let list = |mut admin: Admin, request| async move { admin.list_suspensions(request).await };
        let doing = format!("list the suspensions of {organization}");
        let page = call(&client, client.admin(), &request, list, doing).await?;
        Ok((page.suspensions, page.next_page_token))
    };
    TABLE.list(global.output, page, &format!("{organization} has suspended nobody")).await
}

fn row(suspension: &Suspension) -> [String; 4] {
    let state = if suspension.lifted { "lifted" } else { "in force" };
    [short(&suspension.name), short_time(suspension.create_time), state.to_owned(), suspension.reason.clone()]
}

fn object(suspension: &Suspension) -> Value {
    json!({
        "name": suspension.name,
        "principal": suspension.principal,
        "certificate_sha256": hex::encode(&suspension.certificate_sha256),
        "public_key_sha256": hex::encode(&suspension.public_key_sha256),
        "reason": suspension.reason,
        "create_time": rfc3339(suspension.create_time),
        "lifted": suspension.lifted,
    })
}

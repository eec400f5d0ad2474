//! `chancery principals …`.

use super::{
    Admin, OfOrganization, PAGE,
    certificate::{self, Given},
    fingerprint::Fingerprint,
    names::short,
    roles,
    table::Table,
};
use crate::{
    call::call,
    cli::Global,
    confirm::Confirm,
    failure::CliError,
    keys::organization,
    time::{rfc3339, short_time},
};
use chancery_api::{
    names::{OrganizationName, PrincipalName},
    v1::{
        ApprovePrincipalKeyRequest, ListPrincipalsRequest, NewPrincipal, Principal, PrincipalKey,
        RegisterPrincipalRequest, UnregisterPrincipalRequest,
    },
};
use chancery_client::request_id;
use clap::Subcommand;
use serde_json::{Value, json};
use std::{path::PathBuf, process::ExitCode};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Give a name a role, by pinning the public key in a certificate
    ///
    /// The certificate gives name and public key. A second key of the same name and role is added to the first.
    Register(RegisterArgs),
    /// List registered principals, and nodes that were seen, with their keys
    List(OfOrganization),
    /// Take one public key, or all, from a registered principal; without a key nobody bears the name
    Unregister(UnregisterArgs),
    /// Let a node in with a new public key, which waits where its organization says so
    ///
    /// Compare the key's fingerprint with whoever runs the node first, over another channel.
    ApproveKey(ApproveArgs),
}

#[derive(Debug, clap::Args)]
#[command(mut_arg("confirm", |confirm| confirm.value_name("PRINCIPAL")))]
pub(crate) struct RegisterArgs {
    /// organizations/ORG or ORG
    #[arg(value_parser = organization)]
    organization: OrganizationName,
    /// What the principal may do
    #[arg(long, value_name = "ROLE", value_parser = roles::parser())]
    role: String,
    /// Its certificate, PEM or DER
    #[arg(long, value_name = "FILE")]
    certificate: PathBuf,
    #[command(flatten)]
    confirm: Confirm,
}

#[derive(Debug, clap::Args)]
#[command(mut_arg("confirm", |confirm| confirm.value_name("PRINCIPAL")))]
pub(crate) struct UnregisterArgs {
    /// ORG/NAME or its full name
    #[arg(value_parser = PrincipalName::parse_lenient)]
    principal: PrincipalName,
    /// Only this key: SHA-256 of its SubjectPublicKeyInfo, or a file with the key or its certificate [default: all]
    #[arg(long, value_name = "HEX|FILE")]
    public_key: Option<Fingerprint>,
    #[command(flatten)]
    confirm: Confirm,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ApproveArgs {
    /// ORG/NAME or its full name
    #[arg(value_parser = PrincipalName::parse_lenient)]
    principal: PrincipalName,
    /// SHA-256 of the key's SubjectPublicKeyInfo, as in `principals list`, or a file with the key or its certificate
    #[arg(long, value_name = "HEX|FILE")]
    public_key: Fingerprint,
}

const TABLE: Table<Principal, 5> =
    Table { columns: ["principal", "role", "public key", "first seen", "state"], rows, json: |one| object(one) };

pub(crate) async fn run(global: &Global, command: &Command) -> Result<ExitCode, CliError> {
    match command {
        Command::Register(args) => register(global, args).await?,
        Command::List(args) => list(global, args).await?,
        Command::Unregister(args) => unregister(global, args).await?,
        Command::ApproveKey(args) => approve(global, args).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The principal that a certificate would make.
fn named(organization: &OrganizationName, given: &Given) -> Result<PrincipalName, CliError> {
    let name = given.common_name()?;
    organization.principal(&name).map_err(|error| CliError::Rejected(error.to_string()))
}

async fn register(global: &Global, args: &RegisterArgs) -> Result<(), CliError> {
    let given = certificate::read(&args.certificate)?;
    let principal = named(&args.organization, &given)?;
    let key = hex::encode(given.public_key_sha256()?);
    let consequence = format!("Whoever holds the key with SHA-256 {key} would be {principal}, {}.", args.role);
    args.confirm.check(&[principal.id(), &principal.short(), &principal.to_string()], &consequence)?;
    let request = RegisterPrincipalRequest {
        parent: args.organization.to_string(),
        principal: Some(NewPrincipal { role: args.role.clone(), certificate: given.der }),
        request_id: request_id(),
        confirm: principal.id().to_owned(),
    };
    let client = global.connect().await?;
    let register = |mut admin: Admin, request| async move { admin.register_principal(request).await };
    let doing = format!("register {principal}");
    TABLE.print(global.output, &call(&client, client.admin(), &request, register, doing).await?)
}

async fn list(global: &Global, args: &OfOrganization) -> Result<(), CliError> {
    let (client, organization) = args.open(global).await?;
    let page = async |page_token| {
        let request = ListPrincipalsRequest { parent: organization.to_string(), page_size: PAGE, page_token };
        let list = |mut admin: Admin, request| async move { admin.list_principals(request).await };
        let doing = format!("list the principals of {organization}");
        let page = call(&client, client.admin(), &request, list, doing).await?;
        Ok((page.principals, page.next_page_token))
    };
    TABLE.list(global.output, page, &format!("{organization} has no principals")).await
}

async fn unregister(global: &Global, args: &UnregisterArgs) -> Result<(), CliError> {
    let principal = &args.principal;
    let key = args.public_key.as_ref().map(Fingerprint::of_public_key).transpose()?;
    let consequence = match key {
        Some(key) => {
            format!("Whoever holds the key with SHA-256 {} would not be {principal} any more.", hex::encode(key))
        }
        None => format!("Nobody would be {principal} any more, whatever key they hold."),
    };
    args.confirm.check(&[principal.id(), &principal.short(), &principal.to_string()], &consequence)?;
    let request = UnregisterPrincipalRequest {
        name: principal.to_string(),
        public_key_sha256: key.map(Vec::from).unwrap_or_default(),
        request_id: request_id(),
        confirm: principal.id().to_owned(),
    };
    let client = global.connect().await?;
    let unregister = |mut admin: Admin, request| async move { admin.unregister_principal(request).await };
    let doing = format!("unregister {principal}");
    TABLE.print(global.output, &call(&client, client.admin(), &request, unregister, doing).await?)
}

async fn approve(global: &Global, args: &ApproveArgs) -> Result<(), CliError> {
    let request = ApprovePrincipalKeyRequest {
        name: args.principal.to_string(),
        public_key_sha256: args.public_key.of_public_key()?.into(),
        request_id: request_id(),
    };
    let client = global.connect().await?;
    let approve = |mut admin: Admin, request| async move { admin.approve_principal_key(request).await };
    let doing = format!("approve a key of {}", args.principal);
    TABLE.print(global.output, &call(&client, client.admin(), &request, approve, doing).await?)
}

/// A line for each key.
fn rows(principal: &Principal) -> Vec<[String; 5]> {
    let role = if principal.role.is_empty() { "by certificate" } else { &principal.role };
    let row = |key: Option<&PrincipalKey>| {
        let state = match key {
            _ if principal.suspended => "suspended",
            None => "nobody",
            Some(key) if key.pending => "waits for an officer",
            Some(_) => "",
        };
        [
            short(&principal.name),
            role.to_owned(),
            key.map(|key| hex::encode(&key.public_key_sha256)).unwrap_or_default(),
            short_time(key.and_then(|key| key.first_seen)),
            state.to_owned(),
        ]
    };
    match principal.keys.as_slice() {
        [] => vec![row(None)],
        keys => keys.iter().map(|key| row(Some(key))).collect(),
    }
}

fn object(principal: &Principal) -> Value {
    let key = |key: &PrincipalKey| {
        json!({
            "public_key_sha256": hex::encode(&key.public_key_sha256),
            "first_seen": rfc3339(key.first_seen),
            "pending": key.pending,
        })
    };
    json!({
        "name": principal.name,
        "role": principal.role,
        "keys": principal.keys.iter().map(key).collect::<Vec<_>>(),
        "suspended": principal.suspended,
    })
}

//! `chancery anchors …`: the certificate authorities that vouch for an organization's members.

mod add;
mod names;
mod proof;
mod show;

use super::{
    Admin, OfOrganization, PAGE,
    names::{AnchorOrOrganization, ResourceName, anchor, anchor_or_organization},
};
use crate::{call::call, cli::Global, confirm::Confirm, failure::CliError, files};
use chancery_api::v1::{
    ListTrustAnchorsRequest, RemoveTrustAnchorRequest, UpdateRevocationListRequest, UpdateTrustAnchorRequest,
};
use chancery_client::request_id;
use clap::Subcommand;
use names::Names;
use std::{path::PathBuf, process::ExitCode};

/// No revocation list is longer than a request may be, in bytes.
const MAX_LIST: u64 = 1 << 20;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Add a certificate authority that vouches for members
    ///
    /// Either its key proves that it wants to, by a signature over what `chancery anchors proof-text` writes, or a second
    /// officer approves it. Members' certificates must come directly from it: add intermediates themselves. By
    /// certificate alone it makes someone peer, orderer or client, and nobody whom --peer, --orderer and --client leave
    /// out; every other role comes from `chancery principals register`.
    Add(add::Args),
    /// Write what a new anchor's key has to sign, and say how
    ProofText(proof::Args),
    /// List an organization's trust anchors
    List(OfOrganization),
    /// Change the names that an anchor may give
    Update(UpdateArgs),
    /// Let nobody in any more whose certificate comes from an anchor, for good
    Remove(RemoveArgs),
    /// Bring a newer certificate revocation list, signed by the anchor (RFC 5280)
    ///
    /// It acts on open connections at once. An older list than the one in force is refused.
    Crl(CrlArgs),
}

#[derive(Debug, clap::Args)]
#[command(mut_arg("confirm", |confirm| confirm.value_name("ANCHOR")))]
pub(crate) struct UpdateArgs {
    /// ORG/ANCHOR, as in `anchors list`
    #[arg(value_parser = anchor)]
    anchor: ResourceName,
    #[command(flatten)]
    names: Names,
    /// It may name nobody; registered principals stay
    #[arg(long, conflicts_with_all = ["peer", "orderer", "client"])]
    none: bool,
    #[command(flatten)]
    confirm: Confirm,
}

#[derive(Debug, clap::Args)]
#[command(mut_arg("confirm", |confirm| confirm.value_name("ANCHOR")))]
pub(crate) struct RemoveArgs {
    /// ORG/ANCHOR, as in `anchors list`
    #[arg(value_parser = anchor)]
    anchor: ResourceName,
    #[command(flatten)]
    confirm: Confirm,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CrlArgs {
    /// ORG/ANCHOR, or ORG where it has one anchor that fits
    #[arg(value_parser = anchor_or_organization)]
    anchor: AnchorOrOrganization,
    /// The list, PEM or DER; - is standard input
    #[arg(long = "in", value_name = "FILE")]
    input: PathBuf,
}

pub(crate) async fn run(global: &Global, command: &Command) -> Result<ExitCode, CliError> {
    match command {
        Command::Add(args) => add::run(global, args).await?,
        Command::ProofText(args) => proof::run(global, args).await?,
        Command::List(args) => list(global, args).await?,
        Command::Update(args) => update(global, args).await?,
        Command::Remove(args) => remove(global, args).await?,
        Command::Crl(args) => crl(global, args).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(global: &Global, args: &OfOrganization) -> Result<(), CliError> {
    let (client, organization) = args.open(global).await?;
    let page = async |page_token| {
        let request = ListTrustAnchorsRequest { parent: organization.to_string(), page_size: PAGE, page_token };
        let list = |mut admin: Admin, request| async move { admin.list_trust_anchors(request).await };
        let doing = format!("list the trust anchors of {organization}");
        let page = call(&client, client.admin(), &request, list, doing).await?;
        Ok((page.trust_anchors, page.next_page_token))
    };
    show::TABLE.list(global.output, page, &format!("{organization} has no trust anchors")).await
}

async fn update(global: &Global, args: &UpdateArgs) -> Result<(), CliError> {
    let patterns = args.names.patterns();
    if patterns.is_empty() && !args.none {
        return Err(CliError::Usage("say whom it may name from now on, all of them, or --none".into()));
    }
    let (id, name) = (args.anchor.id(), args.anchor.to_string());
    let consequence = format!("From now on {} may name, by certificate alone, {}.", args.anchor, args.names);
    args.confirm.check(&[id, &name], &consequence)?;
    let request = UpdateTrustAnchorRequest { name, patterns, request_id: request_id(), confirm: id.to_owned() };
    let client = global.connect().await?;
    let update = |mut admin: Admin, request| async move { admin.update_trust_anchor(request).await };
    let updated = call(&client, client.admin(), &request, update, format!("update {}", args.anchor)).await?;
    show::TABLE.print(global.output, &updated)
}

async fn remove(global: &Global, args: &RemoveArgs) -> Result<(), CliError> {
    let (id, name) = (args.anchor.id(), args.anchor.to_string());
    let consequence = format!(
        "Nobody whose certificate comes from {} would be let in any more, and it can't be undone.",
        args.anchor
    );
    args.confirm.check(&[id, &name], &consequence)?;
    let request = RemoveTrustAnchorRequest { name, request_id: request_id(), confirm: id.to_owned() };
    let client = global.connect().await?;
    let remove = |mut admin: Admin, request| async move { admin.remove_trust_anchor(request).await };
    let removed = call(&client, client.admin(), &request, remove, format!("remove {}", args.anchor)).await?;
    show::TABLE.print(global.output, &removed)
}

async fn crl(global: &Global, args: &CrlArgs) -> Result<(), CliError> {
    let request = UpdateRevocationListRequest {
        name: args.anchor.to_string(),
        crl: files::read(&args.input, MAX_LIST)?,
        request_id: request_id(),
    };
    let client = global.connect().await?;
    let update = |mut admin: Admin, request| async move { admin.update_revocation_list(request).await };
    let doing = format!("bring a revocation list to {}", args.anchor);
    let anchor = call(&client, client.admin(), &request, update, doing).await?;
    show::TABLE.print(global.output, &anchor)
}

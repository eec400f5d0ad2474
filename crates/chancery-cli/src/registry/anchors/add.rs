//! `chancery anchors add`.

use super::{Names, show};
use crate::{
    call::call,
    cli::Global,
    confirm::Confirm,
    failure::CliError,
    files,
    keys::organization,
    registry::{
        Admin,
        certificate::{self, Given},
    },
};
use chancery_api::{
    names::OrganizationName,
    v1::{AddTrustAnchorRequest, NewTrustAnchor},
};
use chancery_client::request_id;
use std::path::PathBuf;

/// No signature is longer, in bytes.
const MAX_PROOF: u64 = 8 << 10;

#[derive(Debug, clap::Args)]
#[command(mut_arg("confirm", |confirm| confirm.value_name("ORG")))]
pub(crate) struct Args {
    /// organizations/ORG or ORG
    #[arg(value_parser = organization)]
    organization: OrganizationName,
    /// The authority's own certificate, PEM or DER
    #[arg(long, value_name = "FILE")]
    certificate: PathBuf,
    #[command(flatten)]
    names: Names,
    /// Its key's signature over the proof text [default: a second officer approves it]
    #[arg(long, value_name = "FILE")]
    proof: Option<PathBuf>,
    #[command(flatten)]
    confirm: Confirm,
}

impl Args {
    fn consequence(&self, given: &Given) -> String {
        format!(
            "Whoever holds the key of {} (SHA-256 {}) would vouch for members of {}. By certificate alone it may name {}.",
            given.subject(),
            hex::encode(given.sha256()),
            self.organization,
            self.names
        )
    }
}

pub(super) async fn run(global: &Global, args: &Args) -> Result<(), CliError> {
    let given = certificate::read(&args.certificate)?;
    let proof = args.proof.as_deref().map(|path| files::read(path, MAX_PROOF)).transpose()?.unwrap_or_default();
    let (id, parent) = (args.organization.id(), args.organization.to_string());
    args.confirm.check(&[id, &parent], &args.consequence(&given))?;
    let request = AddTrustAnchorRequest {
        parent,
        anchor: Some(NewTrustAnchor { certificate: given.der, patterns: args.names.patterns() }),
        proof,
        request_id: request_id(),
        confirm: id.to_owned(),
    };
    let client = global.connect().await?;
    let add = |mut admin: Admin, request| async move { admin.add_trust_anchor(request).await };
    let doing = format!("add a trust anchor to {}", args.organization);
    show::TABLE.print(global.output, &call(&client, client.admin(), &request, add, doing).await?)
}

//! `chancery anchors proof-text`: what a new anchor's key signs to show that it wants to vouch for an organization.

use crate::{
    call::call,
    cli::Global,
    failure::CliError,
    files,
    output::{self, Output},
    registry::{Admin, OfOrganization},
};
use chancery_api::v1::ListTrustAnchorsRequest;
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    of: OfOrganization,
    /// Where to write it; - is standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    out: PathBuf,
}

pub(super) async fn run(global: &Global, args: &Args) -> Result<(), CliError> {
    let (client, organization) = args.of.open(global).await?;
    let request = ListTrustAnchorsRequest { parent: organization.to_string(), page_size: 1, page_token: String::new() };
    let list = |mut admin: Admin, request| async move { admin.list_trust_anchors(request).await };
    let doing = format!("ask what a trust anchor of {organization} has to sign");
    let text = call(&client, client.admin(), &request, list, doing).await?.proof_text;
    if global.output == Output::Json {
        if !output::is_dash(&args.out) {
            files::write(&args.out, &text)?;
        }
        return output::json(&json!({ "proof_text": String::from_utf8_lossy(&text), "hex": hex::encode(&text) }));
    }
    files::write(&args.out, &text)?;
    for line in instructions(organization.id(), &args.out) {
        output::complain(&output::printable(&line));
    }
    Ok(())
}

/// What to type where the anchor's key is, and then here.
fn instructions(organization: &str, out: &Path) -> [String; 7] {
    let file = if output::is_dash(out) { Path::new("TEXT") } else { out }.display();
    [
        "Where the CA's key is, sign these bytes, not one more or less. With an ECDSA or RSA key:".to_owned(),
        format!("  openssl dgst -sha256 -sign ca-key.pem -out proof {file}"),
        "With an Ed25519 key:".to_owned(),
        format!("  openssl pkeyutl -sign -rawin -inkey ca-key.pem -in {file} -out proof"),
        "Then, with the CA's certificate:".to_owned(),
        format!("  chancery anchors add {organization} --certificate ca.pem --proof proof --peer 'PATTERN' \\"),
        format!("    --confirm {organization}"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_name_the_file() {
        let said = instructions("org1", Path::new("org1.text")).join("\n");
        assert!(said.contains("openssl dgst -sha256 -sign ca-key.pem -out proof org1.text"), "{said}");
        assert!(said.contains("-rawin -inkey ca-key.pem -in org1.text -out proof"), "{said}");
        assert!(instructions("org1", Path::new("-"))[1].ends_with("proof TEXT"));
    }
}

//! `chancery certificates …`.

use crate::{
    call::call,
    cli::Global,
    failure::CliError,
    files,
    keys::show,
    output::{self, Output},
    words::{self, parser},
};
use chancery_api::{
    names::{KeyOrVersionName, KeyVersionName},
    v1::{
        BindCertificateRequest, CertificateProfile, IssueCertificateRequest,
        certificate_service_client::CertificateServiceClient,
    },
};
use chancery_client::{Transport, request_id};
use clap::Subcommand;
use serde_json::json;
use std::{path::PathBuf, process::ExitCode};

/// What calls about certificates go through.
pub(crate) type Certificates = CertificateServiceClient<Transport>;

/// No request and no certificate is longer than this, in bytes.
const MAX_REQUEST: u64 = 256 << 10;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Issue a certificate for a request, by a profile
    Issue(IssueArgs),
    /// Bind a certificate to the key version whose public key it certifies
    ///
    /// A version that waits for a certificate of its own can then be activated.
    Bind(BindArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct BindArgs {
    /// The key version: organizations/ORG/keys/KEY/versions/N
    version: KeyVersionName,
    /// The certificate, PEM or DER; - is standard input
    #[arg(long = "in", value_name = "FILE")]
    input: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct IssueArgs {
    /// The issuing key or key version, of purpose certify
    #[arg(long, value_name = "KEY")]
    ca: KeyOrVersionName,
    /// The certificate signing request, PEM or DER; - is standard input
    #[arg(long, value_name = "FILE")]
    csr: PathBuf,
    /// What the certificate is for; root-ca self-signs a request made by the issuing key itself
    #[arg(long, value_parser = parser(words::PROFILES))]
    profile: CertificateProfile,
    /// Where to write the certificate, PEM; - is standard output
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Where to write the certificate followed by its issuer's, PEM
    #[arg(long, value_name = "FILE")]
    chain_out: Option<PathBuf>,
}

pub(crate) async fn run(global: &Global, command: &Command) -> Result<ExitCode, CliError> {
    match command {
        Command::Issue(args) => issue(global, args).await,
        Command::Bind(args) => bind(global, args).await,
    }
}

async fn bind(global: &Global, args: &BindArgs) -> Result<ExitCode, CliError> {
    let request = BindCertificateRequest {
        name: args.version.to_string(),
        certificate: files::read(&args.input, MAX_REQUEST)?,
        request_id: request_id(),
    };
    let client = global.connect().await?;
    let bind = |mut certificates: Certificates, request| async move { certificates.bind_certificate(request).await };
    let doing = format!("bind a certificate to {}", args.version);
    let key = call(&client, client.certificates(), &request, bind, doing).await?;
    show::print(global.output, &key)?;
    Ok(ExitCode::SUCCESS)
}

async fn issue(global: &Global, args: &IssueArgs) -> Result<ExitCode, CliError> {
    let request = IssueCertificateRequest {
        issuer: args.ca.to_string(),
        certificate_signing_request: files::read(&args.csr, MAX_REQUEST)?,
        profile: args.profile.into(),
        request_id: request_id(),
    };
    let client = global.connect().await?;
    let issue = |mut certificates: Certificates, request| async move { certificates.issue_certificate(request).await };
    let doing = format!("issue a certificate with {}", args.ca);
    let issued = call(&client, client.certificates(), &request, issue, doing).await?;
    let to_stdout = output::is_dash(&args.out);
    if !(to_stdout && global.output == Output::Json) {
        files::write(&args.out, issued.pem.as_bytes())?;
    }
    if let Some(path) = &args.chain_out {
        files::write(path, chain(&issued.pem, &issued.issuer_pem).as_bytes())?;
    }
    match global.output {
        Output::Json => output::json(&json!({
            "pem": issued.pem,
            "issuer": issued.issuer,
            "issuer_pem": issued.issuer_pem,
            "record_index": issued.record_index,
        }))?,
        Output::Table => {
            output::summary(to_stdout, &format!("issued by {}, audit record {}", issued.issuer, issued.record_index))?
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Leaf first. A root is its own issuer and stands once.
fn chain(pem: &str, issuer_pem: &str) -> String {
    if pem == issuer_pem { pem.to_owned() } else { format!("{}\n{issuer_pem}", pem.trim_end()) }
}

#[cfg(test)]
mod tests {
    use super::chain;

    #[test]
    fn a_chain_is_leaf_first_and_a_root_stands_once() {
        assert_eq!(chain("leaf\n", "root\n"), "leaf\nroot\n");
        assert_eq!(chain("leaf", "root\n"), "leaf\nroot\n");
        assert_eq!(chain("root\n", "root\n"), "root\n");
    }
}

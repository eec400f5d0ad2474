//! `chancery csr`.

use crate::{
    call::call,
    certificates::Certificates,
    cli::Global,
    failure::CliError,
    files,
    output::{self, Output},
};
use chancery_api::{names::KeyOrVersionName, v1::CreateCertificateSigningRequestRequest};
use chancery_client::request_id;
use serde_json::json;
use std::{path::PathBuf, process::ExitCode};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The key or key version to be certified, which signs the request
    key: KeyOrVersionName,
    /// Distinguished name (RFC 4514), e.g. "CN=peer0,OU=peer,O=Org1"
    #[arg(long, value_name = "DN")]
    subject: String,
    /// A subject alternative name, dns:NAME or ip:ADDRESS; may be given again
    #[arg(long = "san", value_name = "dns:NAME|ip:ADDRESS", value_parser = alternative_name)]
    alternative_names: Vec<String>,
    /// Where to write the request, PEM; - is standard output
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

fn alternative_name(text: &str) -> Result<String, String> {
    match text.split_once(':') {
        Some(("dns", name)) if !name.is_empty() => Ok(text.to_owned()),
        Some(("ip", address)) if address.parse::<std::net::IpAddr>().is_ok() => Ok(text.to_owned()),
        _ => Err("give dns:NAME or ip:ADDRESS".to_owned()),
    }
}

pub(crate) async fn run(global: &Global, args: &Args) -> Result<ExitCode, CliError> {
    let to_stdout = output::is_dash(&args.out);
    let client = global.connect().await?;
    let request = CreateCertificateSigningRequestRequest {
        name: args.key.to_string(),
        subject: args.subject.clone(),
        subject_alternative_names: args.alternative_names.clone(),
        request_id: request_id(),
    };
    let make = |mut certificates: Certificates, request| async move {
        certificates.create_certificate_signing_request(request).await
    };
    let doing = format!("make a certificate signing request for {}", args.key);
    let made = call(&client, client.certificates(), &request, make, doing).await?;
    if !(to_stdout && global.output == Output::Json) {
        files::write(&args.out, made.pem.as_bytes())?;
    }
    match global.output {
        Output::Json => {
            output::json(&json!({ "name": made.name, "pem": made.pem, "record_index": made.record_index }))?;
        }
        Output::Table => {
            output::summary(to_stdout, &format!("request for {}, audit record {}", made.name, made.record_index))?
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternative_names_are_names_or_addresses() {
        for good in ["dns:peer0.org1", "ip:10.0.0.1", "ip:::1"] {
            alternative_name(good).unwrap();
        }
        for bad in ["peer0.org1", "dns:", "ip:peer0", "uri:spiffe://org1/peer0"] {
            assert!(alternative_name(bad).is_err(), "{bad}");
        }
    }
}

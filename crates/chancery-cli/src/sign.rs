//! `chancery sign`.
//!
//! **Invariant**: a signature is written only when the service saw what we sent and we hold what it made (CRC-32C both
//! ways).

use crate::{
    audit::proof::inclusion,
    call::call,
    cli::Global,
    failure::CliError,
    files,
    output::{self, Output},
    signing_input::{Prepared, Reading, Signing, SigningInput},
    words::{self, parser},
};
use chancery_api::{
    names::KeyOrVersionName,
    v1::{RsaPadding, SignRequest, SignResponse, SignatureFormat, get_inclusion_proof_request::Record},
};
use chancery_audit::receipt::Receipt;
use chancery_client::{Client, request_id};
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The key or key version that signs
    key: KeyOrVersionName,
    /// The file to sign; - is standard input
    #[arg(long = "in", value_name = "FILE")]
    input: PathBuf,
    #[command(flatten)]
    reading: Reading,
    /// RSA: the signature scheme [default: pkcs1]
    #[arg(long, value_parser = parser(words::PADDINGS))]
    padding: Option<RsaPadding>,
    /// How to write the signature: ECDSA and SM2 der or raw, secp256k1 also ethereum and eos, P-256 also eos; der is the
    /// only form of the others
    #[arg(long, value_parser = parser(words::FORMATS), default_value = "der")]
    format: SignatureFormat,
    /// ECDSA: give the smaller of s and n-s [default: false for raw, else true]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    low_s: Option<bool>,
    /// Sign after everyone else's requests
    #[arg(long)]
    batch: bool,
    /// Where to write the signature; - is standard output
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Also write a receipt: a proof, good offline and for ever, that the signature was logged
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
}

pub(crate) async fn run(global: &Global, args: &Args) -> Result<ExitCode, CliError> {
    let to_stdout = output::is_dash(&args.out);
    if to_stdout && global.output == Output::Json {
        return Err(CliError::Usage("--out - and --output json would both write to standard output".into()));
    }
    let client = global.connect().await?;
    let Prepared { input, name } = SigningInput::prepare(&client, &args.key, &args.input, &args.reading).await?;
    let request = SignRequest {
        name,
        input_crc32c: Some(crc32c::crc32c(input.bytes())),
        input: Some(input.into()),
        format: args.format.into(),
        low_s: args.low_s,
        padding: args.padding.unwrap_or(RsaPadding::Unspecified).into(),
        priority: words::priority(args.batch).into(),
        request_id: request_id(),
        receipt: args.receipt.is_some(),
        ..SignRequest::default()
    };
    let sign = |mut signing: Signing, request| async move { signing.sign(request).await };
    let response = call(&client, client.signing(), &request, sign, format!("sign with {}", args.key)).await?;
    check(&request.request_id, &response)?;
    files::write(&args.out, &response.signature)?;
    if let Some(path) = &args.receipt {
        write_receipt(&client, &response, path).await?;
    }
    match global.output {
        Output::Json => output::json(&json!({
            "name": response.name,
            "signature": hex::encode(&response.signature),
            "request_id": response.request_id,
            "record_index": response.record_index,
            "replayed": response.replayed,
            "recovery_id": response.recovery_id,
        }))?,
        Output::Table => output::summary(
            to_stdout,
            &format!(
                "signed by {}, {} bytes, audit record {}",
                response.name,
                response.signature.len(),
                response.record_index
            ),
        )?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the receipt that came with the signature, or that can be had now.
async fn write_receipt(client: &Client, response: &SignResponse, path: &Path) -> Result<(), CliError> {
    let record = response.record_index;
    let receipt = match response.receipt.as_str() {
        "" => inclusion(client, Record::Index(record), false).await.map(|proof| proof.receipt),
        receipt => Ok(receipt.to_owned()),
    };
    let receipt = receipt.inspect_err(|_| {
        let path = path.display();
        output::complain(&format!(
            "the signature is written, its receipt is not; get it later: chancery audit proof {record} --out {path}"
        ));
    })?;
    let read = Receipt::parse(&receipt).map_err(|error| CliError::Internal(error.to_string()))?;
    if read.index != record || read.record.is_none() {
        return Err(CliError::Internal("the receipt belongs to another record; it is discarded".into()));
    }
    files::write(path, receipt.as_bytes())
}

/// Whether the answer belongs to the request, undamaged both ways.
pub(crate) fn check(request_id: &str, response: &SignResponse) -> Result<(), CliError> {
    let wrong = if response.request_id != request_id {
        "the answer belongs to another request"
    } else if !response.verified_input_crc32c {
        "the service did not check that the input arrived undamaged"
    } else if response.signature_crc32c != crc32c::crc32c(&response.signature) {
        "the signature was damaged on its way"
    } else {
        return Ok(());
    };
    Err(CliError::Internal(format!("{wrong}: the signature is discarded")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_or_foreign_answer_is_discarded() {
        let good = SignResponse {
            request_id: "a".into(),
            signature: vec![1, 2, 3],
            signature_crc32c: crc32c::crc32c(&[1, 2, 3]),
            verified_input_crc32c: true,
            ..SignResponse::default()
        };
        check("a", &good).unwrap();
        for bad in [
            SignResponse { request_id: "b".into(), ..good.clone() },
            SignResponse { signature: vec![1, 2, 4], ..good.clone() },
            SignResponse { verified_input_crc32c: false, ..good.clone() },
        ] {
            assert_eq!(check("a", &bad).unwrap_err().exit_code(), 70);
        }
    }
}

//! `chancery audit proof` and `chancery audit consistency`.

use crate::{
    call::call,
    cli::Global,
    failure::CliError,
    files,
    output::{self, Output},
};
use chancery_api::v1::{
    Checkpoint, ConsistencyProof, GetConsistencyProofRequest, GetInclusionProofRequest, InclusionProof,
    audit_service_client::AuditServiceClient, get_inclusion_proof_request::Record,
};
use chancery_client::{Client, Transport};
use serde_json::json;
use std::{path::PathBuf, process::ExitCode};

type Audit = AuditServiceClient<Transport>;

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("record").required(true))]
pub(crate) struct Args {
    /// The record's index
    #[arg(group = "record")]
    index: Option<u64>,
    /// A request of your own: the record of its outcome
    #[arg(long, value_name = "ID", group = "record")]
    request_id: Option<String>,
    /// Where to write the receipt; - is standard output
    #[arg(long, default_value = "-", value_name = "FILE")]
    out: PathBuf,
    /// Against the newest checkpoint that a quorum of witnesses cosigned; their cosignatures go into FILE, for
    /// `audit verify --receipt … --cosignatures FILE --witnesses POLICY_FILE`
    #[arg(long, value_name = "FILE")]
    witnessed: Option<PathBuf>,
}

pub(crate) async fn run(global: &Global, args: &Args) -> Result<ExitCode, CliError> {
    let client = global.connect().await?;
    let record = match (&args.request_id, args.index) {
        (Some(id), _) => Record::RequestId(id.clone()),
        (None, index) => Record::Index(index.unwrap_or_default()),
    };
    let proof = inclusion(&client, record, args.witnessed.is_some()).await?;
    if let Some(path) = &args.witnessed {
        files::write(path, proof.cosignatures.as_bytes())?;
    }
    let to_stdout = output::is_dash(&args.out);
    if !(to_stdout && global.output == Output::Json) {
        files::write(&args.out, proof.receipt.as_bytes())?;
    }
    if global.output == Output::Json {
        output::json(&json!({
            "receipt": proof.receipt,
            "index": proof.index,
            "size": proof.size,
            "with_record": proof.with_record,
            "cosignatures": proof.cosignatures,
        }))?;
    } else {
        let what =
            if proof.with_record { "receipt" } else { "proof, without its bytes, which are another organization's," };
        output::summary(to_stdout, &format!("{what} of record {} among {}", proof.index, proof.size))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks for a record's proof.
pub(crate) async fn inclusion(client: &Client, record: Record, witnessed: bool) -> Result<InclusionProof, CliError> {
    let request = GetInclusionProofRequest { record: Some(record), witnessed };
    let get = |mut audit: Audit, request| async move { audit.get_inclusion_proof(request).await };
    call(client, client.audit(), &request, get, "get the record's proof").await
}

#[derive(Debug, clap::Args)]
pub(crate) struct Sizes {
    /// How many records the older state has
    old: u64,
    /// How many the newer one has [default: as many as the newest checkpoint covers]
    new: Option<u64>,
}

pub(crate) async fn consistency(global: &Global, sizes: &Sizes) -> Result<ExitCode, CliError> {
    let client = global.connect().await?;
    let request = GetConsistencyProofRequest { old_size: sizes.old, new_size: sizes.new.unwrap_or_default() };
    let get = |mut audit: Audit, request| async move { audit.get_consistency_proof(request).await };
    let proof = call(&client, client.audit(), &request, get, "get the consistency proof").await?;
    let ConsistencyProof { old_size, new_size, hashes, checkpoint } = proof;
    let hashes: Vec<String> = hashes.iter().map(hex::encode).collect();
    let note = checkpoint.map(|Checkpoint { note, .. }| note);
    match global.output {
        Output::Json => output::json(&json!({
            "old_size": old_size,
            "new_size": new_size,
            "hashes": hashes,
            "checkpoint": note,
        }))?,
        Output::Table => {
            let text: String = hashes.iter().map(|hash| format!("{hash}\n")).collect();
            output::bytes(text.as_bytes())?;
            output::summary(true, &format!("{} hashes: the first {old_size} of {new_size} records", hashes.len()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

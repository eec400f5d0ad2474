//! `chancery status`.

use crate::{
    cli::{Global, connect},
    failure::{CliError, Doing as _, EXIT_UNAVAILABLE},
    output::{self, Output},
};
use chancery_api::v1::GetCheckpointRequest;
use chancery_client::{Code, Health};
use serde_json::json;
use std::process::ExitCode;

pub(crate) async fn run(global: &Global) -> Result<ExitCode, CliError> {
    let config = global.config()?;
    let client = connect(&config).await?;
    let health = client.health().await.doing("ask for the service's health")?;
    let checkpoint = client
        .retry(|attempt| {
            let (mut audit, request) = (client.audit(), attempt.request(GetCheckpointRequest {}));
            async move { audit.get_checkpoint(request).await }
        })
        .await;
    let size = match checkpoint {
        Ok(checkpoint) => Some(checkpoint.size),
        // Not everyone may read the log, and a new one has no checkpoint yet: neither says that the service is ill.
        Err(error) if matches!(error.code, Code::PermissionDenied | Code::NotFound) => None,
        Err(error) => return Err(error).doing("read the checkpoint"),
    };
    let word = match health {
        Health::Serving => "SERVING",
        Health::NotServing => "NOT_SERVING",
    };
    let addresses: Vec<String> = config.addresses().iter().map(ToString::to_string).collect();
    match global.output {
        Output::Json => {
            output::json(&json!({ "addresses": addresses, "health": word, "checkpoint_size": size }))?;
        }
        Output::Table => {
            let health = match health {
                Health::Serving => "serving: signatures are released",
                Health::NotServing => "not serving: the token or the audit log is down, no signature can be released",
            };
            output::fields(&[
                ("address", addresses.join(", ")),
                ("health", health.to_owned()),
                ("checkpoint", size.map_or("none that you may read".to_owned(), |size| format!("{size} records"))),
            ])?;
        }
    }
    Ok(match health {
        Health::Serving => ExitCode::SUCCESS,
        Health::NotServing => ExitCode::from(EXIT_UNAVAILABLE),
    })
}

//! `chancery policy reload`.

use super::{Admin, hash};
use crate::{
    call::call,
    cli::Global,
    failure::CliError,
    output::{self, Output},
};
use chancery_api::v1::ReloadPoliciesRequest;
use chancery_client::request_id;
use serde_json::json;
use std::process::ExitCode;

pub(crate) async fn run(global: &Global) -> Result<ExitCode, CliError> {
    let client = global.connect().await?;
    let request = ReloadPoliciesRequest { request_id: request_id() };
    let reload = |mut admin: Admin, request| async move { admin.reload_policies(request).await };
    let doing = "have the base set read again";
    let answer = call(&client, client.admin(), &request, reload, doing).await;
    let answer = match answer {
        Err(CliError::Call { error, .. }) if global.output == Output::Table && !error.violations.is_empty() => {
            for violation in &error.violations {
                output::complain(&output::printable(&violation.description));
            }
            return Err(CliError::Rejected(format!("{}; the set in force stays", error.message)));
        }
        answer => answer?,
    };
    match global.output {
        Output::Json => output::json(&json!({ "hash": hash(&answer.hash), "unchanged": answer.unchanged }))?,
        Output::Table => {
            let how = if answer.unchanged { "is the same as before" } else { "is in force" };
            output::summary(false, &format!("the base set {how}, hash {}", hex::encode(&answer.hash)))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

//! `chancery status`.

use crate::{
    cli::{Global, connect},
    failure::{CliError, Doing as _, EXIT_UNAVAILABLE},
    output::{self, Output},
};
use chancery_api::v1::{GetCheckpointRequest, GetTokenStatusRequest, TokenStatus};
use chancery_client::{Client, ClientError, Code, Health};
use clap::Args;
use serde_json::{Value, json};
use std::process::ExitCode;
use tonic::Request;

/// `chancery status`
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Also say which token is open: for the platform operator; others are denied, which is recorded
    #[arg(long)]
    token: bool,
}

pub(crate) async fn run(global: &Global, arguments: &Arguments) -> Result<ExitCode, CliError> {
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
    let token = if arguments.token { token(&client).await? } else { None };
    let word = match health {
        Health::Serving => "SERVING",
        Health::NotServing => "NOT_SERVING",
    };
    let addresses: Vec<String> = config.addresses().iter().map(ToString::to_string).collect();
    match global.output {
        Output::Json => {
            let token = token.as_ref().map(token_json);
            output::json(&json!({ "addresses": addresses, "health": word, "checkpoint_size": size, "token": token }))?;
        }
        Output::Table => {
            let health = match health {
                Health::Serving => "serving: signatures are released",
                Health::NotServing => "not serving: the token or the audit log is down, no signature can be released",
            };
            let mut fields = vec![
                ("address", addresses.join(", ")),
                ("health", health.to_owned()),
                ("checkpoint", size.map_or("none that you may read".to_owned(), |size| format!("{size} records"))),
            ];
            fields.extend(token.map(|token| ("token", token_words(&token))));
            output::fields(&fields)?;
        }
    }
    Ok(match health {
        Health::Serving => ExitCode::SUCCESS,
        Health::NotServing => ExitCode::from(EXIT_UNAVAILABLE),
    })
}

/// The token's status, where the service can be asked.
async fn token(client: &Client) -> Result<Option<TokenStatus>, CliError> {
    let mut request = Request::new(GetTokenStatusRequest {});
    request.set_timeout(client.deadline());
    // Once: a service that is down now is to be told as that, without waiting until it is not.
    match client.admin().get_token_status(request).await.map_err(ClientError::from) {
        Ok(status) => Ok(Some(status.into_inner())),
        Err(error) if error.code == Code::Unavailable => Ok(None),
        Err(error) => Err(error).doing("ask for the token's status"),
    }
}

fn token_words(token: &TokenStatus) -> String {
    let state = if token.open { "open" } else { "not open" };
    let TokenStatus { label, manufacturer, model, serial, library_version, .. } = token;
    format!("{state}: {label}, {manufacturer} {model}, serial {serial}, library {library_version}")
}

fn token_json(token: &TokenStatus) -> Value {
    json!({
        "open": token.open,
        "label": token.label,
        "model": token.model,
        "serial": token.serial,
        "manufacturer": token.manufacturer,
        "library_version": token.library_version,
    })
}

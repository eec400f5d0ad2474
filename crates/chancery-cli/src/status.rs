//! `chancery status`.

use crate::{
    cli::{Global, connect},
    failure::{CliError, Doing as _, EXIT_UNAVAILABLE},
    output::{self, Output},
    time,
};
use chancery_api::v1::{GetCheckpointRequest, GetTokenStatusRequest, TokenStatus, Witness, Witnessing};
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
    let down = down(&client, health).await;
    let checkpoint = client
        .retry(|attempt| {
            let (mut audit, request) = (client.audit(), attempt.request(GetCheckpointRequest {}));
            async move { audit.get_checkpoint(request).await }
        })
        .await;
    let (size, witnessing) = match checkpoint {
        Ok(checkpoint) => (Some(checkpoint.size), checkpoint.witnessing),
        // Not everyone may read the log, and a new one has no checkpoint yet: neither says that the service is ill.
        Err(error) if matches!(error.code, Code::PermissionDenied | Code::NotFound) => (None, None),
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
            let witnesses = witnessing.as_ref().map(witnessing_json);
            output::json(&json!({
                "addresses": addresses, "health": word, "down": down, "checkpoint_size": size, "witnessing": witnesses,
                "token": token,
            }))?;
        }
        Output::Table => {
            let health = match health {
                Health::Serving => "serving: signatures are released".to_owned(),
                Health::NotServing => {
                    let down = if down.is_empty() {
                        "the token or the audit log is down, or witnesses are missing".to_owned()
                    } else {
                        down.join(" and ") + " is down"
                    };
                    format!("not serving: {down}; no signature can be released")
                }
            };
            let mut fields = vec![
                ("address", addresses.join(", ")),
                ("health", health),
                ("checkpoint", size.map_or("none that you may read".to_owned(), |size| format!("{size} records"))),
            ];
            if let Some(witnessing) = &witnessing {
                fields.extend(witnessing.witnesses.iter().map(|witness| ("witness", witness_words(witness))));
                fields.extend((!witnessing.refused.is_empty()).then(|| ("refused", witnessing.refused.clone())));
            }
            if let Some(problem) = token.as_ref().and_then(problem) {
                fields.push(("audit log", problem.to_owned()));
            }
            fields.extend(token.map(|token| ("token", token_words(&token))));
            output::fields(&fields)?;
        }
    }
    Ok(match health {
        Health::Serving => ExitCode::SUCCESS,
        Health::NotServing => ExitCode::from(EXIT_UNAVAILABLE),
    })
}

/// Which parts are down. A service that can't say is as one that did not.
async fn down(client: &Client, health: Health) -> Vec<&'static str> {
    let mut down = Vec::new();
    if health == Health::NotServing {
        let parts = [
            ("chancery.audit-log", "the audit log"),
            ("chancery.token", "the token"),
            ("chancery.witnesses", "the quorum of witnesses"),
        ];
        for (part, name) in parts {
            if matches!(client.health_of(part).await, Ok(Health::NotServing)) {
                down.push(name);
            }
        }
    }
    down
}

/// What the platform operator is told of the audit log.
fn problem(status: &TokenStatus) -> Option<&str> {
    Some(status.audit_log_problem.as_str()).filter(|problem| !problem.is_empty())
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

fn witness_words(witness: &Witness) -> String {
    match witness.cosign_time {
        None => format!("{}: has not cosigned yet", witness.name),
        Some(_) => {
            format!("{}: cosigned {} records at {}", witness.name, witness.size, time::short_time(witness.cosign_time))
        }
    }
}

fn witnessing_json(witnessing: &Witnessing) -> Value {
    let witness = |witness: &Witness| {
        json!({
            "name": witness.name,
            "vkey": witness.vkey,
            "size": witness.size,
            "cosign_time": witness.cosign_time.map(|_| time::rfc3339(witness.cosign_time)),
        })
    };
    json!({
        "required": witnessing.required,
        "refused": witnessing.refused,
        "witnesses": witnessing.witnesses.iter().map(witness).collect::<Vec<_>>(),
    })
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
        "audit_log_problem": problem(token),
    })
}

//! `chancery policy explain`.

use super::{Admin, hash};
use crate::{
    call::call,
    cli::Global,
    failure::CliError,
    output::{self, Output},
};
use chancery_api::{
    names::PrincipalName,
    v1::{DecidingPolicy, ExplainDecisionRequest, ExplainDecisionResponse},
};
use serde_json::json;
use std::{collections::BTreeMap, process::ExitCode};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Who would ask: ORG/NAME or its full name; it need not exist
    #[arg(long, value_parser = PrincipalName::parse_lenient)]
    principal: PrincipalName,
    /// As what, e.g. peer [default: as it is registered]
    #[arg(long)]
    role: Option<String>,
    /// What for: an action of the schema, e.g. Sign
    #[arg(long)]
    action: String,
    /// On what: organizations/ORG, organizations/ORG/keys/KEY or …/versions/N
    #[arg(long, value_name = "NAME")]
    resource: String,
    /// A circumstance by its name in the schema, e.g. hash=sha256; may be given several times
    #[arg(long = "context", value_name = "NAME=VALUE", value_parser = circumstance, num_args = 1..)]
    context: Vec<(String, String)>,
}

fn circumstance(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("a circumstance is NAME=VALUE".to_owned()),
    }
}

pub(crate) async fn run(global: &Global, args: &Args) -> Result<ExitCode, CliError> {
    let context: BTreeMap<_, _> = args.context.iter().cloned().collect();
    if context.len() < args.context.len() {
        return Err(CliError::Usage("a circumstance is given twice".into()));
    }
    let client = global.connect().await?;
    let request = ExplainDecisionRequest {
        principal: args.principal.to_string(),
        role: args.role.clone().unwrap_or_default(),
        action: args.action.clone(),
        resource: args.resource.clone(),
        context,
    };
    let explain = |mut admin: Admin, request| async move { admin.explain_decision(request).await };
    let doing = format!("explain {} on {}", args.action, args.resource);
    let answer = call(&client, client.admin(), &request, explain, doing).await?;
    print(global.output, &answer)?;
    Ok(ExitCode::SUCCESS)
}

fn print(form: Output, answer: &ExplainDecisionResponse) -> Result<(), CliError> {
    if form == Output::Json {
        let policy = |of: &DecidingPolicy| json!({ "id": of.id, "text": of.text });
        return output::json(&json!({
            "permitted": answer.permitted,
            "why": answer.why,
            "policies": answer.policies.iter().map(policy).collect::<Vec<_>>(),
            "evaluation_errors": answer.evaluation_errors,
            "base_hash": hash(&answer.base_hash),
            "hash": hash(&answer.hash),
        }));
    }
    let decision = if answer.permitted { "permit" } else { "deny" };
    let mut fields = vec![("decision", decision.to_owned()), ("why", answer.why.clone())];
    fields.extend(answer.evaluation_errors.iter().map(|error| ("error", error.clone())));
    fields.extend(answer.policies.iter().map(|policy| ("policy", policy.id.clone())));
    fields.push(("base set", hex::encode(&answer.base_hash)));
    if !answer.hash.is_empty() {
        fields.push(("own set", hex::encode(&answer.hash)));
    }
    output::fields(&fields)?;
    for policy in &answer.policies {
        let lines: String = policy.text.lines().map(|line| format!("{}\n", output::printable(line))).collect();
        output::bytes(format!("\n{lines}").as_bytes())?;
    }
    Ok(())
}

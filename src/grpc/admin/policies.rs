//! Policies: an organization's own, the base set, explaining and simulating.

use super::super::{Parts, convert, peer, status::status, uncancelled};
use crate::{
    error::Error,
    model::{Action, OrganizationName, PrincipalName, RequestId},
    policies::{Change, Current, Question, Set, Setting, Simulated, Simulation, Summary},
    policy::Explanation,
};
use chancery_api::v1::{self, simulate_policies_response::Part};
use futures_util::{Stream, StreamExt, stream};
use std::{pin::Pin, sync::Arc};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

/// What a simulation answers, one at a time.
pub(super) type Changes = Pin<Box<dyn Stream<Item = Result<v1::SimulatePoliciesResponse, Status>> + Send>>;

/// Answers of a simulation that wait for a slow caller.
const WAITING: usize = 64;

/// Whose policies `organizations/{organization}/policies` are.
fn policies_of(name: &str) -> Result<OrganizationName, Error> {
    let organization = name.strip_suffix("/policies").and_then(|name| name.parse().ok());
    organization.ok_or_else(|| Error::invalid("name", "no name of policies (organizations/ORG/policies)"))
}

fn hash(of: Option<[u8; 32]>) -> Vec<u8> {
    of.map(Vec::from).unwrap_or_default()
}

fn wire_current(current: Current) -> v1::Policies {
    let Current { own, hash: own_hash, base_hash, base } = current;
    let base = base.into_iter().map(|(path, text)| v1::PolicyText { path, text }).collect();
    v1::Policies { base, ..wire_set(Set { own, hash: own_hash, base_hash }) }
}

fn wire_set(set: Set) -> v1::Policies {
    let Set { own, hash: own_hash, base_hash } = set;
    v1::Policies {
        name: own.name(),
        update_time: (own.update_time > 0).then(|| convert::wire_time(own.update_time)).flatten(),
        text: own.text,
        base_hash: base_hash.to_vec(),
        hash: hash(own_hash),
        base: Vec::new(),
    }
}

pub(super) async fn get_policies(
    parts: &Parts,
    request: Request<v1::GetPoliciesRequest>,
) -> Result<Response<v1::Policies>, Status> {
    let peer = peer(&request)?;
    let work = async { parts.policies.current(&peer, policies_of(&request.get_ref().name)?).await };
    work.await.map(|current| Response::new(wire_current(current))).map_err(|error| status(&error))
}

pub(super) async fn set_policies(
    parts: &Parts,
    request: Request<v1::SetPoliciesRequest>,
) -> Result<Response<v1::Policies>, Status> {
    let peer = peer(&request)?;
    let wire = request.into_inner();
    let validate_only = wire.validate_only;
    let (setting, request) = setting(wire).map_err(|error| status(&error))?;
    let policies = Arc::clone(&parts.policies);
    let set = uncancelled(async move {
        if validate_only { policies.check(&peer, setting).await } else { policies.set(peer, setting, request).await }
    });
    Ok(Response::new(wire_set(set.await?)))
}

fn setting(mut wire: v1::SetPoliciesRequest) -> Result<(Setting, RequestId), Error> {
    let id = convert::request_id(&wire.request_id)?;
    wire.request_id.clear();
    let hash = convert::content_hash(&wire);
    let organization = policies_of(&wire.name)?;
    Ok((Setting { organization, text: wire.text, confirm: wire.confirm }, RequestId { id, hash }))
}

pub(super) async fn reload_policies(
    parts: &Parts,
    request: Request<v1::ReloadPoliciesRequest>,
) -> Result<Response<v1::ReloadPoliciesResponse>, Status> {
    let peer = peer(&request)?;
    let id = convert::request_id(&request.get_ref().request_id).map_err(|error| status(&error))?;
    let hash = convert::content_hash(&v1::ReloadPoliciesRequest::default());
    let policies = Arc::clone(&parts.policies);
    let reloaded = uncancelled(async move { policies.reload(peer, RequestId { id, hash }).await }).await?;
    Ok(Response::new(v1::ReloadPoliciesResponse { hash: reloaded.hash.to_vec(), unchanged: reloaded.unchanged }))
}

fn question(wire: v1::ExplainDecisionRequest) -> Result<Question, Error> {
    let principal =
        PrincipalName::parse_lenient(&wire.principal).map_err(|error| Error::invalid("principal", error))?;
    let role = match wire.role.as_str() {
        "" => None,
        word => Some(convert::name("role", word)?),
    };
    let action: Action = convert::name("action", &wire.action)?;
    Ok(Question { principal, role, action, resource: wire.resource, context: wire.context })
}

fn wire_explanation(of: Explanation) -> v1::ExplainDecisionResponse {
    v1::ExplainDecisionResponse {
        permitted: of.permitted(),
        why: of.verdict.to_string(),
        policies: of.policies.into_iter().map(|(id, text)| v1::DecidingPolicy { id, text }).collect(),
        evaluation_errors: of.evaluation_errors,
        base_hash: of.policy_set_hash.to_vec(),
        hash: hash(of.organization_policy_set_hash),
    }
}

pub(super) async fn explain_decision(
    parts: &Parts,
    request: Request<v1::ExplainDecisionRequest>,
) -> Result<Response<v1::ExplainDecisionResponse>, Status> {
    let peer = peer(&request)?;
    let work = async { parts.policies.explain(&peer, question(request.into_inner())?).await };
    work.await.map(|explained| Response::new(wire_explanation(explained))).map_err(|error| status(&error))
}

fn ids(of: Explanation) -> Vec<String> {
    of.policies.into_iter().map(|(id, _)| id).collect()
}

fn wire_change(change: Change) -> v1::SimulatedChange {
    let Change { record, now, then } = change;
    let by = record.principal.unwrap_or_default();
    v1::SimulatedChange {
        record_index: record.index,
        time: convert::wire_time(record.time_unix_nanos),
        principal: format!("organizations/{}/principals/{}", by.organization, by.name),
        action: record.action,
        resource: record.resource,
        permitted_now: now.permitted(),
        permitted_then: then.permitted(),
        policies_now: ids(now),
        policies_then: ids(then),
    }
}

fn wire_simulated(simulated: Simulated) -> v1::SimulatePoliciesResponse {
    let part = match simulated {
        Simulated::Change(change) => Part::Change(wire_change(*change)),
        Simulated::Summary(Summary { records, requests, changes, decided_otherwise }) => {
            Part::Summary(v1::SimulationSummary { records, requests, changes, decided_otherwise })
        }
    };
    v1::SimulatePoliciesResponse { part: Some(part) }
}

pub(super) async fn simulate_policies(
    parts: &Parts,
    request: Request<v1::SimulatePoliciesRequest>,
) -> Result<Response<Changes>, Status> {
    let peer = peer(&request)?;
    let wire = request.into_inner();
    let simulation = || {
        let organization = convert::name("parent", &wire.parent)?;
        Ok::<_, Error>(Simulation { organization, text: wire.text, since: convert::time("since", wire.since)? })
    };
    let simulation = simulation().map_err(|error| status(&error))?;
    let (answers, waiting) = mpsc::channel(WAITING);
    let policies = Arc::clone(&parts.policies);
    let work = tokio::spawn(async move { policies.simulate(peer, simulation, answers).await });
    let answers = ReceiverStream::new(waiting).map(|simulated| Ok(wire_simulated(simulated)));
    // The stream of answers ends with the work; how that ended is said last.
    let end = stream::once(async move {
        match work.await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(Err(status(&error))),
            Err(_) => Some(Err(status(&Error::stopped()))),
        }
    });
    Ok(Response::new(Box::pin(answers.chain(end.filter_map(|ended| async { ended })))))
}

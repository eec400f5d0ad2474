//! The surfaces that answer anything about the log: what can be asked of them, and the bytes that they answer.

use crate::{harness::Deployment, shared::ORG1, wire::Raw};
use chancery_api::v1::{
    AddCosignatureRequest, ExplainDecisionRequest, GetConsistencyProofRequest, GetInclusionProofRequest,
    GetKeyUsageRequest, GetPoliciesRequest, ListRecordsRequest, SimulatePoliciesRequest, TailRecordsRequest,
    TailRecordsResponse, get_inclusion_proof_request::Record as Asked,
};
use chancery_audit::{record::Outcome, tiles::Tile};
use chancery_client::Client;
use prost::Message;
use prost_types::Timestamp;
use std::process::Command;
use tonic::{Request, Status, client::Grpc};

const TAIL: &str = "/chancery.v1.AuditService/TailRecords";

/// A method's path, and a request.
pub(crate) type Call = (String, Vec<u8>);

/// All bytes that came, and those that do not change from one call to the next.
pub(crate) struct Answer {
    pub(crate) all: Vec<u8>,
    pub(crate) told: Vec<u8>,
}

fn of_status(status: &Status) -> Vec<u8> {
    [format!("{:?} {}", status.code(), status.message()).as_bytes(), status.details()].concat()
}

/// Calls a method, whether it answers once or often; of records that go on, until the log's `size`.
pub(crate) async fn ask(client: &Client, (path, request): Call, size: u64) -> Answer {
    let mut grpc = Grpc::new(client.transport());
    grpc.ready().await.unwrap();
    let (mut all, mut told) = (Vec::new(), Vec::new());
    let end = match grpc.server_streaming(Request::new(request), path.parse().unwrap(), Raw).await {
        Err(status) => Some(status),
        Ok(answer) => {
            all.extend(format!("{:?}", answer.metadata()).bytes());
            let mut stream = answer.into_inner();
            loop {
                match stream.message().await {
                    Err(status) => break Some(status),
                    Ok(None) => break None,
                    Ok(Some(bytes)) => {
                        all.extend_from_slice(&bytes);
                        if path != TAIL {
                            told.extend_from_slice(&bytes);
                            continue;
                        }
                        let answer = TailRecordsResponse::decode(bytes).unwrap();
                        told.extend(answer.records.iter().flat_map(Message::encode_to_vec));
                        if answer.next >= size {
                            break None;
                        }
                    }
                }
            }
        }
    };
    if let Some(status) = end {
        all.extend([of_status(&status), format!("{:?}", status.metadata()).into_bytes()].concat());
        told.extend(of_status(&status));
    }
    Answer { all, told }
}

fn audit(method: &str, request: &impl Message) -> Call {
    (format!("/chancery.v1.AuditService/{method}"), request.encode_to_vec())
}

fn admin(method: &str, request: &impl Message) -> Call {
    (format!("/chancery.v1.AdminService/{method}"), request.encode_to_vec())
}

/// All that is asked with a parent about a key, a principal and a request, in the order in which what is denied leaves
/// nothing that a later answer lists.
pub(crate) fn calls(parent: &str, name: &str, principal: &str, request_id: &str) -> Vec<Call> {
    let all = || ListRecordsRequest { parent: parent.into(), page_size: 1000, ..Default::default() };
    let past = Some(Timestamp { seconds: 1, nanos: 0 });
    let future = Some(Timestamp { seconds: 1 << 40, nanos: 0 });
    let principal_name = format!("{ORG1}/principals/{principal}");
    let filters = [
        ListRecordsRequest { key: name.into(), ..all() },
        ListRecordsRequest { key: format!("{name}/versions/1"), newest_first: true, ..all() },
        ListRecordsRequest { principal: format!("org1/{principal}"), ..all() },
        ListRecordsRequest { principal: principal_name.clone(), action: "Sign".into(), ..all() },
        ListRecordsRequest { request_id: request_id.into(), ..all() },
        ListRecordsRequest { action: "CreateKey".into(), ..all() },
        ListRecordsRequest { outcome: Outcome::Denied.into(), ..all() },
        ListRecordsRequest { since: past, until: future, ..all() },
        ListRecordsRequest { page_token: "7".into(), ..all() },
        ListRecordsRequest { page_token: "below-60".into(), newest_first: true, ..all() },
        all(),
    ];
    let tails = filters[..7].iter().chain(filters.last()).map(|filter| ListRecordsRequest {
        page_size: 0,
        newest_first: false,
        ..filter.clone()
    });
    let tails = tails.map(|filter| audit("TailRecords", &TailRecordsRequest { filter: Some(filter), from: Some(0) }));
    let mut calls: Vec<_> = filters.iter().map(|filter| audit("ListRecords", filter)).chain(tails).collect();
    let by_request =
        |witnessed| GetInclusionProofRequest { record: Some(Asked::RequestId(request_id.into())), witnessed };
    calls.extend([false, true].map(|witnessed| audit("GetInclusionProof", &by_request(witnessed))));
    let id = name.rsplit('/').next().unwrap();
    let forbid = r#"@id("nothing") forbid (principal, action == Chancery::Action::"Sign", resource)"#;
    for (text, since) in
        [(format!("{forbid} when {{ resource.name == {id:?} }};"), future), (format!("{forbid};"), past)]
    {
        calls.push(admin("SimulatePolicies", &SimulatePoliciesRequest { parent: parent.into(), text, since }));
    }
    for (principal, resource) in [(&*principal_name, name), (&*principal_name, parent), ("org2/peer0", name)] {
        for action in ["Sign", "GetKey", "ListRecords"] {
            let context = ["input=digest", "hash=sha256", "size=32"].map(|pair| pair.split_once('=').unwrap());
            let context = context.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let (principal, role, resource) = (principal.into(), "peer".into(), resource.into());
            let context = if action == "Sign" { context.into() } else { [].into() };
            let request = ExplainDecisionRequest { principal, role, action: action.into(), resource, context };
            calls.push(admin("ExplainDecision", &request));
        }
    }
    for note in ["junk".to_owned(), name.to_owned(), format!("chancery/log\n7\n{}\n\n— x y\n", "A".repeat(43) + "=")]
    {
        calls.push(admin("AddCosignature", &AddCosignatureRequest { parent: parent.into(), note }));
    }
    calls.push(admin("GetPolicies", &GetPoliciesRequest { name: format!("{parent}/policies") }));
    calls.push(admin("GetKeyUsage", &GetKeyUsageRequest { name: name.into(), days: 0 }));
    calls
}

/// What is asked about the log's size and place alone.
pub(crate) fn proofs(size: u64) -> Vec<Call> {
    let index = |index| GetInclusionProofRequest { record: Some(Asked::Index(index)), ..Default::default() };
    let sizes = |old_size| GetConsistencyProofRequest { old_size, new_size: 0 };
    let indexes = (0..size + 200).filter(|at| *at < size || at % 100 == 0);
    let inclusion = indexes.map(|at| audit("GetInclusionProof", &index(at)));
    let consistency = [0, 1, size / 2, size, size + 1000].map(|old| audit("GetConsistencyProof", &sizes(old)));
    inclusion.chain(consistency).chain([("/chancery.v1.AuditService/GetCheckpoint".into(), Vec::new())]).collect()
}

/// What anybody gets who has no certificate.
pub(crate) fn fetched(address: &str, size: u64) -> Vec<(String, Vec<u8>)> {
    let width = size % 256;
    let full = (0..size / 256).map(|number| Tile::full(0, number));
    let tiles = full.chain(Tile::partial_at(size)).map(|tile| format!("tile/{tile}"));
    let others = ["checkpoint", "", "tile/entries/000", "tile/data/000", "audit/00000000000000000000.seg"];
    let others = others.map(str::to_owned).into_iter().chain([format!("tile/entries/000.p/{width}")]);
    let fetch = |path: String| {
        let url = format!("https://{address}/{path}");
        let done = Command::new("curl").args(["-s", "-S", "-k", "-i", "--max-time", "30", &url]).output().unwrap();
        (format!("nobody: {path}"), [done.stdout, done.stderr].concat())
    };
    tiles.chain(others).map(fetch).collect()
}

/// `chancery audit export` in all forms.
pub(crate) fn exported(deployment: &Deployment, who: &str, more: &[&str]) -> Vec<(String, Vec<u8>)> {
    let export = |format| {
        let line = [&["audit", "export", "--format", format], more].concat();
        let done = deployment.chancery(who, &line);
        (format!("{who}: {line:?}"), [done.stdout, done.stderr].concat())
    };
    ["jsonl", "cef", "otlp"].map(export).into()
}

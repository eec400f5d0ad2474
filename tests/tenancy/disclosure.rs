//! Nobody outside an organization finds a byte of its records in any answer, nor learns which of them there are. The
//! same search finds them where the organization's own auditor asks.

use crate::{
    authority::Authority,
    bad_requests::put,
    harness::Deployment,
    shared::{ORG1, ORG2, call, creation, id, key, make, records, sign, signing},
    surfaces::{Call, ask, calls, exported, fetched, proofs},
    traces::Traces,
    wire::Api,
};
use chancery_api::v1::{
    Algorithm, GetInclusionProofRequest, ListRecordsRequest, SetPoliciesRequest,
    get_inclusion_proof_request::Record as Asked,
};
use chancery_audit::{record::Record, segment::Frames};
use prost::Message;
use std::{collections::BTreeSet, fs};

const TELLING: [&str; 5] = [
    "telling-key-of-org1",
    "peer-telling-of-org1",
    "telling-label-of-org1",
    "telling-value-of-org1",
    "telling-policy-of-org1",
];
/// What strangers name, and what they name that is not there.
const NAMED: [&str; 2] = ["org1-key-that-is-named", "org1-key-that-is-not-x"];
const STRANGERS: [(&str, &str); 4] = [
    ("org2-auditor", ORG2),
    ("org2-security", ORG2),
    ("org2-client", ORG2),
    ("platform-operator", "organizations/platform"),
];

/// The log's records as they are stored, each with whether it is org1's alone.
fn stored(deployment: &Deployment) -> Vec<(bool, Vec<u8>)> {
    let segment = fs::read(deployment.dir().join("audit/00000000000000000000.seg")).unwrap();
    let records = Frames::new(&segment).unwrap().1.map_while(Result::ok).map(|frame| frame.record.to_vec());
    let own = |bytes: &[u8]| {
        let record = Record::decode(bytes).unwrap();
        let whose = [record.principal.map(|by| format!("organizations/{}", by.organization)), Some(record.resource)];
        let policies = record.policy_set.into_iter().flat_map(|set| set.files).map(|file| file.path);
        whose.into_iter().flatten().chain(policies).any(|name| name.split('/').take(2).eq(ORG1.split('/')))
            && !bytes.windows(4).any(|part| part == b"org2")
    };
    records.map(|bytes| (own(&bytes), bytes)).collect()
}

/// A deployment with a mirror, and its address.
fn mirrored() -> (Deployment, String) {
    let mut deployment = Deployment::start();
    deployment.stop();
    let path = deployment.dir().join("chancery.toml");
    fs::write(&path, fs::read_to_string(&path).unwrap() + "\n[mirror]\nlisten = \"127.0.0.1:0\"\n").unwrap();
    deployment.serve();
    let said = deployment.stderr();
    let address = said.split("mirrored over HTTPS address=").nth(1).unwrap().split_whitespace().next().unwrap();
    let address = address.to_owned();
    (deployment, address)
}

/// org2's and the service's own records of all kinds that a stranger's requests leave behind.
async fn prepare(deployment: &Deployment) {
    let theirs = format!("{ORG2}/keys/theirs");
    make(&deployment.client("org2-security").await, creation(&theirs, "peer0", Algorithm::EcP256)).await;
    let peer = deployment.client("org2-peer0").await;
    for n in 0..3 {
        sign(&peer, signing(&theirs, &[n])).await.unwrap();
    }
    sign(&deployment.client("org2-client").await, signing(&theirs, b"denied")).await.unwrap_err();
}

/// What org1 does: its request ids, the last of them of a signature with the key that strangers name.
async fn act(deployment: &Deployment) -> Vec<String> {
    let [key_id, member, label, value, policy] = TELLING;
    let (officer, client) = (deployment.client("org1-security").await, deployment.client("org1-client").await);
    let teller = Authority::of(deployment, "org1").member(deployment, member, "peer", 4711);
    let mut request = creation(&key(key_id), member, Algorithm::EcP256);
    request.key.as_mut().unwrap().labels = [(label.to_owned(), value.to_owned())].into();
    make(&officer, request).await;
    make(&officer, creation(&key(NAMED[0]), "peer0", Algorithm::EcP256)).await;
    let text = format!(
        "@id({policy:?})\nforbid (principal, action == Chancery::Action::\"Sign\", resource)\n\
         when {{ resource.name == \"nothing\" }};\n"
    );
    let setting = SetPoliciesRequest {
        name: format!("{ORG1}/policies"),
        text,
        request_id: id(),
        confirm: "org1".into(),
        validate_only: false,
    };
    call(officer.admin().set_policies(setting)).await.unwrap();
    let mut ids = Vec::new();
    let (teller, peer) = (teller.connect().await, deployment.client("org1-peer0").await);
    for (by, name, released) in
        [(&teller, key_id, true), (&teller, key_id, true), (&client, key_id, false), (&peer, NAMED[0], true)]
    {
        let request = signing(&key(name), id().as_bytes());
        ids.push(request.request_id.clone());
        let answer = sign(by, request).await;
        assert_eq!(answer.is_ok(), released, "{name}: {answer:?}");
    }
    ids
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_surface_tells_a_stranger_a_byte_of_an_organizations_records() {
    let (deployment, mirror) = tokio::task::block_in_place(mirrored);
    prepare(&deployment).await;
    let auditor = deployment.client("org1-auditor").await;
    let all = ListRecordsRequest { parent: ORG1.into(), ..Default::default() };
    let known: Vec<_> = stored(&deployment).into_iter().filter(|(own, _)| !own).map(|(_, bytes)| bytes).collect();
    let ids = act(&deployment).await;
    let size = loop {
        let listed = records(&auditor, all.clone()).await;
        if ids.iter().all(|id| listed.iter().any(|record| record.request_id == *id)) {
            break stored(&deployment).len() as u64;
        }
    };
    // A checkpoint over all of them.
    let last = GetInclusionProofRequest { record: Some(Asked::Index(size - 1)), ..Default::default() };
    call(auditor.audit().get_inclusion_proof(last)).await.unwrap();

    // Strangers ask for all there is.
    let (named, missing) = (key(NAMED[0]), key(NAMED[1]));
    let (request, no_request) = (&ids[3], &id());
    let api = Api::read();
    let everything = |target: &str| -> Vec<Call> {
        api.methods.iter().map(|method| (method.path.clone(), api.request(method, target, None))).collect()
    };
    let (mut said, mut answers) = (Vec::new(), Vec::new());
    for (who, own) in STRANGERS {
        let client = deployment.client(who).await;
        for parent in [own, ORG1] {
            let there = calls(parent, &named, "peer0", request);
            for (there, not) in there.into_iter().zip(calls(parent, &missing, "peer9", no_request)) {
                let what = format!("{who}: {} {}", there.0, String::from_utf8_lossy(&there.1));
                said.extend([there.1.clone(), not.1.clone()]);
                let differ = there.1 != not.1;
                let (there, not) = (ask(&client, there, size).await, ask(&client, not, size).await);
                let swapped = [(&missing, &named), (no_request, request)]
                    .into_iter()
                    .fold(not.told, |told, (not, there)| put(&told, not, there));
                let swapped = put(&put(&swapped, NAMED[1], NAMED[0]), "peer9", "peer0");
                let shown = |told: &[u8]| String::from_utf8_lossy(told).into_owned();
                assert!(!differ || there.told == swapped, "{what}: {} and {}", shown(&there.told), shown(&swapped));
                answers.extend([(what.clone(), there.all), (what, not.all)]);
            }
        }
        for asked in proofs(size).into_iter().chain(everything(&named)).chain(everything(ORG1)) {
            let what = format!("{who}: {} {:?}", asked.0, asked.1);
            said.push(asked.1.clone());
            answers.push((what, ask(&client, asked, size).await.all));
        }
        for more in [&[][..], &["--key", &named], &["--organization", ORG1], &["--organization", ORG2]] {
            answers.extend(tokio::task::block_in_place(|| exported(&deployment, who, more)));
        }
    }
    answers.extend(tokio::task::block_in_place(|| fetched(&mirror, size)));
    answers.extend(tokio::task::block_in_place(|| fetched(&deployment.address().to_string(), size)));

    // They were answered: proofs to all, org2's auditor its own records, tiles to anybody.
    let with = |whose: &str, text: &[u8]| {
        let of = answers.iter().filter(|(what, _)| what.starts_with(whose));
        of.filter(|(_, answer)| answer.windows(text.len()).any(|part| part == text)).count() as u64
    };
    for (who, _) in STRANGERS {
        assert!(with(&format!("{who}: /chancery.v1.AuditService/GetInclusionProof"), b"c2sp.org/tlog-proof") >= size);
    }
    assert!(with("org2-auditor: /chancery.v1.AuditService/ListRecords", b"org2/keys/theirs") > 0);
    assert!(with("org2-auditor: [\"audit\", \"export\"", b"org2/keys/theirs") > 0);
    assert_eq!((with("nobody: checkpoint", b"200 OK"), with("nobody: tile/0/000.p/", b"200 OK")), (1, 1));

    // Nothing of what is org1's alone is in any of it.
    let own: Vec<_> = stored(&deployment).into_iter().enumerate().filter(|(_, (own, _))| *own).collect();
    let own: Vec<_> = own.into_iter().map(|(at, (_, bytes))| (at as u64, bytes)).filter(|(at, _)| *at < size).collect();
    let uuids: Vec<_> = ids[..3].iter().map(|id| uuid::Uuid::parse_str(id).unwrap().into_bytes()).collect();
    let texts = || TELLING.into_iter().chain(ids[..3].iter().map(String::as_str));
    let bytes = texts().map(str::as_bytes).chain(uuids.iter().map(|uuid| &uuid[..]));
    let known = [known, said].concat();
    let traces = Traces::new(own.iter().map(|(at, bytes)| (*at, bytes)), bytes, &known);
    assert!(texts().all(|text| traces.all().contains(text)));
    assert!(own.iter().all(|(at, _)| traces.all().contains(&*format!("record {at}"))));
    for (what, answer) in &answers {
        let found = traces.within(answer);
        assert!(found.is_empty(), "{found:?} in {what}: {}", String::from_utf8_lossy(answer));
    }

    // The same search finds it where it may be.
    let listed: Vec<_> =
        own.iter().filter(|(_, bytes)| Record::decode(&bytes[..]).unwrap().policy_set.is_none()).collect();
    let of_records: BTreeSet<_> = listed.iter().map(|(at, _)| format!("record {at}")).collect();
    let mut surfaces = BTreeSet::new();
    for asked in calls(ORG1, &key(TELLING[0]), TELLING[1], &ids[0]).into_iter().chain(proofs(size)) {
        let path = asked.0.rsplit('/').next().unwrap().to_owned();
        let answer = ask(&auditor, asked, size).await.all;
        let found = traces.within(&answer);
        if of_records.iter().all(|record| found.contains(&**record)) && texts().all(|text| found.contains(text)) {
            surfaces.insert(format!("all by {path}"));
        }
        if !found.is_empty() {
            surfaces.insert(path);
        }
    }
    let expected = ["ExplainDecision", "GetInclusionProof", "GetKeyUsage", "GetPolicies", "ListRecords"];
    let expected = expected.into_iter().chain(["SimulatePolicies", "TailRecords"]);
    let expected = expected.chain(["all by ListRecords", "all by TailRecords"]).map(str::to_owned).collect();
    assert_eq!(surfaces, expected);
    for (what, form) in tokio::task::block_in_place(|| exported(&deployment, "org1-auditor", &[])) {
        let found = traces.within(&form);
        assert!(found.contains(TELLING[0]) && found.contains(TELLING[1]), "{what}: {found:?}");
        assert!(found.iter().any(|of| of.starts_with("record ")), "{what}: hashes and signatures too");
    }
}

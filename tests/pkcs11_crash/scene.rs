//! The clients, the faults, and what must hold afterwards.

use crate::{
    account,
    client::{Client, Job},
    faults::Faults,
    foreign::Script,
    go::program_of,
    harness::{Deployment, program},
    lines::Received,
    recorded::Log,
    stage::Stage,
};
use chancery_api::v1::{
    Algorithm, CreateKeyRequest, GetPublicKeyRequest, Key, ListKeysRequest, ListObjectsRequest, PublicKey, Standing,
};
use chancery_audit::record::Outcome;
use chancery_client::request_id;
use sha2::{Digest, Sha256};
use std::{
    collections::HashSet,
    process::Command,
    time::{Duration, Instant},
};
use tokio::runtime::Runtime;

const ORG1: &str = "organizations/org1";
/// For one call, as configured.
const DEADLINE: Duration = Duration::from_secs(30);
/// Beyond their time, for clients to end in.
pub(crate) const GRACE: Duration = Duration::from_secs(60);

/// Seconds of `make pkcs11-soak`; few elsewhere.
fn time() -> Duration {
    let seconds = std::env::var("PKCS11_SOAK_SECONDS").ok().map(|text| text.parse().expect("PKCS11_SOAK_SECONDS"));
    Duration::from_secs(seconds.unwrap_or(28))
}

/// Everything that signs and makes keys, while everything is killed: no client is told of a failure, none waits longer
/// than a call may take, every signature that was received is in the log exactly once and verifies, and what else was
/// signed or made was so for the clients that were killed themselves, at most one for each of their threads.
#[test]
fn clients_never_notice_that_services_are_killed() {
    let runtime = Runtime::new().unwrap();
    let Stage { mut deployment, forwarder } = Stage::start();
    let node = runtime.block_on(create(&deployment, "node", "peer0"));
    let mortal = runtime.block_on(create(&deployment, "mortal", "client"));

    let mut clients = Vec::new();
    let mut add = |command: Command, name, principal, key: &str, threads, dies| {
        let job = Job { name, principal, key: key.into(), threads, dies };
        clients.push(Client::start(&deployment, command, job, time()));
    };
    let signer = || Command::new(program_of("signer"));
    add(signer(), "Fabric's provider", "peer0", &id(&node), 16, false);
    add(cryptoki(), "the cryptoki crate", "peer0", &id(&node), 16, false);
    for tool in ["pkcs11-tool", "openssl", "certtool"] {
        add(one_by_one(tool), tool, "peer0", &id(&node), 1, false);
    }
    add(Script::python("signer.py").command(), "python-pkcs11", "peer0", &id(&node), 16, false);
    add(node_js(), "pkcs11js", "peer0", &id(&node), 16, false);
    add(java(), "SunPKCS11", "peer0", "ephemeral", 16, false);
    add(signer(), "an ephemeral key", "peer0", "ephemeral", 4, false);
    add(signer(), "Fabric's provider, killed", "client", &id(&mortal), 16, true);
    add(signer(), "keys for Fabric", "orderer0", "", 2, false);
    add(signer(), "keys for Fabric, killed", "ca", "", 2, true);

    let faults = Faults::play(&mut deployment, &forwarder, &mut clients, time());
    let deadline = Instant::now() + GRACE;
    let received: Vec<_> = clients.into_iter().map(|client| client.finish(deadline)).collect();
    println!("{faults:?} in {:?}", time());
    for (job, received) in &received {
        println!("{}: {} received, {:?} at the slowest", job.name, received.count(), received.slowest);
        assert!(received.count() > 0, "{} received nothing", job.name);
        // A new process, and a new key, are several calls.
        let one_call = job.threads > 1 && !job.key.is_empty();
        assert!(!one_call || received.slowest.is_none_or(|slowest| slowest < DEADLINE), "{}", job.name);
        if let Some(public) = [&node, &mortal].into_iter().find(|public| id(public) == job.key) {
            account::verify(&public.raw, received);
        }
    }
    assert!(faults.service > 0 && faults.enclave > 0 && faults.cuts > 0, "too few faults for a proof: {faults:?}");

    keys(&runtime, &deployment, &received);
    assert_eq!(deployment.stop(), Some(0));
    let log = Log::read(&deployment);
    println!("asked for again and answered as before: {}", log.count("Sign", Outcome::Replayed));
    println!("lost with the enclave, and signed anew: {}", log.count("Sign", Outcome::Unknown));
    let unclaimed = account::signatures(log.signatures(), &received);
    println!("signatures whose caller was killed: {unclaimed:?}");
    let claimable = unclaimed.iter().all(|(principal, count)| principal == "client" && *count <= 16);
    assert!(claimable, "signed for nobody: {unclaimed:?}");
}

/// The CKA_ID that nobody has set: the subject key identifier.
fn id(public: &PublicKey) -> String {
    hex::encode(Sha256::digest(&public.raw))
}

/// A P-256 key that a principal of org1 owns.
async fn create(deployment: &Deployment, id: &str, owner: &str) -> PublicKey {
    let owner = format!("{ORG1}/principals/{owner}");
    let key = Key { owner, algorithm: Algorithm::EcP256.into(), ..Key::default() };
    let request = CreateKeyRequest {
        parent: ORG1.into(),
        key_id: id.into(),
        key: Some(key),
        request_id: request_id(),
        ..CreateKeyRequest::default()
    };
    let officer = deployment.client("org1-security").await;
    let key = officer.keys().create_key(request).await.unwrap().into_inner();
    officer.signing().get_public_key(GetPublicKeyRequest { name: key.name }).await.unwrap().into_inner()
}

fn cryptoki() -> Command {
    let mut command = Command::new(program("examples/cryptoki-client"));
    command.arg("sign");
    command
}

/// libuv signs in as many threads as there are signers.
fn node_js() -> Command {
    let mut command = Script::node("signer.js").command();
    command.env("UV_THREADPOOL_SIZE", "16");
    command
}

/// Java's keystore knows keys by their certificates; this one signs with a key of its session.
fn java() -> Command {
    Script::java("Signer.java").command()
}

/// A process for each signature, each of which finds the service as it is just then.
fn one_by_one(tool: &str) -> Command {
    let mut command = Command::new("sh");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pkcs11_crash/one-by-one.sh")).arg(tool);
    command
}

/// Whoever was told of a key has it, once; and of no other key exists more than was being made for a client that died.
fn keys(runtime: &Runtime, deployment: &Deployment, received: &[(Job, Received)]) {
    for (job, received) in received.iter().filter(|(job, _)| job.key.is_empty()) {
        let made = runtime.block_on(ids(deployment, job.principal));
        let told: HashSet<_> = received.keys.iter().cloned().collect();
        assert_eq!(told.len(), received.keys.len(), "{}: one key for two", job.name);
        let lost: Vec<_> = told.difference(&made).map(hex::encode).collect();
        assert!(lost.is_empty(), "{}: lost {lost:?}", job.name);
        let leftover = made.len() - told.len();
        let provisional = runtime.block_on(provisional(deployment, job.principal));
        println!("{}: {leftover} keys that it was not told of, {provisional} of them provisional", job.name);
        assert!(leftover <= if job.dies { job.threads } else { 0 }, "{}: {leftover} keys too many", job.name);
    }
}

/// The SKIs of all keys of an owner.
async fn ids(deployment: &Deployment, owner: &str) -> HashSet<Vec<u8>> {
    let officer = deployment.client("org1-security").await;
    let mut ids = HashSet::new();
    let mut request = ListKeysRequest {
        parent: ORG1.into(),
        page_size: 1000,
        filter: format!("owner={owner}"),
        ..Default::default()
    };
    loop {
        let page = officer.keys().list_keys(request.clone()).await.unwrap().into_inner();
        for key in page.keys {
            let name = key.primary.unwrap().name;
            let public = officer.signing().get_public_key(GetPublicKeyRequest { name }).await.unwrap().into_inner();
            assert!(ids.insert(Sha256::digest(public.raw).to_vec()), "{} is there twice", key.name);
        }
        if page.next_page_token.is_empty() {
            return ids;
        }
        request.page_token = page.next_page_token;
    }
}

/// How many keys of a principal have no name yet.
async fn provisional(deployment: &Deployment, principal: &str) -> usize {
    let client = deployment.client(&format!("org1-{principal}")).await;
    let request = ListObjectsRequest { parent: ORG1.into(), ..ListObjectsRequest::default() };
    let page = client.objects().list_objects(request).await.unwrap().into_inner();
    assert_eq!(page.next_page_token, "", "more than a page");
    let waiting = page.objects.into_iter().filter(|object| object.standing() == Standing::Provisional);
    waiting.map(|object| object.version).collect::<HashSet<_>>().len()
}

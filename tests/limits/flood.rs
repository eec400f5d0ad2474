//! org2 floods a service whose log lies on 64 MiB: org1 signs on, and the log has org2's flood to the last denial,
//! within org2's share.

use crate::{
    harness::Deployment,
    setting::create,
    shared::{ORG1, ORG2, key, records, sign, signing},
};
use chancery_api::v1::ListRecordsRequest;
use chancery_audit::record::{Kind, Record};
use chancery_client::Client;
use prost::Message;
use std::{
    fs,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// Of a volume of 64 MiB.
const SHARE: usize = 1 << 20;
/// More denials than would fit into the share one by one.
const FLOOD: usize = 4_000;
/// Who floods, and how many of its requests are under way.
const FLOODERS: [&str; 7] = ["peer0", "orderer0", "ca", "client", "opssc", "auditor", "security"];
const UNDER_WAY: usize = 12;
/// How long org1 is watched when it is alone.
const ALONE: Duration = Duration::from_secs(3);

/// From its second start on the service has its log on a small volume of its own, which goes with it.
const SMALL_VOLUME: &str = r#"
for dir; do :; done
if [ -d "$dir/audit" ]; then
    cp -a "$dir/audit" "$dir/before" && mount -t tmpfs -o size=64m,mode=0700 none "$dir/audit" || exit 9
    cp -a "$dir/before/." "$dir/audit/"
fi
exec "$@"
"#;

/// Whether this host lets us have a volume of our own.
fn may_mount() -> bool {
    let mount = "mount -t tmpfs -o size=1m none /mnt";
    Command::new("unshare").args(["--mount", "sh", "-c", mount]).status().is_ok_and(|status| status.success())
}

/// A deployment that records a thousand denials a second of each principal, as long as there is room for them.
fn deployment() -> Deployment {
    // Elsewhere it is told what it would find out.
    let (wrapper, told): (&[_], _) = match may_mount() {
        true => (&["unshare", "--mount", "sh", "-c", SMALL_VOLUME, "sh"], String::new()),
        false => (&[], format!("denial_bytes_per_day = {SHARE}\n")),
    };
    let mut deployment = Deployment::start_under(wrapper);
    assert_eq!(deployment.stop(), Some(0));
    let path = deployment.dir().join("chancery.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{text}\n[log]\nsegment_mebibytes = 4\n[limits]\ndenials_per_second = 1000\n{told}"))
        .unwrap();
    deployment.serve();
    deployment
}

/// Signs with `under_way` requests at a time until it is told to stop; how many it got.
fn signing_on(client: &Client, name: &str, under_way: usize) -> (Arc<AtomicBool>, Arc<AtomicUsize>, JoinSet<()>) {
    let (stop, signed, mut work) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)), JoinSet::new());
    for _ in 0..under_way {
        let (stop, signed, client, name) = (Arc::clone(&stop), Arc::clone(&signed), client.clone(), name.to_owned());
        work.spawn(async move {
            while !stop.load(SeqCst) {
                sign(&client, signing(&name, b"a block")).await.unwrap();
                signed.fetch_add(1, SeqCst);
            }
        });
    }
    (stop, signed, work)
}

/// All of org2 asks for signatures of org1's key; every answer is that it may not.
async fn flood(deployment: &Deployment, name: &str) {
    let left = Arc::new(AtomicUsize::new(FLOOD));
    let mut work = JoinSet::new();
    for flooder in FLOODERS {
        let client = deployment.client(&format!("org2-{flooder}")).await;
        for _ in 0..UNDER_WAY {
            let (left, client, name) = (Arc::clone(&left), client.clone(), name.to_owned());
            work.spawn(async move {
                while left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok() {
                    let error = sign(&client, signing(&name, b"x")).await.unwrap_err();
                    assert_eq!(error.reason.as_deref(), Some("DENIED"), "{error}");
                }
            });
        }
    }
    while let Some(ended) = work.join_next().await {
        ended.unwrap();
    }
}

fn bytes(records: &[&Record]) -> usize {
    records.iter().map(|record| record.encoded_len()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_one_organization_is_not_the_others() {
    let deployment = deployment();
    let name = key("k");
    create(&deployment, &name, "peer0").await;
    let peer = deployment.client("org1-peer0").await;
    let (stop, signed, mut work) = signing_on(&peer, &name, 8);
    let rate = |signed: usize, time: Duration| signed as f64 / time.as_secs_f64();

    // Warm first.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (start, before) = (Instant::now(), signed.load(SeqCst));
    tokio::time::sleep(ALONE).await;
    let alone = rate(signed.load(SeqCst) - before, start.elapsed());
    let (start, before) = (Instant::now(), signed.load(SeqCst));
    flood(&deployment, &name).await;
    let beside = rate(signed.load(SeqCst) - before, start.elapsed());
    stop.store(true, SeqCst);
    while let Some(ended) = work.join_next().await {
        ended.expect("a signature of org1 failed");
    }
    // The flood's clients take their part of the processors here.
    assert!(beside >= alone / 4.0, "{beside:.0} signatures a second beside the flood, {alone:.0} alone");

    let auditor = deployment.client("org2-auditor").await;
    let all_of_org2 = ListRecordsRequest { parent: ORG2.into(), ..ListRecordsRequest::default() };
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let found = records(&auditor, all_of_org2.clone()).await;
        let of_flood = |record: &&Record| match record.kind() {
            Kind::Denial => record.resource == name,
            Kind::Count => record.count.as_ref().is_some_and(|count| count.reason == "DENIED"),
            _ => false,
        };
        let of_flood: Vec<_> = found.iter().filter(of_flood).collect();
        let denials: Vec<_> = of_flood.iter().copied().filter(|record| record.kind() == Kind::Denial).collect();
        let counted: u64 = of_flood.iter().filter_map(|record| record.count.as_ref()).map(|count| count.events).sum();
        let accounted = denials.len() + usize::try_from(counted).unwrap();
        if accounted < FLOOD && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(200)).await;
            continue;
        }
        assert_eq!(accounted, FLOOD, "{} recorded, {counted} counted", denials.len());
        assert!(bytes(&of_flood) <= SHARE, "{} bytes of the log", bytes(&of_flood));
        assert!(bytes(&denials) / denials.len() * FLOOD > SHARE, "the flood would have fitted");
        assert!(bytes(&denials) >= SHARE / 4, "it is recorded one by one while there is room: {}", denials.len());
        break;
    }
    // Of org1 nothing but what it did itself.
    let auditor = deployment.client("org1-auditor").await;
    let own = records(&auditor, ListRecordsRequest { parent: ORG1.into(), ..ListRecordsRequest::default() }).await;
    assert!(own.iter().filter(|record| record.kind() == Kind::Count).count() == 0);
}

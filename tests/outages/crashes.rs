//! Crashes and restarts of the service and of its enclave.

use crate::{
    harness::{Deployment, signal},
    node::{DEADLINE, Load, Signed, key, peer0, request},
    recorded::Log,
};
use chancery_audit::record::Record;
use std::{collections::HashMap, thread, time::Duration};

/// Every signature that was received is in the log once, where its answer says, and no other was made.
fn expect_recorded(deployment: &Deployment, received: &[Signed]) {
    let log = Log::read(deployment);
    let mut made: HashMap<&str, Vec<&Record>> = HashMap::new();
    for record in log.signatures() {
        made.entry(&record.request_id).or_default().push(record);
    }
    for Signed { digest, response, .. } in received {
        let of_request = made.remove(&*response.request_id).unwrap_or_default();
        assert_eq!(of_request.len(), 1, "{} stands in the log {} times", response.request_id, of_request.len());
        assert_eq!((&of_request[0].digest, &of_request[0].signature), (digest, &response.signature));
        let index = usize::try_from(response.record_index).unwrap();
        assert_eq!(log.records[index].request_id, response.request_id, "record {index} is another's");
    }
    assert!(made.is_empty(), "nobody received {made:?}, though nobody gave up");
}

#[tokio::test]
async fn nobody_notices_that_the_service_is_killed_and_started_again() {
    let mut deployment = Deployment::start();
    let key = key(&deployment, "k").await;
    let remote = peer0(&deployment, &[deployment.address()], DEADLINE);
    let load = Load::start(&remote, &key, 16);
    for _ in 0..4 {
        thread::sleep(Duration::from_millis(700));
        deployment.kill();
        thread::sleep(Duration::from_millis(300));
        deployment.serve();
    }
    thread::sleep(Duration::from_millis(500));
    let signed = load.stop();
    remote.close();
    assert_eq!(deployment.stop(), Some(0));
    expect_recorded(&deployment, &signed);
}

#[tokio::test]
async fn nobody_notices_that_the_enclave_is_killed() {
    let mut deployment = Deployment::start();
    let key = key(&deployment, "k").await;
    let remote = peer0(&deployment, &[deployment.address()], DEADLINE);
    let load = Load::start(&remote, &key, 16);
    for _ in 0..4 {
        thread::sleep(Duration::from_millis(900));
        if let Some(enclave) = deployment.enclave_pid() {
            signal(enclave, "KILL");
        }
    }
    thread::sleep(Duration::from_secs(1));
    let signed = load.stop();
    remote.close();
    assert_eq!(deployment.stop(), Some(0));
    expect_recorded(&deployment, &signed);
}

/// An operator's stop and start, and a first request while nothing is up.
#[tokio::test]
async fn a_service_that_is_not_up_yet_is_waited_for() {
    let mut deployment = Deployment::start();
    let key = key(&deployment, "k").await;
    assert_eq!(deployment.stop(), Some(0));
    let remote = peer0(&deployment, &[deployment.address()], DEADLINE);
    let load = Load::start(&remote, &key, 4);
    let listing = {
        let remote = remote.clone();
        thread::spawn(move || {
            let request = chancery_api::v1::GetKeyRequest { name: key };
            remote.call(move |client, attempt| {
                let (mut keys, request) = (client.keys(), attempt.request(request.clone()));
                async move { keys.get_key(request).await }
            })
        })
    };
    thread::sleep(Duration::from_secs(2));
    deployment.serve();
    assert!(listing.join().unwrap().is_ok());
    thread::sleep(Duration::from_secs(1));
    let signed = load.stop();
    assert!(signed.len() >= 4);
    // Nothing is under way, and the connection is old.
    assert_eq!(deployment.stop(), Some(0));
    deployment.serve();
    remote.sign(request(&signed[0].response.name)).unwrap();
}

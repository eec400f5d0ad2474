//! A service that is there and says nothing, and addresses of which one is down.

use crate::{
    harness::{Deployment, signal},
    node::{DEADLINE, Load, key, peer0, request},
    proxy::{Mode, Proxy},
};
use chancery_api::v1::GetKeyRequest;
use std::{
    thread,
    time::{Duration, Instant},
};

/// Stopped longer than anybody waits for a pong, and shorter than the deadline.
#[tokio::test]
async fn a_service_that_hangs_for_a_while_is_waited_for() {
    let deployment = Deployment::start();
    let key = key(&deployment, "k").await;
    let remote = peer0(&deployment, &[deployment.address()], DEADLINE);
    let load = Load::start(&remote, &key, 8);
    thread::sleep(Duration::from_millis(500));
    for seconds in [1, 9] {
        signal(deployment.pid(), "STOP");
        thread::sleep(Duration::from_secs(seconds));
        signal(deployment.pid(), "CONT");
        let going_on = Instant::now();
        remote.sign(request(&key)).unwrap();
        assert!(going_on.elapsed() < DEADLINE);
    }
    let signed = load.stop();
    assert!(signed.len() >= 16, "the threads signed before and after: {}", signed.len());
}

#[tokio::test]
async fn an_address_that_hangs_is_left_for_the_other() {
    let deployment = Deployment::start();
    let key = key(&deployment, "k").await;
    let [first, second] = [(); 2].map(|()| Proxy::to(deployment.address()));
    let remote = peer0(&deployment, &[first.address, second.address], DEADLINE);
    let load = Load::start(&remote, &key, 8);
    thread::sleep(Duration::from_millis(500));
    assert_eq!((first.taken(), second.taken()), (1, 0), "one connection, to the first address");
    first.set(Mode::Silent);
    // Other calls share the connection.
    let asked = GetKeyRequest { name: key.clone() };
    let shown = remote.call(move |client, attempt| {
        let (mut keys, request) = (client.keys(), attempt.request(asked.clone()));
        async move { keys.get_key(request).await }
    });
    assert_eq!(shown.unwrap().name, key);
    remote.sign(request(&key)).unwrap();
    assert!(second.taken() >= 1);
    let moved = Instant::now();
    thread::sleep(Duration::from_millis(500));
    let signed = load.stop();
    assert!(signed.iter().any(|signed| signed.at > moved), "all go on over the second address");
}

#[tokio::test]
async fn addresses_may_be_down_in_turn() {
    let deployment = Deployment::start();
    let key = key(&deployment, "k").await;
    let proxies = [(); 2].map(|()| Proxy::to(deployment.address()));
    let remote = peer0(&deployment, &[proxies[0].address, proxies[1].address], DEADLINE);
    let load = Load::start(&remote, &key, 8);
    for turn in 0..6 {
        let [down, up] = if turn % 2 == 0 { [0, 1] } else { [1, 0] };
        proxies[up].set(Mode::Up);
        proxies[down].set(Mode::Down);
        thread::sleep(Duration::from_millis(400));
        remote.sign(request(&key)).unwrap();
    }
    // Both, for a while.
    proxies[0].set(Mode::Down);
    proxies[1].set(Mode::Down);
    thread::sleep(Duration::from_secs(2));
    proxies[1].set(Mode::Up);
    remote.sign(request(&key)).unwrap();
    load.stop();
}

//! Clients that check their results themselves, and do more than sign: they pass while everything is killed, too.

use crate::{
    client::{Client, Job},
    faults::Faults,
    go::tests_of,
    harness::program,
    recorded::Log,
    scene::GRACE,
    stage::Stage,
};
use std::{
    process::Command,
    time::{Duration, Instant},
};

/// Faults go on until all have ended, but no longer.
const LONGEST: Duration = Duration::from_secs(120);

/// Fabric's provider and SDKs (contract replays) and the cryptoki crate: keys of all kinds are made, named, copied and
/// found, sessions come and go by the dozen, and no call answers differently than with a service that is there.
#[test]
fn suites_pass_while_services_are_killed() {
    let Stage { mut deployment, forwarder } = Stage::start();
    let mut clients: Vec<_> = [
        (
            "Fabric's provider",
            "peer0",
            go("fabric", "Generation|Immutable|Lookup|Ephemeral|Digests|HighS|Recovery|Bursts|TLS"),
        ),
        ("Fabric's SDKs", "client", go("sdks", ".")),
        ("the cryptoki crate", "orderer0", cryptoki()),
    ]
    .map(|(name, principal, command)| {
        let job = Job { name, principal, key: String::new(), threads: 0, dies: false };
        Client::start(&deployment, command, job, LONGEST)
    })
    .into();
    let faults = Faults::play(&mut deployment, &forwarder, &mut clients, LONGEST);
    println!("{faults:?} under whole suites");
    for client in clients {
        client.finish(Instant::now() + GRACE);
    }
    assert!(faults.service > 1 && faults.enclave > 1, "too few faults for a proof: {faults:?}");
    assert_eq!(deployment.stop(), Some(0));
    Log::read(&deployment);
}

fn go(package: &str, tests: &str) -> Command {
    let mut command = Command::new(tests_of(package));
    command.args(["-test.v", "-test.count=2", "-test.run", tests]).env("PKCS11_OURS", "yes");
    command
}

fn cryptoki() -> Command {
    let mut command = Command::new(program("examples/cryptoki-client"));
    command.arg("check");
    command
}

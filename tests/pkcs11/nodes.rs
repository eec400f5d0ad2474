//! Contract replays of chains' nodes and SDKs (tests/pkcs11/go): each makes the calls that the real one makes, in its
//! order, and has Go's libraries judge what comes out.

use crate::{
    desk::Desk,
    go::tests_of,
    harness::{Deployment, expect_code},
    pkcs11::{LABEL, PIN, as_client, module, succeed},
    shared::deployment,
};
use std::{fs, process::Command};

/// Runs a package's tests as one of org1's clients.
fn replay(package: &str, client: &str) -> Command {
    replay_on(deployment(), package, client)
}

fn replay_on(deployment: &Deployment, package: &str, client: &str) -> Command {
    let mut command = as_client(deployment, client, tests_of(package));
    command
        .args(["-test.v", "-test.count=1"])
        .env("PKCS11_LIB", module())
        .env("PKCS11_LABEL", LABEL)
        .env("PKCS11_PIN", PIN)
        .env("PKCS11_OURS", "yes");
    command
}

/// Peers, orderers and CAs of Hyperledger Fabric, of every generation: start-up, session pools, key generation, immutable
/// copies, lookups, signatures, recovery, several providers in one process.
#[test]
fn fabrics_provider_signs() {
    succeed(&mut replay("fabric", "org1-orderer0"));
}

/// Fabric's own tests give finished keys other ids. An organization may permit that, and the owner's key is then found by
/// its new id only.
#[test]
fn fabrics_own_tests_rename_keys() {
    let deployment = Deployment::start();
    let policy = deployment.dir().join("own.cedar");
    fs::write(&policy, MAY_RENAME).unwrap();
    let set = ["policy", "set", "org1", "--in", policy.to_str().unwrap(), "--confirm", "org1"];
    expect_code(&deployment.chancery("org1-security", &set), 0);
    let mut command = replay_on(&deployment, "fabric", "org1-peer0");
    succeed(command.args(["-test.run", "TestReplayRename"]).env("PKCS11_MAY_RENAME", "yes"));
}

const MAY_RENAME: &str = r#"
@id("owners-rename-their-keys")
permit (principal, action == Chancery::Action::"UpdateObject", resource)
when { resource has owner && resource.owner == principal };
"#;

/// fabric-gateway for Go, fabric-sdk-go, fabric-sdk-node's lookups, Fabric's integration tests.
#[test]
fn fabrics_sdks_sign() {
    succeed(&mut replay("sdks", "org1-client"));
}

/// A slot as docs/pkcs11.md configures it for ChainMaker: SM2 in software, and the switch for its reading of ECDSA.
const CHAINMAKER: &str = "[[slot]]
label        = \"chainmaker\"
organization = \"organizations/org1\"
protection   = \"enclave\"
pin_file     = \"pin\"
sm2          = \"sansec\"
quirks       = [\"ecdsa_der\"]
";

/// ChainMaker's nodes and SDKs: SM2 (verified by tjfoc/gmsm, as theirs are), RSA, ECDSA, and the database's keys, AES and
/// SM4.
#[test]
fn chainmakers_wrapper_signs() {
    // Not a client that OpenSSL's engine is: that finds no key beside one of SM2.
    let client = "org1-orderer0";
    let desk = Desk::new(client);
    for (id, algorithm) in [("chainmaker-aes", "aes-256"), ("chainmaker-sm4", "sm4")] {
        desk.officer_makes(id, &format!("--algorithm {algorithm} --purpose encrypt --protection enclave"));
    }
    let home = deployment().client_dir(client);
    let text = fs::read_to_string(home.join("pkcs11.toml")).unwrap();
    let connection = text.split("[[slot]]").next().unwrap_or_default();
    fs::write(home.join("chainmaker.toml"), format!("{connection}{CHAINMAKER}")).unwrap();
    let mut command = replay("chainmaker", client);
    command
        .env("CHANCERY_PKCS11_CONF", home.join("chainmaker.toml"))
        .env("PKCS11_LABEL", "chainmaker")
        .env("PKCS11_AES_KEY", "chainmaker-aes")
        .env("PKCS11_SM4_KEY", "chainmaker-sm4");
    succeed(&mut command);
}

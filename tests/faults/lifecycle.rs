//! `init` and `serve` on a token and a configuration that were made by hand.

use crate::{
    attempt::edit,
    harness::{chanceryd, expect_code, program, signal, verify_log},
    production::Production,
};
use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Command, Output, Stdio},
};

/// The whole way: ceremony with fingerprints that openssl confirms, service, officer, peer, openssl's word on the
/// signature, end, audit.
#[test]
fn from_an_initialized_token_to_a_verified_signature() {
    let production = Production::new();
    let dir = production.dir();
    // Before there is a deployment, there is nothing to serve.
    production.serve().refused(74, &["chanceryd init"]);
    let printed = production.init_well();
    for certificate in ["identity.pem", "data/ca.pem"] {
        assert!(printed.contains(&production.fingerprint(certificate)), "{certificate}: {printed}");
    }
    assert!(printed.contains(fs::read_to_string(dir.join("audit.vkey")).unwrap().trim()), "{printed}");
    production.openssl("verify -CAfile data/ca.pem data/server.pem");
    let check =
        Command::new(chanceryd()).args(["serve", "--check", "--config"]).arg(production.config()).output().unwrap();
    expect_code(&check, 0);

    let mut service = Command::new(chanceryd())
        .args(["serve", "--config"])
        .arg(production.config())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(service.stdout.take().unwrap()).lines();
    let ready = lines.map_while(Result::ok).find(|line| line.starts_with("ready")).expect("it serves");
    let address = ready["ready ".len()..].replace("127.0.0.1", "localhost");
    let chancery = |client: &str, arguments: &[&str]| -> Output {
        let config = production.client_config(client, &address);
        Command::new(program("chancery")).arg("--config").arg(config).args(arguments).current_dir(dir).output().unwrap()
    };
    let works = || {
        let key = "organizations/acme/keys/peer7";
        let create = ["keys", "create", key, "--algorithm", "ec-p256", "--owner", "peer7.acme"];
        expect_code(&chancery("security", &create), 0);
        fs::write(dir.join("block"), "a block of the ledger").unwrap();
        expect_code(&chancery("peer7", &["sign", key, "--in", "block", "--out", "block.sig"]), 0);
        let public = chancery("peer7", &["keys", "public", key, "--format", "pem"]);
        expect_code(&public, 0);
        fs::write(dir.join("peer7.pub"), public.stdout).unwrap();
        // An officer makes keys and does not use them.
        expect_code(&chancery("security", &["sign", key, "--in", "block", "--out", "no.sig"]), 77);
    };
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(works));
    signal(service.id(), "TERM");
    assert_eq!(service.wait().unwrap().code(), Some(0));
    result.unwrap();
    production.openssl("dgst -sha256 -verify peer7.pub -signature block.sig block");
    expect_code(&verify_log(&dir.join("audit"), &dir.join("audit.vkey")), 0);

    // A second ceremony touches nothing.
    expect_code(&production.init(), 74);
    production.serve().served();
}

/// What can be known to be wrong beforehand is found before the token has a deployment that no one can use.
#[test]
fn a_ceremony_that_cannot_succeed_leaves_the_token_as_it_was() {
    let production = Production::new();
    let dir = production.dir();
    let refused = |code: i32, word: &str| {
        let output = production.init();
        expect_code(&output, code);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains(word), "{word:?} is missing in: {text}");
        assert!(!dir.join("audit.vkey").exists() && !dir.join("data/store.sqlite").exists());
    };
    fs::create_dir(dir.join("audit")).unwrap();
    fs::write(dir.join("audit/00000000000000000000.seg"), "an older log").unwrap();
    refused(74, "audit");
    assert_eq!(fs::read(dir.join("audit/00000000000000000000.seg")).unwrap(), b"an older log");
    fs::remove_dir_all(dir.join("audit")).unwrap();

    edit(&production.config(), "[\"localhost\"]", "[\"local host\"]");
    refused(78, "local host");
    edit(&production.config(), "local host", "localhost");

    fs::rename(dir.join("identity.pem"), dir.join("away")).unwrap();
    refused(74, "identity.pem");
    fs::write(dir.join("identity.pem"), "no certificate").unwrap();
    refused(74, "identity.pem");
    fs::rename(dir.join("away"), dir.join("identity.pem")).unwrap();

    edit(&production.config(), "role = \"security-officer\"", "role = \"security-oficer\"");
    refused(78, "security-oficer");
    edit(&production.config(), "security-oficer", "security-officer");

    fs::write(dir.join("policies/broken.cedar"), "permit").unwrap();
    refused(78, "broken.cedar");
    fs::remove_file(dir.join("policies/broken.cedar")).unwrap();

    edit(&production.config(), "label = \"consortium\"", "label = \"syndicate\"");
    refused(69, "syndicate");
    edit(&production.config(), "label = \"syndicate\"", "label = \"consortium\"");

    // A wrong PIN is remembered here too.
    let pin = fs::read(dir.join("pin")).unwrap();
    fs::write(dir.join("pin"), "not the PIN").unwrap();
    refused(69, "logging in");
    fs::write(dir.join("pin"), pin).unwrap();
    refused(69, "--retry-login");
    fs::remove_file(dir.join("data/login-refused")).unwrap();

    production.init_well();
    production.serve().served();
}

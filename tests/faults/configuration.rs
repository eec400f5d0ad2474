//! A configuration or policies that say nothing sensible are refused before anything is opened; a port in use is told.

use crate::{
    attempt::{Attempt, Kept, attempt, edit, start},
    harness::{Deployment, chanceryd, expect_code},
};
use std::{fs, net::TcpListener, path::Path, process::Command};

fn serve(config: &Path) -> Attempt {
    attempt(&["serve".as_ref(), "--config".as_ref(), config.as_os_str()])
}

fn check(config: &Path) -> std::process::Output {
    Command::new(chanceryd()).args(["serve", "--check", "--config"]).arg(config).output().unwrap()
}

/// `serve` and `serve --check` agree, whatever is wrong.
#[track_caller]
fn refused(config: &Path, code: i32, words: &[&str]) {
    serve(config).refused(code, words);
    let output = check(config);
    expect_code(&output, code);
    let text = String::from_utf8_lossy(&output.stderr);
    for word in words {
        assert!(text.contains(word), "{word:?} is missing in: {text}");
    }
}

#[test]
fn what_is_malformed_is_refused_with_its_place() {
    let mut deployment = Deployment::start();
    deployment.stop();
    let dir = deployment.dir();
    let config = dir.join("chancery.toml");
    let whole = Kept::new(&dir);
    expect_code(&check(&config), 0);

    refused(&dir.join("nowhere.toml"), 78, &["nowhere.toml"]);
    for (from, to, words) in [
        ("[token]\n", "[token]\nlabels = \"x\"\n", &["labels", "unknown field"][..]),
        ("[service]\n", "[service]\nlisen = \"x\"\n", &["lisen"]),
        ("[token]\n", "[tokens]\n", &["missing field"]),
        ("sessions = 2", "sessions = 0", &["token.sessions"]),
        ("sessions = 2", "sessions = \"two\"", &["sessions"]),
        ("listen = \"127.0.0.1:0\"", "listen = \"localhost\"", &["service.listen", "localhost"]),
        ("origin = \"", "origin = \"a b", &["service.origin"]),
        ("second_officer = false", "waiting_period = \"ten\"", &["officers.waiting_period", "ten"]),
        ("second_officer = false", "waiting_period = \"24h\"", &["officers.waiting_period", "approval_lifetime"]),
        ("second_officer = false", "approval_lifetime = \"31d\"", &["officers.approval_lifetime", "30 days"]),
    ] {
        edit(&config, from, to);
        refused(&config, 78, words);
        whole.restore();
    }

    let policies = dir.join("policies");
    for (file, text, words) in [
        ("broken.cedar", "permit (principal, action", &["broken.cedar"][..]),
        (
            "unknown.cedar",
            "@id(\"x\") permit (principal, action == Action::\"Sgin\", resource);",
            &["unknown.cedar", "Sgin"],
        ),
        ("deny.cedar.bak", "forbid (principal, action, resource);", &["deny.cedar.bak"]),
    ] {
        fs::write(policies.join(file), text).unwrap();
        refused(&config, 78, words);
        whole.restore();
    }
    fs::remove_dir_all(&policies).unwrap();
    refused(&config, 78, &["policies"]);
    whole.restore();

    let data = dir.join("data");
    fs::write(data.join("server.pem"), "no certificate").unwrap();
    refused(&config, 78, &["server.pem"]);
    whole.restore();
    fs::remove_file(dir.join("audit.vkey")).unwrap();
    refused(&config, 74, &["audit.vkey"]);
    whole.restore();
    start(&deployment).served();
}

#[test]
fn a_port_in_use_is_told() {
    let mut deployment = Deployment::start();
    deployment.stop();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let dir = deployment.dir();
    let dev = ["dev".as_ref(), "--listen".as_ref(), address.as_ref(), "--dir".as_ref(), dir.as_os_str()];
    attempt(&dev).refused(69, &[&address, "listen"]);
    drop(taken);
    attempt(&dev).served();
}

#[test]
fn arguments_that_make_no_sense_are_a_usage_error() {
    for arguments in [&["serve"][..], &["sevre"], &["serve", "--config"], &["dev", "--listen", "localhost"], &[]] {
        expect_code(&Command::new(chanceryd()).args(arguments).output().unwrap(), 64);
    }
}

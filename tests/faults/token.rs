//! Start-up with a token that can't be opened: exit code 69, why, and a wrong PIN tried once.

use crate::{
    attempt::{Kept, attempt, edit, start},
    harness::{Deployment, chanceryd, program, signal},
    load::{PATIENCE, create, request, sign},
};
use chancery_api::{reasons, v1::Algorithm};
use chancery_client::Health;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

fn stopped() -> (Deployment, PathBuf) {
    let mut deployment = Deployment::start();
    deployment.stop();
    let config = deployment.dir().join("chancery.toml");
    (deployment, config)
}

/// Puts a program before the enclave that notes each start; the file it notes them in. An enclave tries one login.
fn count_enclaves(deployment: &Deployment) -> PathBuf {
    let (wrapper, starts) = (deployment.dir().join("enclave"), deployment.dir().join("starts"));
    let enclave = program("chancery-enclave");
    let script = format!("#!/bin/sh\necho started >> '{}'\nexec '{}'\n", starts.display(), enclave.display());
    fs::write(&wrapper, script).unwrap();
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o700)).unwrap();
    edit(&deployment.dir().join("chancery.toml"), "[token]\n", "[token]\nenclave = \"enclave\"\n");
    starts
}

fn count(starts: &Path) -> usize {
    fs::read_to_string(starts).unwrap_or_default().lines().count()
}

#[test]
fn a_token_that_cannot_be_opened_is_told_apart() {
    let (deployment, config) = stopped();
    let whole = Kept::new(deployment.dir());
    let library = fs::read_to_string(&config).unwrap();
    let library = library.lines().find(|line| line.starts_with("library")).unwrap();

    edit(&config, library, "library = \"/nowhere/libsofthsm2.so\"");
    start(&deployment).refused(69, &["token", "/nowhere/libsofthsm2.so"]);
    whole.restore();

    let text = deployment.dir().join("no-library.so");
    edit(&config, library, "library = \"no-library.so\"");
    fs::write(&text, "not ELF").unwrap();
    start(&deployment).refused(69, &["token", "no-library.so"]);
    whole.restore();

    edit(&config, "label = \"chancery-dev\"", "label = \"elsewhere\"");
    start(&deployment).refused(69, &["token", "elsewhere"]);
    whole.restore();

    // SoftHSM without any token shows one slot with a token that is not initialized.
    let tokens = deployment.dir().join("tokens");
    fs::remove_dir_all(&tokens).unwrap();
    fs::create_dir(&tokens).unwrap();
    start(&deployment).refused(69, &["token", "chancery-dev"]);
    whole.restore();

    fs::set_permissions(deployment.dir().join("pin"), fs::Permissions::from_mode(0o644)).unwrap();
    start(&deployment).refused(69, &["pin", "chmod 600"]);
    fs::remove_file(deployment.dir().join("pin")).unwrap();
    start(&deployment).refused(69, &["pin"]);
    whole.restore();
    // None of these was a login that the token refused.
    start(&deployment).served();

    edit(&config, "[token]\n", "[token]\nenclave = \"/nowhere/chancery-enclave\"\n");
    start(&deployment).refused(69, &["/nowhere/chancery-enclave"]);
}

/// An initialized token that never saw a deployment, or saw another one.
#[test]
fn the_token_of_another_deployment_is_refused() {
    let ((deployment, config), (other, _)) = (stopped(), stopped());
    let tokens = |deployment: &Deployment| deployment.dir().join("softhsm2.conf").display().to_string();
    edit(&config, &tokens(&deployment), &tokens(&other));
    fs::copy(other.dir().join("pin"), deployment.dir().join("pin")).unwrap();
    start(&deployment).refused(69, &["token", "another deployment"]);
}

#[test]
fn a_wrong_pin_is_tried_once() {
    let (deployment, config) = stopped();
    let starts = count_enclaves(&deployment);
    let pin = deployment.dir().join("pin");
    let right = fs::read(&pin).unwrap();
    fs::write(&pin, "not the PIN").unwrap();
    start(&deployment).refused(69, &["token", "logging in"]);
    assert_eq!(count(&starts), 1);
    // Whatever is started then: no login is tried, even with the right PIN in the file.
    for pin_now in [b"not the PIN".to_vec(), right.clone()] {
        fs::write(&pin, pin_now).unwrap();
        start(&deployment).refused(69, &["refused the PIN", "--retry-login"]);
        let check = ["serve".as_ref(), "--check".as_ref(), "--config".as_ref(), config.as_os_str()];
        attempt(&check).refused(69, &["--retry-login"]);
    }
    assert_eq!(count(&starts), 1, "no enclave was started to try a login");

    fs::write(&pin, "wrong again").unwrap();
    let retry = ["serve".as_ref(), "--retry-login".as_ref(), "--config".as_ref(), config.as_os_str()];
    attempt(&retry).refused(69, &["logging in"]);
    attempt(&retry[..1].iter().chain(&retry[2..]).collect::<Vec<_>>()).refused(69, &["--retry-login"]);
    assert_eq!(count(&starts), 2);

    fs::write(&pin, right).unwrap();
    attempt(&retry).served();
    start(&deployment).served();
}

/// A PIN that changes under a running service: after the next crash of its enclave it is tried once, then never again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_service_tries_a_wrong_pin_once() {
    let (mut deployment, _) = stopped();
    let starts = count_enclaves(&deployment);
    deployment.serve();
    let key = create(&deployment, "k", Algorithm::EcP256).await;
    let peer = deployment.client("org1-peer0").await;
    fs::write(deployment.dir().join("pin"), "not the PIN").unwrap();
    let before = count(&starts);
    signal(deployment.enclave_pid().unwrap(), "KILL");
    let start = Instant::now();
    while !deployment.stderr().contains("until an operator acts") {
        assert!(start.elapsed() < PATIENCE, "{}", deployment.stderr());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for _ in 0..3 {
        let error = sign(&peer, request(&key)).await.unwrap_err();
        assert_eq!(error.reason.as_deref(), Some(reasons::TOKEN_UNAVAILABLE), "{error:?}");
        assert!(error.message.contains("operator"), "says what helps: {error:?}");
    }
    while peer.health().await.unwrap() != Health::NotServing {
        assert!(start.elapsed() < PATIENCE, "health says SERVING without a token");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(count(&starts), before + 1, "tried once: {}", deployment.stderr());
    assert_eq!(deployment.stop(), Some(0), "a service without its token still ends well");
    crate::attempt::start(&deployment).refused(69, &["--retry-login"]);
}

/// `init` on a token that holds a deployment makes nothing; `dev` mends no half-made directory, and stays at home.
#[test]
fn nothing_is_made_over_what_exists() {
    let (deployment, config) = stopped();
    let init = |config: &Path| attempt(&["init".as_ref(), "--config".as_ref(), config.as_os_str()]);
    init(&config).refused(74, &["a deployment is there already"]);

    let text = fs::read_to_string(&config).unwrap();
    let second = deployment.dir().join("second.toml");
    let places = "[service]\ndata = \"data2\"\naudit = \"audit2\"\naudit_vkey = \"audit2.vkey\"\n";
    fs::write(&second, text.replace("[service]\n", places)).unwrap();
    init(&second).refused(69, &["token", "holds a deployment already"]);
    assert!(!deployment.dir().join("audit2").exists() && !deployment.dir().join("audit2.vkey").exists());
    start(&deployment).served();

    fs::rename(&config, deployment.dir().join("renamed.toml")).unwrap();
    start(&deployment).refused(74, &["an earlier first start was interrupted"]);

    let output =
        Command::new(chanceryd()).args(["dev", "--listen", "0.0.0.0:0", "--dir", "/nowhere"]).output().unwrap();
    crate::harness::expect_code(&output, 64);
    assert!(String::from_utf8_lossy(&output.stderr).contains("loopback only"));
    assert!(!Path::new("/nowhere").exists());
}

//! client.toml: what is wrong with it is said with the file and the key, and never with a secret.

mod deployment;

use chancery_client::{ClientConfig, ConfigError};
use deployment::Deployment;
use std::{fs, path::Path, time::Duration};

fn rewritten(toml: &Path, from: &str, to: &str) -> Result<ClientConfig, ConfigError> {
    let text = fs::read_to_string(toml).unwrap();
    assert!(text.contains(from), "{text}");
    let other = toml.with_file_name("other.toml");
    fs::write(&other, text.replace(from, to)).unwrap();
    ClientConfig::load(&other)
}

#[test]
fn a_good_file_is_read_with_its_defaults() {
    let deployment = Deployment::new();
    let toml = deployment.write("peer0", &deployment.good(&["127.0.0.1:7443".into(), "[::1]:7444".into()]));
    let config = ClientConfig::load(&toml).unwrap();
    assert_eq!(
        config.addresses().iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["127.0.0.1:7443", "[::1]:7444"]
    );
    assert_eq!(config.organization().map(|name| name.id()), Some("org1"));
    assert_eq!(config.deadline(), Duration::from_secs(10));
    assert_eq!(rewritten(&toml, "deadline = \"10s\"\n", "").unwrap().deadline(), Duration::from_secs(30));
}

#[test]
fn what_is_wrong_is_named() {
    let deployment = Deployment::new();
    let toml = deployment.write("peer0", &deployment.good(&["127.0.0.1:7443".into()]));
    let addresses = "addresses = [\"127.0.0.1:7443\"]";
    for (from, to, named) in [
        ("deadline", "dead_line", "dead_line"),
        ("ca = \"ca.pem\"\n", "", "ca"),
        (addresses, "", "address"),
        (addresses, "addresses = []", "address"),
        (addresses, "address = \"127.0.0.1\"", "address"),
        (addresses, "address = \"a:1\"\naddresses = [\"b:2\"]", "addresses"),
        ("\"localhost\"", "\"not a name\"", "server_name"),
        ("\"10s\"", "\"soon\"", "deadline"),
        ("\"org1\"", "\"Org 1\"", "organization"),
        ("\"key.pem\"", "\"gone.pem\"", "gone.pem"),
        ("\"ca.pem\"", "\"key.pem\"", "key.pem"),
    ] {
        let error = rewritten(&toml, from, to).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(named), "{from} -> {to}: {error}");
    }
    let missing = ClientConfig::load(Path::new("/nowhere/client.toml")).map(|_| ()).unwrap_err();
    assert!(missing.to_string().contains("/nowhere/client.toml"), "{missing}");
}

#[test]
fn a_key_must_be_that_of_the_certificate() {
    let deployment = Deployment::new();
    let addresses = ["127.0.0.1:7443".to_owned()];
    let toml = deployment.write("peer0", &deployment.good(&addresses));
    deployment.write("peer1", &deployment.good(&addresses));
    let error = rewritten(&toml, "\"key.pem\"", "\"../peer1/key.pem\"").map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("does not belong"), "{error}");
}

#[test]
fn a_damaged_key_is_not_quoted() {
    let deployment = Deployment::new();
    let toml = deployment.write("peer0", &deployment.good(&["127.0.0.1:7443".into()]));
    let key = toml.with_file_name("key.pem");
    let text = fs::read_to_string(&key).unwrap();
    let secret = text.lines().nth(1).unwrap().to_owned();
    for damaged in [
        text.replace("-----BEGIN PRIVATE KEY-----\n", "-----BEGIN "),
        text.replace("-----END", "----END"),
        text.replace(&secret, &format!("{secret}!")),
        text.replace(&secret, &secret[4..]),
        String::new(),
    ] {
        fs::write(&key, damaged).unwrap();
        let error = ClientConfig::load(&toml).map(|_| ()).unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(said.contains("key.pem"), "{said}");
        assert!(!secret.as_bytes().windows(8).any(|part| said.contains(str::from_utf8(part).unwrap())), "{said}");
    }
}

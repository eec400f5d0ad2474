//! The recipes of docs/pkcs11.md are run word by word: what a reader types works.

use crate::{
    desk::Desk,
    foreign,
    pkcs11::{Ended, PIN, module, succeed},
    shared::deployment,
};
use std::{env, ffi::OsString, fs};

const CLIENT: &str = "org1-peer0";

/// The commands under a heading of the document, of all its blocks.
fn commands(heading: &str) -> String {
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/pkcs11.md");
    let document = fs::read_to_string(document).unwrap();
    let section = document.split("\n### ").find(|section| section.starts_with(&format!("{heading}\n")));
    let section = section.unwrap_or_else(|| panic!("docs/pkcs11.md has no recipe for {heading}"));
    let section = section.split("\n## ").next().unwrap_or_default();
    let blocks = section.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
    blocks.collect()
}

/// What npm or pip installed before: NODE_PATH, or the virtual environment's programs.
fn libraries(heading: &str) -> Option<(&'static str, OsString)> {
    match heading {
        "Node" => Some(("NODE_PATH", foreign::node_path().into())),
        "Python" => {
            let programs = [foreign::python().parent().unwrap().to_owned()];
            let path = env::var_os("PATH").unwrap_or_default();
            Some(("PATH", env::join_paths(programs.into_iter().chain(env::split_paths(&path))).unwrap()))
        }
        _ => None,
    }
}

/// A desk at which they were typed, and what was printed.
fn typed(heading: &str) -> (Desk, Ended) {
    let desk = Desk::new(CLIENT);
    let desk = if heading == "OpenSSL" { desk.with_quirk("rsa_and_ec_only") } else { desk };
    let commands = commands(heading);
    assert!(!commands.is_empty(), "{heading}");
    let mut shell = desk.command("bash", "-euxo pipefail -c");
    shell.arg(&commands).env("HOME", desk.path("")).env_remove("XDG_CONFIG_HOME");
    shell.envs(libraries(heading));
    if heading == "GnuTLS" {
        desk.as_a_user(&mut shell);
    }
    let printed = succeed(shell.env("MODULE", module()).env("PIN", PIN));
    (desk, printed)
}

#[test]
fn pkcs11_tool() {
    let (desk, _) = typed("pkcs11-tool");
    desk.judge("dgst -sha256 -verify contracts.der -keyform DER -signature contract.sig contract");
}

#[test]
fn openssl() {
    let (desk, _) = typed("OpenSSL");
    assert!(desk.judge("req -in website.csr -verify -noout").contains("verify OK"));
    desk.judge("x509 -in website.pem -noout -pubkey -out website.pub");
    desk.judge("dgst -sha256 -verify website.pub -signature offer.sig offer");
    desk.judge("cms -verify -inform DER -in offer.cms -CAfile website.pem -purpose any -binary -out offered");
    assert_eq!(desk.read("offered"), desk.read("offer"));
}

#[test]
fn gnutls() {
    let (desk, printed) = typed("GnuTLS");
    assert!(desk.judge("req -in mail.csr -verify -noout").contains("verify OK"));
    desk.judge("verify -check_ss_sig -CAfile mail.pem mail.pem");
    assert_eq!(desk.judge("x509 -in mail.pem -noout -pubkey"), desk.judge("pkey -pubin -in mail.pub"));
    assert!(printed.text.contains("X.509 Certificate"), "{}", printed.text);
}

#[test]
fn nss() {
    let (desk, _) = typed("NSS");
    desk.judge("verify -check_ss_sig -CAfile register.pem register.pem");
}

#[test]
fn openssh() {
    let (desk, printed) = typed("OpenSSH");
    assert!(printed.text.contains("Good \"file\" signature for operator@org1"), "{}", printed.text);
    let shown = desk.without_module("ssh-keygen", "-L -f guest-cert.pub").text;
    assert!(shown.contains("Signing CA"), "{shown}");
}

#[test]
fn java() {
    let (desk, printed) = typed("Java");
    assert!(desk.judge("req -in orders.csr -verify -noout").contains("verify OK"));
    assert!(printed.text.contains("orders, PrivateKeyEntry"), "{}", printed.text);
    desk.judge("dgst -sha256 -verify orders.pub -signature order.sig order");
    desk.judge("verify -check_ss_sig -CAfile long-lived.pem long-lived.pem");
}

#[test]
fn node() {
    let (desk, _) = typed("Node");
    desk.judge("pkey -pubin -inform DER -in application.der -out application.pub");
    desk.judge("dgst -sha256 -verify application.pub -signature proposal.sig proposal");
}

#[test]
fn python() {
    let (desk, _) = typed("Python");
    desk.judge("dgst -sha256 -verify invoices.pub -signature invoice.sig invoice");
}

#[test]
fn the_spy() {
    let (desk, _) = typed("Following a client's calls");
    let calls = String::from_utf8(desk.read("calls")).unwrap();
    assert!(calls.contains("C_Initialize") && calls.contains("CKR_OK"), "{calls}");
}

/// Every pkcs11.toml that the document shows is one: a client that has the files that it names sees its slots.
#[test]
fn every_configuration_is_accepted() {
    let document = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/pkcs11.md")).unwrap();
    let blocks: Vec<_> =
        document.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default()).collect();
    assert!(blocks.len() > 1, "docs/pkcs11.md shows {} configurations", blocks.len());
    let home = deployment().client_dir(CLIENT);
    for (at, block) in blocks.iter().enumerate() {
        let path = home.join(format!("shown-{at}.toml"));
        fs::write(&path, block).unwrap();
        let listed =
            succeed(Desk::new(CLIENT).pkcs11_tool_without_login("--list-slots").env("CHANCERY_PKCS11_CONF", path));
        let labels = block.lines().filter(|line| line.starts_with("label"));
        for label in labels.filter_map(|line| line.split('"').nth(1)) {
            assert!(listed.text.contains(&format!(": {label}\n")), "{block}\n{}", listed.text);
        }
    }
}

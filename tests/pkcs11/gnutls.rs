//! GnuTLS's p11tool and certtool: keys, requests, certificates and their objects, checked by openssl.

use crate::{
    desk::Desk,
    pkcs11::{LABEL, PIN, module, run, succeed},
};
use std::fs;

const CLIENT: &str = "org1-ca";

fn url(label: &str, kind: &str) -> String {
    format!("pkcs11:token={LABEL};object={label};type={kind}")
}

/// A key pair of p11tool's making; its public half in `public.pem`.
fn generated(desk: &Desk, options: &str, label: &str) {
    let line = format!("--login --label {label} --outfile public.pem {options} pkcs11:token={LABEL}");
    succeed(&mut desk.gnutls("p11tool", &line));
    desk.judge("pkey -pubin -in public.pem -noout");
}

/// certtool's request and self-signed certificate with a key of the token's: valid, and of that key.
fn certifies(desk: &Desk, label: &str) {
    desk.write("template", "cn = localhost\ndns_name = localhost\ntls_www_server\nsigning_key\nexpiration_days = 2\n");
    let (private, public) = (url(label, "private"), url(label, "public"));
    let keys = format!("--load-privkey {private} --load-pubkey {public} --template template");
    succeed(&mut desk.gnutls("certtool", &format!("--generate-request {keys} --outfile request.pem")));
    assert!(desk.judge("req -in request.pem -verify -noout").contains("verify OK"));
    succeed(&mut desk.gnutls("certtool", &format!("--generate-self-signed {keys} --outfile certificate.pem")));
    desk.judge("verify -check_ss_sig -CAfile certificate.pem certificate.pem");
    assert_eq!(desk.judge("x509 -in certificate.pem -pubkey -noout"), desk.judge("pkey -pubin -in public.pem"));
}

fn is_used(options: &str, label: &str) {
    let desk = Desk::new(CLIENT);
    generated(&desk, options, label);
    certifies(&desk, label);
    let export = format!("--login --export-pubkey {}", url(label, "private"));
    succeed(&mut desk.gnutls("p11tool", &format!("{export} --outfile exported.pem")));
    assert_eq!(desk.judge("pkey -pubin -in exported.pem"), desk.judge("pkey -pubin -in public.pem"));
    let tested = succeed(&mut desk.gnutls("p11tool", &format!("--login --test-sign {}", url(label, "private")))).text;
    assert!(!tested.contains("fail"), "{tested}");
}

#[test]
fn ec_p256() {
    is_used("--generate-ecc --curve secp256r1", "gnutls-p256");
}

#[test]
fn ec_p384() {
    is_used("--generate-privkey=ecdsa --curve secp384r1", "gnutls-p384");
}

#[test]
fn rsa() {
    is_used("--generate-privkey=rsa --bits 2048", "gnutls-rsa");
}

/// A certificate that p11tool writes takes the id of the key that it certifies, and is read before any login. The service
/// binds it to that key: when its owner deletes it, it remains as the key's, which nobody deletes here.
#[test]
fn certificates_are_written_listed_exported_and_deleted() {
    let (desk, label) = (Desk::new(CLIENT), "gnutls-certified");
    generated(&desk, "--generate-privkey=ecdsa --curve secp256r1", label);
    certifies(&desk, label);
    let write = format!("--login --write --load-certificate certificate.pem --label {label} pkcs11:token={LABEL}");
    succeed(&mut desk.gnutls("p11tool", &write));
    let id = |kind: &str| {
        let listed = succeed(&mut desk.gnutls("p11tool", &format!("--login --list-all {}", url(label, kind)))).text;
        let id = listed.lines().find_map(|line| line.trim().strip_prefix("ID: ").map(str::to_owned));
        id.unwrap_or_else(|| panic!("no {kind}: {listed}"))
    };
    assert_eq!(id("cert"), id("private"));
    let export = format!("--export {} --outfile exported.pem", url(label, "cert"));
    succeed(&mut desk.gnutls("p11tool", &export));
    let print = "x509 -outform PEM -in";
    assert_eq!(desk.judge(&format!("{print} exported.pem")), desk.judge(&format!("{print} certificate.pem")));
    let delete = format!("--login --batch --delete {}", url(label, "cert"));
    let said = succeed(&mut desk.gnutls("p11tool", &delete)).text;
    assert!(said.contains("1 objects deleted"), "{said}");
    let listed = succeed(&mut desk.gnutls("p11tool", &format!("--login --list-all {}", url(label, "cert")))).text;
    assert!(listed.contains("X.509"), "{listed}");
    let said = run(&mut desk.gnutls("p11tool", &delete)).text;
    assert!(said.contains("0 objects deleted"), "{said}");
}

/// What p11-kit's registry names is there for every program of the user, without `--provider`.
#[test]
fn a_module_file_makes_it_known_to_p11_kit() {
    let desk = Desk::new(CLIENT);
    let modules = desk.path("config/pkcs11/modules");
    fs::create_dir_all(&modules).unwrap();
    fs::write(modules.join("chancery.module"), format!("module: {}\n", module().display())).unwrap();
    let p11tool = |line: &str| {
        let mut command = desk.command("p11tool", &format!("{line} pkcs11:token={LABEL}"));
        desk.as_a_user(&mut command).env("XDG_CONFIG_HOME", desk.path("config")).env("GNUTLS_PIN", PIN);
        succeed(&mut command).text
    };
    p11tool("--login --generate-privkey=ecdsa --curve secp256r1 --label gnutls-registry --outfile public.pem");
    let listed = p11tool("--login --list-all");
    assert!(listed.contains("object=gnutls-registry;type=private"), "{listed}");
}

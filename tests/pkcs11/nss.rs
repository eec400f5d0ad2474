//! Mozilla's NSS, by certutil: keys, requests and certificates in the organization's token, checked by openssl.

use crate::{
    desk::Desk,
    pkcs11::{LABEL, PIN, module, succeed},
};

const CLIENT: &str = "org1-client";

/// A desk with a database that knows the module.
fn desk() -> Desk {
    let desk = Desk::new(CLIENT);
    desk.write("pin", format!("{PIN}\n"));
    desk.judge("rand -out noise 64");
    succeed(&mut desk.command("certutil", "-N -d sql:. --empty-password"));
    succeed(desk.command("modutil", "-dbdir sql:. -add chancery -force -libfile").arg(module()));
    desk
}

fn certutil(desk: &Desk, line: &str) -> String {
    succeed(&mut desk.command("certutil", &format!("-d sql:. -h {LABEL} -f pin {line}"))).text
}

/// certutil makes the key, signs the certificate with it, and stores that in the token, where it finds both again.
#[test]
fn a_certificate_and_its_key_are_made_and_found() {
    let desk = desk();
    certutil(&desk, "-S -n nss-own -s CN=nss -x -t u,u,u -k ec -q nistp256 -z noise -m 5");
    let keys = certutil(&desk, "-K");
    let certificates = certutil(&desk, "-L");
    assert!(certificates.contains("org1:nss-own") && certificates.contains("u,u,u"), "{certificates}\n{keys}");
    certutil(&desk, "-L -n org1:nss-own -a -o certificate.pem");
    desk.judge("verify -check_ss_sig -CAfile certificate.pem certificate.pem");
}

#[test]
fn requests_are_valid() {
    let desk = desk();
    for key in ["-k ec -q nistp256", "-k rsa -g 2048"] {
        certutil(&desk, &format!("-R -s CN=nss {key} -z noise -a -o request.pem"));
        assert!(desk.judge("req -in request.pem -verify -noout").contains("verify OK"));
    }
}

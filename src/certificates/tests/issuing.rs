//! Certificates built here, as openssl sees them.

use crate::crypto::tests::openssl::{ALGORITHMS, Certificate, Key, Openssl, hashes, user_id};
use crate::{
    certificates::{
        CertificateDraft, CertificateError, CertificateRequest, Issuance, Profile, Signed, validity as parsed_validity,
    },
    model::Algorithm,
};
use der::Decode;
use std::time::{SystemTime, UNIX_EPOCH};

const DAY: u64 = 24 * 3600;

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn request(openssl: &Openssl, key: &Key, subject: &str, more: &str) -> CertificateRequest {
    CertificateRequest::parse(&openssl.request(key, hashes(key.algorithm)[0], subject, more)).unwrap()
}

fn issued(openssl: &Openssl, key: &Key, issuance: &Issuance<'_>) -> Certificate {
    let draft = CertificateDraft::new(issuance).unwrap();
    let signature = openssl.sign(key, draft.to_be_signed());
    openssl.certificate_from(&draft.finish(&signature))
}

fn root(openssl: &Openssl, key: &Key, now: u64) -> Certificate {
    let request = &request(openssl, key, "/O=Org1/CN=ca.org1", "");
    let (issuer_key, serial) = (key.public.as_slice(), [0xff; 20]);
    let issuance = Issuance { profile: Profile::RootCa, request, issuer_key, issuer_certificate: None, serial, now };
    issued(openssl, key, &issuance)
}

/// An authority and a node's key, both of P-256.
struct Setting {
    openssl: Openssl,
    authority: Key,
    certificate: Certificate,
    node: Key,
}

impl Setting {
    fn new() -> Self {
        let openssl = Openssl::new();
        let (authority, node) = (openssl.key(Algorithm::EcP256), openssl.key(Algorithm::EcP256));
        Self { certificate: root(&openssl, &authority, now()), openssl, authority, node }
    }

    fn draft(&self, profile: Profile, subject: &str, more: &str) -> Result<CertificateDraft, CertificateError> {
        let request = &request(&self.openssl, &self.node, subject, more);
        CertificateDraft::new(&self.issuance(profile, request, now()))
    }

    fn issuance<'a>(&'a self, profile: Profile, request: &'a CertificateRequest, now: u64) -> Issuance<'a> {
        let (issuer_key, issuer_certificate) =
            (self.authority.public.as_slice(), Some(self.certificate.der.as_slice()));
        Issuance { profile, request, issuer_key, issuer_certificate, serial: [0; 20], now }
    }
}

#[test]
fn openssl_verifies_certificates_issued_here_with_keys_of_every_algorithm() {
    let openssl = Openssl::new();
    let node = openssl.key(Algorithm::EcP256);
    for algorithm in ALGORITHMS {
        let key = openssl.key(algorithm);
        let user_id = user_id("vfyopt", algorithm);
        let verify = |options: &str, paths: &[&std::path::Path]| {
            openssl.run(&format!("verify {user_id} -x509_strict {options} -CAfile @ @"), paths)
        };
        let authority = root(&openssl, &key, now());
        if algorithm == Algorithm::Sm2 {
            // `verify` gives the user id to the certificate in question, not to the trusted copy of it.
            verify("", &[&authority.path, &authority.path]);
            openssl.check_self_signature(&key, &authority);
        } else {
            verify("-check_ss_sig", &[&authority.path, &authority.path]);
        }
        for profile in [Profile::Peer, Profile::Orderer, Profile::Client, Profile::Admin] {
            let request = &request(&openssl, &node, "/O=Org1/CN=node0", "");
            let (issuer_key, issuer_certificate) = (key.public.as_slice(), Some(authority.der.as_slice()));
            let issuance = Issuance { profile, request, issuer_key, issuer_certificate, serial: [7; 20], now: now() };
            let certificate = issued(&openssl, &key, &issuance);
            verify("-purpose sslclient", &[&authority.path, &certificate.path]);
            assert_eq!(openssl.public_of(&certificate), node.public, "{algorithm} {profile}");
        }
        // And the other way: keys of every algorithm get certificates.
        let setting = Setting::new();
        let request = &request(&openssl, &key, "/CN=node0", "");
        let certificate = issued(&openssl, &setting.authority, &setting.issuance(Profile::Client, request, now()));
        openssl.run("verify -x509_strict -CAfile @ @", &[&setting.certificate.path, &certificate.path]);
    }
}

impl Openssl {
    /// The signature of an SM2 key's own certificate, taken out of it.
    fn check_self_signature(&self, key: &Key, certificate: &Certificate) {
        let signed = Signed::from_der(&certificate.der).unwrap();
        let message = self.file(&signed.to_be_signed().unwrap());
        let (public, signature) = (self.file(&key.public), self.file(signed.signature().unwrap()));
        let arguments = "dgst -sm3 -sigopt distid:1234567812345678 -keyform DER -verify @ -signature @ @";
        self.run(arguments, &[&public, &signature, &message]);
    }

    fn public_of(&self, certificate: &Certificate) -> Vec<u8> {
        let (pem, der) = (self.path(), self.path());
        self.run("x509 -in @ -noout -pubkey -out @", &[&certificate.path, &pem]);
        self.run("pkey -pubin -in @ -outform DER -out @", &[&pem, &der]);
        std::fs::read(der).unwrap()
    }

    fn text(&self, certificate: &Certificate) -> String {
        // One line, single spaces: layout is openssl's own affair.
        let text = self.run("x509 -in @ -noout -text", &[&certificate.path]);
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

#[test]
fn a_root_may_issue_and_no_further_authority() {
    let setting = Setting::new();
    let text = setting.openssl.text(&setting.certificate);
    for expected in [
        "Version: 3 (0x2)",
        "Issuer: O = Org1, CN = ca.org1",
        "Subject: O = Org1, CN = ca.org1",
        "X509v3 Basic Constraints: critical CA:TRUE, pathlen:0",
        "X509v3 Key Usage: critical Certificate Sign, CRL Sign",
        "X509v3 Subject Key Identifier:",
        // 20 octets of ones were given; the sign bit is clear.
        "Serial Number: 7f:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff Signature",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    for absent in ["Authority Key Identifier", "Alternative Name"] {
        assert!(!text.contains(absent), "{absent}: {text}");
    }
}

#[test]
fn a_nodes_certificate_has_the_extensions_and_the_unit_of_its_profile_alone() {
    let setting = Setting::new();
    let names = "-addext subjectAltName=DNS:peer0.org1,IP:10.0.0.1";
    let wishes = "-addext basicConstraints=CA:TRUE -addext keyUsage=keyCertSign -addext extendedKeyUsage=serverAuth";
    for (profile, subject, more, expected) in [
        (Profile::Peer, "/C=CN/L=x/O=Org1/OU=peer/CN=peer0", names, "Subject: O = Org1, OU = peer, CN = peer0"),
        (Profile::Orderer, "/CN=orderer0", names, "Subject: OU = orderer, CN = orderer0"),
        (Profile::Client, "/CN=User1@org1", wishes, "Subject: OU = client, CN = User1@org1"),
        (Profile::Admin, "/O=Org1/CN=Admin@org1", wishes, "Subject: O = Org1, OU = admin, CN = Admin@org1"),
    ] {
        let request = &request(&setting.openssl, &setting.node, subject, more);
        let certificate = issued(&setting.openssl, &setting.authority, &setting.issuance(profile, request, now()));
        let text = setting.openssl.text(&certificate);
        for expected in [
            expected,
            "Issuer: O = Org1, CN = ca.org1",
            "X509v3 Basic Constraints: critical CA:FALSE",
            "X509v3 Key Usage: critical Digital Signature X509v3",
            "X509v3 Subject Key Identifier:",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        let identifier = |text: &str, of: &str| text.split_once(of).unwrap().1.trim_start()[..59].to_owned();
        let authority = setting.openssl.text(&setting.certificate);
        assert_eq!(
            identifier(&text, "Authority Key Identifier:"),
            identifier(&authority, "Subject Key Identifier:"),
            "{text}"
        );
        let named = text.contains("X509v3 Subject Alternative Name: DNS:peer0.org1, IP Address:10.0.0.1");
        assert_eq!(named, more == names, "{text}");
        assert!(!text.contains("Extended Key Usage"), "{text}");
    }
}

#[test]
fn what_a_profile_does_not_give_is_refused() {
    let setting = Setting::new();
    let names = "-addext subjectAltName=DNS:a.b";
    for (profile, subject, more, expected) in [
        (Profile::Peer, "/CN=a/OU=admin", "", "asks for OU=`admin`, profile peer gives OU=peer"),
        (Profile::Client, "/CN=a/OU=client/OU=security-officer", "", "asks for OU=`security-officer`"),
        (Profile::Peer, "/O=Org1", "", "no common name"),
        (Profile::Peer, "/CN=a/CN=b", "", "2 common names"),
        (Profile::Peer, "/CN=a/O=b/O=c", "", "several organizations"),
        (Profile::Peer, "/CN=a,b", "", "is no principal's"),
        (Profile::Peer, "/CN=../security", "", "is no principal's"),
        (Profile::Client, "/CN=a", names, "profile client has none"),
        (Profile::Admin, "/CN=a", names, "profile admin has none"),
        (Profile::RootCa, "/CN=a", "", "make the request with the issuing key itself"),
    ] {
        // A `/` within a value is escaped for openssl.
        let subject = subject.replace("../", "..\\/");
        let error = setting.draft(profile, &subject, more).unwrap_err().to_string();
        assert!(error.contains(expected), "{profile} {subject}: {error}");
    }
}

#[test]
fn a_root_takes_no_alternative_names_and_needs_one_common_name() {
    let openssl = Openssl::new();
    let key = openssl.key(Algorithm::EcP256);
    for (subject, more) in [("/CN=ca", "-addext subjectAltName=DNS:a"), ("/O=Org1", ""), ("/CN=a/CN=b", "")] {
        let request = &request(&openssl, &key, subject, more);
        let (profile, issuer_key) = (Profile::RootCa, key.public.as_slice());
        let issuance = Issuance { profile, request, issuer_key, issuer_certificate: None, serial: [1; 20], now: now() };
        assert!(CertificateDraft::new(&issuance).is_err(), "{subject} {more}");
    }
}

#[test]
fn only_a_certificate_authority_issues_and_only_with_its_own_key() {
    let setting = Setting::new();
    let Setting { openssl, authority, node, .. } = &setting;
    let request = &request(openssl, node, "/CN=peer0", "");
    let leaf = issued(openssl, authority, &setting.issuance(Profile::Peer, request, now())).der;
    let ca = |extensions: &str| openssl.self_signed(authority, "/CN=ca", 1, extensions).der;
    let no_usage = ca("-addext basicConstraints=critical,CA:TRUE -addext keyUsage=digitalSignature");
    let no_ca = ca("-addext basicConstraints=critical,CA:FALSE -addext keyUsage=keyCertSign");
    let same_name = openssl.authority(authority, "/OU=peer/CN=peer0", 1).der;
    let root = setting.certificate.der.as_slice();
    let (own, others) = (authority.public.as_slice(), node.public.as_slice());
    for (what, issuer_key, issuer_certificate, at, expected) in [
        ("none", own, None, now(), "has no certificate"),
        ("another key's", others, Some(root), now(), "of another key"),
        ("a node's", others, Some(leaf.as_slice()), now(), "no certificate authority's"),
        ("CA:FALSE", own, Some(no_ca.as_slice()), now(), "no certificate authority's"),
        ("no keyCertSign", own, Some(no_usage.as_slice()), now(), "no keyCertSign"),
        ("expired", own, Some(root), now() + 3651 * DAY, "has expired"),
        ("not yet valid", own, Some(root), now() - DAY, "not valid yet"),
        ("garbage", own, Some(b"garbage".as_slice()), now(), "malformed"),
        ("the same name", own, Some(same_name.as_slice()), now(), "equals the issuer's"),
    ] {
        let issuance =
            Issuance { profile: Profile::Peer, request, issuer_key, issuer_certificate, serial: [1; 20], now: at };
        let error = CertificateDraft::new(&issuance).unwrap_err().to_string();
        assert!(error.contains(expected), "{what}: {error}");
    }
}

#[test]
fn validity_stays_within_the_issuers() {
    let setting = Setting::new();
    let Setting { openssl, authority, node, .. } = &setting;
    let made = now();
    let issued_at = |at: u64| {
        let request = &request(openssl, node, "/CN=peer0", "");
        validity(&issued(openssl, authority, &setting.issuance(Profile::Peer, request, at)))
    };
    let root = validity(&setting.certificate);
    let close = |one: u64, other: u64| one.abs_diff(other) <= 60;
    assert!(close(root.0, made - 300) && close(root.1, made + 3650 * DAY), "{root:?}");
    // Issued at once: not before the issuer. In mid-life: five minutes back, one year. At the end: cut.
    assert_eq!(issued_at(made - 200).0, root.0);
    let middle = made + 100 * DAY;
    assert_eq!(issued_at(middle), (middle - 300, middle + 365 * DAY));
    assert_eq!(issued_at(made + 3600 * DAY), (made + 3600 * DAY - 300, root.1));
}

fn validity(certificate: &Certificate) -> (u64, u64) {
    let parsed = x509_cert::Certificate::from_der(&certificate.der).unwrap();
    parsed_validity(parsed.tbs_certificate()).into_inner()
}

#[test]
fn times_from_2050_are_generalized_times() {
    let openssl = Openssl::new();
    let key = openssl.key(Algorithm::EcP256);
    // 2045-01-01T00:00:00Z.
    let certificate = root(&openssl, &key, 2_366_841_600);
    let structure = openssl.run("asn1parse -in @", &[&certificate.path]);
    assert!(structure.contains("UTCTIME           :441231235500Z"), "{structure}");
    assert!(structure.contains("GENERALIZEDTIME   :20541230000000Z"), "{structure}");
}

#[test]
fn profiles_have_the_words_of_the_command_line() {
    for (word, profile) in [
        ("root-ca", Profile::RootCa),
        ("peer", Profile::Peer),
        ("orderer", Profile::Orderer),
        ("client", Profile::Client),
        ("admin", Profile::Admin),
    ] {
        assert_eq!(word.parse::<Profile>(), Ok(profile));
    }
}

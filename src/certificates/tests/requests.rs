//! Certificate signing requests, both ways.

use crate::crypto::tests::openssl::{ALGORITHMS, Key, Openssl, hashes, user_id};
use crate::{
    certificates::{CertificateError, CertificateRequest, MAXIMUM_REQUEST_SIZE, RequestDraft},
    model::{Algorithm, Hash},
};
use proptest::prelude::*;
use std::{fs, sync::LazyLock};

fn built(openssl: &Openssl, key: &Key, subject: &str, names: &[&str]) -> Vec<u8> {
    let draft = RequestDraft::new(subject, names, &key.public).unwrap();
    let signature = openssl.sign(key, draft.to_be_signed());
    draft.finish(&signature)
}

#[test]
fn openssl_verifies_requests_built_here_for_every_algorithm() {
    let openssl = Openssl::new();
    for algorithm in ALGORITHMS {
        let key = openssl.key(algorithm);
        let names = ["dns:peer0.org1", "ip:10.0.0.1", "ip:2001:db8::1"];
        let der = built(&openssl, &key, "CN=peer0,OU=peer,O=Org1", &names);
        let arguments = format!("req -inform DER -in @ -verify {} -noout -subject -text", user_id("vfyopt", algorithm));
        let said = openssl.run(&arguments, &[&openssl.file(&der)]);
        assert!(said.contains("verify OK"), "{said}");
        assert!(said.contains("subject=O = Org1, OU = peer, CN = peer0"), "{said}");
        assert!(said.contains("DNS:peer0.org1, IP Address:10.0.0.1, IP Address:2001:DB8:0:0:0:0:0:1"), "{said}");

        let parsed = CertificateRequest::parse(&der).unwrap();
        assert_eq!(parsed.subject().common_name(), Ok("peer0"));
        assert_eq!(parsed.public_key().der(), key.public);
        assert_eq!(parsed.alternative_names().iter().map(ToString::to_string).collect::<Vec<_>>(), names);
    }
}

#[test]
fn a_request_that_asks_for_no_names_has_no_extension_request() {
    let openssl = Openssl::new();
    let der = built(&openssl, &openssl.key(Algorithm::EcP256), "CN=peer0", &[]);
    let file = openssl.file(&der);
    assert!(openssl.run("req -inform DER -in @ -verify -noout", &[&file]).contains("verify OK"));
    let structure = openssl.run("asn1parse -inform DER -in @", &[&file]);
    assert!(!structure.contains("Extension Request"), "{structure}");
}

#[test]
fn requests_are_not_drafted_from_what_does_not_fit() {
    let key = Openssl::new().key(Algorithm::EcP256).public;
    let no_names: [&str; 0] = [];
    assert!(matches!(RequestDraft::new("O=Org1", &no_names, &key), Err(CertificateError::Subject(_))));
    assert!(matches!(RequestDraft::new("CN=a,CN=b", &no_names, &key), Err(CertificateError::Subject(_))));
    let uri = RequestDraft::new("CN=a", &["uri:spiffe://a"], &key);
    assert!(matches!(uri, Err(CertificateError::SubjectAlternativeName(_))));
    assert!(matches!(RequestDraft::new("CN=a", &no_names, b"key"), Err(CertificateError::Malformed { .. })));
    let x25519 = Openssl::new().key(Algorithm::X25519).public;
    let error = RequestDraft::new("CN=a", &no_names, &x25519).unwrap_err().to_string();
    assert!(error.contains("x25519 keys sign nothing; use ECDSA"), "{error}");
}

#[test]
fn requests_made_by_openssl_are_parsed_for_every_algorithm_and_hash() {
    let openssl = Openssl::new();
    for algorithm in ALGORITHMS {
        let key = openssl.key(algorithm);
        for hash in hashes(algorithm) {
            let der = openssl.request(&key, *hash, "/C=CN/O=Org1/OU=peer/CN=peer0", "-addext subjectAltName=DNS:a.b");
            let parsed = CertificateRequest::parse(&der).unwrap();
            assert_eq!(parsed.subject().organizations, ["Org1"], "{algorithm} {hash}");
            assert_eq!(parsed.subject().organizational_units, ["peer"]);
            assert_eq!(parsed.public_key().algorithm(), algorithm);

            let pem = openssl.path();
            openssl.run("req -inform DER -in @ -out @", &[&openssl.file(&der), &pem]);
            let pem = fs::read_to_string(pem).unwrap();
            assert_eq!(CertificateRequest::parse(pem.as_bytes()).as_ref(), Ok(&parsed));
            let old_label = pem.replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST").replace('\n', "\r\n");
            assert_eq!(CertificateRequest::parse(old_label.as_bytes()).as_ref(), Ok(&parsed));

            // Whose signature it is not: a byte of it, or of what it is over, changed.
            for position in [der.len() - 1, 30] {
                let mut changed = der.clone();
                changed[position] ^= 1;
                assert!(CertificateRequest::parse(&changed).is_err(), "{algorithm} {hash} {position}");
            }
        }
    }
}

#[test]
fn a_request_must_prove_possession_of_its_key() {
    let openssl = Openssl::new();
    let (own, other) = (openssl.key(Algorithm::EcP256), openssl.key(Algorithm::EcP256));
    let draft = RequestDraft::new("CN=peer0", &["dns:a"], &own.public).unwrap();
    let signature = openssl.sign(&other, draft.to_be_signed());
    assert_eq!(CertificateRequest::parse(&draft.finish(&signature)), Err(CertificateError::BadSignature));
}

#[test]
fn high_s_signatures_of_others_are_accepted_on_secp256k1_too() {
    // Half of openssl's signatures have a high s: sixteen with none among them would be one in 65536.
    let openssl = Openssl::new();
    let key = openssl.key(Algorithm::EcSecp256k1);
    for _ in 0..16 {
        CertificateRequest::parse(&openssl.request(&key, Hash::Sha256, "/CN=a", "")).unwrap();
    }
}

#[test]
fn requests_that_are_not_accepted_say_why() {
    let openssl = Openssl::new();
    let (ec, rsa) = (openssl.key(Algorithm::EcP256), openssl.key(Algorithm::Rsa2048));
    let good = openssl.request(&ec, Hash::Sha256, "/CN=a", "");
    let asking = |extension: &str| openssl.request(&ec, Hash::Sha256, "/CN=a", &format!("-addext {extension}"));
    let pss = "-sigopt rsa_padding_mode:pss";
    let version_2 = {
        // The version is the first INTEGER: 02 01 00.
        let mut der = good.clone();
        let at = der.windows(3).position(|window| window == [2, 1, 0]).unwrap();
        der[at + 2] = 1;
        der
    };
    let certificate = fs::read(openssl.authority(&ec, "/CN=a", 1).path).unwrap();
    for (what, der, expected) in [
        ("a URI", asking("subjectAltName=URI:spiffe://org1/admin"), "only DNS names and IP addresses"),
        ("an e-mail address", asking("subjectAltName=email:a@b.c"), "only DNS names and IP addresses"),
        ("a registered id", asking("subjectAltName=RID:1.2.3"), "only DNS names and IP addresses"),
        ("another name", asking("subjectAltName=otherName:1.2.3;UTF8:a"), "only DNS names and IP addresses"),
        ("a wildcard", asking("subjectAltName=DNS:*.org1"), "is no host name"),
        ("SHA-1", openssl.request(&ec, Hash::Sha256, "/CN=a", "-sha1"), "sign with SHA-256"),
        ("RSA-PSS", openssl.request(&rsa, Hash::Sha256, "/CN=a", pss), "sign with SHA-256"),
        ("version 2", version_2, "malformed certificate signing request"),
        ("nothing", Vec::new(), "malformed certificate signing request"),
        ("trailing bytes", [good.as_slice(), &[0]].concat(), "malformed certificate signing request"),
        ("cut short", good[..good.len() - 1].to_vec(), "malformed certificate signing request"),
        ("a certificate", certificate, "give a CERTIFICATE REQUEST"),
        ("half a PEM", b"-----BEGIN CERTIFICATE REQUEST-----\nMII".to_vec(), "malformed certificate signing request"),
        ("too large", vec![b'0'; MAXIMUM_REQUEST_SIZE + 1], "at most 65536"),
    ] {
        let error = CertificateRequest::parse(&der).unwrap_err().to_string();
        assert!(error.contains(expected), "{what}: {error}");
    }
}

#[test]
fn extensions_asked_for_are_the_profiles_to_give() {
    let openssl = Openssl::new();
    let key = openssl.key(Algorithm::EcP256);
    let more = "-addext basicConstraints=critical,CA:TRUE -addext keyUsage=keyCertSign -addext subjectAltName=DNS:a";
    let parsed = CertificateRequest::parse(&openssl.request(&key, Hash::Sha256, "/CN=a", more)).unwrap();
    assert_eq!(parsed.alternative_names().len(), 1);
}

static REQUEST: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let openssl = Openssl::new();
    let more = "-addext subjectAltName=DNS:a.b,IP:10.0.0.1";
    openssl.request(&openssl.key(Algorithm::EcP256), Hash::Sha256, "/O=Org1/OU=peer/CN=peer0", more)
});

proptest! {
    #[test]
    fn garbage_is_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
        prop_assert!(CertificateRequest::parse(&bytes).is_err());
    }

    #[test]
    fn a_damaged_request_is_refused_without_a_panic(at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let mut der = REQUEST.clone();
        let at = at.index(der.len());
        prop_assume!(der[at] != to);
        der[at] = to;
        prop_assert!(CertificateRequest::parse(&der).is_err());
    }

    #[test]
    fn any_text_is_a_subject_or_is_refused_without_a_panic(text in "\\PC*|[CNOU=,+\\\\# a-f0-9\"]*") {
        let names: [&str; 1] = [&text];
        prop_assert!(RequestDraft::new(&text, &names, &[]).is_err());
    }
}

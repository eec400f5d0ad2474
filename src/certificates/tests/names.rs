//! Distinguished names and alternative names, as text.

use super::super::{Subject, SubjectAlternativeName, subject};
use crate::certificates::CertificateError;

#[test]
fn distinguished_names_are_read_as_rfc_4514_writes_them() {
    for (text, common_name, units, organization) in [
        ("CN=peer0,OU=peer,O=Org1", "peer0", &["peer"][..], Some("Org1")),
        (" cn = peer0 , o = Org 1 ", "peer0", &[], Some("Org 1")),
        (r"CN=a\,b,O=c\=d\+e", "a,b", &[], Some("c=d+e")),
        (r"CN=a=b\\", r"a=b\", &[], None),
        (r"CN=\ a\ ,O=x", " a ", &[], Some("x")),
        (r"CN=Lu\C4\8Di\C4\87", "Lučić", &[], None),
        (r"CN=\#x,OU=a,OU=b", "#x", &["b", "a"], None),
        ("CN=组织,C=CN,ST=Zhejiang,L=Hangzhou", "组织", &[], None),
    ] {
        let subject = Subject::of(&subject::parse(text).unwrap()).unwrap();
        assert_eq!(subject.common_name(), Ok(common_name), "{text}");
        assert_eq!(subject.organizational_units, units, "{text}");
        assert_eq!(subject.organizations.first().map(String::as_str), organization, "{text}");
    }
}

#[test]
fn malformed_distinguished_names_are_refused() {
    let long = format!("CN={}", "a".repeat(65));
    for text in [
        "",
        ",",
        "CN",
        "CN=",
        "CN= ",
        "=x",
        "CN=a,",
        "CN=a,,O=b",
        "XX=a",
        "2.5.4.3=a",
        "CN=a+OU=b",
        "CN=#0401",
        "CN=a;O=b",
        "CN=\"a\"",
        "CN=a<b",
        r"CN=a\",
        r"CN=a\0",
        r"CN=a\zz",
        r"CN=\FF",
        r"CN=a\00",
        r"CN=a\0Ab",
        "C=China",
        "C=cn",
        &long,
        "CN=a\u{7f}",
        "/CN=a/OU=b",
        "emailAddress=a@b",
    ] {
        let parsed = subject::parse(text);
        assert!(matches!(parsed, Err(CertificateError::Subject(_))), "{text:?} {parsed:?}");
    }
}

#[test]
fn alternative_names_are_dns_names_and_ip_addresses() {
    for text in ["dns:peer0.org1.example.com", "dns:peer0", "dns:peer0_org1", "ip:10.0.0.1", "ip:2001:db8::1"] {
        assert_eq!(text.parse::<SubjectAlternativeName>().unwrap().to_string(), text);
    }
    for text in [
        "",
        "peer0",
        "dns:",
        "dns:*.org1",
        "dns:a b",
        "dns:a..b",
        "dns:a.",
        "dns:-a-",
        "dns:peer0\n",
        "dns:10.0.0.1",
        "dns:pëer",
        "ip:",
        "ip:10.0.0",
        "ip:10.0.0.0/8",
        "ip:peer0",
        "uri:spiffe://org1/peer0",
        "email:a@b",
        "DNS:peer0",
    ] {
        let parsed = text.parse::<SubjectAlternativeName>();
        assert!(matches!(parsed, Err(CertificateError::SubjectAlternativeName(_))), "{text:?} {parsed:?}");
    }
}

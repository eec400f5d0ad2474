use super::*;

#[test]
fn numbers_are_compared_and_shown_as_numbers() {
    let number = |bytes: &[u8]| ListNumber::new(bytes).unwrap();
    let (zero, nine, ten, many) = (number(&[0]), number(&[0, 9]), number(&[10]), number(&[1, 0, 0]));
    assert!(zero < nine && nine < ten && ten < many && number(&[0, 0, 10]) == ten);
    let shown = [&zero, &nine, &ten, &many].map(ToString::to_string);
    assert_eq!(shown, ["0", "9", "10", "65536"]);
    assert_eq!(number(&[0xff; 20]).to_string(), "1461501637330902918203684832716283019655932542975");
    assert!(ListNumber::new(&[1; 21]).is_err());
}

#[test]
fn an_entry_of_another_issuer_or_with_a_critical_unknown_is_refused() {
    let entry = |oid: &str, critical| RevokedCert::<x509_cert::certificate::Rfc5280> {
        serial_number: SerialNumber::new(&[7]).unwrap(),
        revocation_date: x509_cert::time::Time::INFINITY,
        crl_entry_extensions: Some(vec![Extension {
            extn_id: oid.parse().unwrap(),
            critical,
            extn_value: der::asn1::OctetString::new([5, 0]).unwrap(),
        }]),
    };
    // certificateIssuer, a reason, something unknown.
    for (oid, critical, taken) in [
        ("2.5.29.29", true, false),
        ("2.5.29.29", false, false),
        ("2.5.29.21", false, true),
        ("1.2.3.4", false, true),
        ("1.2.3.4", true, false),
    ] {
        assert_eq!(require_direct(&entry(oid, critical)).is_ok(), taken, "{oid} {critical}");
    }
}

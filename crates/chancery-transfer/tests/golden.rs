//! Files of earlier versions stay readable: tests/golden/v1, whose README says what they are.
#![forbid(unsafe_code)]

use chancery_audit::checkpoint::VerifierKey;
use chancery_transfer::backup::file::{Frame, Reader};
use chancery_transfer::backup::{Header, Opener, custody};
use chancery_transfer::envelope::PrivateKey;
use chancery_transfer::statement::{Custody, Statement};

const BACKUP: &[u8] = include_bytes!("golden/v1/backup");
const CUSTODIANS: [&str; 3] = [
    include_str!("golden/v1/custodian1.pem"),
    include_str!("golden/v1/custodian2.pem"),
    include_str!("golden/v1/custodian3.pem"),
];
const STATEMENT: &str = include_str!("golden/v1/statement");
const SIGNATURE: &str = include_str!("golden/v1/statement.sig");
const AUDIT_KEY: &str = include_str!("golden/v1/audit.vkey");

#[test]
fn any_two_custodians_open_the_backup() {
    let mut reader = Reader::default();
    reader.extend(BACKUP);
    let mut frames = Vec::new();
    while let Some(frame) = reader.next_frame().unwrap() {
        frames.push(frame);
    }
    reader.finish().unwrap();
    let [
        Frame::Header(header),
        Frame::State(first),
        Frame::Entry(one),
        Frame::State(second),
        Frame::Entry(two),
        Frame::Trailer(trailer),
    ] = &frames[..]
    else {
        panic!("{frames:?}")
    };
    assert_eq!((first.as_slice(), second.as_slice()), (&b"the first state"[..], &b"the second state"[..]));
    let parsed = Header::decode(header).unwrap();
    let shares = CUSTODIANS.map(|pem| custody::open_share(&parsed, &PrivateKey::from_pem(pem).unwrap()).unwrap());
    let [a, b, c] = shares;
    for some in [&[a, b][..], &[c]] {
        let opened = Opener::open(header, some);
        if some.len() == 1 {
            assert!(opened.is_err());
            continue;
        }
        let (header, mut opener) = opened.unwrap();
        assert_eq!((header.deployment.as_str(), header.organization.as_str()), ("example", "org1"));
        assert_eq!(header.backup, "organizations/org1/backups/weekly");
        assert_eq!((header.time_unix_millis, header.log_size, header.threshold()), (1_700_000_000_000, 42, 2));
        let entry = opener.entry(one).unwrap();
        assert_eq!((entry.head.algorithm.as_str(), entry.head.origin.as_str()), ("ec-p256", "generated"));
        assert_eq!(entry.secret.as_slice(), [0x11; 32]);
        let entry = opener.entry(two).unwrap();
        assert_eq!((entry.head.algorithm.as_str(), entry.head.origin.as_str()), ("hmac-sha256", "imported"));
        assert_eq!(entry.secret.as_slice(), [0x22; 32]);
        assert_eq!(opener.finish(trailer, &reader.states_sha256()), Ok(2));
    }
}

#[test]
fn the_statement_verifies() {
    let key: VerifierKey = AUDIT_KEY.parse().unwrap();
    let signature = hex::decode(SIGNATURE.trim()).unwrap();
    let Statement::Key(statement) = Statement::verify(STATEMENT, &signature, &key).unwrap() else { panic!() };
    assert!(matches!(statement.custody, Custody::Token(attributes) if attributes.never_extractable == Some(true)));
}

//! Statements: one text each, and only the audit key's signature makes one true.
#![forbid(unsafe_code)]

use chancery_audit::checkpoint::{Checkpoint, VerifierKey};
use chancery_transfer::statement::{
    Custody, FIRST_LINE, KeyStatement, Origin, RESERVED_PREFIX, Statement, StatementError, TokenAttributes,
    TransportKeyStatement, TransportPurpose, Witness, printable,
};
use ed25519_dalek::pkcs8::EncodePublicKey as _;
use ed25519_dalek::{Signer as _, SigningKey};
use proptest::prelude::*;

const KEY_TEXT: &str = "\
chancery-attestation/v1
subject: key
deployment: 0c8a6a9e
version: organizations/org1/keys/peer0/versions/1
algorithm: ec-p256
purpose: sign
public-key-sha256: abababababababababababababababababababababababababababababababab
origin: generated
protection: token
local: yes
sensitive: yes
always-sensitive: yes
extractable: no
never-extractable: yes
modifiable: no
copyable: unknown
token-manufacturer: SoftHSM project
token-model: SoftHSM v2
token-serial: 9b1f3a6d5c2e4f70
token-library: Implementation of PKCS11 2.6
incarnation: 01010101010101010101010101010101
time-unix-millis: 1700000000000
nonce: none
";

fn witness() -> Witness {
    Witness {
        manufacturer: "SoftHSM project".into(),
        model: "SoftHSM v2".into(),
        serial: "9b1f3a6d5c2e4f70".into(),
        library: "Implementation of PKCS11 2.6".into(),
        incarnation: [1; 16],
        time_unix_millis: 1_700_000_000_000,
    }
}

fn key_statement() -> KeyStatement {
    KeyStatement {
        deployment: "0c8a6a9e".into(),
        version: "organizations/org1/keys/peer0/versions/1".into(),
        algorithm: "ec-p256".into(),
        purpose: "sign".into(),
        public_key_sha256: [0xab; 32],
        origin: Origin::Generated,
        custody: Custody::Token(TokenAttributes {
            local: Some(true),
            sensitive: Some(true),
            always_sensitive: Some(true),
            extractable: Some(false),
            never_extractable: Some(true),
            modifiable: Some(false),
            copyable: None,
        }),
        witness: witness(),
        nonce: Vec::new(),
    }
}

fn transport_statement() -> TransportKeyStatement {
    TransportKeyStatement {
        deployment: "0c8a6a9e".into(),
        organization: "org1".into(),
        purpose: TransportPurpose::Restore,
        id: [2; 16],
        public_key: [4; 65],
        expires_unix_millis: 1_700_000_900_000,
        witness: witness(),
    }
}

fn audit_key() -> (SigningKey, VerifierKey) {
    let key = SigningKey::from_bytes(&[3; 32]);
    let spki = key.verifying_key().to_public_key_der().unwrap();
    (key, VerifierKey::from_spki("audit.example.org/chancery-1", spki.as_bytes()).unwrap())
}

#[test]
fn a_statement_has_this_text() {
    let statement = Statement::Key(key_statement());
    assert_eq!(statement.text().unwrap(), KEY_TEXT);
    assert_eq!(Statement::parse(KEY_TEXT), Ok(statement));
}

#[test]
fn every_form_reads_back() {
    let enclave = KeyStatement {
        origin: Origin::Imported,
        custody: Custody::Enclave { kek_generation: 3 },
        nonce: vec![9; 64],
        ..key_statement()
    };
    let restored = KeyStatement { origin: Origin::Restored, ..enclave.clone() };
    let import = TransportKeyStatement { purpose: TransportPurpose::Import, ..transport_statement() };
    for statement in [
        Statement::Key(key_statement()),
        Statement::Key(enclave),
        Statement::Key(restored),
        Statement::TransportKey(transport_statement()),
        Statement::TransportKey(import),
    ] {
        let text = statement.text().unwrap();
        assert!(text.starts_with(&format!("{FIRST_LINE}\n")), "{text}");
        assert_eq!(Statement::parse(&text), Ok(statement));
    }
}

#[test]
fn a_text_has_one_form() {
    let text = KEY_TEXT.to_owned();
    let changed = [
        text.trim_end().to_owned(),
        format!("{text}\n"),
        format!("{text}more: yes\n"),
        text.replace("subject: key", "subject: keys"),
        text.replace("subject: key\n", ""),
        text.replace("algorithm: ec-p256\npurpose: sign\n", "purpose: sign\nalgorithm: ec-p256\n"),
        text.replace("local: yes", "local: Yes"),
        text.replace("local: yes", "local:  yes"),
        text.replace("local: yes", "local: yes "),
        text.replace("local: yes", "local:yes"),
        text.replace("local: yes\n", "local: yes\r\n"),
        text.replace("1700000000000", "01700000000000"),
        text.replace("1700000000000", "+1700000000000"),
        text.replace("origin: generated", "origin: made"),
        text.replace("origin: generated", "origin: Restored"),
        text.replace("abab", "ABab"),
        text.replace("abab", "ab"),
        text.replace("nonce: none", "nonce: "),
        text.replace("nonce: none", &format!("nonce: {}", "00".repeat(65))),
        text.replace("chancery-attestation/v1", "chancery-attestation/v2"),
        text.replace("protection: token", "protection: enclave"),
    ];
    for text in changed {
        assert!(Statement::parse(&text).is_err(), "{text}");
    }
}

#[test]
fn a_value_cannot_make_a_line_of_its_own() {
    for value in ["", " ", "a\nlocal: yes", "a\r", "a ", " a", "a\u{0}", "a\u{85}b", &"x".repeat(1025)] {
        let statement = Statement::Key(KeyStatement { algorithm: value.to_owned(), ..key_statement() });
        assert_eq!(statement.text(), Err(StatementError::Value { key: "algorithm" }), "{value:?}");
    }
}

#[test]
fn only_the_audit_keys_signature_over_this_text_counts() {
    let (signer, key) = audit_key();
    let text = KEY_TEXT.to_owned();
    let signature = signer.sign(text.as_bytes()).to_bytes();
    assert_eq!(Statement::verify(&text, &signature, &key), Ok(Statement::Key(key_statement())));

    let forged = Err(StatementError::Signature { name: "audit.example.org/chancery-1".into() });
    let other = text.replace("extractable: no\n", "extractable: yes\n");
    assert_eq!(Statement::verify(&other, &signature, &key), forged);
    assert_eq!(
        Statement::verify(&text, &SigningKey::from_bytes(&[4; 32]).sign(text.as_bytes()).to_bytes(), &key),
        forged
    );
    assert_eq!(Statement::verify(&text, b"", &key), forged);
}

/// docs/attestation.md, "Domain separation": a checkpoint's text begins with its origin, a statement's with its format.
#[test]
fn no_checkpoint_is_a_statement_and_no_statement_a_checkpoint() {
    assert!(FIRST_LINE.starts_with(RESERVED_PREFIX));
    let checkpoint = Checkpoint { origin: "audit.example.org/chancery-1".into(), size: 7, root: [0; 32] };
    assert!(Statement::parse(&checkpoint.text()).is_err());
    let (_, key) = audit_key();
    let statement = Statement::Key(key_statement()).text().unwrap();
    assert!(Checkpoint::parse(&statement).is_err());
    assert!(key.open_note(&format!("{statement}\n— {} AAAAAAA=\n", key.name())).is_err());
}

#[test]
fn what_a_token_calls_itself_is_made_printable() {
    assert_eq!(printable("  SoftHSM v2\0\n"), "SoftHSM v2\u{fffd}");
    assert_eq!(printable("a\nextractable: no"), "a\u{fffd}extractable: no");
    assert_eq!(printable(" "), "unknown");
    let cut = printable(&format!("{} b", "a".repeat(127)));
    assert_eq!(cut, "a".repeat(127));
}

proptest! {
    #[test]
    fn garbage_is_no_statement(text in "\\PC{0,200}") {
        prop_assert!(Statement::parse(&text).is_err());
    }

    /// Whatever parses has exactly the text that it was parsed from.
    #[test]
    fn a_changed_byte_is_found_or_is_another_statement(at in 0usize..600, byte in any::<u8>()) {
        let mut bytes = KEY_TEXT.as_bytes().to_vec();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(text) = String::from_utf8(bytes) && let Ok(statement) = Statement::parse(&text) {
            prop_assert_eq!(statement.text().unwrap(), text);
        }
    }
}

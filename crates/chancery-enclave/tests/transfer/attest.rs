//! What is stated of keys and transport keys is so, and the audit key's signature holds.

use chancery_audit::checkpoint::VerifierKey;
use chancery_ipc::{
    Attest, CreateTransportKey, FaultReason, KeyAlgorithm as A, KeyOrigin, KeyProtection, KeyPurpose as P, KeyRef,
    TransportUse, request::Verb, response::Result as Reply,
};
use chancery_transfer::statement::{Custody, Origin, Statement, TokenAttributes, TransportPurpose};

use crate::{harness::*, parties::*};

#[test]
fn transport_keys_are_stated_and_for_an_organization() {
    let (host, created) = Host::with_deployment();
    let (mut enclave, opened) = host.open(1);
    let key = transport_key(&mut enclave, "org1", TransportUse::Restore);
    let audit = VerifierKey::from_spki(ORIGIN, &created.audit_public_key).unwrap();
    let statement = Statement::verify(&key.statement, &key.signature, &audit).unwrap();
    let Statement::TransportKey(statement) = statement else { panic!("{statement:?}") };
    assert_eq!((statement.deployment.as_str(), statement.organization.as_str()), (DEPLOYMENT, "org1"));
    assert_eq!(statement.purpose, TransportPurpose::Restore);
    assert_eq!((&statement.id[..], &statement.public_key[..]), (&key.id[..], &key.public_key[..]));
    assert_eq!(statement.expires_unix_millis, key.expires_unix_millis);
    assert_eq!(statement.expires_unix_millis - statement.witness.time_unix_millis, 15 * 60 * 1000);
    assert_eq!(statement.witness.incarnation[..], opened.incarnation[..]);

    for (organization, purpose) in [("", 1), ("a/b", 1), ("a\n", 1), ("org1", 0), ("org1", 9)] {
        let request = CreateTransportKey { organization: organization.into(), r#use: purpose };
        enclave.refused(Verb::CreateTransportKey(request), FaultReason::BadRequest);
    }
}

fn attest(made: &Made, nonce: &[u8]) -> Verb {
    let key = KeyRef { wrapped: made.wrapped.clone(), ..made.key.clone() };
    Verb::Attest(Attest { key, nonce: nonce.into() })
}

#[test]
fn a_statement_says_what_the_token_says() {
    let (host, created) = Host::with_deployment();
    let (mut enclave, opened) = host.open(1);
    enclave.ensure_kek(1);
    enclave.ensure_kek(2);
    let audit = VerifierKey::from_spki(ORIGIN, &created.audit_public_key).unwrap();
    let (pkcs8, _) = made_by_openssl(host.dir.path(), PAIRS[0].2);
    let p256 = (A::EcP256, "ec-p256");
    let confined = TokenAttributes {
        local: Some(true),
        sensitive: Some(true),
        always_sensitive: Some(true),
        extractable: Some(false),
        never_extractable: Some(true),
        modifiable: Some(false),
        copyable: Some(false),
    };
    let imported = TokenAttributes {
        local: Some(false),
        always_sensitive: Some(false),
        never_extractable: Some(false),
        ..confined
    };
    let mut under_2 = wanted(&version(6), A::Sm2, P::Sign, KeyProtection::Enclave);
    under_2.kek_generation = 2;
    let rows = [
        (enclave.make(wanted(&version(1), A::EcP256, P::Sign, KeyProtection::Token)), Custody::Token(confined)),
        (enclave.make(wanted(&version(2), A::Aes256, P::Encrypt, KeyProtection::Token)), Custody::Token(confined)),
        (import(&mut enclave, &version(3), p256, P::Sign, KeyProtection::Token, &pkcs8), Custody::Token(imported)),
        (enclave.make_p256(&version(4)), Custody::Enclave { kek_generation: 1 }),
        (
            import(&mut enclave, &version(5), p256, P::Sign, KeyProtection::Enclave, &pkcs8),
            Custody::Enclave { kek_generation: 1 },
        ),
        (enclave.make(under_2), Custody::Enclave { kek_generation: 2 }),
    ];
    for (made, custody) in &rows {
        let reply = enclave.call(attest(made, &[7; 64]));
        let Reply::Attested(attested) = reply else { panic!("{reply:?}") };
        let statement = Statement::verify(&attested.statement, &attested.signature, &audit).unwrap();
        let Statement::Key(statement) = statement else { panic!("{statement:?}") };
        assert_eq!(statement.version, made.key.version);
        assert_eq!(statement.public_key_sha256[..], made.key.public_key_sha256[..]);
        assert_eq!(statement.custody, *custody);
        let origin = if made.key.origin() == KeyOrigin::Generated { Origin::Generated } else { Origin::Imported };
        assert_eq!((statement.origin, statement.purpose.as_str()), (origin, word(made.key.purpose())));
        assert_eq!(statement.nonce, [7; 64]);
        assert_eq!(statement.witness.model, opened.token.model);
        assert_eq!(statement.witness.serial, opened.token.serial);
        assert_eq!(statement.witness.manufacturer, opened.token.manufacturer);
        assert_eq!(statement.witness.library, opened.library);
    }
}

#[test]
fn nothing_false_is_stated() {
    let (host, _) = Host::with_deployment();
    let (mut enclave, _) = host.open(1);
    enclave.ensure_kek(1);
    let token = enclave.make(wanted(&version(1), A::EcP256, P::Sign, KeyProtection::Token));
    let ours = enclave.make_p256(&version(2));
    let changed = |made: &Made, change: fn(&mut KeyRef)| {
        let mut made = made.clone();
        change(&mut made.key);
        attest(&made, &[])
    };
    let purpose: fn(&mut KeyRef) = |key| key.purpose = P::Agree.into();
    let origin: fn(&mut KeyRef) = |key| key.origin = KeyOrigin::Imported.into();
    let restored: fn(&mut KeyRef) = |key| key.origin = KeyOrigin::Restored.into();
    let public_key: fn(&mut KeyRef) = |key| key.public_key_sha256 = vec![1; 32];
    let algorithm: fn(&mut KeyRef) = |key| key.algorithm = A::EcSecp256k1.into();
    let name: fn(&mut KeyRef) = |key| key.version = version(9);
    for change in [purpose, origin, restored, public_key, algorithm] {
        enclave.refused(changed(&token, change), FaultReason::KeyMismatch);
        enclave.refused(changed(&ours, change), FaultReason::Tampered);
    }
    enclave.refused(changed(&token, name), FaultReason::KeyNotFound);
    enclave.refused(changed(&ours, name), FaultReason::Tampered);
    let unopened = Made { wrapped: Vec::new(), ..ours.clone() };
    enclave.refused(attest(&unopened, &[]), FaultReason::KeyNotOpen);
    enclave.refused(attest(&ours, &[1; 65]), FaultReason::BadRequest);
    let mut system = ours.clone();
    system.key.version = "system/audit".into();
    enclave.refused(attest(&system, &[]), FaultReason::BadRequest);
}

//! What is refused when a key is to be made, and that nothing is made then.

use crate::{
    parties::{LONG, Parties, duration, from_now, refused, signer},
    shared::{ORG1, call, deployment, id, key},
};
use chancery_api::{
    reasons,
    v1::{
        Algorithm, CreateKeyRequest, GetKeyRequest, Key, Protection, Purpose, RotationSchedule,
        rotation_schedule::Schedule,
    },
};
use chancery_client::{ClientError, Code};
use std::collections::BTreeMap;

const ALL: [Algorithm; 16] = [
    Algorithm::EcP256,
    Algorithm::EcP384,
    Algorithm::EcP521,
    Algorithm::EcSecp256k1,
    Algorithm::Ed25519,
    Algorithm::Rsa2048,
    Algorithm::Rsa3072,
    Algorithm::Rsa4096,
    Algorithm::Sm2,
    Algorithm::MlDsa44,
    Algorithm::MlDsa65,
    Algorithm::MlDsa87,
    Algorithm::X25519,
    Algorithm::Aes256,
    Algorithm::Sm4,
    Algorithm::HmacSha256,
];

/// What each algorithm is for, by FIPS 186-5, SP 800-56A, RFC 8017, GB/T 32918 and interfaces.
fn purposes(algorithm: Algorithm) -> &'static [Purpose] {
    use Purpose::{Agree, Certify, Encrypt, Mac, Sign, Wrap};
    match algorithm {
        Algorithm::EcP256 | Algorithm::EcP384 | Algorithm::EcP521 => &[Sign, Certify, Agree],
        Algorithm::Rsa2048 | Algorithm::Rsa3072 | Algorithm::Rsa4096 | Algorithm::Sm2 => &[Sign, Certify, Encrypt],
        Algorithm::X25519 => &[Agree],
        Algorithm::Aes256 => &[Encrypt, Wrap],
        Algorithm::Sm4 => &[Encrypt],
        Algorithm::HmacSha256 => &[Mac],
        _ => &[Sign, Certify],
    }
}

/// What is changed of a request that is right.
type Edit<'a> = Box<dyn Fn(&mut Key) + 'a>;

/// Asks for a key that must not come to be.
async fn not_made(parties: &Parties, request: CreateKeyRequest) -> ClientError {
    let name = format!("{}/keys/{}", request.parent, request.key_id);
    let error = call(parties.officer.keys().create_key(request)).await.unwrap_err();
    let found = call(parties.officer.keys().get_key(GetKeyRequest { name })).await.unwrap_err();
    assert_eq!(found.reason.as_deref(), Some(reasons::NOT_FOUND), "{found}");
    assert!(!error.retryable, "{error}");
    error
}

fn with(id: &str, edit: impl FnOnce(&mut Key)) -> CreateKeyRequest {
    let mut request = signer(&key(id), Protection::Enclave);
    edit(request.key.as_mut().unwrap());
    request
}

#[tokio::test]
async fn a_purpose_that_the_algorithm_is_not_for_is_refused() {
    let parties = Parties::of(deployment()).await;
    let every = [Purpose::Sign, Purpose::Certify, Purpose::Encrypt, Purpose::Agree, Purpose::Mac, Purpose::Wrap];
    for algorithm in ALL {
        for purpose in every.into_iter().filter(|purpose| !purposes(algorithm).contains(purpose)) {
            for protection in [Protection::Token, Protection::Enclave] {
                let request = with("no-purpose", |key| {
                    key.algorithm = algorithm.into();
                    key.purpose = purpose.into();
                    key.protection = protection.into();
                });
                let error = not_made(&parties, request).await;
                let what = format!("{algorithm:?} to {purpose:?}: {error}");
                assert_eq!(error.reason.as_deref(), Some(reasons::INVALID_ARGUMENT), "{what}");
                assert_eq!(error.violations[0].field, "key.purpose", "{what}");
                let offered = purposes(algorithm)[0].as_str_name().to_lowercase();
                assert!(error.message.contains(&offered), "it names what the algorithm is for: {what}");
            }
        }
    }
}

/// SoftHSM has no SM2, no ML-DSA and no SM4: the error names what it has, and where the algorithm is to be had.
#[tokio::test]
async fn what_the_token_lacks_is_refused_naming_what_it_offers() {
    let parties = Parties::of(deployment()).await;
    for (algorithm, word) in [(Algorithm::Sm2, "sm2"), (Algorithm::MlDsa65, "ml-dsa-65"), (Algorithm::Sm4, "sm4")] {
        let request = with("no-token", |key| {
            key.algorithm = algorithm.into();
            key.purpose = purposes(algorithm)[0].into();
            key.protection = Protection::Token.into();
        });
        let error = not_made(&parties, request).await;
        assert_eq!(
            (error.code, error.reason.as_deref()),
            (Code::FailedPrecondition, Some(reasons::UNSUPPORTED_ALGORITHM))
        );
        let (lacks, offers) = error.message.split_once("it offers").unwrap();
        assert!(lacks.contains(word) && offers.contains("ENCLAVE") && offers.contains("ec-p256"), "{error}");
        let offered = offers.split_once('.').unwrap().0;
        assert!(!offered.contains(word), "{error}");
    }
}

#[tokio::test]
async fn what_is_malformed_is_refused_by_its_field() {
    let parties = Parties::of(deployment()).await;
    let schedule = |schedule| Some(RotationSchedule { schedule: Some(schedule), next_time: None });
    let cron = |text: &str| schedule(Schedule::Cron(text.into()));
    let labels = |key: usize, value: usize| BTreeMap::from([("k".repeat(key), "v".repeat(value))]);
    let many: BTreeMap<_, _> = (0..33).map(|at| (format!("label{at}"), String::new())).collect();
    let cases: Vec<(&str, Edit<'_>)> = vec![
        ("key.algorithm", Box::new(|key| key.algorithm = 0)),
        ("key.algorithm", Box::new(|key| key.algorithm = 99)),
        ("key.algorithm", Box::new(|key| key.algorithm = -1)),
        ("key.purpose", Box::new(|key| key.purpose = 99)),
        ("key.protection", Box::new(|key| key.protection = 7)),
        ("key.check", Box::new(|key| key.check = 9)),
        ("key.owner", Box::new(|key| key.owner = "peer0".into())),
        ("key.labels", Box::new(move |key| key.labels = labels(0, 1))),
        ("key.labels", Box::new(move |key| key.labels = labels(64, 1))),
        ("key.labels", Box::new(move |key| key.labels = labels(1, 256))),
        ("key.labels", Box::new(move |key| key.labels = many.clone())),
        ("key.pool_size", Box::new(|key| key.pool_size = -1)),
        ("key.pool_size", Box::new(|key| key.pool_size = 17)),
        ("key.overlap", Box::new(|key| key.overlap = duration(-1))),
        ("key.overlap", Box::new(|key| key.overlap = duration(20 * 365 * 24 * 3600))),
        ("key.rotation", Box::new(|key| key.rotation = Some(RotationSchedule::default()))),
        (
            "key.rotation.interval",
            Box::new(move |key| key.rotation = schedule(Schedule::Interval(duration(0).unwrap()))),
        ),
        (
            "key.rotation.interval",
            Box::new(move |key| key.rotation = schedule(Schedule::Interval(duration(-5).unwrap()))),
        ),
        ("key.rotation.cron", Box::new(move |key| key.rotation = cron(""))),
        ("key.rotation.cron", Box::new(move |key| key.rotation = cron("every day"))),
        ("key.rotation.cron", Box::new(move |key| key.rotation = cron("61 * * * *"))),
        ("key.rotation.cron", Box::new(move |key| key.rotation = cron("0 0 31 2 *"))),
        ("key.rotation.cron", Box::new(move |key| key.rotation = cron(&"* ".repeat(500)))),
    ];
    for (at, (field, edit)) in cases.iter().enumerate() {
        let error = not_made(&parties, with("malformed", |key| edit(key))).await;
        let found = error.violations.first().map(|violation| violation.field.as_str());
        assert_eq!((error.code, found), (Code::InvalidArgument, Some(*field)), "case {at}: {error}");
    }
    let dates: [(&str, Option<i64>, Option<i64>); 4] = [
        ("activate_time", Some(-5), None),
        ("expire_time", None, Some(-5)),
        ("expire_time", Some(LONG), Some(LONG - 10)),
        ("expire_time", Some(LONG), Some(-LONG)),
    ];
    for (field, activate, expire) in dates {
        let mut request = signer(&key("malformed"), Protection::Enclave);
        (request.activate_time, request.expire_time) = (activate.map(from_now), expire.map(from_now));
        let error = not_made(&parties, request).await;
        assert_eq!(error.violations[0].field, field, "{error}");
    }
}

#[tokio::test]
async fn a_name_that_is_taken_is_refused_and_a_name_is_no_path() {
    let parties = Parties::of(deployment()).await;
    let made = parties.make(&key("taken"), Protection::Enclave).await;
    let again = call(parties.officer.keys().create_key(signer(&key("taken"), Protection::Token))).await;
    refused(again, reasons::ALREADY_EXISTS);
    assert_eq!(parties.key(&made.name).await, made, "it is as it was");
    for key_id in ["", "A", "-a", "a/b", "..", "a b", "a\u{e9}", &"a".repeat(64)] {
        let request = CreateKeyRequest {
            parent: ORG1.into(),
            key_id: key_id.into(),
            request_id: id(),
            ..signer(&key("x"), Protection::Enclave)
        };
        let error = call(parties.officer.keys().create_key(request)).await.unwrap_err();
        assert_eq!(error.violations[0].field, "key_id", "{key_id:?}: {error}");
    }
}

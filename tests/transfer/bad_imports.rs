//! Imports that must not be: each is refused for its own reason, and nothing of it stays.
//!
//! The command looks at a key before it seals it, so these are sealed and sent as another client might.

use crate::{
    attempt::{Attempt, job, refused},
    desk::{Desk, NODE, OFFICER},
    foreign_keys::KINDS,
    harness::Deployment,
    ml_dsa_keys::pkcs8,
    shared::{ORG1, ORG2, call, client, deployment, key},
    store::wrapped_keys,
};
use chancery_api::v1::{Algorithm, CreateRestoreJobRequest, ImportJob, ImportKeyRequest, Protection, Purpose};

/// PKCS #8 that openssl makes.
fn made(desk: &Desk<'_>, how: &str) -> Vec<u8> {
    let (key, der) = (desk.generate("made.key", how), desk.path("made.der"));
    desk.openssl.text(&format!("pkcs8 -topk8 -nocrypt -in {key} -outform DER -out {der}"));
    desk.read("made.der")
}

/// P-256's PKCS #8 with this scalar, without its public key.
fn p256(scalar: &[u8; 32]) -> Vec<u8> {
    let head = "3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420";
    [&hex::decode(head).unwrap()[..], scalar].concat()
}

const P256_ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

#[tokio::test(flavor = "multi_thread")]
async fn weak_mismatched_and_broken_keys() {
    let desk = Desk::at(deployment());
    let officer = client(OFFICER).await;
    let good = made(&desk, KINDS[0].made_by);
    let mut foreign_public = good.clone();
    foreign_public[good.len() - 65..].copy_from_slice(&made(&desk, KINDS[0].made_by)[good.len() - 65..]);
    let order: [u8; 32] = hex::decode(P256_ORDER).unwrap().try_into().unwrap();
    let (rsa, aes) = ((Algorithm::Rsa2048, "rsa-2048"), (Algorithm::Aes256, "aes-256"));
    let attempt = Attempt::new(&officer, "bad-material", &good).await;
    let pair = |key: Vec<u8>| Attempt { key, ..attempt.clone() };
    let signs = |(algorithm, word), key: Vec<u8>| pair(key).of(algorithm, word, Purpose::Sign, "sign");
    let encrypts = |(algorithm, word), key: Vec<u8>| pair(key).of(algorithm, word, Purpose::Encrypt, "encrypt");
    for (what, attempt) in [
        ("P-384, declared as P-256", pair(made(&desk, KINDS[1].made_by))),
        ("secp256k1, declared as P-256", pair(made(&desk, KINDS[3].made_by))),
        ("RSA, declared as P-256", pair(made(&desk, "genrsa"))),
        ("cut by a byte", pair(good[..good.len() - 1].to_vec())),
        ("cut in the middle", pair(good[..40].to_vec())),
        ("a byte more", pair([&good[..], &[0]].concat())),
        ("empty", pair(Vec::new())),
        ("no key", pair(vec![0x30; 100])),
        ("PEM", pair(std::fs::read(desk.generate("pem", KINDS[0].made_by)).unwrap())),
        ("another key's public half", pair(foreign_public)),
        ("scalar 0", pair(p256(&[0; 32]))),
        ("scalar 1", pair(p256(&std::array::from_fn(|at| u8::from(at == 31))))),
        ("scalar = order", pair(p256(&order))),
        ("scalar > order", pair(p256(&[0xff; 32]))),
        ("RSA 1024", signs(rsa, made(&desk, "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024"))),
        ("RSA 3072 as 2048", signs(rsa, made(&desk, "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072"))),
        ("AES of 16 bytes", encrypts(aes, vec![0xa5, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16])),
        ("AES all zero", encrypts(aes, vec![0; 32])),
        ("AES of no bytes", encrypts(aes, Vec::new())),
        ("ML-DSA-65 as 44", signs((Algorithm::MlDsa44, "ml-dsa-44"), pkcs8(18, &[5; 32]))),
        ("ML-DSA seed of zeros", signs((Algorithm::MlDsa44, "ml-dsa-44"), pkcs8(17, &[0; 32]))),
    ] {
        attempt.is_refused(&officer, what, "BAD_KEY").await;
    }
    // Nothing of them is in the way: the name is free, in the store and in the token.
    let free = attempt.request(Protection::Token);
    assert_eq!(call(officer.keys().import_key(free)).await.unwrap().protection(), Protection::Token);
    assert!(!desk.sign(&key("bad-material"), b"a message").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn sealed_for_something_else_or_damaged() {
    let desk = Desk::at(deployment());
    let officer = client(OFFICER).await;
    let attempt = Attempt::new(&officer, "bad-seal", &made(&desk, KINDS[0].made_by)).await;
    let other = |name: &str| format!("{}/versions/1", key(name));
    let good = attempt.clone();
    for (what, attempt) in [
        ("another deployment", Attempt { deployment: "another".into(), ..good.clone() }),
        ("another version", Attempt { sealed_for: format!("{}/versions/2", good.name), ..good.clone() }),
        ("another name", Attempt { sealed_for: other("bad-seal2"), ..good.clone() }),
        ("another organization", Attempt { sealed_for: format!("{ORG2}/keys/bad-seal/versions/1"), ..good.clone() }),
        ("another algorithm", Attempt { algorithm: "ec-p384", ..good.clone() }),
        ("another purpose", Attempt { purpose: "encrypt", ..good.clone() }),
    ] {
        let message = attempt.is_refused(&officer, what, "TAMPERED").await;
        assert!(message.contains("Seal it"), "{message}");
    }
    let sealed = attempt.sealed();
    for at in [0, 1, 64, 65, 90, sealed.len() - 17, sealed.len() - 1] {
        let mut request = attempt.request(Protection::Enclave);
        request.sealed_key[at] ^= 1;
        refused(&officer, request, &format!("byte {at} changed"), "TAMPERED").await;
    }
    for length in [0, 1, 65, 80, sealed.len() - 1] {
        let mut request = attempt.request(Protection::Enclave);
        request.sealed_key.truncate(length);
        refused(&officer, request, &format!("cut to {length} bytes"), "TAMPERED").await;
    }
    let mut request = attempt.request(Protection::Enclave);
    request.sealed_key.resize(100_000, 0);
    refused(&officer, request, "too large", "TOO_LARGE").await;
    assert_eq!(wrapped_keys(deployment(), &attempt.name), [""; 0]);
    call(officer.keys().import_key(attempt.request(Protection::Enclave))).await.unwrap();
    assert_eq!(wrapped_keys(deployment(), &attempt.name), [format!("{}/versions/1", attempt.name)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_are_gone_another_organizations_or_for_another_use() {
    let desk = Desk::at(deployment());
    let (officer, other) = (client(OFFICER).await, client("org2-security").await);
    let attempt = Attempt::new(&officer, "bad-job", &made(&desk, KINDS[0].made_by)).await;
    let with = |job: ImportJob| Attempt { job, ..attempt.clone() };
    let unknown = ImportJob { id: vec![7; 16], ..attempt.job.clone() };
    with(unknown).is_refused(&officer, "unknown", "JOB_EXPIRED").await;
    let short = ImportJob { id: vec![7; 3], ..attempt.job.clone() };
    with(short).is_refused(&officer, "no id", "JOB_EXPIRED").await;
    with(job(&other, ORG2).await).is_refused(&officer, "org2's", "BAD_INPUT").await;
    let restore = CreateRestoreJobRequest { parent: ORG1.into() };
    let restore = call(officer.keys().create_restore_job(restore)).await.unwrap();
    with(restore).is_refused(&officer, "a restore job", "BAD_INPUT").await;

    let refused = desk.refused(NODE, &desk.importing(&key("bad-job"), &desk.generate("k", KINDS[0].made_by), ""));
    assert_eq!((refused.exit_code, refused.reason.as_str()), (77, "DENIED"));
}

/// Two deployments: what is sealed to one is nothing to the other, and an enclave that starts anew knows no old job.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_sealed_to_another_deployment_or_a_former_enclave() {
    let elsewhere = Deployment::start();
    let desk = Desk::at(deployment());
    let (here, there) = (client(OFFICER).await, elsewhere.client(OFFICER).await);
    let attempt = Attempt::new(&here, "from-elsewhere", &made(&desk, KINDS[0].made_by)).await;
    let foreign_job = job(&there, ORG1).await;
    let deployment = foreign_job.deployment.clone();
    let foreign = Attempt { job: foreign_job.clone(), deployment, ..attempt.clone() };
    foreign.is_refused(&here, "another deployment's job", "JOB_EXPIRED").await;
    let sealed_key = foreign.sealed();
    let crossed = ImportKeyRequest { sealed_key, ..attempt.request(Protection::Enclave) };
    refused(&here, crossed, "sealed to another deployment", "TAMPERED").await;

    // The command asks the enclave for its word first, and the audit key tells whose it is.
    let line = desk.importing(&attempt.name, &desk.generate("k", KINDS[0].made_by), "");
    let line = line.replace(desk.at.dir().to_str().unwrap(), elsewhere.dir().to_str().unwrap());
    let unattested = desk.refused(OFFICER, &line);
    assert_eq!(unattested.exit_code, 1, "{unattested:?}");
    assert!(unattested.message.contains("nothing was sealed"), "{unattested:?}");

    call(there.keys().import_key(foreign.request(Protection::Enclave))).await.unwrap();
    let before = job(&there, ORG1).await;
    crate::harness::signal(elsewhere.enclave_pid().unwrap(), "KILL");
    let later =
        Attempt { job: before, name: key("later"), sealed_for: format!("{}/versions/1", key("later")), ..foreign };
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let reason = loop {
        let error = call(there.keys().import_key(later.request(Protection::Enclave))).await.unwrap_err();
        if !error.retryable || std::time::Instant::now() > deadline {
            break error.reason;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert_eq!(reason.as_deref(), Some("JOB_EXPIRED"));
}

/// Sealed beforehand and sent at once: each is checked against those that are on their way too.
#[tokio::test(flavor = "multi_thread")]
async fn one_key_by_many_names_at_once_is_taken_in_once() {
    let desk = Desk::at(deployment());
    let officer = client(OFFICER).await;
    for protection in [Protection::Enclave, Protection::Token] {
        let one = made(&desk, KINDS[0].made_by);
        let mut requests = Vec::new();
        for number in 0..10 {
            let name = format!("at-once-{}-{number}", protection.as_str_name().to_lowercase());
            requests.push(Attempt::new(&officer, &name, &one).await.request(protection));
        }
        let imports: Vec<_> = (requests.into_iter())
            .map(|request| {
                let officer = officer.clone();
                tokio::spawn(async move { call(officer.keys().import_key(request)).await })
            })
            .collect();
        let mut done = 0;
        for import in imports {
            match import.await.unwrap() {
                Ok(_) => done += 1,
                Err(error) => assert_eq!(error.reason.as_deref(), Some("ALREADY_EXISTS"), "{error}"),
            }
        }
        assert_eq!(done, 1, "{protection:?}");
    }
}

//! What the enclave states is what the log shows.

use crate::{
    harness::Deployment,
    load::{Load, create, create_with, creation},
    recorded::{processes, records},
};
use chancery_api::v1::{Algorithm, GenerateMacRequest, Key, Protection, Purpose, SignRequest, SignatureFormat};
use chancery_audit::{
    operations::{digest_info, signature_commitment},
    record::Record,
};
use chancery_client::request_id;
use sha2::{Digest, Sha256};

/// SHA-256 of what the enclave was given for a signature, from the record alone.
fn input_sha256(record: &Record) -> [u8; 32] {
    match record.mechanism.as_str() {
        // The digest in the record is that of the message, which is the input.
        "ed25519" | "ml-dsa" => record.digest.clone().try_into().unwrap(),
        mechanism if mechanism.starts_with("rsa-pkcs1-") => {
            let prefix = digest_info(&record.digest_algorithm).unwrap();
            Sha256::digest([&prefix[..], &record.digest].concat()).into()
        }
        _ => Sha256::digest(&record.digest).into(),
    }
}

/// r ‖ s of a DER signature: two integers of which leading zeroes are left out.
fn raw(der: &[u8], width: usize) -> Vec<u8> {
    let mut rest = &der[2..];
    let mut integer = || {
        let (length, bytes) = (usize::from(rest[1]), &rest[2..]);
        let value: Vec<_> = bytes[..length].iter().copied().skip_while(|byte| *byte == 0).collect();
        rest = &bytes[length..];
        [vec![0; width - value.len()], value].concat()
    };
    [integer(), integer()].concat()
}

/// Keys of several algorithms are made and used; the chain comes out of the records alone, and of signatures the
/// commitment, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_are_what_the_records_come_to() {
    let mut deployment = Deployment::start();
    let peer = deployment.client("org1-peer0").await;
    let officer = deployment.client("org1-security").await;
    let sign = |name: String, format: SignatureFormat| {
        let (peer, request) = (peer.clone(), crate::load::request(&name));
        let request = SignRequest { format: format.into(), ..request };
        async move { peer.signing().sign(request).await.unwrap().into_inner() }
    };
    for (id, algorithm, protection, format) in [
        ("ec", Algorithm::EcP256, Protection::Token, SignatureFormat::Der),
        ("k1", Algorithm::EcSecp256k1, Protection::Enclave, SignatureFormat::Raw),
        ("rsa", Algorithm::Rsa2048, Protection::Token, SignatureFormat::Unspecified),
    ] {
        let mut wanted = creation(id, algorithm);
        if let Some(key) = &mut wanted.key {
            key.protection = protection.into();
        }
        let name = create_with(&officer, wanted).await.unwrap().name;
        for _ in 0..3 {
            sign(name.clone(), format).await;
        }
    }
    let mut wanted = creation("mac", Algorithm::HmacSha256);
    wanted.key =
        wanted.key.map(|key| Key { purpose: Purpose::Mac.into(), protection: Protection::Enclave.into(), ..key });
    let name = create_with(&officer, wanted).await.unwrap().name;
    let mac = GenerateMacRequest { name, message: b"x".to_vec(), request_id: request_id() };
    peer.crypto().generate_mac(mac).await.unwrap();
    assert_eq!(deployment.stop(), Some(0));

    let all = processes(&deployment);
    let process = all.values().next().unwrap();
    assert_eq!((all.len(), process.holes()), (1, vec![]));
    let stated = process.statements.last().unwrap().operations;
    assert_eq!((stated, process.operations.len()), (14, 14), "at the stop, all of it was stated");
    assert_eq!(process.reconciled(), 0);
    let words: Vec<_> = process.operations.values().map(|record| record.mechanism.as_str()).collect();
    let expected = |word, times| std::iter::once("generate").chain(std::iter::repeat_n(word, times));
    let expected = expected("ecdsa", 3).chain(expected("ecdsa", 3)).chain(expected("rsa-pkcs1-sha256", 3));
    assert_eq!(words, expected.chain(["generate", "hmac"]).collect::<Vec<_>>());
    for record in process.operations.values().filter(|record| !record.signature.is_empty()) {
        let signature = match record.signature_format.as_str() {
            "der" if record.mechanism == "ecdsa" => raw(&record.signature, 32),
            _ => record.signature.clone(),
        };
        let expected = signature_commitment(&record.mechanism, &input_sha256(record), &signature);
        assert_eq!(record.enclave_commitment, expected, "record {}", record.index);
    }
    // The last record is before the last checkpoint: its signer was shown all statements.
    assert!(records(&deployment).iter().any(|record| record.statement.is_some()));
}

/// Statements come often enough that the window never holds anyone up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_thousand_signatures_are_never_refused_for_want_of_a_statement() {
    let mut deployment = Deployment::start();
    let key = create(&deployment, "k", Algorithm::EcP256).await;
    let load = Load::of_four(&deployment, &key).await;
    for _ in 0..10 {
        load.released(1000).await;
    }
    let seen = load.stop().await;
    assert!(seen.failures.is_empty(), "{:?}", seen.failures[0].error);
    assert_eq!(deployment.stop(), Some(0));
    let all = processes(&deployment);
    let process = all.values().next().unwrap();
    assert_eq!((all.len(), process.holes(), process.reconciled()), (1, vec![], 0));
    assert!(process.operations.len() > 10_000);
    let mut before = 0;
    for statement in &process.statements {
        assert!(statement.operations - before <= 4096);
        before = statement.operations;
    }
    assert_eq!(before, process.operations.len() as u64);
}

//! Proofs of records of the past: whose bytes are in them, and what others get.

use crate::{
    shared::{self, ORG1, call, client, create, records},
    signing::vkey,
};
use chancery_api::v1::{
    Algorithm, GetCheckpointRequest, GetConsistencyProofRequest, GetInclusionProofRequest, InclusionProof,
    ListRecordsRequest, get_inclusion_proof_request::Record as Asked,
};
use chancery_audit::{
    merkle::proof::verify_consistency,
    receipt::{Receipt, ReceiptError, verify},
};
use chancery_client::{Client, ClientError, Code};

async fn proof(client: &Client, asked: Asked) -> Result<InclusionProof, ClientError> {
    call(client.audit().get_inclusion_proof(GetInclusionProofRequest { record: Some(asked), ..Default::default() }))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_is_had_later_by_index_and_by_request_id() {
    let key = shared::key("later");
    create(&key, "peer0", Algorithm::EcP256).await;
    let peer = client("org1-peer0").await;
    let request = shared::signing(&key, b"yesterday");
    let signed = shared::sign(&peer, request.clone()).await.unwrap();
    assert_eq!(signed.receipt, "");
    // A retry leaves a record of its own; the receipt is of the one with the signature.
    assert!(call(peer.signing().sign(request.clone())).await.unwrap().replayed);

    for asked in [Asked::Index(signed.record_index), Asked::RequestId(request.request_id.clone())] {
        let found = proof(&peer, asked).await.unwrap();
        assert!(found.with_record);
        assert_eq!(found.index, signed.record_index);
        let logged = verify(&found.receipt, &vkey()).unwrap();
        assert_eq!(logged.record.signature, signed.signature);
        assert_eq!(logged.checkpoint.size, found.size);
    }
    // Its organization's auditor may read it; an id is its own principal's.
    assert!(proof(&client("org1-auditor").await, Asked::Index(signed.record_index)).await.unwrap().with_record);
    let stranger = client("org2-peer0").await;
    for asker in [&client("org1-client").await, &stranger] {
        let error = proof(asker, Asked::RequestId(request.request_id.clone())).await.unwrap_err();
        assert_eq!(error.code, Code::NotFound);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_gets_a_bare_proof_and_nothing_of_the_record() {
    let key = shared::key("private");
    create(&key, "peer0", Algorithm::EcP256).await;
    let peer = client("org1-peer0").await;
    let signed = shared::sign(&peer, shared::signing(&key, b"not yours")).await.unwrap();
    let index = signed.record_index;
    let own = proof(&peer, Asked::Index(index)).await.unwrap();
    let stored = Receipt::parse(&own.receipt).unwrap().record.unwrap();

    for name in ["org2-peer0", "org2-auditor", "org2-security", "org1-client", "platform-operator"] {
        let asker = client(name).await;
        let found = proof(&asker, Asked::Index(index)).await.unwrap();
        assert!(!found.with_record, "{name}");
        let receipt = Receipt::parse(&found.receipt).unwrap();
        assert_eq!((receipt.record, receipt.index), (None, index), "{name}");
        assert_eq!(verify(&found.receipt, &vkey()), Err(ReceiptError::Bare));
        // What is in it follows from index, size and hashes alone: whatever the record holds, it has this length.
        assert!(found.receipt.starts_with(&format!("c2sp.org/tlog-proof@v1\nindex {index}\n")), "{name}");
        assert!(
            !found.receipt.as_bytes().windows(16).any(|part| stored.windows(16).any(|other| part == other)),
            "{name}"
        );
        // The proof is sound for whoever knows the record.
        let whole = Receipt { record: Some(stored.clone()), ..Receipt::parse(&found.receipt).unwrap() };
        assert_eq!(verify(&whole.to_string(), &vkey()).unwrap().record.signature, signed.signature);
    }
    // The weaker answer is no denial.
    let all =
        ListRecordsRequest { parent: ORG1.into(), principal: "org1/client".into(), ..ListRecordsRequest::default() };
    let denied = records(&client("org1-auditor").await, all).await;
    assert!(denied.iter().all(|record| record.action != "ListRecords"), "{denied:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_state_of_the_log_extends_another() {
    let auditor = client("org2-auditor").await;
    let checkpoint = async || call(auditor.audit().get_checkpoint(GetCheckpointRequest {})).await.unwrap();
    let older = vkey().open_note(&checkpoint().await.note).unwrap();
    let key = shared::key("growing");
    create(&key, "peer0", Algorithm::EcP256).await;
    let peer = client("org1-peer0").await;
    let signed = shared::sign(&peer, shared::signing(&key, b"more")).await.unwrap();
    // A checkpoint over it.
    proof(&peer, Asked::Index(signed.record_index)).await.unwrap();

    let ask = async |old_size, new_size| {
        call(auditor.audit().get_consistency_proof(GetConsistencyProofRequest { old_size, new_size })).await
    };
    let grown = ask(older.size, 0).await.unwrap();
    let newer = vkey().open_note(&grown.checkpoint.unwrap().note).unwrap();
    assert!(newer.size > older.size && newer.size == grown.new_size);
    let hashes: Vec<[u8; 32]> = grown.hashes.into_iter().map(|hash| hash.try_into().unwrap()).collect();
    let check = |hashes: &[[u8; 32]]| verify_consistency(older.size, &older.root, newer.size, &newer.root, hashes);
    assert_eq!(check(&hashes), Ok(()));
    let mut wrong = hashes.clone();
    wrong[0][0] ^= 1;
    assert!(check(&wrong).is_err());

    let printed = shared::deployment()
        .chancery("org1-auditor", &["audit", "consistency", &older.size.to_string(), &newer.size.to_string()]);
    crate::harness::expect_code(&printed, 0);
    let expected: String = hashes.iter().map(|hash| format!("{}\n", hex::encode(hash))).collect();
    assert_eq!(String::from_utf8(printed.stdout).unwrap(), expected);

    for (old, new) in [(5, 4), (0, u64::MAX), (u64::MAX, u64::MAX)] {
        assert_eq!(ask(old, new).await.unwrap_err().code, Code::InvalidArgument, "{old} to {new}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_in_the_log_is_said_to_be_so() {
    let peer = client("org1-peer0").await;
    for asked in [Asked::Index(u64::MAX), Asked::Index(1 << 40), Asked::RequestId("no uuid\n".into())] {
        assert_eq!(proof(&peer, asked.clone()).await.unwrap_err().code, Code::InvalidArgument, "{asked:?}");
    }
    let nothing = call(peer.audit().get_inclusion_proof(GetInclusionProofRequest::default())).await;
    assert_eq!(nothing.unwrap_err().code, Code::InvalidArgument);
    let unknown = proof(&peer, Asked::RequestId(shared::id())).await.unwrap_err();
    assert_eq!(unknown.code, Code::NotFound);
}

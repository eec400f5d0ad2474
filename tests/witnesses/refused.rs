//! Cosignatures that count for nothing: malformed, of strangers, of other checkpoints, brought by others.

use crate::{
    desk::{Witnesses, open, text, watched, witnessing},
    harness::Deployment,
};
use chancery_api::{reasons, v1::AddCosignatureRequest};
use chancery_audit::checkpoint::{VerifierKey, WitnessSigner, with_line};
use chancery_client::{ClientError, Code};

/// Brings a note as a client; the error's code and reason.
async fn bring(deployment: &Deployment, client: &str, parent: &str, note: &str) -> Result<(), (Code, String)> {
    let client = deployment.client(client).await;
    let request = AddCosignatureRequest { parent: format!("organizations/{parent}"), note: note.into() };
    match client.admin().add_cosignature(request).await {
        Ok(_) => Ok(()),
        Err(status) => {
            let error = ClientError::from(status);
            Err((error.code, error.reason.unwrap_or_default()))
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_witness_brings_cosignatures_and_only_its_own() {
    let (deployment, witnesses) = watched();
    witnesses.cosign("org1", &deployment);
    let note = text(&witnesses.state("org1"), "checkpoint");
    let key: VerifierKey = text(&deployment.dir(), "audit.vkey").parse().unwrap();
    let checkpoint = key.open_note(&note).unwrap();
    let invalid = Err((Code::InvalidArgument, reasons::INVALID_ARGUMENT.to_owned()));
    let denied = Err((Code::PermissionDenied, reasons::DENIED.to_owned()));

    // Its own, again: fine. By another member of org1, who may not; as org2's; as org1's by org2.
    assert_eq!(bring(&deployment, "org1-auditor", "org1", &note).await, Ok(()));
    assert_eq!(bring(&deployment, "org1-peer0", "org1", &note).await, denied);
    assert_eq!(bring(&deployment, "org2-auditor", "org1", &note).await, denied);
    assert_eq!(bring(&deployment, "org2-auditor", "org2", &note).await, invalid);
    // The log's note alone, and what is none.
    let text_and_log: String = note.split_inclusive('\n').filter(|line| !line.contains("org1/witness")).collect();
    let torn = &note[..note.len() - 2];
    let without_log = format!("{}\n{}", checkpoint.text(), note.rsplit_once("\n— ").unwrap().1);
    for malformed in ["", "\n", torn, &text_and_log, &without_log, &"x".repeat(1 << 16)] {
        assert_eq!(bring(&deployment, "org1-auditor", "org1", malformed).await, invalid, "{malformed:.40}");
    }
    // A stranger's key under the witness's name, and the witness's line changed.
    let stranger = WitnessSigner::from_seed("org2/witness", &[9; 32]).unwrap();
    let forged = with_line(&text_and_log, &stranger.cosign(&checkpoint, 1).line);
    assert_eq!(bring(&deployment, "org2-auditor", "org2", &forged).await, invalid);
    // Another size under the log's old signature.
    let grown = note.replacen(&format!("\n{}\n", checkpoint.size), &format!("\n{}\n", checkpoint.size + 1), 1);
    assert_eq!(bring(&deployment, "org1-auditor", "org1", &grown).await, invalid);

    let shown = witnessing(&deployment).await;
    assert_eq!(shown.witnessed, "");
    assert!(shown.refused.contains("1 of at least 2 did, missing: org2"), "{}", shown.refused);
    open(&deployment, &witnesses);
    assert_eq!(witnessing(&deployment).await.refused, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_without_a_policy_takes_none_and_needs_none() {
    let deployment = Deployment::start();
    let (witnesses, _) = Witnesses::new(&["org1"]);
    let output = witnesses.once("org1", &deployment);
    assert_eq!(output.status.code(), Some(65));
    assert!(crate::desk::said(&output).contains(reasons::NOT_A_WITNESS));
    assert_eq!(crate::desk::health(&deployment), "SERVING");
}

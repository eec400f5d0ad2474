//! What a second officer approves of a restore: this backup with these states of this log, and no others.

use crate::{
    place::{OFFICER, Place, SECOND},
    shared::{ORG1, call, id},
};
use chancery_api::{
    reasons,
    v1::{LoggedStates, RestoreBackupRequest, RestoreHeader, restore_backup_request::Part},
};
use chancery_audit::checkpoint::Checkpoint;
use chancery_client::{Client, ClientError};

/// Restores with these states, by messages. Of job and shares there are none: an approval is asked for before.
async fn restore(officer: &Client, file: &[u8], messages: &[&[&str]]) -> ClientError {
    let checkpoint = Checkpoint { origin: "example/audit".into(), size: 12, root: [7; 32] }.text();
    let header = RestoreHeader { parent: ORG1.into(), request_id: id(), checkpoint, ..RestoreHeader::default() };
    let states = messages.iter().map(|states| {
        let states = states.iter().map(|state| state.as_bytes().to_vec()).collect();
        Part::LoggedStates(LoggedStates { states })
    });
    let parts = [Part::Header(header)].into_iter().chain(states).chain([Part::Chunk(file.to_vec())]);
    let parts: Vec<_> = parts.map(|part| RestoreBackupRequest { part: Some(part) }).collect();
    call(officer.keys().restore_backup(tokio_stream::iter(parts))).await.expect_err("nothing can be restored by this")
}

/// The approval that a restore needs.
async fn asked(officer: &Client, file: &[u8], messages: &[&[&str]]) -> String {
    let refused = restore(officer, file, messages).await;
    assert_eq!(refused.reason.as_deref(), Some(reasons::APPROVAL_NEEDED), "{refused}");
    let said = refused.to_string();
    let name = said.split(|c: char| c.is_whitespace() || "`:;,".contains(c)).find(|word| word.contains("/approvals/"));
    name.unwrap_or_else(|| panic!("{said}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_for_honest_states_serves_no_others() {
    let place = Place::new("waiting_period = \"0s\"").await;
    let out = place.0.dir().join("the-backup");
    let custodian = |client: &str| place.0.client_dir(client).join("cert.pem").display().to_string();
    let (one, other) = (custodian(OFFICER), custodian(SECOND));
    let custodians = format!("--custodian security={one} --custodian second={other}");
    place.approved(&format!("backup create org1 --threshold 2 --out {} {custodians}", out.display()));
    let file = std::fs::read(out).unwrap();

    let officer = place.0.client(OFFICER).await;
    let honest: &[&[&str]] = &[&["one is destroyed", "two lives"]];
    let approval = asked(&officer, &file, honest).await;
    let listed = place.run(OFFICER, "approvals list org1");
    let found = listed.as_array().unwrap().iter().find(|found| found["name"] == approval.as_str()).unwrap();
    let summary = found["summary"].as_str().unwrap();
    assert!(summary.contains("2 states of the log example/audit at size 12"), "{summary}");
    place.run(SECOND, &format!("approvals approve {approval}"));

    let others: [&[&[&str]]; 5] = [
        &[],
        &[&["two lives"]],
        &[&["one lives again!", "two lives"]],
        &[&["two lives", "one is destroyed"]],
        &[&["one is destroyedtwo lives"]],
    ];
    for states in others {
        assert_ne!(asked(&officer, &file, states).await, approval, "{states:?}");
    }
    // Approved, however its states are put into messages; only now it is looked at what they are.
    let refused = restore(&officer, &file, &[&["one is destroyed"], &["two lives"]]).await;
    assert_eq!(refused.reason.as_deref(), Some(reasons::INVALID_ARGUMENT), "{refused}");
    assert!(refused.to_string().contains("logged_states"), "{refused}");
}

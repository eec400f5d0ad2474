//! The way of one approval: asked for, given, used once.

use crate::{
    harness::expect_code,
    place::{NODE, OFFICER, Place, SECOND},
    shared::{ORG1, id, records},
};
use chancery_api::v1::{BackUpKeysRequest, Custodian, ListRecordsRequest};
use chancery_audit::record::{Kind, Outcome, Record};
use chancery_client::{Client, ClientError};
use futures_util::future::join_all;

fn destroy(version: &str) -> String {
    let key = version.split('/').nth(3).unwrap();
    format!("keys destroy {version} --after 20d --confirm {key}")
}

/// Nothing changes before it is approved, also not over a restart; then it does, once; and the log tells it in order.
#[tokio::test]
async fn an_approval_lets_the_same_command_through_once() {
    let mut place = Place::new("waiting_period = \"0s\"").await;
    let key = place.key("ends");
    place.run(OFFICER, &format!("keys rotate {key}"));
    let (one, two) = (format!("{key}/versions/1"), format!("{key}/versions/2"));
    let approval = place.asked(&destroy(&one));
    assert_eq!(place.state(&key, 1), "ACTIVE");
    assert_eq!(place.asked(&destroy(&one)), approval, "asked again, it is the same");
    place.0.kill();
    place.0.serve();
    assert_eq!(place.asked(&destroy(&one)), approval, "a restart forgets nothing");
    let listed = place.run(SECOND, "approvals list");
    let listed = &listed[0];
    assert_eq!((listed["name"].as_str(), listed["state"].as_str()), (Some(&*approval), Some("asked for")));
    assert!(listed["summary"].as_str().unwrap().contains(&one), "{listed}");
    let given = place.run(SECOND, &format!("approvals approve {approval}"));
    assert_eq!((&given["state"], &given["approver"]), (&"ready".into(), &format!("{ORG1}/principals/second").into()));
    let again = place.refused(SECOND, &format!("approvals approve {approval}"));
    assert_eq!((again.exit_code, again.reason.as_str()), (65, "WRONG_STATE"));
    let other = place.asked(&destroy(&two));
    assert_ne!(other, approval, "another version needs its own");
    place.run(OFFICER, &destroy(&one));
    assert_eq!((place.state(&key, 1), place.state(&key, 2)), ("DEACTIVATED".into(), "ACTIVE".into()));

    // Used up: what is done once more is asked for once more.
    place.run(OFFICER, &format!("keys restore {one}"));
    let next = place.asked(&destroy(&one));
    assert!(next != approval && next != other);
    assert_eq!(place.approvals("").len(), 2);
    assert_eq!(place.approvals("--all").len(), 3);
    in_order(&place, &approval, &one).await;
    expect_code(&place.0.verify_log(), 0);
}

/// Request, approval, use: each a record, the last with the change and the approval's end in one.
async fn in_order(place: &Place, approval: &str, version: &str) {
    let auditor = place.0.client("org1-auditor").await;
    let all = records(&auditor, ListRecordsRequest { parent: ORG1.into(), ..ListRecordsRequest::default() }).await;
    let by = |record: &Record| record.principal.as_ref().map(|by| by.name.clone()).unwrap_or_default();
    let of: Vec<&Record> =
        all.iter().filter(|record| record.states.iter().any(|state| state.name == approval)).collect();
    let told: Vec<_> = of.iter().map(|record| (record.kind(), record.action.as_str(), by(record))).collect();
    assert_eq!(
        told,
        [
            (Kind::StateChange, "RequestApproval", "security".to_owned()),
            (Kind::Outcome, "ApproveOperation", "second".to_owned()),
            (Kind::Outcome, "ScheduleKeyVersionDestruction", "security".to_owned()),
        ]
    );
    assert!(of.iter().all(|record| record.outcome() != Outcome::Denied));
    assert_eq!(of[0].request_hash, of[2].request_hash, "what was asked for is what was done");
    assert!(of[2].states.iter().any(|state| state.name == version), "{:?}", of[2].states);
}

#[tokio::test]
async fn calling_off_and_two_at_once() {
    let place = Place::new("waiting_period = \"0s\"").await;
    let key = place.key("stays");
    let version = format!("{key}/versions/1");
    let line = destroy(&version);
    let approval = place.asked(&line);
    place.run(SECOND, &format!("approvals approve {approval}"));
    let cancelled = place.run(OFFICER, &format!("approvals cancel {approval}"));
    assert_eq!(cancelled["state"], "closed");
    assert_eq!(place.refused(SECOND, &format!("approvals cancel {approval}")).reason, "WRONG_STATE");
    let next = place.asked(&line);
    assert_ne!(next, approval, "what was called off lets nothing through");
    assert_eq!(place.refused(SECOND, &format!("approvals approve {approval}")).reason, "WRONG_STATE");
    place.run(SECOND, &format!("approvals approve {next}"));

    // The same command at once, four times: one is done.
    let lines: Vec<_> = line.split_whitespace().collect();
    let codes: Vec<_> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(|| place.0.chancery(OFFICER, &lines).status.code())).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    assert_eq!(codes.iter().filter(|code| **code == Some(0)).count(), 1, "{codes:?}");
    assert_eq!(place.state(&key, 1), "DEACTIVATED");
    // Whoever may not destroy is denied as ever, and asks nobody.
    let open = place.approvals("").len();
    assert_eq!(place.refused(NODE, &destroy(&version)).reason, "DENIED");
    assert_eq!(place.approvals("").len(), open);
}

/// Makes a backup, to its end.
async fn back_up(officer: &Client, request: BackUpKeysRequest) -> Result<(), ClientError> {
    let request = BackUpKeysRequest { request_id: id(), ..request };
    let mut answers = officer.keys().back_up_keys(request).await?.into_inner();
    while answers.message().await?.is_some() {}
    Ok(())
}

/// Nothing is held while a backup is begun: what keeps many from one approval is that it is closed once.
#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_use_one_approval_once() {
    let place = Place::new("waiting_period = \"0s\"").await;
    let custodian = |client: &str, name: &str| Custodian {
        principal: format!("{ORG1}/principals/{name}"),
        public_key: place.public_key(client),
    };
    let custodians = vec![custodian(OFFICER, "security"), custodian(SECOND, "second")];
    let request = BackUpKeysRequest { parent: ORG1.into(), threshold: 2, custodians, ..BackUpKeysRequest::default() };
    let officer = place.0.client(OFFICER).await;
    for round in 1..=4 {
        let asked = back_up(&officer, request.clone()).await.unwrap_err();
        assert_eq!(asked.reason.as_deref(), Some("APPROVAL_NEEDED"));
        let open = place.approvals("");
        assert_eq!(open.len(), 1, "{open:?}");
        place.run(SECOND, &format!("approvals approve {}", open[0]));
        let made = join_all((0..24).map(|_| back_up(&officer, request.clone()))).await;
        assert_eq!(made.iter().filter(|result| result.is_ok()).count(), 1, "{made:?}");
        assert!(made.iter().filter_map(|result| result.as_ref().err()).all(|error| {
            // Several may not be under way either.
            ["APPROVAL_NEEDED", "BUSY"].contains(&error.reason.as_deref().unwrap_or_default())
        }));
        assert_eq!(place.run(OFFICER, "backup list org1").as_array().unwrap().len(), round);
        for approval in place.approvals("") {
            place.run(OFFICER, &format!("approvals cancel {approval}"));
        }
    }
}

//! Files that must not restore anything: each is refused, and nothing of it stays.
//!
//! The command reads a file before it sends it, so these are sent as another client might.

use crate::{
    backups::{back_up, job, send, shares},
    desk::{Desk, OFFICER, OWNER},
    harness::Deployment,
    places::{MAGIC, Places, frame, frames, header, refused, with_frames},
    shared::{ORG1, ORG2},
};
use chancery_api::{reasons, state, v1::RestoreHeader};
use chancery_audit::record::ResourceState;
use prost::Message as _;

#[tokio::test(flavor = "multi_thread")]
async fn files_that_were_changed_cut_or_put_together() {
    let places = Places::new();
    let (desk, there) = (Desk::at(&places.source), Desk::at(&places.target));
    back_up(&desk, 2, "backup");
    back_up(&desk, 2, "other");
    let (file, other) = (desk.read("backup"), desk.read("other"));
    let job = job(&there, "job.json");
    shares(&places.source, &there, &["auditor", "ca"], &desk.path("backup"), &job);
    let header = header(&there, &["auditor", "ca"]);
    let officer = places.target.client(OFFICER).await;
    let bad = async |what: &str, bytes: &[u8]| {
        let reasons = [reasons::TAMPERED, reasons::BAD_SHARES, reasons::KEY_MISMATCH];
        refused(&officer, header.clone(), bytes, what, &reasons).await;
    };

    let all = frames(&file);
    let kinds: String = all.iter().map(|frame| char::from(frame[0])).collect();
    assert_eq!(kinds, "HSSESSESSET");
    let mut at = MAGIC;
    for frame in &all {
        // Kind, length, and three places of the payload: one for each region of the file.
        for offset in [0, 1, 4, 5, 5 + (frame.len() - 5) / 2, frame.len() - 1] {
            let mut changed = file.clone();
            changed[at + offset] ^= 1;
            bad(&format!("byte {offset} of {}", char::from(frame[0])), &changed).await;
        }
        bad("cut before a frame", &file[..at]).await;
        bad("cut in a frame", &file[..at + frame.len() / 2]).await;
        at += frame.len();
    }
    let mut changed = file.clone();
    changed[3] ^= 1;
    bad("magic", &changed).await;
    bad("one byte", &file[..1]).await;
    refused(&officer, header.clone(), &[], "empty", &[reasons::INVALID_ARGUMENT]).await;
    bad("a byte more", &[&file[..], &[0]].concat()).await;
    places.nothing_is_there("after changes");

    let theirs = frames(&other);
    let swapped = |one: usize, two: usize| {
        let mut frames = all.clone();
        frames.swap(one, two);
        with_frames(&file, &frames)
    };
    let replaced = |at: usize, by: &[u8]| {
        let mut frames = all.clone();
        frames[at] = by.to_vec();
        with_frames(&file, &frames)
    };
    let without =
        |range: std::ops::Range<usize>| with_frames(&file, &[&all[..range.start], &all[range.end..]].concat());
    let mut state = ResourceState::decode(&all[1][5..]).unwrap();
    let mut owned = state::Key::decode(&*state.value).unwrap();
    assert_eq!(owned.owner, format!("{ORG1}/principals/{OWNER}"));
    owned.owner = format!("{ORG1}/principals/peer9");
    state.value = owned.encode_to_vec();
    for (what, bytes) in [
        ("another owner", replaced(1, &frame(b'S', &state.encode_to_vec()))),
        ("entries swapped", swapped(3, 6)),
        ("an entry of the other backup", replaced(3, &theirs[3])),
        ("the other backup's trailer", replaced(10, &theirs[10])),
        ("the other backup's header", replaced(0, &theirs[0])),
        ("a key less", without(7..10)),
        ("an entry less", without(9..10)),
        ("a version and its entry less", without(8..10)),
        ("an entry twice", with_frames(&file, &[&all[..4], &all[3..]].concat())),
        ("no header", without(0..1)),
        ("two headers", with_frames(&file, &[&all[..1], &all[..]].concat())),
        ("keys in another order", with_frames(&file, &[&all[..1], &all[4..7], &all[1..4], &all[7..]].concat())),
        ("something after the trailer", with_frames(&file, &[&all[..], &all[1..2]].concat())),
    ] {
        bad(what, &bytes).await;
        places.nothing_is_there(what);
    }

    // The command finds what a file itself shows, before anything is sent.
    let cut = there.file("cut", &file[..file.len() - 5]);
    let line = format!("backup restore org1 --in {cut} --job {job} --share {0} --share {0}", there.path("ca.share"));
    assert_eq!(there.refused(OFFICER, &format!("{line} --without-log")).exit_code, 65);

    // Another organization's officer can't have it under their own name.
    let theirs = places.target.client("org2-security").await;
    let as_org2 = RestoreHeader { parent: ORG2.into(), ..header.clone() };
    refused(&theirs, as_org2, &file, "org1's backup as org2's", &[reasons::TAMPERED]).await;
    refused(&theirs, header.clone(), &file, "org2's officer", &[reasons::DENIED]).await;
    places.nothing_is_there("for another organization");

    // After all that the untouched one restores, by the same shares.
    assert_eq!(send(&officer, header, &file).await.unwrap().restored, 3);
}

/// What was destroyed since is only known to the log of the deployment that made the backup, and not to an old copy.
#[test]
fn logs_that_are_another_deployments_older_than_the_backup_or_changed() {
    let places = Places::new();
    let (desk, there) = (Desk::at(&places.source), Desk::at(&places.target));
    let copy = |name: &str| {
        let to = desk.path(name);
        let audit = places.source.dir().join("audit");
        assert!(std::process::Command::new("cp").arg("-r").arg(audit).arg(&to).status().unwrap().success());
        to
    };
    let old = copy("old");
    let shown = desk.run(OFFICER, "keys list");
    assert_eq!(shown.as_array().unwrap().len(), 3);
    back_up(&desk, 2, "backup");
    let changed = copy("changed");
    let segment = std::fs::read_dir(&changed).unwrap().flatten().find(|file| file.path().extension().is_some());
    let segment = segment.unwrap().path();
    let mut bytes = std::fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&segment, bytes).unwrap();

    let job = job(&there, "job.json");
    let shares = shares(&places.source, &there, &["ca", "auditor"], &desk.path("backup"), &job);
    let line = |log: &str, key: &str| {
        format!("backup restore org1 --in {} --job {job} {shares} --log {log} --key {key}", desk.path("backup"))
    };
    let key = |of: &Deployment| of.dir().join("audit.vkey").display().to_string();
    let (source, target) = (key(&places.source), key(&places.target));
    let theirs = places.target.dir().join("audit").display().to_string();
    for (what, line, code, says) in [
        ("another deployment's", line(&theirs, &target), 65, "the log of deployment"),
        ("older than the backup", line(&old, &source), 65, "an old copy"),
        ("another deployment's, by the right key", line(&theirs, &source), 1, "does not verify"),
        ("changed", line(&changed, &source), 1, "does not verify"),
        ("no log", line(&desk.path("nothing"), &source), 66, "nothing"),
    ] {
        let refused = there.refused(OFFICER, &line);
        assert!(refused.exit_code == code && refused.message.contains(says), "{what}: {refused:?}");
        places.nothing_is_there(what);
    }
    let genuine = line(&copy("genuine"), &source);
    assert_eq!(there.run(OFFICER, &genuine)["restored"], 3);
}

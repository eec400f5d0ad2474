//! The command against a service on loopback, over mutual TLS, as a user runs it.

#[allow(dead_code, reason = "tests/registry.rs uses the rest")]
mod bench;
#[path = "../../chancery-client/tests/deployment/mod.rs"]
mod deployment;
#[allow(dead_code, reason = "tests/registry.rs and tests/transfer.rs use the rest")]
mod service;

use bench::{Bench, RUNTIME};
use serde_json::Value;
use service::{ED25519, KEYS, PEER0, RECORDS};
use std::{collections::HashSet, fs, net::Ipv4Addr, process::Command};
use tonic_health::ServingStatus;

/// The oracle is openssl: it knows nothing of what was sent.
#[test]
fn a_signature_over_a_large_file_verifies_with_openssl() {
    let bench = Bench::new();
    fs::write(bench.path("in"), vec![0xa5; 3_000_000]).unwrap();
    bench.succeeds(&format!("keys public {PEER0} --out pub.pem"));
    bench.succeeds(&format!("sign {PEER0} --in in --out sig"));
    let openssl = Command::new("openssl")
        .current_dir(bench.deployment.dir.path())
        .args("dgst -sha256 -verify pub.pem -signature sig in".split(' '))
        .output()
        .unwrap();
    assert!(openssl.status.success(), "{openssl:?}");

    bench.succeeds(&format!("sign {ED25519} --in in --out sig-ed"));
    bench.succeeds(&format!("keys public {ED25519} --out ed.pem"));
    let openssl = Command::new("openssl")
        .current_dir(bench.deployment.dir.path())
        .args("pkeyutl -verify -pubin -inkey ed.pem -rawin -in in -sigfile sig-ed".split(' '))
        .output()
        .unwrap();
    assert!(openssl.status.success(), "{openssl:?}");
}

#[test]
fn a_signature_is_valid_or_the_exit_code_says_that_it_is_not() {
    let bench = Bench::new();
    fs::write(bench.path("in"), "message").unwrap();
    let signed = bench.json(&format!("sign {PEER0} --in in --out sig"));
    assert_eq!(
        signed["signature"],
        fs::read(bench.path("sig")).unwrap().iter().map(|b| format!("{b:02x}")).collect::<String>()
    );
    assert_eq!(bench.json(&format!("verify {PEER0} --in in --signature sig"))["valid"], true);
    fs::write(bench.path("in"), "another message").unwrap();
    let output = bench.run(&format!("verify {PEER0} --in in --signature sig"));
    assert_eq!((output.status.code(), output.stdout.starts_with(b"invalid")), (Some(1), true));
}

#[test]
fn a_retry_keeps_its_request_id() {
    let bench = Bench::new();
    fs::write(bench.path("in"), "message").unwrap();
    bench.service.fail(2);
    bench.succeeds(&format!("sign {PEER0} --in in --out sig"));
    let seen = bench.service.seen();
    assert_eq!((seen.len(), seen.iter().collect::<HashSet<_>>().len()), (3, 1));
}

#[test]
fn errors_have_their_exit_code_and_leave_no_file() {
    let bench = Bench::new();
    fs::write(bench.path("in"), "message").unwrap();
    let other = "organizations/org2/keys/peer0";
    for (line, code, reason) in [
        (format!("sign {other} --in in --out sig"), 77, "DENIED"),
        (format!("sign {ED25519} --in in --hash sha256 --out sig"), 65, "WRONG_DIGEST"),
        (format!("keys create {PEER0} --algorithm ec-p256"), 65, "ALREADY_EXISTS"),
        (format!("keys rotate {PEER0}"), 65, "WRONG_STATE"),
    ] {
        let (exit, error) = bench.fails(&line);
        assert_eq!((exit, &error["reason"]), (code, &reason.into()), "{line}: {error}");
    }
    assert_eq!(bench.fails(&format!("sign {PEER0} --in gone --out sig")).0, 66);
    assert_eq!(bench.fails(&format!("sign {PEER0} --in in --out gone/sig")).0, 73);
    assert_eq!(bench.run("sign peer0 --in in --out sig").status.code(), Some(64));
    assert_eq!(bench.fails("sign peer0 --in in --out sig").1["exit_code"], 64);
    assert_eq!(bench.fails("--config gone.toml status").0, 64);
    assert!(!bench.path("sig").exists());

    let line = format!("sign {other} --in in --out sig");
    let stderr = String::from_utf8(bench.run(&line).stderr).unwrap();
    assert!(stderr.contains("DENIED") && stderr.contains("next:"), "{stderr}");
}

#[test]
fn nobody_there_is_unavailable() {
    let bench = Bench::new();
    let socket = RUNTIME.block_on(async { tokio::net::TcpSocket::new_v4().unwrap() });
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let addresses = [socket.local_addr().unwrap().to_string()];
    let down = bench.deployment.write("down", &bench.deployment.good(&addresses));
    let (exit, error) = bench.fails(&format!("--config {} status", down.display()));
    assert_eq!((exit, &error["code"]), (69, &"UNAVAILABLE".into()), "{error}");
}

#[test]
fn listings_go_through_all_pages() {
    let bench = Bench::new();
    let keys = bench.json("keys list");
    let names: HashSet<&str> = keys.as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), KEYS);
    let table = String::from_utf8(bench.succeeds("keys list organizations/org1")).unwrap();
    assert_eq!(table.lines().count(), KEYS + 1);
    assert!(table.lines().next().unwrap().starts_with("NAME"));
}

#[test]
fn records_are_limited_and_do_not_reach_the_terminal_as_they_are() {
    let bench = Bench::new();
    for (limit, listed) in [("", RECORDS), ("--limit 130", 130), ("--limit 1", 1)] {
        let records = bench.json(&format!("audit list {limit}"));
        let indexes: Vec<u64> =
            records.as_array().unwrap().iter().map(|record| record["index"].as_u64().unwrap()).collect();
        assert_eq!(indexes, (0..listed).collect::<Vec<_>>());
    }
    let table = bench.succeeds("audit list --organization org2");
    assert!(!table.contains(&0x1b));
    assert!(String::from_utf8(table).unwrap().contains("organizations/org2/keys/\\u{1b}"));
}

#[test]
fn status_tells_whether_signatures_can_be_released() {
    let status = Bench::new().json("status");
    assert_eq!((&status["health"], &status["checkpoint_size"]), (&"SERVING".into(), &RECORDS.into()));
    let ill = Bench::with_health(ServingStatus::NotServing).run("status");
    assert_eq!(ill.status.code(), Some(69));
    assert!(String::from_utf8(ill.stdout).unwrap().contains("not serving"));
}

#[test]
fn a_checkpoint_is_the_note_as_it_is() {
    let bench = Bench::new();
    assert_eq!(bench.succeeds("audit checkpoint"), b"a note\n");
    assert_eq!(bench.json("audit checkpoint --out note")["size"], RECORDS);
    assert_eq!(fs::read(bench.path("note")).unwrap(), b"a note\n");
}

fn released(bench: &Bench) -> Vec<Value> {
    let text = fs::read_to_string(bench.path("signatures")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn load_counts_every_request_once() {
    let bench = Bench::new();
    for mode in ["unary", "stream"] {
        let before = bench.service.signatures();
        bench.service.fail(5);
        let report = bench.json(&format!(
            "bench sign --key {PEER0} --seconds 1 --in-flight 8 --connections 2 --mode {mode} --signatures signatures"
        ));
        let made = bench.service.signatures() - before;
        assert_eq!(report["signatures"], made, "{mode}: {report}");
        assert_eq!(report["errors"]["TOKEN_UNAVAILABLE"], 5, "{mode}: {report}");
        assert_eq!((&report["unanswered"], &report["reconnects"]), (&0.into(), &0.into()), "{mode}: {report}");
        let lines = released(&bench);
        assert_eq!(lines.len() as u64, made);
        for field in ["request_id", "digest", "signature", "record_index"] {
            let distinct: HashSet<String> = lines.iter().map(|line| line[field].to_string()).collect();
            assert_eq!(distinct.len(), lines.len(), "{field}");
        }
    }
}

#[test]
fn a_lost_stream_is_counted_and_opened_again() {
    let bench = Bench::new();
    bench.service.cut_streams(2);
    let report = bench.json(&format!("bench sign --key {PEER0} --seconds 2 --in-flight 8 --mode stream"));
    assert!(report["signatures"].as_u64().unwrap() > 20, "{report}");
    // Each cut loses what was in flight then.
    assert!((2..=16).contains(&report["errors"]["UNAVAILABLE"].as_u64().unwrap()), "{report}");
}

#[test]
fn an_open_loop_sends_what_was_asked() {
    let bench = Bench::new();
    for mode in ["unary", "stream"] {
        let report = bench.json(&format!("bench sign --key {ED25519} --seconds 1 --rate 50 --mode {mode}"));
        assert_eq!(report["signatures"].as_u64().unwrap() + report["not_started"].as_u64().unwrap(), 50, "{report}");
    }
}

#[test]
fn load_that_cannot_succeed_ends_at_once() {
    let bench = Bench::new();
    let start = std::time::Instant::now();
    let (exit, _) = bench.fails("bench sign --key organizations/org2/keys/peer0 --seconds 600");
    assert_eq!(exit, 77);
    assert!(start.elapsed().as_secs() < 60);
}

/// After an interruption the same command makes what is missing, under the request ids that it had before.
#[test]
fn keys_in_bulk_go_on_where_they_stopped() {
    let bench = Bench::new();
    let line = "keys create organizations/org1/keys/batch-{} --algorithm sm2 --protection enclave --count 200";
    bench.service.make_room(70);
    let (exit, error) = bench.fails(line);
    assert_eq!((exit, &error["reason"]), (77, &"DENIED".into()), "{error}");
    assert!(error["message"].as_str().unwrap().contains("70 of 200 keys are there"), "{error}");
    assert_eq!(bench.service.made().len(), 70);

    bench.service.make_room(i64::MAX);
    let summary = bench.json(line);
    assert_eq!((&summary["created"], &summary["existing"], &summary["missing"]), (&130.into(), &70.into(), &0.into()));
    let made = bench.service.made();
    assert_eq!(made.len(), 200);
    assert_eq!(
        (made[0].as_str(), made[199].as_str()),
        ("organizations/org1/keys/batch-001", "organizations/org1/keys/batch-200")
    );
    assert_eq!(bench.json(line)["created"], 0);

    let (exit, error) = bench.fails(&line.replace("sm2", "ec-p256"));
    assert_eq!(exit, 65, "{error}");
    let table = String::from_utf8(bench.run(line).stdout).unwrap();
    assert!(table.contains("200 were there"), "{table}");
}

#[test]
fn a_label_is_changed_and_the_others_stay() {
    let bench = Bench::new();
    bench.succeeds(&format!("keys update {PEER0} --label env=production --remove-label site --label x=1"));
    let updates = bench.service.updates();
    assert_eq!(updates[0].update_mask.as_ref().unwrap().paths, ["labels"]);
    let labels = &updates[0].key.as_ref().unwrap().labels;
    assert_eq!(
        labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>(),
        ["env=production", "x=1"]
    );
    assert_eq!(bench.fails(&format!("keys update {PEER0} --remove-label gone")).0, 65);
}

#[test]
fn nothing_is_destroyed_before_the_key_is_named_once_more() {
    let bench = Bench::new();
    let (exit, error) = bench.fails(&format!("keys destroy {PEER0}/versions/1"));
    assert_eq!(exit, 64);
    assert!(error["message"].as_str().unwrap().contains("--confirm peer0"), "{error}");
    assert_eq!(bench.fails(&format!("keys destroy {PEER0}/versions/1 --confirm peer1")).0, 64);
}

#[test]
fn listings_end_at_their_limit() {
    let bench = Bench::new();
    for (limit, page) in [(1, 500), (7, 3), (600, 500)] {
        let keys = bench.json(&format!("keys list --limit {limit} --page-size {page}"));
        assert_eq!(keys.as_array().unwrap().len(), limit);
    }
    let output = bench.run("keys list --limit 7");
    assert!(String::from_utf8(output.stderr).unwrap().contains("7 keys, and there are more"));
}

#[test]
fn secrets_go_to_files_of_their_owner() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::new();
    fs::write(bench.path("plain"), "a secret").unwrap();
    fs::write(bench.path("aad"), [0, 0xff]).unwrap();
    bench.succeeds(&format!("encrypt {PEER0} --in plain --aad aad --out cipher"));
    assert_eq!(fs::read(bench.path("cipher")).unwrap(), b"\x00\xffterces a");
    let decrypted = bench.json(&format!("decrypt {PEER0} --in cipher --aad-hex 00ff --out again"));
    assert_eq!((&decrypted["length"], decrypted.as_object().unwrap().len()), (&8.into(), 3), "{decrypted}");
    assert_eq!(fs::read(bench.path("again")).unwrap(), b"a secret");
    assert_eq!(bench.fails(&format!("decrypt {PEER0} --in cipher --aad-hex 01 --out gone")).0, 65);
    assert!(!bench.path("gone").exists());
    for options in ["--mode ecb", "--iv 0", "--iv 0x00", "--oaep-hash md5"] {
        assert_eq!(bench.fails(&format!("encrypt {PEER0} --in plain {options} --out gone")).0, 64, "{options}");
    }

    bench.succeeds(&format!("wrap {PEER0} --in plain --out wrapped"));
    bench.succeeds(&format!("unwrap {PEER0} --in wrapped --out unwrapped"));
    assert_eq!(fs::read(bench.path("unwrapped")).unwrap(), b"a secret");
    bench.succeeds(&format!("keys public {PEER0} --out peer.pem"));
    bench.succeeds(&format!("agree {PEER0} --peer peer.pem --out shared"));
    bench.succeeds("random org1 --bytes 16 --hex --out random");
    assert_eq!(fs::read_to_string(bench.path("random")).unwrap(), format!("{}\n", "a5".repeat(16)));
    for secret in ["again", "unwrapped", "shared", "random"] {
        let mode = fs::metadata(bench.path(secret)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{secret}");
    }
    assert_eq!(bench.fails(&format!("decrypt {PEER0} --in cipher --out -")).0, 64);
}

#[test]
fn a_mac_is_made_and_verified() {
    let bench = Bench::new();
    fs::write(bench.path("in"), "message").unwrap();
    bench.succeeds(&format!("mac {PEER0} --in in --out code"));
    assert_eq!(bench.json(&format!("mac {PEER0} --in in --verify code"))["valid"], true);
    fs::write(bench.path("in"), "another message").unwrap();
    assert_eq!(bench.run(&format!("mac {PEER0} --in in --verify code")).status.code(), Some(1));
}

#[test]
fn completions_know_the_commands() {
    let script = String::from_utf8(Bench::new().succeeds("completions bash")).unwrap();
    for word in [
        "confirm-clock",
        "proof-text",
        "--anchor-peer",
        "--pin-strict",
        "attestation",
        "--threshold",
        "--sm2-id",
        "ethereum-address",
        "ml-dsa-87",
    ] {
        assert!(script.contains(word), "{word}");
    }
}

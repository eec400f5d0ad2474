//! The registry's commands, as an officer types them: what they send, and what they print of the answers.

#[allow(dead_code, reason = "tests/commands.rs uses the rest")]
mod bench;
#[path = "../../chancery-client/tests/deployment/mod.rs"]
mod deployment;
#[allow(dead_code, reason = "tests/commands.rs and tests/transfer.rs use the rest")]
mod service;

use bench::Bench;
use chancery_api::v1::{
    AddTrustAnchorRequest, ApprovePrincipalKeyRequest, CreateOrganizationRequest, LiftSuspensionRequest,
    RegisterPrincipalRequest, RemoveTrustAnchorRequest, SetLimitRequest, SuspendPrincipalRequest,
    UnregisterPrincipalRequest, UpdateGroupRequest, UpdateOrganizationRequest, UpdateRevocationListRequest,
    UpdateTrustAnchorRequest,
};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PublicKeyData as _};
use serde_json::json;
use service::admin::{ANCHOR, pattern};
use sha2::{Digest as _, Sha256};
use std::fs;

/// Writes a certificate of this common name; gives its DER and the SHA-256 of its SubjectPublicKeyInfo.
fn certificate(bench: &Bench, file: &str, name: &str) -> (Vec<u8>, Vec<u8>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let made = params.self_signed(&key).unwrap();
    fs::write(bench.path(file), made.pem()).unwrap();
    (made.der().to_vec(), Sha256::digest(key.subject_public_key_info()).to_vec())
}

#[test]
fn people_read_tables() {
    let bench = Bench::new();
    let (a, b, c, d) = ("aa".repeat(32), "bb".repeat(32), "cc".repeat(32), "dd".repeat(32));
    let key = format!("{:64}", "PUBLIC KEY");
    let none = " ".repeat(64);
    for (line, expected) in [
        (
            "organizations list",
            "ORGANIZATION\norg1\norg2\nplatform\n"
                .to_owned(),
        ),
        (
            "organizations show",
            "name               organizations/org1\n\
             created            1970-01-02T00:00:00Z\n\
             enrolling roles    peer, ca\n\
             new keys of nodes  wait for an officer\n\
             an expired CRL     refuses its CA's members\n\
             destruction        not frozen\n"
                .to_owned(),
        ),
        (
            "anchors list org1",
            "ANCHOR     SUBJECT            MAY NAME                EXPIRES               REVOCATION LIST\n\
             org1/ab12  CN=ca.org1,O=Org1  peer: peer*; client: *  2024-10-04T00:00:00Z  number 7, 1 entry, expired 1970-01-04T00:00:00Z\n\
             org1/cd34  CN=ca.org1,O=Org1  nobody                  2024-10-04T00:00:00Z  none\n\
             org1/ef56  CN=ca.org1,O=Org1  removed                 2024-10-04T00:00:00Z  none\n"
                .to_owned(),
        ),
        (
            "principals list",
            format!(
                "PRINCIPAL     ROLE     {key}  FIRST SEEN  STATE\n\
                 org1/auditor  auditor  {a}\n\
                 org1/carol    ca       {b}              suspended\n\
                 org1/gone     auditor         {none}                        nobody\n\
                 org1/peer0    by certificate  {c}  1970-01-05T00:00:00Z\n\
                 org1/peer0    by certificate  {d}  1970-01-06T00:00:00Z  waits for an officer\n"
            ),
        ),
        (
            "suspensions list",
            "SUSPENSION            SINCE                 STATE     REASON\n\
             org1/principal-carol  1970-01-07T00:00:00Z  in force  left\\u{1b}[2J\n\
             org1/certificate-ab   1970-01-07T00:00:00Z  lifted    stolen laptop\n\
             org1/public-key-cd    1970-01-07T00:00:00Z  in force  in a repository\n"
                .to_owned(),
        ),
        (
            "groups list",
            "GROUP       MEMBERS\n\
             org1/day    org1/peer0, org1/peer1\n\
             org1/night  org1/peer2\n\
             org1/old    org1/carol\n"
                .to_owned(),
        ),
        (
            "limits list",
            "SUBJECT                        PER SECOND  PER DAY  TOTAL       KEYS\n\
             org1                           100         -        -           1000\n\
             organizations/org1/keys/peer0  -           -        12 of 5000  -\n\
             org1/peer0                     10          3 of 400  -           -\n"
                .to_owned(),
        ),
        (
            "limits set org1/peer0 --per-second 20 --keys 3",
            "LIMIT       BEFORE  AFTER\n\
             per second  10      20\n\
             per day     400     -\n\
             total       -       -\n\
             keys        -       3\n"
                .to_owned(),
        ),
    ] {
        assert_eq!(bench.table(line), expected, "{line}");
    }
}

#[test]
fn scripts_read_every_field_of_every_page() {
    let bench = Bench::new();
    let anchors = bench.json("anchors list");
    assert_eq!(anchors.as_array().unwrap().len(), 3);
    assert_eq!(
        anchors[0],
        json!({
            "name": ANCHOR,
            "certificate": hex::encode(b"certificate"),
            "certificate_sha256": hex::encode(Sha256::digest(b"certificate")),
            "subject": "CN=ca.org1,O=Org1",
            "expire_time": "2024-10-04T00:00:00Z",
            "patterns": [{ "role": "peer", "pattern": "peer*" }, { "role": "client", "pattern": "*" }],
            "removed": false,
            "revocation_list": {
                "number": "7",
                "entries": 1,
                "this_update": "1970-01-03T00:00:00Z",
                "next_update": "1970-01-04T00:00:00Z",
                "expired": true,
            },
        })
    );
    let principals = bench.json("principals list");
    assert_eq!(principals.as_array().unwrap().len(), 4);
    assert_eq!(principals[1]["suspended"], true);
    assert_eq!(
        principals[3],
        json!({
            "name": "organizations/org1/principals/peer0",
            "role": "",
            "keys": [
                { "public_key_sha256": "cc".repeat(32), "first_seen": "1970-01-05T00:00:00Z", "pending": false },
                { "public_key_sha256": "dd".repeat(32), "first_seen": "1970-01-06T00:00:00Z", "pending": true },
            ],
            "suspended": false,
        })
    );
    let suspensions = bench.json("suspensions list");
    assert_eq!(suspensions.as_array().unwrap().len(), 3);
    assert_eq!(
        suspensions[1],
        json!({
            "name": "organizations/org1/suspensions/certificate-ab",
            "principal": "",
            "certificate_sha256": "ab".repeat(32),
            "public_key_sha256": "",
            "reason": "stolen laptop",
            "create_time": "1970-01-07T00:00:00Z",
            "lifted": true,
        })
    );
    assert_eq!(bench.json("groups list")[2]["members"], json!(["organizations/org1/principals/carol"]));
    assert_eq!(bench.json("organizations list")[2], json!({ "name": "organizations/platform" }));
    assert_eq!(bench.json("organizations show")["pin_strict"], true);
    let limits = bench.json("limits list");
    assert_eq!(
        (&limits[2]["per_day"], &limits[2]["total"], &limits[2]["used_today"]),
        (&400.into(), &json!(null), &3.into())
    );
    let set = bench.json("limits set org1/peer0 --total 5");
    assert_eq!((&set["total"], &set["per_day"], &set["before"]["per_day"]), (&5.into(), &json!(null), &400.into()));
}

#[test]
fn an_organization_is_made_with_what_the_files_hold() {
    let bench = Bench::new();
    let ((ca, _), (other, _)) = (certificate(&bench, "ca.pem", "ca"), certificate(&bench, "other.pem", "other"));
    let ((officer, _), (auditor, _)) = (certificate(&bench, "o.pem", "o"), certificate(&bench, "a.pem", "a"));
    bench.succeeds(
        "organizations create org3 --anchor ca.pem --anchor-peer peer* --anchor other.pem --anchor-client c \
         --officer o.pem --principal auditor=a.pem --enrolling-roles peer,ca",
    );
    let sent: CreateOrganizationRequest = bench.service.sent();
    let anchors: Vec<_> = sent.anchors.into_iter().map(|anchor| (anchor.certificate, anchor.patterns)).collect();
    assert_eq!(anchors, [(ca, vec![pattern("peer", "peer*")]), (other, vec![pattern("client", "c")])]);
    let principals: Vec<_> = sent.principals.into_iter().map(|given| (given.role, given.certificate)).collect();
    assert_eq!(principals, [("security-officer".to_owned(), officer), ("auditor".to_owned(), auditor)]);
    assert_eq!((sent.organization_id.as_str(), sent.enrolling_roles.join(",").as_str()), ("org3", "peer,ca"));
}

/// Nothing that the service calls dangerous is sent before it was named once more.
#[test]
fn what_is_dangerous_is_named_once_more() {
    let bench = Bench::new();
    certificate(&bench, "ca.pem", "ca.org1");
    for (line, name, says) in [
        ("organizations update org1 --pin-strict false", "org1", "would be let in"),
        ("anchors add org1 --certificate ca.pem --peer peer*", "org1", "may name peer: peer*"),
        ("anchors update org1/ab12 --none", "ab12", "may name, by certificate alone, nobody"),
        ("anchors remove org1/ab12", "ab12", "can't be undone"),
        ("principals register org1 --role auditor --certificate ca.pem", "ca.org1", "principals/ca.org1, auditor"),
        ("principals unregister org1/carol", "carol", "whatever key they hold"),
    ] {
        let (exit, error) = bench.fails(line);
        let message = error["message"].as_str().unwrap();
        assert_eq!(exit, 64, "{line}: {error}");
        assert!(message.contains(says) && message.ends_with(&format!("--confirm {name}")), "{line}: {message}");
        assert_eq!(bench.fails(&format!("{line} --confirm yes")).0, 64, "{line}");
    }
    assert_eq!(bench.service.changes(), 0);
}

#[test]
fn a_change_says_what_was_typed() {
    let bench = Bench::new();
    bench.succeeds("organizations update org1 --pin-strict false --no-enrolling-roles --confirm org1");
    let sent: UpdateOrganizationRequest = bench.service.sent();
    assert_eq!((sent.pin_strict, sent.accept_expired_crl, sent.confirm.as_str()), (Some(false), None, "org1"));
    assert_eq!(sent.enrolling_roles.map(|given| given.roles), Some(Vec::new()));
    bench.succeeds("organizations update org1 --accept-expired-crl true --confirm organizations/org1");
    assert_eq!(bench.service.sent::<UpdateOrganizationRequest>().enrolling_roles, None);

    bench.succeeds("anchors update org1/ab12 --peer p* --client c --confirm ab12");
    let sent: UpdateTrustAnchorRequest = bench.service.sent();
    assert_eq!((sent.name.as_str(), sent.confirm.as_str()), (ANCHOR, "ab12"));
    assert_eq!(sent.patterns, [pattern("peer", "p*"), pattern("client", "c")]);
    assert_eq!(bench.fails("anchors update org1/ab12 --confirm ab12").0, 64);
    bench.succeeds(&format!("anchors remove {ANCHOR} --confirm {ANCHOR}"));
    assert_eq!(bench.service.sent::<RemoveTrustAnchorRequest>().confirm, "ab12");
    fs::write(bench.path("list.crl"), "a list").unwrap();
    for (name, full) in [("org1", "organizations/org1"), ("org1/ab12", ANCHOR)] {
        bench.succeeds(&format!("anchors crl {name} --in list.crl"));
        let sent: UpdateRevocationListRequest = bench.service.sent();
        assert_eq!((sent.name.as_str(), &sent.crl[..]), (full, &b"a list"[..]));
    }

    let (auditor, key) = certificate(&bench, "a.pem", "auditor");
    bench.succeeds("principals register org1 --role auditor --certificate a.pem --confirm auditor");
    let sent: RegisterPrincipalRequest = bench.service.sent();
    let principal = sent.principal.unwrap();
    assert_eq!((principal.certificate, principal.role.as_str()), (auditor.clone(), "auditor"));
    bench.succeeds("principals unregister org1/auditor --public-key a.pem --confirm auditor");
    assert_eq!(bench.service.sent::<UnregisterPrincipalRequest>().public_key_sha256, key);
    bench.succeeds("principals unregister org1/auditor --confirm org1/auditor");
    assert!(bench.service.sent::<UnregisterPrincipalRequest>().public_key_sha256.is_empty());
    bench.succeeds(&format!(
        "principals approve-key org1/peer0 --public-key {}",
        "DD:".repeat(32).trim_end_matches(':')
    ));
    assert_eq!(bench.service.sent::<ApprovePrincipalKeyRequest>().public_key_sha256, [0xdd; 32]);

    bench.succeeds("suspensions add org1 --principal carol --reason left");
    assert_eq!(bench.service.sent::<SuspendPrincipalRequest>().principal, "organizations/org1/principals/carol");
    bench.succeeds("suspensions add org1 --certificate a.pem --reason stolen");
    assert_eq!(bench.service.sent::<SuspendPrincipalRequest>().certificate_sha256, Sha256::digest(&auditor).to_vec());
    bench.succeeds("suspensions add org1 --public-key a.pem --reason stolen");
    let sent: SuspendPrincipalRequest = bench.service.sent();
    assert_eq!((sent.public_key_sha256, sent.certificate_sha256, sent.reason.as_str()), (key, Vec::new(), "stolen"));
    bench.succeeds("suspensions lift org1/public-key-cd");
    assert_eq!(bench.service.sent::<LiftSuspensionRequest>().name, "organizations/org1/suspensions/public-key-cd");

    let line = "groups set org1/night --member peer0 --member org1/peer1";
    assert_eq!(bench.table(line), "GROUP       MEMBERS\norg1/night  org1/peer0, org1/peer1\n");
    assert_eq!(bench.service.sent::<UpdateGroupRequest>().members[0], "organizations/org1/principals/peer0");
    assert!(bench.table("groups set org1/night --none").contains("none: it is gone"));
    assert_eq!(bench.fails("groups set org1/night --member org2/peer0").0, 64);

    assert_eq!(bench.fails("limits set organizations/org1/keys/peer0 --keys 1").0, 64);
    bench.succeeds("limits set org1 --none");
    let limit = bench.service.sent::<SetLimitRequest>().limit.unwrap();
    assert_eq!((limit.subject.as_str(), limit.per_second, limit.keys), ("organizations/org1", None, None));
}

#[test]
fn an_anchor_comes_with_a_proof_or_needs_a_second_officer() {
    let bench = Bench::new();
    let (ca, _) = certificate(&bench, "ca.pem", "ca.org1");
    let output = bench.run("anchors proof-text --out text");
    assert_eq!(fs::read_to_string(bench.path("text")).unwrap(), "chancery trust anchor v1\nd\norganizations/org1\n");
    assert!(
        String::from_utf8(output.stderr).unwrap().contains("openssl dgst -sha256 -sign ca-key.pem -out proof text")
    );
    assert_eq!(bench.json("anchors proof-text")["hex"], hex::encode(fs::read(bench.path("text")).unwrap()));
    assert_eq!(bench.succeeds("anchors proof-text"), fs::read(bench.path("text")).unwrap());

    let add = "anchors add org1 --certificate ca.pem --orderer o --confirm org1";
    let (exit, error) = bench.fails(add);
    assert_eq!((exit, &error["reason"]), (65, &"APPROVAL_NEEDED".into()));
    assert!(error["next"].as_str().unwrap().contains("another officer"), "{error}");
    fs::write(bench.path("proof"), "a signature").unwrap();
    bench.succeeds(&format!("{add} --proof proof"));
    let sent: AddTrustAnchorRequest = bench.service.sent();
    let anchor = sent.anchor.unwrap();
    assert_eq!(
        (anchor.certificate, anchor.patterns, &sent.proof[..]),
        (ca, vec![pattern("orderer", "o")], &b"a signature"[..])
    );
}

#[test]
fn the_operator_sees_the_token() {
    let bench = Bench::new();
    assert!(!bench.table("status").contains("token"));
    assert_eq!(bench.json("status")["token"], json!(null));
    bench.service.meet_operator();
    assert!(!bench.table("status").contains("token"), "not asked for");
    let said = bench.table("status --token");
    assert!(said.contains("open: chancery, SoftHSM project SoftHSM v2, serial 0123, library 2.7"), "{said}");
    assert_eq!(bench.json("status --token")["token"]["serial"], "0123");
}

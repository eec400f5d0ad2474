//! A certificate that org2's authority issues with everything copied from one of org1's, by openssl: it is org2's.

use crate::{
    authority::{Authority, Member},
    shared::{ORG1, ORG2, client, create, deployment, key, records_in, sign, signing},
    wire::{Api, ask},
};
use chancery_api::v1::{Algorithm, ListRecordsRequest, ListTrustAnchorsRequest};
use chancery_audit::record::Record;
use chancery_client::{Client, Code};
use sha2::{Digest, Sha256};
use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

/// The extensions of a certificate with every alternative name, and of one of `chanceryd dev`'s.
const ALL: &str = "keyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n\
                   subjectKeyIdentifier=none\nauthorityKeyIdentifier=none\n\
                   subjectAltName=DNS:peer0.org1.example,IP:10.1.2.3,email:peer0@org1.example,\
                   URI:urn:org1:principals:peer0\n";
const PLAIN: &str = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n\
                     subjectKeyIdentifier=none\nauthorityKeyIdentifier=none\n";

/// What openssl says.
fn openssl(arguments: &str) -> String {
    let output = Command::new("openssl").args(arguments.split_whitespace()).output().unwrap();
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// org1's certificate of a peer with every field that a subject may have.
fn original(org1: &Authority, name: &str) -> String {
    let (key, csr, file) = (org1.path("member.key"), org1.path("member.csr"), org1.path("member.pem"));
    fs::write(org1.path("extensions"), ALL).unwrap();
    openssl(&format!("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {key}"));
    openssl(&format!(
        "req -new -key {key} -out {csr} -subj \
         /C=ES/ST=Madrid/L=Madrid/O=org1/OU=peer/CN={name}/serialNumber=0815/emailAddress=peer0@org1.example"
    ));
    openssl(&format!(
        "x509 -req -in {csr} -CA {} -CAkey {} -set_serial 4815162342 -days 7 -extfile {} -out {file}",
        org1.path("ca.pem"),
        org1.path("ca.key"),
        org1.path("extensions")
    ));
    file
}

/// The same certificate in everything but issuer, public key and signature.
fn copy(org2: &Authority, original: &str) -> Member {
    let (key, own, file) = (org2.path("copy.key"), org2.path("own.pem"), org2.path("copy.pem"));
    openssl(&format!("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {key}"));
    let serial = openssl(&format!("x509 -in {original} -noout -serial"));
    let kept = format!("-preserve_dates -set_serial 0x{}", serial.trim().trim_start_matches("serial="));
    // The key's own signature first: openssl issues no certificate anew whose issuer it can't check.
    let shown = openssl(&format!("x509 -in {original} -noout -ext keyUsage,extendedKeyUsage,subjectAltName"));
    let extensions = if shown.contains("DNS:") { ALL } else { PLAIN };
    fs::write(org2.path("extensions"), extensions).unwrap();
    let again = format!("-clrext -extfile {}", org2.path("extensions"));
    openssl(&format!("x509 -in {original} -signkey {key} {kept} {again} -out {own}"));
    let issuer = format!("-CA {} -CAkey {}", org2.path("ca.pem"), org2.path("ca.key"));
    openssl(&format!("x509 -in {own} {issuer} {kept} -out {file}"));
    let shows = |file: &str, what: &str| openssl(&format!("x509 -in {file} -noout {what}"));
    for what in ["-subject", "-serial", "-startdate", "-enddate", "-ext subjectAltName,keyUsage,extendedKeyUsage"] {
        assert_eq!(shows(&file, what), shows(original, what), "{what}");
    }
    for what in ["-issuer", "-pubkey"] {
        assert_ne!(shows(&file, what), shows(original, what), "{what}");
    }
    Member::new(deployment(), &fs::read_to_string(&file).unwrap(), &fs::read_to_string(&key).unwrap())
}

fn fingerprint(member: &Member) -> Vec<u8> {
    let pem = member.certificate.lines().filter(|line| !line.starts_with("-----")).collect::<String>();
    use base64::Engine as _;
    Sha256::digest(base64::engine::general_purpose::STANDARD.decode(pem).unwrap()).to_vec()
}

/// What org1 has that a request can name.
pub(crate) async fn targets(name: &str) -> Vec<String> {
    let list = ListTrustAnchorsRequest { parent: ORG1.into(), ..Default::default() };
    let officer = client("org1-security").await;
    let anchor = officer.admin().list_trust_anchors(list).await.unwrap().into_inner().trust_anchors.remove(0).name;
    let of = |rest: &str| format!("{ORG1}/{rest}");
    vec![
        name.into(),
        format!("{name}/versions/1"),
        ORG1.into(),
        anchor,
        of("policies"),
        of("principals/peer0"),
        of("suspensions/principal-client"),
        of("groups/here"),
        of("approvals/20200101t000000z-00000000"),
    ]
}

/// Its records, once there is a denial of a signature: beyond a budget, denials are counted only.
async fn denial(auditor: &Client, parent: &str, client: &Client, name: &str, fingerprint: &[u8]) -> Record {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        sign(client, signing(name, b"x")).await.unwrap_err();
        let found = records_in(auditor, parent, name).await;
        let by = |record: &Record| record.principal.as_ref().map(|by| by.certificate_fingerprint.clone());
        if let Some(found) = found.into_iter().find(|record| by(record).as_deref() == Some(fingerprint)) {
            return found;
        }
        assert!(Instant::now() < deadline, "no denial is recorded in {parent}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_copied_certificate_is_a_member_of_its_issuers_organization_alone() {
    let (org1, org2) = (Authority::of(deployment(), "org1"), Authority::of(deployment(), "org2"));
    let name = key("copied-owner");
    let owner = "peer-copied";
    create(&name, owner, Algorithm::EcP256).await;
    let file = original(&org1, owner);
    let copied = copy(&org2, &file);
    let key_file = fs::read_to_string(org1.path("member.key")).unwrap();
    let honest = Member::new(deployment(), &fs::read_to_string(&file).unwrap(), &key_file).connect().await;
    sign(&honest, signing(&name, b"x")).await.expect("the original is the key's owner");

    let (thief, namesake) = (copied.connect().await, client("org2-peer0").await);
    let api = Api::read();
    let mut denied = 0;
    for method in api.methods.iter().filter(|method| method.names_a_target()) {
        for target in targets(&name).await {
            let request = api.request(method, &target, None);
            let (seen, expected) = (ask(&thief, method, request.clone()).await, ask(&namesake, method, request).await);
            let what = format!("{} on {target}: {}", method.path, String::from_utf8_lossy(&seen.1));
            // The answers of a stream, each with its refusal, come as an open stream.
            assert!(seen.0 != Code::Ok || method.path.ends_with("/SignStream"), "{what}");
            assert_eq!(seen, expected, "{what}: as any peer of org2");
            denied += u32::from(seen.0 == Code::PermissionDenied);
        }
    }
    assert!(denied > 150, "{denied}");

    // Its records are org2's; org1 sees of it only what it tried on org1's key.
    let fingerprint = fingerprint(&copied);
    for (auditor, parent) in [("org1-auditor", ORG1), ("org2-auditor", ORG2)] {
        let denial = denial(&client(auditor).await, parent, &thief, &name, &fingerprint).await;
        let by = denial.principal.unwrap();
        assert_eq!((by.organization.as_str(), by.name.as_str(), denial.reason.as_str()), ("org2", owner, "DENIED"));
    }
    // It is somebody: what org2 gives it, it has, and that stands in org2's records and not in org1's.
    let own = format!("{ORG2}/keys/copied-owner");
    create(&own, owner, Algorithm::EcP256).await;
    sign(&thief, signing(&own, b"x")).await.unwrap();
    let of_own = records_in(&client("org2-auditor").await, ORG2, &own).await;
    let by = of_own.last().unwrap().principal.clone().unwrap();
    assert_eq!((by.organization.as_str(), by.certificate_fingerprint), ("org2", fingerprint));
    let request = ListRecordsRequest { parent: ORG1.into(), key: own.clone(), ..Default::default() };
    assert!(crate::shared::records(&client("org1-auditor").await, request).await.is_empty());
    sign(&honest, signing(&own, b"x")).await.expect_err("nor does org1's bearer of the name get anything of org2");
    crate::harness::expect_code(&deployment().verify_log(), 0);
}

/// The names of those who are registered in both organizations are their own bearers' alone.
#[tokio::test]
async fn a_copied_officer_is_nobody() {
    let org2 = Authority::of(deployment(), "org2");
    for name in ["security", "auditor", "ca"] {
        let original = deployment().client_dir(&format!("org1-{name}")).join("cert.pem");
        let copied = copy(&org2, original.to_str().unwrap()).connect().await;
        let request = ListRecordsRequest { parent: ORG1.into(), ..Default::default() };
        let error = crate::shared::call(copied.audit().list_records(request)).await.unwrap_err();
        assert_eq!((error.code, error.reason.as_deref()), (Code::Unauthenticated, Some("NAME_NOT_ALLOWED")), "{name}");
    }
}

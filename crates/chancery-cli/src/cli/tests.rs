use super::*;
use clap::error::ErrorKind;

const KEY: &str = "organizations/org1/keys/peer0";

fn parse(line: &str) -> Result<Cli, clap::Error> {
    let line = line.replace("KEY", KEY);
    Cli::try_parse_from(std::iter::once("chancery").chain(line.split_whitespace()))
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

/// The lines of the published interface, as far as the service offers what they ask for.
#[test]
fn published_commands_parse() {
    for line in [
        "keys create KEY --algorithm ec-p256",
        "keys create KEY --algorithm rsa-4096 --protection token --purpose certify --owner ca --label a=b --label c= --check always",
        "keys create KEY --algorithm sm2 --protection enclave --rotate-every 90d --overlap 7d --pool 3",
        "keys create KEY --algorithm ml-dsa-65 --protection enclave --activate-at 2026-01-31T12:00:00Z --expire-after 365d",
        "keys create KEY --algorithm aes-256 --purpose wrap --expire-at 2027-01-31T12:00:00Z",
        "keys create organizations/org1/keys/batch-{} --algorithm ec-p256 --count 100000 --start 5 --in-flight 128 --progress",
        "keys create organizations/org1/keys/batch-{} --algorithm ec-p256 --count 2 --request-namespace 6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "keys update KEY --label env=production --remove-label site --check never --no-rotation --no-overlap --pool 0",
        "keys update KEY/versions/2 --activate-at 2026-01-31T12:00:00Z --expire-at 2027-01-31T12:00:00Z",
        "keys activate KEY/versions/2",
        "keys suspend KEY/versions/2",
        "keys deactivate KEY/versions/2",
        "keys compromise KEY/versions/2",
        "keys destroy KEY/versions/2 --after 7d --confirm peer0",
        "keys destroy KEY/versions/2",
        "keys destroy KEY/versions/2 --after 7d --dry-run",
        "keys suspend KEY/versions/2 --dry-run",
        "keys deactivate KEY/versions/2 --confirm peer0",
        "keys compromise KEY/versions/2 --dry-run --output json",
        "keys rotate KEY --dry-run",
        "approvals list org1 --all",
        "approvals list",
        "approvals approve organizations/org1/approvals/20260131t120000z-00ff00ff",
        "approvals cancel organizations/org1/approvals/20260131t120000z-00ff00ff",
        "keys restore KEY/versions/2",
        "keys import KEY --in key.pem --algorithm ec-p256 --purpose sign --protection token --owner a --version 2 --audit-key v",
        "keys attest KEY --nonce 00ff --out statement.json",
        "keys rewrap org1 --confirm org1",
        "keys confirm-clock org1",
        "attestation verify --in statement.json --key audit.vkey --nonce 00ff",
        "backup create org1 --threshold 2 --custodian a=a.pem --custodian b=b.pem --out backup",
        "backup list org1",
        "backup show backup",
        "backup job org1 --out job.json",
        "backup share --in backup --custodian a --key a-key.pem --job job.json --audit-key v --out share.json",
        "backup restore org1 --in backup --job job.json --share a.json --share b.json --log audit --key audit.vkey",
        "backup restore org1 --in backup --job job.json --share a.json --without-log",
        "encrypt KEY --in a --out b --aad c",
        "decrypt KEY/versions/1 --in a --out - --aad-hex 00ff --force",
        "agree KEY --peer peer.pem --out secret",
        "mac KEY --in a --out b --hex",
        "mac KEY --in a --verify b",
        "random org1 --bytes 32 --hex",
        "wrap KEY --in a --out b",
        "unwrap KEY --in a --out b",
        "certificates bind KEY/versions/2 --in cert.pem",
        "keys public KEY --format jwk",
        "keys public KEY --format ethereum-address",
        "sign KEY --in a --hash sm3 --sm2-id alice --out b",
        "sign KEY --in a --format ethereum --out b",
        "keys list organizations/org1",
        "keys list org1 --filter algorithm=sm2 --limit 10 --page-size 1000",
        "keys list org1",
        "keys list --output json",
        "keys show KEY",
        "keys rotate KEY",
        "keys public KEY --format raw --out key.bin",
        "keys public KEY/versions/2",
        "sign KEY --in a --out b",
        "sign KEY/versions/2 --in - --hash none --padding pss --format raw --low-s --out -",
        "sign KEY --in a --low-s=false --out b",
        "verify KEY --in a --signature b --hash sha512 --padding pkcs1 --format raw",
        "csr KEY --subject CN=peer0,OU=peer,O=Org1 --san dns:peer0.org1 --san ip:10.0.0.1 --out peer0.csr",
        "certificates issue --ca KEY --csr a --profile root-ca --out b --chain-out c",
        "audit list --key KEY --principal org1/peer0 --since 1h --organization org1 --limit 10",
        "audit list --principal organizations/org1/principals/peer0 --since 2026-01-31T12:00:00Z",
        "audit checkpoint",
        "audit verify --log audit --key audit.vkey",
        "policy check policies",
        "policy check a.cedar b.cedar --organization own.cedar",
        "policy check --organization own.cedar --output json",
        "policy get org1",
        "policy get --base",
        "policy set org1 --in own.cedar --confirm org1",
        "policy set org1 --in - --validate-only",
        "policy explain --principal org1/peer0 --role peer --action Sign --resource KEY --context input=digest hash= size=32",
        "policy explain --principal org1/security --action ListKeys --resource organizations/org1",
        "policy simulate org1 --in own.cedar",
        "policy simulate org1 --in own.cedar --since 30d",
        "policy reload",
        "organizations create org3 --anchor ca.pem --anchor-peer peer* --anchor-client=* --anchor b.pem --officer o.pem",
        "organizations create org3 --anchor ca.pem --officer o.pem --officer p.pem --principal auditor=a.pem --enrolling-roles peer,ca",
        "organizations show",
        "organizations show org1",
        "organizations list",
        "organizations update org1 --pin-strict true --accept-expired-crl false --enrolling-roles peer,ca --confirm org1",
        "organizations update organizations/org1 --no-enrolling-roles",
        "anchors add org1 --certificate ca.pem --peer peer* --peer p --orderer o* --client * --proof proof --confirm org1",
        "anchors proof-text org1 --out text",
        "anchors proof-text",
        "anchors list org1",
        "anchors update org1/ab12 --peer peer* --confirm ab12",
        "anchors update org1/ab12 --none --confirm ab12",
        "anchors remove organizations/org1/anchors/ab12 --confirm ab12",
        "anchors crl org1 --in list.crl",
        "anchors crl org1/ab12 --in -",
        "principals register org1 --role auditor --certificate a.pem --confirm auditor2",
        "principals list",
        "principals unregister org1/auditor2 --public-key aa.pem --confirm auditor2",
        "principals unregister organizations/org1/principals/auditor2",
        "principals approve-key org1/peer0 --public-key peer0.pem",
        "suspensions add org1 --principal peer0 --reason stolen",
        "suspensions add org1 --certificate cert.pem --reason stolen",
        "suspensions add org1 --public-key cert.pem --reason stolen",
        "suspensions lift org1/principal-peer0",
        "suspensions list org1",
        "groups set org1/night --member peer0 --member org1/peer1",
        "groups set organizations/org1/groups/night --none",
        "groups list org1",
        "limits set org1 --per-second 100 --per-day 5 --total 6 --keys 7",
        "limits set org1/peer0 --none",
        "limits set KEY --per-second 0",
        "limits list org1",
        "status",
        "--config a.toml --output json status",
        "status --config a.toml --output json",
        "bench sign --key KEY --in-flight 128 --seconds 10 --mode stream --connections 2 --rate 1000 --signatures s.jsonl",
        "completions bash",
    ] {
        parse(line).map(|_| ()).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
}

#[test]
fn low_s_is_on_off_or_the_services_choice() {
    let low_s = |line: &str| format!("{:?}", parse(line).unwrap().command).contains("low_s: Some(true)");
    assert!(low_s("sign KEY --in a --low-s --out b"));
    assert!(low_s("sign KEY --in a --low-s=true --out b"));
    assert!(!low_s("sign KEY --in a --low-s=false --out b"));
    assert!(!low_s("sign KEY --in a --out b"));
}

#[test]
fn what_is_not_offered_is_refused_with_what_is() {
    for (line, offered) in [
        ("keys create KEY --algorithm dsa", "ml-dsa-44, ml-dsa-65, ml-dsa-87, x25519, aes-256, sm4, hmac-sha256"),
        ("keys create KEY --algorithm ec-p256 --protection hsm", "token, enclave"),
        ("keys create KEY --algorithm ec-p256 --purpose derive", "sign, certify, encrypt, agree, mac, wrap"),
        ("sign KEY --in a --hash sha1 --out b", "sha256, sha384, sha512, sm3, none"),
        ("sign KEY --in a --format p1363 --out b", "der, raw, ethereum, eos"),
        ("principals register org1 --role admin --certificate a", "security-officer, auditor, ca, opssc-agent"),
        ("organizations create org3 --anchor a --officer o --enrolling-roles peer,x", "peer, orderer, client"),
        ("certificates issue --ca KEY --csr a --profile officer --out b", "root-ca, peer, orderer, client, admin"),
    ] {
        let error = parse(line).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidValue, "{line}");
        assert!(error.to_string().contains(offered), "{line}: {error}");
    }
}

#[test]
fn wrong_lines_are_refused() {
    for line in [
        "",
        "keys",
        "keys create KEY",
        "keys create org1/peer0 --algorithm ec-p256",
        "keys create KEY/versions/1 --algorithm ec-p256",
        "keys create KEY --algorithm ec-p256 --label =b",
        "keys create organizations/{}/keys/a --algorithm ec-p256 --count 2",
        "keys create KEY --algorithm ec-p256 --start 5",
        "keys create KEY --algorithm ec-p256 --rotate-every 1d --rotate-cron *",
        "keys create KEY --algorithm ec-p256 --expire-at 2027-01-31T12:00:00Z --expire-after 1d",
        "keys create KEY --algorithm ec-p256 --pool 17",
        "keys list --limit 0",
        "keys list --page-size 1001",
        "keys suspend KEY",
        "keys suspend KEY/versions/1 --confirm peer0",
        "approvals approve",
        "keys destroy KEY --confirm peer0",
        "keys attest KEY --nonce xyz",
        "backup create org1 --threshold 2 --out backup",
        "backup create org1 --threshold 0 --custodian a=a.pem --out backup",
        "backup restore org1 --in backup --job job.json --share a.json",
        "backup restore org1 --in backup --job job.json --share a.json --log audit",
        "backup restore org1 --in backup --job job.json --share a.json --log audit --key k --without-log",
        "encrypt KEY --in a --out b --aad c --aad-hex 00",
        "mac KEY --in a",
        "mac KEY --in a --out b --verify c",
        "random org1 --bytes 0",
        "random org1 --bytes 1025",
        "keys show KEY/versions/1",
        "organizations create org3 --anchor ca.pem",
        "organizations create org3 --officer o.pem",
        "organizations create Org3 --anchor ca.pem --officer o.pem",
        "organizations create org3 --anchor ca.pem --officer o.pem --principal admin=a.pem",
        "organizations update org1 --pin-strict",
        "organizations update org1 --enrolling-roles peer --no-enrolling-roles",
        "anchors add org1 --peer peer*",
        "anchors update ab12 --peer peer*",
        "anchors update org1/ab12 --peer peer* --none",
        "anchors crl org1",
        "principals register org1 --role auditor",
        "principals unregister auditor2",
        "principals approve-key org1/peer0",
        "suspensions add org1 --reason stolen",
        "suspensions add org1 --principal peer0",
        "suspensions add org1 --principal peer0 --public-key a.pem --reason stolen",
        "suspensions lift principal-peer0",
        "groups set org1/night",
        "groups set org1/night --member a --none",
        "limits set org1",
        "limits set org1 --none --keys 1",
        "limits set org1 --per-second -1",
        "sign peer0 --in a --out b",
        "sign KEY --in a",
        "sign KEY --in a --out b --receipt r.json",
        "verify KEY --in a",
        "csr KEY --subject CN=a --san uri:spiffe://a --out b",
        "audit list --limit 0",
        "audit list --since yesterday",
        "audit verify --log audit",
        "bench sign --key KEY --seconds 0",
        "bench sign --key KEY --in-flight 0",
        "bench sign --key KEY --rate 0",
        "policy check",
        "policy set org1",
        "policy set --in own.cedar",
        "policy explain --principal org1/peer0 --action Sign",
        "policy explain --principal peer0 --action Sign --resource KEY",
        "policy explain --principal org1/peer0 --action Sign --resource KEY --context size",
        "policy simulate org1 --in own.cedar --since lately",
        "--output xml status",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}

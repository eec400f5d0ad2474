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
        "keys restore KEY/versions/2",
        "keys import KEY --in key.pem --algorithm ec-p256 --purpose sign --protection token --owner a --version 2 --audit-key v",
        "keys attest KEY --nonce 00ff --out statement.json",
        "keys rewrap org1",
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
        "--output xml status",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}

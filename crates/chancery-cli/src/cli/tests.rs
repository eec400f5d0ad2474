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
        "keys list organizations/org1",
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
        ("keys create KEY --algorithm sm2", "ec-p256, ec-p384, ec-p521, ec-secp256k1, ed25519"),
        ("keys create KEY --algorithm ec-p256 --protection enclave", "token"),
        ("keys create KEY --algorithm ec-p256 --purpose encrypt", "sign, certify"),
        ("sign KEY --in a --hash sm3 --out b", "sha256, sha384, sha512, none"),
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

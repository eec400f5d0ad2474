//! What a client may not do is refused with the code that says so, and leaves things as they were.

use crate::{
    desk::Desk,
    pkcs11::{LABEL, fail, succeed},
    shared::key,
};

const PEER: &str = "org1-peer0";

/// CKR_FUNCTION_REJECTED, whose name pkcs11-tool 0.23 does not know.
const REJECTED: &str = "(0x200)";

/// A wrong PIN is told from a right one, again and again: there is no lock that a mistyped configuration could close.
#[test]
fn a_wrong_pin_is_incorrect_and_locks_nothing() {
    let desk = Desk::new(PEER);
    for _ in 0..5 {
        let refused = fail(&mut desk.pkcs11_tool_without_login("--list-objects --login --pin 4321")).text;
        assert!(refused.contains("CKR_PIN_INCORRECT"), "{refused}");
    }
    succeed(&mut desk.pkcs11_tool("--list-objects"));
    let mut gnutls = desk.gnutls("p11tool", "--login --list-all pkcs11:token=org1");
    let refused = fail(gnutls.env("GNUTLS_PIN", "4321")).text;
    assert!(refused.contains("PIN"), "{refused}");
}

/// A node's certificate, stolen, must not destroy, rename or copy away a key: pkcs11-tool and p11tool are told
/// CKR_FUNCTION_REJECTED, the key signs as before, and the log has the attempt.
#[test]
fn a_key_can_be_neither_deleted_nor_renamed() {
    let desk = Desk::new(PEER);
    desk.officer_makes("tool-kept", "--algorithm ec-p256");
    let before = succeed(&mut desk.pkcs11_tool("--list-objects")).text;
    for kind in ["privkey", "pubkey"] {
        for change in ["--set-id c001", "--delete-object"] {
            let refused = fail(&mut desk.pkcs11_tool(&format!("{change} --type {kind} --label tool-kept"))).text;
            assert!(refused.contains(REJECTED), "{change} {kind}: {refused}");
        }
    }
    for kind in ["private", "public"] {
        let url = format!("pkcs11:token={LABEL};object=tool-kept;type={kind}");
        fail(&mut desk.gnutls("p11tool", &format!("--batch --login --set-label tool-stolen {url}")));
        fail(&mut desk.gnutls("p11tool", &format!("--batch --login --set-id c001 {url}")));
        // It says that it deleted nothing, and is content with that.
        crate::pkcs11::run(&mut desk.gnutls("p11tool", &format!("--batch --login --delete {url}")));
    }
    let after = succeed(&mut desk.pkcs11_tool("--list-objects")).text;
    let kept = |listed: &str| listed.matches("label:      tool-kept\n").count();
    assert_eq!((kept(&before), kept(&after)), (2, 2), "{before}\n{after}");
    assert!(!after.contains("tool-stolen") && !after.contains("ID:         c001\n"), "{after}");

    let sign = format!("--sign --mechanism ECDSA --signature-format openssl --id {}", desk.id("tool-kept"));
    let sign = format!("{sign} --input-file digest");
    succeed(&mut desk.pkcs11_tool(&format!("{sign} --output-file signature")));
    desk.chancery(PEER, &format!("keys public {} --out @/public.pem", key("tool-kept")));
    desk.judge("pkeyutl -verify -pubin -inkey public.pem -in digest -sigfile signature");
    let list = format!("audit list --outcome denied --action UpdateObject --key {}", key("tool-kept"));
    let records = desk.chancery("org1-auditor", &list);
    assert!(records.contains("UpdateObject"), "{records}");
}

/// Keys made by pkcs11-tool are as safe, once both halves bear their id.
#[test]
fn a_generated_key_can_be_neither_deleted_nor_renamed() {
    let desk = Desk::new(PEER);
    let make = "--keypairgen --key-type EC:prime256v1 --usage-sign --label tool-named --id c002";
    succeed(&mut desk.pkcs11_tool(make));
    for change in ["--set-id c003", "--delete-object"] {
        let refused = fail(&mut desk.pkcs11_tool(&format!("{change} --type privkey --id c002"))).text;
        assert!(refused.contains(REJECTED), "{change}: {refused}");
    }
    let sign = "--sign --mechanism ECDSA --id c002 --input-file digest --output-file signature";
    succeed(&mut desk.pkcs11_tool(sign));
}

/// Who may not make keys is told so, and the log has it.
#[test]
fn a_denied_key_is_rejected_and_recorded() {
    let agent = Desk::new("org1-opssc");
    let make = "--keypairgen --key-type EC:prime256v1 --usage-sign --label tool-denied --id c004";
    let refused = fail(&mut agent.pkcs11_tool(make)).text;
    assert!(refused.contains(REJECTED), "{refused}");
    let list = "audit list --outcome denied --action CreateKey --principal org1/opssc";
    let records = agent.chancery("org1-auditor", list);
    assert!(records.contains("CreateKey"), "{records}");

    // A peer makes signing keys for itself, and no others.
    let peer = Desk::new(PEER);
    let refused = fail(&mut peer.pkcs11_tool("--keygen --key-type AES:32 --label tool-denied --id c005")).text;
    assert!(refused.contains(REJECTED), "{refused}");
    let make = "--keypairgen --key-type EC:prime256v1 --usage-derive --label tool-denied --id c006";
    // pkcs11-tool says what it did; nothing of it may be there.
    crate::pkcs11::run(&mut peer.pkcs11_tool(make));
    let listed = succeed(&mut peer.pkcs11_tool("--list-objects")).text;
    assert!(!listed.contains("tool-denied"), "{listed}");
}

/// What others own is not there, not even in the list; nor is another organization's token.
#[test]
fn what_others_own_is_not_shown() {
    let (owner, other) = (Desk::new(PEER), Desk::new("org1-client"));
    owner.officer_makes("tool-own", "--algorithm ec-p256");
    assert!(succeed(&mut owner.pkcs11_tool("--list-objects")).text.contains("tool-own"));
    assert!(!succeed(&mut other.pkcs11_tool("--list-objects")).text.contains("tool-own"));
    let stranger = Desk::new("org2-peer0");
    let listed = succeed(&mut stranger.pkcs11_tool("--list-objects")).text;
    assert!(!listed.contains("tool-own"), "{listed}");
    let tokens = succeed(&mut stranger.pkcs11_tool_without_login("--list-token-slots")).text;
    assert!(!tokens.contains("org1"), "{tokens}");
}

/// A suspended key is there and signs nothing; when the officer lets it, it signs again.
#[test]
fn a_suspended_key_is_not_permitted_to_sign() {
    let desk = Desk::new(PEER);
    desk.officer_makes("tool-suspended", "--algorithm ec-p256");
    let version = format!("{}/versions/1", key("tool-suspended"));
    let sign = format!("--sign --mechanism ECDSA --id {}", desk.id("tool-suspended"));
    let sign = &format!("{sign} --input-file digest --output-file signature");
    succeed(&mut desk.pkcs11_tool(sign));
    desk.chancery("org1-security", &format!("keys suspend {version}"));
    let refused = fail(&mut desk.pkcs11_tool(sign)).text;
    assert!(refused.contains("CKR_KEY_FUNCTION_NOT_PERMITTED"), "{refused}");
    desk.chancery("org1-security", &format!("keys activate {version}"));
    succeed(&mut desk.pkcs11_tool(sign));
}

//! What pkcs11-tool asks a token about itself, and its own tests of tokens.

use crate::{
    desk::Desk,
    pkcs11::{fail, succeed},
};

const PEER: &str = "org1-peer0";

#[test]
fn the_token_says_what_it_is() {
    let desk = Desk::new(PEER);
    let info = succeed(&mut desk.pkcs11_tool_without_login("--show-info")).text;
    assert!(info.contains("Cryptoki version 3.") && info.contains("Chancery"), "{info}");
    let interfaces = succeed(&mut desk.pkcs11_tool_without_login("--list-interfaces")).text;
    assert_eq!(interfaces.matches("PKCS 11").count(), 2, "2.40 and 3.0: {interfaces}");
    for listing in ["--list-slots", "--list-token-slots"] {
        let slots = succeed(&mut desk.pkcs11_tool_without_login(listing)).text;
        for part in ["(0x1)", "token label        : org1\n", "login required", "token initialized", "PIN initialized"] {
            assert!(slots.contains(part), "{part}: {slots}");
        }
    }
    let mechanisms = succeed(&mut desk.pkcs11_tool_without_login("--list-mechanisms")).text;
    for mechanism in ["ECDSA-KEY-PAIR-GEN", "ECDSA", "ECDSA-SHA256", "EDDSA", "RSA-PKCS-PSS", "ECDH1-DERIVE", "AES-GCM"]
    {
        assert!(mechanisms.contains(&format!("  {mechanism}, ")), "{mechanism}: {mechanisms}");
    }
}

/// Random bytes, digests, and every key that it finds. (RSA keys it has sign what is no DigestInfo; the service signs
/// digests only, so that what it signed is known: CKR_DATA_INVALID.)
#[test]
fn its_own_test_finds_no_fault() {
    let desk = Desk::new("org1-opssc");
    desk.officer_makes("tool-test-p256", "--algorithm ec-p256");
    desk.officer_makes("tool-test-ed25519", "--algorithm ed25519");
    desk.officer_makes("tool-test-decrypt", "--algorithm rsa-2048 --purpose encrypt --protection enclave");
    let tested = succeed(&mut desk.pkcs11_tool("--test --session-rw")).text;
    assert!(tested.contains("RSA-PKCS-OAEP") && tested.contains("No errors"), "{tested}");
}

/// Makes a key, gives it other ids, signs a request with it; at last it deletes the key, which is refused.
#[test]
fn its_own_test_of_ec_keys_goes_as_far_as_deletion() {
    let desk = Desk::new(PEER);
    let test = "--test-ec --session-rw --label tool-test-ec --id 42435001 --key-type EC:prime256v1";
    let tested = fail(&mut desk.pkcs11_tool(test)).text;
    for part in ["*** Doing a signature ***", "C_DestroyObject() failed: rv = unknown PKCS11 error (0x200)"] {
        assert!(tested.contains(part), "{tested}");
    }
    assert!(!tested.contains("C_Sign") && !tested.contains("SetAttributeValue(priv_key)"), "{tested}");
}

/// A child of a process that uses the module initializes it for itself.
#[test]
fn a_forked_child_initializes_it_anew() {
    let desk = Desk::new(PEER);
    let tested = succeed(&mut desk.pkcs11_tool("--test-fork")).text;
    assert!(tested.contains("child"), "{tested}");
}

/// Ten threads, which is its limit, initialize, list slots and show the token, while another logs in and lists objects.
#[test]
fn threads_do_not_disturb_one_another() {
    let desk = Desk::new(PEER);
    let threads = ["--test-threads ILGISLT0"; 10].join(" ");
    let tested = succeed(&mut desk.pkcs11_tool(&format!("{threads} --list-objects"))).text;
    let (_, ended) = tested.split_once("all threads have ended with CKR_OK").unwrap_or_else(|| panic!("{tested}"));
    assert_eq!(ended.matches("state:-1, rv:CKR_OK").count(), 10, "{tested}");
}

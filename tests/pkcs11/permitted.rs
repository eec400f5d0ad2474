//! What an organization's own policy permits beyond the base policies, pkcs11-tool does: keys of other kinds, other ids.

use crate::{
    desk::{Desk, MESSAGE},
    pkcs11::{fail, succeed},
};

const POLICY: &str = r#"
@id("peers-make-keys-of-all-kinds")
permit (principal, action == Chancery::Action::"CreateKey", resource)
when { principal.role == Chancery::Role::"peer" && context.owner == principal };

@id("peers-rename-their-keys")
permit (
  principal,
  action in [Chancery::Action::"UpdateObject", Chancery::Action::"DeleteObject"],
  resource
)
when { principal.role == Chancery::Role::"peer" && resource has owner && resource.owner == principal };
"#;

/// org2's peer, whom org2's officer permits more.
fn permitted() -> Desk {
    let desk = Desk::new("org2-peer0");
    desk.write("own.cedar", POLICY);
    desk.chancery("org2-security", "policy set org2 --in @/own.cedar --confirm org2");
    desk
}

/// One test: a policy that is set anew leaves a moment's gap for nobody else.
#[test]
fn an_organization_may_permit_its_peers_more() {
    let desk = permitted();
    succeed(&mut desk.pkcs11_tool("--keygen --key-type AES:32 --label own-aes --id 11"));
    let cipher = "--mechanism AES-CBC-PAD --id 11 --iv 000102030405060708090a0b0c0d0e0f";
    succeed(&mut desk.pkcs11_tool(&format!("--encrypt {cipher} --input-file message --output-file sealed")));
    assert_ne!(desk.read("sealed")[..16], MESSAGE[..16]);
    succeed(&mut desk.pkcs11_tool(&format!("--decrypt {cipher} --input-file sealed --output-file opened")));
    assert_eq!(desk.read("opened"), MESSAGE);

    succeed(&mut desk.pkcs11_tool("--keypairgen --key-type EC:prime256v1 --usage-derive --label own-agree --id 12"));
    desk.judge("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out theirs.key");
    desk.judge("pkey -in theirs.key -pubout -outform DER -out theirs.der");
    succeed(
        &mut desk.pkcs11_tool("--derive --mechanism ECDH1-DERIVE --id 12 --input-file theirs.der --output-file here"),
    );
    succeed(&mut desk.pkcs11_tool("--read-object --type pubkey --id 12 --output-file ours.der"));
    desk.judge("pkeyutl -derive -inkey theirs.key -peerform DER -peerkey ours.der -out there");
    assert_eq!(desk.read("here"), desk.read("there"));

    // It gives both halves of a named key another id. Deleting the last of them is no matter of policy.
    succeed(&mut desk.pkcs11_tool("--keypairgen --key-type EC:prime256v1 --usage-sign --label own-named --id 13"));
    for kind in ["privkey", "pubkey"] {
        succeed(&mut desk.pkcs11_tool(&format!("--set-id 14 --type {kind} --id 13")));
        let refused = fail(&mut desk.pkcs11_tool(&format!("--delete-object --type {kind} --id 14"))).text;
        assert!(refused.contains("(0x200)"), "{refused}");
    }
    succeed(&mut desk.pkcs11_tool("--sign --mechanism ECDSA --id 14 --input-file digest --output-file signature"));
}

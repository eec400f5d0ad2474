//! Node: the HSM signer of Hyperledger Fabric's gateway client, on pkcs11js.

use crate::{
    desk::Desk,
    foreign::Script,
    pkcs11::{LABEL, PIN, module, succeed},
};
use std::process::Command;

const CLIENT: &str = "org1-peer0";

/// The program of tests/pkcs11/node on a key of the client's.
fn gateway(desk: &Desk, key: &str) -> Command {
    desk.officer_makes(key, "--algorithm ec-p256");
    let id = desk.id(key);
    succeed(&mut desk.pkcs11_tool(&format!("--read-object --type pubkey --id {id} --output-file public.der")));
    desk.judge("pkey -pubin -inform DER -in public.der -out public.pem");
    let script = Script::node("gateway.js");
    let mut command = desk.command("node", "");
    script.complete(&mut command);
    command
        .env("PKCS11_LIB", module())
        .env("PKCS11_LABEL", LABEL)
        .env("PKCS11_PIN", PIN)
        .env("PKCS11_KEY", id)
        .env("PKCS11_PUBLIC", desk.path("public.pem"))
        // As many calls at once as there are signers.
        .env("UV_THREADPOOL_SIZE", "20");
    command
}

/// Twenty signers at once, what goes wrong in the ways of its manual, and another C_Initialize after C_Finalize.
#[test]
fn fabrics_gateway_for_node_signs() {
    let desk = Desk::new(CLIENT);
    succeed(&mut gateway(&desk, "node-gateway"));
}

/// One signer that is asked again before it has answered begins a second signature in its session.
#[test]
fn one_signer_makes_several_signatures_at_once() {
    let desk = Desk::new(CLIENT).with_quirk("overlapping_signatures");
    succeed(gateway(&desk, "node-overlapping").arg("overlapping"));
}

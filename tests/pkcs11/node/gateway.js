"use strict";
// Fabric's gateway client signs with its own HSM signer, as an application's manual says, and Node's crypto verifies.
//
// The environment names the token and the key (PKCS11_LIB, PKCS11_LABEL, PKCS11_PIN, PKCS11_KEY: its CKA_ID in
// hexadecimal, PKCS11_PUBLIC: a file with its public key). With the argument "overlapping" one signer is asked for several signatures
// at once, which takes the quirk of that name.

const assert = require("node:assert/strict");
const crypto = require("node:crypto");
const fs = require("node:fs");
const { signers } = require("@hyperledger/fabric-gateway");

const { PKCS11_LIB: library, PKCS11_LABEL: label, PKCS11_PIN: pin } = process.env;
const identifier = Buffer.from(process.env.PKCS11_KEY, "hex");
const publicKey = crypto.createPublicKey(fs.readFileSync(process.env.PKCS11_PUBLIC));
const SIGNERS = 20;
const EACH = 10;
/** The order of P-256. */
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** The second INTEGER of a signature's DER. */
function sOf(der) {
    const at = 4 + der[3];
    return BigInt("0x" + Buffer.from(der).subarray(at + 2, at + 2 + der[at + 1]).toString("hex"));
}

async function signAndVerify(signer) {
    const message = crypto.randomBytes(100);
    const digest = crypto.createHash("sha256").update(message).digest();
    const signature = await signer.signer(digest);
    assert(crypto.verify("sha256", message, publicKey, signature), "Node's crypto refuses the signature");
    assert(sOf(signature) <= ORDER / 2n, "the gateway gave the larger s");
}

async function inParallel(factory) {
    const all = Array.from({ length: SIGNERS }, () => factory.newSigner({ label, pin, identifier }));
    await Promise.all(all.map(async (signer) => {
        for (let n = 0; n < EACH; n++) {
            await signAndVerify(signer);
        }
        signer.close();
    }));
}

function refuses(factory) {
    const options = { label, pin, identifier };
    assert.throws(() => factory.newSigner({ ...options, pin: "4321" }), /CKR_PIN_INCORRECT/);
    assert.throws(() => factory.newSigner({ ...options, label: "nobody" }), /label nobody cannot be found/);
    assert.throws(() => factory.newSigner({ ...options, identifier: "nothing" }), /Unable to find object/);
}

async function main() {
    let factory = signers.newHSMSignerFactory(library);
    if (process.argv[2] === "overlapping") {
        const signer = factory.newSigner({ label, pin, identifier });
        for (let round = 0; round < EACH; round++) {
            await Promise.all(Array.from({ length: SIGNERS }, () => signAndVerify(signer)));
        }
        factory.dispose();
        return;
    }
    refuses(factory);
    await inParallel(factory);
    refuses(factory);
    // C_Finalize, and the same process begins anew.
    factory.dispose();
    factory = signers.newHSMSignerFactory(library);
    await inParallel(factory);
    factory.dispose();
}

main().catch((error) => {
    console.error(error);
    process.exitCode = 1;
});

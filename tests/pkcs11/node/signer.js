"use strict";
// A client in Node for services that are killed (tests/pkcs11_crash/client.rs says what it reads and prints): pkcs11js
// called as Fabric's gateway calls it, from libuv's threads, and each signature as the module gave it.

const crypto = require("node:crypto");
const fs = require("node:fs");
const pkcs11js = require("pkcs11js");

const { PKCS11_LIB, PKCS11_LABEL, PKCS11_PIN, PKCS11_KEY, PKCS11_SECONDS, PKCS11_THREADS } = process.env;
const end = Date.now() + Number(PKCS11_SECONDS) * 1000;
const module_ = new pkcs11js.PKCS11();
let slowest = 0;

function open() {
    const slots = module_.C_GetSlotList(true);
    const slot = slots.find((each) => module_.C_GetTokenInfo(each).label.trim() === PKCS11_LABEL);
    const session = module_.C_OpenSession(slot, pkcs11js.CKF_SERIAL_SESSION);
    try {
        module_.C_Login(session, pkcs11js.CKU_USER, PKCS11_PIN);
    } catch (error) {
        if (error.code !== pkcs11js.CKR_USER_ALREADY_LOGGED_IN) {
            throw error;
        }
    }
    module_.C_FindObjectsInit(session, [
        { type: pkcs11js.CKA_ID, value: Buffer.from(PKCS11_KEY, "hex") },
        { type: pkcs11js.CKA_CLASS, value: pkcs11js.CKO_PRIVATE_KEY },
        { type: pkcs11js.CKA_KEY_TYPE, value: pkcs11js.CKK_EC },
    ]);
    const [key] = module_.C_FindObjects(session, 1);
    module_.C_FindObjectsFinal(session);
    if (key === undefined) {
        throw new Error(`no key ${PKCS11_KEY}`);
    }
    return { session, key };
}

async function work() {
    const { session, key } = open();
    while (Date.now() < end) {
        const digest = crypto.randomBytes(32);
        const start = Date.now();
        module_.C_SignInit(session, { mechanism: pkcs11js.CKM_ECDSA }, key);
        const signature = await module_.C_SignAsync(session, digest, Buffer.alloc(64));
        slowest = Math.max(slowest, Date.now() - start);
        fs.writeSync(1, `signature ${digest.toString("hex")} ${signature.toString("hex")}\n`);
    }
    module_.C_CloseSession(session);
}

async function main() {
    module_.load(PKCS11_LIB);
    module_.C_Initialize();
    await Promise.all(Array.from({ length: Number(PKCS11_THREADS) }, work));
    module_.C_Finalize();
    fs.writeSync(1, `slowest ${slowest}\n`);
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});

//! Java's own provider, SunPKCS11: keytool, and a program on the keys that keytool made.

use crate::{
    desk::Desk,
    foreign::Script,
    pkcs11::{Ended, PIN, module, succeed},
    shared::{ORG1, client},
};
use chancery_api::v1::{ListObjectsRequest, Standing};

const CLIENT: &str = "org1-client";
/// keytool's options for a keystore that is a token (docs/pkcs11.md).
const KEYSTORE: &str = "-providerClass sun.security.pkcs11.SunPKCS11 -providerArg chancery.cfg \
    -providerName SunPKCS11-Chancery -keystore NONE -storetype PKCS11 -storepass";

fn keytool(desk: &Desk, line: &str) -> Ended {
    succeed(desk.command("keytool", &format!("{line} {KEYSTORE} {PIN}")).env_remove("JAVA_TOOL_OPTIONS"))
}

/// keytool makes a key pair of the session, copies it, and stores a certificate; from then on the key stays.
#[tokio::test(flavor = "multi_thread")]
async fn keytool_makes_keys_and_programs_sign() {
    let desk = Desk::new(CLIENT);
    let module = module();
    desk.write("chancery.cfg", format!("name = Chancery\nlibrary = {}\nslotListIndex = 0\n", module.display()));
    for (alias, algorithm) in [("java-ec", "EC -groupname secp256r1"), ("java-rsa", "RSA -keysize 2048")] {
        keytool(&desk, &format!("-genkeypair -alias {alias} -keyalg {algorithm} -dname CN={alias}.org1.example"));
        assert_eq!(standing(alias).await, Standing::Named, "{alias} must not go away when nobody uses it");
        keytool(&desk, &format!("-certreq -alias {alias} -file {alias}.csr"));
        assert!(desk.judge(&format!("req -in {alias}.csr -verify -noout")).contains("verify OK"));
        keytool(&desk, &format!("-exportcert -rfc -alias {alias} -file {alias}.pem"));
        desk.judge(&format!("verify -check_ss_sig -CAfile {alias}.pem {alias}.pem"));
        desk.judge(&format!("x509 -in {alias}.pem -noout -pubkey -out {alias}.pub"));
    }
    // The authority's certificate in place of the one that keytool made; the program signs with the key as before.
    let authority = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -subj /CN=authority";
    desk.judge(&format!("req -x509 {authority} -days 2 -out ca.pem"));
    desk.judge("x509 -req -in java-ec.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out issued.pem");
    desk.write("reply.pem", [desk.read("issued.pem"), desk.read("ca.pem")].concat());
    keytool(&desk, "-importcert -noprompt -alias java-ec -file reply.pem");
    keytool(&desk, "-exportcert -rfc -alias java-ec -file imported.pem");
    desk.judge("verify -CAfile ca.pem imported.pem");
    let listed = keytool(&desk, "-list").text;
    assert!(listed.contains("java-ec, PrivateKeyEntry") && listed.contains("java-rsa, PrivateKeyEntry"), "{listed}");

    let script = Script::java("Sign.java");
    let mut program = desk.command("java", "");
    script.complete(&mut program);
    succeed(program.args(["chancery.cfg", "java-ec", "java-rsa"]).env("PIN", PIN));
    for thread in 0..16 {
        for (algorithm, verification) in [
            ("SHA256withECDSA", "-verify java-ec.pub"),
            ("NONEwithECDSA", "-verify java-ec.pub"),
            ("SHA256withRSA", "-verify java-rsa.pub"),
            ("RSASSA-PSS", "-verify java-rsa.pub -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32"),
        ] {
            desk.judge(&format!("dgst -sha256 {verification} -signature {algorithm}-{thread}.sig message"));
        }
    }
}

/// Of the private object that keytool gave an alias: its id.
async fn standing(alias: &str) -> Standing {
    let request = ListObjectsRequest { parent: ORG1.into(), ..ListObjectsRequest::default() };
    let page = client(CLIENT).await.objects().list_objects(request).await.unwrap().into_inner();
    assert_eq!(page.next_page_token, "", "more than a page");
    let found = page.objects.iter().find(|object| object.id == alias.as_bytes() && object.certificate.is_empty());
    found.unwrap_or_else(|| panic!("{alias}: {:?}", page.objects)).standing()
}

//! ML-DSA keys, which this openssl lacks: made, and judged, by the `ml-dsa` crate, which the product does not use.

use crate::{
    desk::{Desk, OFFICER},
    shared::{deployment, key},
};
use ml_dsa::{Keypair, MlDsa44, MlDsa65, MlDsa87, MlDsaParams, Signature, SigningKey};

/// PrivateKeyInfo with the choice `seed` (RFC 9881 §6); `arc` ends the algorithm's identifier.
pub(crate) fn pkcs8(arc: u8, seed: &[u8; 32]) -> Vec<u8> {
    let head = "3034020100300b06096086480165030403XX04228020".replace("XX", &format!("{arc:02x}"));
    [&hex::decode(head).unwrap()[..], seed].concat()
}

fn judged<P: MlDsaParams>(desk: &Desk<'_>, name: &str, algorithm: &str, arc: u8) {
    let seed: [u8; 32] = hex::decode(desk.openssl.text("rand -hex 32").trim()).unwrap().try_into().unwrap();
    let original = SigningKey::<P>::from_seed(&seed.into()).verifying_key();
    desk.import(name, &desk.file("seed.der", pkcs8(arc, &seed)), "--protection enclave");

    let public = desk.at.chancery(OFFICER, &["keys", "public", name, "--format", "raw"]);
    assert_eq!(public.stdout, original.encode()[..], "{algorithm}");
    let signature = Signature::<P>::try_from(&*desk.sign(name, b"a message")).unwrap();
    assert!(original.verify_with_context(b"a message", &[], &signature), "{algorithm}");
    assert!(!original.verify_with_context(b"another", &[], &signature), "{algorithm}");
}

#[test]
fn seeds_sign_as_another_implementation_expects() {
    let desk = Desk::at(deployment());
    judged::<MlDsa44>(&desk, &key("ml-dsa-44"), "ml-dsa-44", 17);
    judged::<MlDsa65>(&desk, &key("ml-dsa-65"), "ml-dsa-65", 18);
    judged::<MlDsa87>(&desk, &key("ml-dsa-87"), "ml-dsa-87", 19);
}

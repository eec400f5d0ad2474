//! AddTrustAnchor's proof: made by openssl with each kind of key, good for one deployment and one organization.

use crate::{
    authority::Authority,
    founding::{found, knock, refused},
    shared::{call, deployment, id},
};
use chancery_api::{reasons, v1::AddTrustAnchorRequest};

#[tokio::test]
async fn each_kind_of_key_proves_itself() {
    let (new, other) = (found("proven").await, found("proven-otherwise").await);
    let (text, foreign) = (new.proof_text().await, other.proof_text().await);
    let shown = String::from_utf8(text.clone()).unwrap();
    assert!(shown.starts_with("chancery trust anchor v1\n") && shown.ends_with("\norganizations/proven\n"), "{shown}");
    for (name, key) in [
        ("p256", "-algorithm EC -pkeyopt ec_paramgen_curve:P-256"),
        ("p384", "-algorithm EC -pkeyopt ec_paramgen_curve:P-384"),
        ("p521", "-algorithm EC -pkeyopt ec_paramgen_curve:P-521"),
        ("rsa", "-algorithm RSA -pkeyopt rsa_keygen_bits:2048"),
        ("ed25519", "-algorithm ED25519"),
    ] {
        let authority = Authority::new(key, &format!("/O=proven/CN={name}"));
        let raw = name == "ed25519";
        let proof = authority.proof(&text, raw);
        let with = |proof: Vec<u8>| AddTrustAnchorRequest { proof, request_id: id(), ..new.addition(&authority) };
        let mut damaged = proof.clone();
        *damaged.last_mut().unwrap() ^= 1;
        for bad in [
            authority.proof(&foreign, raw),
            authority.proof(&text[..text.len() - 1], raw),
            new.authority.proof(&text, false),
            damaged,
            vec![0],
        ] {
            let message =
                refused(call(new.officer.admin().add_trust_anchor(with(bad))).await, reasons::INVALID_ARGUMENT);
            assert!(message.contains("proof"), "{name}: {message}");
        }
        call(new.officer.admin().add_trust_anchor(with(proof))).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        if name == "p384" {
            let member = authority.member(deployment(), "client9", "client", 9);
            knock(&member.connect().await).await.unwrap();
        }
    }
}

//! Every kind of key pair that openssl makes, and how openssl judges what the imported key does.

use crate::desk::{Desk, NODE};

/// How a key proves that it is the one that was imported.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Proof {
    /// It signs, and `openssl dgst` with this hash verifies.
    Dgst(&'static str),
    /// It signs, and `openssl pkeyutl -verify -rawin` with these options verifies.
    RawIn(&'static str),
    /// It agrees on the secret that `openssl pkeyutl -derive` has with a key made by this.
    Agrees(&'static str),
    /// It decrypts what `openssl pkeyutl -encrypt` with these options encrypted.
    Decrypts(&'static str),
}

/// A kind of key pair.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) algorithm: &'static str,
    pub(crate) purpose: &'static str,
    /// What openssl is told.
    pub(crate) made_by: &'static str,
    pub(crate) proof: Proof,
    /// SoftHSM takes such keys in.
    pub(crate) token: bool,
}

const P256: &str = "ecparam -name prime256v1 -genkey -noout";
const OAEP: &str = "-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256";

/// All of them, and P-256, SM2 and RSA in each of their purposes.
pub(crate) const KINDS: [Kind; 11] = [
    kind("ec-p256", "sign", P256, Proof::Dgst("sha256"), true),
    kind("ec-p384", "sign", "ecparam -name secp384r1 -genkey -noout", Proof::Dgst("sha384"), true),
    kind("ec-p521", "sign", "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521", Proof::Dgst("sha512"), true),
    kind("ec-secp256k1", "sign", "ecparam -name secp256k1 -genkey -noout", Proof::Dgst("sha256"), true),
    kind("ed25519", "sign", "genpkey -algorithm ed25519", Proof::RawIn(""), false),
    kind("rsa-2048", "sign", "genrsa -traditional", Proof::Dgst("sha256"), true),
    kind("sm2", "sign", "genpkey -algorithm SM2", SM2, false),
    kind("x25519", "agree", "genpkey -algorithm x25519", Proof::Agrees("genpkey -algorithm x25519"), false),
    kind("ec-p256", "agree", P256, Proof::Agrees(P256), true),
    kind("sm2", "encrypt", "genpkey -algorithm SM2", Proof::Decrypts(""), false),
    kind("rsa-2048", "encrypt", "genrsa", Proof::Decrypts(OAEP), false),
];

const SM2: Proof = Proof::RawIn("-digest sm3 -pkeyopt distid:1234567812345678");

const fn kind(
    algorithm: &'static str,
    purpose: &'static str,
    made_by: &'static str,
    proof: Proof,
    token: bool,
) -> Kind {
    Kind { algorithm, purpose, made_by, proof, token }
}

impl Kind {
    /// Whether `key` does what only the private key in `original` can do, as openssl judges with that key's public half.
    pub(crate) fn is_proven(&self, desk: &Desk<'_>, key: &str, original: &str) -> bool {
        let public = desk.file("original.pem", desk.public_of(original));
        self.verifies(desk, key, &public)
    }

    /// The same, with the public key in a file.
    pub(crate) fn verifies(&self, desk: &Desk<'_>, key: &str, public: &str) -> bool {
        let message = format!("a message for {key}");
        match self.proof {
            // It signs nothing but what the service composed.
            Proof::Dgst(hash) => {
                desk.sign(key, message.as_bytes());
                let (signature, message) = (desk.path("signature"), desk.path("message"));
                let verify = format!("dgst -{hash} -verify {public} -signature {signature} {message}");
                desk.openssl.run(&verify).status.success()
            }
            Proof::RawIn(options) => {
                desk.sign(key, message.as_bytes());
                let (signature, message) = (desk.path("signature"), desk.path("message"));
                let verify = format!(
                    "pkeyutl -verify -pubin -inkey {public} -rawin -in {message} -sigfile {signature} {options}"
                );
                desk.openssl.run(&verify).status.success()
            }
            Proof::Agrees(how) => {
                let other = desk.generate("other.key", how);
                let other_public = desk.file("other.pem", desk.public_of(&other));
                let (here, there) = (desk.path("here"), desk.path("there"));
                desk.run(NODE, &format!("agree {key} --peer {other_public} --out {here}"));
                desk.openssl.text(&format!("pkeyutl -derive -inkey {other} -peerkey {public} -out {there}"));
                desk.read("here") == desk.read("there")
            }
            Proof::Decrypts(options) => {
                let plain = desk.file("plain", &message);
                let (cipher, opened) = (desk.path("cipher"), desk.path("opened"));
                let encrypt = format!("pkeyutl -encrypt -pubin -inkey {public} -in {plain} -out {cipher} {options}");
                desk.openssl.text(&encrypt);
                desk.run(NODE, &format!("decrypt {key} --in {cipher} --out {opened}"));
                desk.read("opened") == message.as_bytes()
            }
        }
    }
}

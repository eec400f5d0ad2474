//! Signatures of project Wycheproof: those that are valid verify, and no invalid one does, however nearly it is.

use crate::{
    crypto::{Form, PublicKey, Signable},
    model::{Algorithm, Hash, RsaPadding, SignatureFormat},
};
use wycheproof::{TestResult, ecdsa, eddsa, rsa_pkcs1_verify, rsa_pss_verify};

/// What a set of vectors is of.
struct Set {
    algorithm: Algorithm,
    hash: Option<Hash>,
    padding: Option<RsaPadding>,
    format: SignatureFormat,
}

impl Set {
    fn of(algorithm: Algorithm, hash: Option<Hash>) -> Self {
        Self { algorithm, hash, padding: None, format: SignatureFormat::Der }
    }

    fn verifies(&self, key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
        let signable = Signable::Message { hash: self.hash, value: message.to_vec(), user_id: None };
        let input = signable.fit(key, self.padding).unwrap();
        let form = Form::new(self.algorithm, self.format, Some(false)).unwrap();
        form.read(key, &input, signature).is_some_and(|signature| key.verify(&input, &signature))
    }
}

/// Judges one vector after the other, and counts.
macro_rules! judge {
    ($set:expr, $vectors:expr, $tried:ident) => {
        for group in $vectors.test_groups {
            let key = PublicKey::parse($set.algorithm, &group.key_der()).unwrap();
            for test in group.tests {
                let verifies = $set.verifies(&key, &test.msg, &test.sig);
                match test.result {
                    TestResult::Valid => assert!(verifies, "{} {}: {}", $set.algorithm, test.tc_id, test.comment),
                    TestResult::Invalid => assert!(!verifies, "{} {}: {}", $set.algorithm, test.tc_id, test.comment),
                    TestResult::Acceptable => continue,
                }
                $tried += 1;
            }
        }
    };
}

/// Every kind of group has its public key in a field of this name.
trait KeyDer {
    fn key_der(&self) -> Vec<u8>;
}

macro_rules! key_der {
    ($($module:ident),+) => {
        $(impl KeyDer for $module::TestGroup {
            fn key_der(&self) -> Vec<u8> {
                self.der.to_vec()
            }
        })+
    };
}
key_der!(ecdsa, eddsa, rsa_pkcs1_verify, rsa_pss_verify);

#[test]
fn ecdsa_signatures() {
    use ecdsa::TestName as Name;
    let mut tried = 0;
    for (algorithm, hash, der, raw) in [
        (Algorithm::EcP256, Hash::Sha256, Name::EcdsaSecp256r1Sha256, Some(Name::EcdsaSecp256r1Sha256P1363)),
        (Algorithm::EcP256, Hash::Sha512, Name::EcdsaSecp256r1Sha512, Some(Name::EcdsaSecp256r1Sha512P1363)),
        (Algorithm::EcP384, Hash::Sha256, Name::EcdsaSecp384r1Sha256, None),
        (Algorithm::EcP384, Hash::Sha384, Name::EcdsaSecp384r1Sha384, Some(Name::EcdsaSecp384r1Sha384P1363)),
        (Algorithm::EcP521, Hash::Sha512, Name::EcdsaSecp521r1Sha512, Some(Name::EcdsaSecp521r1Sha512P1363)),
        (Algorithm::EcSecp256k1, Hash::Sha256, Name::EcdsaSecp256k1Sha256, Some(Name::EcdsaSecp256k1Sha256P1363)),
        (Algorithm::EcSecp256k1, Hash::Sha512, Name::EcdsaSecp256k1Sha512, Some(Name::EcdsaSecp256k1Sha512P1363)),
    ] {
        let set = Set::of(algorithm, Some(hash));
        judge!(set, ecdsa::TestSet::load(der).unwrap(), tried);
        if let Some(raw) = raw {
            let set = Set { format: SignatureFormat::Raw, ..set };
            judge!(set, ecdsa::TestSet::load(raw).unwrap(), tried);
        }
    }
    assert!(tried > 4_000, "{tried}");
}

#[test]
fn ed25519_signatures() {
    let mut tried = 0;
    let set = Set::of(Algorithm::Ed25519, None);
    judge!(set, eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap(), tried);
    assert!(tried > 100, "{tried}");
}

#[test]
fn rsa_signatures() {
    use rsa_pkcs1_verify::TestName as Pkcs1;
    use rsa_pss_verify::TestName as Pss;
    let mut tried = 0;
    for (algorithm, hash, name) in [
        (Algorithm::Rsa2048, Hash::Sha256, Pkcs1::Rsa2048Sha256),
        (Algorithm::Rsa2048, Hash::Sha384, Pkcs1::Rsa2048Sha384),
        (Algorithm::Rsa2048, Hash::Sha512, Pkcs1::Rsa2048Sha512),
        (Algorithm::Rsa3072, Hash::Sha256, Pkcs1::Rsa3072Sha256),
        (Algorithm::Rsa3072, Hash::Sha512, Pkcs1::Rsa3072Sha512),
        (Algorithm::Rsa4096, Hash::Sha256, Pkcs1::Rsa4096Sha256),
        (Algorithm::Rsa4096, Hash::Sha512, Pkcs1::Rsa4096Sha512),
    ] {
        let set = Set { padding: Some(RsaPadding::Pkcs1), ..Set::of(algorithm, Some(hash)) };
        judge!(set, rsa_pkcs1_verify::TestSet::load(name).unwrap(), tried);
    }
    for (algorithm, hash, name) in [
        (Algorithm::Rsa2048, Hash::Sha256, Pss::RsaPss2048Sha256Mgf1SaltLen32),
        (Algorithm::Rsa2048, Hash::Sha384, Pss::RsaPss2048Sha384Mgf1SaltLen48),
        (Algorithm::Rsa3072, Hash::Sha256, Pss::RsaPss3072Sha256Mgf1SaltLen32),
        (Algorithm::Rsa4096, Hash::Sha256, Pss::RsaPss4096Sha256Mgf1SaltLen32),
        (Algorithm::Rsa4096, Hash::Sha512, Pss::RsaPss4096Sha512Mgf1SaltLen64),
    ] {
        let set = Set { padding: Some(RsaPadding::Pss), ..Set::of(algorithm, Some(hash)) };
        judge!(set, rsa_pss_verify::TestSet::load(name).unwrap(), tried);
    }
    assert!(tried > 1_500, "{tried}");
}

//! The API's enums in the words of the command line.
//!
//! **Invariant**: each table holds every value of its enum but UNSPECIFIED, so nothing unknown is offered and everything
//! known is printed by its name.

use chancery_api::v1::{
    Algorithm, CertificateProfile, Check, CipherMode, Hash, KeyState, OaepHash, Origin, Priority, Protection, Purpose,
    RsaPadding, SignatureFormat,
};
use clap::builder::{PossibleValuesParser, TypedValueParser};

/// Words and what they mean.
pub(crate) type Words<T> = &'static [(&'static str, T)];

pub(crate) const ALGORITHMS: Words<Algorithm> = &[
    ("ec-p256", Algorithm::EcP256),
    ("ec-p384", Algorithm::EcP384),
    ("ec-p521", Algorithm::EcP521),
    ("ec-secp256k1", Algorithm::EcSecp256k1),
    ("ed25519", Algorithm::Ed25519),
    ("rsa-2048", Algorithm::Rsa2048),
    ("rsa-3072", Algorithm::Rsa3072),
    ("rsa-4096", Algorithm::Rsa4096),
    ("sm2", Algorithm::Sm2),
    ("ml-dsa-44", Algorithm::MlDsa44),
    ("ml-dsa-65", Algorithm::MlDsa65),
    ("ml-dsa-87", Algorithm::MlDsa87),
    ("x25519", Algorithm::X25519),
    ("aes-256", Algorithm::Aes256),
    ("sm4", Algorithm::Sm4),
    ("hmac-sha256", Algorithm::HmacSha256),
];
pub(crate) const PURPOSES: Words<Purpose> = &[
    ("sign", Purpose::Sign),
    ("certify", Purpose::Certify),
    ("encrypt", Purpose::Encrypt),
    ("agree", Purpose::Agree),
    ("mac", Purpose::Mac),
    ("wrap", Purpose::Wrap),
];
pub(crate) const PROTECTIONS: Words<Protection> = &[("token", Protection::Token), ("enclave", Protection::Enclave)];
pub(crate) const ORIGINS: Words<Origin> =
    &[("generated", Origin::Generated), ("imported", Origin::Imported), ("restored", Origin::Restored)];
pub(crate) const CHECKS: Words<Check> =
    &[("always", Check::Always), ("sampled", Check::Sampled), ("never", Check::Never)];
pub(crate) const STATES: Words<KeyState> = &[
    ("PRE_ACTIVE", KeyState::PreActive),
    ("ACTIVE", KeyState::Active),
    ("SUSPENDED", KeyState::Suspended),
    ("DEACTIVATED", KeyState::Deactivated),
    ("COMPROMISED", KeyState::Compromised),
    ("DESTROYED", KeyState::Destroyed),
];
pub(crate) const HASHES: Words<HashChoice> = &[
    ("sha256", HashChoice::Named(Hash::Sha256)),
    ("sha384", HashChoice::Named(Hash::Sha384)),
    ("sha512", HashChoice::Named(Hash::Sha512)),
    ("sm3", HashChoice::Named(Hash::Sm3)),
    ("none", HashChoice::AsGiven),
];
pub(crate) const PADDINGS: Words<RsaPadding> = &[("pkcs1", RsaPadding::Pkcs1), ("pss", RsaPadding::Pss)];
pub(crate) const CIPHER_MODES: Words<CipherMode> =
    &[("gcm", CipherMode::Gcm), ("cbc", CipherMode::Cbc), ("cbc-pad", CipherMode::CbcPad)];
pub(crate) const OAEP_HASHES: Words<OaepHash> = &[
    ("sha1", OaepHash::OaepSha1),
    ("sha256", OaepHash::OaepSha256),
    ("sha384", OaepHash::OaepSha384),
    ("sha512", OaepHash::OaepSha512),
];
pub(crate) const FORMATS: Words<SignatureFormat> = &[
    ("der", SignatureFormat::Der),
    ("raw", SignatureFormat::Raw),
    ("ethereum", SignatureFormat::Ethereum),
    ("eos", SignatureFormat::Eos),
];
pub(crate) const PROFILES: Words<CertificateProfile> = &[
    ("root-ca", CertificateProfile::RootCa),
    ("peer", CertificateProfile::Peer),
    ("orderer", CertificateProfile::Orderer),
    ("client", CertificateProfile::Client),
    ("admin", CertificateProfile::Admin),
];

/// What `--hash` says of the input file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HashChoice {
    /// The file is hashed here.
    Named(Hash),
    /// The file is a digest already or, for Ed25519 and ML-DSA, the message itself.
    AsGiven,
}

/// What `--batch` says.
pub(crate) fn priority(batch: bool) -> Priority {
    if batch { Priority::Batch } else { Priority::Unspecified }
}

/// An argument that is one of these words.
pub(crate) fn parser<T>(words: Words<T>) -> impl TypedValueParser<Value = T>
where
    T: Copy + Send + Sync + PartialEq + 'static,
{
    PossibleValuesParser::new(words.iter().map(|(word, _)| *word)).try_map(move |given| {
        words.iter().find(|(word, _)| *word == given).map(|(_, value)| *value).ok_or("not offered")
    })
}

/// The word of a value that the service sent.
pub(crate) fn word<T: PartialEq + Copy>(words: Words<T>, value: T) -> &'static str {
    words.iter().find(|(_, known)| *known == value).map_or("unknown", |(word, _)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every number that is a value of the enum, but 0, has a word.
    fn complete<T: PartialEq + Copy + TryFrom<i32>>(words: Words<T>) {
        let known: Vec<T> = (1..100).filter_map(|number| T::try_from(number).ok()).collect();
        assert_eq!(known.len(), words.len());
        assert!(known.iter().all(|value| word(words, *value) != "unknown"));
    }

    #[test]
    fn every_value_of_the_api_has_a_word() {
        complete(ALGORITHMS);
        complete(PURPOSES);
        complete(PROTECTIONS);
        complete(ORIGINS);
        complete(CHECKS);
        complete(STATES);
        complete(PADDINGS);
        complete(CIPHER_MODES);
        complete(OAEP_HASHES);
        complete(FORMATS);
        complete(PROFILES);
    }
}

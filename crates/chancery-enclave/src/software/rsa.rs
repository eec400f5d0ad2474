//! RSA (RFC 8017), by AWS-LC, which checks every private-key result with the public key.

use std::sync::OnceLock;

use aws_lc_rs::{
    digest::{Algorithm, Digest, SHA256, SHA384, SHA512},
    encoding::AsDer,
    rsa::{
        KeySize, OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OAEP_SHA384_MGF1SHA384, OAEP_SHA512_MGF1SHA512,
        OaepPrivateDecryptingKey, PrivateDecryptingKey,
    },
    signature::{
        KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512,
        RsaEncoding, RsaKeyPair,
    },
};
use chancery_ipc::{KeyAlgorithm, Mechanism};
use der::Decode;
use pkcs8::PrivateKeyInfoRef;

use super::{Output, bad_input, bad_key, bad_length, failed, public_key};
use crate::{fault::Failure, memory::SecretBytes};

/// What comes before the digest in a DER DigestInfo (RFC 8017 §9.2, note 1), with the hash and the signature it is for.
type Prefix = ([u8; 19], &'static Algorithm, &'static dyn RsaEncoding);

static PREFIXES: [Prefix; 3] = [
    (prefix(1, 32), &SHA256, &RSA_PKCS1_SHA256),
    (prefix(2, 48), &SHA384, &RSA_PKCS1_SHA384),
    (prefix(3, 64), &SHA512, &RSA_PKCS1_SHA512),
];

/// For the hash 2.16.840.1.101.3.4.2.`last` of `length` bytes, with NULL parameters.
const fn prefix(last: u8, length: u8) -> [u8; 19] {
    [0x30, 17 + length, 0x30, 13, 0x06, 9, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, last, 0x05, 0, 0x04, length]
}

/// See the module.
pub(super) struct Rsa {
    algorithm: KeyAlgorithm,
    signing: RsaKeyPair,
    /// Made of `secret` when first asked for.
    decrypting: OnceLock<OaepPrivateDecryptingKey>,
    secret: SecretBytes,
}

/// Makes a key; gives its PrivateKeyInfo. AWS-LC's generator (FIPS 186-5 §A.1.3, exponent 65537) takes no random source.
pub(super) fn generate(algorithm: KeyAlgorithm) -> Result<SecretBytes, Failure> {
    let size = match algorithm {
        KeyAlgorithm::Rsa2048 => KeySize::Rsa2048,
        KeyAlgorithm::Rsa3072 => KeySize::Rsa3072,
        _ => KeySize::Rsa4096,
    };
    let der = RsaKeyPair::generate(size).and_then(|key| key.as_der()).map_err(|_| failed("making an RSA key"))?;
    SecretBytes::copy_of(der.as_ref())
}

/// Bits of the modulus.
pub(super) fn bits(algorithm: KeyAlgorithm) -> usize {
    match algorithm {
        KeyAlgorithm::Rsa2048 => 2048,
        KeyAlgorithm::Rsa3072 => 3072,
        _ => 4096,
    }
}

impl Rsa {
    pub(super) fn open(algorithm: KeyAlgorithm, secret: &[u8]) -> Result<Self, Failure> {
        // AWS-LC does not mind what comes after.
        PrivateKeyInfoRef::from_der(secret).map_err(|_| bad_key(algorithm, "it is no PrivateKeyInfo"))?;
        let signing = RsaKeyPair::from_pkcs8(secret)
            .map_err(|rejected| bad_key(algorithm, &format!("AWS-LC refused it ({rejected})")))?;
        if signing.public_modulus_len() != bits(algorithm) / 8 {
            return Err(bad_key(algorithm, "the modulus has another size"));
        }
        Ok(Self { algorithm, signing, decrypting: OnceLock::new(), secret: SecretBytes::copy_of(secret)? })
    }

    pub(super) fn public_key(&self) -> Vec<u8> {
        public_key::encode(self.algorithm, self.signing.public_key().as_ref())
    }

    /// RSASSA-PKCS1-v1_5 of a DigestInfo with SHA-256, SHA-384 or SHA-512.
    pub(super) fn sign_pkcs1(&self, digest_info: &[u8]) -> Result<Output, Failure> {
        let known = PREFIXES.iter().find_map(|(prefix, hash, encoding)| {
            let digest = digest_info.strip_prefix(prefix)?;
            Some((Digest::import_less_safe(digest, hash).ok()?, *encoding))
        });
        let Some((digest, encoding)) = known else {
            let message = "RsaPkcs1 takes the DER DigestInfo of a SHA-256, SHA-384 or SHA-512 digest";
            return Err(Failure::bad_request(message));
        };
        self.sign(encoding, &digest)
    }

    /// RSASSA-PSS of a digest, with a salt as long as it.
    pub(super) fn sign_pss(&self, mechanism: Mechanism, digest: &[u8]) -> Result<Output, Failure> {
        let (hash, encoding): (_, &'static dyn RsaEncoding) = match mechanism {
            Mechanism::RsaPssSha256 => (&SHA256, &RSA_PSS_SHA256),
            Mechanism::RsaPssSha384 => (&SHA384, &RSA_PSS_SHA384),
            _ => (&SHA512, &RSA_PSS_SHA512),
        };
        let digest = Digest::import_less_safe(digest, hash).map_err(|_| bad_length(mechanism, digest.len()))?;
        self.sign(encoding, &digest)
    }

    fn sign(&self, encoding: &'static dyn RsaEncoding, digest: &Digest) -> Result<Output, Failure> {
        let mut signature = Output::new(vec![0; self.signing.public_modulus_len()]);
        let signed = self.signing.sign_digest(encoding, digest, &mut signature);
        signed.map_err(|_| failed("signing with RSA"))?;
        Ok(signature)
    }

    /// RSAES-OAEP, with one hash for both uses of one.
    pub(super) fn decrypt(&self, mechanism: Mechanism, ciphertext: &[u8], label: &[u8]) -> Result<Output, Failure> {
        let oaep = match mechanism {
            Mechanism::RsaOaepSha1Decrypt => &OAEP_SHA1_MGF1SHA1,
            Mechanism::RsaOaepSha384Decrypt => &OAEP_SHA384_MGF1SHA384,
            Mechanism::RsaOaepSha512Decrypt => &OAEP_SHA512_MGF1SHA512,
            _ => &OAEP_SHA256_MGF1SHA256,
        };
        let key = self.decrypting()?;
        let mut plaintext = Output::new(vec![0; key.min_output_size()]);
        let length = key
            .decrypt(oaep, ciphertext, &mut plaintext, (!label.is_empty()).then_some(label))
            .map_err(|_| bad_input("the ciphertext does not open: it or its label changed, or it is not of this key"))?
            .len();
        plaintext.truncate(length);
        Ok(plaintext)
    }

    fn decrypting(&self) -> Result<&OaepPrivateDecryptingKey, Failure> {
        if let Some(key) = self.decrypting.get() {
            return Ok(key);
        }
        let key = PrivateDecryptingKey::from_pkcs8(&self.secret).map_err(|_| failed("opening an RSA key"))?;
        let key = OaepPrivateDecryptingKey::new(key).map_err(|_| failed("opening an RSA key"))?;
        Ok(self.decrypting.get_or_init(|| key))
    }
}

//! Algorithms, hashes and how signatures are written.

use super::Purpose;

crate::words! {
    /// What a key pair is made of.
    pub enum Algorithm {
        /// ECDSA on NIST P-256.
        EcP256 = "ec-p256",
        /// ECDSA on NIST P-384.
        EcP384 = "ec-p384",
        /// ECDSA on NIST P-521.
        EcP521 = "ec-p521",
        /// ECDSA on SEC 2 secp256k1.
        EcSecp256k1 = "ec-secp256k1",
        /// Ed25519 (RFC 8032).
        Ed25519 = "ed25519",
        /// RSA, 2048 bits.
        Rsa2048 = "rsa-2048",
        /// RSA, 3072 bits.
        Rsa3072 = "rsa-3072",
        /// RSA, 4096 bits.
        Rsa4096 = "rsa-4096",
        /// SM2 with SM3 (GB/T 32918).
        Sm2 = "sm2",
        /// ML-DSA-44 (FIPS 204).
        MlDsa44 = "ml-dsa-44",
        /// ML-DSA-65.
        MlDsa65 = "ml-dsa-65",
        /// ML-DSA-87.
        MlDsa87 = "ml-dsa-87",
        /// X25519 (RFC 7748).
        X25519 = "x25519",
        /// AES, 256 bits.
        Aes256 = "aes-256",
        /// SM4 (GB/T 32907).
        Sm4 = "sm4",
        /// HMAC with SHA-256.
        HmacSha256 = "hmac-sha256",
    }
}

crate::words! {
    /// A hash function that a digest names.
    pub enum Hash {
        /// SHA-256 (FIPS 180-4).
        Sha256 = "sha256",
        /// SHA-384.
        Sha384 = "sha384",
        /// SHA-512.
        Sha512 = "sha512",
        /// SM3 (GB/T 32905).
        Sm3 = "sm3",
    }
}

crate::words! {
    /// How a key was used.
    pub enum Mechanism {
        /// FIPS 186-5 §6.
        Ecdsa = "ecdsa",
        /// RFC 8032 §5.1.
        Ed25519 = "ed25519",
        /// RFC 8017 §8.2.
        RsaPkcs1 = "rsa-pkcs1",
        /// RFC 8017 §8.1, salt as long as the digest.
        RsaPss = "rsa-pss",
        /// GB/T 32918.2 §6.
        Sm2 = "sm2",
        /// FIPS 204 §5.2, pure, empty context.
        MlDsa = "ml-dsa",
        /// RFC 8017 §7.1 with SHA-256.
        RsaOaep = "rsa-oaep",
        /// The same with SHA-1.
        RsaOaepSha1 = "rsa-oaep-sha1",
        /// The same with SHA-384.
        RsaOaepSha384 = "rsa-oaep-sha384",
        /// The same with SHA-512.
        RsaOaepSha512 = "rsa-oaep-sha512",
        /// GB/T 32918.4, C1C3C2.
        Sm2Encryption = "sm2-encryption",
        /// SP 800-56A §5.7.1.2, or RFC 7748 §6.1.
        Ecdh = "ecdh",
        /// SP 800-38D, RFC 8998; encryption with a nonce made here.
        Gcm = "gcm",
        /// Encryption with the caller's nonce.
        GcmGivenNonce = "gcm-given-nonce",
        /// SP 800-38A §6.2, of whole blocks.
        Cbc = "cbc",
        /// The same with the padding of PKCS #7.
        CbcPad = "cbc-pad",
        /// RFC 2104.
        Hmac = "hmac",
        /// RFC 5649.
        Kwp = "kwp",
    }
}

crate::words! {
    /// How a secret key encrypts.
    pub enum CipherMode {
        /// Galois/counter mode.
        Gcm = "gcm",
        /// Cipher block chaining of whole blocks.
        Cbc = "cbc",
        /// The same with the padding of PKCS #7.
        CbcPad = "cbc-pad",
    }
}

crate::words! {
    /// The hash of RSAES-OAEP and of its MGF1.
    pub enum OaepHash {
        /// FIPS 180-4; sound here, and what older clients know alone.
        Sha1 = "sha1",
        /// What is meant where none is named.
        Sha256 = "sha256",
        /// SHA-384.
        Sha384 = "sha384",
        /// SHA-512.
        Sha512 = "sha512",
    }
}

crate::words! {
    /// How a request to encrypt or decrypt says that it be done, for policies.
    pub enum Mode {
        /// It does not say: GCM with a nonce made here, RSAES-OAEP with SHA-256, SM2. Decryption with any nonce, too.
        Default = "default",
        /// Encrypt with the caller's nonce, in GCM.
        GcmGivenNonce = "gcm-given-nonce",
        /// In CBC.
        Cbc = "cbc",
        /// In CBC with padding.
        CbcPad = "cbc-pad",
        /// RSAES-OAEP with SHA-1.
        OaepSha1 = "oaep-sha1",
        /// RSAES-OAEP with SHA-384.
        OaepSha384 = "oaep-sha384",
        /// RSAES-OAEP with SHA-512.
        OaepSha512 = "oaep-sha512",
    }
}

crate::words! {
    /// An RSA signature scheme.
    pub enum RsaPadding {
        /// RSASSA-PKCS1-v1_5.
        Pkcs1 = "pkcs1",
        /// RSASSA-PSS.
        Pss = "pss",
    }
}

crate::words! {
    /// How a signature is written.
    pub enum SignatureFormat {
        /// Ecdsa-Sig-Value (RFC 3279 §2.2.3).
        Der = "der",
        /// r ‖ s, each of the field's width.
        Raw = "raw",
        /// r ‖ s ‖ v, v = 27 + recovery id.
        Ethereum = "ethereum",
        /// 31 + recovery id ‖ r ‖ s, canonical as nodeos demands.
        Eos = "eos",
    }
}

impl Algorithm {
    /// Length in bytes of an ECDSA curve's field and order; `None` for everything else, also for SM2.
    pub fn ecdsa_width(self) -> Option<usize> {
        match self {
            Self::EcP256 | Self::EcSecp256k1 => Some(32),
            Self::EcP384 => Some(48),
            Self::EcP521 => Some(66),
            _ => None,
        }
    }

    /// Whether it is RSA.
    pub fn is_rsa(self) -> bool {
        matches!(self, Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096)
    }

    /// Whether it is ML-DSA.
    pub fn is_ml_dsa(self) -> bool {
        matches!(self, Self::MlDsa44 | Self::MlDsa65 | Self::MlDsa87)
    }

    /// Whether its keys are secret keys, without a public half.
    pub fn is_secret(self) -> bool {
        matches!(self, Self::Aes256 | Self::Sm4 | Self::HmacSha256)
    }

    /// What its keys may be for; the first where none is named.
    pub fn purposes(self) -> &'static [Purpose] {
        use Purpose::{Agree, Certify, Encrypt, Mac, Sign, Wrap};
        match self {
            Self::EcP256 | Self::EcP384 | Self::EcP521 => &[Sign, Certify, Agree],
            Self::EcSecp256k1 | Self::Ed25519 | Self::MlDsa44 | Self::MlDsa65 | Self::MlDsa87 => &[Sign, Certify],
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 | Self::Sm2 => &[Sign, Certify, Encrypt],
            Self::X25519 => &[Agree],
            Self::Aes256 => &[Encrypt, Wrap],
            Self::Sm4 => &[Encrypt],
            Self::HmacSha256 => &[Mac],
        }
    }

    /// The hash used for messages and certificates where none is named; `None` where the algorithm hashes by itself or
    /// signs nothing.
    pub fn default_hash(self) -> Option<Hash> {
        match self {
            Self::EcP384 => Some(Hash::Sha384),
            Self::EcP521 => Some(Hash::Sha512),
            Self::Sm2 => Some(Hash::Sm3),
            Self::EcP256 | Self::EcSecp256k1 | Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => Some(Hash::Sha256),
            _ => None,
        }
    }
}

impl Hash {
    /// Length of a digest in bytes.
    pub fn length(self) -> usize {
        match self {
            Self::Sha256 | Self::Sm3 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

impl OaepHash {
    /// The mechanism that records name.
    pub fn mechanism(self) -> Mechanism {
        match self {
            Self::Sha1 => Mechanism::RsaOaepSha1,
            Self::Sha256 => Mechanism::RsaOaep,
            Self::Sha384 => Mechanism::RsaOaepSha384,
            Self::Sha512 => Mechanism::RsaOaepSha512,
        }
    }
}

//! Algorithms, hashes and how signatures are written.

super::words! {
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
    }
}

super::words! {
    /// A hash function that a digest names.
    pub enum Hash {
        /// SHA-256 (FIPS 180-4).
        Sha256 = "sha256",
        /// SHA-384.
        Sha384 = "sha384",
        /// SHA-512.
        Sha512 = "sha512",
    }
}

super::words! {
    /// How a signature was made.
    pub enum Mechanism {
        /// FIPS 186-5 §6.
        Ecdsa = "ecdsa",
        /// RFC 8032 §5.1.
        Ed25519 = "ed25519",
        /// RFC 8017 §8.2.
        RsaPkcs1 = "rsa-pkcs1",
        /// RFC 8017 §8.1, salt as long as the digest.
        RsaPss = "rsa-pss",
    }
}

super::words! {
    /// An RSA signature scheme.
    pub enum RsaPadding {
        /// RSASSA-PKCS1-v1_5.
        Pkcs1 = "pkcs1",
        /// RSASSA-PSS.
        Pss = "pss",
    }
}

super::words! {
    /// How an ECDSA signature is written.
    pub enum SignatureFormat {
        /// Ecdsa-Sig-Value (RFC 3279 §2.2.3).
        Der = "der",
        /// r ‖ s, each of the field's width.
        Raw = "raw",
    }
}

impl Algorithm {
    /// Length in bytes of the curve's field and order; `None` for Ed25519 and RSA.
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

    /// The hash used for messages and certificates where none is named; `None` for Ed25519.
    pub fn default_hash(self) -> Option<Hash> {
        match self {
            Self::Ed25519 => None,
            Self::EcP384 => Some(Hash::Sha384),
            Self::EcP521 => Some(Hash::Sha512),
            _ => Some(Hash::Sha256),
        }
    }
}

impl Hash {
    /// Length of a digest in bytes.
    pub fn length(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

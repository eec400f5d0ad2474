//! Ordinary keys: making, using, wrapping, closing, destroying them.

/// One operation with a private or secret key, as the enclave has entered it in its chain (docs/audit-log.md §9): what the
/// log must show of it. Faults have one, too, if the key may have been used or made.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Operation {
    /// 16 bytes that name the enclave process.
    #[prost(bytes = "vec", tag = "1")]
    pub incarnation: Vec<u8>,
    /// Its count of such operations, this one included.
    #[prost(uint64, tag = "2")]
    pub number: u64,
    /// Full resource name of the key version.
    #[prost(string, tag = "3")]
    pub version: String,
    /// How it was used: the word that stands in the record.
    #[prost(string, tag = "4")]
    pub mechanism: String,
    /// 32 bytes: of a signature, of what went in and came out; else random.
    #[prost(bytes = "vec", tag = "5")]
    pub commitment: Vec<u8>,
}

/// What a key is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum KeyAlgorithm {
    /// No algorithm: an error.
    Unspecified = 0,
    /// NIST P-256.
    EcP256 = 1,
    /// NIST P-384.
    EcP384 = 2,
    /// NIST P-521.
    EcP521 = 3,
    /// SEC 2 secp256k1.
    EcSecp256k1 = 4,
    /// Ed25519 (RFC 8032).
    Ed25519 = 5,
    /// RSA, modulus of 2048 bits, public exponent 65537.
    Rsa2048 = 6,
    /// RSA, modulus of 3072 bits.
    Rsa3072 = 7,
    /// RSA, modulus of 4096 bits.
    Rsa4096 = 8,
    /// SM2 (GB/T 32918).
    Sm2 = 9,
    /// ML-DSA-44 (FIPS 204).
    MlDsa44 = 10,
    /// ML-DSA-65.
    MlDsa65 = 11,
    /// ML-DSA-87.
    MlDsa87 = 12,
    /// X25519 (RFC 7748).
    X25519 = 13,
    /// AES with a key of 32 bytes (FIPS 197).
    Aes256 = 14,
    /// SM4, a key of 16 bytes (GB/T 32907).
    Sm4 = 15,
    /// HMAC with SHA-256, a key of 32 bytes (FIPS 198-1).
    HmacSha256 = 16,
}

/// What a key may be used for. The enclave holds each use against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum KeyPurpose {
    /// No purpose: an error.
    Unspecified = 0,
    /// Signing, of certificates too.
    Sign = 1,
    /// Encryption and decryption.
    Encrypt = 2,
    /// Key agreement.
    Agree = 3,
    /// Message authentication codes.
    Mac = 4,
    /// Wrapping keys.
    Wrap = 5,
}

/// Where a private key lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum KeyProtection {
    /// Not said: an error.
    Unspecified = 0,
    /// In the token.
    Token = 1,
    /// Wrapped at rest, opened in the enclave's memory.
    Enclave = 2,
}

/// Where a private key comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum KeyOrigin {
    /// Not said: an error.
    Unspecified = 0,
    /// Made here (token or enclave), and not brought back from a backup.
    Generated = 1,
    /// Brought from elsewhere.
    Imported = 2,
    /// Brought back from a backup, of whatever deployment, which says that it was generated or restored there.
    Restored = 3,
}

/// A key version as the service registered it.
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeyRef {
    /// Full resource name of the key version.
    #[prost(string, tag = "1")]
    pub version: String,
    /// SHA-256 of the version's SubjectPublicKeyInfo, which the key must match; of a secret key, of no bytes at all.
    #[prost(bytes = "vec", tag = "2")]
    pub public_key_sha256: Vec<u8>,
    /// What it is made of.
    #[prost(enumeration = "KeyAlgorithm", tag = "3")]
    pub algorithm: i32,
    /// What it may be used for.
    #[prost(enumeration = "KeyPurpose", tag = "4")]
    pub purpose: i32,
    /// Where it comes from.
    #[prost(enumeration = "KeyOrigin", tag = "5")]
    pub origin: i32,
    /// Where it lives.
    #[prost(enumeration = "KeyProtection", tag = "6")]
    pub protection: i32,
    /// An enclave key as it was wrapped; empty: it may be open already, and if it is not the fault is
    /// [`super::FaultReason::KeyNotOpen`].
    #[prost(bytes = "vec", tag = "7")]
    pub wrapped: Vec<u8>,
}

/// See [`super::request::Verb::GenerateKey`]. Reply: [`KeyGenerated`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct GenerateKey {
    /// Full resource name of the key version.
    #[prost(string, tag = "1")]
    pub version: String,
    /// What to make.
    #[prost(enumeration = "KeyAlgorithm", tag = "2")]
    pub algorithm: i32,
    /// What for.
    #[prost(enumeration = "KeyPurpose", tag = "3")]
    pub purpose: i32,
    /// Where.
    #[prost(enumeration = "KeyProtection", tag = "4")]
    pub protection: i32,
    /// Enclave keys: the generation of the organization's key-encryption key to wrap it under.
    #[prost(uint64, tag = "5")]
    pub kek_generation: u64,
}

/// Reply to [`GenerateKey`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeyGenerated {
    /// The version asked for.
    #[prost(string, tag = "1")]
    pub version: String,
    /// SubjectPublicKeyInfo, DER; empty for a secret key.
    #[prost(bytes = "vec", tag = "2")]
    pub public_key: Vec<u8>,
    /// What the log must show of it.
    #[prost(message, required, tag = "5")]
    pub operation: Operation,
    /// Enclave keys: the wrapped key.
    #[prost(bytes = "vec", tag = "4")]
    pub wrapped: Vec<u8>,
}

/// See [`super::request::Verb::UseKey`]. Reply: [`KeyUsed`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct UseKey {
    /// Which key.
    #[prost(message, required, tag = "1")]
    pub key: KeyRef,
    /// How to use it.
    #[prost(enumeration = "Mechanism", tag = "2")]
    pub mechanism: i32,
    /// What the mechanism takes: see [`Mechanism`].
    #[prost(bytes = "vec", tag = "3")]
    pub input: Vec<u8>,
    /// GCM: associated data. RSAES-OAEP: the label.
    #[prost(bytes = "vec", tag = "4")]
    pub associated_data: Vec<u8>,
    /// The nonce or initialization vector, for mechanisms that take one; empty for all others.
    #[prost(bytes = "vec", tag = "5")]
    pub iv: Vec<u8>,
}

/// Reply to [`UseKey`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeyUsed {
    /// The version asked for.
    #[prost(string, tag = "1")]
    pub version: String,
    /// SHA-256 of the input that was used.
    #[prost(bytes = "vec", tag = "2")]
    pub input_sha256: Vec<u8>,
    /// What the mechanism gave: see [`Mechanism`].
    #[prost(bytes = "vec", tag = "3")]
    pub output: Vec<u8>,
    /// What the log must show of it.
    #[prost(message, required, tag = "6")]
    pub operation: Operation,
    /// The first use on a new session or object handle, or since the key was opened: worth a check.
    #[prost(bool, tag = "5")]
    pub first_on_handle: bool,
}

/// How a private or secret key is used, and what input and output are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum Mechanism {
    /// No mechanism: an error.
    Unspecified = 0,
    /// Input: a digest of 1 to 66 bytes. Output: r ‖ s, each of the field's width (PKCS#11 CKM_ECDSA).
    Ecdsa = 1,
    /// Input: the message. Output: 64 bytes (CKM_EDDSA, RFC 8032 §5.1).
    Eddsa = 2,
    /// Input: a DER DigestInfo (RFC 8017 §9.2). Output: modulus length (CKM_RSA_PKCS).
    RsaPkcs1 = 3,
    /// Input: a SHA-256 digest; salt of 32 bytes, MGF1 with SHA-256 (CKM_RSA_PKCS_PSS).
    RsaPssSha256 = 4,
    /// Input: a SHA-384 digest; salt of 48 bytes, MGF1 with SHA-384.
    RsaPssSha384 = 5,
    /// Input: a SHA-512 digest; salt of 64 bytes, MGF1 with SHA-512.
    RsaPssSha512 = 6,
    /// As [`Mechanism::Ecdsa`] on a curve of 32 bytes, signed anew until r needs no 33rd byte in DER and s, or n - s, is
    /// as short (EOS "canonical"). Output: r ‖ s with the lower s. Counts as one operation.
    EcdsaCanonical = 7,
    /// Input: e, 32 bytes (GB/T 32918.2 §6.1, step A2). Output: r ‖ s, 64 bytes.
    Sm2 = 8,
    /// Input: the message. Output: the signature, pure, empty context (FIPS 204 §5.2).
    MlDsa = 9,
    /// Input: ciphertext of the modulus' length. Output: plaintext (RFC 8017 §7.1, SHA-256, MGF1 with SHA-256).
    RsaOaepSha256Decrypt = 10,
    /// Input: 04 ‖ x ‖ y ‖ C3 ‖ C2 (GB/T 32918.4 §6, C1C3C2). Output: plaintext.
    Sm2Decrypt = 11,
    /// Input: the other side's SubjectPublicKeyInfo, DER, on the same curve. Output: the x-coordinate (SP 800-56A §5.7.1.2)
    /// or X25519's 32 bytes, which are not all zero (RFC 7748 §6.1).
    Ecdh = 12,
    /// AES-256 or SM4 in GCM (SP 800-38D, RFC 8998). Input: plaintext. Output: nonce (12 random bytes) ‖ ciphertext ‖ tag
    /// (16 bytes).
    GcmEncrypt = 13,
    /// Input: nonce ‖ ciphertext ‖ tag, as [`Mechanism::GcmEncrypt`] gives it. Output: plaintext.
    GcmDecrypt = 14,
    /// Input: the message. Output: 32 bytes (RFC 2104).
    HmacSha256 = 15,
    /// AES Key Wrap with Padding (RFC 5649). Input: key bytes. Output: wrapped key.
    KwpWrap = 16,
    /// Input: wrapped key. Output: key bytes.
    KwpUnwrap = 17,
    /// As [`Mechanism::GcmEncrypt`] with the nonce given, 12 bytes as `iv`. Output: ciphertext ‖ tag.
    GcmEncryptGivenNonce = 18,
    /// AES-256 or SM4 in CBC (SP 800-38A §6.2), `iv` of 16 bytes. Input: whole blocks, one at least. Output: as many.
    CbcEncrypt = 19,
    /// Input: as [`Mechanism::CbcEncrypt`] gives it, with the same `iv`. Output: plaintext.
    CbcDecrypt = 20,
    /// As [`Mechanism::CbcEncrypt`], of an input of any length that is padded first (PKCS #7, RFC 5652 §6.3).
    CbcPadEncrypt = 21,
    /// Input: as [`Mechanism::CbcPadEncrypt`] gives it, with the same `iv`. Output: plaintext.
    CbcPadDecrypt = 22,
    /// As [`Mechanism::RsaOaepSha256Decrypt`], with SHA-1 for both hashes.
    RsaOaepSha1Decrypt = 23,
    /// With SHA-384.
    RsaOaepSha384Decrypt = 24,
    /// With SHA-512.
    RsaOaepSha512Decrypt = 25,
}

/// See [`super::request::Verb::DestroyKey`]. Reply: [`KeyDestroyed`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct DestroyKey {
    /// Full resource name of the key version.
    #[prost(string, tag = "1")]
    pub version: String,
}

/// Reply to [`DestroyKey`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeyDestroyed {
    /// Objects removed from the token: 0 when none was there.
    #[prost(uint32, tag = "1")]
    pub objects: u32,
}

/// See [`super::request::Verb::CloseKey`]. Reply: [`KeyClosed`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct CloseKey {
    /// Full resource name of the key version.
    #[prost(string, tag = "1")]
    pub version: String,
}

/// Reply to [`CloseKey`]. Nobody uses the key any more, and its bytes are wiped.
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeyClosed {
    /// Whether it was open.
    #[prost(bool, tag = "1")]
    pub was_open: bool,
}

/// See [`super::request::Verb::EnsureKek`]. Reply: [`KekReady`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct EnsureKek {
    /// Resource id of the organization.
    #[prost(string, tag = "1")]
    pub organization: String,
    /// Counted from 1.
    #[prost(uint64, tag = "2")]
    pub generation: u64,
}

/// Reply to [`EnsureKek`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct KekReady {
    /// It was made just now.
    #[prost(bool, tag = "1")]
    pub created: bool,
    /// How it encrypts data keys, e.g. `CKM_AES_GCM`.
    #[prost(string, tag = "2")]
    pub mechanism: String,
}

/// See [`super::request::Verb::DestroyKek`]. Reply: [`KekDestroyed`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct DestroyKek {
    /// Resource id of the organization.
    #[prost(string, tag = "1")]
    pub organization: String,
    /// Which generation.
    #[prost(uint64, tag = "2")]
    pub generation: u64,
}

/// Reply to [`DestroyKek`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct KekDestroyed {
    /// Whether it was there.
    #[prost(bool, tag = "1")]
    pub was_there: bool,
}

/// See [`super::request::Verb::Rewrap`]. Reply: [`Rewrapped`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct Rewrap {
    /// An enclave key, with `wrapped`.
    #[prost(message, required, tag = "1")]
    pub key: KeyRef,
    /// The generation to wrap it under.
    #[prost(uint64, tag = "2")]
    pub kek_generation: u64,
}

/// Reply to [`Rewrap`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct Rewrapped {
    /// The version.
    #[prost(string, tag = "1")]
    pub version: String,
    /// The same key, wrapped with a fresh data key.
    #[prost(bytes = "vec", tag = "2")]
    pub wrapped: Vec<u8>,
}

/// See [`super::request::Verb::Random`]. Reply: [`RandomDrawn`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct Random {
    /// How many bytes: 1 to 1024.
    #[prost(uint32, tag = "1")]
    pub length: u32,
}

/// Reply to [`Random`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct RandomDrawn {
    /// The bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub bytes: Vec<u8>,
}

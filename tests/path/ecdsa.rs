//! ECDSA on every curve: digests and messages of any hash, DER and raw, low s on and off.

use crate::{
    openssl::{OpenSsl, der_of_raw, is_low, s_of_der},
    shared::{call, client, create, id, key, sign},
};
use chancery_api::v1::{
    Algorithm, Digest, GetPublicKeyRequest, Hash, SignRequest, SignatureFormat, VerifyRequest, sign_request,
    verify_request,
};
use chancery_client::Client;
use sha2::Digest as _;

struct Curve {
    algorithm: Algorithm,
    id: &'static str,
    /// Of r and of s, in bytes.
    width: usize,
    /// The hash for messages where none is named.
    default_hash: &'static str,
    /// `openssl ecparam -param_enc explicit -text`.
    order: &'static str,
}

const P256: Curve = Curve {
    algorithm: Algorithm::EcP256,
    id: "ecdsa-p256",
    width: 32,
    default_hash: "sha256",
    order: "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
};
const P384: Curve = Curve {
    algorithm: Algorithm::EcP384,
    id: "ecdsa-p384",
    width: 48,
    default_hash: "sha384",
    order: "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
};
const P521: Curve = Curve {
    algorithm: Algorithm::EcP521,
    id: "ecdsa-p521",
    width: 66,
    default_hash: "sha512",
    order: "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d0\
            3bb5c9b8899c47aebb6fb71e91386409",
};
const SECP256K1: Curve = Curve {
    algorithm: Algorithm::EcSecp256k1,
    id: "ecdsa-secp256k1",
    width: 32,
    default_hash: "sha256",
    order: "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
};

const MESSAGE: &[u8] = b"a block of transactions";

fn digest(hash: Hash) -> Vec<u8> {
    match hash {
        Hash::Sha384 => sha2::Sha384::digest(MESSAGE).to_vec(),
        Hash::Sha512 => sha2::Sha512::digest(MESSAGE).to_vec(),
        _ => sha2::Sha256::digest(MESSAGE).to_vec(),
    }
}

/// A key of the curve, and how it is used.
struct Holder {
    client: Client,
    name: String,
    public: String,
    openssl: OpenSsl,
}

impl Holder {
    async fn of(curve: &Curve, id: &str) -> Self {
        let name = key(id);
        create(&name, "peer0", curve.algorithm).await;
        let client = client("org1-peer0").await;
        let public = call(client.signing().get_public_key(GetPublicKeyRequest { name: name.clone() })).await.unwrap();
        assert_eq!(public.algorithm(), curve.algorithm);
        Self { client, name, public: public.pem, openssl: OpenSsl::new() }
    }

    async fn sign(&self, input: sign_request::Input, format: SignatureFormat, low_s: Option<bool>) -> Vec<u8> {
        let request = SignRequest {
            name: self.name.clone(),
            input: Some(input),
            format: format.into(),
            low_s,
            request_id: id(),
            ..SignRequest::default()
        };
        sign(&self.client, request).await.unwrap().signature
    }

    async fn sign_digest(&self, hash: Hash, value: &[u8], format: SignatureFormat) -> Vec<u8> {
        let digest = Digest { hash: hash.into(), value: value.to_vec() };
        self.sign(sign_request::Input::Digest(digest), format, None).await
    }

    /// What the service itself says of a signature.
    async fn verify(&self, hash: Hash, value: &[u8], signature: &[u8], format: SignatureFormat) -> bool {
        let digest = Digest { hash: hash.into(), value: value.to_vec() };
        let request = VerifyRequest {
            name: self.name.clone(),
            input: Some(verify_request::Input::Digest(digest)),
            signature: signature.to_vec(),
            format: format.into(),
            ..VerifyRequest::default()
        };
        call(self.client.signing().verify(request)).await.unwrap().valid
    }
}

async fn judge(curve: &Curve) {
    let holder = Holder::of(curve, curve.id).await;
    let openssl = &holder.openssl;
    for hash in [Hash::Sha256, Hash::Sha384, Hash::Sha512] {
        let value = digest(hash);
        let der = holder.sign_digest(hash, &value, SignatureFormat::Unspecified).await;
        assert!(openssl.verifies_digest(&holder.public, &value, &der, ""), "{} {hash:?}", curve.id);
        assert!(is_low(&s_of_der(&der), curve.order), "DER has low s unless asked otherwise");
        assert!(holder.verify(hash, &value, &der, SignatureFormat::Der).await);
        assert!(!openssl.verifies_digest(&holder.public, &[7; 32], &der, ""), "the judge tells good from bad");

        let raw = holder.sign_digest(hash, &value, SignatureFormat::Raw).await;
        assert_eq!(raw.len(), 2 * curve.width);
        assert!(openssl.verifies_digest(&holder.public, &value, &der_of_raw(&raw), ""), "{} {hash:?} raw", curve.id);
        assert!(holder.verify(hash, &value, &raw, SignatureFormat::Raw).await);
        let mut other = value.clone();
        other[0] ^= 1;
        assert!(!holder.verify(hash, &other, &raw, SignatureFormat::Raw).await);
        assert!(!holder.verify(hash, &value, &raw, SignatureFormat::Der).await, "raw is no DER");
        assert!(!holder.verify(hash, &value, &[], SignatureFormat::Der).await);
    }
    for (named, expected) in
        [(Hash::Unspecified, curve.default_hash), (Hash::Sha256, "sha256"), (Hash::Sha512, "sha512")]
    {
        let request = SignRequest {
            name: holder.name.clone(),
            input: Some(sign_request::Input::Message(MESSAGE.to_vec())),
            message_hash: named.into(),
            request_id: id(),
            ..SignRequest::default()
        };
        let signature = sign(&holder.client, request).await.unwrap().signature;
        assert!(openssl.verifies_message(&holder.public, expected, MESSAGE, &signature), "{} {named:?}", curve.id);
    }
    // FIPS 186-5 §6.4.1: shorter than the order it is a number, longer its leftmost bits.
    for length in [1, 20, 31, 32, 33, 47, 48, 49, 63, 64] {
        let value: Vec<u8> = (0..length).map(|n| 0xff - n).collect();
        let signature = holder.sign_digest(Hash::Unspecified, &value, SignatureFormat::Der).await;
        assert!(openssl.verifies_digest(&holder.public, &value, &signature, ""), "{} {length} bytes", curve.id);
        assert!(holder.verify(Hash::Unspecified, &value, &signature, SignatureFormat::Der).await);
    }
    // All zeros, and more than any order.
    for value in [[0; 64], [0xff; 64]] {
        let signature = holder.sign_digest(Hash::Unspecified, &value, SignatureFormat::Der).await;
        assert!(openssl.verifies_digest(&holder.public, &value, &signature, ""), "{} {:#x}", curve.id, value[0]);
    }
}

#[tokio::test]
async fn p256_signatures_verify() {
    judge(&P256).await;
}

#[tokio::test]
async fn p384_signatures_verify() {
    judge(&P384).await;
}

#[tokio::test]
async fn p521_signatures_verify() {
    judge(&P521).await;
}

#[tokio::test]
async fn secp256k1_signatures_verify() {
    judge(&SECP256K1).await;
}

/// The token gives either s half of the time. 32 signatures without a large one happen once in four thousand million.
#[tokio::test]
async fn low_s_is_given_where_it_is_asked_for() {
    const SIGNATURES: usize = 32;
    let holder = Holder::of(&P256, "ecdsa-low-s").await;
    for (format, low_s, expected) in [
        (SignatureFormat::Der, None, true),
        (SignatureFormat::Der, Some(true), true),
        (SignatureFormat::Der, Some(false), false),
        (SignatureFormat::Raw, None, false),
        (SignatureFormat::Raw, Some(false), false),
        (SignatureFormat::Raw, Some(true), true),
    ] {
        let mut low = 0;
        for number in 0..SIGNATURES {
            let input = crate::shared::sha256(&number.to_be_bytes());
            let signature = holder.sign(input, format, low_s).await;
            let s = if format == SignatureFormat::Raw { signature[32..].to_vec() } else { s_of_der(&signature) };
            low += usize::from(is_low(&s, P256.order));
        }
        assert_eq!(low == SIGNATURES, expected, "{format:?} {low_s:?}: {low} of {SIGNATURES} were low");
    }
}

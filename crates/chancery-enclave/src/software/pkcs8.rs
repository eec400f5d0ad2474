//! Private keys as tokens take them: PKCS#8 PrivateKeyInfo (RFC 5208).

use chancery_ipc::KeyAlgorithm;
use der::{Encode, Length, asn1::OctetStringRef};
use sec1::EcPrivateKey;

use super::{failed, import::plain_info, is_rsa, public_key::Identifier, scalar::Curve};
use crate::{fault::Failure, memory::SecretBytes};

/// The PrivateKeyInfo of a secret encoding; of a secret key, its bytes.
pub(crate) fn to_token_form(algorithm: KeyAlgorithm, secret: &[u8]) -> Result<SecretBytes, Failure> {
    let Some(identifier) = Identifier::of(algorithm).filter(|_| !is_rsa(algorithm)) else {
        return SecretBytes::copy_of(secret);
    };
    let inner = match Curve::of(algorithm) {
        // ECPrivateKey (RFC 5915): the curve stands in the PrivateKeyInfo.
        Some(_) => encode(&EcPrivateKey { private_key: secret, parameters: None, public_key: None })?,
        // CurvePrivateKey (RFC 8410 §7).
        None => encode(&OctetStringRef::new(secret).map_err(unencodable)?)?,
    };
    plain_info(identifier, &inner)
}

fn encode(value: &impl Encode) -> Result<SecretBytes, Failure> {
    let length = value.encoded_len().and_then(|length: Length| usize::try_from(length)).map_err(unencodable)?;
    let mut bytes = SecretBytes::zeroed(length)?;
    value.encode_to_slice(&mut bytes).map_err(unencodable)?;
    Ok(bytes)
}

fn unencodable(_: der::Error) -> Failure {
    failed("encoding a key")
}

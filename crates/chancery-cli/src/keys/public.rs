//! `chancery keys public`.

use crate::{
    call::call,
    cli::Global,
    failure::CliError,
    files,
    output::{self, Output},
    signing_input::Signing,
    words::{self, word},
};
use chancery_api::{
    names::KeyOrVersionName,
    v1::{GetPublicKeyRequest, PublicKey},
};
use serde_json::{Value, json as object};
use std::path::PathBuf;

/// How a public key is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// SubjectPublicKeyInfo, PEM (RFC 7468)
    Pem,
    /// SubjectPublicKeyInfo, DER
    Der,
    /// The key alone: an elliptic curve's uncompressed point, 32 bytes of Ed25519 or X25519, RSA's PKCS #1 DER, ML-DSA's
    /// bytes
    Raw,
    /// An elliptic curve's compressed point
    Compressed,
    /// JSON Web Key (RFC 7517)
    Jwk,
    /// SHA-256 of the point or key bits, hexadecimal: the name that Fabric files keys under
    FabricSki,
    /// SHA-1 of the key bits, hexadecimal: the subject key identifier of certificates
    X509Ski,
    /// secp256k1: the Ethereum address
    EthereumAddress,
}

impl Form {
    /// The key in this form; text ends with a newline. `None` where the algorithm has no such form.
    fn of(self, key: &PublicKey) -> Option<Vec<u8>> {
        let line = |text: &str| format!("{text}\n").into_bytes();
        let (there, bytes) = match self {
            Self::Pem => (&key.pem[..], key.pem.clone().into_bytes()),
            Self::Jwk => (&key.jwk[..], line(&key.jwk)),
            Self::EthereumAddress => (&key.ethereum_address[..], line(&key.ethereum_address)),
            Self::Der => return some(&key.der, <[u8]>::to_vec),
            Self::Raw => return some(&key.raw, <[u8]>::to_vec),
            Self::Compressed => return some(&key.compressed, <[u8]>::to_vec),
            Self::FabricSki => return some(&key.fabric_ski, |ski| line(&hex::encode(ski))),
            Self::X509Ski => return some(&key.x509_ski, |ski| line(&hex::encode(ski))),
        };
        (!there.is_empty()).then_some(bytes)
    }
}

fn some(bytes: &[u8], write: impl Fn(&[u8]) -> Vec<u8>) -> Option<Vec<u8>> {
    (!bytes.is_empty()).then(|| write(bytes))
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A key or key version
    key: KeyOrVersionName,
    /// How to write it
    #[arg(long, value_enum, default_value_t = Form::Pem)]
    format: Form,
    /// Where to; - is standard output
    #[arg(long, default_value = "-", value_name = "FILE")]
    out: PathBuf,
}

pub(super) async fn run(global: &Global, args: &Args) -> Result<(), CliError> {
    let client = global.connect().await?;
    let request = GetPublicKeyRequest { name: args.key.to_string() };
    let look_up = |mut signing: Signing, request| async move { signing.get_public_key(request).await };
    let key = call(&client, client.signing(), &request, look_up, format!("look up {}", args.key)).await?;
    let to_stdout = output::is_dash(&args.out);
    if !(to_stdout && global.output == Output::Json) {
        let algorithm = word(words::ALGORITHMS, key.algorithm());
        let bytes = args.format.of(&key).ok_or_else(|| {
            CliError::Rejected(format!("{} is a key of {algorithm}, which has no such form", key.name))
        })?;
        files::write(&args.out, &bytes)?;
    }
    if global.output == Output::Json {
        return output::json(&json(&key));
    }
    Ok(())
}

fn json(key: &PublicKey) -> Value {
    let jwk: Value = serde_json::from_str(&key.jwk).unwrap_or_default();
    object!({
        "name": key.name,
        "algorithm": word(words::ALGORITHMS, key.algorithm()),
        "state": word(words::STATES, key.state()),
        "der": hex::encode(&key.der),
        "pem": key.pem,
        "raw": hex::encode(&key.raw),
        "compressed": hex::encode(&key.compressed),
        "jwk": jwk,
        "fabric_ski": hex::encode(&key.fabric_ski),
        "x509_ski": hex::encode(&key.x509_ski),
        "ethereum_address": key.ethereum_address,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum as _;

    #[test]
    fn a_form_is_the_services_answer_or_nothing() {
        let key = PublicKey {
            pem: "-----BEGIN PUBLIC KEY-----\n".into(),
            der: vec![0x30],
            raw: vec![4, 5],
            compressed: vec![2],
            jwk: r#"{"kty":"EC"}"#.into(),
            fabric_ski: vec![0xab; 2],
            x509_ski: vec![0xcd; 2],
            ethereum_address: "0xA".into(),
            ..PublicKey::default()
        };
        let written: Vec<String> =
            Form::value_variants().iter().map(|form| String::from_utf8(form.of(&key).unwrap()).unwrap()).collect();
        assert_eq!(
            written,
            [
                "-----BEGIN PUBLIC KEY-----\n",
                "0",
                "\u{4}\u{5}",
                "\u{2}",
                "{\"kty\":\"EC\"}\n",
                "abab\n",
                "cdcd\n",
                "0xA\n"
            ]
        );
        for form in Form::value_variants() {
            assert_eq!(form.of(&PublicKey::default()), None, "{form:?}");
        }
        assert_eq!(json(&key)["jwk"]["kty"], "EC");
    }
}

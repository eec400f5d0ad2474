//! `chancery keys public`.

use crate::{
    cli::Global,
    failure::{CliError, Doing as _},
    files,
    output::{self, Output},
    words::{self, word},
};
use chancery_api::{names::KeyOrVersionName, v1::GetPublicKeyRequest};
use serde_json::json;
use spki::{SubjectPublicKeyInfoRef, der::Decode as _};
use std::path::PathBuf;

/// How a public key is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// SubjectPublicKeyInfo, PEM (RFC 7468)
    Pem,
    /// SubjectPublicKeyInfo, DER
    Der,
    /// The key alone: an elliptic curve's uncompressed point, Ed25519's 32 bytes, RSA's PKCS #1 DER
    Raw,
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
    let key = client
        .retry(|attempt| {
            let (mut signing, request) = (client.signing(), attempt.request(request.clone()));
            async move { signing.get_public_key(request).await }
        })
        .await
        .doing(format!("look up {}", args.key))?;
    let to_stdout = output::is_dash(&args.out);
    if !(to_stdout && global.output == Output::Json) {
        let bytes = match args.format {
            Form::Pem => key.pem.clone().into_bytes(),
            Form::Der => key.der.clone(),
            Form::Raw => raw(&key.der)?,
        };
        files::write(&args.out, &bytes)?;
    }
    if global.output == Output::Json {
        return output::json(&json!({
            "name": key.name,
            "algorithm": word(words::ALGORITHMS, key.algorithm()),
            "state": word(words::STATES, key.state()),
            "der": hex::encode(&key.der),
            "pem": key.pem,
        }));
    }
    Ok(())
}

/// The content of the BIT STRING (RFC 5280 §4.1.2.7): point (SEC 1 §2.3.3), RFC 8032 key, or RSAPublicKey (RFC 8017).
fn raw(der: &[u8]) -> Result<Vec<u8>, CliError> {
    SubjectPublicKeyInfoRef::from_der(der)
        .ok()
        .and_then(|spki| spki.subject_public_key.as_bytes().map(<[u8]>::to_vec))
        .ok_or_else(|| CliError::Internal("the service sent a public key that is no SubjectPublicKeyInfo".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 8410 §10.1: the public key of the example certificate.
    #[test]
    fn raw_is_the_key_alone() {
        let der =
            hex::decode("302a300506032b657003210019bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1");
        let raw = raw(&der.unwrap()).unwrap();
        assert_eq!(hex::encode(raw), "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1");
    }
}

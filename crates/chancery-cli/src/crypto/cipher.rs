//! `chancery encrypt` and `chancery decrypt`.

use super::{Crypto, Destination, MAX_INPUT, Use};
use crate::{
    call::call,
    cli::Global,
    failure::CliError,
    files, output,
    words::{self, parser},
};
use chancery_api::{
    names::KeyOrVersionName,
    v1::{CipherMode, DecryptRequest, EncryptRequest, OaepHash},
};
use chancery_client::request_id;
use std::{path::PathBuf, process::ExitCode};
use zeroize::Zeroizing;

/// The longest associated data, in bytes.
const MAX_ASSOCIATED: u64 = 64 << 10;

/// What a ciphertext may be longer than its plaintext, in bytes.
const OVERHEAD: usize = 1024;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A key or key version, of purpose encrypt
    key: KeyOrVersionName,
    /// What to encrypt or decrypt; - is standard input
    #[arg(long = "in", value_name = "FILE")]
    input: PathBuf,
    /// A file that is bound to the ciphertext and not in it: the same to encrypt and to decrypt
    #[arg(long, value_name = "FILE", conflicts_with = "aad_hex")]
    aad: Option<PathBuf>,
    /// The same, as hexadecimal digits
    #[arg(long, value_name = "HEX", value_parser = bytes)]
    aad_hex: Option<Bytes>,
    #[command(flatten)]
    cipher: Cipher,
    #[command(flatten)]
    destination: Destination,
}

/// What the key's algorithm does unless it is told otherwise: GCM with a nonce that the service makes and puts before the
/// ciphertext, RSAES-OAEP with SHA-256, SM2.
#[derive(Debug, clap::Args)]
struct Cipher {
    /// How AES and SM4 encrypt; cbc takes whole blocks of 16 bytes. CBC does not notice changes: prefer gcm, the default
    #[arg(long, value_parser = parser(words::CIPHER_MODES))]
    mode: Option<CipherMode>,
    /// The initialization vector of cbc and cbc-pad, 16 bytes; or a nonce for gcm, 12 bytes, never twice with a key. It is
    /// not in the ciphertext: keep it to decrypt
    #[arg(long, value_name = "HEX", value_parser = bytes)]
    iv: Option<Bytes>,
    /// The hash of RSA's OAEP, sha256 unless given
    #[arg(long, value_parser = parser(words::OAEP_HASHES))]
    oaep_hash: Option<OaepHash>,
}

impl Cipher {
    fn mode(&self) -> i32 {
        self.mode.unwrap_or_default().into()
    }

    fn iv(&self) -> Vec<u8> {
        self.iv.as_ref().map(|bytes| bytes.0.clone()).unwrap_or_default()
    }

    fn oaep_hash(&self) -> i32 {
        self.oaep_hash.unwrap_or_default().into()
    }
}

#[derive(Debug, Clone)]
struct Bytes(Vec<u8>);

fn bytes(text: &str) -> Result<Bytes, String> {
    hex::decode(text).map(Bytes).map_err(|_| "give hexadecimal digits, two for each byte".to_owned())
}

impl Args {
    fn associated_data(&self) -> Result<Vec<u8>, CliError> {
        match (&self.aad, &self.aad_hex) {
            (Some(path), _) if output::is_dash(path) && output::is_dash(&self.input) => {
                Err(CliError::Usage("only one of --in and --aad can be standard input".into()))
            }
            (Some(path), _) => files::read(path, MAX_ASSOCIATED),
            (None, Some(bytes)) => Ok(bytes.0.clone()),
            (None, None) => Ok(Vec::new()),
        }
    }
}

pub(crate) async fn encrypt(global: &Global, args: &Args) -> Result<ExitCode, CliError> {
    args.destination.check(global.output)?;
    let request = EncryptRequest {
        name: args.key.to_string(),
        associated_data: args.associated_data()?,
        plaintext: files::read_secret(&args.input, MAX_INPUT)?.to_vec(),
        request_id: request_id(),
        mode: args.cipher.mode(),
        iv: args.cipher.iv(),
        oaep_hash: args.cipher.oaep_hash(),
    };
    let client = global.connect().await?;
    let encrypt = |mut crypto: Crypto, request| async move { crypto.encrypt(request).await };
    let answer = call(&client, client.crypto(), &request, encrypt, format!("encrypt with {}", args.key)).await;
    drop(Zeroizing::new(request.plaintext));
    let answer = answer?;
    let used = Use { done: "encrypted", name: &answer.name, record_index: answer.record_index };
    args.destination.write(global.output, &answer.ciphertext, &used)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn decrypt(global: &Global, args: &Args) -> Result<ExitCode, CliError> {
    args.destination.check(global.output)?;
    let request = DecryptRequest {
        name: args.key.to_string(),
        associated_data: args.associated_data()?,
        ciphertext: files::read(&args.input, (MAX_INPUT + OVERHEAD) as u64)?,
        request_id: request_id(),
        mode: args.cipher.mode(),
        iv: args.cipher.iv(),
        oaep_hash: args.cipher.oaep_hash(),
    };
    let client = global.connect().await?;
    let decrypt = |mut crypto: Crypto, request| async move { crypto.decrypt(request).await };
    let answer = call(&client, client.crypto(), &request, decrypt, format!("decrypt with {}", args.key)).await?;
    let plaintext = Zeroizing::new(answer.plaintext);
    let used = Use { done: "decrypted", name: &answer.name, record_index: Some(answer.record_index) };
    args.destination.write_secret(global.output, &plaintext, &used)?;
    Ok(ExitCode::SUCCESS)
}

//! Secret keys: AES-256 and SM4 in GCM, AES key wrap with padding, HMAC with SHA-256. (CBC: `cbc`.)
//!
//! Key schedules are made for each use: they cost less than the rest of it, and nothing but the key's bytes is kept. SM4
//! reads its S-box by table, as every implementation without special instructions: whoever shares the processor's cache
//! may learn from its timing.

use aes_gcm::{
    AesGcm,
    aead::{AeadInOut, KeyInit, consts::U12},
};
use aes_kw::KwpAes256;
use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    hmac,
};
use chancery_ipc::Mechanism;
use sm4::Sm4;

use super::{Output, Random, bad_input, bad_length, failed};
use crate::fault::Failure;

const NONCE: usize = 12;
const TAG: usize = 16;

type Sm4Gcm = AesGcm<Sm4, U12>;

/// The tag of what was encrypted in place.
type Sealed = Option<[u8; TAG]>;

/// AES-256-GCM (SP 800-38D).
pub(super) fn aes_gcm_encrypt(
    key: &[u8],
    plaintext: &[u8],
    associated_data: &[u8],
    random: &mut dyn Random,
) -> Result<Output, Failure> {
    let nonce = drawn(random)?;
    encrypt(&nonce, plaintext, aes_gcm_seal(&aes_gcm_key(key)?, nonce, associated_data))
}

/// The same with the caller's nonce, which stays out of the output.
pub(super) fn aes_gcm_encrypt_given(
    key: &[u8],
    nonce: &[u8],
    plaintext: &[u8],
    associated_data: &[u8],
) -> Result<Output, Failure> {
    let nonce = given(nonce)?;
    encrypt(&[], plaintext, aes_gcm_seal(&aes_gcm_key(key)?, nonce, associated_data))
}

fn aes_gcm_seal(key: &LessSafeKey, nonce: [u8; NONCE], associated_data: &[u8]) -> impl FnOnce(&mut [u8]) -> Sealed {
    move |text| {
        let tag = key.seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(associated_data), text);
        tag.ok()?.as_ref().try_into().ok()
    }
}

/// See [`aes_gcm_encrypt`].
pub(super) fn aes_gcm_decrypt(key: &[u8], input: &[u8], associated_data: &[u8]) -> Result<Output, Failure> {
    let key = aes_gcm_key(key)?;
    decrypt(input, |nonce, text, tag| {
        let nonce = Nonce::assume_unique_for_key(nonce);
        key.open_in_place_separate_tag(nonce, Aad::from(associated_data), &tag, text).is_ok()
    })
}

fn aes_gcm_key(key: &[u8]) -> Result<LessSafeKey, Failure> {
    UnboundKey::new(&AES_256_GCM, key).map(LessSafeKey::new).map_err(|_| failed("opening an AES key"))
}

/// SM4-GCM (RFC 8998 §3).
pub(super) fn sm4_gcm_encrypt(
    key: &[u8],
    plaintext: &[u8],
    associated_data: &[u8],
    random: &mut dyn Random,
) -> Result<Output, Failure> {
    let nonce = drawn(random)?;
    encrypt(&nonce, plaintext, sm4_gcm_seal(&sm4_gcm_key(key)?, nonce, associated_data))
}

/// The same with the caller's nonce, which stays out of the output.
pub(super) fn sm4_gcm_encrypt_given(
    key: &[u8],
    nonce: &[u8],
    plaintext: &[u8],
    associated_data: &[u8],
) -> Result<Output, Failure> {
    let nonce = given(nonce)?;
    encrypt(&[], plaintext, sm4_gcm_seal(&sm4_gcm_key(key)?, nonce, associated_data))
}

fn sm4_gcm_seal(key: &Sm4Gcm, nonce: [u8; NONCE], associated_data: &[u8]) -> impl FnOnce(&mut [u8]) -> Sealed {
    move |text| key.encrypt_inout_detached(&nonce.into(), associated_data, text.into()).ok().map(Into::into)
}

/// See [`sm4_gcm_encrypt`].
pub(super) fn sm4_gcm_decrypt(key: &[u8], input: &[u8], associated_data: &[u8]) -> Result<Output, Failure> {
    let key = sm4_gcm_key(key)?;
    decrypt(input, |nonce, text, tag| {
        key.decrypt_inout_detached(&nonce.into(), associated_data, text.into(), &tag.into()).is_ok()
    })
}

fn sm4_gcm_key(key: &[u8]) -> Result<Sm4Gcm, Failure> {
    AesGcm::new_from_slice(key).map_err(|_| failed("opening an SM4 key"))
}

fn drawn(random: &mut dyn Random) -> Result<[u8; NONCE], Failure> {
    let mut nonce = [0; NONCE];
    random.fill(&mut nonce)?;
    Ok(nonce)
}

fn given(nonce: &[u8]) -> Result<[u8; NONCE], Failure> {
    nonce.try_into().map_err(|_| Failure::bad_request(format!("GCM takes a nonce of {NONCE} bytes")))
}

/// before ‖ ciphertext ‖ tag: `seal` encrypts in place.
fn encrypt(before: &[u8], plaintext: &[u8], seal: impl FnOnce(&mut [u8]) -> Sealed) -> Result<Output, Failure> {
    let mut output = Output::new(Vec::with_capacity(before.len() + plaintext.len() + TAG));
    output.extend_from_slice(before);
    output.extend_from_slice(plaintext);
    let tag = seal(&mut output[before.len()..]).ok_or_else(|| failed("encrypting with GCM"))?;
    output.extend_from_slice(&tag);
    Ok(output)
}

/// From nonce ‖ ciphertext ‖ tag: `open` decrypts in place and says whether the tag is right.
fn decrypt(input: &[u8], open: impl FnOnce([u8; NONCE], &mut [u8], [u8; TAG]) -> bool) -> Result<Output, Failure> {
    let wrong =
        || bad_input("the ciphertext does not open: it or its associated data changed, or it is not of this key");
    let (nonce, rest) = input.split_first_chunk().ok_or_else(wrong)?;
    let (ciphertext, tag) = rest.split_last_chunk().ok_or_else(wrong)?;
    let mut text = Output::new(ciphertext.to_vec());
    if open(*nonce, &mut text, *tag) { Ok(text) } else { Err(wrong()) }
}

/// AES-KWP (RFC 5649). Not by AWS-LC: its Rust interface leaves a copy of the key behind on the heap.
pub(super) fn kwp_wrap(key: &[u8], input: &[u8]) -> Result<Output, Failure> {
    if input.is_empty() {
        return Err(bad_length(Mechanism::KwpWrap, 0));
    }
    let mut output = Output::new(vec![0; input.len().next_multiple_of(8) + 8]);
    kwp_key(key)?.wrap_key(input, &mut output).map_err(|_| failed("wrapping with AES-KWP"))?;
    Ok(output)
}

/// See [`kwp_wrap`].
pub(super) fn kwp_unwrap(key: &[u8], input: &[u8]) -> Result<Output, Failure> {
    let wrong = || bad_input("the wrapped key does not open: it changed, or it is not of this key");
    if input.len() < 16 || !input.len().is_multiple_of(8) {
        return Err(wrong());
    }
    let mut output = Output::new(vec![0; input.len() - 8]);
    let length = kwp_key(key)?.unwrap_key(input, &mut output).map_err(|_| wrong())?.len();
    output.truncate(length);
    Ok(output)
}

fn kwp_key(key: &[u8]) -> Result<KwpAes256, Failure> {
    KwpAes256::new_from_slice(key).map_err(|_| failed("opening an AES key"))
}

/// HMAC (FIPS 198-1) with SHA-256.
pub(super) fn hmac_sha256(key: &[u8], message: &[u8]) -> Output {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    Output::new(tag.as_ref().to_vec())
}

//! AES-256 and SM4 in cipher block chaining (SP 800-38A §6.2), and the padding of PKCS #7 (RFC 5652 §6.3).
//!
//! **Invariant**: a padding is checked in a time that does not depend on it, and is wrong in one way only: nothing but
//! right or wrong can be told from the answer (threat model, U-32).
//!
//! **Not here**: CBC by the token (`aes`), which leaves the padding to this module, too.

use std::hint::black_box;

use aes_kw::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, BlockSizeUser, KeyInit, consts::U16};
use chancery_ipc::Mechanism;

use super::{Output, bad_input, bad_length, failed};
use crate::fault::Failure;

/// Bytes of a block and of an initialization vector.
const BLOCK: usize = 16;

/// Encrypts whole blocks, or any input with padding.
pub(super) fn encrypt<C>(mechanism: Mechanism, key: &[u8], iv: &[u8], input: &[u8]) -> Result<Output, Failure>
where
    C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16> + KeyInit,
{
    let (cipher, mut before) = (opened::<C>(key)?, vector(iv)?);
    let mut text = match mechanism {
        Mechanism::CbcPadEncrypt => pad(input),
        _ if !whole_blocks(input) => return Err(bad_length(mechanism, input.len())),
        _ => Output::new(input.to_vec()),
    };
    for block in text.as_chunks_mut::<BLOCK>().0 {
        add(block, &before);
        cipher.encrypt_block(block.into());
        before = *block;
    }
    Ok(text)
}

/// See [`encrypt`].
pub(super) fn decrypt<C>(mechanism: Mechanism, key: &[u8], iv: &[u8], input: &[u8]) -> Result<Output, Failure>
where
    C: BlockCipherDecrypt + BlockSizeUser<BlockSize = U16> + KeyInit,
{
    let (cipher, mut before) = (opened::<C>(key)?, vector(iv)?);
    if !whole_blocks(input) {
        return Err(bad_input("a ciphertext of CBC is whole blocks of 16 bytes"));
    }
    let mut text = Output::new(input.to_vec());
    for block in text.as_chunks_mut::<BLOCK>().0 {
        let sealed = *block;
        cipher.decrypt_block(block.into());
        add(block, &before);
        before = sealed;
    }
    if mechanism == Mechanism::CbcPadDecrypt { unpad(text) } else { Ok(text) }
}

/// The input and 1 to 16 bytes that each say how many they are.
pub(crate) fn pad(input: &[u8]) -> Output {
    let padding = BLOCK - input.len() % BLOCK;
    let mut text = Output::new(Vec::with_capacity(input.len() + padding));
    text.extend_from_slice(input);
    text.resize(input.len() + padding, padding as u8);
    text
}

/// What was padded; [`chancery_ipc::FaultReason::BadInput`] if nothing was.
pub(crate) fn unpad(mut text: Output) -> Result<Output, Failure> {
    let wrong = || bad_input("the ciphertext does not open: it changed, or it is not of this key");
    let last: &[u8; BLOCK] = text.last_chunk().ok_or_else(wrong)?;
    let padding = last[BLOCK - 1];
    let mut fault = below(padding, 1) | below(BLOCK as u8, padding);
    for (place, byte) in (0..).zip(last.iter().rev()) {
        fault |= below(place, padding) & (byte ^ padding);
    }
    if black_box(fault) != 0 {
        return Err(wrong());
    }
    let length = text.len() - usize::from(padding);
    text.truncate(length);
    Ok(text)
}

/// All bits where `a < b`, none otherwise, without a branch.
fn below(a: u8, b: u8) -> u8 {
    (black_box(u16::from(a)).wrapping_sub(u16::from(b)) >> 8) as u8
}

fn whole_blocks(input: &[u8]) -> bool {
    !input.is_empty() && input.len().is_multiple_of(BLOCK)
}

fn opened<C: KeyInit>(key: &[u8]) -> Result<C, Failure> {
    C::new_from_slice(key).map_err(|_| failed("opening a key for CBC"))
}

fn vector(iv: &[u8]) -> Result<[u8; BLOCK], Failure> {
    iv.try_into().map_err(|_| Failure::bad_request(format!("CBC takes an initialization vector of {BLOCK} bytes")))
}

fn add(block: &mut [u8; BLOCK], other: &[u8; BLOCK]) {
    block.iter_mut().zip(other).for_each(|(byte, other)| *byte ^= other);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every last block that differs from a right one in one byte, and every count.
    #[test]
    fn a_padding_is_right_or_wrong() {
        for length in 0..=33 {
            let text = vec![0xa5; length];
            let padded = pad(&text);
            assert_eq!((padded.len() % BLOCK, padded.len() > length), (0, true));
            assert_eq!(*unpad(padded.clone()).unwrap(), text);
            let count = padded.len() - length;
            for place in 1..=BLOCK {
                for change in 1..=255 {
                    let mut changed = padded.clone();
                    let at = changed.len() - place;
                    changed[at] ^= change;
                    // What stands before the padding does not matter; a last byte of 1 is a padding of its own.
                    let right = place > count || place == 1 && changed[at] == 1;
                    assert_eq!(unpad(changed).is_ok(), right, "{length} bytes, {place} from the end, {change}");
                }
            }
        }
        for count in 0..=255 {
            assert_eq!(unpad(Output::new(vec![count; 32])).is_ok(), (1..=16).contains(&count), "{count}");
        }
        assert!(unpad(Output::new(Vec::new())).is_err());
    }
}

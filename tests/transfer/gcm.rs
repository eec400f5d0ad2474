//! Galois/Counter Mode over any block cipher that `openssl enc` has, written out from SP 800-38D §6 and §7: an oracle for
//! AES-256 and SM4 whose key is known, and nothing to use elsewhere (its time depends on its input).

use crate::desk::Desk;

/// A 128-bit block cipher of openssl, by its name there, with a key.
pub(crate) struct Gcm<'d> {
    pub(crate) desk: &'d Desk<'d>,
    /// E.g. `aes-256`.
    pub(crate) cipher: &'static str,
    pub(crate) key: [u8; 32],
    /// The key's bytes.
    pub(crate) length: usize,
}

impl Gcm<'_> {
    /// Blocks, each encrypted alone.
    fn encrypt(&self, blocks: &[u128]) -> Vec<u128> {
        let plain: Vec<u8> = blocks.iter().flat_map(|block| block.to_be_bytes()).collect();
        let (plain, out) = (self.desk.file("blocks", plain), self.desk.path("encrypted-blocks"));
        let key = hex::encode(&self.key[..self.length]);
        let line = format!("enc -{}-ecb -nopad -K {key} -in {plain} -out {out}", self.cipher);
        self.desk.openssl.text(&line);
        let encrypted = self.desk.read("encrypted-blocks");
        encrypted.chunks(16).map(|block| u128::from_be_bytes(block.try_into().unwrap())).collect()
    }

    /// Nonce ‖ ciphertext ‖ tag.
    pub(crate) fn seal(&self, nonce: [u8; 12], associated: &[u8], plain: &[u8]) -> Vec<u8> {
        let mut j0 = [0; 16];
        j0[..12].copy_from_slice(&nonce);
        j0[15] = 1;
        let j0 = u128::from_be_bytes(j0);
        let counters = (1..=plain.len().div_ceil(16)).map(|number| j0 + number as u128);
        let blocks: Vec<u128> = [0, j0].into_iter().chain(counters).collect();
        let encrypted = self.encrypt(&blocks);
        let (h, mask, stream) = (encrypted[0], encrypted[1], &encrypted[2..]);
        let stream = stream.iter().flat_map(|block| block.to_be_bytes());
        let cipher: Vec<u8> = plain.iter().zip(stream).map(|(byte, mask)| byte ^ mask).collect();
        let lengths = ((associated.len() as u128 * 8) << 64) | (cipher.len() as u128 * 8);
        let hashed = blocks_of(associated).chain(blocks_of(&cipher)).chain([lengths]);
        let tag = hashed.fold(0, |y, block| multiply(y ^ block, h)) ^ mask;
        [&nonce[..], &cipher, &tag.to_be_bytes()].concat()
    }
}

/// Padded with zeros.
fn blocks_of(bytes: &[u8]) -> impl Iterator<Item = u128> {
    bytes.chunks(16).map(|chunk| {
        let mut block = [0; 16];
        block[..chunk.len()].copy_from_slice(chunk);
        u128::from_be_bytes(block)
    })
}

/// SP 800-38D §6.3.
fn multiply(x: u128, y: u128) -> u128 {
    let (mut z, mut v) = (0, y);
    for bit in (0..128).rev() {
        if x >> bit & 1 == 1 {
            z ^= v;
        }
        v = if v & 1 == 1 { v >> 1 ^ 0xe1 << 120 } else { v >> 1 };
    }
    z
}

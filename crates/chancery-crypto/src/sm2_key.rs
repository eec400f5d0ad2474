//! An SM2 public key (GB/T 32918): who its user is, what it verifies, and encrypting to it.
//!
//! **Invariant**: the point was decoded, and ZA of the default user id computed, once: on the way of every signature.

use sm2::{
    dsa::{Signature, VerifyingKey},
    elliptic_curve::common::getrandom::SysRng,
    pke::EncryptingKey,
};
use sm3::{Digest, Sm3};
use std::fmt;

/// The user id where none is given (GM/T 0009 §10).
const DEFAULT_USER_ID: &str = "1234567812345678";

/// a ‖ b ‖ xG ‖ yG (GB/T 32918.5 §2).
const CURVE: [u8; 128] = {
    let mut curve = [0; 128];
    let words: [u64; 16] = [
        0xffff_fffe_ffff_ffff,
        0xffff_ffff_ffff_ffff,
        0xffff_ffff_0000_0000,
        0xffff_ffff_ffff_fffc,
        0x28e9_fa9e_9d9f_5e34,
        0x4d5a_9e4b_cf65_09a7,
        0xf397_89f5_15ab_8f92,
        0xddbc_bd41_4d94_0e93,
        0x32c4_ae2c_1f19_8119,
        0x5f99_0446_6a39_c994,
        0x8fe3_0bbf_f266_0be1,
        0x715a_4589_334c_74c7,
        0xbc37_36a2_f4f6_779c,
        0x59bd_cee3_6b69_2153,
        0xd0a9_877c_c62a_4740,
        0x02df_32e5_2139_f0a0,
    ];
    let mut at = 0;
    while at < 128 {
        curve[at] = words[at / 8].to_be_bytes()[at % 8];
        at += 1;
    }
    curve
};

/// See the module.
pub(crate) struct Sm2Key {
    key: VerifyingKey,
    /// xA ‖ yA.
    point: [u8; 64],
    default_za: [u8; 32],
}

impl Sm2Key {
    /// From 04 ‖ x ‖ y, on the curve.
    pub(crate) fn parse(point: &[u8]) -> Option<Self> {
        let (4, coordinates) = point.split_first()? else { return None };
        let point: [u8; 64] = coordinates.try_into().ok()?;
        let key = VerifyingKey::from_sec1_bytes(DEFAULT_USER_ID, &[&[4], coordinates].concat()).ok()?;
        Some(Self { key, default_za: za(DEFAULT_USER_ID.as_bytes(), &point), point })
    }

    /// e = SM3(ZA ‖ M) (GB/T 32918.2 §6.1, steps A1 and A2). A user id has at most 8191 bytes.
    pub(crate) fn digest(&self, user_id: Option<&[u8]>, message: &[u8]) -> [u8; 32] {
        let za = user_id.map_or(self.default_za, |id| za(id, &self.point));
        Sm3::new_with_prefix(za).chain_update(message).finalize().into()
    }

    /// Whether r ‖ s is a signature of e (GB/T 32918.2 §7.1).
    pub(crate) fn verify(&self, e: &[u8], signature: &[u8]) -> bool {
        use k256::ecdsa::signature::hazmat::PrehashVerifier;
        Signature::from_slice(signature).is_ok_and(|signature| self.key.verify_prehash(e, &signature).is_ok())
    }

    /// 04 ‖ x ‖ y ‖ C3 ‖ C2 (GB/T 32918.4 §6.1); `None` for an empty plaintext.
    pub(crate) fn encrypt(&self, plaintext: &[u8]) -> Option<Vec<u8>> {
        EncryptingKey::new(self.key.clone().into()).encrypt(&mut SysRng, plaintext).ok()
    }
}

impl fmt::Debug for Sm2Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sm2Key").field("point", &hex::encode(self.point)).finish_non_exhaustive()
    }
}

/// ZA = SM3(ENTL ‖ ID ‖ a ‖ b ‖ xG ‖ yG ‖ xA ‖ yA) (GB/T 32918.2 §5.5).
fn za(id: &[u8], point: &[u8; 64]) -> [u8; 32] {
    // 16 bits for the number of bits: whoever gives an id keeps it at 8191 bytes.
    let bits = u16::try_from(id.len() * 8).unwrap_or(u16::MAX);
    let hash = Sm3::new().chain_update(bits.to_be_bytes()).chain_update(id);
    hash.chain_update(CURVE).chain_update(point).finalize().into()
}

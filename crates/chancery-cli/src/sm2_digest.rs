//! What an SM2 signature signs: e = SM3(ZA ‖ message), where ZA binds the signer's id and public key (GB/T 32918.2 §5.5).
//!
//! **Not here**: signing (the service).

use sm3::{Digest as _, Sm3};

/// The id where none is agreed upon (GM/T 0009 §10).
pub(crate) const DEFAULT_ID: &[u8] = b"1234567812345678";

/// The longest id, in bytes: its length in bits has 16 bits.
pub(crate) const MAX_ID: usize = 8191;

/// The curve's a and b, and its base point (GB/T 32918.5 §2).
const CURVE: [[u64; 4]; 4] = [
    [0xffff_fffe_ffff_ffff, 0xffff_ffff_ffff_ffff, 0xffff_ffff_0000_0000, 0xffff_ffff_ffff_fffc],
    [0x28e9_fa9e_9d9f_5e34, 0x4d5a_9e4b_cf65_09a7, 0xf397_89f5_15ab_8f92, 0xddbc_bd41_4d94_0e93],
    [0x32c4_ae2c_1f19_8119, 0x5f99_0446_6a39_c994, 0x8fe3_0bbf_f266_0be1, 0x715a_4589_334c_74c7],
    [0xbc37_36a2_f4f6_779c, 0x59bd_cee3_6b69_2153, 0xd0a9_877c_c62a_4740, 0x02df_32e5_2139_f0a0],
];

/// The hash of e, with ZA in it already; `None` when the id is too long or `point` is no uncompressed point.
pub(crate) fn begin(id: &[u8], point: &[u8]) -> Option<Sm3> {
    let bits = u16::try_from(id.len() * 8).ok()?;
    let coordinates = point.strip_prefix(&[4]).filter(|coordinates| coordinates.len() == 64)?;
    let mut za = Sm3::new().chain_update(bits.to_be_bytes()).chain_update(id);
    for word in CURVE.as_flattened() {
        za.update(word.to_be_bytes());
    }
    let za = za.chain_update(coordinates).finalize();
    Some(Sm3::new().chain_update(za))
}

#[cfg(test)]
mod tests {
    use super::*;

    // GB/T 32918.5 annex A.2: the public key, ZA inside, and e of "message digest".
    #[test]
    fn the_standards_example() {
        let point = "0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020\
                     ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13";
        let point = hex::decode(point).unwrap();
        let e = begin(DEFAULT_ID, &point).unwrap().chain_update("message digest").finalize();
        assert_eq!(hex::encode(e), "f0b43e94ba45accaace692ed534382eb17e6ab5a19ce7b31f4486fdfc0d28640");
    }

    #[test]
    fn an_id_has_at_most_8191_bytes_and_a_point_is_uncompressed() {
        let point = [&[4][..], &[1; 64]].concat();
        assert!(begin(&[0; MAX_ID], &point).is_some());
        assert!(begin(&[0; MAX_ID + 1], &point).is_none());
        assert!(begin(b"", &point[..64]).is_none());
        assert!(begin(b"", &[&[2][..], &[1; 32]].concat()).is_none());
    }
}

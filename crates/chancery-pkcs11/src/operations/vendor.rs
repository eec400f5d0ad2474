//! Numbers that vendors gave to SM2, SM3 and SM4, which the standard has none for, by profile.
//!
//! **Not here**: what the mechanisms do (`table`), making keys (`objects`).

use super::table::{Cipher, Does, Mode, Row, Signs};
use crate::{module::config::Sm2Profile, operations::hashing::Hashing};
use cryptoki_sys::{
    CK_KEY_TYPE, CK_MECHANISM_TYPE, CKF_DECRYPT, CKF_DIGEST, CKF_EC_F_P, CKF_EC_NAMEDCURVE, CKF_EC_UNCOMPRESS,
    CKF_ENCRYPT, CKF_GENERATE, CKF_GENERATE_KEY_PAIR, CKF_SIGN, CKF_VERIFY, CKK_VENDOR_DEFINED, CKM_VENDOR_DEFINED,
};

/// What a profile calls keys, and how they are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keys {
    /// CKK_SM2.
    pub sm2: CK_KEY_TYPE,
    /// CKK_SM4.
    pub sm4: CK_KEY_TYPE,
    /// CKM_SM2_KEY_PAIR_GEN.
    pub make_sm2: CK_MECHANISM_TYPE,
    /// CKM_SM4_KEY_GEN.
    pub make_sm4: CK_MECHANISM_TYPE,
}

const CURVE: u64 = CKF_EC_F_P | CKF_EC_NAMEDCURVE | CKF_EC_UNCOMPRESS;

/// A row: number above CKM_VENDOR_DEFINED, what it does, key sizes (SM2: bits, SM4: bytes), flags.
const fn row(number: CK_MECHANISM_TYPE, does: Does, size: u64, flags: u64) -> Row {
    Row { kind: CKM_VENDOR_DEFINED + number, does, sizes: (size, size), flags }
}

const fn signs(number: CK_MECHANISM_TYPE, message: bool, der: bool) -> Row {
    row(number, Does::Sign(Signs::Sm2 { message, der }), 256, CKF_SIGN | CKF_VERIFY | CURVE)
}

const fn encrypts(number: CK_MECHANISM_TYPE, der: bool) -> Row {
    row(number, Does::Encrypt(Cipher::Sm2 { der }), 256, CKF_ENCRYPT | CKF_DECRYPT | CURVE)
}

const fn sm4(number: CK_MECHANISM_TYPE, mode: Mode) -> Row {
    row(number, Does::Encrypt(Cipher::Sm4(mode)), 16, CKF_ENCRYPT | CKF_DECRYPT)
}

const fn sm3(number: CK_MECHANISM_TYPE) -> Row {
    row(number, Does::Digest(Hashing::Sm3), 0, CKF_DIGEST)
}

const fn makes_sm2(number: CK_MECHANISM_TYPE) -> Row {
    row(number, Does::MakeKeys, 256, CKF_GENERATE_KEY_PAIR | CURVE)
}

const fn makes_sm4(number: CK_MECHANISM_TYPE) -> Row {
    row(number, Does::MakeKeys, 16, CKF_GENERATE)
}

/// Sansec's swpkcs11.h. The signing mechanisms with and without an application's id are one here: the user id is the
/// parameter, or the default one.
const SANSEC: &[Row] = &[
    makes_sm2(0x8001),
    signs(0x8100, true, false),
    signs(0x8101, true, true),
    signs(0x8102, true, false),
    signs(0x8103, true, true),
    signs(0x8104, false, true),
    signs(0x8105, false, false),
    encrypts(0x8200, false),
    encrypts(0x8201, true),
    sm3(0x9000),
    makes_sm4(0x107),
    sm4(0x109, Mode::Cbc),
    sm4(0xa201, Mode::CbcPad),
];

/// IBM's EP11 and CCA.
const IBM: &[Row] = &[
    makes_sm2(0x5_000a),
    signs(0x5_000b, false, false),
    signs(0x5_000c, true, false),
    encrypts(0x5_000d, true),
    sm3(0x5_000e),
    makes_sm4(0x5_0001),
    sm4(0x5_0002, Mode::Cbc),
];

/// Westone's, which numbers no SM3.
const WESTONE: &[Row] =
    &[makes_sm2(0x1), signs(0x2, false, false), makes_sm4(0x40), sm4(0x42, Mode::Cbc), sm4(0x43, Mode::CbcPad)];

/// A profile's mechanisms.
pub(super) const fn rows(profile: Sm2Profile) -> &'static [Row] {
    match profile {
        Sm2Profile::Sansec => SANSEC,
        Sm2Profile::Ibm => IBM,
        Sm2Profile::Westone => WESTONE,
    }
}

/// A profile's keys.
pub fn keys(profile: Sm2Profile) -> Keys {
    let of = |sm2, sm4, make_sm2, make_sm4| Keys {
        sm2: CKK_VENDOR_DEFINED + sm2,
        sm4: CKK_VENDOR_DEFINED + sm4,
        make_sm2: CKM_VENDOR_DEFINED + make_sm2,
        make_sm4: CKM_VENDOR_DEFINED + make_sm4,
    };
    match profile {
        Sm2Profile::Sansec => of(0x4, 0x106, 0x8001, 0x107),
        Sm2Profile::Ibm => of(0x5_0002, 0x5_0001, 0x5_000a, 0x5_0001),
        Sm2Profile::Westone => of(0x1, 0x5, 0x1, 0x40),
    }
}

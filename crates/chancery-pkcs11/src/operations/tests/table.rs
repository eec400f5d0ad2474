//! The mechanisms of each profile.

use super::slot;
use crate::{
    module::config::Sm2Profile,
    operations::{
        mechanism_info, mechanisms,
        table::{Does, rows},
        vendor,
    },
    rv::Rv,
};
use cryptoki_sys::*;

const PROFILES: [Sm2Profile; 3] = [Sm2Profile::Sansec, Sm2Profile::Ibm, Sm2Profile::Westone];

#[test]
fn no_number_stands_twice_and_flags_say_what_is_done() {
    for profile in PROFILES {
        let slot = slot(profile);
        let listed = mechanisms(&slot);
        let mut sorted = listed.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), listed.len(), "{profile:?}");
        for row in rows(&slot) {
            let kinds = row.flags & !(CKF_EC_F_P | CKF_EC_NAMEDCURVE | CKF_EC_CURVENAME | CKF_EC_UNCOMPRESS);
            let expected = match row.does {
                Does::Digest(_) => CKF_DIGEST,
                Does::Sign(_) => CKF_SIGN | CKF_VERIFY,
                Does::Encrypt(_) => CKF_ENCRYPT | CKF_DECRYPT,
                Does::Wrap => CKF_WRAP | CKF_UNWRAP,
                Does::Agree => CKF_DERIVE,
                Does::MakeKeys => kinds & (CKF_GENERATE | CKF_GENERATE_KEY_PAIR),
            };
            assert_eq!(kinds, expected, "{:#x}", row.kind);
            assert!(kinds != 0 && row.sizes.0 <= row.sizes.1, "{:#x}", row.kind);
            let info = mechanism_info(&slot, row.kind).unwrap();
            assert_eq!((info.ulMinKeySize, info.ulMaxKeySize, info.flags), (row.sizes.0, row.sizes.1, row.flags));
        }
    }
}

#[test]
fn a_number_of_another_profile_is_no_mechanism() {
    let [sansec, ibm, westone] = PROFILES.map(slot);
    assert!(mechanism_info(&sansec, 0x8000_8103).is_ok() && mechanism_info(&ibm, 0x8005_000c).is_ok());
    for (slot, kind) in [(&ibm, 0x8000_8103), (&westone, 0x8000_8103), (&sansec, 0x8005_000c), (&sansec, CKM_DES3_CBC)]
    {
        assert_eq!(mechanism_info(slot, kind).err(), Some(Rv(CKR_MECHANISM_INVALID)), "{kind:#x}");
    }
}

#[test]
fn keys_are_made_by_mechanisms_that_are_listed() {
    for profile in PROFILES {
        let (slot, keys) = (slot(profile), vendor::keys(profile));
        let does = |kind| rows(&slot).find(|row| row.kind == kind).map(|row| row.flags & !CKF_EC_F_P);
        assert_eq!(does(keys.make_sm2), Some(CKF_GENERATE_KEY_PAIR | CKF_EC_NAMEDCURVE | CKF_EC_UNCOMPRESS));
        assert_eq!(does(keys.make_sm4), Some(CKF_GENERATE));
        assert_ne!(keys.sm2, keys.sm4);
    }
}

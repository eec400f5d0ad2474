//! Parameters, lengths and data of signature schemes.

use super::{bytes, plain};
use crate::{
    mechanism::{Mechanism, Parameter},
    module::config::Quirks,
    operations::{
        hashing::Hashing,
        scheme::{Gathered, MOST_BYTES, Scheme, suits},
        table::Signs,
    },
    rv::{Result, Rv},
};
use chancery_crypto::Signable;
use chancery_model::{Algorithm, Hash};
use cryptoki_sys::*;

fn scheme(signs: Signs, parameter: Parameter, algorithm: Algorithm) -> Result<Scheme> {
    Scheme::new(signs, &Mechanism { kind: 0, parameter }, algorithm, Quirks::default())
}

const INVALID: Rv = Rv(CKR_MECHANISM_PARAM_INVALID);

#[test]
fn pss_has_one_hash_and_a_salt_as_long_as_its_digest() {
    let pss = |of, hash, mgf, salt| scheme(Signs::RsaPss(of), Parameter::Pss { hash, mgf, salt }, Algorithm::Rsa2048);
    let hashes = [
        (CKM_SHA256, CKG_MGF1_SHA256, 32, Hash::Sha256),
        (CKM_SHA384, CKG_MGF1_SHA384, 48, Hash::Sha384),
        (CKM_SHA512, CKG_MGF1_SHA512, 64, Hash::Sha512),
    ];
    for (number, mgf, length, hash) in hashes {
        for of in [None, Some(hash)] {
            assert!(pss(of, number, mgf, length).is_ok(), "{hash}");
            for salt in [0, 20, length - 1, length + 1, u64::MAX] {
                assert_eq!(pss(of, number, mgf, salt), Err(INVALID), "{hash}, salt {salt}");
            }
        }
        for (other, other_mgf, _, other_hash) in hashes.into_iter().filter(|row| row.3 != hash) {
            assert_eq!(pss(None, number, other_mgf, length), Err(INVALID), "MGF1 of another hash");
            assert_eq!(pss(Some(other_hash), number, mgf, length), Err(INVALID), "not the mechanism's hash");
            assert_eq!(pss(Some(hash), other, mgf, length), Err(INVALID));
        }
    }
    assert_eq!(pss(None, CKM_SHA_1, CKG_MGF1_SHA1, 20), Err(INVALID));
    assert_eq!(scheme(Signs::RsaPss(Some(Hash::Sha256)), Parameter::None, Algorithm::Rsa2048), Err(INVALID));
}

#[test]
fn contexts_and_prehashes_are_refused() {
    let eddsa = |prehash, context: &[u8]| {
        scheme(Signs::Ed25519, Parameter::Eddsa { prehash, context: context.to_vec() }, Algorithm::Ed25519)
    };
    assert!(eddsa(false, b"").is_ok() && scheme(Signs::Ed25519, Parameter::None, Algorithm::Ed25519).is_ok());
    assert_eq!((eddsa(true, b""), eddsa(false, b"x")), (Err(INVALID), Err(INVALID)));
    let ml_dsa = |hedge, context: &[u8]| {
        scheme(Signs::MlDsa, Parameter::MlDsa { hedge, context: context.to_vec() }, Algorithm::MlDsa65)
    };
    assert!(ml_dsa(CKH_HEDGE_PREFERRED, b"").is_ok());
    for refused in [ml_dsa(CKH_HEDGE_REQUIRED, b""), ml_dsa(CKH_DETERMINISTIC_REQUIRED, b""), ml_dsa(0, b"x")] {
        assert_eq!(refused, Err(INVALID));
    }
    // Where there is no parameter there must be none.
    for signs in [Signs::Ecdsa(None), Signs::RsaPkcs1(None), Signs::Hmac, Signs::Sm2 { message: false, der: true }] {
        assert_eq!(scheme(signs, Parameter::Bytes(vec![0]), Algorithm::EcP256), Err(INVALID), "{signs:?}");
    }
}

#[test]
fn sm2_takes_a_user_id_of_up_to_8191_bytes() {
    let signs = Signs::Sm2 { message: true, der: false };
    let with = |length| scheme(signs, Parameter::Bytes(vec![b'a'; length]), Algorithm::Sm2);
    let Ok(Signable::Message { user_id, .. }) = with(8191).unwrap().signable(b"m".to_vec()) else { panic!() };
    assert_eq!(user_id.map(|id| id.len()), Some(8191));
    assert_eq!(with(8192), Err(INVALID));
}

#[test]
fn ecdsa_takes_digests_of_1_to_64_bytes() {
    let ecdsa = scheme(Signs::Ecdsa(None), Parameter::None, Algorithm::EcP256).unwrap();
    for length in [1, 20, 28, 32, 33, 48, 63, 64] {
        let signable = ecdsa.signable(vec![1; length]);
        assert_eq!(signable, Ok(Signable::Digest { hash: None, value: vec![1; length] }));
    }
    for length in [0, 65, 66, 1000] {
        assert_eq!(ecdsa.signable(vec![1; length]), Err(Rv(CKR_DATA_LEN_RANGE)), "{length}");
    }
}

#[test]
fn hashes_are_named_where_the_service_knows_them() {
    for (hashing, named) in [
        (Hashing::Sha1, None),
        (Hashing::Sha224, None),
        (Hashing::Sha256, Some(Hash::Sha256)),
        (Hashing::Sha512, Some(Hash::Sha512)),
    ] {
        let scheme = Scheme::new(Signs::Ecdsa(Some(hashing)), &plain(0), Algorithm::EcP384, Quirks::default()).unwrap();
        let mut gathered = scheme.gather();
        gathered.add(&[7; 100_000]).unwrap();
        let Ok(Signable::Digest { hash, value }) = scheme.signable(gathered.finish().to_vec()) else { panic!() };
        assert_eq!((hash, value.len()), (named, hashing.length()));
    }
}

#[test]
fn only_digest_infos_of_sha2_are_signed() {
    let scheme = scheme(Signs::RsaPkcs1(None), Parameter::None, Algorithm::Rsa2048).unwrap();
    // RFC 8017 §9.2, note 1.
    let sha256 = [bytes("3031300d060960864801650304020105000420"), vec![5; 32]].concat();
    let sha512 = [bytes("3051300d060960864801650304020305000440"), vec![5; 64]].concat();
    assert_eq!(scheme.signable(sha256.clone()), Ok(Signable::Digest { hash: Some(Hash::Sha256), value: vec![5; 32] }));
    assert_eq!(scheme.signable(sha512), Ok(Signable::Digest { hash: Some(Hash::Sha512), value: vec![5; 64] }));
    for (name, data) in [
        ("empty", Vec::new()),
        ("a bare digest", vec![5; 32]),
        ("TLS 1.1's MD5 and SHA-1", vec![5; 36]),
        ("SHA-1", [bytes("3021300906052b0e03021a05000414"), vec![5; 20]].concat()),
        ("without NULL", [bytes("302f300b06096086480165030402010420"), vec![5; 32]].concat()),
        ("cut", sha256[..50].to_vec()),
        ("with more behind it", [sha256.as_slice(), &[0]].concat()),
    ] {
        assert_eq!(scheme.signable(data), Err(Rv(CKR_DATA_INVALID)), "{name}");
    }
}

#[test]
fn gathered_data_is_bounded_and_hashed_data_is_not() {
    let mut bytes = Gathered::bytes();
    bytes.add(&vec![0; MOST_BYTES]).unwrap();
    assert_eq!(bytes.add(&[0; 1000]), Err(Rv(CKR_DATA_LEN_RANGE)));
    let mut hash = Gathered::Hash(Hashing::Sha256.begin());
    hash.add(&vec![0; MOST_BYTES]).unwrap();
    assert_eq!(hash.add(&[0; 1000]), Ok(()));
}

#[test]
fn lengths_of_der_are_the_most_that_r_and_s_can_need() {
    let quirks = Quirks { ecdsa_der: true, ..Quirks::default() };
    for (algorithm, width, most) in
        [(Algorithm::EcP256, 32, 72), (Algorithm::EcP384, 48, 104), (Algorithm::EcP521, 66, 139)]
    {
        let der = Scheme::new(Signs::Ecdsa(None), &plain(CKM_ECDSA), algorithm, quirks).unwrap();
        let raw = Scheme::new(Signs::Ecdsa(None), &plain(CKM_ECDSA), algorithm, Quirks::default()).unwrap();
        assert_eq!((der.length(), raw.length()), (most, 2 * width), "{algorithm}");
        assert!(der.may_have(8) && der.may_have(most) && !der.may_have(most + 1));
        assert!(raw.may_have(2 * width) && !raw.may_have(2 * width - 1) && !raw.may_have(2 * width + 1));
        // r and s as large as they get: just below the order.
        let order = if algorithm == Algorithm::EcP521 { [&[1][..], &[0xff; 32]].concat() } else { vec![0xff; 4] };
        let mut raw = vec![0; width - order.len()];
        raw.splice(0..0, order.iter().copied());
        let written = chancery_crypto::to_der(algorithm, &[raw.as_slice(), &raw].concat());
        assert!(written.is_err() || written.is_ok_and(|der| der.len() <= most));
    }
}

#[test]
fn each_scheme_suits_its_own_algorithms_only() {
    for algorithm in Algorithm::ALL {
        let suiting: Vec<_> = [
            Signs::Ecdsa(None),
            Signs::Ed25519,
            Signs::MlDsa,
            Signs::RsaPkcs1(None),
            Signs::Sm2 { message: true, der: true },
            Signs::Hmac,
        ]
        .into_iter()
        .filter(|signs| suits(*signs, *algorithm))
        .collect();
        let encrypts = matches!(algorithm, Algorithm::X25519 | Algorithm::Aes256 | Algorithm::Sm4);
        assert_eq!(suiting.len(), usize::from(!encrypts), "{algorithm}: {suiting:?}");
    }
}

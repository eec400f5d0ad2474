//! Mechanisms as C has them: CK_MECHANISM with its parameters (PKCS#11 v3.0 §6).
//!
//! **Invariants**
//! * Nothing is read behind a null pointer, nor more than a bound of each field; a parameter of another length than its
//!   structure's is refused.
//! * What is given out holds copies, no pointers.
//!
//! **Not here**: which mechanisms there are and what their parameters must be (`operations`).

use crate::{
    mechanism::{Mechanism, Parameter},
    rv::{Result, Rv},
};
use cryptoki_sys::*;
use std::{ffi::c_void, slice};

/// The longest parameter without pointers in it, and the longest field behind one, in bytes: GCM's additional data.
const LONGEST: u64 = 64 << 10;

const INVALID: Rv = Rv(CKR_MECHANISM_PARAM_INVALID);

/// The mechanism at `raw`; `None` for a null pointer, which ends an operation (PKCS#11 v3.0 §5.13.1).
///
/// # Errors
/// `CKR_MECHANISM_PARAM_INVALID`.
///
/// # Safety
/// `raw` is null or points to a CK_MECHANISM, and the pointers in it and in its parameter are null or point to as many bytes
/// as is said beside them.
pub(crate) unsafe fn mechanism(raw: *const CK_MECHANISM) -> Result<Option<Mechanism>> {
    if raw.is_null() {
        return Ok(None);
    }
    // SAFETY: not null, so a CK_MECHANISM, as the caller promises; it need not be aligned.
    let raw = unsafe { raw.read_unaligned() };
    // SAFETY: the caller's promise covers the parameter.
    let parameter = unsafe { parameter(raw.mechanism, raw.pParameter, raw.ulParameterLen) }?;
    Ok(Some(Mechanism { kind: raw.mechanism, parameter }))
}

/// The mechanism at `raw`, where there must be one.
///
/// # Errors
/// `CKR_ARGUMENTS_BAD` for a null pointer, `CKR_MECHANISM_PARAM_INVALID`.
///
/// # Safety
/// As [`mechanism`].
pub(crate) unsafe fn parse(raw: *const CK_MECHANISM) -> Result<Mechanism> {
    // SAFETY: the caller's promise.
    unsafe { mechanism(raw) }?.ok_or(Rv(CKR_ARGUMENTS_BAD))
}

/// # Safety
/// As [`mechanism`].
unsafe fn parameter(kind: CK_MECHANISM_TYPE, pointer: *const c_void, length: CK_ULONG) -> Result<Parameter> {
    if length == 0 {
        return Ok(Parameter::None);
    }
    // SAFETY: each structure holds numbers and pointers, for which all bytes are values; `structure` and `bytes` check the
    // length and the null pointer; what they read is covered by the caller's promise.
    unsafe {
        Ok(match kind {
            CKM_RSA_PKCS_PSS | CKM_SHA256_RSA_PKCS_PSS | CKM_SHA384_RSA_PKCS_PSS | CKM_SHA512_RSA_PKCS_PSS => {
                let CK_RSA_PKCS_PSS_PARAMS { hashAlg: hash, mgf, sLen: salt } = structure(pointer, length)?;
                Parameter::Pss { hash, mgf, salt }
            }
            CKM_RSA_PKCS_OAEP => {
                let raw: CK_RSA_PKCS_OAEP_PARAMS = structure(pointer, length)?;
                // Zero, which some clients leave there, says as much without a label.
                if raw.source != CKZ_DATA_SPECIFIED && (raw.source, raw.ulSourceDataLen) != (0, 0) {
                    return Err(INVALID);
                }
                let label = bytes(raw.pSourceData, raw.ulSourceDataLen)?;
                Parameter::Oaep { hash: raw.hashAlg, mgf: raw.mgf, label }
            }
            CKM_ECDH1_DERIVE => {
                let raw: CK_ECDH1_DERIVE_PARAMS = structure(pointer, length)?;
                let shared = bytes(raw.pSharedData.cast(), raw.ulSharedDataLen)?;
                let public = bytes(raw.pPublicData.cast(), raw.ulPublicDataLen)?;
                Parameter::Ecdh1 { kdf: raw.kdf, shared, public }
            }
            CKM_AES_GCM => {
                // ulIvBits says again what ulIvLen says, and many clients leave it unset.
                let raw: CK_GCM_PARAMS = structure(pointer, length)?;
                let iv = bytes(raw.pIv.cast(), raw.ulIvLen)?;
                let aad = bytes(raw.pAAD.cast(), raw.ulAADLen)?;
                Parameter::Gcm { iv, aad, tag_bits: raw.ulTagBits }
            }
            CKM_EDDSA => {
                let raw: CK_EDDSA_PARAMS = structure(pointer, length)?;
                let context = bytes(raw.pContextData.cast(), raw.ulContextDataLen)?;
                Parameter::Eddsa { prehash: raw.phFlag != CK_FALSE, context }
            }
            CKM_ML_DSA => {
                let raw: CK_SIGN_ADDITIONAL_CONTEXT = structure(pointer, length)?;
                let context = bytes(raw.pContext.cast(), raw.ulContextLen)?;
                Parameter::MlDsa { hedge: raw.hedgeVariant, context }
            }
            _ => Parameter::Bytes(bytes(pointer, length)?),
        })
    }
}

/// # Safety
/// `pointer` is null or points to `length` bytes; all bytes are values of `T`.
unsafe fn structure<T: Copy>(pointer: *const c_void, length: CK_ULONG) -> Result<T> {
    if pointer.is_null() || length != size_of::<T>() as CK_ULONG {
        return Err(INVALID);
    }
    // SAFETY: as many bytes as `T` has are there, as the caller promises; they need not be aligned.
    Ok(unsafe { pointer.cast::<T>().read_unaligned() })
}

/// # Safety
/// `pointer` is null or points to `length` bytes.
unsafe fn bytes(pointer: *const c_void, length: CK_ULONG) -> Result<Vec<u8>> {
    match usize::try_from(length) {
        Ok(0) => Ok(Vec::new()),
        Ok(length) if length as u64 <= LONGEST && !pointer.is_null() => {
            // SAFETY: not null, so so many bytes, as the caller promises, and far fewer than isize::MAX.
            Ok(unsafe { slice::from_raw_parts(pointer.cast::<u8>(), length) }.to_vec())
        }
        _ => Err(INVALID),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ptr;

    fn parse<T>(kind: CK_MECHANISM_TYPE, parameter: &mut T, length: usize) -> Result<Parameter> {
        let parameter = ptr::from_mut(parameter).cast();
        let raw = CK_MECHANISM { mechanism: kind, pParameter: parameter, ulParameterLen: length as CK_ULONG };
        // SAFETY: the tests below give pointers that are null or valid for their length, or lengths that nothing reads.
        unsafe { mechanism(&raw const raw) }.map(|mechanism| mechanism.expect("not null").parameter)
    }

    #[test]
    fn a_null_mechanism_is_none_and_a_null_parameter_with_a_length_is_refused() {
        // SAFETY: null.
        assert_eq!(unsafe { mechanism(ptr::null()) }, Ok(None));
        for kind in
            [CKM_ECDSA, CKM_RSA_PKCS_PSS, CKM_RSA_PKCS_OAEP, CKM_ECDH1_DERIVE, CKM_AES_GCM, CKM_EDDSA, CKM_ML_DSA]
        {
            for length in [1, 24, 40, 48, CK_ULONG::MAX] {
                let raw = CK_MECHANISM { mechanism: kind, pParameter: ptr::null_mut(), ulParameterLen: length };
                // SAFETY: null inside.
                assert_eq!(unsafe { mechanism(&raw const raw) }, Err(INVALID), "{kind:#x} {length}");
            }
        }
    }

    #[test]
    fn structures_of_another_length_are_refused() {
        let mut room = [0_u8; 64];
        for (kind, right) in [
            (CKM_RSA_PKCS_PSS, 24),
            (CKM_RSA_PKCS_OAEP, 40),
            (CKM_ECDH1_DERIVE, 40),
            (CKM_AES_GCM, 48),
            (CKM_EDDSA, 24),
            (CKM_ML_DSA, 24),
        ] {
            for length in 1..=64 {
                assert_eq!(parse(kind, &mut room, length).is_ok(), length == right, "{kind:#x} {length}");
            }
        }
    }

    #[test]
    fn fields_are_copied_and_bounded() {
        let (mut iv, mut aad) = ([7_u8; 12], [9_u8; 3]);
        let whole = CK_GCM_PARAMS {
            pIv: iv.as_mut_ptr(),
            ulIvLen: 12,
            ulIvBits: 0,
            pAAD: aad.as_mut_ptr(),
            ulAADLen: 3,
            ulTagBits: 128,
        };
        let expected = Parameter::Gcm { iv: vec![7; 12], aad: vec![9; 3], tag_bits: 128 };
        assert_eq!(parse(CKM_AES_GCM, &mut { whole }, 48), Ok(expected));
        for length in [LONGEST + 1, CK_ULONG::MAX] {
            assert_eq!(parse(CKM_AES_GCM, &mut CK_GCM_PARAMS { ulAADLen: length, ..whole }, 48), Err(INVALID));
        }
        let null = CK_GCM_PARAMS { pIv: ptr::null_mut(), ..whole };
        assert_eq!(parse(CKM_AES_GCM, &mut { null }, 48), Err(INVALID));
        // A pointer without a length is no matter.
        let empty = Parameter::Gcm { iv: vec![7; 12], aad: Vec::new(), tag_bits: 128 };
        assert_eq!(parse(CKM_AES_GCM, &mut CK_GCM_PARAMS { ulAADLen: 0, ..whole }, 48), Ok(empty));
        assert_eq!(parse(CKM_AES_CBC, &mut iv, 12), Ok(Parameter::Bytes(vec![7; 12])));
        assert_eq!(parse(CKM_AES_CBC, &mut iv, 0), Ok(Parameter::None));
    }

    #[test]
    fn oaep_labels_have_their_source() {
        let label = *b"label";
        let raw = |source, length| CK_RSA_PKCS_OAEP_PARAMS {
            hashAlg: CKM_SHA256,
            mgf: CKG_MGF1_SHA256,
            source,
            pSourceData: label.as_ptr().cast_mut().cast(),
            ulSourceDataLen: length,
        };
        let parsed = |label: &[u8]| Parameter::Oaep { hash: CKM_SHA256, mgf: CKG_MGF1_SHA256, label: label.to_vec() };
        assert_eq!(parse(CKM_RSA_PKCS_OAEP, &mut raw(CKZ_DATA_SPECIFIED, 5), 40), Ok(parsed(b"label")));
        assert_eq!(parse(CKM_RSA_PKCS_OAEP, &mut raw(0, 0), 40), Ok(parsed(b"")));
        assert_eq!(parse(CKM_RSA_PKCS_OAEP, &mut raw(0, 5), 40), Err(INVALID));
        assert_eq!(parse(CKM_RSA_PKCS_OAEP, &mut raw(2, 0), 40), Err(INVALID));
    }
}

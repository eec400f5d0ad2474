//! Function lists and interfaces (PKCS#11 v3.0 §5.4.4 to §5.4.6): v2.40 and v3.0, over the same functions.
//!
//! These may be called before C_Initialize.

use super::{
    decryption::*,
    digests::*,
    encryption::*,
    entry::guard,
    general::*,
    keys::*,
    objects::*,
    output::Buffer,
    pointer::{Place, read},
    random::*,
    search::*,
    sessions::*,
    signatures::*,
    slots::*,
    tokens::*,
    unsupported::*,
    verification::*,
};
use crate::rv::Rv;
use cryptoki_sys::{
    CK_FLAGS, CK_FUNCTION_LIST, CK_FUNCTION_LIST_3_0, CK_INTERFACE, CK_RV, CK_ULONG, CK_UTF8CHAR, CK_VERSION,
    CKR_FUNCTION_FAILED,
};
use std::{cell::UnsafeCell, ffi::CStr, ptr::null_mut};

/// What the standard calls its own interface.
const NAME: &CStr = c"PKCS 11";

macro_rules! lists {
    (v2_40: $($old:ident)*; v3_0: $($new:ident)*;) => {
        static V2_40: CK_FUNCTION_LIST = CK_FUNCTION_LIST {
            version: CK_VERSION { major: 2, minor: 40 },
            C_GetInfo: Some(C_GetInfo),
            $($old: Some($old),)*
        };

        static V3_0: CK_FUNCTION_LIST_3_0 = CK_FUNCTION_LIST_3_0 {
            version: CK_VERSION { major: 3, minor: 0 },
            C_GetInfo: Some(info_3_0),
            $($old: Some($old),)*
            $($new: Some($new),)*
        };
    };
}

lists! {
    v2_40:
        C_Initialize
        C_Finalize
        C_GetFunctionList
        C_GetSlotList
        C_GetSlotInfo
        C_GetTokenInfo
        C_GetMechanismList
        C_GetMechanismInfo
        C_InitToken
        C_InitPIN
        C_SetPIN
        C_OpenSession
        C_CloseSession
        C_CloseAllSessions
        C_GetSessionInfo
        C_GetOperationState
        C_SetOperationState
        C_Login
        C_Logout
        C_CreateObject
        C_CopyObject
        C_DestroyObject
        C_GetObjectSize
        C_GetAttributeValue
        C_SetAttributeValue
        C_FindObjectsInit
        C_FindObjects
        C_FindObjectsFinal
        C_EncryptInit
        C_Encrypt
        C_EncryptUpdate
        C_EncryptFinal
        C_DecryptInit
        C_Decrypt
        C_DecryptUpdate
        C_DecryptFinal
        C_DigestInit
        C_Digest
        C_DigestUpdate
        C_DigestKey
        C_DigestFinal
        C_SignInit
        C_Sign
        C_SignUpdate
        C_SignFinal
        C_SignRecoverInit
        C_SignRecover
        C_VerifyInit
        C_Verify
        C_VerifyUpdate
        C_VerifyFinal
        C_VerifyRecoverInit
        C_VerifyRecover
        C_DigestEncryptUpdate
        C_DecryptDigestUpdate
        C_SignEncryptUpdate
        C_DecryptVerifyUpdate
        C_GenerateKey
        C_GenerateKeyPair
        C_WrapKey
        C_UnwrapKey
        C_DeriveKey
        C_SeedRandom
        C_GenerateRandom
        C_GetFunctionStatus
        C_CancelFunction
        C_WaitForSlotEvent;
    v3_0:
        C_GetInterfaceList
        C_GetInterface
        C_LoginUser
        C_SessionCancel
        C_MessageEncryptInit
        C_EncryptMessage
        C_EncryptMessageBegin
        C_EncryptMessageNext
        C_MessageEncryptFinal
        C_MessageDecryptInit
        C_DecryptMessage
        C_DecryptMessageBegin
        C_DecryptMessageNext
        C_MessageDecryptFinal
        C_MessageSignInit
        C_SignMessage
        C_SignMessageBegin
        C_SignMessageNext
        C_MessageSignFinal
        C_MessageVerifyInit
        C_VerifyMessage
        C_VerifyMessageBegin
        C_VerifyMessageNext
        C_MessageVerifyFinal;
}

/// The interfaces: the default one first.
const INTERFACES: [CK_INTERFACE; 2] = [
    CK_INTERFACE {
        pInterfaceName: NAME.as_ptr().cast_mut().cast(),
        pFunctionList: (&raw const V3_0).cast_mut().cast(),
        flags: 0,
    },
    CK_INTERFACE {
        pInterfaceName: NAME.as_ptr().cast_mut().cast(),
        pFunctionList: (&raw const V2_40).cast_mut().cast(),
        flags: 0,
    },
];

/// What C_GetInterface points to. It is writable, and never read here: pkcs11-spy puts its own list into it.
struct Given(UnsafeCell<[CK_INTERFACE; 2]>);

// SAFETY: nothing here reads or writes it.
unsafe impl Sync for Given {}

static GIVEN: Given = Given(UnsafeCell::new(INTERFACES));

/// PKCS#11 v3.0 §5.4.4: the functions of v2.40.
///
/// # Safety
/// See [`super`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn C_GetFunctionList(list: *mut *mut CK_FUNCTION_LIST) -> CK_RV {
    guard(|| {
        // SAFETY: see `super`.
        unsafe { Place::new(list) }?.put((&raw const V2_40).cast_mut());
        Ok(())
    })
}

/// PKCS#11 v3.0 §5.4.5.
///
/// # Safety
/// See [`super`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn C_GetInterfaceList(interfaces: *mut CK_INTERFACE, count: *mut CK_ULONG) -> CK_RV {
    // SAFETY: see `super`.
    guard(|| unsafe { Buffer::new(interfaces, count) }?.put(&INTERFACES))
}

/// PKCS#11 v3.0 §5.4.6. `CKR_FUNCTION_FAILED` where there is no such interface.
///
/// # Safety
/// See [`super`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn C_GetInterface(
    name: *mut CK_UTF8CHAR,
    version: *mut CK_VERSION,
    interface: *mut *mut CK_INTERFACE,
    flags: CK_FLAGS,
) -> CK_RV {
    guard(|| {
        // SAFETY: see `super`.
        let interface = unsafe { Place::new(interface) }?;
        // SAFETY: the name is ended by a zero.
        let named = name.is_null() || unsafe { CStr::from_ptr(name.cast()) } == NAME;
        let wanted = if version.is_null() {
            None
        } else {
            // SAFETY: see `super`.
            let CK_VERSION { major, minor } = unsafe { read(version) }?;
            Some((major, minor))
        };
        let at = match wanted {
            _ if !named || flags != 0 => None,
            None | Some((3, 0)) => Some(0),
            Some((2, 40)) => Some(1),
            Some(_) => None,
        };
        let found = at.map(|at| GIVEN.0.get().cast::<CK_INTERFACE>().wrapping_add(at));
        interface.put(found.unwrap_or(null_mut()));
        found.map(drop).ok_or(Rv(CKR_FUNCTION_FAILED))
    })
}
